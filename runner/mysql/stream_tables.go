package mysql

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-mysql-org/go-mysql/client"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/mysql/row"
	"github.com/sluice-io/sluice/runner/record"
)

// States of a table.
const (
	stateWaiting = "waiting" // to be copied; its changes are left out until then
	stateCopying = "copying" // copied up to Frontier; changes above it are left out
	stateDone    = "done"    // its changes are sent
)

// tableState is the value of the key "table/<name>".
type tableState struct {
	State      string `json:"state"`
	Topic      string `json:"topic"`      // "" while no definition of the table was seen
	Partitions int    `json:"partitions"` // of the topic when the table came
	Keyed      bool   `json:"keyed"`
	// Run counts the copies of the table. Again marks one of a table that readers have
	// rows of: changes above the frontier are sent then too, or readers would keep rows that are deleted meanwhile.
	Run   int  `json:"run,omitempty"`
	Again bool `json:"again,omitempty"`
	// Frontier is the key of the last row that was copied, Key of which columns.
	Frontier []row.Value `json:"frontier,omitempty"`
	Key      string      `json:"key,omitempty"`
	Rows     int64       `json:"rows,omitempty"` // copied in this run
	// Out: the settings do not name the table any more. What changes meanwhile is not read, so that it
	// is copied again should they name it later.
	Out bool `json:"out,omitempty"`
	// Only: the table is copied and not followed (snapshot.mode = initial_only). With another mode it is
	// copied again.
	Only bool `json:"only,omitempty"`
	// Forgotten: an operator has removed the state; it is not shown until the table is taken up again.
	Forgotten bool `json:"forgotten,omitempty"`
}

// copyAgain has the table copied from its first row.
func (s *tableState) copyAgain() {
	s.Again = s.State == stateDone || s.Again || s.Rows > 0
	s.State, s.Frontier, s.Key, s.Rows = stateWaiting, nil, "", 0
	s.Run++
}

func (s *tableState) entry(name string) connector.Entry {
	return connector.Entry{Key: savedTable + name, Value: appendJSON(nil, s)}
}

// table is one of the tables that are read.
type table struct {
	name      string
	state     tableState
	def       *row.Table // as the log had it last
	described *row.Table // as the server had it when it was last asked
	shaped    *row.Table // whose key is shape
	shape     string     // as of keyShape
	restated  bool       // a statement changed it since def: what only the server tells may be another
	pending   bool       // state changes with the next Mark
	runHeader *record.Header

	// Of the open transaction.
	inGroup             bool
	groupRows, skipRows int64

	// Of what is shown.
	estimate int64
	rate     float64
	rateAt   time.Time
	rateRows int64
}

// loadTables takes up the tables that are saved.
func (r *reader) loadTables(saved connector.Saved) error {
	for _, key := range slices.Sorted(maps.Keys(saved)) {
		name, ok := strings.CutPrefix(key, savedTable)
		if !ok {
			continue
		}
		t := &table{name: name}
		if err := json.Unmarshal(saved[key], &t.state); err != nil {
			return fmt.Errorf("reading what is saved as %s: %w", key, err)
		}
		if t.state.Forgotten {
			t.state.Forgotten = false
			r.touch(t)
		}
		t.header()
		r.tables[name] = t
		r.names = append(r.names, name)
	}
	return nil
}

// header is what marks the rows of a table without a key: which run of the copy they are of.
func (t *table) header() {
	t.runHeader = nil
	if !t.state.Keyed {
		t.runHeader = &record.Header{Key: "sluice.snapshot.run", Value: strconv.AppendInt(nil, int64(max(1, t.state.Run)), 10)}
	}
}

