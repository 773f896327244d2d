package mysql

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/go-mysql-org/go-mysql/client"

	"github.com/sluice-io/sluice/runner/connector"
)

// Choices of a Gap.
const (
	choiceSnapshot = "snapshot"
	choiceNow      = "now"
	choiceStay     = "stay"
)

func gapChoices() []connector.Choice {
	return []connector.Choice{
		{Choice: choiceSnapshot, Title: "Copy the tables again and go on from now", Risk: "Every row comes once more, as an insert. Rows that were deleted meanwhile do not come as deletes: a consumer that keeps a copy empties it first."},
		{Choice: choiceNow, Title: "Go on from now", Risk: "The changes in between never reach the topics."},
		{Choice: choiceStay, Title: "Wait", Risk: "Nothing is read until you choose."},
	}
}

// errLogGone marks a Gap of the log itself: with snapshot.mode = when_needed the tables
// are copied again without asking.
var errLogGone = errors.New("the binary log does not reach back to the position")

// goneError is errLogGone, and says why.
type goneError struct{ why string }

func (e goneError) Error() string        { return e.why }
func (e goneError) Is(target error) bool { return target == errLogGone }

func (r *reader) gone(format string, args ...any) error {
	return &connector.GapError{Lost: "changes after " + timeText(r.done.time) + " are lost", Choices: gapChoices(), Err: goneError{fmt.Sprintf(format, args...)}}
}

// checkPosition tells whether the server can go on from the position, before it is asked
// to: MySQL follows a foreign GTID set in silence.
func (r *reader) checkPosition() error {
	switch {
	case r.done.flavor != r.srv.Flavor:
		return r.gone("the server is %s now and the position is of %s", r.srv.Flavor, r.done.flavor)
	case r.done.my != nil && !r.srv.GTID:
		if r.done.server != r.srv.Identity || r.done.at.File == "" {
			return r.gone("gtid_mode is off, and the server is another than the position's")
		}
		r.done.my, r.done.gtid, r.done.last = nil, false, ""
		return r.checkFile()
	case r.done.my != nil:
		return r.checkMySQLSet()
	case r.done.maria != nil:
		return r.checkMariaSet()
	}
	return r.checkFile()
}

func (r *reader) checkMySQLSet() error {
	executed, err := readSet(r.ctl.Conn, "SELECT @@GLOBAL.gtid_executed")
	if err != nil {
		return err
	}
	purged, err := readSet(r.ctl.Conn, "SELECT @@GLOBAL.gtid_purged")
	if err != nil {
		return err
	}
	if foreign := r.done.my.minus(executed); len(foreign.by) > 0 {
		if replicates(r.ctl.Conn) {
			return r.lags(foreign.String())
		}
		return r.gone("the server has not executed %s, which were read from its predecessor: it is another server, or was set back", clip(foreign.String()))
	}
	if lost := purged.minus(r.done.my); len(lost.by) > 0 {
		return r.gone("the server has purged transactions %s from its binary log", clip(lost.String()))
	}
	return nil
}

func readSet(conn *client.Conn, query string) (*gtidSet, error) {
	text, err := one(conn, query)
	if err != nil {
		return nil, fmt.Errorf("reading the server's GTIDs: %w", err)
	}
	return parseGTIDSet(text)
}

// lags is the error of a replica that has not got as far as its predecessor.
func (r *reader) lags(what string) error {
	return &connector.AwayError{System: r.set.system(), After: 2 * time.Second, Brief: "the replica has not caught up with what was read before the failover",
		Remedy: "See on that server whether it replicates (SHOW REPLICA STATUS), or let the name in " + keyHost + " lead to a server that has everything.",
		Err:    fmt.Errorf("the server is a replica that has not executed %s yet", clip(what))}
}

// replicates tells whether the server is itself a replica that is running.
func replicates(conn *client.Conn) bool {
	for _, query := range []string{"SHOW REPLICA STATUS", "SHOW SLAVE STATUS"} {
		res, err := conn.Execute(query)
		if err != nil {
			continue
		}
		if res.RowNumber() == 0 {
			return false
		}
		for _, column := range []string{"Replica_IO_Running", "Slave_IO_Running"} {
			if v, err := res.GetStringByName(0, column); err == nil && !strings.EqualFold(v, "No") {
				return true
			}
		}
		return false
	}
	return false
}

