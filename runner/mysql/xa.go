package mysql

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/sluice-io/sluice/runner/connector"
)

// XA transactions are logged twice: their rows at PREPARE, the decision later. Rows are held
// until COMMIT and then sent as rows of the deciding transaction, whose place in the
// log is theirs too. Until the decision the PREPARE is not done: MySQL's set leaves it
// out, so that it is sent again after a restart; elsewhere the start point stays before
// the oldest one, and what is done behind it is passed over.

// xaMemory is what held rows may take in memory; above it they go to files.
const xaMemory = 16 << 20

// xaStore holds the rows of prepared transactions.
type xaStore struct {
	dir   string // of the files; "" is the system's
	by    map[string]*xaRows
	bytes int
}

// xaRows are the events of one: table maps and rows.
type xaRows struct {
	buf    bytes.Buffer
	file   *os.File // nil while in memory; without a name, so that it goes with the process
	rows   int      // events
	thread uint32
}

func (s *xaStore) reset() {
	for _, x := range s.by {
		x.close()
	}
	s.by, s.bytes = map[string]*xaRows{}, 0
}

func (s *xaStore) close() { s.reset() }

// begin makes room for a transaction's rows.
func (s *xaStore) begin(xid string) *xaRows {
	s.drop(xid)
	x := &xaRows{}
	s.by[xid] = x
	return x
}

func (s *xaStore) drop(xid string) {
	if x := s.by[xid]; x != nil {
		s.bytes -= x.buf.Len()
		x.close()
		delete(s.by, xid)
	}
}

func (x *xaRows) close() {
	if x.file != nil {
		_ = x.file.Close()
	}
}

// add holds an event.
func (x *xaRows) add(s *xaStore, e *event) error {
	var head [17]byte
	head[0] = byte(e.kind)
	binary.LittleEndian.PutUint32(head[1:], e.time)
	binary.LittleEndian.PutUint32(head[5:], e.serverID)
	binary.LittleEndian.PutUint32(head[9:], e.size)
	binary.LittleEndian.PutUint32(head[13:], uint32(len(e.body)))
	x.buf.Write(head[:])
	x.buf.Write(e.body)
	s.bytes += len(head) + len(e.body)
	if s.bytes <= xaMemory {
		return nil
	}
	if x.file == nil {
		f, err := spillFile(s.dir)
		if err != nil {
			return fmt.Errorf("making a file for rows of a prepared transaction: %w", err)
		}
		x.file = f
	}
	s.bytes -= x.buf.Len()
	if _, err := x.buf.WriteTo(x.file); err != nil {
		return fmt.Errorf("writing rows of a prepared transaction to a file: %w", err)
	}
	return nil
}

