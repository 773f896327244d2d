package mysql

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-mysql-org/go-mysql/client"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/mysql/format"
	"github.com/sluice-io/sluice/runner/mysql/row"
)

const (
	// maxFact is what a database transaction may have to become visible at once; a larger
	// one becomes visible in parts.
	maxFact = 16 << 20
	// saveEvery is how often a position that moved without messages is saved.
	saveEvery = 2 * time.Second
	// tick is how often the reader looks after what nobody tells it.
	tick = 250 * time.Millisecond
)

// reader is one Run of a source. All of it belongs to the goroutine of Run.
type reader struct {
	src   *source
	set   *Settings
	deps  connector.Deps
	log   *slog.Logger
	out   connector.Outlet
	start connector.Start

	ctl  *session // for questions while streaming
	srv  *server
	feed *feed

	done   *progress // nil until a start point was taken
	at     filePos   // behind the last event
	from   uint64    // where in at.File that event begins
	group  group
	maps   map[uint64]*mapped
	tables map[string]*table
	names  []string // of tables, in the order they are copied
	xa     xaStore

	dec    row.Decoder
	ahead  row.Decoder // of events whose turn has not come
	enc    format.Encoder
	change format.Change
	cur    *mapped
	each   row.EachRow
	emit   func(*format.Message) error
	record connector.Outgoing

	to        *table          // whose messages are written
	partition int32           // of the messages that are written; -1 is by key
	ctxRow    context.Context // of the rows at work
	keyBuf    []byte
	keyVals   []row.Value
	keyText   []byte
	asked     map[string]bool // answers of the server about the order of keys

	copier *copier
	merge  merge

	dirty  bool // the position moved since it was last marked
	saved  time.Time
	shown  time.Time
	warned time.Time // of retention
	moved  []*table  // whose state changes with the next Mark
	behind time.Duration
	began  time.Time   // the stream that is read
	clash  []time.Time // when another reader with our server id came at once after we had

	fresh    bool       // the position is to be taken anew
	refusals int        // of the position by the server, in a row
	risk     string     // of the log being purged before it was read
	removed  []string   // keys of what is saved that go with the next Mark
	later    []*request // that came inside a transaction

	cascadesTold bool
}

func newReader(s *source, start connector.Start, out connector.Outlet) (*reader, error) {
	r := &reader{src: s, set: &s.set, deps: s.deps, log: s.log, out: out, start: start, partition: -1, maps: map[uint64]*mapped{}, tables: map[string]*table{},
		xa: xaStore{dir: s.deps.TempDir}}
	r.each, r.emit = r.eachRow, r.emitMessage
	r.change.Sequence = r.nextSequence
	if err := r.loadTables(start.Saved); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *reader) nextSequence() uint64 {
	r.done.sequence++
	return r.done.sequence
}

func (r *reader) close() {
	r.disconnect()
	r.xa.close()
}

func (r *reader) disconnect() {
	r.merge.reset() // the copier waits for its job's end
	if r.copier != nil {
		r.copier.stop()
		r.copier = nil
	}
	if r.feed != nil {
		r.feed.close()
		r.feed = nil
	}
	if r.ctl != nil {
		_ = r.ctl.Close()
		r.ctl = nil
	}
}

// run connects and streams, and again after what passes.
func (r *reader) run(ctx context.Context) error {
	pause := 100 * time.Millisecond
	for {
		began := time.Now()
		err := r.attempt(ctx)
		if ctx.Err() != nil {
			return nil
		}
		err = r.judge(ctx, err)
		r.disconnect()
		var o *outletError
		if errors.As(err, &o) {
			return err
		}
		switch connector.CauseOf(err) {
		case connector.CauseWrong, connector.CauseGap, connector.CauseRecord:
			return err
		}
		r.dropTail()
		if time.Since(began) > time.Minute {
			pause = 100 * time.Millisecond
		}
		var away *connector.AwayError
		if errors.As(err, &away) && away.After > 0 {
			pause = max(pause, away.After)
		}
		r.out.Away(err)
		r.log.Warn("reading the database was interrupted", "error", err, "pause", pause)
		r.out.Log(slog.LevelWarn, "Reading the database was interrupted; trying again.", map[string]string{"error": err.Error(), "pause": pause.String()})
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		pause = min(pause*2, time.Minute)
	}
}

// dropTail takes back what an interrupted transaction has written.
func (r *reader) dropTail() {
	r.group = group{}
	for _, t := range r.tables {
		t.inGroup, t.groupRows, t.skipRows = false, 0, 0
	}
	r.out.Drop()
}

