package mysql

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/record"
)

// artificial marks an event that stands in no file (LOG_EVENT_ARTIFICIAL_F).
const artificial = 0x20

// group is a transaction while its events pass.
type group struct {
	active bool
	gtidEvent
	id     string // GTID, or file:pos of its begin: what names it after a reconnect
	gtidID string // GTID, "" without
	start  filePos
	before string // MariaDB: what was done before it
	millis int64
	thread uint32
	begun  bool // BEGIN was seen: it ends by XID, COMMIT or ROLLBACK
	skip   bool // done already; read again for the sake of an older undecided PREPARE
	xa     *xaRows
	wrote  bool
	part   int // parts that are visible
	tables []*table
}

// handle works one event of the log off.
func (r *reader) handle(ctx context.Context, e *event) error {
	start := r.advance(e)
	r.from = start.Pos
	switch e.kind {
	case replication.ROTATE_EVENT:
		return r.rotate(e)
	case replication.FORMAT_DESCRIPTION_EVENT:
		if e.flags&artificial == 0 && e.logPos != 0 && r.group.active {
			return fmt.Errorf("the log %s ends inside transaction %s", r.at.File, r.group.id)
		}
		clear(r.maps)
		return nil
	case replication.HEARTBEAT_EVENT, replication.HEARTBEAT_LOG_EVENT_V2:
		r.behind = 0
		r.boundary()
		return nil
	case replication.GTID_EVENT, replication.ANONYMOUS_GTID_EVENT, replication.GTID_TAGGED_LOG_EVENT, replication.MARIADB_GTID_EVENT:
		if err := r.viewReached(ctx, start); err != nil {
			return err
		}
		return r.beginGroup(e, start)
	case replication.TRANSACTION_PAYLOAD_EVENT:
		return eachInner(e, func(inner *event) error { return r.inGroup(ctx, inner) })
	case replication.INCIDENT_EVENT:
		return r.lostRows("the server reports an incident: changes were lost before they reached its binary log")
	}
	return r.inGroup(ctx, e)
}

// inGroup works an event of a transaction off.
func (r *reader) inGroup(ctx context.Context, e *event) error {
	switch e.kind {
	case replication.QUERY_EVENT:
		return r.query(ctx, e, false)
	case replication.MARIADB_QUERY_COMPRESSED_EVENT:
		return r.query(ctx, e, true)
	case replication.TABLE_MAP_EVENT:
		return r.tableMap(ctx, e)
	case replication.XID_EVENT:
		return r.commit(ctx)
	case replication.XA_PREPARE_LOG_EVENT:
		return r.prepare(ctx, e)
	}
	if isRows(e.kind) {
		return r.rows(ctx, e)
	}
	return nil
}

// isRows tells the events that have rows.
func isRows(kind replication.EventType) bool {
	switch kind {
	case replication.WRITE_ROWS_EVENTv1, replication.UPDATE_ROWS_EVENTv1, replication.DELETE_ROWS_EVENTv1,
		replication.WRITE_ROWS_EVENTv2, replication.UPDATE_ROWS_EVENTv2, replication.DELETE_ROWS_EVENTv2, replication.PARTIAL_UPDATE_ROWS_EVENT,
		replication.MARIADB_WRITE_ROWS_COMPRESSED_EVENT_V1, replication.MARIADB_UPDATE_ROWS_COMPRESSED_EVENT_V1, replication.MARIADB_DELETE_ROWS_COMPRESSED_EVENT_V1:
		return true
	}
	return false
}

// advance moves the place in the log behind an event and returns where the event begins.
// Events have the lower 32 bits of where they end; 0 in those that stand in no file, and in
// MariaDB 11.4's inside a transaction.
func (r *reader) advance(e *event) filePos {
	if e.kind == replication.ROTATE_EVENT || e.flags&artificial != 0 && e.kind != replication.HEARTBEAT_EVENT {
		return r.at
	}
	switch {
	case e.logPos != 0:
		next := r.at.Pos&^(1<<32-1) | uint64(e.logPos)
		if next+1<<31 < r.at.Pos { // it wrapped
			next += 1 << 32
		}
		if e.kind == replication.HEARTBEAT_EVENT && next < r.at.Pos {
			return r.at
		}
		r.at.Pos = next
	case e.kind == replication.FORMAT_DESCRIPTION_EVENT || e.kind == replication.HEARTBEAT_EVENT || e.kind == replication.HEARTBEAT_LOG_EVENT_V2:
	default:
		r.at.Pos += uint64(e.size)
	}
	return filePos{r.at.File, r.at.Pos - min(uint64(e.size), r.at.Pos)}
}

