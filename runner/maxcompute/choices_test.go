package maxcompute_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/sandbox"
)

// inDoubt is a bed with an intent of three sessions: that of the first hour is committed, those of the others are not
// known any more, and their rows cannot be counted.
func inDoubt(t *testing.T) (*bed, connector.Intent) {
	t.Helper()
	b := newBed(t, nil)
	_, in := fill(t, b.sink(), nil, three()...)
	b.odps.ForgetSession(b.session(hour(1)).ID)
	b.odps.ForgetSession(b.session(hour(2)).ID)
	b.fault(sandbox.Fault{Operation: "CreateInstance", Rate: 1, Status: 403, Code: "NoPermission"})
	return b, in
}

func choicesOf(out connector.Outcome) []string {
	var names []string
	for _, c := range out.Choices {
		names = append(names, c.Choice)
	}
	return names
}

// choose is an intent with a person's answer in it.
func choose(t *testing.T, b *bed, in connector.Intent, choice string) connector.Intent {
	t.Helper()
	payload, ok, err := b.sink().(connector.Chooser).Choose(in, choice)
	if err != nil || !ok {
		t.Fatalf("choosing %s: %v, %v", choice, ok, err)
	}
	if len(payload) > connector.MaxPayload {
		t.Fatalf("%d bytes of payload", len(payload))
	}
	in.Payload = payload
	return in
}

// TestChoicesOfSessions: each session in doubt is named with its table partition, its rows and what is known of it, and
// a person answers for all or for one; what is known of the others stays as it is.
func TestChoicesOfSessions(t *testing.T) {
	t.Parallel()
	b, in := inDoubt(t)
	first, second, third := b.session(hour(0)).ID, "", ""
	for _, text := range strings.Split(string(in.Payload), `"`) {
		switch f := strings.Split(text, ","); {
		case len(f) == 4 && f[3] == hour(1):
			second = f[2]
		case len(f) == 4 && f[3] == hour(2):
			third = f[2]
		}
	}
	out := expect(t, b.sink(), in, connector.Unknown)
	want := []string{"done", "redo", "done:" + second, "redo:" + second, "done:" + third, "redo:" + third, "stay"}
	if got := choicesOf(out); !slices.Equal(got, want) {
		t.Fatalf("offered %v, want %v", got, want)
	}
	for _, says := range []string{
		fmt.Sprintf("session %s of %s (2 rows): committed", first, hour(0)),
		fmt.Sprintf("session %s of %s (1 rows): the service does not tell", second, hour(1)),
		fmt.Sprintf("session %s of %s (1 rows): the service does not tell", third, hour(2)),
		"nobody knows what became of 2 of 3 upload sessions into sandbox.kafka_messages\n",
	} {
		if !strings.Contains(out.Detail, says) {
			t.Errorf("%q is not in %q", says, out.Detail)
		}
	}
	for _, c := range out.Choices {
		if _, session, one := strings.Cut(c.Choice, ":"); one && (!strings.Contains(c.Title, session) || !strings.Contains(c.Title, hour(1)) && !strings.Contains(c.Title, hour(2)) || c.Risk == "") {
			t.Errorf("%+v", c)
		}
	}

	// One answer: the other is asked for still.
	in = choose(t, b, in, "redo:"+second)
	out = expect(t, b.sink(), in, connector.Unknown)
	if got := choicesOf(out); !slices.Equal(got, []string{"done", "redo", "stay"}) || !strings.Contains(out.Detail, "an operator said") {
		t.Fatalf("after one answer: %v: %s", got, out.Detail)
	}
	in = choose(t, b, in, "done")
	s := b.sink()
	expect(t, s, in, connector.Redo)
	before := len(b.odps.Sessions())
	c, rewritten := fill(t, s, &in, three()...)
	if made := len(b.odps.Sessions()) - before; made != 1 {
		t.Errorf("%d sessions were opened for the one whose rows are missing", made)
	}
	publish(t, c)
	wantRows := map[string][]string{"pt=" + hour(0): {"orders|1|10|k|a", "orders|1|14|k|late"}, "pt=" + hour(1): {"orders|1|11|k|b"}}
	if got := b.rows(); fmt.Sprint(got) != fmt.Sprint(wantRows) {
		t.Errorf("rows %v, want %v: the third is there, as was said", got, wantRows)
	}

	// The rewritten intent keeps what was found out and said, when the service has forgotten all.
	for _, session := range b.odps.Sessions() {
		b.odps.ForgetSession(session.ID)
	}
	out = expect(t, b.sink(), rewritten, connector.Unknown)
	if strings.Contains(out.Detail, first) && !strings.Contains(out.Detail, first+" of "+hour(0)+" (2 rows): committed") || len(out.Choices) != 3 {
		t.Errorf("of the rewritten intent only the new session is in doubt: %+v", out)
	}
}

// TestChoicesGiveWay: an answer counts only as long as nobody knows better.
func TestChoicesGiveWay(t *testing.T) {
	t.Parallel()
	b, in := inDoubt(t)
	in = choose(t, b, in, "done")
	b.noFault() // now the rows can be counted: there are none
	s := b.sink()
	expect(t, s, in, connector.Redo)
	c, _ := fill(t, s, &in, three()...)
	publish(t, c)
	b.whole()
}

// TestChoicesOfOthers: what is no answer about a session is left to the runner, or refused.
func TestChoicesOfOthers(t *testing.T) {
	t.Parallel()
	b, in := inDoubt(t)
	chooser := b.sink().(connector.Chooser)
	for _, choice := range []string{"stay", "beginning", ""} {
		if _, ok, err := chooser.Choose(in, choice); ok || err != nil {
			t.Errorf("%q: %v, %v", choice, ok, err)
		}
	}
	var field connector.FieldError
	if _, _, err := chooser.Choose(in, "done:nobody"); !errors.As(err, &field) || field.Field != "choice" {
		t.Errorf("a session of no intent: %v", err)
	}
	in.Payload = []byte("?")
	if _, ok, err := chooser.Choose(in, "done"); ok || err != nil {
		t.Errorf("a payload that cannot be read: %v, %v", ok, err)
	}
}
