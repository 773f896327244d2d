package beds

import (
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sluice-io/sluice/e2e/harness"
)

// Consumed is what an independent read_committed consumer makes of a connector's topics (e2e/judges/changes.py).
type Consumed struct {
	Tables     map[string][]map[string]*string `json:"tables"` // rows as they are after the last message
	Faults     []string                        `json:"faults"` // messages that do not fit those before them
	Resent     int                             `json:"resent"` // rows of a snapshot over rows that were there
	Again      []string                        `json:"again"`  // the first of them
	Messages   int                             `json:"messages"`
	Ops        map[string]int                  `json:"ops"`
	Runs       map[string]string               `json:"runs"`       // of tables without a key: the last snapshot
	Partitions map[string]int                  `json:"partitions"` // by topic
}

// Consume reads the topics <prefix>_… of a cluster to their ends and applies the messages.
func Consume(t harness.T, bootstrap, prefix string) *Consumed {
	t.Helper()
	python, err := harness.Setting("SLUICE_PY")
	if err != nil {
		t.Fatalf("%v", err)
	}
	root, err := harness.RepoRoot()
	if err != nil {
		t.Fatalf("%v", err)
	}
	out, err := exec.Command(python, filepath.Join(root, "e2e", "judges", "changes.py"), bootstrap, prefix).Output()
	if err != nil {
		detail := ""
		if exit, ok := err.(*exec.ExitError); ok {
			detail = string(exit.Stderr)
		}
		t.Fatalf("the independent consumer: %v: %s", err, detail)
	}
	c := &Consumed{}
	if err := json.Unmarshal(out, c); err != nil {
		t.Fatalf("what the independent consumer says: %v: %.300s", err, out)
	}
	return c
}

// Rows are a table's rows as the server prints them, in the form of Consumed. The columns that are wall time are left
// to tests of formats.
func (s *Server) Rows(database, table string) []map[string]*string {
	s.t.Helper()
	var columns []string
	for _, row := range s.Query("SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = '" + database + "' AND TABLE_NAME = '" + table + "' ORDER BY ORDINAL_POSITION") {
		columns = append(columns, *row[0])
	}
	var out []map[string]*string
	for _, row := range s.Query("SELECT * FROM `" + database + "`.`" + table + "`") {
		fields := map[string]*string{}
		for i, c := range columns {
			fields[c] = row[i]
		}
		out = append(out, fields)
	}
	return out
}

// Compare tells how a consumer's view of tables differs from the server's; "" is not at all.
func (s *Server) Compare(c *Consumed, database string, tables ...string) string {
	s.t.Helper()
	var out []string
	if len(c.Faults) > 0 {
		out = append(out, fmt.Sprintf("%d messages do not fit, the first: %s", len(c.Faults), strings.Join(c.Faults[:min(3, len(c.Faults))], "; ")))
	}
	for _, table := range tables {
		want, got := bag(s.Rows(database, table)), bag(c.Tables[table])
		var missing, extra []string
		for row, n := range want {
			if got[row] < n {
				missing = append(missing, row)
			}
		}
		for row, n := range got {
			if want[row] < n {
				extra = append(extra, row)
			}
		}
		slices.Sort(missing)
		slices.Sort(extra)
		if len(missing)+len(extra) > 0 {
			out = append(out, fmt.Sprintf("%s: %d rows missing %s, %d that are not in the table %s", table, len(missing), first(missing), len(extra), first(extra)))
		}
	}
	return strings.Join(out, "\n")
}

func first(rows []string) string { return strings.Join(rows[:min(2, len(rows))], " ") }

// bag counts equal rows.
func bag(rows []map[string]*string) map[string]int {
	out := map[string]int{}
	for _, row := range rows {
		var b strings.Builder
		for _, column := range slices.Sorted(maps.Keys(row)) {
			if v := row[column]; v == nil {
				fmt.Fprintf(&b, "%s=NULL ", column)
			} else {
				fmt.Fprintf(&b, "%s=%q ", column, *v)
			}
		}
		out[b.String()]++
	}
	return out
}

// AwaitEqual waits until a consumer's view of the tables is the server's, which must not change meanwhile, and returns
// what was consumed. A message that does not fit fails at once.
func (s *Server) AwaitEqual(within time.Duration, bootstrap, prefix, database string, tables ...string) *Consumed {
	s.t.Helper()
	var c *Consumed
	harness.Eventually(s.t, within, "a consumer of "+prefix+" has what the tables have", func() (bool, string) {
		c = Consume(s.t, bootstrap, prefix)
		difference := s.Compare(c, database, tables...)
		if len(c.Faults) > 0 {
			s.t.Fatalf("%s", difference)
		}
		return difference == "", difference
	})
	return c
}
