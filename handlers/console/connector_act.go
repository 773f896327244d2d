package console

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/text"
)

// connectorResume starts a connector: its first start is the deploy.
func (c *Console) connectorResume(q *request) error {
	ctx := q.Request.Context()
	row, err := c.control.Connector(ctx, q.instance(), q.connector())
	if err != nil {
		return err
	}
	err = c.control.Resume(ctx, q.instance(), q.connector())
	if !row.Deployed {
		return q.acted(err, text.T(ctx, "connector.deployed", q.connector()), "", q.here()) // its steps are shown there
	}
	return q.acted(err, text.T(ctx, "connector.resumed", q.connector()), text.T(ctx, "connector.resumed_body"), q.from(q.here()))
}

func (c *Console) connectorSuspend(q *request) error {
	ctx := q.Request.Context()
	err := c.control.Pause(ctx, q.instance(), q.connector())
	return q.acted(err, text.T(ctx, "connector.suspended", q.connector()), text.T(ctx, "connector.suspended_body"), q.from(q.here()))
}

func (c *Console) connectorStop(q *request) error {
	ctx := q.Request.Context()
	err := c.control.Stop(ctx, q.instance(), q.connector())
	return q.acted(err, text.T(ctx, "connector.stopped", q.connector()), text.T(ctx, "connector.stopped_body"), q.from(q.here()))
}

// connectorRestart restarts the connector with all its tasks.
func (c *Console) connectorRestart(q *request) error {
	ctx := q.Request.Context()
	err := c.control.Restart(ctx, q.instance(), q.connector(), false, true)
	return q.acted(err, text.T(ctx, "connector.restarted", q.connector()), "", q.from(q.here()))
}

func (c *Console) connectorTaskRestart(q *request) error {
	ctx := q.Request.Context()
	task, ok := int32Of(q.Param("task"))
	if !ok {
		return q.notFound()
	}
	err := c.control.RestartTask(ctx, q.instance(), q.connector(), int(task))
	return q.acted(err, text.T(ctx, "connector.task_restarted", task), "", q.here())
}

// connectorChoose carries out what a person chose for a partition that waits. The
// form's own fields carry its number: several stand in one page.
func (c *Console) connectorChoose(q *request) error {
	ctx := q.Request.Context()
	choice, offsetText := q.suffixed("choice"), strings.TrimSpace(q.suffixed("offset"))
	partition := int32(0)
	if given := q.value("partition"); given != "" && q.value("topic") != "" { // of a source neither is posted
		n, ok := int32Of(given)
		if !ok {
			return &control.Error{Kind: control.Invalid, Message: "partition: " + text.T(ctx, "choice.bad_offset")}
		}
		partition = n
	}
	refuse := func(field, message string) error {
		return c.showChoice(q, partition, choice, offsetText, field, message)
	}
	if choice == "" {
		return refuse("choice", text.T(ctx, "choice.missing"))
	}
	var offset *int64
	if choice == "position" {
		n, err := strconv.ParseInt(offsetText, 10, 64)
		if err != nil || n < 0 {
			return refuse("offset", text.T(ctx, "choice.bad_offset"))
		}
		offset = &n
	}
	err := c.control.Choose(ctx, q.instance(), q.connector(), q.value("topic"), partition, choice, offset)
	if fields, general, ok := problems(err); err != nil && ok {
		for field, message := range fields {
			return refuse(field, message)
		}
		return refuse("choice", strings.Join(general, " "))
	}
	return q.acted(err, text.T(ctx, "connector.chosen"), "", q.here())
}

// suffixed is the value of key, or of the one field whose name ends with it.
func (q *request) suffixed(key string) string {
	if q.has(key) {
		return q.value(key)
	}
	for name := range q.Request.PostForm {
		if strings.HasSuffix(name, "."+key) {
			return q.value(name)
		}
	}
	return ""
}

func (c *Console) showChoice(q *request, partition int32, choice, offset, field, message string) error {
	m, err := c.connectorPage(q)
	if err != nil {
		return err
	}
	found := false
	for i := range m.Choices {
		f := &m.Choices[i]
		if f.Topic == q.value("topic") && (f.Topic == "" || f.Partition == partition) {
			f.Value, f.Offset, f.Error, f.ErrorOf, found = choice, offset, message, field, true
		}
	}
	if !found {
		return &control.Error{Kind: control.Conflict, Message: message}
	}
	return q.render(http.StatusUnprocessableEntity, views.Connector(m))
}
