package maxcompute_test

import (
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/runnertest"
	"github.com/sluice-io/sluice/runner/sandbox"
)

// newRoleBed is a bed whose sinks assume a role; what STS issues for it lives for life, 0
// is an hour.
func newRoleBed(t *testing.T, life time.Duration, change connector.Config) (*bed, *sandbox.STS) {
	t.Helper()
	s, err := sandbox.StartSTS(t.Context(), sandbox.STSOptions{Addr: "127.0.0.1:0", Dir: t.TempDir(),
		Roles: []sandbox.Role{{Name: sandbox.DefaultRole, Life: life}, {Name: sandbox.DeniedRole, Denied: true}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	given := connector.Config{"aliyun.auth": "ram_role", "aliyun.account": sandbox.DefaultAccount, "aliyun.role.name": sandbox.DefaultRole, "aliyun.sts.endpoint": s.URL()}
	for k, v := range change {
		given[k] = v
	}
	b := newBed(t, given, func(o *sandbox.ODPSOptions) { o.Tokens = s.Tokens() })
	b.deps.Roots = x509.NewCertPool()
	b.deps.Roots.AppendCertsFromPEM(s.CAPEM())
	return b, s
}

// TestSinkSuiteWithRole: credentials that live a second.
func TestSinkSuiteWithRole(t *testing.T) {
	t.Parallel()
	runnertest.SinkSuite(t, func(t *testing.T) runnertest.SinkUnderTest {
		b, _ := newRoleBed(t, time.Second, nil)
		return underTest(b)
	})
}

// TestExpiryWhileDelivering: tokens end before and while blocks go up and sessions are
// committed; the next request has another, and everything is there once.
func TestExpiryWhileDelivering(t *testing.T) {
	t.Parallel()
	b, sts := newRoleBed(t, time.Second, nil)
	b.fault(sandbox.Fault{Operation: "*", Rate: 1, LatencyMS: 600})
	s := b.sink()
	c, err := s.Begin(t.Context(), orders, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range three() {
		if err := c.Add(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	persist := func(act func() error) { // as the delivery task does
		t.Helper()
		for attempt := 0; ; attempt++ {
			err := act()
			if err == nil {
				return
			}
			if attempt > 4 || connector.CauseOf(err) == connector.CauseWrong {
				t.Fatal(err)
			}
		}
	}
	in := connector.Intent{Range: orders, Count: 4}
	in.Next = 15
	persist(func() (err error) { in.Payload, err = c.Prepare(t.Context()); return err })
	persist(func() error { _, err := c.Publish(t.Context(), free); return err })
	b.whole()
	persist(func() error {
		out, err := s.Resolve(t.Context(), in, free)
		if err == nil && out.Kind != connector.Done {
			t.Errorf("%+v", out)
		}
		return err
	})
	if n := sts.Stats().Issued; n < 2 {
		t.Errorf("%d tokens were issued", n)
	}
}

// TestDeniedRole: who may not says which role and which action; a role without rights on
// the table is named too.
func TestDeniedRole(t *testing.T) {
	t.Parallel()
	b, _ := newRoleBed(t, 0, connector.Config{"aliyun.role.name": sandbox.DeniedRole})
	err := deliverOnce(t, b.sink())
	var we *connector.WrongError
	if !errors.As(err, &we) || !strings.Contains(err.Error()+we.Remedy, "role/"+sandbox.DeniedRole) || !strings.Contains(err.Error()+we.Remedy, "sts:AssumeRole") {
		t.Errorf("%v", err)
	}
	b, _ = newRoleBed(t, 0, nil)
	b.fault(sandbox.Fault{Operation: "CreateUpload", Rate: 1, Status: 403, Code: "NoPermission"})
	err = deliverOnce(t, b.sink())
	if !errors.As(err, &we) || !strings.Contains(we.Remedy, "role/"+sandbox.DefaultRole) || !strings.Contains(we.Remedy, "Update") || we.Field == "" {
		t.Errorf("%+v", err)
	}
	// A token that the service does not know yet passes, for a while.
	b.fault(sandbox.Fault{Operation: "CreateUpload", Rate: 1, Status: 401, Code: "Unauthorized"})
	if err := deliverOnce(t, b.sink()); connector.CauseOf(err) != connector.CauseAway {
		t.Errorf("%v", err)
	}
}
