package console

import (
	"net/http"
	"strings"

	"github.com/sluice-io/sluice/views"
)

const requestsShown = 200

// sandboxRequests lists the latest requests that a part answered.
func (c *Console) sandboxRequests(q *request) error {
	part, ok := q.faultPart(q.Query("part"))
	if !ok {
		return q.notFound()
	}
	m := views.SandboxRequestsPage{SandboxPage: q.sandboxPage(tabRequests)}
	m.Live = partURL(tabRequests, part)
	m.Choices = c.partChoices(tabRequests, part, func(string) int { return 0 })
	for _, r := range c.sandbox.Requests(part, requestsShown) {
		target := "/" + r.Bucket
		if r.Key != "" {
			target = strings.TrimSuffix(target, "/") + "/" + r.Key
		}
		m.Rows = append(m.Rows, views.SandboxRequest{Time: r.Time, Method: r.Operation, Target: target, Status: r.Status, Code: r.Code, Fault: r.Fault, Bytes: r.Bytes, Elapsed: r.Took})
	}
	return q.renderPart(http.StatusOK, views.SandboxRequests(m), views.SandboxRequestsBody(m))
}
