package mysql

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	gomysql "github.com/go-mysql-org/go-mysql/mysql"

	"github.com/sluice-io/sluice/runner/connector"
)

func (c *checking) logBin(context.Context) (found, error) {
	if c.sv.isOn("log_bin") {
		return found{detail: "On."}, nil
	}
	return found{}, &connector.WrongError{Field: keyHost, Err: errors.New("the server writes no binary log (log_bin is OFF), so changes cannot be followed"),
		Remedy: "Set log_bin=ON and a server_id in the server's configuration file and restart it. RDS always writes it: there, check that this is the right instance."}
}

// setting is a check that a variable has a value; a server without the variable is fine
// when the value is empty.
func (c *checking) setting(name, want, why string) func(context.Context) (found, error) {
	return func(context.Context) (found, error) {
		have, known := c.sv.vars[name]
		shown := have
		if shown == "" {
			shown = "empty"
		}
		if strings.EqualFold(have, want) {
			if !known {
				return found{detail: "The server has no such setting, which is fine."}, nil
			}
			return found{detail: "It is " + shown + "."}, nil
		}
		if !known && name == "binlog_format" { // gone in later versions: always ROW
			return found{detail: "The server always logs rows."}, nil
		}
		return found{}, &connector.WrongError{Field: keyHost, Err: fmt.Errorf("%s is %s: %s", name, shown, why), Remedy: c.setRemedy(name, want)}
	}
}

func (c *checking) setRemedy(name, want string) string {
	statement := fmt.Sprintf("SET PERSIST %s = '%s';", name, want)
	if c.sv.MariaDB {
		statement = fmt.Sprintf("SET GLOBAL %s = '%s'; and write %s=%s into the configuration file, so that it lasts.", name, want, name, want)
	}
	shown := strings.ToLower(want)
	if shown == "" {
		shown = "an empty value"
	}
	return fmt.Sprintf("Run as an administrator: %s (RDS: Parameters, set %s to %s and submit.) Sessions that are open keep the old value: let applications reconnect.", statement, name, shown)
}

// filters looks whether the server leaves the database out of its binary log.
func (c *checking) filters(context.Context) (found, error) {
	status, err := c.binlogStatus()
	if err != nil {
		if serverCode(err) == codePrivilegeNeeded || serverCode(err) == codeAccessDenied {
			return found{}, &connector.WrongError{Field: keyUser, Err: errors.New("the account may not ask for the binary log's position"), Remedy: c.s.grantReplication()}
		}
		return found{}, c.s.classify("asking for the binary log's position", err)
	}
	if status == nil {
		return found{detail: "There is no binary log to look at.", skipped: true}, nil
	}
	only, ignored := splitList(status["binlog_do_db"]), splitList(status["binlog_ignore_db"])
	for _, db := range ignored {
		if strings.EqualFold(db, c.s.Database) {
			return found{}, &connector.WrongError{Field: keyDatabase, Err: fmt.Errorf("the server leaves %s out of its binary log (binlog-ignore-db)", db), Remedy: "Remove it from binlog-ignore-db in the server's configuration file and restart the server."}
		}
	}
	for _, db := range only {
		if strings.EqualFold(db, c.s.Database) {
			only = nil
		}
	}
	if len(only) > 0 {
		return found{}, &connector.WrongError{Field: keyDatabase, Err: fmt.Errorf("the server logs the databases %s only (binlog-do-db)", strings.Join(only, ", ")), Remedy: "Add " + c.s.Database + " to binlog-do-db in the server's configuration file and restart the server."}
	}
	return c.replicated(status["file"])
}

// replicated looks whether a replica logs what it replicates.
func (c *checking) replicated(file string) (found, error) {
	fine := found{detail: "None leaves the database out; the log is at " + file + "."}
	rows, err := c.x.named("SHOW REPLICA STATUS")
	if err != nil {
		if rows, err = c.x.named("SHOW SLAVE STATUS"); err != nil {
			return fine, nil // the right to ask is another one; most servers are no replicas
		}
	}
	if len(rows) > 0 && !c.sv.isOn("log_replica_updates") && !c.sv.isOn("log_slave_updates") {
		return found{}, &connector.WrongError{Field: keyHost, Err: errors.New("the server is a replica and does not log what it replicates (log_replica_updates is OFF)"),
			Remedy: "Set log_replica_updates=ON (MariaDB: log_slave_updates) in its configuration file and restart it, or read from the primary."}
	}
	return fine, nil
}

