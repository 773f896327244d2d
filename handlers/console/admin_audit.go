package console

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-io/sluice/models"
	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/text"
)

const (
	auditPage    = 100
	auditScanned = 50_000 // entries that a search looks through for one page
)

// adminAudit is the record of who did what, newest first.
func (c *Console) adminAudit(q *request) error {
	ctx := q.Request.Context()
	m := views.AdminAuditPage{AdminPage: q.adminPage(tabAudit, 0), Query: clip(strings.TrimSpace(q.Query("q")), 100)}
	before := q.queryInt("before", 1, 1<<62, 0)
	list, next, err := c.auditFound(q, m.Query, before)
	if err != nil {
		return err
	}
	for _, e := range list {
		m.Rows = append(m.Rows, auditView(e))
	}
	if next > 0 {
		m.Next = q.withQuery("before", strconv.FormatInt(next, 10))
	}
	if m.Next != "" || q.Query("before") != "" {
		m.Shown = text.N(ctx, "admin_page.audit_shown", int64(len(m.Rows)))
		if q.Query("before") != "" {
			m.Previous = q.withQuery("before", "")
		}
	}
	return q.render(http.StatusOK, views.AdminAudit(m))
}

// auditFound gives a page of entries with a text, newest first, and the ID below which
// the next page goes on; 0 when there is none. A search looks at a bounded number.
func (c *Console) auditFound(q *request, wanted string, before int64) (list []models.AuditEntry, next int64, err error) {
	ctx := q.Request.Context()
	query := models.AuditQuery{Text: wanted, Before: before, Limit: auditPage}
	if wanted != "" {
		newest, err := c.store.AuditEntries(ctx, models.AuditQuery{Limit: 1})
		if err != nil || len(newest) == 0 {
			return nil, 0, err
		}
		if end := newest[0].ID + 1; query.Before == 0 || query.Before > end {
			query.Before = end
		}
		query.After = max(query.Before-auditScanned-1, 0)
		next = query.After + 1
	}
	if list, err = c.store.AuditEntries(ctx, query); err != nil {
		return nil, 0, err
	}
	switch {
	case len(list) == auditPage:
		next = list[auditPage-1].ID
	case next <= 1:
		next = 0
	}
	return list, next, nil
}

// auditView is one entry as the page shows it. What a name of a connector or an
// instance leads to may be gone by now.
func auditView(e models.AuditEntry) views.AuditRow {
	row := views.AuditRow{Time: e.Time, User: e.Actor, Address: e.Address, Act: e.Act, Subject: e.Object, Refused: strings.HasSuffix(e.Act, ".failed") || strings.HasSuffix(e.Act, ".refused")}
	var detail []string
	for _, key := range slices.Sorted(maps.Keys(e.Detail)) {
		detail = append(detail, key+": "+e.Detail[key])
	}
	row.Detail = clip(strings.Join(detail, "; "), 300)
	deleted := strings.HasSuffix(e.Act, ".delete")
	switch noun, _, _ := strings.Cut(e.Act, "."); {
	case deleted:
	case noun == "connector":
		if instance, name, ok := strings.Cut(e.Object, "/"); ok {
			row.Href = connectorURL(instance, name)
		}
	case noun == "instance" || e.Act == "quota.request":
		row.Href = instanceURL(e.Object)
	}
	return row
}