// listTables brings the tables up to what the database has: new ones are admitted, those
// that the filter no longer names are let go.
func (r *reader) listTables(ctx context.Context) error {
	var names []string
	err := r.ask(ctx, "listing the tables", func(c *client.Conn) error {
		res, err := c.Execute("SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') AND TABLE_SCHEMA = " + quoteText(r.set.Database) + " ORDER BY TABLE_NAME")
		if err != nil {
			return err
		}
		names = names[:0]
		for i := range res.RowNumber() {
			name, _ := res.GetString(i, 0)
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if r.fresh && r.start.Choice == "" {
		if err := r.namedExist(ctx, names); err != nil {
			return err
		}
	}
	left := r.letGo()
	for _, name := range names {
		if !r.ours(r.set.Database, name) {
			continue
		}
		if r.tables[name] == nil {
			t, err := r.admit(ctx, name, false)
			if err != nil {
				return err
			}
			if old, was := left[name]; was && t != nil {
				r.comesBack(t, old)
				delete(left, name)
			}
		} else if r.tables[name].state.Topic == "" {
			continue
		} else if err := r.checkTopic(ctx, r.tables[name]); err != nil {
			return err
		}
	}
	for name := range left { // gone from the database too
		r.removed, r.dirty = append(r.removed, savedTable+name), true
	}
	if len(r.tables) == 0 {
		r.out.Log(slog.LevelWarn, "No table matches yet.", map[string]string{"tables": strings.Join(r.set.Tables.Patterns(), ", ")})
	}
	return nil
}

// namedExist refuses a first start that would wait for ever without a word: a database
// that is not there, or of which the account may see nothing, and tables that are named in
// full and are not among the database's. What a pattern matches may come later.
func (r *reader) namedExist(ctx context.Context, names []string) error {
	there := len(names) > 0
	err := r.ask(ctx, "looking for the database", func(c *client.Conn) error {
		if there {
			return nil
		}
		res, err := c.Execute("SELECT 1 FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = " + quoteText(r.set.Database))
		there = err == nil && res.RowNumber() > 0
		return err
	})
	if err != nil {
		return err
	}
	if !there {
		return &connector.WrongError{Field: keyDatabase, Brief: fmt.Sprintf("There is no database %s, or the account may not see it.", r.set.Database),
			Err:    fmt.Errorf("looking for the database: %s does not exist or is not visible", r.set.Database),
			Remedy: "Correct " + keyDatabase + " (upper and lower case count). " + r.set.grantSelect()}
	}
	var missing []string
	for _, p := range r.set.Tables.Patterns() {
		literal := strings.HasPrefix(p, "`") || !strings.ContainsAny(p, "*?")
		if literal && !slices.ContainsFunc(names, func(n string) bool { return matchPattern(p, n, r.srv.LowerCase != 0) }) {
			missing = append(missing, p)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return &connector.WrongError{Field: keyTables, Brief: fmt.Sprintf("The database %s has no table %s, or the account may not see it.", r.set.Database, list(missing, 5)),
		Err:    fmt.Errorf("listing the tables: %s not found", strings.Join(missing, ", ")),
		Remedy: "Correct " + keyTables + " (views are not read). " + r.set.grantSelect()}
}

// admit takes a table in: with a topic, and to be copied where the mode says so. One whose
// CREATE was read is not copied: all its rows come through the log. It is nil for another
// table that is gone again.
func (r *reader) admit(ctx context.Context, name string, created bool) (*table, error) {
	t := &table{name: name}
	topic, err := r.set.Topic(name)
	if err != nil {
		return nil, err
	}
	if shared := r.set.Collisions(append(slices.Clone(r.names), name)); len(shared) > 0 {
		return nil, &connector.WrongError{Field: keyTables, Remedy: "Leave all but one of them out of " + keyTables + ".", Brief: "two tables would share the topic " + topic,
			Err: fmt.Errorf("tables whose names differ only in what topics cannot have would share a topic: %v", shared)}
	}
	followed := created && r.set.Snapshot != SnapshotInitialOnly
	t.state = tableState{State: stateWaiting, Run: 1, Only: r.set.Snapshot == SnapshotInitialOnly}
	if followed || r.set.Snapshot == SnapshotNoData && r.start.Choice != choiceSnapshot {
		t.state.State = stateDone
	}
	err = r.ask(ctx, "describing table "+name, func(c *client.Conn) error {
		var err error
		t.described, err = row.Describe(ctx, c, r.set.Database, name)
		return err
	})
	switch gone := isNoTable(err); {
	case gone && !followed:
		return nil, nil
	case gone: // its rows are in the log all the same, and tell what it was
	case err != nil:
		return nil, err
	default:
		if err := r.complete(ctx, t, t.described); err != nil {
			return nil, err
		}
	}
	r.tables[name] = t
	r.names = append(r.names, name)
	r.touch(t)
	r.out.Log(slog.LevelInfo, "A table was taken in.", map[string]string{"table": name, "topic": topic, "state": t.state.State})
	return t, nil
}

// complete gives a table its topic, by the first definition of it that is known.
func (r *reader) complete(ctx context.Context, t *table, def *row.Table) error {
	topic, err := r.set.Topic(t.name)
	if err != nil {
		return err
	}
	t.state.Topic, t.state.Keyed = topic, len(def.Key) > 0
	t.header()
	return r.checkTopic(ctx, t)
}

// describeLate completes a table that was gone when its CREATE was read and is to be copied now:
// another was given its name.
func (r *reader) describeLate(ctx context.Context, t *table) error {
	err := r.ask(ctx, "describing table "+t.name, func(c *client.Conn) (err error) {
		t.described, err = row.Describe(ctx, c, r.set.Database, t.name)
		return err
	})
	if isNoTable(err) {
		r.forget(t)
		return nil
	}
	if err != nil {
		return err
	}
	return r.complete(ctx, t, t.described)
}

// release lets a table go of which nothing was sent.
func (r *reader) release(t *table) {
	delete(r.tables, t.name)
	same := func(o *table) bool { return o == t }
	r.names = slices.DeleteFunc(r.names, func(n string) bool { return n == t.name })
	r.moved = slices.DeleteFunc(r.moved, same)
	r.group.tables = slices.DeleteFunc(r.group.tables, same)
	r.removed, r.dirty = append(r.removed, savedTable+t.name), true
}

// checkTopic sees to the table's topic, and warns of one whose partitions are others than
// when the table came: keys would change their partition, and with it their order.
func (r *reader) checkTopic(ctx context.Context, t *table) error {
	if r.deps.Cluster == nil {
		return nil
	}
	shape, exists, err := r.deps.Cluster.Topic(ctx, t.state.Topic)
	if err != nil {
		return fmt.Errorf("looking at the topic %s: %w", t.state.Topic, err)
	}
	if !exists {
		n := Partitions(t.state.Keyed)
		if t.state.Partitions > 0 {
			n = t.state.Partitions
			r.out.Log(slog.LevelWarn, fmt.Sprintf("The topic %s was deleted and is made again: what was written to it before is gone. Copy table %s again if readers need its rows.", t.state.Topic, t.name),
				map[string]string{"table": t.name, "topic": t.state.Topic})
		}
		// What the cluster does by default may be compacting, which refuses messages without a key.
		if err := r.deps.Cluster.CreateTopic(ctx, t.state.Topic, n, map[string]string{"cleanup.policy": "delete"}); err != nil {
			return fmt.Errorf("making the topic %s: %w", t.state.Topic, err)
		}
		shape.Partitions = n
	}
	switch {
	case t.state.Partitions == 0:
		t.state.Partitions = shape.Partitions
		r.touch(t)
	case shape.Partitions != t.state.Partitions:
		r.out.Log(slog.LevelWarn, fmt.Sprintf("The topic %s has %d partitions and had %d when the table came: messages keep going to the first %d, so that the order of each key is kept.", t.state.Topic, shape.Partitions, t.state.Partitions, t.state.Partitions),
			map[string]string{"table": t.name, "topic": t.state.Topic})
	}
	return nil
}

// sameName compares names as the server does.
func (r *reader) sameName(a, b string) bool {
	if r.srv.LowerCase != 0 {
		return strings.EqualFold(a, b)
	}
	return a == b
}

// helperTable tells the tables that gh-ost (_t_gho, _t_ghc, _t_del) and
// pt-online-schema-change (_t_new, _t_old) work with.
func helperTable(name string) bool {
	if !strings.HasPrefix(name, "_") {
		return false
	}
	for _, suffix := range []string{"_gho", "_ghc", "_del", "_new", "_old"} {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return false
}

// progressOf shows how far each table is.
func (r *reader) progressOf(now time.Time) []connector.Progress {
	out := make([]connector.Progress, 0, len(r.names))
	for _, name := range r.names {
		t := r.tables[name]
		if t.state.Topic == "" {
			continue
		}
		p := connector.Progress{Name: r.set.Database + "." + name, Target: t.state.Topic, Phase: t.state.State, Unit: "rows", Done: t.state.Rows, Detail: r.risk}
		switch t.state.State {
		case stateDone:
			p.Phase = "streaming"
			if r.set.Snapshot == SnapshotInitialOnly {
				p.Phase = "copied"
			}
			p.Total = p.Done
		case stateCopying:
			p.Phase = "snapshot"
			p.Total = max(t.estimate, t.state.Rows)
			t.measure(now)
			p.Rate = t.rate
			if t.rate > 0 && p.Total > p.Done {
				p.Left = time.Duration(float64(p.Total-p.Done) / t.rate * float64(time.Second))
			}
		default:
			p.Total = t.estimate
		}
		out = append(out, p)
	}
	return out
}

// measure updates the rate of a copy.
func (t *table) measure(now time.Time) {
	if since := now.Sub(t.rateAt); t.rateAt.IsZero() || since > 30*time.Second {
		t.rateAt, t.rateRows = now, t.state.Rows
	} else if since >= time.Second {
		rate := float64(t.state.Rows-t.rateRows) / since.Seconds()
		if t.rate == 0 {
			t.rate = rate
		}
		t.rate = 0.7*t.rate + 0.3*rate
		t.rateAt, t.rateRows = now, t.state.Rows
	}
}