// attempt is one connection's life.
func (r *reader) attempt(ctx context.Context) error {
	var err error
	if r.ctl, err = connect(ctx, r.set, r.deps); err != nil {
		return err
	}
	if r.srv, err = describeServer(r.ctl.Conn); err != nil {
		return err
	}
	if err := r.srv.readable(); err != nil {
		return err
	}
	if r.srv.LowerCase != 0 {
		r.set.Tables = r.set.Tables.Fold()
	}
	if r.enc, err = r.src.encoder(r.set, r.srv); err != nil {
		return err
	}
	if err := r.checkServerID(); err != nil {
		return err
	}
	from, err := r.begin(ctx)
	if err != nil {
		return err
	}
	if r.feed, err = openFeed(ctx, r.set, r.deps, r.srv, from); err != nil {
		return err
	}
	r.began = time.Now()
	r.maps, r.group = map[uint64]*mapped{}, group{}
	r.xa.reset()
	r.copier = startCopier(ctx, r.set, r.deps, r.srv)
	r.out.Away(nil)
	r.out.Log(slog.LevelInfo, "Reading the binary log.", map[string]string{"server": r.srv.Version, "from": from.GTID + " " + from.filePos.String()})
	return r.loop(ctx)
}

func newEncoder(s *Settings, srv *server) (format.Encoder, error) {
	return format.New(s.Format, format.Options{
		Zone: s.Zone, ZeroDate: format.Policy(s.ZeroDate), InvalidText: format.Policy(s.InvalidText),
		TinyInt1Boolean: s.TinyInt1 == TinyInt1Boolean, Version: srv.Version, MariaDB: srv.MariaDB(), Name: s.Prefix,
	})
}

// loop works events and chunks off until something ends it.
func (r *reader) loop(ctx context.Context) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		events, err := r.feed.take()
		if err != nil {
			return err
		}
		if err := r.foresee(ctx, events); err != nil {
			return err
		}
		for i := range events {
			if err := r.handle(ctx, &events[i]); err != nil {
				return err
			}
		}
		if err := r.settle(ctx); err != nil {
			return err
		}
		if len(events) > 0 {
			select {
			case <-ticker.C:
				err = r.onTick(ctx)
			case m := <-r.copier.out:
				err = r.onCopier(ctx, m)
			case q := <-r.src.requests:
				err = r.onRequest(ctx, q)
			case <-ctx.Done():
				return nil
			default:
			}
		} else {
			select {
			case <-r.feed.notify:
			case <-ticker.C:
				err = r.onTick(ctx)
			case m := <-r.copier.out:
				err = r.onCopier(ctx, m)
			case q := <-r.src.requests:
				err = r.onRequest(ctx, q)
			case <-ctx.Done():
				return nil
			}
		}
		if err != nil {
			return err
		}
	}
}

// mark ends a fact: with the position, and the states of tables that changed.
func (r *reader) mark(ctx context.Context) error {
	entries := make([]connector.Entry, 1, 1+len(r.moved)+len(r.removed))
	entries[0] = r.done.entry()
	for _, key := range r.removed { // before the others: a table that went may have come again
		entries = append(entries, connector.Entry{Key: key})
	}
	for _, t := range r.moved {
		entries = append(entries, t.state.entry(t.name))
		t.pending = false
	}
	r.moved, r.removed = r.moved[:0], nil
	r.dirty, r.saved = false, time.Now()
	return outlet(r.out.Mark(ctx, entries...))
}

// touch has a table's state saved with the next Mark.
func (r *reader) touch(t *table) {
	if !t.pending {
		t.pending = true
		r.moved = append(r.moved, t)
	}
	r.dirty = true
}

// onTick saves a position that moved without messages, and shows how far things are.
func (r *reader) onTick(ctx context.Context) error {
	now := time.Now()
	every := min(saveEvery, r.set.Heartbeat)
	if r.dirty && !r.group.active && now.Sub(r.saved) >= every {
		if err := r.mark(ctx); err != nil {
			return err
		}
	}
	if now.Sub(r.shown) >= time.Second {
		r.shown = now
		r.out.Behind(r.behind)
		r.out.Progress(r.progressOf(now))
	}
	return r.watchRetention(now)
}

// ask runs a question on the control connection, once more on a new one when it broke.
func (r *reader) ask(ctx context.Context, what string, f func(*client.Conn) error) error {
	err := f(r.ctl.Conn)
	if err == nil || serverCode(err) != 0 || ctx.Err() != nil {
		return wrapAsk(what, err)
	}
	_ = r.ctl.Close()
	conn, err := connect(ctx, r.set, r.deps)
	if err != nil {
		return err
	}
	r.ctl = conn
	return wrapAsk(what, f(conn.Conn))
}

func wrapAsk(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
