package mysql

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/e2e/beds"
	"github.com/sluice-io/sluice/runner/connector"
)

// A server that has the GTIDs is gone on with: after a failover nothing is lost or doubled.
func TestFailover(t *testing.T) {
	t.Parallel()
	ownFlavours(t, func(t *testing.T, b *bed) {
		schema := []string{"CREATE TABLE shop.a (id INT PRIMARY KEY, v INT)"}
		b.s.Exec(append(schema, "INSERT INTO shop.a VALUES (1,1),(2,2)")...)
		r := b.run()
		b.equal("a")
		b.s.Exec("UPDATE shop.a SET v = 3 WHERE id = 2")
		b.equal("a")
		if err := r.crash(); err != nil {
			t.Fatal(err)
		}
		other := b.moved()
		other.s.Exec(append(schema, "INSERT INTO shop.a VALUES (1,1),(2,3)")...)
		executed := strings.ReplaceAll(b.s.Executed(), "\n", "")
		if b.s.Flavor == beds.MySQL {
			reset := "RESET BINARY LOGS AND GTIDS"
			if strings.HasPrefix(*b.s.Query("SELECT VERSION()")[0][0], "8.0.") {
				reset = "RESET MASTER"
			}
			other.s.Exec(reset, "SET GLOBAL gtid_purged = '"+executed+"'")
		} else {
			other.s.Exec("RESET MASTER", "SET GLOBAL gtid_binlog_state = '"+executed+"'")
		}
		other.run()
		other.s.Exec("UPDATE shop.a SET v = 4 WHERE id = 1", "INSERT INTO shop.a VALUES (3,3)")
		other.equal("a")
		once(t, b.out)
		if n := b.out.count("p_a/insert"); n != 2+1+1+1 {
			t.Errorf("%d inserts", n)
		}
	})
}

// shapes is a cluster of topics for tests.
type shapes struct {
	partitions map[string]int
	made       []string
}

func (s *shapes) Topic(_ context.Context, name string) (connector.TopicShape, bool, error) {
	n, ok := s.partitions[name]
	return connector.TopicShape{Name: name, Partitions: n, MaxMessageBytes: 1 << 20}, ok, nil
}

func (s *shapes) CreateTopic(_ context.Context, name string, partitions int, _ map[string]string) error {
	s.partitions[name] = partitions
	s.made = append(s.made, name)
	return nil
}

func (s *shapes) Room(context.Context) (int, error) { return -1, nil }

// Rule 19: the topic's partitions are recorded; a change of them is warned about. No lock
// is waited for longer than a second.
func TestRule19PartitionsAreRecorded(t *testing.T) {
	t.Parallel()
	b := newBed(t, beds.MariaDB)
	b.s.Exec("CREATE TABLE k (id INT PRIMARY KEY)", "CREATE TABLE n (id INT)")
	b.cluster = &shapes{partitions: map[string]int{}}
	r := b.run()
	b.waitFor("the copies", func() bool { return tableOf(b.out, "k").State == stateDone && tableOf(b.out, "n").State == stateDone })
	if k, n := tableOf(b.out, "k").Partitions, tableOf(b.out, "n").Partitions; k != 6 || n != 1 {
		t.Errorf("%d and %d partitions", k, n)
	}
	b.s.Exec("TRUNCATE TABLE k")
	b.waitFor("a message in each partition", func() bool { return b.out.count("p_k/TRUNCATE") == 6 })
	if err := r.crash(); err != nil {
		t.Fatal(err)
	}
	b.cluster.partitions["p_k"] = 12
	delete(b.cluster.partitions, "p_n") // by somebody
	b.run()
	b.waitFor("a warning", func() bool {
		b.out.mu.Lock()
		defer b.out.mu.Unlock()
		all := strings.Join(b.out.logs, "\n")
		return strings.Contains(all, "has 12 partitions and had 6") && strings.Contains(all, "p_n was deleted and is made again")
	})
	if n := tableOf(b.out, "k").Partitions; n != 6 {
		t.Errorf("%d partitions are recorded", n)
	}
}

// Rule 19: a table that somebody keeps locked does not make us wait in line: others get at it.
func TestRule19LocksAreNotWaitedFor(t *testing.T) {
	t.Parallel()
	b := newBed(t, beds.MySQL)
	b.s.Exec("CREATE TABLE n (id INT)", "INSERT INTO n VALUES (1)")
	c := b.s.Connect()
	defer c.Close()
	for _, q := range []string{"BEGIN", "INSERT INTO n VALUES (2)"} { // its metadata lock would stand in the way of LOCK TABLES
		if _, err := c.Execute(q); err != nil {
			t.Fatal(err)
		}
	}
	b.run()
	b.waitFor("the copy", func() bool { return tableOf(b.out, "n").State == stateDone })
	longest := time.Duration(0)
	for range 15 {
		began := time.Now()
		b.s.Exec("INSERT INTO n VALUES (3)")
		longest = max(longest, time.Since(began))
		pause(100 * time.Millisecond)
	}
	if longest > 3*time.Second {
		t.Errorf("a writer waited %v", longest)
	}
	if _, err := c.Execute("COMMIT"); err != nil {
		t.Fatal(err)
	}
	b.equal("n")
}
