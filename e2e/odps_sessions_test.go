//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/e2e/harness"
	"github.com/sluice-io/sluice/runner"
)

// TestODPSKillPoints kills the program at every step of the intent protocol, among them: after the blocks are closed
// (intent), after the intent is committed (publish), after the session is committed and before the position is
// (publish.done, commit). Every number is in the table once, every record that cannot be converted in the dead-letter
// topic once.
func TestODPSKillPoints(t *testing.T) {
	t.Parallel()
	steps := runner.FaultSteps()
	half := (len(steps) + 1) / 2
	for i, part := range [][]string{steps[:half], steps[half:]} { // two nodes beside each other
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			b := layODPS(t, 3, harness.SluiceOptions{Faults: true})
			k := &killer{bed: b.bed, diverted: map[string]int{}}
			k.c = b.deploy(fmt.Sprintf("odps-killed-%d", i), map[string]string{"flush.size": "40", "flush.interval.ms": "300", "odps.binary": "dlq"})
			k.judge = func() harness.Verdict { return b.odps.JudgeTable(b.ledger, b.table) }
			k.undo = func() { b.end("CANCELED", "NORMAL") }
			k.killAtEach(part)
			k.mustDivertOnce()
		})
	}
}

// end gives every session that is in one of the given states another one.
func (b *odpsBed) end(to string, from ...string) {
	b.t.Helper()
	for _, s := range b.odps.Sessions(from...) {
		b.odps.SetSession(s.ID, to)
	}
}

// overMinutes produces numbers whose times are in three minutes of the past, each time the same, so that a chunk has
// several sessions.
func (b *odpsBed) overMinutes(from, to int64) {
	b.t.Helper()
	b.kafka.Produce(b.ledger, harness.Numbers{Topic: b.topic, Partitions: 3, From: from, To: to, Bytes: 120,
		Time: func(n int64) time.Time { return b.past.Add(time.Duration(n/3%3) * time.Minute) }})
}

// TestODPSSessionsThatEnd: the program dies when its intents are written, and the service ends their sessions in every
// way that it has before the program is back. Every number is in the table once all the same.
func TestODPSSessionsThatEnd(t *testing.T) {
	t.Parallel()
	noCommit := harness.Fault{Operation: "CommitUpload", Status: 503, Code: "ServiceUnavailable"}
	tests := []struct {
		name   string
		faults []harness.Fault
		end    func(b *odpsBed)
	}{
		{"canceled", []harness.Fault{noCommit}, func(b *odpsBed) { b.end("CANCELED", "NORMAL") }},
		{"critical", []harness.Fault{noCommit}, func(b *odpsBed) { b.end("CRITICAL", "NORMAL") }},
		{"expired", []harness.Fault{noCommit}, func(b *odpsBed) { b.end("EXPIRED", "NORMAL") }},
		{"forgotten", []harness.Fault{noCommit}, func(b *odpsBed) { b.end("forget", "NORMAL") }},
		{"forgotten after a commit without an answer", []harness.Fault{
			{Operation: "CommitUpload", Cut: "after"},
			{Operation: "GetUpload", KeyPrefix: harness.ODPSTable, Status: 503, Code: "ServiceUnavailable"},
		}, func(b *odpsBed) { b.end("forget", "NORMAL", "CLOSED") }},
	}
	b := layODPS(t, 3, harness.SluiceOptions{})
	c := b.deploy("odps-ended", map[string]string{"odps.partition": "MINUTE"})
	next := int64(0)
	for _, tt := range tests {
		before := b.kafka.Positions(c.Group(), b.topic)
		b.odps.SetFaults(tt.faults...)
		b.overMinutes(next, next+900)
		next += 900
		b.awaitIntents(c, before)
		b.sluice.Kill9()
		tt.end(b)
		b.odps.SetFaults()
		b.sluice.Start()
		b.sluice.AwaitReady(30 * time.Second)
		c.AwaitDelivered(b.kafka, b.topic, 60*time.Second)
		if v := b.odps.JudgeTable(b.ledger, b.table); !v.OK() {
			t.Fatalf("sessions %s: %s", tt.name, v)
		}
	}
	b.mustDivertNothing(c)
}

