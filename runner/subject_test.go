package runner

import (
	"testing"

	"github.com/sluice-io/sluice/runner/connector"
)

// TestTopicThatIsGone: a topic that nobody knows is a person's business, but right after the deploy that made it.
func TestTopicThatIsGone(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		deployed, fresh bool
		want            connector.Cause
	}{
		"being deployed": {want: connector.CauseOther},
		"just deployed":  {deployed: true, fresh: true, want: connector.CauseOther},
		"deployed":       {deployed: true, want: connector.CauseWrong},
	} {
		sub := &subject{row: Connector{Deployed: tc.deployed}, fresh: tc.fresh}
		err := sub.gone(connector.KeyConfigTopic, roleConfig, "connect-config-orders", "Make the topic again.")
		if got := connector.CauseOf(err); got != tc.want {
			t.Errorf("%s: %v, want %v (%v)", name, got, tc.want, err)
		}
		if want := "the task configuration topic connect-config-orders does not exist"; err.Error() != want {
			t.Errorf("%s: %q, want %q", name, err, want)
		}
	}
}
