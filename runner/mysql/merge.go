package mysql

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"

	"github.com/sluice-io/sluice/runner/mysql/format"
	"github.com/sluice-io/sluice/runner/mysql/row"
)

// Copy and stream are merged by the reader, chunk by chunk of a table's primary key:
//
//   - The copier announces a chunk and waits until the reader, between two transactions,
//     says how far the stream is (the chunk's mark). It reads the rows above the last
//     chunk's last key only when all up to the mark is visible to a SELECT.
//   - From the mark on, the reader folds changes of rows above that key into the chunk:
//     the last state of each row that changed.
//   - With the rows comes the place where the log ended after they were read. What can be
//     seen in them is not behind it. When the stream has reached it, the rows are written
//     in the state of that moment: as they were read, or as the fold has them.
//   - Then the chunk's last key is the table's frontier, saved with the rows and the
//     position in one Mark. Changes at or below the frontier are sent, changes above it
//     are left out: a chunk to come has them.
//
// Why this is exact: a row that did not change between mark and writing looks in the
// SELECT as it does now, for the SELECT saw all up to the mark and nothing behind the
// moment of writing; of a row that did change the fold has the last state.

const (
	// heldBytes is what chunks that wait for the stream may hold before the next is begun.
	heldBytes = 12 << 20
	// chunkFact is about how much of a chunk is written between two Marks.
	chunkFact = 4 << 20
)

// merge is what the reader knows of the copy at work.
type merge struct {
	job  *copyJob
	held []*chunk  // read, in order, waiting for the stream
	open *chunk    // being read: its end is not known yet
	ask  *announce // waits for its turn
	view *chunk    // a table that is copied as one view: its first part, waiting for the stream
}

func (m *merge) reset() {
	if m.job != nil {
		m.job.cancel()
	}
	*m = merge{}
}

func (m *merge) heldBytes() (n int64) {
	for _, c := range m.held {
		n += c.bytes
	}
	return n
}

// fold is the last state of a row that changed while its chunk waited.
type fold struct {
	key    []row.Value // of the primary key's columns
	after  row.Row     // nil: deleted
	def    *row.Table
	origin format.Origin
}

// settle does what can be done between two transactions: write chunks that the stream
// has reached, answer the copier, begin with the next table.
func (r *reader) settle(ctx context.Context) error {
	if r.group.active {
		return nil
	}
	for _, q := range r.later {
		r.later = r.later[1:]
		if err := r.onRequest(ctx, q); err != nil {
			return err
		}
	}
	m := &r.merge
	if m.ask != nil && !m.ask.job.view { // the next chunk is read while the last ones are written
		if err := r.answer(ctx); err != nil {
			return err
		}
	}
	for len(m.held) > 0 && r.reached(m.held[0].reach) {
		c := m.held[0]
		m.held = m.held[1:]
		if err := r.writeChunk(ctx, c); err != nil {
			return err
		}
	}
	if err := r.viewReached(ctx, r.done.at); err != nil {
		return err
	}
	if m.job == nil {
		if err := r.nextJob(ctx); err != nil {
			return err
		}
	}
	return r.answer(ctx)
}

// answer tells the copier how far the stream is, when it waits for that. A transaction of
// which a part is visible is finished first: of its rows that were left out nobody could
// say whether a SELECT sees them.
func (r *reader) answer(ctx context.Context) error {
	m := &r.merge
	if m.ask == nil || m.open != nil || r.done.partial != nil || m.heldBytes() >= heldBytes {
		return nil
	}
	a := m.ask
	m.ask = nil
	m.open = &chunk{job: a.job, after: a.after}
	a.mark <- mark{gtid: r.done.textOfGTID(), at: r.done.at}
	if a.job.view {
		return r.awaitView(ctx)
	}
	return nil
}

// reached tells whether the stream has done all up to a place.
func (r *reader) reached(p filePos) bool { return r.done.at.compare(p) >= 0 }

// nextJob has the copier begin with the next table that is to be copied.
func (r *reader) nextJob(ctx context.Context) error {
	for _, state := range []string{stateCopying, stateWaiting} {
		for _, name := range r.names {
			t := r.tables[name]
			if t.state.State != state {
				continue
			}
			if err := r.startCopy(ctx, t); err != nil {
				return err
			}
			if t.state.State == stateDone {
				continue
			}
			job := newJob(ctx, t, r.set)
			select {
			case r.copier.jobs <- job:
				r.merge.job = job
			default:
			}
			return nil
		}
	}
	return nil
}

