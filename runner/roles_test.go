package runner_test

import (
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/sandbox"
)

// TestConnectorUnderARole runs a connector on credentials that live 2 seconds: while
// they are renewed, while STS is away for longer than they live, and when the role may
// not be assumed any more.
func TestConnectorUnderARole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sts, err := sandbox.StartSTS(t.Context(), sandbox.STSOptions{Addr: "127.0.0.1:0", Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sts.Close() })
	role := sandbox.Role{Name: sandbox.DefaultRole, Life: 2 * time.Second}
	if err := sts.SetRole(role); err != nil {
		t.Fatal(err)
	}
	if w.oss, err = sandbox.StartOSS(t.Context(), sandbox.OSSOptions{Addr: "127.0.0.1:0", Dir: t.TempDir(), Tokens: sts.Tokens()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.oss.Close() })
	w.stop()
	w.roots = x509.NewCertPool()
	w.roots.AppendCertsFromPEM(sts.CAPEM())
	w.start()

	c := w.create("by-role", connector.Config{"aliyun.auth": "ram_role", "aliyun.sts.endpoint": sts.URL(), "aliyun.role.arn": "acs:ram::1000000000000001:role/sandbox"})
	w.state(c, connector.StateRunning)
	sent := 0
	send := func(n int) {
		w.send("oss-test-input", sent, sent+n)
		sent += n
	}
	for began := time.Now(); time.Since(began) < 5*time.Second; {
		send(100)
		w.exactly(sent)
	}
	if n := sts.Stats().Issued; n < 3 {
		t.Errorf("credentials were issued %d times in 5 s", n)
	}

	if err := sts.Faults.Set(sandbox.Fault{Operation: "*", Rate: 1, Status: 503, Code: "ServiceUnavailable"}); err != nil {
		t.Fatal(err)
	}
	w.until("no credentials left", func() bool {
		send(1)
		st, err := w.sup.Status(t.Context(), c.ID)
		return err == nil && st.State == connector.StateRecovering
	})
	if st, err := w.sup.Status(t.Context(), c.ID); err != nil || !strings.Contains(st.Cause, "STS answered 503 ServiceUnavailable") {
		t.Errorf("%+v, %v", st, err)
	}
	sts.Faults.Clear()
	w.state(c, connector.StateRunning)
	w.exactly(sent)

	role.Denied = true
	if err := sts.SetRole(role); err != nil {
		t.Fatal(err)
	}
	w.until("the role is denied", func() bool {
		send(1)
		st, err := w.sup.Status(t.Context(), c.ID)
		return err == nil && st.State == connector.StateFailed
	})
	st, err := w.sup.Status(t.Context(), c.ID)
	if err != nil || !strings.Contains(st.Cause, "Role acs:ram::1000000000000001:role/sandbox: STS answered 403 NoPermission") || !strings.Contains(st.Remedy, "sts:AssumeRole on acs:ram::1000000000000001:role/sandbox") || !strings.Contains(st.Remedy, "access key sandbox") {
		t.Errorf("%+v, %v", st, err)
	}
	role.Denied = false
	if err := sts.SetRole(role); err != nil {
		t.Fatal(err)
	}
	w.desire(c, runner.DesiredPaused)
	w.state(c, connector.StateSuspended)
	w.desire(c, runner.DesiredRunning)
	w.exactly(sent)
}
