package mysql

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-mysql-org/go-mysql/client"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/mysql/format"
	"github.com/sluice-io/sluice/runner/mysql/row"
)

// mapped is what a table id of the log stands for.
type mapped struct {
	raw   []byte     // the TABLE_MAP event it was made of
	table *table     // nil: not one of ours
	def   *row.Table // of ours
}

// noTable is the id that a statement's last rows event may have when it has no rows.
const noTable = 1<<24 - 1

// tableMap notes which table an id stands for. The same definition comes before every
// statement's rows, so equal bytes are not read again.
func (r *reader) tableMap(ctx context.Context, e *event) error {
	id, err := row.TableID(e.body)
	if err != nil {
		return fmt.Errorf("reading a table map: %w", err)
	}
	if m := r.maps[id]; m == nil || !bytes.Equal(m.raw, e.body) {
		m = &mapped{raw: bytes.Clone(e.body)}
		if err := r.define(ctx, m); err != nil {
			return err
		}
		r.maps[id] = m
	}
	if r.group.xa != nil && r.maps[id].table != nil {
		return r.group.xa.add(&r.xa, e)
	}
	return nil
}

// define finds out what a TABLE_MAP event is about.
func (r *reader) define(ctx context.Context, m *mapped) error {
	database, name, err := tableMapName(m.raw)
	if err != nil {
		return fmt.Errorf("reading a table map: %w", err)
	}
	if !r.ours(database, name) {
		return nil
	}
	def, err := row.ParseTableMap(m.raw, r.srv.Flavor)
	if err != nil {
		return r.undecodable(name, err)
	}
	t := r.tables[name]
	if t == nil {
		if t, err = r.admit(ctx, name, false); err != nil || t == nil {
			return err
		}
	}
	if t.state.Topic == "" {
		if err := r.complete(ctx, t, def); err != nil {
			return err
		}
		r.touch(t)
	}
	m.table = t
	if t.def == nil || t.def.Fingerprint != def.Fingerprint || t.restated {
		if t.def != nil && t.def.Fingerprint != def.Fingerprint {
			r.done.schema++
		}
		if t.def, err = r.refine(ctx, t, def); err != nil {
			return err
		}
		t.restated = false
	}
	m.def = t.def
	return nil
}

// refine asks the server for what the log does not tell of a definition. The table may
// have changed since, or be gone: then what the log tells has to do.
func (r *reader) refine(ctx context.Context, t *table, def *row.Table) (*row.Table, error) {
	now := t.described
	if now == nil || now.Fingerprint != def.Fingerprint {
		err := r.ask(ctx, "describing table "+t.name, func(c *client.Conn) (err error) {
			now, err = row.Describe(ctx, c, r.set.Database, t.name)
			return err
		})
		if err != nil {
			if serverCode(err) == 0 && !errors.Is(err, row.ErrNoTable) && ctx.Err() == nil {
				r.log.Info("a definition could not be refined", "table", t.name, "error", err)
			}
			if t.described == nil {
				return def, nil
			}
			now = t.described
		}
		t.described = now
	}
	return def.Refine(now), nil
}

// tableMapName reads database and table of a TABLE_MAP event: id 6, flags 2, then two
// names with their lengths before and a NUL behind.
func tableMapName(b []byte) (database, name string, err error) {
	at := 8
	next := func() (string, bool) {
		if at >= len(b) {
			return "", false
		}
		n := int(b[at])
		if at+1+n+1 > len(b) {
			return "", false
		}
		s := string(b[at+1 : at+1+n])
		at += n + 2
		return s, true
	}
	database, ok := next()
	if !ok {
		return "", "", errShortEvent
	}
	if name, ok = next(); !ok {
		return "", "", errShortEvent
	}
	return database, name, nil
}

// rows works a rows event off.
func (r *reader) rows(ctx context.Context, e *event) error {
	id, err := row.TableID(e.body)
	if err != nil {
		return fmt.Errorf("reading rows: %w", err)
	}
	if r.group.skip && r.group.xa == nil {
		return nil
	}
	m := r.maps[id]
	if m == nil {
		if id == noTable {
			return nil
		}
		return fmt.Errorf("rows at %s are of table id %d, which the log has not introduced", r.at, id)
	}
	if m.table == nil {
		return nil
	}
	if r.group.xa != nil {
		r.group.xa.rows++
		return r.group.xa.add(&r.xa, e)
	}
	return r.applyRows(ctx, m, e)
}

// applyRows decodes a rows event and does with each row what its table's state says.
func (r *reader) applyRows(ctx context.Context, m *mapped, e *event) error {
	r.cur = m
	t := m.table
	if !t.inGroup {
		t.inGroup = true
		r.group.tables = append(r.group.tables, t)
	}
	c := &r.change
	c.Table, c.Snapshot, c.LastOfSnapshot = m.def, false, false
	c.Origin = format.Origin{EventTime: r.group.millis, EventMicros: int(r.group.gtidEvent.micros % 1000), ReadTime: time.Now().UnixMilli(), GTID: r.group.gtidID, File: r.at.File, Pos: r.from,
		RowIndex: -1, ServerID: e.serverID, Thread: r.group.thread}
	r.ctxRow = ctx
	err := r.dec.Rows(m.def, e.kind, e.body, r.each)
	if err == nil {
		return nil
	}
	return r.undecodable(t.name, err)
}

