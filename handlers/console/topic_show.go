package console

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/layout"
	"github.com/sluice-io/sluice/views/text"
)

// topicShow is one topic with its partitions and the Send Message panel.
func (c *Console) topicShow(q *request) error {
	m, _, err := c.topicPage(q, nil)
	if err != nil {
		return err
	}
	return q.renderPart(http.StatusOK, views.TopicShow(m), views.TopicPartitions(m))
}

// topicPage reads the topic of the path; form replaces the empty Send Message form.
func (c *Console) topicPage(q *request, form *sendForm) (views.TopicPage, control.Topic, error) {
	ctx := q.Request.Context()
	t, err := c.control.Topic(ctx, q.instance(), q.Param("topic"))
	if err != nil {
		return views.TopicPage{}, t, err
	}
	used, err := c.usedTopics(q)
	if err != nil {
		return views.TopicPage{}, t, err
	}
	at := topicURL(q.instance(), t.Name)
	m := views.TopicPage{Name: t.Name, Instance: q.instance(), UsedBy: used[t.Name], Live: at + "?part=partitions", Connector: q.Query("connector")}
	m.Page = q.page(t.Name, instanceURL(q.instance()), layout.Crumb{Label: text.T(ctx, "instances.title"), Href: "/instances"},
		layout.Crumb{Label: q.instance(), Href: instanceURL(q.instance())}, layout.Crumb{Label: text.T(ctx, "instance_page.topics"), Href: instanceURL(q.instance()) + "/topics"})
	for _, b := range t.Bounds {
		m.Partitions = append(m.Partitions, views.TopicPartition{Partition: b.Partition, Start: b.Start, End: b.End})
	}
	m.Facts = topicFacts(q, t, m.UsedBy)
	for _, key := range sortedKeys(t.Config) {
		m.Settings = append(m.Settings, components.Pair{Key: key, Value: t.Config[key], Mono: true})
	}
	if q.may(control.Operator) && !t.Internal {
		if form == nil {
			form = &sendForm{values: map[string]string{"connector": q.Query("connector")}}
		}
		shown := form.shown(q, t, m.UsedBy)
		m.Send = &shown
	}
	return m, t, nil
}

func topicFacts(q *request, t control.Topic, used []views.Link) []components.Pair {
	ctx := q.Request.Context()
	out := []components.Pair{
		{Key: text.T(ctx, "topic.partitions"), Value: components.Number(int64(t.Partitions))},
		{Key: text.T(ctx, "topic.replicas"), Value: strconv.Itoa(t.Replicas)},
		{Key: text.T(ctx, "topic.cleanup"), Value: t.Config["cleanup.policy"]},
		{Key: text.T(ctx, "topic.retention"), Value: retentionOf(q, t.Config["retention.ms"])},
		{Key: text.T(ctx, "topic.id"), Value: t.ID, Mono: true},
		{Key: text.T(ctx, "topic.used_by"), Body: views.Links(used)},
	}
	if internalTopic(t) {
		out = append(out, components.Pair{Key: text.T(ctx, "topic.kind"), Value: text.T(ctx, "topic.internal")})
	}
	return out
}

// retentionOf writes retention.ms as people read it.
func retentionOf(q *request, ms string) string {
	n, err := strconv.ParseInt(ms, 10, 64)
	switch {
	case ms == "" || err != nil:
		return ""
	case n < 0:
		return text.T(q.Request.Context(), "topic.unlimited")
	case n > int64(1<<62)/int64(time.Millisecond):
		return text.T(q.Request.Context(), "topic.unlimited")
	}
	return components.Duration(q.Request.Context(), time.Duration(n)*time.Millisecond)
}

func sortedKeys(m map[string]string) []string {
	out := make([]string, 0, len(m))
	for key := range m {
		out = append(out, key)
	}
	slices.Sort(out)
	return out
}