// TestODPSOneOfSeveralSessions: of the sessions of one chunk some are committed and one cannot be; the program dies,
// and that one is canceled. Only its rows are written again.
func TestODPSOneOfSeveralSessions(t *testing.T) {
	t.Parallel()
	b := layODPS(t, 3, harness.SluiceOptions{})
	c := b.deploy("odps-several", map[string]string{"odps.partition": "MINUTE", "flush.interval.ms": "2000"})
	b.overMinutes(0, 9)
	b.mustDeliver(c, 60*time.Second)
	one := b.odps.Sessions()[0].Partition
	before := b.kafka.Positions(c.Group(), b.topic)
	b.odps.SetFaults(harness.Fault{Operation: "CommitUpload", KeyPrefix: harness.ODPSTable + "/" + one, Status: 503, Code: "ServiceUnavailable"})
	b.overMinutes(9, 909)
	b.awaitIntents(c, before)
	harness.Eventually(t, 30*time.Second, "the other sessions are committed", func() (bool, string) {
		open := 0
		for _, s := range b.odps.Sessions("NORMAL") {
			if s.Partition != one {
				open++
			}
		}
		return open == 0 && len(b.odps.Sessions("NORMAL")) > 0, fmt.Sprintf("%d are not", open)
	})
	b.sluice.Kill9()
	made := len(b.odps.Sessions())
	b.end("CANCELED", "NORMAL")
	again := len(b.odps.Sessions("CANCELED"))
	b.odps.SetFaults()
	b.sluice.Restart()
	b.mustDeliver(c, 60*time.Second)
	if now := len(b.odps.Sessions()); now < made+again {
		t.Errorf("%d sessions after %d and %d canceled: what was canceled needs new ones", now, made, again)
	}
	b.mustDivertNothing(c)
}

// TestODPSClosing: a session that the service is closing is waited for, without another one beside it.
func TestODPSClosing(t *testing.T) {
	t.Parallel()
	b := layODPS(t, 3, harness.SluiceOptions{})
	c := b.deploy("odps-closing", nil)
	before := b.kafka.Positions(c.Group(), b.topic)
	b.odps.SetFaults(harness.Fault{Operation: "CommitUpload", Status: 503, Code: "ServiceUnavailable"})
	b.produce(0, 300, 3)
	b.awaitIntents(c, before)
	b.end("CLOSING", "NORMAL")
	b.odps.SetFaults()
	made := len(b.odps.Sessions())
	harness.Never(t, 3*time.Second, "something moves while the sessions are closing", func() (bool, string) {
		now := b.kafka.Positions(c.Group(), b.topic)
		return now[0].Offset+now[1].Offset+now[2].Offset > 0 || len(b.odps.Sessions()) > made, fmt.Sprint(now)
	})
	b.end("NORMAL", "CLOSING")
	b.mustDeliver(c, 60*time.Second)
	c.AwaitState(75*time.Second, "RUNNING")
}

// TestODPSAmbiguous: sessions whose end nobody knows, and a table without topic, partition and offset. Each partition
// waits for a person, says what is at stake, and does what was chosen.
func TestODPSAmbiguous(t *testing.T) {
	t.Parallel()
	b := layODPS(t, 3, harness.SluiceOptions{})
	b.table = "numbers"
	b.odps.SQL("CREATE TABLE numbers (n BIGINT, pad STRING) PARTITIONED BY (pt STRING)")
	c := b.deploy("odps-ambiguous", map[string]string{"odps.table": b.table, "odps.mapping": "json"})
	before := b.kafka.Positions(c.Group(), b.topic)
	b.odps.SetFaults(harness.Fault{Operation: "CommitUpload", Status: 503, Code: "ServiceUnavailable"})
	b.produce(0, 300, 3)
	b.awaitIntents(c, before)
	b.sluice.Kill9()
	sessions := b.odps.Sessions("NORMAL")
	b.end("EXPIRED", "NORMAL")
	b.sluice.Restart()

	var choices []harness.Choice
	harness.Eventually(t, 60*time.Second, "each partition asks", func() (bool, string) {
		choices = c.Choices()
		return len(choices) == 3, fmt.Sprintf("%d ask", len(choices))
	})
	mustSay(t, c.AwaitState(30*time.Second, "GAP").Connector.Detail, "session")
	for _, choice := range choices {
		mustOffer(t, choice, sessions)
	}
	// Nothing else can be committed while commits are refused: the position is what was chosen.
	b.choose(c, 1, "done")
	var skipped int64
	harness.Eventually(t, 30*time.Second, "partition 1 goes on behind the intent", func() (bool, string) {
		skipped = b.kafka.Positions(c.Group(), b.topic)[1].Offset
		return skipped > 0, "it does not"
	})
	b.ledger.Forget(b.topic, 1, 0, skipped)
	b.odps.SetFaults()
	b.choose(c, 0, "redo")
	b.choose(c, 2, "stay")
	harness.Never(t, 3*time.Second, "partition 2 moves", func() (bool, string) {
		at := b.kafka.Positions(c.Group(), b.topic)[2].Offset
		return at > 0, fmt.Sprint(at)
	})
	b.choose(c, 2, "redo")
	b.produce(300, 600, 3)
	c.AwaitDelivered(b.kafka, b.topic, 60*time.Second)
	c.AwaitState(75*time.Second, "RUNNING")
	if v := b.odps.JudgeNumbers(b.ledger, b.table); !v.OK() {
		t.Errorf("after the choices: %s", v)
	}
	b.mustDivertNothing(c)
}

