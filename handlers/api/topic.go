package api

import (
	"net/http"

	"github.com/sluice-io/sluice/runner/control"
)

// topicList answers GET /instances/{instance}/topics.
func topicList(c *call) error {
	all, err := c.svc.Topics(c.Request.Context(), c.Param("instance"))
	if err != nil {
		return err
	}
	return page(c, "topics", all, func(t control.Topic) string { return t.Name })
}

// topicShow answers GET /instances/{instance}/topics/{topic}.
func topicShow(c *call) error {
	t, err := c.svc.Topic(c.Request.Context(), c.Param("instance"), c.Param("topic"))
	if err != nil {
		return err
	}
	return c.ok(http.StatusOK, t)
}

// topicCreate answers POST /instances/{instance}/topics
// {"name","partitions","replicas"?,"config"?}.
func topicCreate(c *call) error {
	body, err := c.object("name", "partitions", "replicas", "config")
	if err != nil {
		return err
	}
	name, err := body.text("name")
	if err != nil {
		return err
	}
	partitions, err := body.integer("partitions", 1, 32)
	if err != nil {
		return err
	}
	replicas, err := body.integer("replicas", 0, 32)
	if err != nil {
		return err
	}
	var config map[string]string
	if body["config"] != nil {
		if config, err = body.config("config"); err != nil {
			return err
		}
	}
	t, err := c.svc.CreateTopic(c.Request.Context(), c.Param("instance"), name, int(partitions), int(replicas), config)
	if err != nil {
		return err
	}
	return c.created(t, "instances", c.Param("instance"), "topics", t.Name)
}
