package mysql

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"
	"github.com/klauspost/compress/zstd"
)

// Flags of MariaDB's GTID event (sql/log_event.h, Gtid_log_event).
const (
	mariaStandalone = 1 << 0 // one statement, no end follows
	mariaGroup      = 1 << 1 // a commit id follows
	mariaPreparedXA = 1 << 6 // ends in a PREPARE
	mariaDoneXA     = 1 << 7 // decides a prepared one
)

// maxInnerEvent bounds an event inside a compressed transaction: the server's own bound of an event.
const maxInnerEvent = 1 << 30

var errShortEvent = errors.New("the event is too short")

// queryEvent is a statement in the binary log.
type queryEvent struct {
	thread uint32
	schema string
	query  []byte
}

// parseQuery reads a QUERY_EVENT, or MariaDB's compressed one.
func parseQuery(body []byte, compressed bool) (queryEvent, error) {
	if len(body) < 13 {
		return queryEvent{}, errShortEvent
	}
	q := queryEvent{thread: binary.LittleEndian.Uint32(body)}
	schema, vars := int(body[8]), int(binary.LittleEndian.Uint16(body[11:]))
	at := 13 + vars
	if len(body) < at+schema+1 {
		return q, errShortEvent
	}
	q.schema = string(body[at : at+schema])
	q.query = body[at+schema+1:]
	if compressed {
		plain, err := mysql.DecompressMariadbData(q.query)
		if err != nil {
			return q, fmt.Errorf("decompressing a statement: %w", err)
		}
		q.query = plain
	}
	return q, nil
}

// gtidEvent begins a transaction.
type gtidEvent struct {
	key    string // MySQL: the source in a set; "" of an anonymous one
	n      int64
	domain uint32
	server uint32
	flags  byte // MariaDB
	xid    string
	micros uint64 // commit time; 0 when only the header's seconds are known
}

// text is the transaction's GTID, "" of an anonymous one.
func (g *gtidEvent) text(mariadb bool) string {
	switch {
	case mariadb:
		return string(appendMaria(nil, g.domain, mariaPoint{g.server, uint64(g.n)}))
	case g.key == "":
		return ""
	}
	return fmt.Sprintf("%s:%d", g.key, g.n)
}

// parseGTID reads what begins a transaction, of either flavour.
func parseGTID(e *event) (g gtidEvent, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errShortEvent
		}
	}()
	switch e.kind {
	case replication.MARIADB_GTID_EVENT:
		return parseMariaGTID(e)
	case replication.ANONYMOUS_GTID_EVENT, replication.GTID_EVENT:
		var ev replication.GTIDEvent
		if err := ev.Decode(e.body); err != nil {
			return g, err
		}
		g.micros = ev.ImmediateCommitTimestamp
		if e.kind == replication.GTID_EVENT {
			g.n = ev.GNO
			g.key, err = sidKey(ev.SID, "")
		}
		return g, err
	}
	var ev replication.GtidTaggedLogEvent
	if err := ev.Decode(e.body); err != nil {
		return g, err
	}
	g.n, g.micros = ev.GNO, ev.ImmediateCommitTimestamp
	g.key, err = sidKey(ev.SID, ev.Tag.String())
	return g, err
}

func parseMariaGTID(e *event) (gtidEvent, error) {
	b := e.body
	if len(b) < 13 {
		return gtidEvent{}, errShortEvent
	}
	g := gtidEvent{n: int64(binary.LittleEndian.Uint64(b)), domain: binary.LittleEndian.Uint32(b[8:]), flags: b[12], server: e.serverID}
	at := 13
	if g.flags&mariaGroup != 0 {
		at += 8
	}
	if g.flags&(mariaPreparedXA|mariaDoneXA) != 0 {
		if len(b) < at+6 {
			return g, errShortEvent
		}
		format := binary.LittleEndian.Uint32(b[at:])
		gtrid, bqual := int(b[at+4]), int(b[at+5])
		if len(b) < at+6+gtrid+bqual {
			return g, errShortEvent
		}
		data := b[at+6:]
		g.xid = xidText(data[:gtrid], data[gtrid:gtrid+bqual], format)
	}
	return g, nil
}

// xidText names an XA transaction as the servers print it in XA statements.
func xidText(gtrid, bqual []byte, format uint32) string {
	return fmt.Sprintf("X'%s',X'%s',%d", hex.EncodeToString(gtrid), hex.EncodeToString(bqual), format)
}

