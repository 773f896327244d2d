package runnertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/record"
)

// ScriptClass is the connector.class of ScriptSpec.
const ScriptClass = "SCRIPT2KAFKA"

// Script is an outside system that a ScriptSource reads: a list of facts that grows. It
// outlives the source.
type Script struct {
	mu      sync.Mutex
	facts   []Fact
	grown   chan struct{}
	before  func(n int) error // asked before the nth fact is written
	opened  int
	starts  []connector.Start
	last    *ScriptSource
	asked   []string
	gapOnce *connector.GapError
}

// Fact is what must become visible together.
type Fact struct {
	Records []connector.Outgoing
	Divert  *connector.RecordError // the last record goes aside, with this
	Keys    []connector.Entry      // beside the position
	Tags    []record.Header
}

// NewScript makes an empty one.
func NewScript() *Script { return &Script{grown: make(chan struct{})} }

// Add appends facts.
func (s *Script) Add(facts ...Fact) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.facts = append(s.facts, facts...)
	close(s.grown)
	s.grown = make(chan struct{})
}

// Numbers appends facts numbered from to below next. Each has records of one number to the
// topic, keyed by it modulo keys, so that order can be told.
func (s *Script) Numbers(topic string, from, next, records, keys int) {
	facts := make([]Fact, 0, next-from)
	for n := from; n < next; n++ {
		var f Fact
		for i := range records {
			f.Records = append(f.Records, connector.Outgoing{Topic: topic, Partition: -1, Key: fmt.Appendf(nil, "k%d", n%keys), Value: fmt.Appendf(nil, "%d/%d", n, i)})
		}
		facts = append(facts, f)
	}
	s.Add(facts...)
}

// Before is asked before each fact is written, with its number; an error ends Run.
func (s *Script) Before(f func(n int) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = f
}

// Gap makes the next Run end with a gap; the choice then moves the position to the
// script's end ("now") or its beginning ("snapshot").
func (s *Script) Gap(g *connector.GapError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gapOnce = g
}

// Starts are the starts of all runs so far.
func (s *Script) Starts() []connector.Start {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]connector.Start{}, s.starts...)
}

// Asked are the parts for which Snapshot was called.
func (s *Script) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.asked...)
}

func (s *Script) next(n int) (f Fact, ok bool, grown <-chan struct{}, before func(int) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n < len(s.facts) {
		f, ok = s.facts[n], true
	}
	return f, ok, s.grown, s.before
}

// ScriptSpec is a source that reads s.
func ScriptSpec(s *Script) *connector.Spec {
	topic := func(key, prefix string) connector.Field {
		return connector.Field{Key: key, Label: key, Kind: connector.String, Default: connector.FromName(prefix, ""), Fixed: connector.FixedAfterDelivery}
	}
	return &connector.Spec{
		Class: ScriptClass, Title: "script → Message Queue for Apache Kafka", Version: "1", EncoderVersion: 1, Kind: connector.KindSource,
		Steps: []connector.Step{{ID: connector.StepBasic, Title: "Basic Information", Fields: []connector.Field{
			{Key: connector.KeyName, Label: "Name", Kind: connector.String, Required: true, Fixed: connector.FixedAlways},
			{Key: connector.KeyClass, Label: "Class", Kind: connector.String, Required: true, Fixed: connector.FixedAlways},
			{Key: connector.KeyInternetAccess, Label: "Internet", Kind: connector.Bool, Default: connector.Const("false")},
			{Key: connector.KeyResourcesMode, Label: "Mode", Kind: connector.Enum, Default: connector.Const(connector.ModeAutomatic),
				Options: []connector.Option{{Value: connector.ModeAutomatic}, {Value: connector.ModeManual}}},
			topic(connector.KeyOffsetTopic, "connect-offset-"), topic(connector.KeyConfigTopic, "connect-config-"), topic(connector.KeyStatusTopic, "connect-status-"),
			topic(connector.KeyDeadLetter, "connect-error-"), topic(connector.KeyAbnormal, "connect-error-"),
		}}},
		NewSource: func(context.Context, connector.Config, connector.Deps) (connector.Source, error) {
			return s.Source(), nil
		},
		Positions: &connector.Positions{Show: showScript, Set: setScript},
	}
}

