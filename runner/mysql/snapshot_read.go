package mysql

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/sluice-io/sluice/runner/mysql/format"
	"github.com/sluice-io/sluice/runner/mysql/row"
)

// transactional engines give a consistent view.
func transactional(engine string) bool {
	switch strings.ToUpper(engine) {
	case "INNODB", "ROCKSDB", "TOKUDB":
		return true
	}
	return false
}

var errNotVisible = errors.New("what the stream has read is not visible yet")

// readChunk reads the rows above the job's frontier. All up to the mark is visible to
// the SELECT; the chunk's reach is behind all that is.
func (c *copier) readChunk(job *copyJob, m mark) (*chunk, error) {
	reach, share, err := c.openView(job, m)
	if err != nil {
		return nil, err
	}
	// An open table keeps its definition until the transaction ends.
	if _, err := c.conn.Execute("SELECT 1 FROM " + c.tableName(job) + " LIMIT 0"); err != nil {
		return nil, fmt.Errorf("opening table %s: %w", job.table, err)
	}
	def, err := c.definition(job)
	if err != nil {
		return nil, err
	}
	ch := &chunk{job: job, def: def, key: keySignature(def), after: job.after, ordered: ordered(def)}
	if !chunkable(def) || job.key != "" && job.key != ch.key {
		ch.changed, ch.eof = true, true
		_, err := c.conn.Execute("COMMIT")
		return ch, err
	}
	now := time.Now().UnixMilli()
	ch.origin = format.Origin{EventTime: now, ReadTime: now, GTID: "", File: m.at.File, Pos: m.at.Pos, ServerID: c.srv.ServerID}
	limit := max(100, min(int64(job.rows), chunkBytes/max(c.size, 1)))
	if err := c.readRows(ch, c.selectRows(def, job.after, limit, share), limit); err != nil {
		return nil, fmt.Errorf("copying table %s: %w", job.table, err)
	}
	if _, err := c.conn.Execute("COMMIT"); err != nil {
		return nil, err
	}
	if reach == (filePos{}) {
		if reach, _, err = c.srv.endOfLog(c.conn.Conn); err != nil {
			return nil, err
		}
	}
	ch.reach = reach
	return ch, nil
}

// definition is the table's definition now. It is described once for all chunks between which
// its CREATE statement stays the same.
func (c *copier) definition(job *copyJob) (*row.Table, error) {
	result, err := c.conn.Execute("SHOW CREATE TABLE " + c.tableName(job))
	if err != nil {
		return nil, fmt.Errorf("asking for the CREATE statement of %s: %w", job.table, err)
	}
	text, err := result.GetString(0, 1)
	if err != nil {
		return nil, fmt.Errorf("asking for the CREATE statement of %s: %w", job.table, err)
	}
	text = withoutCounter(text)
	result.Close()
	if job.def != nil && job.create == text {
		return job.def, nil
	}
	def, err := row.Describe(job.ctx, c.conn, c.set.Database, job.table)
	if err != nil {
		return nil, fmt.Errorf("describing table %s: %w", job.table, err)
	}
	job.def, job.create = def, text
	return def, nil
}

// withoutCounter is a CREATE statement without the option AUTO_INCREMENT=n, which moves with
// every row, in memory of its own.
func withoutCounter(create string) string {
	const option = " AUTO_INCREMENT="
	at := max(0, strings.LastIndex(create, "\n)"))
	if n := strings.Index(create[at:], option); n >= 0 {
		rest := create[at+n+len(option):]
		return create[:at+n] + strings.TrimLeft(rest, "0123456789")
	}
	return strings.Clone(create)
}

// openView begins the transaction that reads a chunk, when all up to the mark is
// visible. MariaDB says exactly where its view stands in the log; the others' reach is
// where the log ends afterwards, and is left empty here.
func (c *copier) openView(job *copyJob, m mark) (reach filePos, share string, err error) {
	if c.srv.MariaDB() {
		return c.openMaria(job, m)
	}
	if c.srv.GTID {
		if m.gtid != "" {
			done, err := one(c.conn.Conn, "SELECT WAIT_FOR_EXECUTED_GTID_SET("+quoteText(m.gtid)+", 5)")
			if err != nil {
				return reach, "", fmt.Errorf("waiting for transactions to be visible: %w", err)
			}
			if done != "0" {
				return reach, "", errNotVisible
			}
		}
	} else if transactional(job.engine) {
		// A transaction is in the log before its rows are visible. Its locks go after
		// that: reading with locks waits for it.
		share = " FOR SHARE"
	}
	_, err = c.conn.Execute("START TRANSACTION")
	return reach, share, err
}

