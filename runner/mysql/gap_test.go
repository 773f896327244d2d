package mysql

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/e2e/beds"
	"github.com/sluice-io/sluice/runner/connector"
)

func asGap(err error, g **connector.GapError) bool { return errors.As(err, g) }

// A log that was purged before it was read is a Gap; both choices go on, and
// when_needed copies without asking.
func TestGapPurged(t *testing.T) {
	t.Parallel()
	ownFlavours(t, func(t *testing.T, b *bed) {
		b.s.Exec("CREATE TABLE shop.a (id INT PRIMARY KEY, v INT)", "INSERT INTO shop.a VALUES (1,1)")
		r := b.run()
		b.equal("a")
		if err := r.crash(); err != nil {
			t.Fatal(err)
		}
		b.s.Exec("INSERT INTO shop.a VALUES (2,2)", "DELETE FROM shop.a WHERE id = 1")
		b.s.PurgeAll()
		b.out.Progress(nil)
		gap := b.run().ends()
		b.gap(gap, "purged")
		if text := gap.Error(); !strings.HasPrefix(text, "changes after ") || !strings.Contains(text, " UTC are lost: the server has purged") {
			t.Errorf("the gap reads %q", text)
		}
		if p := b.out.progressed(); len(p) != 1 || p[0].Phase != "streaming" {
			t.Errorf("at the gap the tables are shown as %+v", p)
		}
		before := b.out.position()
		r = b.run(choiceNow)
		b.waitFor("a new position", func() bool { return b.out.position().GTID != before.GTID })
		b.s.Exec("INSERT INTO shop.a VALUES (3,3)")
		b.waitFor("three", func() bool { return b.out.count("p_a/insert") == 2 })
		if b.out.position().Sequence <= before.Sequence {
			t.Error("the sequence began anew")
		}
		if err := r.crash(); err != nil {
			t.Fatal(err)
		}
		b.s.Exec("INSERT INTO shop.a VALUES (4,4)")
		b.s.PurgeAll()
		b.cfg[keySnapshot] = string(SnapshotWhenNeeded)
		b.run()
		b.waitFor("the copy", func() bool { return tableOf(b.out, "a").Run == 2 && tableOf(b.out, "a").State == stateDone })
		if got := strings.Join(b.out.rowsOf("p_a"), ""); !strings.Contains(got, `"4"`) {
			t.Errorf("%s", got)
		}
	})
}

// A server with another history is a Gap; one that has all that was read is gone on with.
func TestGapForeignServer(t *testing.T) {
	t.Parallel()
	flavours(t, func(t *testing.T, b *bed) {
		for i := range 5 {
			b.s.Exec(fmt.Sprintf("CREATE TABLE a%d (id INT PRIMARY KEY)", i))
		}
		r := b.run()
		b.waitFor("a position", func() bool { return b.out.position().GTID != "" })
		if err := r.crash(); err != nil {
			t.Fatal(err)
		}
		b.gap(b.moved().run().ends(), "another server")
	})
}

// Without GTIDs another server is a Gap, whatever its files are called.
func TestGapWithoutGTIDs(t *testing.T) {
	t.Parallel()
	b := ownBed(t, beds.MySQL, beds.NoGTID())
	b.s.Exec("CREATE TABLE shop.a (id INT PRIMARY KEY)")
	r := b.run()
	b.waitFor("a position", func() bool { return b.out.position().File != "" })
	if err := r.crash(); err != nil {
		t.Fatal(err)
	}
	other := b.moved(beds.NoGTID())
	other.s.Exec("CREATE TABLE shop.a (id INT PRIMARY KEY)")
	b.gap(other.run().ends(), "without GTIDs")
	b.s.PurgeAll()
	b.gap(b.run().ends(), "purged")
}
