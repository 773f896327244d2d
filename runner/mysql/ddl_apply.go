package mysql

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/go-mysql-org/go-mysql/client"

	"github.com/sluice-io/sluice/runner/mysql/format"
	"github.com/sluice-io/sluice/runner/mysql/row"
)

// A statement that changes a table is told to all partitions of its topic, each with the
// same sequenceId: rows before and after it can be in any of them, and a reader of one
// partition must see it between them.

// statement works a statement off that is neither begin nor end of a transaction.
func (r *reader) statement(ctx context.Context, e *event, q queryEvent, text string) error {
	if r.group.skip {
		return r.endStatement(ctx, text)
	}
	found, changes := parseDDL(text)
	if changes != nil {
		database := changes.database
		if database == "" {
			database = q.schema
		}
		if r.sameName(database, r.set.Database) && (changes.table == "" || r.ours(database, changes.table)) {
			return r.lostRows(fmt.Sprintf("rows of table %s were changed by a statement that the binary log has in place of the rows (binlog_format is not ROW in some session): %s", changes.table, clip(text)))
		}
	}
	var told []*table
	for _, d := range found {
		if d.database == "" {
			d.database = q.schema
		}
		if d.toDB == "" {
			d.toDB = q.schema
		}
		tables, err := r.applyDDL(ctx, &d)
		if err != nil {
			return err
		}
		for _, t := range tables {
			if contains(told, t) {
				continue
			}
			told = append(told, t)
			if err := r.tell(ctx, e, q, t, d.kind, text); err != nil {
				return err
			}
		}
	}
	return r.endStatement(ctx, text)
}

func contains(list []*table, t *table) bool {
	for _, o := range list {
		if o == t {
			return true
		}
	}
	return false
}

// endStatement ends the transaction that a statement is by itself. CREATE TABLE … SELECT
// is logged as CREATE TABLE … START TRANSACTION, rows and XID (MySQL).
func (r *reader) endStatement(ctx context.Context, text string) error {
	g := &r.group
	if !g.active || g.begun {
		return nil
	}
	if len(text) > 17 && strings.EqualFold(text[len(text)-17:], "START TRANSACTION") {
		g.begun = true
		return nil
	}
	return r.endGroup(ctx, !g.skip)
}

// applyDDL does with our tables what a statement asks for, and names those it concerns.
func (r *reader) applyDDL(ctx context.Context, d *ddl) ([]*table, error) {
	if d.all {
		if !r.sameName(d.database, r.set.Database) {
			return nil, nil
		}
		var out []*table
		for _, name := range r.names {
			r.forget(r.tables[name])
			out = append(out, r.tables[name])
		}
		return out, nil
	}
	var out []*table
	if r.ours(d.database, d.table) {
		t, err := r.applyToTable(ctx, d)
		if err != nil {
			return nil, err
		}
		if t != nil {
			out = append(out, t)
		}
	}
	if d.kind != format.DDLRename || !r.ours(d.toDB, d.to) {
		return out, nil
	}
	t := r.known(d.to)
	switch {
	case t == nil:
		var err error
		if t, err = r.admit(ctx, d.to, false); err != nil || t == nil {
			return out, err
		}
	case onlineChange(d.table, d.to):
		r.abandon(t) // the same rows in a table of another definition
		t.described = nil
	default:
		r.abandon(t)
		t.described = nil
		if r.set.Snapshot != SnapshotNoData {
			r.out.Log(slog.LevelWarn, "Another table was given the name of a table; it is copied.", map[string]string{"table": d.to, "from": d.table})
			r.copyAgain(t)
		}
	}
	return append(out, t), nil
}

// applyToTable does with the table that a statement names first what it asks for. nil: it is
// not known, or nothing of it is left to tell.
func (r *reader) applyToTable(ctx context.Context, d *ddl) (*table, error) {
	t := r.known(d.table)
	if t == nil && d.kind == format.DDLCreate {
		var err error
		if t, err = r.admit(ctx, d.table, true); err != nil {
			return nil, err
		}
	}
	if t == nil {
		return nil, nil
	}
	t.described = nil
	switch {
	case d.kind == format.DDLErase && t.state.Topic == "":
		r.release(t) // it came and went without a row
		return nil, nil
	case d.kind == format.DDLErase, d.empty && r.set.Snapshot != SnapshotInitialOnly:
		r.forget(t)
	default: // what was read and not written is of the table as it was
		r.abandon(t)
		t.restated = true
		if t.mayReorder() {
			r.doubt(t)
		}
	}
	return t, nil
}

// known finds a table by the name in a statement.
func (r *reader) known(name string) *table {
	if t := r.tables[name]; t != nil || r.srv.LowerCase == 0 {
		return t
	}
	for _, n := range r.names {
		if strings.EqualFold(n, name) {
			return r.tables[n]
		}
	}
	return nil
}

// onlineChange tells the swap at the end of an online schema change: gh-ost renames _t_gho,
// pt-online-schema-change _t_new, to t. Their rows were copied and kept equal by the tool.
func onlineChange(from, to string) bool { return from == "_"+to+"_gho" || from == "_"+to+"_new" }

// forget ends what is under way with a table that is gone or was made anew: all rows that it
// has from now on come through the log.
func (r *reader) forget(t *table) {
	r.abandon(t)
	t.described, t.def = nil, nil
	if t.state.State != stateDone {
		t.state.State, t.state.Frontier, t.state.Key, t.state.Again = stateDone, nil, "", false
	}
	r.touch(t)
}

// tell writes the message of a statement to all partitions of a table's topic.
func (r *reader) tell(ctx context.Context, e *event, q queryEvent, t *table, kind format.DDLKind, text string) error {
	d := format.DDL{
		Kind: kind, Database: r.set.Database, Table: t.name, Statement: strings.ToValidUTF8(text, "\uFFFD"), Sequence: r.nextSequence, After: r.definitionNow(ctx, t, kind),
		Origin: format.Origin{EventTime: r.group.millis, ReadTime: time.Now().UnixMilli(), GTID: r.group.gtidID, File: r.at.File, Pos: r.from, ServerID: e.serverID, Thread: q.thread},
	}
	if r.set.Snapshot == SnapshotInitialOnly || t.state.Topic == "" {
		return nil
	}
	r.to = t
	defer func() { r.partition = -1 }()
	return r.enc.DDL(&d, func(m *format.Message) error {
		r.change.Snapshot = false
		for p := range max(1, t.state.Partitions) {
			r.partition = int32(p)
			if err := r.emitMessage(m); err != nil {
				return err
			}
		}
		r.group.wrote = true
		return nil
	})
}

// definitionNow is a table's definition where it is likely to be the one after the
// statement: when the reader is not behind.
func (r *reader) definitionNow(ctx context.Context, t *table, kind format.DDLKind) *row.Table {
	if kind == format.DDLErase || time.Since(time.UnixMilli(r.group.millis)) > 5*time.Second {
		return nil
	}
	var def *row.Table
	err := r.ask(ctx, "describing table "+t.name, func(c *client.Conn) (err error) {
		def, err = row.Describe(ctx, c, r.set.Database, t.name)
		return err
	})
	if err != nil {
		return nil
	}
	t.described = def
	return def
}

// isNoTable tells that a table is not there, or not any more.
func isNoTable(err error) bool {
	return errors.Is(err, row.ErrNoTable) || errors.Is(err, row.ErrNotTable) || serverCode(err) == codeNoTable
}
