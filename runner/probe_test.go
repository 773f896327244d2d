package runner_test

import (
	"strings"
	"testing"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/sandbox"
)

// TestAWrongDestinationFailsBeforeThereIsARecord: what is wrong with bucket or key is known at the start of the
// tasks, not at the first flush, which for an idle topic never comes.
func TestAWrongDestinationFailsBeforeThereIsARecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	idle := connector.Config{"flush.interval.ms": "3600000", "tasks.max": "2"}
	for name, change := range map[string]connector.Config{
		"no-bucket":    {"oss.bucket": "nobody-made-this"},
		"no-such-key":  {"aliyun.access.key.id": "nobody"},
		"wrong-secret": {"aliyun.access.key.secret": "mistyped"},
	} {
		cfg := connector.Config{}
		for _, c := range []connector.Config{idle, change} {
			for k, v := range c {
				cfg[k] = v
			}
		}
		c := w.create(name, cfg)
		w.state(c, connector.StateFailed)
		st, err := w.sup.Status(t.Context(), c.ID)
		if err != nil || st.Cause == "" || st.Remedy == "" {
			t.Errorf("%s: %+v, %v", name, st.Status, err)
		}
		w.desire(c, runner.DesiredPaused)
	}
}

// TestAKeyThatMayOnlyPutStarts: what only the probe may not do proves nothing.
func TestAKeyThatMayOnlyPutStarts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if errs := w.oss.Faults.Set(sandbox.Fault{Operation: "GetObject", Rate: 1, Status: 403, Code: "AccessDenied"}); errs != nil {
		t.Fatal(errs)
	}
	w.create("puts-only", nil)
	w.send("oss-test-input", 0, 30)
	w.exactly(30)
}

// TestADestinationThatIsAwayOnlyShows: an idle connector tells it, holds nothing up, and tells when it is back.
func TestADestinationThatIsAwayOnlyShows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if errs := w.oss.Faults.Set(sandbox.Fault{Operation: "*", Rate: 1, Status: 503, Code: "ServiceUnavailable"}); errs != nil {
		t.Fatal(errs)
	}
	c := w.create("away", nil)
	w.state(c, connector.StateRecovering)
	st, err := w.sup.Status(t.Context(), c.ID)
	if err != nil || !strings.Contains(st.Cause, "503") {
		t.Errorf("%+v, %v", st.Status, err)
	}
	w.oss.Faults.Clear()
	w.state(c, connector.StateRunning)
	w.send("oss-test-input", 0, 30)
	w.exactly(30)
}
