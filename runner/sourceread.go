package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
)

const (
	// firstWindow is how many offsets before the end of the log are read first; each
	// further window is twice as long.
	firstWindow = 64
	// statePageBytes and statePageWait are of one fetch.
	statePageBytes = 1 << 20
	statePageWait  = 200 * time.Millisecond
	// markerPatience is how long the end of our own aborted transaction may take to
	// become stable before it is said that something holds it up.
	markerPatience = 5 * time.Second
)

// errNoState: the log holds no state.
var errNoState = errors.New("no position is in the offset topic")

// damagedState: the log holds a state of which keys are missing.
type damagedState struct{ found *foundState }

func (e *damagedState) Error() string {
	return fmt.Sprintf("of %d saved values only %d are still in the offset topic", e.found.head.Live, e.found.live())
}

// stateLog is the partition that holds a connector's state.
type stateLog struct {
	tp      kafka.TP
	offsets taskOffsets
	reader  taskReader
	// stuck is told what holds the log's end up, and with "" that nothing does.
	stuck func(cause, remedy string)
}

// end waits until everything that was written before is decided, and returns the
// log's bounds: after InitProducerId what this producer had left open is aborted, but
// the marker may still be on its way, and a transaction of somebody else hides what
// was committed behind it.
func (l *stateLog) end(ctx context.Context) (kafka.Watermarks, error) {
	began := time.Now()
	target := int64(-1)
	for pause := 2 * time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		var marks map[kafka.TP]kafka.Watermarks
		err := untilKnown(ctx, func() (err error) { marks, err = l.offsets.Watermarks(ctx, l.tp); return err })
		if errors.Is(err, kafka.ErrNoTopic) {
			return kafka.Watermarks{}, &connector.WrongError{Field: connector.KeyOffsetTopic, Err: fmt.Errorf("the task offset topic %s does not exist", l.tp.Topic),
				Remedy: "Make the topic again (more than one partition, cleanup.policy=compact) and resume; you are then asked where to go on."}
		}
		if err != nil {
			return kafka.Watermarks{}, fmt.Errorf("reading the bounds of %s/%d: %w", l.tp.Topic, l.tp.Partition, err)
		}
		w := marks[l.tp]
		if target < 0 {
			target = w.End
		}
		if w.LSO >= target {
			if time.Since(began) > markerPatience {
				l.stuck("", "")
			}
			return w, nil
		}
		if time.Since(began) > markerPatience {
			l.stuck(fmt.Sprintf("A transaction that began at offset %d of %s/%d is open and hides the position behind it.", w.LSO, l.tp.Topic, l.tp.Partition),
				fmt.Sprintf("It ends by itself at its producer's timeout. To end it now: kafka-transactions.sh --bootstrap-server … abort --topic %s --partition %d --start-offset %d", l.tp.Topic, l.tp.Partition, w.LSO))
		}
		if !wait(ctx, pause) {
			return kafka.Watermarks{}, context.Cause(ctx)
		}
	}
}

// foundState is what a search has found, by UUID.
type foundState struct {
	uuid   string
	head   stateHead
	seq    int64
	values map[string]stateFound
	others []stateHead // of other connectors, as far as was read
}

type stateFound struct {
	seq   int64
	value []byte // nil: removed
}

// read searches backwards from the end, in windows that double, until every key of the
// newest state is found. errNoState, a *damagedState.
func (l *stateLog) read(ctx context.Context) (*foundState, error) {
	w, err := l.end(ctx)
	if err != nil {
		return nil, err
	}
	all := map[string]map[string]stateFound{}
	newest := ""
	for end, size := w.LSO, int64(firstWindow); end > w.Start; size *= 2 {
		begin := max(end-size, w.Start)
		window, last, err := l.window(ctx, begin, end)
		if err != nil {
			return nil, err
		}
		if newest == "" {
			newest = last
		}
		for uuid, keys := range window {
			if all[uuid] == nil {
				all[uuid] = map[string]stateFound{}
			}
			for key, v := range keys {
				// What stands nearer to the end is newer; of two values the highest sequence wins.
				if old, ok := all[uuid][key]; !ok || old.value != nil && v.seq > old.seq {
					all[uuid][key] = v
				}
			}
		}
		if newest != "" {
			if found, err := complete(newest, all[newest]); found != nil || err != nil {
				return found.beside(all), err
			}
		}
		end = begin
	}
	if newest == "" {
		return nil, errNoState
	}
	f, err := headOf(newest, all[newest])
	if err != nil {
		return nil, err
	}
	return nil, &damagedState{f.beside(all)}
}

