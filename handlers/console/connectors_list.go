package console

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/sluice-io/sluice/models"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/text"
)

// listPage is how many connectors one page shows.
const listPage = 100

// connectorsList is the home page: all connectors, those that need somebody first.
func (c *Console) connectorsList(q *request) error {
	ctx := q.Request.Context()
	m := views.ConnectorsPage{Filter: q.connectorFilter(), Operator: q.may(control.Operator)}
	offset := int(q.queryInt("from", 0, 1_000_000, 0))
	query := models.ConnectorQuery{Text: m.Filter.Text, Instance: m.Filter.Instance, Limit: listPage, Offset: offset}
	if m.Filter.Type != "" {
		query.Classes = []string{m.Filter.Type}
	}
	if m.Filter.State == components.StateStalled {
		query.Stalled = true
	} else if m.Filter.State != "" {
		query.States = []connector.State{connector.State(m.Filter.State)}
	}
	list, err := q.filtered(query, m.Filter.Active())
	if err != nil {
		return err
	}
	instances, err := q.instances()
	if err != nil {
		return err
	}
	m.Page = q.page(text.T(ctx, "connectors.title"), "connectors")
	m.Rows, m.Total = q.connectorRows(list.Rows), list.Total
	if m.Filter.Active() && m.Total == 0 {
		all, err := q.connectors()
		if err != nil {
			return err
		}
		m.Total = all.Total
	}
	m.Counts = stateCounts(q.Request.Context(), m.Filter, list)
	q.fillFilter(&m.Filter, instances)
	m.Shown, m.Previous, m.Next = q.paged(offset, len(list.Rows), list.Total)
	m.Live = q.Request.URL.RequestURI()
	c.nextSteps(q, &m, instances)
	return q.renderPart(http.StatusOK, views.Connectors(m), views.ConnectorsList(m))
}

func (q *request) connectorFilter() views.ConnectorFilter {
	return views.ConnectorFilter{Text: clip(strings.TrimSpace(q.Query("q")), 200), State: q.Query("state"), Type: q.Query("type"), Instance: q.Query("instance")}
}

// stateCounts is the strip: each state leads to the list filtered by it.
func stateCounts(ctx context.Context, f views.ConnectorFilter, list models.ConnectorList) []components.StripItem {
	var out []components.StripItem
	for _, state := range components.States() {
		n := list.Counts[connector.State(state)]
		if state == components.StateStalled {
			n = list.Stalled
		}
		passing := state == "DRAFT" || state == "SUSPENDING" || state == "DELETING" || state == "STOPPED" || state == "GAP" || state == "DEPLOYING"
		if n == 0 && passing && f.State != state {
			continue // a strip of zeros says nothing
		}
		other := f
		if other.State = state; f.State == state {
			other.State = "" // the chosen one leads back to all
		}
		look := components.StateLook(state)
		out = append(out, components.StripItem{Look: look, Count: n, Href: filterURL(other), Current: f.State == state})
	}
	return out
}

func filterURL(f views.ConnectorFilter) string {
	v := url.Values{}
	for key, value := range map[string]string{"q": f.Text, "state": f.State, "type": f.Type, "instance": f.Instance} {
		if value != "" {
			v.Set(key, value)
		}
	}
	if len(v) == 0 {
		return "/"
	}
	return "/?" + v.Encode()
}

// fillFilter fills in what can be chosen.
func (q *request) fillFilter(f *views.ConnectorFilter, instances []control.InstanceInfo) {
	ctx := q.Request.Context()
	for _, state := range components.States() {
		if state != "DRAFT" {
			f.States = append(f.States, components.Option{Value: state, Label: text.T(ctx, components.StateLook(state).Text)})
		}
	}
	for _, spec := range q.c.control.Specs() {
		path := q.c.dumpPath(spec.Class)
		f.Types = append(f.Types, components.Option{Value: spec.Class, Label: path.From + " → " + path.To})
	}
	for _, in := range instances {
		f.Instances = append(f.Instances, components.Option{Value: in.Name, Label: in.Name})
	}
}

// paged says what a page of a list shows, and links those beside it; nothing when all fit.
func (q *request) paged(offset, rows, total int) (shown, previous, next string) {
	if offset == 0 && rows == total {
		return "", "", ""
	}
	first := offset + 1
	if rows == 0 {
		first = 0
	}
	shown = text.T(q.Request.Context(), "paging.shown", text.Number(int64(first)), text.Number(int64(offset+rows)), text.Number(int64(total)))
	if offset > 0 {
		previous = q.withQuery("from", strconv.Itoa(max(0, offset-listPage)))
	}
	if offset+rows < total {
		next = q.withQuery("from", strconv.Itoa(offset+rows))
	}
	return shown, previous, next
}

// withQuery is this page's address with one value of its query set, or removed by "".
func (q *request) withQuery(key, value string) string {
	v := q.Request.URL.Query()
	v.Set(key, value)
	if value == "" || key == "from" && value == "0" {
		v.Del(key)
	}
	if len(v) == 0 {
		return q.Request.URL.Path
	}
	return q.Request.URL.Path + "?" + v.Encode()
}

// nextSteps decides what an empty page offers, and where Create connector leads.
func (c *Console) nextSteps(q *request, m *views.ConnectorsPage, instances []control.InstanceInfo) {
	m.Admin = q.may(control.Admin)
	if !m.Operator {
		return
	}
	var enabled []string
	for _, in := range instances {
		switch {
		case in.Enabled:
			enabled = append(enabled, in.Name)
		case m.Enable == "" && m.Admin:
			m.Enable = instanceURL(in.Name) + "/enable"
		}
		if c.sandbox != nil && in.Name == sandboxInstance && in.Enabled {
			m.Example = "/sandbox/example"
		}
	}
	switch {
	case len(enabled) == 1:
		m.New = newConnectorURL(enabled[0])
	case len(enabled) > 1:
		m.New = "/connectors/new"
	}
}

// newConnectorURL begins the wizard on an instance.
func newConnectorURL(instance string) string { return instanceURL(instance) + "/connectors/new" }
