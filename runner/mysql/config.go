package mysql

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/record"
)

// Keys of the connector's own fields.
const (
	keyInstanceID  = "mysql.instance.id"
	keyRegion      = "mysql.region"
	keyCEN         = "cen.id"
	keyHost        = "mysql.host"
	keyPort        = "mysql.port"
	keyTLS         = "mysql.tls"
	keyCA          = "mysql.tls.ca"
	keyUser        = "mysql.user"
	keyPassword    = "mysql.password"
	keyDatabase    = "mysql.database"
	keyTables      = "mysql.tables"
	keyServerID    = "mysql.server.id"
	keySnapshot    = "snapshot.mode"
	keyChunk       = "snapshot.chunk.size"
	keyHeartbeat   = "heartbeat.interval.ms"
	keyPrefix      = "topic.prefix"
	keyFormat      = "mysql.format"
	keyTimezone    = "mysql.timezone"
	keyTinyInt1    = "mysql.tinyint1"
	keyZeroDate    = "mysql.zero.date"
	keyInvalidText = "mysql.invalid.text"
	keyOversize    = "mysql.oversize"
)

// TLSMode says how a connection to the server is secured; the values are those of
// MySQL's own --ssl-mode.
type TLSMode string

const (
	TLSDisabled       TLSMode = "disabled"
	TLSPreferred      TLSMode = "preferred" // encrypted when the server offers it, nothing verified
	TLSRequired       TLSMode = "required"  // encrypted, nothing verified
	TLSVerifyCA       TLSMode = "verify_ca"
	TLSVerifyIdentity TLSMode = "verify_identity"
)

// SnapshotMode says when tables are copied; the values are Debezium's.
type SnapshotMode string

const (
	SnapshotInitial     SnapshotMode = "initial"      // at the first start, then follow
	SnapshotNoData      SnapshotMode = "no_data"      // follow only
	SnapshotInitialOnly SnapshotMode = "initial_only" // copy, then wait
	SnapshotWhenNeeded  SnapshotMode = "when_needed"  // as initial, and again by itself when the binlog is gone
)

// Values of the other fields.
const (
	FormatDataWorks = "dataworks"
	FormatDebezium  = "debezium"

	TinyInt1Long    = "long"
	TinyInt1Boolean = "boolean"

	ZeroDateNull   = "null"
	ZeroDateString = "string"
	ZeroDateFail   = "fail"

	InvalidTextFail    = "fail"
	InvalidTextBase64  = "base64"
	InvalidTextReplace = "replace"

	OversizeFail = "fail"
	OversizeDLQ  = "dlq"
)

// Settings is a resolved and valid configuration, decoded.
type Settings struct {
	Name string // the connector's

	// Where the server is.
	Host     string
	Port     int
	TLS      TLSMode
	CA       string // PEM; "" means the system's roots, or those of Deps
	User     string
	Password string
	Region   string
	CEN      string // of a server in another region than the instance
	// ServerID is what the reader registers as with the server; never 0. Replica is the name that it
	// gives itself there, by which it knows itself again in the server's list: no other connector has it,
	// of this installation or another.
	ServerID uint32
	Replica  string

	// What is read.
	Database string
	Tables   Tables
	Snapshot SnapshotMode
	// ChunkRows is how many rows a chunk of a snapshot has at most.
	ChunkRows int
	// Heartbeat is how often the server sends a sign of life on an idle binlog, and the
	// position is stored although nothing was written.
	Heartbeat time.Duration

	// What is written.
	Prefix      string // of topics; see Topic
	Format      string
	Zone        *time.Location
	TinyInt1    string
	ZeroDate    string
	InvalidText string
	Oversize    string

	signedIn *account // nil in Settings that were not decoded
}

// Decode reads a resolved configuration that has no problems; what is malformed all the
// same is a FieldError.
func Decode(cfg connector.Config, env connector.Env) (Settings, error) {
	s := Settings{
		Name: cfg.Get(connector.KeyName),
		Host: strings.Trim(cfg.Get(keyHost), "[]"), Port: int(cfg.Int(keyPort)),
		TLS: TLSMode(cfg.Get(keyTLS)), CA: cfg.Get(keyCA),
		User: cfg.Get(keyUser), Password: cfg[keyPassword],
		Region: cfg.Get(keyRegion), CEN: cfg.Get(keyCEN),
		ServerID: uint32(cfg.Int(keyServerID)), signedIn: &account{},
		Database: cfg.Get(keyDatabase), Snapshot: SnapshotMode(cfg.Get(keySnapshot)),
		ChunkRows: int(cfg.Int(keyChunk)), Heartbeat: cfg.Millis(keyHeartbeat),
		Prefix: cfg.Get(keyPrefix), Format: cfg.Get(keyFormat), TinyInt1: cfg.Get(keyTinyInt1),
		ZeroDate: cfg.Get(keyZeroDate), InvalidText: cfg.Get(keyInvalidText), Oversize: cfg.Get(keyOversize),
	}
	var err error
	if s.Tables, err = ParseTables(cfg.Get(keyTables)); err != nil {
		return s, connector.FieldError{Field: keyTables, Message: err.Error()}
	}
	if s.Zone, err = record.ParseZone(cfg.Get(keyTimezone)); err != nil {
		return s, connector.FieldError{Field: keyTimezone, Message: err.Error()}
	}
	own := derivedServerID(env.Installation, env.Instance, s.Name)
	if s.ServerID == 0 {
		s.ServerID = own
	}
	s.Replica = fmt.Sprintf("sluice-%s-%08x", s.Name, own)
	return s, nil
}

// Address is the server's host:port.
func (s *Settings) Address() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) }

// derivedServerID is a server id that stays the same for a connector and that hardly any
// server of a replication has: above 2³¹, where nobody counts to by hand. Two installations
// whose connectors have the same names may read one server.
func derivedServerID(installation, instance, name string) uint32 {
	sum := sha256.Sum256([]byte("sluice\x00" + installation + "\x00" + instance + "\x00" + name))
	id := binary.BigEndian.Uint32(sum[:4]) | 1<<31
	if id == 1<<32-1 { // reserved by some tools for mysqlbinlog
		id--
	}
	return id
}