func (r *reader) checkMariaSet() error {
	text, err := one(r.ctl.Conn, "SELECT @@GLOBAL.gtid_binlog_pos")
	if err != nil {
		return fmt.Errorf("reading the server's GTIDs: %w", err)
	}
	now, err := parseMariaSet(text)
	if err != nil {
		return err
	}
	if !now.contains(r.done.maria) {
		if replicates(r.ctl.Conn) {
			return r.lags(r.done.maria.String())
		}
		return r.gone("the server's binary log ends at %s, before the position %s: it is another server, or was set back", now, r.done.maria)
	}
	need := r.done.maria
	if r.done.from != nil && r.done.from.GTID != "" {
		if need, err = parseMariaSet(r.done.from.GTID); err != nil {
			return err
		}
	}
	oldest, file, err := oldestGTIDs(r.ctl.Conn)
	if err != nil {
		return err
	}
	for domain, p := range oldest {
		if need[domain].seq < p.seq {
			return r.gone("the server has purged transactions up to %s (its oldest log is %s), and the position is %s", oldest, file, need)
		}
	}
	return nil
}

// oldestGTIDs is what lies before the server's oldest log file, by its Gtid_list event.
func oldestGTIDs(conn *client.Conn) (mariaSet, string, error) {
	logs, err := binaryLogs(conn)
	if err != nil || len(logs) == 0 {
		return nil, "", err
	}
	res, err := conn.Execute("SHOW BINLOG EVENTS IN " + quoteText(logs[0].File) + " LIMIT 4")
	if err != nil {
		return nil, "", fmt.Errorf("reading the oldest binary log: %w", err)
	}
	for i := range res.RowNumber() {
		kind, _ := res.GetString(i, 2)
		info, _ := res.GetString(i, 5)
		if strings.EqualFold(kind, "Gtid_list") {
			set, err := parseMariaSet(strings.Trim(info, "[] "))
			return set, logs[0].File, err
		}
	}
	return nil, logs[0].File, nil
}

// binaryLogs lists the server's log files, oldest first; Pos is their size.
func binaryLogs(conn *client.Conn) ([]filePos, error) {
	res, err := conn.Execute("SHOW BINARY LOGS")
	if err != nil {
		return nil, fmt.Errorf("listing the binary logs: %w", err)
	}
	out := make([]filePos, 0, res.RowNumber())
	for i := range res.RowNumber() {
		name, _ := res.GetString(i, 0)
		size, _ := res.GetUint(i, 1)
		out = append(out, filePos{name, size})
	}
	return out, nil
}

func (r *reader) checkFile() error {
	if r.done.server != "" && r.done.server != r.srv.Identity {
		return r.gone("the server is another than the one whose log was read, and without GTIDs the two logs cannot be compared")
	}
	at := r.done.at
	if r.done.from != nil {
		at = r.done.from.filePos
	}
	logs, err := binaryLogs(r.ctl.Conn)
	if err != nil {
		return err
	}
	for _, l := range logs {
		if l.File == at.File {
			if l.Pos < at.Pos {
				return r.gone("the binary log %s ends at %d, before the position %d: the server was set back", l.File, l.Pos, at.Pos)
			}
			return nil
		}
	}
	return r.gone("the server has purged its binary log %s", at.File)
}