// startCopy has a table's copy begin or go on. A copy without chunks begins anew, as
// another run: its rows cannot be told from those that were sent.
func (r *reader) startCopy(ctx context.Context, t *table) error {
	if t.state.Topic == "" {
		if err := r.describeLate(ctx, t); err != nil || t.state.State == stateDone {
			return err
		}
	}
	if t.state.State == stateCopying && t.state.Frontier == nil && t.state.Rows > 0 {
		r.out.Log(slog.LevelWarn, "The copy of a table was interrupted and begins anew: rows that were sent are sent again.", map[string]string{"table": t.name})
		t.state.Rows = 0
		t.state.Run++
		t.header()
	}
	t.state.State = stateCopying
	r.touch(t)
	return nil
}

// onCopier takes what the copier has to say.
func (r *reader) onCopier(ctx context.Context, msg any) error {
	m := &r.merge
	switch msg := msg.(type) {
	case *announce:
		if msg.job == m.job { // when it tries again, nothing was read
			m.ask, m.open = msg, nil
		}
	case *chunk:
		err := r.takeChunk(msg)
		if msg.next != nil && msg.job == m.job {
			m.ask = msg.next
		}
		return err
	case *copyFailure:
		if msg.job != m.job {
			return nil
		}
		m.open, m.ask = nil, nil
		return r.copyFailed(ctx, msg)
	}
	return nil
}

// takeChunk has a chunk that was read wait for the stream.
func (r *reader) takeChunk(c *chunk) error {
	m := &r.merge
	if c.job != m.job || m.open == nil {
		return nil
	}
	t := r.tables[c.job.table]
	t.estimate = max(t.estimate, c.job.estimate)
	c.folds = m.open.folds
	m.open = nil
	if keyed := len(c.def.Key) > 0; keyed != t.state.Keyed {
		t.state.Keyed = keyed
		t.header()
	}
	if c.job.view {
		m.view = c
		return nil
	}
	if c.changed || t.state.Frontier != nil && t.state.Key != "" && t.state.Key != c.key {
		return r.keyChanged(t)
	}
	t.state.Key = c.key
	if !c.eof { // what lies behind the chunk is the next one's
		for k, f := range c.folds {
			above, err := r.above(f.def, f.key, c.last)
			if err != nil {
				return err
			}
			if above {
				delete(c.folds, k)
			}
		}
	}
	m.held = append(m.held, c)
	return nil
}

// keyChanged begins a table anew whose primary key is another than the frontier's.
func (r *reader) keyChanged(t *table) error {
	r.out.Log(slog.LevelWarn, "The primary key of a table changed while it was copied; the copy begins anew.", map[string]string{"table": t.name})
	r.abandon(t)
	r.copyAgain(t)
	return nil
}

// abandon ends the copy at work when it is the table's.
func (r *reader) abandon(t *table) {
	if r.merge.job != nil && r.merge.job.table == t.name {
		r.merge.reset()
	}
}

// mergeRow does with a change of a table that is being copied what the frontier says.
func (r *reader) mergeRow(t *table, c *format.Change) error {
	if t.state.State == stateWaiting || c.Table.Key == nil {
		return r.outsideCopy(t, c)
	}
	if !t.fits(c.Table) { // the key is another; the copy will find that out too, and begin anew
		r.doubt(t)
		return r.outsideCopy(t, c)
	}
	before, after := c.Before, c.After
	sent := func(values row.Row) (bool, error) {
		if values == nil || t.state.Frontier == nil {
			return false, nil
		}
		above, err := r.above(c.Table, r.keyOf(c.Table, values), t.state.Frontier)
		return !above, err
	}
	oldSent, err := sent(before)
	if err != nil {
		return err
	}
	newSent := oldSent
	if before == nil || after != nil && !r.sameKey(c.Table, before, after) {
		if newSent, err = sent(after); err != nil {
			return err
		}
	}
	if err := r.foldRow(t, c, oldSent, newSent); err != nil {
		return err
	}
	switch {
	case r.set.Snapshot == SnapshotInitialOnly:
		return nil
	case t.state.Again:
		return r.send(t, c)
	}
	switch {
	case before != nil && after != nil && oldSent != newSent && oldSent:
		c.Op, c.After = format.Delete, nil
	case before != nil && after != nil && oldSent != newSent:
		c.Op, c.Before = format.Insert, nil
	case before == nil && !newSent, after == nil && !oldSent, before != nil && after != nil && !oldSent:
		return nil
	}
	return r.send(t, c)
}

