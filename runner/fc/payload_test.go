package fc

import (
	"encoding/json"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/runner/connector"
)

func TestCutsOfARegularRunAreShort(t *testing.T) {
	t.Parallel()
	w := cutWriter{next: 1000}
	for i := range int64(500) {
		w.add(1000+20*i, 1000+20*i+19)
	}
	w.add(11_000, 11_004)
	w.add(11_010, 11_010)
	if got, want := string(w.text), "j*dw,4,5+0"; got != want {
		t.Errorf("cuts %q, want %q", got, want)
	}
}

func TestCutsReadBack(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		base := rng.Int64N(1 << 40)
		w := cutWriter{next: base}
		var want []cut
		for at := base; len(w.text)+2*longestCut <= mostCuts; {
			first := at + rng.Int64N(3)*rng.Int64N(1<<rng.IntN(30))
			c := cut{first, first + rng.Int64N(3)}
			w.add(c.first, c.last)
			want = append(want, c)
			at = c.last + 1
		}
		text, err := json.Marshal(payload{Cuts: string(w.text), Made: 1_800_000_000})
		if err != nil || len(text) > connector.MaxPayload {
			t.Fatalf("%d bytes, %v", len(text), err)
		}
		got, made, err := parsePayload(text, base)
		if err != nil || !slices.Equal(got, want) || made.Unix() != 1_800_000_000 {
			t.Fatalf("read back %d cuts, want %d: %v", len(got), len(want), err)
		}
	}
}

func TestBadPayloadIsAMismatch(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "[]", `{"b":"-1"}`, `{"b":"1*zzzzzzzzz"}`, `{"b":"!"}`, `{"b":"1+"}`, `{"b":"1y2p0ij32e8e7,1"}`, `{"b":"1*"}`} {
		if _, _, err := parsePayload([]byte(text), 0); connector.CauseOf(err) != connector.CauseMismatch {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func FuzzParsePayload(f *testing.F) {
	f.Add(`{"b":"j*dw,4,5+0","t":1}`, int64(7))
	f.Fuzz(func(t *testing.T, text string, base int64) {
		if base < 0 {
			return
		}
		cuts, _, err := parsePayload([]byte(text), base)
		if err != nil {
			return
		}
		next := base
		for _, c := range cuts {
			if c.first < next || c.last < c.first {
				t.Fatalf("%q gives cuts that overlap: %v", text, c)
			}
			next = c.last + 1
		}
	})
}

// TestInvocationIDs: the ID is what the service allows, the same for the same batch, and
// another whenever anything that names the batch is.
func TestInvocationIDs(t *testing.T) {
	t.Parallel()
	at := orders
	base := invocationID("uuid", &at, 10, 29)
	if len(base) != 54 || !strings.HasPrefix(base, "s_") || !regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]{0,127}$`).MatchString(base) {
		t.Errorf("ID %q", base)
	}
	if again := invocationID("uuid", &at, 10, 29); again != base {
		t.Errorf("%q, then %q", base, again)
	}
	seen := map[string]bool{base: true}
	other := func(connectorID string, change func(*connector.Range), first, last int64) {
		at := orders
		if change != nil {
			change(&at)
		}
		id := invocationID(connectorID, &at, first, last)
		if seen[id] {
			t.Errorf("%s is the ID of two batches", id)
		}
		seen[id] = true
	}
	other("uuid2", nil, 10, 29)
	other("uuid", nil, 11, 29)
	other("uuid", nil, 10, 28)
	other("uuid", nil, 1, 29)
	other("uuid", func(r *connector.Range) { r.Epoch = "other" }, 10, 29)
	other("uuid", func(r *connector.Range) { r.TopicID = "other" }, 10, 29)
	other("uuid", func(r *connector.Range) { r.Partition = 2 }, 10, 29)
	other("uuid", func(r *connector.Range) { r.Epoch, r.TopicID = "epochtopic-id", "" }, 10, 29)
}
