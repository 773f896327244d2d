package runner

import (
	"bytes"
	"cmp"
	"container/list"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-io/sluice/runner/connector"
)

// What a source has saved stands in partition 0 of the offset topic: a record a key,
// "<connector's UUID>/<key>", with the value {"seq":N,"value":…}. Every transaction
// that saves something has the next sequence number and a head, which says how many
// keys live. A key that has not been written for rewriteAfter transactions is written
// once more, so that all of them stand near the end of the log and are found without
// reading it from its beginning.
const (
	statePartition = 0
	headKey        = ".head"
	topicKey       = ".topic/" // + name: how many partitions a topic had when it was first written to
	rewriteAfter   = 1000
	rewriteAtOnce  = 8 // at least; a hundredth of the keys where that is more
)

// stateHead is the value of the key ".head".
type stateHead struct {
	Live int    `json:"live"` // keys with a value, this one aside
	Name string `json:"name"` // the connector's
	// Config is the connector's configuration topic. Who may write that owns the state:
	// a connector that was taken over or made again on topics that were kept goes on with it.
	Config string `json:"config"`
	// Released: the connector was deleted, its topics were kept.
	Released bool `json:"released,omitempty"`
}

// stateRecord is the value of each record.
type stateRecord struct {
	Seq   int64           `json:"seq"`
	Value json.RawMessage `json:"value"`
}

// topicState is the value of a key ".topic/<name>".
type topicState struct {
	Partitions int32 `json:"partitions"`
}

// sourceState is what stands in the log, as of the last transaction. One goroutine
// changes it.
type sourceState struct {
	uuid   string
	head   stateHead
	seq    int64
	values map[string]*stateValue
	order  *list.List // of *stateValue, the longest unwritten first
	// adopted is the UUID under which the state was found, where that is another one:
	// the first transaction writes all of it anew.
	adopted string
	buried  []string // keys of records that the first transaction removes
}

type stateValue struct {
	key   string
	value []byte
	seq   int64
	place *list.Element
}

// newSourceState is the state of a connector that has saved nothing.
func newSourceState(uuid, name, configTopic string) *sourceState {
	return &sourceState{uuid: uuid, head: stateHead{Name: name, Config: configTopic}, values: map[string]*stateValue{}, order: list.New()}
}

// saved is what the source may see. The values are shared; nobody changes them.
func (s *sourceState) saved() connector.Saved {
	out := make(connector.Saved, len(s.values))
	for key, v := range s.values {
		if !strings.HasPrefix(key, ".") {
			out[key] = v.value
		}
	}
	return out
}

// partitionsOf is how many partitions a topic had when it was first written to; 0 when
// that never happened.
func (s *sourceState) partitionsOf(topic string) int32 {
	v := s.values[topicKey+topic]
	if v == nil {
		return 0
	}
	var t topicState
	if json.Unmarshal(v.value, &t) != nil {
		return 0
	}
	return t.Partitions
}

// stateChange is one transaction's part of the log, not yet part of the state.
type stateChange struct {
	seq     int64
	written []connector.Entry
}

// change makes the records that save entries, and calls write with each. It leaves the
// state as it is: apply follows when they are visible. The last entry of a key counts.
func (s *sourceState) change(entries []connector.Entry, write func(key, value []byte)) stateChange {
	c := stateChange{seq: s.seq + 1}
	last := make(map[string]int, len(entries))
	for i := range entries {
		last[entries[i].Key] = i
	}
	live := len(s.values)
	for i, e := range entries {
		if last[e.Key] != i {
			continue
		}
		old := s.values[e.Key] != nil
		switch {
		case e.Value == nil && !old:
			continue
		case e.Value == nil:
			live--
		case !old:
			live++
		}
		c.written = append(c.written, e)
	}
	rewrites := max(rewriteAtOnce, len(s.values)/100)
	for at := s.order.Front(); at != nil; at = at.Next() {
		v := at.Value.(*stateValue)
		if s.adopted == "" && (rewrites == 0 || v.seq > s.seq-rewriteAfter) {
			break
		}
		if _, named := last[v.key]; !named {
			c.written = append(c.written, connector.Entry{Key: v.key, Value: v.value})
			rewrites--
		}
	}
	for _, e := range c.written {
		s.write(e.Key, e.Value, c.seq, write)
	}
	head := s.head
	head.Live = live
	b, _ := json.Marshal(head) // strings and numbers always marshal
	s.write(headKey, b, c.seq, write)
	if s.adopted != "" {
		for _, key := range append(slices.Collect(maps.Keys(s.values)), headKey) {
			write([]byte(s.adopted+"/"+key), nil)
		}
	}
	for _, key := range s.buried {
		if name, ours := strings.CutPrefix(key, s.uuid+"/"); ours && slices.ContainsFunc(c.written, func(e connector.Entry) bool { return e.Key == name }) {
			continue
		}
		write([]byte(key), nil)
	}
	return c
}

func (s *sourceState) write(key string, value []byte, seq int64, write func(key, value []byte)) {
	k := []byte(s.uuid + "/" + key)
	if value == nil {
		write(k, nil)
		return
	}
	b := make([]byte, 0, len(value)+32)
	b = append(b, `{"seq":`...)
	b = strconv.AppendInt(b, seq, 10)
	b = append(b, `,"value":`...)
	b = append(b, value...)
	b = append(b, '}')
	write(k, b)
}

// apply makes a change part of the state: its transaction took place.
func (s *sourceState) apply(c stateChange) {
	s.seq, s.adopted, s.buried = c.seq, "", nil
	for _, e := range c.written {
		v := s.values[e.Key]
		if e.Value == nil {
			if v != nil {
				s.order.Remove(v.place)
				delete(s.values, e.Key)
			}
			continue
		}
		if v == nil {
			v = &stateValue{key: e.Key}
			v.place = s.order.PushBack(v)
			s.values[e.Key] = v
		}
		if !bytes.Equal(v.value, e.Value) {
			v.value = bytes.Clone(e.Value)
		}
		v.seq = c.seq
		s.order.MoveToBack(v.place)
	}
}

// splitStateKey reads a record's key; ok is false for what is no state.
func splitStateKey(key []byte) (uuid, name string, ok bool) {
	uuid, name, ok = strings.Cut(string(key), "/")
	return uuid, name, ok && uuid != "" && name != ""
}

// mistaken is what a source must never do.
func mistaken(format string, args ...any) error {
	return &connector.WrongError{Err: fmt.Errorf(format, args...), Remedy: "This is a mistake in Sluice; please report it."}
}

// checkKey refuses keys that are not the source's.
func checkKey(key string) error {
	if key == "" || key[0] == '.' {
		return mistaken("the source saves under the key %q, which is not its own", key)
	}
	return nil
}

// checkValues refuses what is no JSON.
func checkValues(entries []connector.Entry) error {
	for _, e := range entries {
		if e.Value != nil && !json.Valid(e.Value) {
			return mistaken("the source saves under %q what is no JSON", e.Key)
		}
	}
	return nil
}

// sortedBySeq lists the values, the longest unwritten first.
func sortedBySeq(values map[string]*stateValue) []*stateValue {
	return slices.SortedFunc(maps.Values(values), func(a, b *stateValue) int {
		return cmp.Or(cmp.Compare(a.seq, b.seq), cmp.Compare(a.key, b.key))
	})
}