// openMaria opens a view at a known place of the log, behind the mark.
func (c *copier) openMaria(job *copyJob, m mark) (filePos, string, error) {
	for range 2000 {
		if _, err := c.conn.Execute("START TRANSACTION WITH CONSISTENT SNAPSHOT"); err != nil {
			return filePos{}, "", err
		}
		at, err := c.viewAt()
		if err != nil {
			return filePos{}, "", err
		}
		if at.File == "" || at.compare(m.at) < 0 {
			if _, err := c.conn.Execute("ROLLBACK"); err != nil {
				return filePos{}, "", err
			}
			time.Sleep(time.Millisecond) // the engine commits a moment after the log is written
			continue
		}
		if !transactional(job.engine) {
			at = filePos{}
		}
		return at, "", nil
	}
	return filePos{}, "", errNotVisible
}

// viewAt is where the open consistent view stands in MariaDB's log.
func (c *copier) viewAt() (filePos, error) {
	r, err := c.conn.Execute("SHOW STATUS WHERE Variable_name IN ('binlog_snapshot_file', 'binlog_snapshot_position')")
	if err != nil {
		return filePos{}, fmt.Errorf("asking where the view stands: %w", err)
	}
	var at filePos
	for i := range r.RowNumber() {
		name, _ := r.GetString(i, 0)
		if strings.EqualFold(name, "binlog_snapshot_file") {
			at.File, _ = r.GetString(i, 1)
		} else {
			at.Pos, _ = r.GetUint(i, 1)
		}
	}
	return at, nil
}

func (c *copier) tableName(job *copyJob) string {
	return quoteName(c.set.Database) + "." + quoteName(job.table)
}

// selectRows is the SELECT of the rows above a key, in the key's order.
func (c *copier) selectRows(def *row.Table, after []row.Value, limit int64, share string) string {
	var b strings.Builder
	b.WriteString("SELECT " + def.SelectList() + " FROM " + quoteName(def.Database) + "." + quoteName(def.Name))
	if def.KeyName != "" {
		b.WriteString(" FORCE INDEX (" + quoteName(def.KeyName) + ")")
	}
	if len(after) > 0 {
		b.WriteString(" WHERE " + aboveSQL(def, after))
	}
	b.WriteString(" ORDER BY ")
	for i, at := range def.Key {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quoteName(def.Columns[at].Name))
	}
	fmt.Fprintf(&b, " LIMIT %d%s", limit, share)
	return b.String()
}

// aboveSQL is the condition of a key above a bound: a >= x AND (a > x OR a = x AND (b > y
// OR …)), of which both servers make a range of the index.
func aboveSQL(def *row.Table, bound []row.Value) string {
	name := func(i int) string { return quoteName(def.Columns[def.Key[i]].Name) }
	literal := func(i int) string { return string(def.Columns[def.Key[i]].AppendLiteral(nil, bound[i])) }
	last := len(bound) - 1
	cond := name(last) + " > " + literal(last)
	for i := last - 1; i >= 0; i-- {
		cond = name(i) + " > " + literal(i) + " OR " + name(i) + " = " + literal(i) + " AND (" + cond + ")"
	}
	if last > 0 {
		cond = name(0) + " >= " + literal(0) + " AND (" + cond + ")"
	}
	return cond
}

// readRows reads a SELECT's rows into the chunk. Of rows that turn out wider than
// thought it keeps what the chunk may hold; the rest is read with the next.
func (c *copier) readRows(ch *chunk, query string, limit int64) error {
	var (
		values row.Row
		got    int64
		result mysql.Result
	)
	ch.store = c.takeStore()
	err := c.conn.ExecuteSelectStreaming(query, &result, func(fields []mysql.FieldValue) error {
		got++
		if ch.store.bytes > 2*chunkBytes {
			return nil // drained
		}
		var err error
		if values, err = c.dec.Fields(ch.def, fields, values); err != nil {
			return err
		}
		ch.store.add(values)
		return nil
	}, nil)
	if err != nil {
		return err
	}
	ch.rows, ch.bytes = ch.store.rows, ch.store.bytes
	n := int64(len(ch.rows))
	if n > 0 {
		c.size = max(1, ch.bytes/n)
		if ch.def.Key != nil {
			ch.last = keyValues(ch.def, ch.rows[n-1])
		}
	}
	ch.eof = n == got && got < limit
	return nil
}
