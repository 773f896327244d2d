package console

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/text"
)

// adminSessions lists the browsers that are signed in.
func (c *Console) adminSessions(q *request) error {
	all, err := c.store.Sessions(q.Request.Context(), 0)
	if err != nil {
		return err
	}
	m := views.AdminSessionsPage{AdminPage: q.adminPage(tabSessions, 0)}
	for _, s := range all {
		m.Rows = append(m.Rows, views.Session{User: s.User, Address: s.Address, Agent: browser(s.Agent), Since: s.CreatedAt, Seen: s.LastSeen,
			Current: s.ID == q.session.ID, End: tabSessions + "/" + strconv.FormatInt(s.ID, 10) + "/end"})
	}
	return q.render(http.StatusOK, views.AdminSessions(m))
}

// adminSessionEnd signs a browser out. One that is signed out already is no error.
func (c *Console) adminSessionEnd(q *request) error {
	ctx := q.Request.Context()
	id, err := strconv.ParseInt(q.Param("session"), 10, 64)
	if err != nil || id < 1 {
		return q.notFound()
	}
	if err := c.store.RevokeSession(ctx, id); err != nil {
		if errors.Is(err, control.ErrNotFound) {
			q.flash(flash{Tone: components.ToneInfo, Title: text.T(ctx, "admin_page.ended_already")})
			return q.redirect(tabSessions)
		}
		return err
	}
	q.audit(q.user.Name, "session.end", strconv.FormatInt(id, 10), nil)
	q.done(text.T(ctx, "admin_page.ended"), "")
	return q.redirect(tabSessions)
}
