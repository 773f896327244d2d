package console

import (
	"net/http"
	"strings"

	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views"
)

// instanceTopics is the tab Topics: what the cluster lists now.
func (c *Console) instanceTopics(q *request) error {
	ctx := q.Request.Context()
	m, _, err := q.instancePage(tabTopics)
	if err != nil {
		return err
	}
	page := views.InstanceTopicsPage{InstancePage: m, Query: clip(strings.TrimSpace(q.Query("q")), 249), Internal: q.Query("internal") == "true"}
	if m.Operator {
		page.Create = m.Instance.Href + "/create-topic"
	}
	topics, err := c.control.Topics(ctx, q.instance())
	if err != nil {
		if e := control.AsError(err); e.Kind != control.Unavailable {
			return err
		}
		page.Error = control.AsError(err).Message
		return q.render(http.StatusOK, views.InstanceTopics(page))
	}
	used, err := c.usedTopics(q)
	if err != nil {
		return err
	}
	var rows []views.Topic
	for _, t := range topics {
		if !page.Internal && internalTopic(t) || !strings.Contains(strings.ToLower(t.Name), strings.ToLower(page.Query)) {
			continue
		}
		row := views.Topic{Name: t.Name, Href: topicURL(q.instance(), t.Name), Partitions: t.Partitions, Replicas: t.Replicas, Records: -1, Bytes: -1, UsedBy: used[t.Name]}
		if m.Operator && !t.Internal {
			row.Send = row.Href + "#send"
		}
		rows = append(rows, row)
	}
	offset := int(q.queryInt("from", 0, 1_000_000, 0))
	end := min(offset+listPage, len(rows))
	page.Rows = rows[min(offset, end):end]
	page.Shown, page.Previous, page.Next = q.paged(offset, len(page.Rows), len(rows))
	return q.render(http.StatusOK, views.InstanceTopics(page))
}

// internalTopic tells whether a topic is Kafka's own or a connector's resource.
func internalTopic(t control.Topic) bool {
	return t.Internal || strings.HasPrefix(t.Name, "__") || strings.HasPrefix(t.Name, "connect-")
}

// usedTopics names, by topic, the connectors that read or own it.
func (c *Console) usedTopics(q *request) (map[string][]views.Link, error) {
	all, err := c.control.Connectors(q.Request.Context(), q.instance())
	if err != nil {
		return nil, err
	}
	out := map[string][]views.Link{}
	for _, con := range all {
		link := views.Link{Label: con.Name, Href: connectorURL(con.Instance, con.Name)}
		seen := map[string]bool{}
		cfg := con.Effective()
		names := cfg.List("topics")
		for _, key := range []string{"config.storage.topic", "offset.storage.topic", "status.storage.topic", "errors.deadletterqueue.topic.name", "errors.abnormal.topic.name"} {
			names = append(names, cfg.Get(key))
		}
		for _, name := range names {
			if name != "" && !seen[name] {
				seen[name] = true
				out[name] = append(out[name], link)
			}
		}
	}
	return out, nil
}
