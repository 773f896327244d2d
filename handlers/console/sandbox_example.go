package console

import (
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/text"
)

// exampleName is the connector that a newcomer starts with one press.
const exampleName = "orders-to-oss"

// sandboxExample makes and starts the example: the sample producer's orders into the
// sandbox's bucket, in small objects so that the first arrive at once.
func (c *Console) sandboxExample(q *request) error {
	ctx := q.Request.Context()
	on := connectorURL(sandboxInstance, exampleName)
	if _, err := c.control.Connector(ctx, sandboxInstance, exampleName); err == nil {
		q.flash(flash{Tone: components.ToneInfo, Title: text.T(ctx, "example.exists")})
		return q.redirect(on)
	}
	cfg := connector.Config{
		connector.KeyClass: "KAFKA2OSS", connector.KeyDescription: text.T(ctx, "example.description"), "topics": "orders",
		"consumer.override.auto.offset.reset": "earliest", "flush.interval.ms": "5000",
		"oss.bucket": "sandbox-bucket", "aliyun.access.key.id": "sandbox", "aliyun.access.key.secret": "sandbox",
	}
	for _, p := range c.sandbox.Parts() {
		if p.Name == "oss" {
			cfg["oss.endpoint"] = p.Address
		}
	}
	if _, err := c.control.CreateConnector(ctx, sandboxInstance, exampleName, cfg, control.DesiredRunning); err != nil {
		return q.refused(err, "/")
	}
	q.done(text.T(ctx, "example.started"), text.T(ctx, "example.started_body"))
	return q.redirect(on)
}
