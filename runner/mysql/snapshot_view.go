package mysql

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/mysql/format"
	"github.com/sluice-io/sluice/runner/mysql/row"
)

// A table without a key (or with one that gives no order) is read as one view whose place
// in the log is known exactly. The stream stops there until all rows are written: a
// change of a row without a key cannot be told from the row in the view. Such a copy does
// not go on after a crash; it begins anew as another run.

// viewPart is how much of a view is handed over at a time.
const viewPart = 2 << 20

// readView reads a whole table.
func (c *copier) readView(job *copyJob) error {
	m, err := c.announce(job)
	if err != nil {
		return err
	}
	at, err := c.exactView(job, m)
	if err != nil {
		return err
	}
	def, err := row.Describe(job.ctx, c.conn, c.set.Database, job.table)
	if err != nil {
		return fmt.Errorf("describing table %s: %w", job.table, err)
	}
	more := make(chan *chunk, 2)
	now := time.Now().UnixMilli()
	origin := format.Origin{EventTime: now, ReadTime: now, File: at.File, Pos: at.Pos, ServerID: c.srv.ServerID}
	if !c.say(job.ctx, &chunk{job: job, def: def, key: keySignature(def), reach: at, origin: origin, more: more}) {
		return job.ctx.Err()
	}
	defer close(more)
	part := &chunk{job: job, def: def, origin: origin}
	keep := &rowStore{}
	hand := func() error {
		part.rows = keep.rows
		select {
		case more <- part:
		case <-job.ctx.Done():
			return job.ctx.Err()
		}
		part, keep = &chunk{job: job, def: def, origin: origin}, &rowStore{}
		return nil
	}
	var (
		values row.Row
		result mysql.Result
	)
	query := "SELECT " + def.SelectList() + " FROM " + c.tableName(job)
	err = c.conn.ExecuteSelectStreaming(query, &result, func(fields []mysql.FieldValue) error {
		var err error
		if values, err = c.dec.Fields(def, fields, values); err != nil {
			return err
		}
		keep.add(values)
		if keep.bytes < viewPart {
			return nil
		}
		return hand()
	}, nil)
	if err != nil {
		return fmt.Errorf("copying table %s: %w", job.table, err)
	}
	part.eof = true
	if err := hand(); err != nil {
		return err
	}
	return c.endView()
}

// endView lets go of what an exactView holds.
func (c *copier) endView() error {
	if _, err := c.conn.Execute("UNLOCK TABLES"); err != nil {
		return err
	}
	_, err := c.conn.Execute("COMMIT")
	return err
}

// exactView opens a view of a table whose place in the log is exact, behind the mark.
// Of an engine without views it is the table under a read lock, until it is read; the
// lock does not wait longer than a second, then the whole is tried again.
func (c *copier) exactView(job *copyJob, m mark) (filePos, error) {
	switch {
	case !transactional(job.engine):
		if _, err := c.conn.Execute("LOCK TABLES " + c.tableName(job) + " READ"); err != nil {
			return filePos{}, c.lockError(job, err)
		}
		at, _, err := c.srv.endOfLog(c.conn.Conn)
		return at, err
	case c.srv.MariaDB():
		at, _, err := c.openMaria(job, m)
		return at, err
	}
	if c.srv.GTID {
		for began := time.Now(); time.Since(began) < viewPatience; {
			at, ok, err := c.quietView(job)
			if err != nil || ok {
				return at, err
			}
		}
	}
	return c.lockedView(job)
}

// viewPatience is how long a moment is waited for in which nothing is being committed,
// before a lock makes one.
const viewPatience = 3 * time.Second

// quietView opens a view between two looks at the log that see the same. Whether a
// transaction was in the log and not yet in the engine then, the reader finds out when
// it gets there: all it has read up to there must have been executed (job.executed).
func (c *copier) quietView(job *copyJob) (filePos, bool, error) {
	before, executed, err := c.srv.endOfLog(c.conn.Conn)
	if err != nil {
		return filePos{}, false, err
	}
	if _, err := c.conn.Execute("START TRANSACTION WITH CONSISTENT SNAPSHOT"); err != nil {
		return filePos{}, false, err
	}
	after, again, err := c.srv.endOfLog(c.conn.Conn)
	if err != nil {
		return filePos{}, false, err
	}
	if before == after && executed == again {
		job.executed, err = parseGTIDSet(executed)
		return before, true, err
	}
	_, err = c.conn.Execute("ROLLBACK")
	return filePos{}, false, err
}