// judge finds the cause of what ended a connection's life where the error alone does not tell.
func (r *reader) judge(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	var o *outletError
	if errors.As(err, &o) {
		return err
	}
	switch code := serverCode(err); code {
	case codeReadingBinlog, codeUnknownLog:
		r.refusals++
		conn, cerr := connect(ctx, r.set, r.deps)
		if cerr != nil {
			return cerr
		}
		defer conn.Close()
		kept := r.ctl
		r.ctl = conn
		gap := r.checkPosition()
		r.ctl = kept
		if connector.CauseOf(gap) == connector.CauseGap {
			err = gap
		} else if r.refusals >= 5 {
			err = &connector.GapError{Lost: fmt.Sprintf("the server refuses to go on from the position %s %s; changes after %s are lost", r.done.textOfGTID(), r.done.at, timeText(r.done.time)), Choices: gapChoices(), Err: err}
		}
	case codeSameServerID:
		if r.cutOff(time.Now()) {
			return &connector.WrongError{Field: keyServerID, Remedy: "Give each reader and replica of the server a server ID of its own.", Brief: "another reader uses the same server ID", Err: err}
		}
	}
	if errors.Is(err, errLogGone) && r.set.Snapshot == SnapshotWhenNeeded && r.start.Choice == "" {
		r.out.Log(slog.LevelWarn, "The binary log does not reach back; the tables are copied again (snapshot.mode = when_needed).", map[string]string{"error": err.Error()})
		r.start.Choice, r.fresh = choiceSnapshot, true
		return &connector.AwayError{System: r.set.system(), Brief: "the binary log does not reach back; the tables are copied again", Err: errors.New(err.Error())}
	}
	return r.set.classify("reading the database", err)
}

// comesBackIn is within how much time a reader that was cut off is there again.
const comesBackIn = 5 * time.Second

// cutOff notes that another reader came with our server ID, and tells whether to leave it to that one. Who
// has read for long comes again and cuts the other off in turn; who is cut off soon after each time that it
// came is the one that came last.
func (r *reader) cutOff(now time.Time) bool {
	if now.Sub(r.began) > comesBackIn {
		return false
	}
	r.clash = append(r.clash, now)
	n := len(r.clash)
	return n >= 2 && now.Sub(r.clash[n-2]) < time.Minute
}

// checkServerID tells whether our server ID is free: MySQL lets two readers have one,
// MariaDB ends the older of them.
func (r *reader) checkServerID() error {
	taken := func(by string) error {
		return &connector.WrongError{Field: keyServerID, Remedy: "Set " + keyServerID + " to a number that no server and no reader of it has.", Brief: "the server ID is taken",
			Err: fmt.Errorf("server ID %d is %s", r.set.ServerID, by)}
	}
	if r.srv.ServerID == r.set.ServerID {
		return taken("the server's own")
	}
	query := "SHOW SLAVE HOSTS"
	if !r.srv.MariaDB() && r.srv.atLeast(8, 0, 22) {
		query = "SHOW REPLICAS"
	}
	res, err := r.ctl.Execute(query)
	if err != nil {
		if serverCode(err) != 0 {
			return nil // not allowed to ask: the stream will tell what is missing
		}
		return fmt.Errorf("listing the server's replicas: %w", err)
	}
	for i := range res.RowNumber() {
		id, _ := res.GetUint(i, 0)
		host, _ := res.GetString(i, 1)
		if id == uint64(r.set.ServerID) && host != r.set.Replica {
			return taken("used by " + host)
		}
	}
	return nil
}

// watchRetention warns when the position nears the age at which the server purges its log.
func (r *reader) watchRetention(now time.Time) error {
	if now.Sub(r.warned) < time.Minute {
		return nil
	}
	r.warned = now
	keep := retention(r.srv)
	lag := now.Sub(time.UnixMilli(r.done.time))
	risk := ""
	if keep > 0 && r.behind > 0 && r.done.time > 0 && lag > keep*6/10 {
		risk = fmt.Sprintf("The server keeps its binary log for %s and the reader is %s behind: raise binlog_expire_logs_seconds, or the log is purged before it was read.", keep, lag.Round(time.Second))
	}
	if risk != "" {
		r.out.Log(slog.LevelWarn, risk, map[string]string{"position": r.done.at.String()})
	}
	r.risk = risk
	return nil
}

// retention is how long the server keeps its log; 0 is for ever.
func retention(srv *server) time.Duration {
	if s, err := strconv.ParseFloat(srv.vars["binlog_expire_logs_seconds"], 64); err == nil && s > 0 {
		return time.Duration(s * float64(time.Second))
	}
	if d, err := strconv.ParseFloat(srv.vars["expire_logs_days"], 64); err == nil && d > 0 {
		return time.Duration(d * 24 * float64(time.Hour))
	}
	return 0
}
