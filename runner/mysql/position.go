package mysql

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
)

// Keys of what is saved.
const (
	savedPosition = "position"
	savedTable    = "table/"
	savedSnapshot = "snapshot/" // a copy that was asked for; its value is a request
)

// position is the value of the key "position": what of the binary log is done, and where
// the server is to be asked to go on. It changes with every transaction, in one Kafka
// transaction with its messages.
type position struct {
	// Flavor and Server are whose log it is; Server matters for File and Pos only.
	Flavor string `json:"flavor"`
	Server string `json:"server"`
	// Mode tells how the server is asked to go on: "gtid", or "file" by File and Pos.
	Mode string `json:"mode"`
	// GTID is what is done: of MySQL the set of transactions, without prepared ones that are
	// undecided; of MariaDB the last transaction of each domain. "" where the server has none.
	GTID string `json:"gtid,omitempty"`
	// File and Pos are where the last transaction that is done ends in Server's log.
	File string `json:"file"`
	Pos  uint64 `json:"pos"`
	// From is where to go on when that is not behind what is done: before the oldest undecided
	// PREPARE (MariaDB, and MySQL without GTIDs). Transactions that are done are then
	// left out, those in Open are read again.
	From *startPoint `json:"from,omitempty"`
	Open []prepared  `json:"open,omitempty"`
	// Blind: prepared transactions could not be listed when the start point was taken (the
	// account may not). A COMMIT of one whose PREPARE was not read is then a Gap.
	Blind bool `json:"blind,omitempty"`
	// Partial is a transaction of which a part is visible.
	Partial *partial `json:"partial,omitempty"`
	// Sequence is the last sequenceId that was given, Schema counts definitions of tables.
	Sequence uint64 `json:"sequence"`
	Schema   uint64 `json:"schema"`
	// Time is when the last transaction was committed, Unix time in ms.
	Time int64 `json:"time"`
}

// Modes of a position.
const (
	modeGTID = "gtid"
	modeFile = "file"
)

type startPoint struct {
	GTID string `json:"gtid,omitempty"`
	filePos
}

// prepared is an XA transaction between PREPARE and its decision.
type prepared struct {
	XID  string `json:"xid"`
	GTID string `json:"gtid,omitempty"` // of the PREPARE
	filePos
	Before string `json:"before,omitempty"` // MariaDB: what was done before it
	Since  int64  `json:"since"`            // Unix time in ms
}

// partial names a transaction and how many rows of each table of it are visible.
type partial struct {
	ID   string           `json:"id"` // GTID, or file:pos of its begin
	Rows map[string]int64 `json:"rows"`
	Part int              `json:"part"` // parts that are visible
}

// progress is a position at work: what the stream has done.
type progress struct {
	mariadb bool
	gtid    bool
	my      *gtidSet
	maria   mariaSet
	last    string // the source of my that grew last
	at      filePos
	server  string
	flavor  string

	from    *startPoint
	open    []prepared
	partial *partial
	blind   bool

	sequence, schema uint64
	time             int64

	quotedFile, quotedFor string
	quotedServer          string
}

// resume makes a progress of what is saved, for a server of that flavour and mode.
func (p *position) resume(srv *server) (*progress, error) {
	g := &progress{mariadb: srv.MariaDB(), flavor: p.Flavor, gtid: srv.GTID, server: p.Server, at: filePos{p.File, p.Pos},
		from: p.From, open: p.Open, partial: p.Partial, blind: p.Blind, sequence: p.Sequence, schema: p.Schema, time: p.Time}
	if g.flavor == "" { // set by hand before anything was read
		g.flavor = srv.Flavor
	}
	var err error
	switch {
	case p.Mode != modeGTID:
		g.gtid = false
	case g.mariadb:
		g.maria, err = parseMariaSet(p.GTID)
	default:
		g.my, err = parseGTIDSet(p.GTID)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the saved position: %w", err)
	}
	return g, nil
}

// textOfGTID is the set that is done, "" without one.
func (g *progress) textOfGTID() string {
	switch {
	case g.my != nil:
		return g.my.String()
	case g.maria != nil:
		return g.maria.String()
	}
	return ""
}

// entry is the position as an entry to be saved. It is made for every transaction, so
// what seldom occurs alone goes through package json.
func (g *progress) entry() connector.Entry {
	if g.quotedFor != g.at.File || g.quotedFile == "" {
		g.quotedFor, g.quotedFile = g.at.File, quoteJSON(g.at.File)
	}
	if g.quotedServer == "" {
		g.quotedServer = quoteJSON(g.server)
	}
	b := make([]byte, 0, 320)
	b = append(b, `{"flavor":"`...)
	b = append(b, g.flavor...)
	b = append(b, `","server":`...)
	b = append(b, g.quotedServer...)
	switch {
	case g.my != nil:
		b = append(b, `,"mode":"gtid","gtid":"`...)
		b = append(g.my.appendText(b, g.last), '"')
	case g.maria != nil:
		b = append(b, `,"mode":"gtid","gtid":"`...)
		b = append(g.maria.appendText(b), '"')
	default:
		b = append(b, `,"mode":"file"`...)
	}
	b = append(b, `,"file":`...)
	b = append(b, g.quotedFile...)
	b = append(b, `,"pos":`...)
	b = strconv.AppendUint(b, g.at.Pos, 10)
	if g.from != nil {
		b = appendJSON(append(b, `,"from":`...), g.from)
	}
	if len(g.open) > 0 {
		b = appendJSON(append(b, `,"open":`...), g.open)
	}
	if g.blind {
		b = append(b, `,"blind":true`...)
	}
	if g.partial != nil {
		b = appendJSON(append(b, `,"partial":`...), g.partial)
	}
	b = append(b, `,"sequence":`...)
	b = strconv.AppendUint(b, g.sequence, 10)
	b = append(b, `,"schema":`...)
	b = strconv.AppendUint(b, g.schema, 10)
	b = append(b, `,"time":`...)
	b = strconv.AppendInt(b, g.time, 10)
	return connector.Entry{Key: savedPosition, Value: append(b, '}')}
}

func quoteJSON(s string) string { return string(appendJSON(nil, s)) }

func appendJSON(dst []byte, v any) []byte {
	b, err := json.Marshal(v)
	if err != nil { // strings, numbers and maps of them always marshal
		panic(err)
	}
	return append(dst, b...)
}

// firstSequence begins the sequenceIds of a connector that has none saved: above every
// one that it can have given before an operator's reset.
func firstSequence(now time.Time) uint64 { return uint64(now.UnixMilli()) * 1_000_000 }

// readPosition is nil when nothing is saved.
func readPosition(saved connector.Saved) (*position, error) {
	text, ok := saved[savedPosition]
	if !ok {
		return nil, nil
	}
	p := &position{}
	if err := json.Unmarshal(text, p); err != nil {
		return nil, fmt.Errorf("reading the saved position: %w", err)
	}
	return p, nil
}