// undecodable sorts the faults of a decoder: what the log has not is a Gap.
func (r *reader) undecodable(table string, err error) error {
	var (
		image *row.ImageError
		meta  *row.MetadataError
		bad   *row.DecodeError
	)
	switch {
	case errors.As(err, &image):
		return &connector.GapError{Lost: fmt.Sprintf("rows of table %s were written while binlog_row_image was not FULL: values are missing from %s on (after %s)", table, r.at, timeText(r.done.time)), Choices: gapChoices(), Err: err}
	case errors.As(err, &meta):
		return &connector.GapError{Lost: fmt.Sprintf("rows of table %s were written while binlog_row_metadata was not FULL: names and types of columns are missing from %s on (after %s)", table, r.at, timeText(r.done.time)), Choices: gapChoices(), Err: err}
	case errors.As(err, &bad):
		return &connector.WrongError{Field: keyTables, Brief: "a row of table " + table + " cannot be read", Err: err,
			Remedy: "Leave the table out of " + keyTables + ", or change the column that is named; after that the table can be copied again."}
	}
	return err
}

// eachRow receives the rows of the event at work.
func (r *reader) eachRow(before, after row.Row) error {
	t := r.cur.table
	r.change.RowIndex++
	t.groupRows++
	if t.groupRows <= t.skipRows {
		return nil
	}
	c := &r.change
	c.Before, c.After = before, after
	switch {
	case before == nil:
		c.Op = format.Insert
	case after == nil:
		c.Op = format.Delete
	default:
		c.Op = format.Update
	}
	switch {
	case t.state.State != stateDone:
		return r.mergeRow(t, c)
	case r.set.Snapshot == SnapshotInitialOnly: // copied and not followed
		return nil
	}
	return r.send(t, c)
}

// send writes a change's messages. Before a transaction grows over what one fact may
// have, what there is becomes visible as a part.
func (r *reader) send(t *table, c *format.Change) error {
	if r.group.active && r.out.Unmarked() >= maxFact {
		if err := r.split(r.ctxRow); err != nil {
			return err
		}
	}
	r.group.wrote = true
	r.to = t
	if err := r.enc.Encode(c, r.emit); err != nil {
		return r.refused(t, c, err)
	}
	return nil
}

// emitMessage writes one message of the change at work.
func (r *reader) emitMessage(m *format.Message) error {
	o := &r.record
	o.Topic, o.Partition, o.Key, o.Value, o.Headers, o.Timestamp = r.to.state.Topic, r.partition, m.Key, m.Value, m.Headers, m.Timestamp
	if run := r.to.runHeader; run != nil && r.change.Snapshot {
		o.Headers = append(slices.Clip(o.Headers), *run)
	}
	err := r.out.Write(o)
	if err == nil {
		return nil
	}
	var bad *connector.RecordError
	if !errors.As(err, &bad) {
		return outlet(err)
	}
	if r.set.Oversize != OversizeDLQ {
		return &connector.WrongError{Field: keyOversize, Brief: fmt.Sprintf("%s is too large for the topic %s", rowName(&r.change), o.Topic), Err: fmt.Errorf("%s at %s: %w", rowName(&r.change), r.at, err),
			Remedy: "Raise max.message.bytes of the topic " + o.Topic + " and resume, or set " + keyOversize + " to dlq."}
	}
	bad.DeadLetter = true
	return outlet(r.out.Divert(o, bad))
}

// longestRowName bounds what of a key is told, in bytes.
const longestRowName = 200

// rowName names a change's row for people, by its key where it has one.
func rowName(c *format.Change) string {
	values := c.After
	if values == nil {
		values = c.Before
	}
	if len(c.Table.Key) == 0 || len(values) != len(c.Table.Columns) {
		return "a row of table " + c.Table.Name
	}
	var b []byte
	for n, k := range c.Table.Key {
		if n > 0 {
			b = append(b, ", "...)
		}
		b = append(append(b, c.Table.Columns[k].Name...), '=')
		b = c.Table.Columns[k].AppendText(b, values[k])
	}
	if len(b) > longestRowName {
		b = append(b[:longestRowName], "…"...)
	}
	return fmt.Sprintf("the row %s of table %s", strings.ToValidUTF8(string(b), "\ufffd"), c.Table.Name)
}

// refused is the end of a row that a policy refuses.
func (r *reader) refused(t *table, c *format.Change, err error) error {
	var bad *format.RefusedError
	if !errors.As(err, &bad) {
		return err
	}
	key := bad.Setting()
	remedy := "Set " + key + " to what such values shall become, or correct the row in the database, and resume."
	if !c.Snapshot {
		remedy = "The change stands in the server's binary log, where nobody can correct it: set " + key + " to what such values shall become, and resume. It may be set back afterwards."
	}
	return &connector.WrongError{Field: key, Brief: fmt.Sprintf("%s is refused: %s", rowName(c), bad.Reason()), Err: fmt.Errorf("%s at %s: %w", rowName(c), r.at, err), Remedy: remedy}
}

// ours tells whether a table is one that is read: of the database, and named by a pattern.
// The helper tables of online schema changes are not, unless they are named without wildcards.
func (r *reader) ours(database, name string) bool {
	if !r.sameName(database, r.set.Database) || !r.set.Tables.Match(name) {
		return false
	}
	return !helperTable(name) || r.tables[name] != nil || slices.ContainsFunc(r.set.Tables.Patterns(), func(p string) bool { return r.sameName(p, name) })
}