// TestODPSChoicesOfSessions: a chunk with three sessions, one of which is committed; nobody knows what became of the
// others. A person answers for one of them, then for what is left; nothing is written twice, nothing else is missing.
func TestODPSChoicesOfSessions(t *testing.T) {
	t.Parallel()
	b := layODPS(t, 3, harness.SluiceOptions{})
	b.table = "numbers"
	b.odps.SQL("CREATE TABLE numbers (n BIGINT, pad STRING) PARTITIONED BY (pt STRING)")
	c := b.deploy("odps-choices", map[string]string{"odps.table": b.table, "odps.mapping": "json", "odps.partition": "MINUTE", "flush.interval.ms": "2000"})
	before := b.kafka.Positions(c.Group(), b.topic)
	b.odps.SetFaults(harness.Fault{Operation: "CommitUpload", Status: 503, Code: "ServiceUnavailable"})
	b.overMinutes(0, 90)
	b.awaitIntents(c, before)
	b.sluice.Kill9()
	minutes := map[string]bool{}
	for _, s := range b.odps.Sessions("NORMAL") {
		minutes[s.Partition] = true
	}
	first := slices.Min(slices.Collect(maps.Keys(minutes)))
	for _, s := range b.odps.Sessions("NORMAL") {
		if s.Partition != first {
			b.odps.SetSession(s.ID, "EXPIRED")
		}
	}
	b.odps.SetFaults()
	b.sluice.Restart()
	offered := func(partition int32, want int) (out []string) {
		t.Helper()
		harness.Eventually(t, 60*time.Second, fmt.Sprintf("partition %d offers %d choices", partition, want), func() (bool, string) {
			out = nil
			for _, open := range c.Choices() {
				for _, o := range open.Options {
					if open.Partition == partition {
						out = append(out, o.Choice)
					}
				}
			}
			return len(out) == want, fmt.Sprint(out)
		})
		return out
	}
	options := offered(0, 7) // done, redo, each of two sessions, stay
	_, session, _ := strings.Cut(options[2], ":")
	var at string
	for _, s := range b.odps.Sessions() {
		if s.ID == session {
			at = s.Partition
		}
	}
	minute := slices.Index(slices.Sorted(maps.Keys(minutes)), at)
	b.choose(c, 0, "done:"+session) // which is not true: its rows are given up
	for offset := int64(minute); offset < 30; offset += 3 {
		b.ledger.Forget(b.topic, 0, offset, offset+1)
	}
	offered(0, 3)
	for partition := range int32(3) {
		b.choose(c, partition, "redo")
	}
	b.overMinutes(90, 180)
	c.AwaitDelivered(b.kafka, b.topic, 60*time.Second)
	c.AwaitState(75*time.Second, "RUNNING")
	if v := b.odps.JudgeNumbers(b.ledger, b.table); !v.OK() {
		t.Errorf("after the choices: %s", v)
	}
	b.mustDivertNothing(c)
}

// choose decides when the partition can take it: a task joins its group anew after each choice.
func (b *odpsBed) choose(c *harness.Connector, partition int32, choice string) {
	b.t.Helper()
	harness.Eventually(b.t, 30*time.Second, fmt.Sprintf("partition %d asks", partition), func() (bool, string) {
		for _, open := range c.Choices() {
			if open.Partition == partition {
				return true, ""
			}
		}
		return false, "it does not"
	})
	c.Choose(b.topic, partition, choice, nil)
}

// mustOffer requires the choices done, redo and stay, each with a title and a risk, and a session by its name.
func mustOffer(t *testing.T, choice harness.Choice, sessions []harness.ODPSSession) {
	t.Helper()
	var offered []string
	for _, o := range choice.Options {
		offered = append(offered, o.Choice)
		if o.Title == "" || o.Risk == "" {
			t.Errorf("partition %d: choice %q has no title or no risk", choice.Partition, o.Choice)
		}
	}
	if got := strings.Join(offered, " "); got != "done redo stay" {
		t.Errorf("partition %d offers %q, want done, redo and stay", choice.Partition, got)
	}
	for _, s := range sessions {
		if strings.Contains(fmt.Sprint(choice.Lost), s.ID) {
			return
		}
	}
	t.Errorf("partition %d names none of the sessions: %v", choice.Partition, choice.Lost)
}