// window reads the records in [begin, end): of each key the last one. newest is the UUID of
// the last head.
func (l *stateLog) window(ctx context.Context, begin, end int64) (keys map[string]map[string]stateFound, newest string, err error) {
	keys = map[string]map[string]stateFound{}
	for at := begin; at < end; {
		page, err := l.reader.Fetch(ctx, l.tp, at, statePageBytes, statePageWait)
		if err != nil {
			return nil, "", fmt.Errorf("reading the position: %w", err)
		}
		for i := range page.Records {
			r := &page.Records[i]
			if r.Offset >= end {
				break
			}
			uuid, key, ok := splitStateKey(r.Key)
			if !ok {
				continue
			}
			var v stateFound
			if r.Value != nil {
				var rec stateRecord
				if json.Unmarshal(r.Value, &rec) != nil || rec.Seq <= 0 {
					continue // not ours: a mirrored position of a sink, for example
				}
				v = stateFound{seq: rec.Seq, value: rec.Value}
			}
			if keys[uuid] == nil {
				keys[uuid] = map[string]stateFound{}
			}
			keys[uuid][key] = v
			if key == headKey && r.Value != nil {
				newest = uuid
			}
		}
		if page.Next <= at {
			if page.LSO > at {
				continue // the broker had nothing yet of what it has
			}
			return nil, "", fmt.Errorf("the log of %s/%d ends at %d, before the %d that it had", l.tp.Topic, l.tp.Partition, page.LSO, end)
		}
		at = page.Next
	}
	return keys, newest, nil
}

func headOf(uuid string, keys map[string]stateFound) (*foundState, error) {
	f := &foundState{uuid: uuid, values: keys, seq: keys[headKey].seq}
	if err := json.Unmarshal(keys[headKey].value, &f.head); err != nil {
		return nil, fmt.Errorf("reading the head of the state %s: %w", uuid, err)
	}
	return f, nil
}

// complete returns the state when all its living keys were found.
func complete(uuid string, keys map[string]stateFound) (*foundState, error) {
	f, err := headOf(uuid, keys)
	if err != nil || f.live() < f.head.Live {
		return nil, err
	}
	return f, nil
}

// beside notes whose states stand in the log beside this one.
func (f *foundState) beside(all map[string]map[string]stateFound) *foundState {
	if f == nil {
		return nil
	}
	for uuid, keys := range all {
		if uuid == f.uuid || keys[headKey].value == nil {
			continue
		}
		if other, err := headOf(uuid, keys); err == nil {
			f.others = append(f.others, other.head)
		}
	}
	return f
}

func (f *foundState) live() int {
	n := 0
	for key, v := range f.values {
		if key != headKey && v.value != nil {
			n++
		}
	}
	return n
}

// anew is a state that begins again with nothing saved, in place of a damaged one, of one
// that is not to be believed, or of none. What is left of that is removed from the log with the first
// transaction.
func anew(o *sourceOptions, instead *foundState, atLeast int64) *sourceState {
	s := newSourceState(o.Connector.UUID, o.Connector.Name, o.ConfigTopic)
	s.seq = atLeast
	if instead != nil {
		s.seq = max(s.seq, instead.seq)
		for key, v := range instead.values {
			if v.value != nil && (key != headKey || instead.uuid != s.uuid) {
				s.buried = append(s.buried, instead.uuid+"/"+key)
			}
		}
	}
	return s
}

// found is what a search for s would find.
func (s *sourceState) found() *foundState {
	f := &foundState{uuid: s.uuid, head: s.head, seq: s.seq, values: map[string]stateFound{}}
	for key, v := range s.values {
		f.values[key] = stateFound{v.seq, v.value}
	}
	return f
}

// stateOf makes what was found the state of the connector named uuid. A state of another
// connector is refused unless it was written under the same configuration topic, which
// this connector owns now.
func stateOf(f *foundState, uuid, name, offsetTopic, configTopic string) (*sourceState, error) {
	for _, head := range append([]stateHead{f.head}, f.others...) {
		if head.Config != configTopic && !head.Released {
			return nil, &connector.WrongError{Field: connector.KeyOffsetTopic,
				Err:    fmt.Errorf("the task offset topic %s holds the position of another connector, %s", offsetTopic, head.Name),
				Remedy: "Name an offset topic that no other connector uses."}
		}
	}
	if f.head.Config != configTopic {
		return nil, errNoState // left behind by a deleted connector of another name
	}
	s := newSourceState(uuid, name, configTopic)
	if f.uuid != uuid {
		s.adopted = f.uuid
	}
	s.seq = f.seq
	for key, v := range f.values {
		if key == headKey || v.value == nil {
			continue
		}
		e := &stateValue{key: key, value: v.value, seq: v.seq}
		s.values[key] = e
	}
	for _, e := range sortedBySeq(s.values) {
		e.place = s.order.PushBack(e)
	}
	return s, nil
}