// spillFile makes a file that has no name any more when it is returned.
func spillFile(dir string) (*os.File, error) {
	if dir != "" {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	f, err := os.CreateTemp(dir, "sluice-xa-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// each gives the held events in order.
func (x *xaRows) each(f func(*event) error) error {
	var in io.Reader = bytes.NewReader(x.buf.Bytes())
	if x.file != nil {
		if _, err := x.file.Seek(0, io.SeekStart); err != nil {
			return fmt.Errorf("reading rows of a prepared transaction: %w", err)
		}
		in = io.MultiReader(bufio.NewReaderSize(x.file, 1<<18), in)
	}
	var (
		head [17]byte
		body []byte
	)
	for {
		if _, err := io.ReadFull(in, head[:]); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("reading rows of a prepared transaction: %w", err)
		}
		n := int(binary.LittleEndian.Uint32(head[13:]))
		if cap(body) < n {
			body = make([]byte, n)
		}
		if _, err := io.ReadFull(in, body[:n]); err != nil {
			return fmt.Errorf("reading rows of a prepared transaction: %w", err)
		}
		e := event{kind: replication.EventType(head[0]), time: binary.LittleEndian.Uint32(head[1:]), serverID: binary.LittleEndian.Uint32(head[5:]),
			size: binary.LittleEndian.Uint32(head[9:]), body: body[:n]}
		if err := f(&e); err != nil {
			return err
		}
	}
}

// xaStatement works an XA statement off.
func (r *reader) xaStatement(ctx context.Context, text string) error {
	words := strings.Fields(text)
	verb := ""
	if len(words) > 1 {
		verb = strings.ToUpper(words[1])
	}
	rest := strings.TrimSpace(strings.TrimPrefix(text[2:], " "))
	rest = strings.TrimSpace(rest[min(len(verb), len(rest)):])
	switch verb {
	case "START", "BEGIN":
		xid, err := parseXID(rest)
		if err != nil {
			return err
		}
		r.group.begun = true
		r.collect(xid)
		return nil
	case "COMMIT", "ROLLBACK":
		one := strings.HasSuffix(strings.ToUpper(rest), "ONE PHASE")
		if one {
			rest = rest[:len(rest)-len("ONE PHASE")]
		}
		xid, err := parseXID(rest)
		if err != nil {
			return err
		}
		return r.decide(ctx, xid, verb == "COMMIT")
	}
	return nil
}

// collect has the rows of the transaction that begins held. One that is done and decided
// is passed over.
func (r *reader) collect(xid string) {
	if r.group.skip && !slices.ContainsFunc(r.done.open, func(p prepared) bool { return p.XID == xid && p.id() == r.group.id }) {
		return
	}
	r.group.xa = r.xa.begin(xid)
	r.group.xid = xid
}

// id is what names the PREPARE, as group.id does.
func (p *prepared) id() string {
	if p.GTID != "" {
		return p.GTID
	}
	return p.filePos.String()
}

// prepare ends the first half of an XA transaction.
func (r *reader) prepare(ctx context.Context, e *event) error {
	xid, onePhase, err := parsePrepare(e.body)
	if err != nil {
		return fmt.Errorf("reading a PREPARE: %w", err)
	}
	g := &r.group
	rows := g.xa
	g.xa = nil
	switch {
	case g.skip:
		return r.endGroup(ctx, false)
	case rows == nil:
		return r.endGroup(ctx, true)
	case onePhase:
		if err := r.replay(ctx, rows); err != nil {
			return err
		}
		r.xa.drop(xid)
		return r.commit(ctx)
	case rows.rows == 0 && !r.done.blind: // nothing of ours: its decision will tell us nothing
		r.xa.drop(xid)
		return r.endGroup(ctx, true)
	}
	rows.thread = g.thread
	p := prepared{XID: xid, filePos: g.start, Since: g.millis, Before: g.before}
	if r.done.gtid {
		p.GTID = g.gtidID
	}
	if !slices.ContainsFunc(r.done.open, func(o prepared) bool { return o.XID == p.XID && o.id() == p.id() }) { // else it was read again
		r.done.open = append(slices.Clip(r.done.open), p)
		r.startBefore()
	}
	// MySQL's set leaves it out; elsewhere it is done, and named as open.
	return r.endGroup(ctx, r.done.my == nil)
}

// startBefore has the stream start before the oldest undecided PREPARE after a restart.
func (r *reader) startBefore() {
	if r.done.my != nil {
		return
	}
	r.done.from = nil
	if len(r.done.open) > 0 {
		oldest := r.done.open[0]
		r.done.from = &startPoint{GTID: oldest.Before, filePos: oldest.filePos}
	}
}

// decide ends an XA transaction: its rows are sent or dropped.
func (r *reader) decide(ctx context.Context, xid string, commit bool) error {
	if r.group.skip {
		return r.endGroup(ctx, false)
	}
	at := slices.IndexFunc(r.done.open, func(p prepared) bool { return p.XID == xid })
	if at < 0 {
		if commit && r.done.blind {
			return &connector.GapError{Lost: fmt.Sprintf("transaction %s was prepared before the reader's start point and is committed now (at %s, %s): its rows were neither copied nor read", xid, r.at, timeText(r.group.millis)),
				Choices: gapChoices()}
		}
		return r.endGroup(ctx, true) // it had no rows of ours
	}
	rows := r.xa.by[xid]
	if rows == nil {
		return &connector.GapError{Lost: fmt.Sprintf("the rows of the prepared transaction %s are not in the log any more", xid), Choices: gapChoices()}
	}
	if commit {
		r.group.thread = rows.thread
		if err := r.replay(ctx, rows); err != nil {
			return err
		}
	}
	p := r.done.open[at]
	r.done.open = slices.Delete(slices.Clone(r.done.open), at, at+1)
	r.startBefore()
	if r.done.my != nil {
		set, err := parseGTIDSet(p.GTID)
		if err != nil {
			return err
		}
		for key, list := range set.by {
			for _, v := range list {
				r.done.my.addRange(key, v.first, v.last)
			}
		}
	}
	r.xa.drop(xid)
	return r.commit(ctx)
}

// replay sends held rows as rows of the open transaction.
func (r *reader) replay(ctx context.Context, x *xaRows) error {
	kept := r.maps
	r.maps = map[uint64]*mapped{}
	defer func() { r.maps = kept }()
	return x.each(func(e *event) error {
		if e.kind == replication.TABLE_MAP_EVENT {
			return r.tableMap(ctx, e)
		}
		return r.rows(ctx, e)
	})
}
