package maxcompute

import (
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
)

// TestPace: whatever is asked for, no 5 minutes have more than the service takes.
func TestPace(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		pace *pace
		most int
	}{"sessions": {newPace(sessionBurst, sessionPause), 400}, "blocks": {newPace(blockBurst, blockPause), 470}} {
		now := time.Unix(1_000_000, 0)
		c.pace.now = func() time.Time { return now }
		var taken []time.Time
		for i := range 3000 {
			if i == 500 {
				now = now.Add(time.Hour) // a pause gives no more than the burst
			}
			if i%3 == 0 && c.pace.try() {
				taken = append(taken, now)
				continue
			}
			now = now.Add(c.pace.reserve())
			taken = append(taken, now)
		}
		for i, at := range taken {
			n := 0
			for _, other := range taken[i:] {
				if other.Sub(at) < 5*time.Minute {
					n++
				}
			}
			if n > c.most {
				t.Fatalf("%s: %d in the 5 minutes from %s", name, n, at)
			}
		}
		if first := taken[sessionBurst-1].Sub(taken[0]); first != 0 {
			t.Errorf("%s: the burst took %s", name, first)
		}
	}
	shared := &paces{}
	deps := connector.Deps{Connector: "a"}
	mine := shared.get(connector.Config{}, deps)
	if mine != shared.get(connector.Config{}, deps) || mine == shared.get(connector.Config{}, connector.Deps{Connector: "b"}) {
		t.Error("the tasks of a connector share one pace, and connectors do not")
	}
}

// TestLongestIntent: as many sessions as Full lets in fit an intent, whatever their IDs.
func TestLongestIntent(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 400; n++ {
		var entries []entry
		for range partsFor(n) {
			entries = append(entries, entry{pt: "12-31-2026 23:59", session: strings.Repeat("x", n), blocks: maxBlocks, rows: 1_000_000})
		}
		b, err := encodePayload(entries)
		if err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		back, err := parsePayload(b)
		if err != nil || len(back) != len(entries) || back[0] != entries[0] {
			t.Fatalf("%d bytes: %v, %v", n, back, err)
		}
	}
	if partsFor(32) != maxParts {
		t.Errorf("%d sessions of 32 bytes", partsFor(32))
	}
}
