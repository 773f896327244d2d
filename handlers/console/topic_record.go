package console

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/layout"
	"github.com/sluice-io/sluice/views/text"
)

// topicRecord says what became of a message, for each connector that reads its topic.
func (c *Console) topicRecord(q *request) error {
	ctx := q.Request.Context()
	partition, ok := int32Of(q.Param("partition"))
	offset, err := strconv.ParseInt(q.Param("offset"), 10, 64)
	if !ok || err != nil || offset < 0 {
		return q.notFound()
	}
	topic := q.Param("topic")
	all, err := c.control.ConnectorsWithStatus(ctx, q.instance())
	if err != nil {
		return err
	}
	only := q.Query("connector")
	readers := slices.DeleteFunc(all, func(row control.ConnectorWithStatus) bool {
		return only != "" && row.Name != only || !slices.Contains(row.Effective().List(connector.KeyTopics), topic)
	})
	at := topicURL(q.instance(), topic)
	m := views.RecordPage{Topic: topic, TopicHref: at, Partition: partition, Offset: offset, None: len(readers) == 0}
	if m.Fates, err = c.fates(q, readers, topic, partition, offset); err != nil {
		return err
	}
	if slices.ContainsFunc(m.Fates, func(f views.RecordFate) bool {
		return f.State != control.FateDelivered && f.State != control.FateDiverted
	}) {
		m.Live = q.Request.URL.RequestURI()
	}
	if q.may(control.Operator) {
		m.Again = at + "#send"
		if only != "" {
			m.Again = at + "?connector=" + url.QueryEscape(only) + "#send"
		}
	}
	m.Page = q.page(text.T(ctx, "fate.title"), instanceURL(q.instance()), layout.Crumb{Label: text.T(ctx, "instances.title"), Href: "/instances"},
		layout.Crumb{Label: q.instance(), Href: instanceURL(q.instance())}, layout.Crumb{Label: text.T(ctx, "instance_page.topics"), Href: instanceURL(q.instance()) + "/topics"}, layout.Crumb{Label: topic, Href: at})
	if m.Live != "" {
		m.Page.Refresh = 2
	}
	return q.renderPart(http.StatusOK, views.TopicRecord(m), views.RecordFates(m))
}

// fates asks for each reader at once. A record that does not exist is an error; that
// one connector cannot be asked is told beside it.
func (c *Console) fates(q *request, readers []control.ConnectorWithStatus, topic string, partition int32, offset int64) ([]views.RecordFate, error) {
	out := make([]views.RecordFate, len(readers))
	errs := make([]error, len(readers))
	var wait sync.WaitGroup
	for i, row := range readers {
		wait.Add(1)
		go func() {
			defer wait.Done()
			f, err := c.control.Fate(q.Request.Context(), q.instance(), topic, partition, offset, row.Name)
			out[i] = views.RecordFate{Connector: row.Name, Href: connectorURL(row.Instance, row.Name), State: f.State, Where: f.Where, Places: c.placeLinks(f.Places), Reason: f.Reason,
				Status: string(row.Status.State), Stalled: row.Status.Stalled}
			if err != nil {
				out[i].Reason, errs[i] = control.AsError(err).Message, err
			}
		}()
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil && control.AsError(err).Kind == control.NotFound {
			return nil, err
		}
	}
	return out, nil
}

// placeLinks are the places of a delivered message; those in the sandbox's object store
// lead to the object's content.
func (c *Console) placeLinks(places []connector.Place) []views.Link {
	out := make([]views.Link, len(places))
	for i, p := range places {
		out[i] = views.Link{Label: p.Name}
		if c.sandbox != nil && p.Key != "" && slices.ContainsFunc(c.sandbox.Parts(), func(s SandboxPart) bool {
			_, address, _ := strings.Cut(s.Address, "://")
			return s.Name == "oss" && address == p.Server
		}) {
			out[i].Href = objectsURL(p.Container, "", "", p.Key)
		}
	}
	return out
}
