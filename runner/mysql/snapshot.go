package mysql

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/mysql/format"
	"github.com/sluice-io/sluice/runner/mysql/row"
)

// chunkBytes is about how much memory a chunk's rows may take.
const chunkBytes = 6 << 20

// copyJob is one table's copy: what the reader has the copier do.
type copyJob struct {
	ctx      context.Context
	cancel   context.CancelFunc
	table    string
	after    []row.Value // the frontier to go on from
	key      string      // which columns after is of
	rows     int         // of a chunk at most
	view     bool        // one view; set by the copier
	estimate int64       // rows of the table; set by the copier
	engine   string
	executed *gtidSet // of a view between transactions: what was executed then

	def    *row.Table // as it was described last
	create string     // by this statement
}

func newJob(ctx context.Context, t *table, s *Settings) *copyJob {
	j := &copyJob{table: t.name, after: t.state.Frontier, key: t.state.Key, rows: s.ChunkRows}
	j.ctx, j.cancel = context.WithCancel(ctx)
	return j
}

// announce asks the reader for a mark, before rows are read.
type announce struct {
	job   *copyJob
	after []row.Value
	mark  chan mark // of one
}

// mark is how far the stream was.
type mark struct {
	gtid string
	at   filePos
}

// chunk is rows of a table that were read together.
type chunk struct {
	job   *copyJob
	def   *row.Table
	key   string // which columns are the key
	after []row.Value
	last  []row.Value // the last row's key; nothing above it was read
	eof   bool        // nothing lies above
	// changed: the table's key is another than that of the chunks before; there are no rows.
	changed bool
	rows    []row.Row
	store   *rowStore // that has the rows; nil in a part of a view
	bytes   int64
	reach   filePos // the stream is to reach it before the rows are written
	folds   map[string]*fold
	origin  format.Origin
	// ordered: keys are compared here, as the server does.
	ordered bool
	more    <-chan *chunk // of a view: the rows
	// next is the announcement of the chunk behind it, nil with the last one: so that it is
	// answered before this one is written.
	next *announce
}

// copyFailure ends a job.
type copyFailure struct {
	job *copyJob
	err error
}

// copier reads tables for the reader, one at a time, on a connection of its own.
type copier struct {
	set    *Settings
	deps   connector.Deps
	srv    *server
	jobs   chan *copyJob
	out    chan any
	ctx    context.Context
	cancel context.CancelFunc
	ended  chan struct{}

	conn *session
	dec  row.Decoder
	size int64 // of a row, lately

	announced *announce      // with the last chunk
	spare     chan *rowStore // memory for chunks to come
}

func startCopier(ctx context.Context, s *Settings, deps connector.Deps, srv *server) *copier {
	ctx, cancel := context.WithCancel(ctx)
	c := &copier{set: s, deps: deps, srv: srv, jobs: make(chan *copyJob, 1), out: make(chan any), spare: make(chan *rowStore, spareStores), ctx: ctx, cancel: cancel, ended: make(chan struct{})}
	go c.serve(ctx)
	return c
}

// stop ends the copier; it waits until its connection is closed.
func (c *copier) stop() {
	c.cancel()
	<-c.ended
}

func (c *copier) serve(ctx context.Context) {
	defer close(c.ended)
	defer c.disconnect()
	for {
		select {
		case <-ctx.Done():
			return
		case job := <-c.jobs:
			if err := c.copy(job); err != nil && job.ctx.Err() == nil {
				c.say(job.ctx, &copyFailure{job, err})
			}
			job.cancel()
		}
	}
}

// say hands something to the reader.
func (c *copier) say(ctx context.Context, msg any) bool {
	select {
	case c.out <- msg:
		return true
	case <-ctx.Done():
		return false
	}
}

func (c *copier) disconnect() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

// copy reads a table to its end. What passes by itself is tried again from the last
// chunk that was handed over.
func (c *copier) copy(job *copyJob) error {
	pause := 50 * time.Millisecond
	for tries := 0; ; {
		eof, err := c.next(job)
		switch {
		case job.ctx.Err() != nil:
			return job.ctx.Err()
		case err == nil && eof:
			return nil
		case err == nil:
			tries, pause = 0, 50*time.Millisecond
			continue
		case isNoTable(err), connector.CauseOf(c.set.classify("copying", err)) == connector.CauseWrong:
			return err
		}
		if serverCode(err) == 0 {
			c.disconnect()
		} else {
			_, _ = c.conn.Execute("ROLLBACK")
		}
		if tries++; tries > 20 && !passing(serverCode(err)) {
			return err
		}
		select {
		case <-job.ctx.Done():
			return job.ctx.Err()
		case <-time.After(pause):
		}
		pause = min(pause*2, 5*time.Second)
	}
}

// passing tells the errors that waiting always ends: locks, deadlocks, a definition that changed.
func passing(code uint16) bool {
	switch code {
	case codeLockWait, codeDeadlock, codeTableChanged:
		return true
	}
	return false
}

