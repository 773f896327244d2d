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
	auditScanned = 5000 // entries that a search looks through for one page
)

// adminAudit is the record of who did what, newest first.
func (c *Console) adminAudit(q *request) error {
	ctx := q.Request.Context()
	m := views.AdminAuditPage{AdminPage: q.adminPage(tabAudit, 0), Query: clip(strings.TrimSpace(q.Query("q")), 100)}
	before := q.queryInt("before", 1, 1<<62, 0)
	wanted := strings.ToLower(m.Query)
	for scanned := 0; scanned < auditScanned; {
		list, err := c.store.AuditEntries(ctx, models.AuditQuery{Before: before, Limit: 1000})
		if err != nil {
			return err
		}
		for _, e := range list {
			if len(m.Rows) == auditPage {
				break
			}
			scanned++
			before = e.ID
			if row := auditView(e); wanted == "" || strings.Contains(strings.ToLower(row.User+"\n"+row.Act+"\n"+row.Subject), wanted) {
				m.Rows = append(m.Rows, row)
			}
		}
		if len(list) < 1000 && (len(list) == 0 || before == list[len(list)-1].ID) {
			before = 0
			break
		}
		if len(m.Rows) == auditPage {
			break
		}
	}
	if before > 0 {
		m.Next = q.withQuery("before", strconv.FormatInt(before, 10))
	}
	if m.Next != "" || q.Query("before") != "" {
		m.Shown = text.N(ctx, "admin_page.audit_shown", int64(len(m.Rows)))
		if q.Query("before") != "" {
			m.Previous = q.withQuery("before", "")
		}
	}
	return q.render(http.StatusOK, views.AdminAudit(m))
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
