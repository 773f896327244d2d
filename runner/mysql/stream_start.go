package mysql

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-mysql-org/go-mysql/client"

	"github.com/sluice-io/sluice/runner/connector"
)

// begin finds where to start the stream, brings the tables up to date, and saves both
// before anything is read.
func (r *reader) begin(ctx context.Context) (startPoint, error) {
	choice := r.start.Choice
	if r.done == nil {
		p, err := readPosition(r.start.Saved)
		if err != nil {
			return startPoint{}, err
		}
		if p != nil {
			if r.done, err = p.resume(r.srv); err != nil {
				return startPoint{}, err
			}
		}
		r.fresh = p == nil || choice == choiceSnapshot || choice == choiceNow
	}
	if r.fresh {
		if err := r.takeStart(ctx); err != nil {
			return startPoint{}, err
		}
		r.restate(choice)
	} else {
		if err := r.completeMaria(); err != nil {
			return startPoint{}, err
		}
		if err := r.checkPosition(); err != nil {
			return startPoint{}, err
		}
		if r.done.server != r.srv.Identity {
			r.done.server, r.done.quotedServer, r.done.at = r.srv.Identity, "", filePos{}
			r.dirty = true
		}
	}
	if err := r.listTables(ctx); err != nil {
		return startPoint{}, err
	}
	r.followed()
	if err := r.takeRequests(); err != nil {
		return startPoint{}, err
	}
	r.estimateRows(ctx)
	r.out.Progress(r.progressOf(time.Now())) // the tables and how large they are
	if r.dirty || r.fresh {
		if err := r.mark(ctx); err != nil {
			return startPoint{}, err
		}
		if err := outlet(r.out.Flush(ctx)); err != nil {
			return startPoint{}, err
		}
		r.fresh, r.start.Choice = false, ""
	}
	if err := r.warnOfCascades(ctx); err != nil {
		return startPoint{}, err
	}
	r.at = r.done.at
	return r.startPoint(), nil
}

// estimateRows asks how many rows the tables have that are to be copied: how far the whole copy is can be told before
// their turn comes. It is only shown, so that nothing follows when it cannot be had.
func (r *reader) estimateRows(ctx context.Context) {
	if !slices.ContainsFunc(r.names, func(name string) bool { return r.tables[name].state.State != stateDone }) {
		return
	}
	_ = r.ask(ctx, "estimating rows", func(c *client.Conn) error {
		res, err := c.Execute("SELECT TABLE_NAME, COALESCE(TABLE_ROWS, 0) FROM information_schema.TABLES WHERE TABLE_SCHEMA = " + quoteText(r.set.Database))
		if err != nil {
			return err
		}
		for i := range res.RowNumber() {
			name, _ := res.GetString(i, 0)
			if t := r.tables[name]; t != nil && t.state.State != stateDone {
				t.estimate, _ = res.GetInt(i, 1)
			}
		}
		return nil
	})
}

// startPoint is where the server is asked to go on.
func (r *reader) startPoint() startPoint {
	if r.done.from != nil {
		return *r.done.from
	}
	return startPoint{GTID: r.done.textOfGTID(), filePos: r.done.at}
}

// takeStart takes the present end of the log as the start point. No PREPARE that is
// undecided may lie before it: its rows would be in no copy and in no event that follows.
func (r *reader) takeStart(ctx context.Context) error {
	at, executed, err := r.srv.endOfLog(r.ctl.Conn)
	if err != nil {
		return err
	}
	blind := false
	for range 2 { // a PREPARE that is in the log may be listed a moment later
		err := r.nonePrepared()
		if blind = serverCode(err) == codeXANotAllowed; blind {
			break
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(150 * time.Millisecond):
		}
	}
	if blind {
		r.out.Log(slog.LevelWarn, "Prepared XA transactions cannot be listed. Should one be undecided now and be committed later, the reader stops then and asks what to do about its rows. "+
			fmt.Sprintf("To have it wait for them instead: GRANT XA_RECOVER_ADMIN ON *.* TO %s;", r.set.grantee()), nil)
	}
	g := &progress{blind: blind, mariadb: r.srv.MariaDB(), flavor: r.srv.Flavor, gtid: r.srv.GTID, server: r.srv.Identity, at: at, time: time.Now().UnixMilli()}
	if r.done != nil {
		g.sequence, g.schema = r.done.sequence, r.done.schema
	} else {
		g.sequence = firstSequence(time.Now())
	}
	switch {
	case g.mariadb:
		g.maria, err = r.gtidsAt(at)
	case g.gtid:
		// Where the set's last transactions end is not known exactly: the stream tells.
		g.at = filePos{}
		g.my, err = parseGTIDSet(executed)
	}
	if err != nil {
		return err
	}
	r.done, r.dirty = g, true
	return nil
}