// session opens the copier's connection, to the server whose log is read.
func (c *copier) session(ctx context.Context) error {
	if c.conn != nil {
		return nil
	}
	conn, err := connect(ctx, c.set, c.deps)
	if err != nil {
		return err
	}
	for _, q := range append(append([]string{}, row.SnapshotSession...), "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", "SET SESSION innodb_lock_wait_timeout = 1") {
		if _, err := conn.Execute(q); err != nil {
			_ = conn.Close()
			return fmt.Errorf("preparing the session: %w", err)
		}
	}
	srv, err := describeServer(conn.Conn)
	if err == nil && srv.Identity != c.srv.Identity {
		err = fmt.Errorf("the address leads to another server (%s) than the one whose log is read", srv.Identity)
	}
	if err != nil {
		_ = conn.Close()
		return err
	}
	c.conn = conn
	return nil
}

// next reads one chunk, or a whole view, and hands it over. eof: nothing is left.
func (c *copier) next(job *copyJob) (eof bool, err error) {
	if err := c.session(c.ctx); err != nil {
		return false, err
	}
	conn := c.conn
	stop := context.AfterFunc(job.ctx, conn.cut)
	defer func() {
		if !stop() {
			c.conn = nil // it was closed
		}
	}()
	if job.engine == "" {
		if err := c.survey(job); err != nil {
			return false, err
		}
	}
	if job.view {
		return true, c.readView(job)
	}
	m, err := c.announce(job)
	if err != nil {
		return false, err
	}
	ch, err := c.readChunk(job, m)
	if err != nil {
		return false, err
	}
	job.after, job.key = ch.last, ch.key
	if !ch.eof {
		ch.next = newAnnounce(job)
		c.announced = ch.next
	}
	if !c.say(job.ctx, ch) {
		return false, job.ctx.Err()
	}
	return ch.eof, nil
}

// survey finds out how a table is to be copied.
func (c *copier) survey(job *copyJob) error {
	r, err := c.conn.Execute("SELECT ENGINE, TABLE_ROWS, AVG_ROW_LENGTH FROM information_schema.TABLES WHERE TABLE_SCHEMA = " + quoteText(c.set.Database) + " AND TABLE_NAME = " + quoteText(job.table))
	if err != nil {
		return fmt.Errorf("looking at table %s: %w", job.table, err)
	}
	if r.RowNumber() == 0 {
		return row.ErrNoTable
	}
	def, err := row.Describe(job.ctx, c.conn, c.set.Database, job.table)
	if err != nil {
		return fmt.Errorf("describing table %s: %w", job.table, err)
	}
	job.engine, _ = r.GetString(0, 0)
	rows, _ := r.GetInt(0, 1)
	size, _ := r.GetInt(0, 2)
	job.estimate = rows
	c.size = max(size, 1) + int64(len(def.Columns))*40
	job.view = !chunkable(def)
	return nil
}

// chunkable tells whether a table can be read in chunks: it has a primary key whose
// order SELECT and bounds agree on.
func chunkable(def *row.Table) bool {
	if len(def.Key) == 0 {
		return false
	}
	for _, n := range def.KeyPrefix {
		if n != 0 {
			return false
		}
	}
	for _, at := range def.Key {
		switch c := &def.Columns[at]; c.Kind {
		case row.Float, row.Double, row.JSON, row.Geometry, row.Vector:
			return false
		default:
			if !c.Ordered() && !serverOrdered(c) {
				return false
			}
		}
	}
	return true
}

// ordered tells whether keys are compared here.
func ordered(def *row.Table) bool {
	for _, at := range def.Key {
		if !def.Columns[at].Ordered() {
			return false
		}
	}
	return true
}

// keySignature names the key's columns, and behind a line end each what orders them: a frontier is good
// for the same ones only.
func keySignature(def *row.Table) string {
	var types, order strings.Builder
	for _, at := range def.Key {
		c := &def.Columns[at]
		types.WriteString(c.Type + ",")
		switch c.Kind {
		case row.Text:
			order.WriteString(c.Collation + ",")
		case row.Enum, row.Set:
			fmt.Fprintf(&order, "%q,", c.Members)
		}
	}
	return keyShape(def) + "\n" + types.String() + "\n" + order.String()
}

// keyShape is the part of a signature that the binary log tells too.
func keyShape(def *row.Table) string {
	var b strings.Builder
	for i, at := range def.Key {
		c := &def.Columns[at]
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q %d %t %s", c.Name, c.Kind, c.Unsigned, c.Charset)
	}
	return b.String()
}

// fits tells whether the table's frontier can be compared with keys of a definition.
func (t *table) fits(def *row.Table) bool {
	if t.state.Frontier == nil {
		return true
	}
	if t.shaped != def {
		t.shaped, t.shape = def, keyShape(def)
	}
	shape, _, _ := strings.Cut(t.state.Key, "\n")
	return shape == t.shape
}

// mayReorder tells whether a statement can change the order of the key and nothing that the log tells.
func (t *table) mayReorder() bool {
	return t.state.State == stateCopying && t.state.Frontier != nil && !strings.HasSuffix(t.state.Key, "\n")
}

func newAnnounce(job *copyJob) *announce {
	return &announce{job: job, after: job.after, mark: make(chan mark, 1)}
}

// announce asks the reader how far the stream is, unless that went with the last chunk.
func (c *copier) announce(job *copyJob) (mark, error) {
	a := c.announced
	c.announced = nil
	if a == nil || a.job != job {
		a = newAnnounce(job)
		if !c.say(job.ctx, a) {
			return mark{}, job.ctx.Err()
		}
	}
	select {
	case m := <-a.mark:
		return m, nil
	case <-job.ctx.Done():
		return mark{}, job.ctx.Err()
	}
}