func (r *reader) rotate(e *event) error {
	if len(e.body) < 8 {
		return errShortEvent
	}
	to := filePos{string(e.body[8:]), binary.LittleEndian.Uint64(e.body)}
	if to.File != r.at.File {
		if r.group.active {
			return fmt.Errorf("the log %s ends inside transaction %s", r.at.File, r.group.id)
		}
		clear(r.maps)
		r.at = to
	}
	r.boundary()
	return nil
}

// boundary notes that all up to here is done: between transactions. It never goes back:
// a server that is asked by GTID begins with the file's begin.
func (r *reader) boundary() {
	if !r.group.active && r.done.at.compare(r.at) < 0 {
		if r.done.at.File != r.at.File || r.done.gtid {
			r.dirty = true
		}
		r.done.at = r.at
	}
}

// beginGroup begins a transaction.
func (r *reader) beginGroup(e *event, start filePos) error {
	if r.group.active {
		return fmt.Errorf("transaction %s has no end", r.group.id)
	}
	g, err := parseGTID(e)
	if err != nil {
		return fmt.Errorf("reading the begin of a transaction: %w", err)
	}
	r.group = group{active: true, gtidEvent: g, start: start, gtidID: g.text(e.kind == replication.MARIADB_GTID_EVENT), millis: int64(e.time) * 1000, tables: r.group.tables[:0]}
	r.group.id = r.group.gtidID
	if !r.done.gtid || r.group.id == "" {
		r.group.id = start.String()
	}
	if g.micros != 0 {
		r.group.millis = int64(g.micros / 1000)
	}
	r.group.begun = e.kind == replication.MARIADB_GTID_EVENT && g.flags&mariaStandalone == 0
	r.group.skip = r.isDone(&r.group)
	if r.done.maria != nil && g.flags&mariaPreparedXA != 0 {
		r.group.before = r.done.maria.String()
	}
	if p := r.done.partial; p != nil && p.ID == r.group.id {
		r.group.part = p.Part
		for name, n := range p.Rows {
			if t := r.tables[name]; t != nil {
				t.skipRows = n
			}
		}
	}
	if g.flags&mariaPreparedXA != 0 && e.kind == replication.MARIADB_GTID_EVENT {
		r.collect(g.xid)
	}
	return nil
}

// isDone tells whether a transaction lies before what is done.
func (r *reader) isDone(g *group) bool {
	switch {
	case r.done.my != nil:
		return g.key != "" && r.done.my.has(g.key, g.n)
	case r.done.maria != nil:
		return r.done.maria.has(g.domain, uint64(g.n))
	}
	return g.start.compare(r.done.at) < 0
}

// query works a statement off: what begins and ends transactions, DDL, and what has no
// business in a log of rows.
func (r *reader) query(ctx context.Context, e *event, compressed bool) error {
	q, err := parseQuery(e.body, compressed)
	if err != nil {
		return fmt.Errorf("reading a statement: %w", err)
	}
	r.group.thread = q.thread
	if bytes.Equal(q.query, []byte("BEGIN")) {
		r.group.begun = true
		return nil
	}
	text := strings.TrimSpace(string(q.query))
	upper := strings.ToUpper(text[:min(len(text), 24)])
	switch {
	case upper == "COMMIT":
		return r.commit(ctx)
	case upper == "ROLLBACK":
		return r.rollback(ctx)
	case upper == "BEGIN":
		r.group.begun = true
		return nil
	case strings.HasPrefix(upper, "XA "):
		return r.xaStatement(ctx, text)
	case strings.HasPrefix(upper, "SAVEPOINT"):
		return nil
	case strings.HasPrefix(upper, "ROLLBACK TO"):
		if r.group.wrote || r.group.xa != nil && r.group.xa.rows > 0 {
			return r.lostRows("a transaction was rolled back to a savepoint in the binary log")
		}
		return nil
	}
	return r.statement(ctx, e, q, text)
}