// lockedView opens a view while the table is locked for reading: none of its transactions is
// between log and engine then. The lock is kept until the view is open, some milliseconds.
func (c *copier) lockedView(job *copyJob) (filePos, error) {
	lock, err := connect(job.ctx, c.set, c.deps)
	if err != nil {
		return filePos{}, err
	}
	defer lock.Close()
	if _, err := lock.Execute("LOCK TABLES " + c.tableName(job) + " READ"); err != nil {
		return filePos{}, c.lockError(job, err)
	}
	if _, err := c.conn.Execute("START TRANSACTION WITH CONSISTENT SNAPSHOT"); err != nil {
		return filePos{}, err
	}
	at, _, err := c.srv.endOfLog(c.conn.Conn)
	if err != nil {
		return filePos{}, err
	}
	job.executed = nil
	_, err = lock.Execute("UNLOCK TABLES")
	return at, err
}

// lockError is a refused lock. Without the privilege a quiet moment is waited for on.
func (c *copier) lockError(job *copyJob, err error) error {
	err = fmt.Errorf("locking table %s for reading: %w", job.table, err)
	switch serverCode(err) {
	case codeDatabaseDenied, codeTableDenied:
		if c.srv.GTID && !c.srv.MariaDB() && transactional(job.engine) {
			return fmt.Errorf("%w; and no moment was found in which nothing is committed", errNotVisible)
		}
		return &connector.WrongError{Field: keyUser, Brief: "table " + job.table + " has no primary key and can be copied under a lock only", Err: err,
			Remedy: fmt.Sprintf("Run as an administrator: GRANT LOCK TABLES ON %s.* TO %s; or give the table a primary key, or leave it out of %s.", quoteName(c.set.Database), c.set.grantee(), keyTables)}
	}
	return err
}

// awaitView holds the stream until the place of a view is known: of what follows it
// nobody could say later on which side of the view it lies.
func (r *reader) awaitView(ctx context.Context) error {
	job := r.merge.job
	for r.merge.job == job && job != nil && r.merge.view == nil {
		select {
		case <-ctx.Done():
			return nil
		case msg := <-r.copier.out:
			if err := r.onCopier(ctx, msg); err != nil {
				return err
			}
			if a, ok := msg.(*announce); ok && a.job == job { // it tries again; the stream may go on between
				return nil
			}
		}
	}
	return r.viewReached(ctx, r.done.at)
}

// viewReached writes a view when the stream stands at its place.
func (r *reader) viewReached(ctx context.Context, at filePos) error {
	v := r.merge.view
	if v == nil || at.compare(v.reach) < 0 {
		return nil
	}
	r.merge.view = nil
	t := r.tables[v.job.table]
	if v.job.executed != nil && r.done.my != nil && len(r.done.my.minus(v.job.executed).by) > 0 {
		r.merge.reset() // a transaction was in the log that the view may not have; another one
		return nil
	}
	w := chunkWriter{reader: r, t: t, c: v}
	for {
		var part *chunk
		select {
		case <-ctx.Done():
			return nil
		case p, ok := <-v.more:
			if !ok {
				return r.viewBroke(ctx, t)
			}
			part = p
		}
		w.c = part
		if err := w.write(ctx); err != nil {
			return err
		}
		if part.eof {
			r.copyDone(t)
		}
		r.touch(t)
		if err := r.mark(ctx); err != nil {
			return err
		}
		if part.eof {
			return nil
		}
	}
}

// viewBroke begins a view anew whose connection broke. What was sent cannot be told from
// what will be, so the Run of the table is another.
func (r *reader) viewBroke(ctx context.Context, t *table) error {
	select { // why
	case msg := <-r.copier.out:
		if f, ok := msg.(*copyFailure); ok {
			if err := r.set.classify("copying table "+t.name, f.err); connector.CauseOf(err) == connector.CauseWrong {
				return err
			}
		}
	case <-ctx.Done():
		return nil
	case <-time.After(50 * time.Millisecond):
	}
	r.out.Log(slog.LevelWarn, "The copy of a table broke off and begins anew.", map[string]string{"table": t.name})
	r.merge.reset()
	return nil
}

// copyFailed ends a copy that cannot go on.
func (r *reader) copyFailed(ctx context.Context, f *copyFailure) error {
	t := r.tables[f.job.table]
	r.merge.reset()
	err := f.err
	if isNoTable(err) {
		r.out.Log(slog.LevelWarn, "A table is gone before it was copied.", map[string]string{"table": t.name})
		r.copyDone(t)
		r.touch(t)
		return r.mark(ctx)
	}
	return r.set.classify("copying table "+t.name, err)
}
