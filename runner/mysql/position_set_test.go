package mysql

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/runner/connector"
)

// logOf and stateOf name positions; a nil offset removes.
func logOf(offset map[string]any) connector.SourcePosition {
	return connector.SourcePosition{Partition: map[string]any{"server": "p"}, Offset: offset}
}

func stateOf(table string, offset map[string]any) connector.SourcePosition {
	return connector.SourcePosition{Partition: map[string]any{"server": "p", "table": table}, Offset: offset}
}

var done = map[string]any{"state": stateDone}

// set changes what is saved of a connector that does not run.
func (b *bed) set(to ...connector.SourcePosition) error {
	entries, err := positions().Set(b.cfg, b.out.saved, to)
	if err == nil {
		err = b.out.Mark(b.t.Context(), entries...)
	}
	return err
}

// TestRemovedPositionsLeaveNoHole: whatever is removed of a connector's positions, and with whatever snapshot.mode,
// readers have the tables after the next start, or the removal was refused with the way out.
func TestRemovedPositionsLeaveNoHole(t *testing.T) {
	t.Parallel()
	for i, c := range []struct {
		name    string
		mode    SnapshotMode
		to      []connector.SourcePosition
		refused string // an item; then position is set in its place
		again   int    // tables that are copied again
	}{
		{"log", SnapshotInitial, []connector.SourcePosition{logOf(nil)}, "", 2},
		{"log and a table", SnapshotInitial, []connector.SourcePosition{logOf(nil), stateOf("a", nil)}, "", 2},
		{"all", SnapshotInitial, []connector.SourcePosition{stateOf("a", nil), stateOf("b", nil), logOf(nil)}, "", 2},
		{"a table", SnapshotInitial, []connector.SourcePosition{stateOf("a", nil)}, "", 1},
		{"all tables", SnapshotInitial, []connector.SourcePosition{stateOf("a", nil), stateOf("b", nil)}, "", 2},
		{"log, and a table is called copied", SnapshotInitial, []connector.SourcePosition{stateOf("a", done), logOf(nil)}, "offsets[0]", 0},
		{"log", SnapshotWhenNeeded, []connector.SourcePosition{logOf(nil)}, "", 2},
		{"log", SnapshotInitialOnly, []connector.SourcePosition{logOf(nil)}, "", 2},
		{"a table", SnapshotInitialOnly, []connector.SourcePosition{stateOf("a", nil), stateOf("b", nil)}, "", 2},
		{"log", SnapshotNoData, []connector.SourcePosition{logOf(nil)}, "offsets[0]", 0},
		{"log and a table", SnapshotNoData, []connector.SourcePosition{stateOf("a", nil), logOf(nil)}, "offsets[1]", 0},
		{"all", SnapshotNoData, []connector.SourcePosition{logOf(nil), stateOf("a", nil), stateOf("b", nil)}, "", 2},
		{"a table", SnapshotNoData, []connector.SourcePosition{stateOf("a", nil)}, "", 1},
	} {
		t.Run(fmt.Sprintf("%s/%s", c.mode, c.name), func(t *testing.T) {
			t.Parallel()
			b := newBed(t, flavors[i%2])
			b.s.Exec("CREATE TABLE a (id INT PRIMARY KEY, v INT)", "CREATE TABLE b (id INT PRIMARY KEY, v INT)")
			b.cfg[keySnapshot] = string(c.mode)
			insert := []string{"INSERT INTO a VALUES (1, 1), (2, 2)", "INSERT INTO b VALUES (1, 1), (2, 2)"}
			if c.mode != SnapshotNoData {
				b.s.Exec(insert...)
			}
			r := b.run()
			b.waitFor("the start", func() bool {
				return tableOf(b.out, "a").State == stateDone && tableOf(b.out, "b").State == stateDone && b.out.position().Mode != ""
			})
			if c.mode == SnapshotNoData {
				b.s.Exec(insert...)
			}
			b.equal("a", "b")
			if err := r.crash(); err != nil {
				t.Fatal(err)
			}
			stood := b.out.position()
			runs := tableOf(b.out, "a").Run + tableOf(b.out, "b").Run
			b.s.Exec("UPDATE a SET v = 10 WHERE id = 1", "INSERT INTO a VALUES (3, 3)", "UPDATE b SET v = 10 WHERE id = 1", "INSERT INTO b VALUES (3, 3)")
			err := b.set(c.to...)
			var f connector.FieldError
			switch {
			case c.refused == "" && err != nil:
				t.Fatal(err)
			case c.refused != "" && (!errors.As(err, &f) || f.Field != c.refused || !strings.Contains(f.Message, "gtid") || !strings.Contains(f.Message, "null")):
				t.Fatalf("%v, which is to be refused at %s", err, c.refused)
			case c.refused != "":
				if err := b.set(append(c.to, logOf(map[string]any{"gtid": stood.GTID}))...); err != nil {
					t.Fatal(err)
				}
			}
			shown, err := showPositions(b.cfg, b.out.saved)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range shown {
				for _, to := range c.to {
					if c.refused == "" && to.Offset == nil && fmt.Sprint(p.Partition) == fmt.Sprint(to.Partition) {
						t.Errorf("%v is removed and still shown", p.Partition)
					}
				}
			}
			b.run()
			b.equal("a", "b")
			if s := tableOf(b.out, "a"); s.State != stateDone || s.Forgotten {
				b.waitFor("the copy's end", func() bool { s := tableOf(b.out, "a"); return s.State == stateDone && !s.Forgotten })
			}
			if n := tableOf(b.out, "a").Run + tableOf(b.out, "b").Run - runs; n != c.again && c.refused == "" {
				t.Errorf("%d tables were copied again, want %d", n, c.again)
			}
		})
	}
}

