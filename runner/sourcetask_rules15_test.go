package runner

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
	"github.com/sluice-io/sluice/runner/record"
	"github.com/sluice-io/sluice/runner/runnertest"
)

// A position that is lost, in whole or in part, or that went back, is a gap.
func TestRule15LostPosition(t *testing.T) {
	for name, lose := range map[string]func(*sourceBed){
		"all": func(b *sourceBed) {
			w, _ := b.cluster.marks(kafka.TP{Topic: simOffsetTopic})
			b.cluster.truncate(simOffsetTopic, 0, w.End)
		},
		"a key": func(b *sourceBed) {
			t := b.cluster.topics[simOffsetTopic]
			t.logs[0] = slices.DeleteFunc(t.logs[0], func(r simRecord) bool { return strings.HasSuffix(string(r.Key), "/position") })
		},
		"the last transactions": func(b *sourceBed) {
			t := b.cluster.topics[simOffsetTopic]
			t.logs[0] = t.logs[0][:len(t.logs[0])-4]
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newSourceBed(t)
			r := b.start()
			b.script.Add(runnertest.Fact{Keys: []connector.Entry{{Key: "table/x", Value: []byte("1")}}})
			for n := range 5 {
				b.script.Numbers("out", n, n+1, 1, 3)
				b.exactly(n+1, 1)
			}
			r.stop()
			b.noted = r.task.sequence.Load()
			lose(b)
			r = b.start()
			r.state(connector.StateGap)
			var offered []string
			for _, c := range r.task.Status().Partitions[0].Choices {
				offered = append(offered, c.Choice)
			}
			if !slices.Equal(offered, []string{"snapshot", "now", "stay"}) {
				t.Errorf("offered %v", offered)
			}
			if err := r.task.Choose(t.Context(), kafka.TP{}, "now", -1); err != nil {
				t.Fatal(err)
			}
			b.until("the next start", func() bool { return len(b.script.Starts()) == 2 })
			if s := b.script.Starts()[1]; len(s.Saved) != 0 || s.Choice != "now" {
				t.Errorf("%+v", s)
			}
			b.script.Numbers("out", 5, 8, 1, 3)
			b.exactly(8, 1)
			r.stop()
			b.script.Numbers("out", 8, 9, 1, 3)
			b.start()
			b.exactly(9, 1)
			if s := b.script.Starts()[2]; len(s.Saved) != 1 || s.Choice != "" {
				t.Errorf("what was lost is there again: %+v", s)
			}
		})
	}
}

// The position is found near the end however long the log is, keys that never change too,
// and the highest sequence counts.
func TestRule15SearchIsBounded(t *testing.T) {
	b := newSourceBed(t)
	r := b.start()
	keys := []connector.Entry{}
	for i := range 40 {
		keys = append(keys, connector.Entry{Key: fmt.Sprintf("table/%d", i), Value: []byte(`{"done":true}`)})
	}
	b.script.Add(runnertest.Fact{Keys: keys})
	const facts = 5000
	next := 0
	b.script.Before(func(int) error { // one transaction a fact
		next++
		return nil
	})
	o := b.options(r.leads)
	b.until("the first keys", func() bool { return r.task.sequence.Load() > 0 })
	r.stop()
	stream := must1(b.cluster.stream(t.Context(), streamOptions{id: transactionalID(simOffsetTopic, "c"), step: func(string) error { return nil }}))
	c := &sourceClients{stream: stream, offsets: simOffsets{b.cluster}, reader: &countingReader{simReader: simReader{b.cluster}}}
	state := must1(c.load(t.Context(), &o, func(string, string) {}))
	for i := range facts {
		if err := commitState(t.Context(), stream, &o, state, []connector.Entry{{Key: "position", Value: strconv.AppendInt(nil, int64(i), 10)}}); err != nil {
			t.Fatal(err)
		}
	}
	reader := &countingReader{simReader: simReader{b.cluster}}
	c.reader = reader
	found := must1(c.load(t.Context(), &o, func(string, string) {}))
	if len(found.saved()) != 41 || string(found.saved()["position"]) != strconv.Itoa(facts-1) || found.seq != state.seq {
		t.Errorf("%d keys, position %s, sequence %d", len(found.saved()), found.saved()["position"], found.seq)
	}
	w, _ := b.cluster.marks(kafka.TP{Topic: simOffsetTopic})
	if reader.read > 3*rewriteAfter*2 || w.End < 2*facts {
		t.Errorf("%d of %d offsets were read", reader.read, w.End)
	}
}

type countingReader struct {
	simReader
	read int64
}

func (r *countingReader) Fetch(ctx context.Context, tp kafka.TP, offset int64, maxBytes int32, wait time.Duration) (kafka.Page, error) {
	p, err := r.simReader.Fetch(ctx, tp, offset, maxBytes, wait)
	r.read += p.Next - offset
	return p, err
}

// An open transaction of somebody else hides the position: it is named, with the remedy,
// and waited for.
func TestRule15HangingTransaction(t *testing.T) {
	b := newSourceBed(t)
	b.script.Numbers("out", 0, 5, 1, 3)
	before := b.start()
	b.exactly(5, 1)
	before.stop()
	hanging := &simTxn{}
	b.cluster.mu.Lock()
	b.cluster.add(kafka.TP{Topic: simOffsetTopic}, record.Record{Key: []byte("x")}, hanging)
	b.cluster.mu.Unlock()
	at := time.Now()
	r := b.start()
	b.until("the cause", func() bool {
		st := r.task.Status()
		return st.State == connector.StateRecovering && strings.Contains(st.Remedy, "kafka-transactions.sh") && strings.Contains(st.Cause, simOffsetTopic)
	})
	if d := time.Since(at); d < markerPatience {
		t.Errorf("named after %v", d)
	}
	b.cluster.mu.Lock()
	hanging.decided = true
	b.cluster.mu.Unlock()
	b.script.Numbers("out", 5, 10, 1, 3)
	b.exactly(10, 1)
	r.state(connector.StateRunning)
}

// An offset topic that another connector uses is refused; one that the same configuration
// topic's owner left is taken over.
func TestRule15AnothersOffsetTopic(t *testing.T) {
	b := newSourceBed(t)
	b.script.Numbers("out", 0, 5, 1, 3)
	first := b.start()
	b.exactly(5, 1)
	b.change = func(o *sourceOptions) {
		o.Connector.UUID, o.Connector.Name, o.ConfigTopic = "other", "d", "connect-config-d"
	}
	r := b.start()
	<-r.done
	if st := r.task.Status(); st.State != connector.StateFailed || st.Field != connector.KeyOffsetTopic || !strings.Contains(st.Cause, "another connector, c") {
		t.Errorf("%+v", st.Status)
	}
	first.stop()
	b.change = func(o *sourceOptions) { o.Connector.UUID = "heir" }
	b.script.Numbers("out", 5, 10, 1, 3)
	heir := b.start()
	b.exactly(10, 1)
	heir.stop()
	b.start()
	b.script.Numbers("out", 10, 15, 1, 3)
	b.exactly(15, 1)
	last := map[string]string{}
	for _, r := range b.cluster.visible(simOffsetTopic, 0) {
		last[string(r.Key)] = string(r.Value)
	}
	if last["uuid/position"] != "" || last["uuid/.head"] != "" || !strings.Contains(last["heir/position"], `"value":15`) {
		t.Errorf("the log holds %v", last)
	}
}