// commit ends a transaction: its rows, or what is left of them, become visible with the position.
func (r *reader) commit(ctx context.Context) error {
	g := &r.group
	if !g.active {
		return nil
	}
	if g.skip {
		return r.endGroup(ctx, false)
	}
	if g.part > 0 && r.out.Unmarked() > 0 {
		r.tagPart(true)
	}
	return r.endGroup(ctx, true)
}

// endGroup notes a transaction as done and ends its fact.
func (r *reader) endGroup(ctx context.Context, done bool) error {
	g := &r.group
	if done {
		r.noteDone(g)
		if p := r.done.partial; p != nil && p.ID == g.id {
			r.done.partial = nil
		}
	}
	for _, t := range g.tables {
		t.groupRows, t.inGroup = 0, false
	}
	if g.part > 0 || r.done.partial == nil {
		for _, t := range r.tables {
			t.skipRows = 0
		}
	}
	wrote := g.wrote
	if g.millis > 0 && done {
		r.done.time = g.millis
		r.behind = max(0, time.Since(time.UnixMilli(g.millis)))
	}
	tables := g.tables[:0]
	r.group = group{tables: tables}
	r.boundary()
	r.dirty = true
	if wrote {
		return r.mark(ctx)
	}
	return nil
}

// noteDone adds a transaction to what is done.
func (r *reader) noteDone(g *group) {
	switch {
	case r.done.my != nil && g.key != "":
		r.done.my.add(g.key, g.n)
		r.done.last = g.key
	case r.done.maria != nil:
		if r.done.maria[g.domain].seq < uint64(g.n) {
			r.done.maria[g.domain] = mariaPoint{g.server, uint64(g.n)}
		}
	}
}

// rollback ends a transaction whose rows were taken back, logged for the sake of
// something that cannot be.
func (r *reader) rollback(ctx context.Context) error {
	g := &r.group
	if g.skip || !g.wrote && g.part == 0 {
		g.wrote = false
		return r.endGroup(ctx, !g.skip)
	}
	if g.part > 0 {
		return r.lostRows("a transaction of more than 16 MiB was rolled back after parts of it became visible")
	}
	r.out.Drop()
	g.wrote = false
	return r.endGroup(ctx, true)
}

// split makes what the open transaction has written so far visible, tagged as a part of it.
func (r *reader) split(ctx context.Context) error {
	g := &r.group
	g.part++
	r.tagPart(false)
	rows := map[string]int64{}
	for _, t := range g.tables {
		rows[t.name] = t.groupRows - 1 // the row that is about to be written is not part of it
		if t != r.cur.table {
			rows[t.name] = t.groupRows
		}
	}
	r.done.partial = &partial{ID: g.id, Rows: rows, Part: g.part}
	return r.mark(ctx)
}

// tagPart gives the records since the last Mark the headers of a part.
func (r *reader) tagPart(last bool) {
	part := r.group.part
	if last {
		part++
	}
	r.out.Tag(record.Header{Key: "sluice.tx.id", Value: []byte(r.group.id)},
		record.Header{Key: "sluice.tx.part", Value: strconv.AppendInt(nil, int64(part), 10)},
		record.Header{Key: "sluice.tx.last", Value: strconv.AppendBool(nil, last)})
}

// lostRows is the Gap of what the log does not have.
func (r *reader) lostRows(what string) error {
	return &connector.GapError{Lost: fmt.Sprintf("%s (at %s, after %s)", what, r.at, timeText(r.done.time)), Choices: gapChoices()}
}

// timeText shows a time in ms for people.
func timeText(millis int64) string {
	if millis == 0 {
		return "the beginning"
	}
	return time.UnixMilli(millis).UTC().Format("2 Jan 2006 15:04:05 UTC")
}