func splitList(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

// binlogStatus is where the binary log is; nil without one.
func (c *checking) binlogStatus() (map[string]string, error) {
	rows, err := c.x.named("SHOW BINARY LOG STATUS") // MySQL 8.2 and later
	if err != nil && serverCode(err) == gomysql.ER_PARSE_ERROR {
		rows, err = c.x.named("SHOW MASTER STATUS")
	}
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return rows[0], nil
}

// replicate registers as a replica with an id that nobody has, which takes the right to
// replicate, and goes away again without reading anything.
func (c *checking) replicate(ctx context.Context) (found, error) {
	x, err := openSession(ctx, c.s, c.deps)
	if err != nil {
		return found{}, err
	}
	defer x.Close()
	host := c.s.Replica + "-check"
	data := make([]byte, 4, 64+len(host))
	data = append(data, gomysql.COM_REGISTER_SLAVE)
	data = binary.LittleEndian.AppendUint32(data, rand.Uint32()|1<<31)
	data = append(data, byte(len(host)))
	data = append(data, host...)
	data = append(data, 0, 0)                // user and password
	data = append(data, make([]byte, 10)...) // port, rank and the master's id
	x.ResetSequence()
	if err := x.WritePacket(data); err != nil {
		return found{}, c.s.classify("registering as a replica", err)
	}
	if _, err := x.ReadOKPacket(); err != nil {
		switch serverCode(err) {
		case codeAccessDenied, codePrivilegeNeeded:
			return found{}, &connector.WrongError{Field: keyUser, Err: errors.New("the account may not read the binary log: REPLICATION SLAVE is missing"), Remedy: c.s.grantReplication()}
		}
		return found{}, c.s.classify("registering as a replica", err)
	}
	return found{detail: "The account may read the binary log."}, nil
}

// serverID looks for another that has the reader's id: a server kills the older of two.
func (c *checking) serverID(context.Context) (found, error) {
	id := strconv.FormatUint(uint64(c.s.ServerID), 10)
	taken := func(by string) error {
		return &connector.WrongError{Field: keyServerID, Err: fmt.Errorf("the server ID %s is taken by %s", id, by), Remedy: "Give another number in " + keyServerID + ", or leave it empty."}
	}
	if id == c.sv.id {
		return found{}, taken("the server itself")
	}
	rows, err := c.x.named("SHOW REPLICAS")
	if err != nil {
		if rows, err = c.x.named("SHOW SLAVE HOSTS"); err != nil {
			return found{detail: id + ". The account may not list the server's replicas, so whether it is free shows when the connector runs.", skipped: true}, nil
		}
	}
	for _, r := range rows {
		if r["server_id"] != id {
			continue
		}
		if r["host"] == c.s.Replica {
			return found{detail: id + ", taken by this connector itself."}, nil
		}
		by := "a replica that does not name itself"
		if r["host"] != "" {
			by = "the replica " + r["host"]
		}
		return found{}, taken(by)
	}
	return found{detail: id + " is free."}, nil
}

func (c *checking) gtid(context.Context) (found, error) {
	if c.sv.MariaDB {
		return found{detail: "Positions are GTIDs: they hold on another server of the same replication too."}, nil
	}
	if strings.EqualFold(c.sv.vars["gtid_mode"], "ON") {
		return found{detail: "Positions are GTIDs: they hold on another server of the same replication too."}, nil
	}
	return found{detail: "gtid_mode is " + c.sv.vars["gtid_mode"] + ": positions are file and offset, which hold on this server only.", skipped: true,
		remedy: "For failover to another server turn GTIDs on, one step after the other: SET PERSIST enforce_gtid_consistency = ON; SET PERSIST gtid_mode = OFF_PERMISSIVE; SET PERSIST gtid_mode = ON_PERMISSIVE; SET PERSIST gtid_mode = ON;"}, nil
}

// xa asks for undecided transactions, which a start must wait for.
func (c *checking) xa(context.Context) (found, error) {
	rows, err := c.x.rows("XA RECOVER")
	if err != nil {
		if code := serverCode(err); code != codeXANotAllowed && code != codePrivilegeNeeded {
			return found{}, c.s.classify("asking for undecided XA transactions", err)
		}
		return found{detail: "The account may not ask for undecided XA transactions. Where applications use XA, one that is prepared while the connector starts is a gap when it is committed.", skipped: true,
			remedy: fmt.Sprintf("Run as an administrator: GRANT XA_RECOVER_ADMIN ON *.* TO %s; (RDS: use a privileged account.)", c.s.grantee())}, nil
	}
	if n := len(rows); n > 0 {
		return found{detail: fmt.Sprintf("%s prepared and not decided; the first deploy waits until they are.", plural(n, "XA transaction is", "XA transactions are")), skipped: true,
			remedy: "See them with XA RECOVER, and XA COMMIT or XA ROLLBACK those that were forgotten."}, nil
	}
	return found{detail: "None is undecided."}, nil
}

// Rates that a snapshot reaches at the least, for an estimate of how long it takes.
const (
	snapshotRows  = 50_000   // a second
	snapshotBytes = 10 << 20 // a second
)

// retention compares how long the binary log is kept with how long the snapshot may take.
func (c *checking) retention(context.Context) (found, error) {
	var rows, bytes int64
	for _, t := range c.tables {
		rows, bytes = rows+t.rows, bytes+t.bytes
	}
	takes := time.Duration(max(rows/snapshotRows, bytes/snapshotBytes)) * time.Second
	need := max(2*takes, time.Hour)
	kept, limited := c.sv.kept()
	copying := fmt.Sprintf("a snapshot of about %s (%s) takes %s or less", plural64(rows, "row", "rows"), size(bytes), span(takes))
	if c.s.Snapshot == SnapshotNoData {
		copying, need = "nothing is copied", time.Hour
	}
	if limited != "" {
		copying += "; " + limited
	}
	if strings.HasSuffix(c.s.Host, ".rds.aliyuncs.com") {
		copying += "; RDS removes logs by its own rules too: see Backup and Restoration, Local Log Settings, in its console"
	}
	if kept == 0 {
		return found{detail: "Binary logs are kept until somebody removes them; " + copying + "."}, nil
	}
	if kept < need {
		return found{}, &connector.WrongError{Field: keyHost, Err: fmt.Errorf("binary logs are kept for %s only; %s", span(kept), copying), Remedy: c.keepRemedy(need)}
	}
	f := found{detail: fmt.Sprintf("Binary logs are kept for %s; %s.", span(kept), copying)}
	if kept < 24*time.Hour {
		f.detail += " An outage of the connector that is longer loses its position."
		f.skipped, f.remedy = true, c.keepRemedy(72*time.Hour)
	}
	return f, nil
}

func (c *checking) keepRemedy(need time.Duration) string {
	seconds := max(int64(need/time.Second), 3*86400)
	if c.sv.MariaDB {
		return fmt.Sprintf("Keep them for some days: SET GLOBAL binlog_expire_logs_seconds = %d; and write it into the configuration file.", seconds)
	}
	return fmt.Sprintf("Keep them for some days: SET PERSIST binlog_expire_logs_seconds = %d; (RDS: Backup and Restoration, Local Log Settings.)", seconds)
}

// kept is how long the server keeps its binary logs; 0 for ever. limited says what else
// removes them.
func (sv *facts) kept() (d time.Duration, limited string) {
	for _, name := range []string{"max_binlog_total_size", "binlog_space_limit"} {
		if n, _ := strconv.ParseInt(sv.vars[name], 10, 64); n > 0 {
			limited = fmt.Sprintf("no more than %s of them are kept (%s)", size(n), name)
		}
	}
	if v, known := sv.vars["binlog_expire_logs_auto_purge"]; known && !strings.EqualFold(v, "ON") {
		return 0, limited
	}
	if n, err := strconv.ParseInt(sv.vars["binlog_expire_logs_seconds"], 10, 64); err == nil && n > 0 {
		return time.Duration(n) * time.Second, limited
	}
	days, _ := strconv.ParseFloat(sv.vars["expire_logs_days"], 64) // MariaDB 10.6 and later: with a fraction
	return time.Duration(days * 24 * float64(time.Hour)), limited
}