// TestRemovedTableKeepsDeletes: a table whose state is removed is copied again beside what goes on, and a row
// that is deleted meanwhile, above what is copied so far, goes away at readers too, who have it from the first copy.
func TestRemovedTableKeepsDeletes(t *testing.T) {
	t.Parallel()
	flavours(t, func(t *testing.T, b *bed) {
		b.s.Exec("CREATE TABLE a (id INT PRIMARY KEY, v INT)", "INSERT INTO a VALUES (1, 1), (2, 2), (3, 3)")
		r := b.run()
		b.equal("a")
		if err := r.crash(); err != nil {
			t.Fatal(err)
		}
		if err := b.set(stateOf("a", nil)); err != nil {
			t.Fatal(err)
		}
		b.s.Exec("DELETE FROM a WHERE id = 3")
		b.run()
		b.equal("a")
		if s := tableOf(b.out, "a"); s.Run != 2 {
			t.Errorf("the copy is not told from the first: %+v", s)
		}
	})
}

// TestPositionThatIsUnknown: after the place in the log was removed a table is called copied only with a place; what
// is set by hand goes on with sequences that grow.
func TestPositionThatIsUnknown(t *testing.T) {
	t.Parallel()
	cfg := connector.Config{keyPrefix: "p", keyTables: "*", keySnapshot: string(SnapshotInitial)}
	at := map[string]any{"gtid": "0-1-5"}
	lost := connector.Saved{savedTable + "a": []byte(`{"state":"waiting","run":2,"again":true}`)}
	if _, err := setPositions(cfg, lost, []connector.SourcePosition{stateOf("a", done)}); err == nil {
		t.Error("called copied without a place in the log")
	}
	if _, err := setPositions(cfg, lost, []connector.SourcePosition{stateOf("a", done), logOf(at)}); err != nil {
		t.Error(err)
	}
	entries, err := setPositions(cfg, connector.Saved{}, []connector.SourcePosition{stateOf("a", done), logOf(at)})
	if err != nil || len(entries) != 2 {
		t.Fatal(entries, err)
	}
	p, err := readPosition(connector.Saved{savedPosition: entries[1].Value})
	if err != nil || p.Sequence < 1_700_000_000_000_000_000 {
		t.Errorf("sequences would begin again: %+v %v", p, err)
	}
}
