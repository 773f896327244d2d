package console

import (
	"context"
	"maps"
	"net"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/text"
)

// example is a connector that a newcomer starts with one press: the sample producer's
// orders to one part of the sandbox, in small pieces so that the first arrive at once.
type example struct {
	part, name, endpoint string // endpoint: the key of the part's address; "" where it takes more than that
	description, started string // message IDs
	config               connector.Config
}

// sampleOrders is what the examples share that deliver the sample producer's orders.
func sampleOrders() connector.Config {
	return connector.Config{"topics": "orders", "consumer.override.auto.offset.reset": "earliest", "aliyun.access.key.id": "sandbox", "aliyun.access.key.secret": "sandbox"}
}

func examples() []example {
	return []example{
		{"oss", "orders-to-oss", "oss.endpoint", "example.description_oss", "example.started_oss",
			connector.Config{connector.KeyClass: "KAFKA2OSS", "oss.bucket": "sandbox-bucket", "flush.interval.ms": "5000"}},
		{"fc", "orders-to-fc", "fc.endpoint", "example.description_fc", "example.started_fc",
			connector.Config{connector.KeyClass: "KAFKA2FC", "fc.service": "sandbox", "fc.function": "echo"}},
		{"odps", "orders-to-odps", "odps.endpoint", "example.description_odps", "example.started_odps",
			connector.Config{connector.KeyClass: "KAFKA2ODPS", "odps.project": "sandbox", "odps.table": "kafka_messages", "flush.interval.ms": "10000"}},
		{"mysql", "shop-to-kafka", "", "example.description_mysql", "example.started_mysql",
			connector.Config{connector.KeyClass: "MYSQL2KAFKA", "mysql.tables": "*", "topic.prefix": "shop"}},
	}
}

// example returns the one that delivers to a part, with its whole configuration, and false where the program cannot.
func (c *Console) example(ctx context.Context, part string) (example, bool) {
	for _, e := range examples() {
		if e.part != part {
			continue
		}
		if _, err := c.control.Spec(e.config[connector.KeyClass]); err != nil {
			return e, false
		}
		e.config[connector.KeyDescription] = text.T(ctx, e.description)
		for _, p := range c.sandbox.Parts() {
			if p.Name == part {
				return e, c.completeExample(&e, p)
			}
		}
	}
	return example{}, false
}

// completeExample puts in where the part is, and tells whether it is anywhere.
func (c *Console) completeExample(e *example, p SandboxPart) bool {
	if e.endpoint != "" {
		maps.Copy(e.config, sampleOrders())
		e.config[e.endpoint] = p.Address
		return true
	}
	box, ok := c.sandbox.(SandboxDatabases)
	host, port, err := net.SplitHostPort(p.Address)
	if !ok || err != nil { // it does not run
		return false
	}
	db := box.Database()
	maps.Copy(e.config, connector.Config{"mysql.host": host, "mysql.port": port, "mysql.database": db.Database, "mysql.user": db.User, "mysql.password": db.Password})
	return true
}

// offerExample puts the button that starts a part's example on its card, or the link to it.
func (c *Console) offerExample(ctx context.Context, part string, v *views.SandboxPart) {
	e, ok := c.example(ctx, part)
	if !ok {
		return
	}
	if _, err := c.control.Connector(ctx, sandboxInstance, e.name); err == nil {
		v.ExampleHref, v.ExampleName = connectorURL(sandboxInstance, e.name), e.name
		return
	}
	v.Example = "/sandbox/example?to=" + part
}

// sandboxExample makes and starts the example of a part, by default the object store.
func (c *Console) sandboxExample(q *request) error {
	ctx := q.Request.Context()
	part := q.Query("to")
	if part == "" {
		part = "oss"
	}
	e, ok := c.example(ctx, part)
	if !ok {
		return q.notFound()
	}
	on := connectorURL(sandboxInstance, e.name)
	if _, err := c.control.Connector(ctx, sandboxInstance, e.name); err == nil {
		q.flash(flash{Tone: components.ToneInfo, Title: text.T(ctx, "example.exists")})
		return q.redirect(on)
	}
	if _, err := c.control.CreateConnector(ctx, sandboxInstance, e.name, e.config, control.DesiredRunning); err != nil {
		return q.refused(err, tabObjects)
	}
	q.done(text.T(ctx, "example.started"), text.T(ctx, e.started))
	return q.redirect(on)
}