// parsePrepare reads an XA_PREPARE_LOG_EVENT.
func parsePrepare(b []byte) (xid string, onePhase bool, err error) {
	if len(b) < 13 {
		return "", false, errShortEvent
	}
	format, gtrid, bqual := binary.LittleEndian.Uint32(b[1:]), binary.LittleEndian.Uint32(b[5:]), binary.LittleEndian.Uint32(b[9:])
	data := b[13:]
	if uint64(gtrid)+uint64(bqual) > uint64(len(data)) {
		return "", false, errShortEvent
	}
	return xidText(data[:gtrid], data[gtrid:gtrid+bqual], format), b[0] != 0, nil
}

// parseXID reads the xid of an XA COMMIT or XA ROLLBACK statement: X'…',X'…',n. Other
// forms than the one that servers write to their log are an error.
func parseXID(s string) (string, error) {
	parts := strings.Split(strings.TrimSpace(s), ",")
	var raw [2][]byte
	var format uint32 = 1
	for i, p := range parts {
		p = strings.TrimSpace(p)
		switch {
		case i < 2 && len(p) >= 3 && (p[0] == 'X' || p[0] == 'x') && p[1] == '\'' && p[len(p)-1] == '\'':
			b, err := hex.DecodeString(p[2 : len(p)-1])
			if err != nil {
				return "", fmt.Errorf("%q is no xid", clip(s))
			}
			raw[i] = b
		case i == 2:
			if _, err := fmt.Sscanf(p, "%d", &format); err != nil {
				return "", fmt.Errorf("%q is no xid", clip(s))
			}
		default:
			return "", fmt.Errorf("%q is no xid", clip(s))
		}
	}
	return xidText(raw[0], raw[1], format), nil
}

// eachInner gives the events of a compressed transaction one by one, decompressing as it
// goes: a transaction of any size passes through a buffer of one event.
// The body that each receives is good until it returns.
func eachInner(outer *event, each func(*event) error) error {
	compression, payload, err := payloadFields(outer.body)
	if err != nil {
		return fmt.Errorf("reading a compressed transaction: %w", err)
	}
	var in io.Reader = bytes.NewReader(payload)
	switch compression {
	case replication.ZSTD:
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(128<<20), zstd.WithDecoderLowmem(true))
		if err != nil {
			return fmt.Errorf("reading a compressed transaction: %w", err)
		}
		defer z.Close()
		in = z
	case replication.NONE:
	default:
		return fmt.Errorf("a transaction is compressed in a way that is not known (%d)", compression)
	}
	head := make([]byte, replication.EventHeaderSize)
	var body []byte
	for {
		if _, err := io.ReadFull(in, head); err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("reading a compressed transaction: %w", err)
		}
		e := event{time: binary.LittleEndian.Uint32(head), kind: replication.EventType(head[4]), serverID: binary.LittleEndian.Uint32(head[5:]),
			size: binary.LittleEndian.Uint32(head[9:]), flags: binary.LittleEndian.Uint16(head[17:])}
		if e.size < replication.EventHeaderSize || e.size > maxInnerEvent {
			return fmt.Errorf("an event of a compressed transaction says it has %d bytes", e.size)
		}
		n := int(e.size) - replication.EventHeaderSize
		if cap(body) < n {
			body = make([]byte, n+n/4)
		}
		if _, err := io.ReadFull(in, body[:n]); err != nil {
			return fmt.Errorf("reading a compressed transaction: %w", err)
		}
		e.body = body[:n]
		if err := each(&e); err != nil {
			return err
		}
	}
}

// payloadFields reads the header of a TRANSACTION_PAYLOAD_EVENT.
func payloadFields(b []byte) (compression uint64, payload []byte, err error) {
	next := func() (uint64, bool) {
		if len(b) == 0 {
			return 0, false
		}
		n := 1
		switch b[0] {
		case 0xfc:
			n = 3
		case 0xfd:
			n = 4
		case 0xfe:
			n = 9
		}
		if len(b) < n {
			return 0, false
		}
		v, _, _ := mysql.LengthEncodedInt(b[:n])
		b = b[n:]
		return v, true
	}
	for {
		kind, ok := next()
		if !ok {
			return 0, nil, errShortEvent
		}
		if kind == replication.OTW_PAYLOAD_HEADER_END_MARK {
			return compression, b, nil
		}
		length, ok := next()
		if !ok || length > uint64(len(b)) {
			return 0, nil, errShortEvent
		}
		rest := b[length:]
		if kind == replication.OTW_PAYLOAD_COMPRESSION_TYPE_FIELD {
			if compression, ok = next(); !ok {
				return 0, nil, errShortEvent
			}
		}
		b = rest
	}
}
