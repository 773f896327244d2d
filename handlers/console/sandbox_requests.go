package console

import (
	"net/http"

	"github.com/sluice-io/sluice/views"
)

const requestsShown = 200

// sandboxRequests lists the latest requests that the object store answered.
func (c *Console) sandboxRequests(q *request) error {
	m := views.SandboxRequestsPage{SandboxPage: q.sandboxPage(tabRequests)}
	m.Live = tabRequests
	for _, r := range c.sandbox.Requests(requestsShown) {
		target := "/" + r.Bucket
		if r.Key != "" {
			target += "/" + r.Key
		}
		m.Rows = append(m.Rows, views.SandboxRequest{Time: r.Time, Method: r.Operation, Target: target, Status: r.Status, Code: r.Code, Fault: r.Fault, Bytes: r.Bytes, Elapsed: r.Took})
	}
	return q.renderPart(http.StatusOK, views.SandboxRequests(m), views.SandboxRequestsBody(m))
}