func showScript(_ connector.Config, saved connector.Saved) ([]connector.SourcePosition, error) {
	if saved["position"] == nil {
		return nil, nil
	}
	var at any
	if err := json.Unmarshal(saved["position"], &at); err != nil {
		return nil, err
	}
	return []connector.SourcePosition{{Partition: map[string]any{"script": "1"}, Offset: map[string]any{"fact": at}}}, nil
}

func setScript(_ connector.Config, _ connector.Saved, to []connector.SourcePosition) ([]connector.Entry, error) {
	var out []connector.Entry
	for i, p := range to {
		if p.Offset == nil {
			out = append(out, connector.Entry{Key: "position"})
			continue
		}
		n, ok := p.Offset["fact"].(float64)
		if !ok {
			return nil, connector.FieldError{Field: fmt.Sprintf("offsets[%d]", i), Message: "fact must be a number."}
		}
		out = append(out, connector.Entry{Key: "position", Value: strconv.AppendInt(nil, int64(n), 10)})
	}
	return out, nil
}

// ScriptSource reads a Script from its saved position on.
type ScriptSource struct{ s *Script }

var (
	_ connector.Source      = (*ScriptSource)(nil)
	_ connector.Snapshotter = (*ScriptSource)(nil)
)

// Source opens another one.
func (s *Script) Source() *ScriptSource {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened++
	s.last = &ScriptSource{s}
	return s.last
}

// Run implements connector.Source.
func (r *ScriptSource) Run(ctx context.Context, start connector.Start, out connector.Outlet) error {
	n, err := r.begin(start)
	if err != nil {
		return err
	}
	if start.Choice != "" { // what it means is settled at once
		_, _, _, before := r.s.next(n)
		if before != nil {
			if err := before(n); err != nil {
				return err
			}
		}
		if err := out.Mark(ctx, connector.Entry{Key: "position", Value: strconv.AppendInt(nil, int64(n), 10)}); err != nil {
			return err
		}
	}
	for {
		fact, ok, grown, before := r.s.next(n)
		if !ok {
			out.Behind(0)
			select {
			case <-grown:
				continue
			case <-ctx.Done():
				return nil
			}
		}
		if before != nil {
			if err := before(n); err != nil {
				return err
			}
		}
		if ctx.Err() != nil {
			return nil
		}
		out.Behind(time.Millisecond)
		for i := range fact.Records {
			rec := fact.Records[i]
			if fact.Divert != nil && i == len(fact.Records)-1 {
				err = out.Divert(&rec, fact.Divert)
			} else {
				err = out.Write(&rec)
			}
			if err != nil {
				return err
			}
		}
		if len(fact.Tags) > 0 {
			out.Tag(fact.Tags...)
		}
		n++
		entries := append([]connector.Entry{{Key: "position", Value: strconv.AppendInt(nil, int64(n), 10)}}, fact.Keys...)
		if err := out.Mark(ctx, entries...); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		out.Progress([]connector.Progress{{Name: "script", Phase: "streaming", Done: int64(n), Unit: "facts"}})
	}
}

// begin finds the first fact.
func (r *ScriptSource) begin(start connector.Start) (int, error) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.s.starts = append(r.s.starts, start)
	switch start.Choice {
	case connector.ChoiceNow:
		return len(r.s.facts), nil
	case connector.ChoiceSnapshot:
		return 0, nil
	}
	if g := r.s.gapOnce; g != nil {
		r.s.gapOnce = nil
		return 0, g
	}
	saved := start.Saved["position"]
	if saved == nil {
		return 0, nil
	}
	n, err := strconv.Atoi(string(saved))
	if err != nil {
		return 0, fmt.Errorf("reading the saved position %q: %w", saved, err)
	}
	return n, nil
}

// Snapshot implements connector.Snapshotter.
func (r *ScriptSource) Snapshot(_ context.Context, parts []string) error {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	for _, p := range parts {
		if p == "unknown" {
			return connector.FieldError{Field: "tables", Message: "There is no such table."}
		}
	}
	r.s.asked = append(r.s.asked, parts...)
	return nil
}

// Close implements connector.Source.
func (r *ScriptSource) Close() error { return nil }

// ErrScript is an error of nobody's class, for Before.
var ErrScript = errors.New("the script's system is away")
