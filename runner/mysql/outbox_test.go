package mysql

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/record"
)

// rec is one record of a fact.
type rec struct {
	topic     string
	partition int32
	key       string
	plainRow
	headers map[string]string
	bytes   int
}

// outbox is an Outlet that keeps facts, and what they add up to.
type outbox struct {
	t        *testing.T
	mu       sync.Mutex
	open     []rec
	bytes    int64
	facts    [][]rec
	saved    connector.Saved
	content  map[string]map[string]string // topic, key, row
	bag      map[string]map[string]int    // topic of a table without key, row, how often
	counts   map[string]int               // topic/op
	sequence uint64
	aways    []error
	logs     []string
	progress []connector.Progress
	ahead    int64
	onMark   func() error // after what is marked is visible
	limit    int          // of a value; 0 is none
	diverted int
	drop     bool // keep no facts: only count
}

func newOutbox(t *testing.T) *outbox {
	return &outbox{t: t, saved: connector.Saved{}, content: map[string]map[string]string{}, bag: map[string]map[string]int{}, counts: map[string]int{}}
}

func (o *outbox) Write(r *connector.Outgoing) error {
	if o.limit > 0 && len(r.Value) > o.limit {
		return &connector.RecordError{Stage: connector.StageTaskPut, Code: "oversize", Err: errors.New("too large")}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.bytes += int64(len(r.Key) + len(r.Value) + 64)
	if o.drop {
		o.counts[r.Topic]++
		return nil
	}
	w := rec{topic: r.Topic, partition: r.Partition, key: string(r.Key), headers: map[string]string{}, bytes: len(r.Value)}
	var err error
	if w.plainRow, err = parsePlain(r.Value); err != nil {
		return err
	}
	for _, h := range r.Headers {
		w.headers[h.Key] = string(h.Value)
	}
	o.open = append(o.open, w)
	return nil
}

func (o *outbox) Divert(*connector.Outgoing, *connector.RecordError) error { o.diverted++; return nil }

func (o *outbox) Tag(headers ...record.Header) {
	for _, w := range o.open {
		for _, h := range headers {
			w.headers[h.Key] = string(h.Value)
		}
	}
}

func (o *outbox) Drop() { o.open, o.bytes = nil, 0 }

func (o *outbox) Unmarked() int64 { return o.bytes }

func (o *outbox) Mark(ctx context.Context, entries ...connector.Entry) error {
	o.mu.Lock()
	for _, e := range entries {
		if e.Value == nil {
			delete(o.saved, e.Key)
			continue
		}
		if !json.Valid(e.Value) {
			o.t.Errorf("%s is no JSON: %s", e.Key, e.Value)
		}
		o.saved[e.Key] = slices.Clone(e.Value)
	}
	for _, w := range o.open {
		o.apply(w)
	}
	if len(o.open) > 0 {
		o.facts = append(o.facts, o.open)
	}
	o.open, o.bytes = nil, 0
	hook := o.onMark
	o.mu.Unlock()
	if hook != nil {
		if err := hook(); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// apply does what a reader of the topics would.
func (o *outbox) apply(w rec) {
	o.counts[w.topic+"/"+w.Op]++
	if w.Seq < o.sequence {
		o.t.Errorf("sequence went back from %d to %d", o.sequence, w.Seq)
	}
	o.sequence = w.Seq
	if o.content[w.topic] == nil {
		o.content[w.topic], o.bag[w.topic] = map[string]string{}, map[string]int{}
	}
	switch w.Op {
	case "insert":
		if w.key == "" {
			o.bag[w.topic][w.Row]++
			return
		}
		o.content[w.topic][w.key] = w.Row
	case "delete":
		if w.key == "" {
			o.bag[w.topic][w.Row]--
			if o.bag[w.topic][w.Row] < 0 {
				o.t.Errorf("%s: a row was deleted that nobody inserted: %s", w.topic, w.Row)
			}
			return
		}
		delete(o.content[w.topic], w.key)
	case "TRUNCATE", "ERASE":
		clear(o.content[w.topic])
		clear(o.bag[w.topic])
	}
}

func (o *outbox) Flush(context.Context) error { return nil }
func (o *outbox) Away(err error) {
	if err != nil {
		o.mu.Lock()
		o.aways = append(o.aways, err)
		o.mu.Unlock()
	}
}
func (o *outbox) Progress(p []connector.Progress) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.progress = p
	for _, part := range p {
		if part.Phase == stateWaiting {
			o.ahead = max(o.ahead, part.Total)
		}
	}
}

// rowsAhead is the largest count of rows that a table which waited for its copy was shown with.
func (o *outbox) rowsAhead() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ahead
}

func (o *outbox) progressed() []connector.Progress {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.progress
}
func (o *outbox) Behind(time.Duration) {}
func (o *outbox) Log(_ slog.Level, m string, f map[string]string) {
	o.mu.Lock()
	o.logs = append(o.logs, fmt.Sprint(m, f))
	o.mu.Unlock()
}

func (o *outbox) position() position {
	o.mu.Lock()
	defer o.mu.Unlock()
	p, _ := readPosition(o.saved)
	if p == nil {
		return position{}
	}
	return *p
}

// rowsOf are the rows that the facts add up to, as texts.
func (o *outbox) rowsOf(topic string) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []string
	for _, r := range o.content[topic] {
		out = append(out, r)
	}
	for text, n := range o.bag[topic] {
		for range n {
			out = append(out, text)
		}
	}
	slices.Sort(out)
	return out
}

func (o *outbox) count(key string) int { o.mu.Lock(); defer o.mu.Unlock(); return o.counts[key] }

// ops are what the records of a topic say, in order.
func (o *outbox) ops(topic string) (out []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, f := range o.facts {
		for _, w := range f {
			if w.topic == topic {
				out = append(out, w.Op)
			}
		}
	}
	return out
}
