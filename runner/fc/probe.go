package fc

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
)

var _ connector.Prober = (*sink)(nil)

// Probe asks for the function's description. A key that may only invoke is answered
// AccessDenied, which proves nothing here; that the function, the service or the
// version does not exist, or that key or signature are wrong, is certain.
func (s *sink) Probe(ctx context.Context) error {
	got, a, err := s.client.describe(ctx)
	doing := "asking for function " + s.client.name()
	if err != nil {
		var n *networkError
		if errors.As(err, &n) && a.ok() {
			return nil // a gateway that describes nothing
		}
		return s.classify.failed(doing, err)
	}
	if a.ok() {
		s.limit.Store(int64(got.Timeout) * int64(time.Second))
		return nil
	}
	err = s.classify.refused(doing, &a)
	if connector.CauseOf(err) == connector.CauseAway || certain[a.code] {
		return err
	}
	if a.status == http.StatusNotFound {
		if _, known := wrongCodes[a.code]; known {
			return err
		}
	}
	return nil
}