// nonePrepared is nil when no XA transaction is between PREPARE and its decision.
func (r *reader) nonePrepared() error {
	res, err := r.ctl.Execute("XA RECOVER CONVERT XID")
	if err != nil && serverCode(err) == codeParse { // MariaDB knows no CONVERT XID
		res, err = r.ctl.Execute("XA RECOVER")
	}
	if err != nil {
		return fmt.Errorf("listing prepared transactions: %w", err)
	}
	var xids []string
	for i := range res.RowNumber() {
		x, _ := res.GetString(i, 3)
		xids = append(xids, clip(x))
	}
	if len(xids) == 0 {
		return nil
	}
	return &connector.AwayError{System: r.set.system(), After: time.Second, Brief: "waiting for prepared XA transactions to be decided",
		Remedy: "See them with XA RECOVER on the database server, and XA COMMIT or XA ROLLBACK those that were forgotten.",
		Err:    fmt.Errorf("%d XA transactions are prepared and undecided, and a start point must not lie behind one: %s; commit or roll them back", len(xids), strings.Join(xids, ", "))}
}

// gtidsAt is what MariaDB has executed at a place in its log.
func (r *reader) gtidsAt(at filePos) (mariaSet, error) {
	text, err := one(r.ctl.Conn, fmt.Sprintf("SELECT BINLOG_GTID_POS(%s, %d)", quoteText(at.File), at.Pos))
	if err != nil {
		return nil, fmt.Errorf("reading the GTIDs at %s: %w", at, err)
	}
	return parseMariaSet(text)
}

// completeMaria finds the GTIDs of a position of MariaDB that has only file and position.
func (r *reader) completeMaria() error {
	if !r.srv.MariaDB() || r.done.maria != nil || r.done.server != "" && r.done.server != r.srv.Identity {
		return nil
	}
	set, err := r.gtidsAt(r.done.at)
	if err != nil {
		if serverCode(err) != 0 {
			return nil // checkPosition names what is wrong with the file
		}
		return err
	}
	r.done.maria, r.done.gtid, r.dirty = set, true, true
	return nil
}

// restate gives the tables the states that a start from the present end asks for.
func (r *reader) restate(choice string) {
	for _, name := range r.names {
		t := r.tables[name]
		if choice == choiceSnapshot {
			r.copyAgain(t)
		}
		r.touch(t)
	}
}

// copyAgain has a table copied from its first row.
func (r *reader) copyAgain(t *table) {
	t.state.copyAgain()
	t.rate, t.rateAt = 0, time.Time{}
	t.header()
	r.touch(t)
}

// takeRequests turns copies that were asked for while nothing ran into states of tables.
func (r *reader) takeRequests() error {
	for _, key := range slices.Sorted(maps.Keys(r.start.Saved)) {
		if !strings.HasPrefix(key, savedSnapshot) {
			continue
		}
		var q struct {
			Tables []string `json:"tables"`
		}
		if err := json.Unmarshal(r.start.Saved[key], &q); err != nil {
			return fmt.Errorf("reading what is saved as %s: %w", key, err)
		}
		for _, name := range r.names {
			if len(q.Tables) == 0 || slices.Contains(q.Tables, name) {
				r.copyAgain(r.tables[name])
			}
		}
		r.removed = append(r.removed, key)
		delete(r.start.Saved, key)
	}
	return nil
}

// onRequest takes a request to copy tables again; the answer follows when it is visible.
func (r *reader) onRequest(ctx context.Context, q *request) error {
	if r.group.active {
		r.later = append(r.later, q)
		return nil
	}
	err := r.copyTables(ctx, q.tables)
	var o *outletError
	if errors.As(err, &o) {
		q.done <- o.err
		return err
	}
	q.done <- err
	return nil
}

func (r *reader) copyTables(ctx context.Context, names []string) error {
	if len(names) == 0 {
		names = slices.Clone(r.names)
	}
	tables := make([]*table, 0, len(names))
	for _, name := range names {
		if plain, ok := strings.CutPrefix(name, r.set.Database+"."); ok && r.tables[name] == nil {
			name = plain
		}
		t := r.tables[name]
		if t == nil {
			return connector.FieldError{Field: "tables", Message: fmt.Sprintf("%q is none of the connector's tables.", clip(name))}
		}
		tables = append(tables, t)
	}
	for _, t := range tables {
		r.abandon(t)
		r.copyAgain(t)
	}
	if err := r.mark(ctx); err != nil {
		return err
	}
	return outlet(r.out.Flush(ctx))
}