// outsideCopy is for changes of a table that waits for its copy, or is copied as one view:
// the copy has them. Of a copy that is made again they are sent all the same.
func (r *reader) outsideCopy(t *table, c *format.Change) error {
	if t.state.Again && r.set.Snapshot != SnapshotInitialOnly {
		return r.send(t, c)
	}
	return nil
}

// doubt has all changes of a table sent while it is copied: which rows were sent cannot be told from their
// keys any more, and a DELETE that is left out would leave its row with readers for ever.
func (r *reader) doubt(t *table) {
	if !t.state.Again {
		t.state.Again = true
		r.touch(t)
	}
}

// foldRow notes a change of rows above the frontier in the chunk that has them.
func (r *reader) foldRow(t *table, c *format.Change, oldSent, newSent bool) error {
	if r.merge.job == nil || r.merge.job.table != t.name {
		return nil
	}
	if c.Before != nil && !oldSent && (c.After == nil || !r.sameKey(c.Table, c.Before, c.After)) {
		if err := r.foldInto(c, c.Before, nil); err != nil {
			return err
		}
	}
	if c.After != nil && !newSent {
		return r.foldInto(c, c.After, c.After)
	}
	return nil
}

func (r *reader) foldInto(c *format.Change, values, after row.Row) error {
	to, err := r.chunkOf(c.Table, r.keyOf(c.Table, values))
	if err != nil || to == nil {
		return err
	}
	if to.folds == nil {
		to.folds = map[string]*fold{}
	}
	r.keyBuf = c.Table.AppendKey(r.keyBuf[:0], values)
	f := &fold{key: keyValues(c.Table, values), def: c.Table, origin: c.Origin}
	if after != nil {
		f.after = after.Clone()
	}
	to.folds[string(r.keyBuf)] = f
	return nil
}

// chunkOf finds the chunk that has a row, of those that are read or being read.
func (r *reader) chunkOf(def *row.Table, key []row.Value) (*chunk, error) {
	for _, c := range r.merge.held {
		if c.eof {
			return c, nil
		}
		above, err := r.above(def, key, c.last)
		if err != nil {
			return nil, err
		}
		if !above {
			return c, nil
		}
	}
	return r.merge.open, nil
}

// sameKey tells whether two rows of a table have one primary key.
func (r *reader) sameKey(def *row.Table, a, b row.Row) bool {
	r.keyBuf = def.AppendKey(r.keyBuf[:0], a)
	n := len(r.keyBuf)
	r.keyBuf = def.AppendKey(r.keyBuf, b)
	return bytes.Equal(r.keyBuf[:n], r.keyBuf[n:])
}

// keyOf are a row's values of its key's columns, until the next call.
func (r *reader) keyOf(def *row.Table, values row.Row) []row.Value {
	r.keyVals = r.keyVals[:0]
	for _, at := range def.Key {
		r.keyVals = append(r.keyVals, values[at])
	}
	return r.keyVals
}

// above tells whether a key is greater than a bound.
func (r *reader) above(def *row.Table, key, bound []row.Value) (bool, error) {
	if len(bound) != len(def.Key) || len(key) != len(def.Key) {
		return false, fmt.Errorf("the primary key of %s has %d columns and its frontier %d", def, len(def.Key), len(bound))
	}
	for i, at := range def.Key {
		if !def.Columns[at].Ordered() {
			return r.aboveByServer(def, key, bound)
		}
		switch def.Columns[at].Compare(key[i], bound[i]) {
		case -1:
			return false, nil
		case 1:
			return true, nil
		}
	}
	return false, nil
}

// compareKeys orders keys.
func compareKeys(def *row.Table, a, b []row.Value) int {
	for i, at := range def.Key {
		if n := def.Columns[at].Compare(a[i], b[i]); n != 0 {
			return n
		}
	}
	return 0
}

// keyValues are a row's values of its key's columns, in memory of their own.
func keyValues(def *row.Table, values row.Row) []row.Value {
	out := make(row.Row, len(def.Key))
	for i, at := range def.Key {
		out[i] = values[at]
	}
	return out.Clone()
}
