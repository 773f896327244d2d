package console

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/layout"
	"github.com/sluice-io/sluice/views/text"
)

// topicCreate is the form for a new topic.
func (c *Console) topicCreate(q *request) error {
	if _, err := c.control.InstanceRow(q.Request.Context(), q.instance()); err != nil {
		return err
	}
	return c.showTopicCreate(q, http.StatusOK, map[string]string{"partitions": "6", "cleanup": "delete"}, nil, nil)
}

func (c *Console) showTopicCreate(q *request, status int, values, wrong map[string]string, general []string) error {
	ctx := q.Request.Context()
	one, most, mostReplicas := int64(1), int64(1000), int64(100)
	field := func(key, kind, label, help, unit string) components.Field {
		return components.Field{Key: key, Kind: kind, Label: label, Help: help, Unit: unit, Value: values[key], Error: wrong[key], Short: kind == components.KindNumber}
	}
	name := field("name", components.KindText, text.T(ctx, "topic.name"), text.T(ctx, "topic.name_help"), "")
	name.Required, name.Autofocus = true, true
	partitions := field("partitions", components.KindNumber, text.T(ctx, "topic.partitions"), "", "")
	partitions.Required, partitions.Min, partitions.Max = true, &one, &most
	replicas := field("replicas", components.KindNumber, text.T(ctx, "topic.replicas"), text.T(ctx, "topic.replicas_help"), "")
	replicas.Optional, replicas.Min, replicas.Max = true, &one, &mostReplicas
	retention := field("retention", components.KindNumber, text.T(ctx, "topic.retention"), text.T(ctx, "topic.retention_help"), text.T(ctx, "topic.retention_unit"))
	retention.Optional, retention.Min = true, &one
	cleanup := field("cleanup", components.KindSegmented, text.T(ctx, "topic.cleanup"), "", "")
	cleanup.Options = []components.Option{{Value: "delete", Label: text.T(ctx, "topic.delete")}, {Value: "compact", Label: text.T(ctx, "topic.compact")}}
	m := views.TopicCreatePage{URL: instanceURL(q.instance()) + "/create-topic", Cancel: instanceURL(q.instance()) + "/topics", Errors: general,
		Group: components.Group{Fields: []components.Field{name, partitions, replicas, cleanup, retention}}}
	m.Page = q.page(text.T(ctx, "topics.create"), instanceURL(q.instance()), layout.Crumb{Label: text.T(ctx, "instances.title"), Href: "/instances"},
		layout.Crumb{Label: q.instance(), Href: instanceURL(q.instance())}, layout.Crumb{Label: text.T(ctx, "instance_page.topics"), Href: m.Cancel})
	return q.render(status, views.TopicCreate(m))
}

// topicCreateSubmit makes the topic.
func (c *Console) topicCreateSubmit(q *request) error {
	ctx := q.Request.Context()
	values, wrong := map[string]string{}, map[string]string{}
	for _, key := range []string{"name", "partitions", "replicas", "cleanup", "retention"} {
		values[key] = strings.TrimSpace(q.value(key))
	}
	number := func(key string, low, high int) int {
		if values[key] == "" && key != "partitions" {
			return 0
		}
		n, err := strconv.Atoi(values[key])
		if err != nil {
			wrong[key] = text.T(ctx, "topic.bad_number", strconv.Quote(clip(values[key], 40)))
		} else if n < low || n > high {
			wrong[key] = text.T(ctx, "topic.bad_range", low, components.Number(int64(high)))
		}
		return n
	}
	partitions, replicas, hours := number("partitions", 1, 1000), number("replicas", 1, 100), number("retention", 1, 1_000_000)
	config := map[string]string{}
	switch values["cleanup"] {
	case "compact":
		config["cleanup.policy"] = "compact"
	case "", "delete":
	default:
		wrong["cleanup"] = text.T(ctx, "topic.bad_cleanup")
	}
	if hours > 0 {
		config["retention.ms"] = strconv.FormatInt(int64(hours)*3_600_000, 10)
	}
	if len(wrong) > 0 {
		return c.showTopicCreate(q, http.StatusUnprocessableEntity, values, wrong, nil)
	}
	t, err := c.control.CreateTopic(ctx, q.instance(), values["name"], partitions, replicas, config)
	if err != nil {
		e := control.AsError(err)
		if e.Exists {
			return c.showTopicCreate(q, http.StatusUnprocessableEntity, values, map[string]string{"name": text.T(ctx, "topic.exists")}, nil)
		}
		if fields, general, ok := problems(err); ok {
			return c.showTopicCreate(q, http.StatusUnprocessableEntity, values, fields, general)
		}
		if e.Kind == control.Unavailable {
			return c.showTopicCreate(q, http.StatusServiceUnavailable, values, nil, []string{e.Message})
		}
		return err
	}
	q.c.later.forget(laterKey(q, "topics", q.instance()))
	q.done(text.T(ctx, "topic.created", t.Name), "")
	return q.redirect(topicURL(q.instance(), t.Name))
}
