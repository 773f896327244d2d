package mysql

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/e2e/beds"
	"github.com/sluice-io/sluice/runner/connector"
)

var flavors = []string{beds.MariaDB, beds.MySQL}

func dialer() func(context.Context, string, string) (net.Conn, error) {
	d := &net.Dialer{}
	return d.DialContext
}

// resolved is a valid configuration for a bed, with more keys and values after it.
func resolved(t *testing.T, s *beds.Server, more ...string) connector.Config {
	t.Helper()
	cfg := connector.Config{"name": "orders", "connector.class": Class, keyHost: s.Host, keyPort: fmt.Sprint(s.Port), keyUser: "sluice", keyPassword: "secret",
		keyDatabase: s.Database, keyTables: "*", keyPrefix: "shop"}
	for i := 0; i < len(more); i += 2 {
		cfg[more[i]] = more[i+1]
	}
	spec, env := Spec(), connector.Env{Instance: "here", Region: "self-hosted"}
	out := spec.Resolve(cfg, env)
	if p := spec.Problems(out, env); len(p) > 0 {
		t.Fatalf("the configuration has problems: %v", p)
	}
	return out
}

// findings runs the checks; by name.
func findings(t *testing.T, cfg connector.Config, cluster connector.Cluster) map[string]connector.Finding {
	t.Helper()
	out := map[string]connector.Finding{}
	deps := connector.Deps{Env: connector.Env{Instance: "here", Region: "self-hosted"}, Dial: dialer(), Cluster: cluster}
	if err := check(t.Context(), cfg, deps, func(f connector.Finding) {
		if _, twice := out[f.Name]; twice {
			t.Errorf("%s is told twice", f.Name)
		}
		out[f.Name] = f
		t.Logf("%-26s %-8s %s | %s", f.Name, f.Status, f.Detail, f.Remedy)
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// shop is a database on a shared server, with tables of several kinds.
func shop(t *testing.T, flavor string) *beds.Server {
	t.Helper()
	return fill(Database(t, flavor))
}

// ownShop is a shop on a server that nobody else uses.
func ownShop(t *testing.T, flavor string, opts ...beds.Option) *beds.Server {
	t.Helper()
	s := beds.Start(t, flavor, opts...)
	s.Account("sluice", "secret")
	return fill(s.In("shop"))
}

func fill(s *beds.Server) *beds.Server {
	s.Exec("CREATE TABLE orders (id BIGINT PRIMARY KEY, customer VARCHAR(40) NOT NULL, total DECIMAL(10,2), at DATETIME(3))",
		"CREATE TABLE `lines` (order_id BIGINT, line INT, what VARCHAR(200), PRIMARY KEY (order_id, line))",
		"CREATE TABLE notes (said TEXT)",
		"INSERT INTO orders VALUES (1,'Ada',12.50,'2026-01-02 03:04:05.678'),(2,'Bob',0.01,NULL)",
		"INSERT INTO `lines` VALUES (1,1,'tea'),(1,2,'cups')",
		"INSERT INTO notes VALUES ('hello'),(REPEAT('x',3000))")
	return s
}

// cluster is a connector.Cluster of a map.
type cluster struct {
	topics map[string]connector.TopicShape
	room   int
}

func (c cluster) Topic(_ context.Context, name string) (connector.TopicShape, bool, error) {
	t, ok := c.topics[name]
	return t, ok, nil
}
func (c cluster) CreateTopic(context.Context, string, int, map[string]string) error { return nil }
func (c cluster) Room(context.Context) (int, error)                                 { return c.room, nil }

func TestChecksOfAServerThatIsRight(t *testing.T) {
	t.Parallel()
	for _, flavor := range flavors {
		t.Run(flavor, func(t *testing.T) {
			t.Parallel()
			s := shop(t, flavor)
			got := findings(t, resolved(t, s, keyTables, "orders,l*"), cluster{topics: map[string]connector.TopicShape{"shop_lines": {Name: "shop_lines", Partitions: 3, MaxMessageBytes: 1 << 20}}, room: 100})
			for name, f := range got {
				if f.Status == connector.FindingFailed {
					t.Errorf("%s failed: %s", name, f.Detail)
				}
			}
			for name, want := range map[string]string{
				"Account": "Signed in as sluice@%.", "binlog_format": "ROW", "Tables": "2 tables: lines, orders.", "Topics": "1 topic of 6 partitions will be made. Taken as they are: shop_lines (3 partitions).",
				"Partitions": "6 are to be made; the cluster takes 100 more.", "Server ID": "is free", "Primary keys": "Every table has one", "Permission to replicate": "may read the binary log",
			} {
				if !strings.Contains(got[name].Detail, want) {
					t.Errorf("%s: %q lacks %q", name, got[name].Detail, want)
				}
			}
		})
	}
}

// TestChecksOfWrongSettings: each setting of the server that is wrong is told by its own
// check, with what to do.
func TestChecksOfWrongSettings(t *testing.T) {
	t.Parallel()
	for _, flavor := range flavors {
		t.Run(flavor, func(t *testing.T) {
			t.Parallel()
			s := ownShop(t, flavor)
			tests := []struct{ set, name, remedy string }{
				{"SET GLOBAL binlog_format = 'STATEMENT'", "binlog_format", "binlog_format = 'ROW'"},
				{"SET GLOBAL binlog_row_image = 'MINIMAL'", "binlog_row_image", "binlog_row_image = 'FULL'"},
				{"SET GLOBAL binlog_row_metadata = 'MINIMAL'", "binlog_row_metadata", "binlog_row_metadata = 'FULL'"},
				{"SET GLOBAL binlog_expire_logs_seconds = 600", "Binary log retention", "binlog_expire_logs_seconds"},
			}
			if flavor == beds.MySQL {
				tests = append(tests, struct{ set, name, remedy string }{"SET GLOBAL binlog_row_value_options = 'PARTIAL_JSON'", "binlog_row_value_options", "SET PERSIST binlog_row_value_options = ''"})
			}
			for _, tt := range tests {
				if err := s.TryExec(tt.set); err != nil {
					t.Logf("%s is not possible here: %v", tt.set, err)
				}
			}
			got := findings(t, resolved(t, s), nil)
			for _, tt := range tests {
				if f := got[tt.name]; f.Status != connector.FindingFailed || !strings.Contains(f.Remedy, tt.remedy) {
					t.Errorf("after %s the check %s is %s: %q, remedy %q", tt.set, tt.name, f.Status, f.Detail, f.Remedy)
				}
			}
			if f := got["Tables"]; f.Status != connector.FindingOK {
				t.Errorf("the tables were not looked at any more: %+v", f)
			}
		})
	}
}

func TestChecksOfAccounts(t *testing.T) {
	t.Parallel()
	for _, flavor := range flavors {
		t.Run(flavor, func(t *testing.T) {
			t.Parallel()
			s := shop(t, flavor)
			s.Exec("CREATE TABLE scans (code TEXT) ENGINE=MyISAM")
			account := func(name string, grants ...string) string {
				name += s.Database // no other test on the server has one of this name
				s.Exec("CREATE USER " + name + "@'%' IDENTIFIED BY 'secret'")
				for _, g := range grants {
					s.Exec("GRANT " + g + " TO " + name + "@'%'")
				}
				return name
			}
			reader, partly := account("reader", "SELECT ON *"), account("partly", "REPLICATION SLAVE, REPLICATION CLIENT ON *.*", "SELECT ON orders")
			unlocking, nobody := account("unlocking", "SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.*"), account("nobody")
			type testCase struct {
				title       string
				settings    []string
				name        string // of the check that fails
				detail      string
				alsoSkipped string // a later check
			}
			tests := []testCase{
				{"wrong password", []string{keyPassword, "wrong"}, "Account", "1045", "Server version"},
				{"no right to replicate", []string{keyUser, reader}, "Permission to replicate", "REPLICATION SLAVE", ""},
				{"no right to lock", []string{keyUser, unlocking, keyTables, "notes,scans"}, "Primary keys", "may not lock: scans", ""},
				{"one table only", []string{keyUser, partly, keyTables, "orders,lines"}, "Tables", "no table lines", "Columns"},
				{"no right at all", []string{keyUser, nobody}, "Database", "no database " + s.Database, "Tables"},
				{"no such database", []string{keyDatabase, "stop"}, "Database", "no database stop", "Tables"},
				{"no such table", []string{keyTables, "orders,nothing,none*"}, "Tables", "no table nothing", "Primary keys"},
				{"no such table by a wildcard", []string{keyTables, "none*"}, "Tables", "no table none*", "Primary keys"},
				{"verified TLS", []string{keyTLS, string(TLSVerifyCA)}, "TLS", "", "Account"},
			}
			for _, tt := range tests {
				t.Run(tt.title, func(t *testing.T) {
					got := findings(t, resolved(t, s, tt.settings...), nil)
					f := got[tt.name]
					if f.Status != connector.FindingFailed || f.Remedy == "" || !strings.Contains(f.Detail, tt.detail) {
						t.Errorf("%s is %s: %q, remedy %q", tt.name, f.Status, f.Detail, f.Remedy)
					}
					if tt.alsoSkipped != "" && got[tt.alsoSkipped].Status != connector.FindingSkipped {
						t.Errorf("%s is %+v", tt.alsoSkipped, got[tt.alsoSkipped])
					}
				})
			}
		})
	}
}

func TestChecksOfAnotherReader(t *testing.T) {
	t.Parallel()
	s := shop(t, beds.MySQL)
	got := findings(t, resolved(t, s, keyServerID, s.Value("SELECT @@server_id")), nil)
	if f := got["Server ID"]; f.Status != connector.FindingFailed || !strings.Contains(f.Detail, "the server itself") {
		t.Errorf("the server's own id: %+v", f)
	}
}

func TestChecksOfALogThatIsOff(t *testing.T) {
	t.Parallel()
	for _, flavor := range flavors {
		t.Run(flavor, func(t *testing.T) {
			t.Parallel()
			s := ownShop(t, flavor, beds.NoBinlog())
			got := findings(t, resolved(t, s), nil)
			if f := got["Binary log"]; f.Status != connector.FindingFailed || !strings.Contains(f.Remedy, "log_bin=ON") {
				t.Errorf("%+v", f)
			}
		})
	}
}

func TestChecksOfTopics(t *testing.T) {
	t.Parallel()
	s := shop(t, beds.MariaDB)
	s.Exec("CREATE TABLE `a b` (id INT PRIMARY KEY)", "CREATE TABLE `a$b` (id INT PRIMARY KEY)")
	got := findings(t, resolved(t, s), cluster{room: 5})
	if f := got["Topics"]; f.Status != connector.FindingFailed || !strings.Contains(f.Detail, "a b, a$b") && !strings.Contains(f.Detail, "a$b, a b") {
		t.Errorf("two tables of one topic: %+v", f)
	}
	if f := got["Partitions"]; f.Status != connector.FindingFailed || !strings.Contains(f.Detail, "takes 5 more") {
		t.Errorf("too few partitions: %+v", f)
	}
	got = findings(t, resolved(t, s, keyTables, "notes"), cluster{room: -1, topics: map[string]connector.TopicShape{"shop_notes": {Name: "shop_notes", Partitions: 4, MaxMessageBytes: 2000}}})
	if f := got["Message size"]; f.Status != connector.FindingFailed || !strings.Contains(f.Detail, "notes") {
		t.Errorf("a row that is too large: %+v", f)
	}
	if f := got["Topics"]; !strings.Contains(f.Detail, "partition 0 of shop_notes") {
		t.Errorf("no key and four partitions: %+v", f)
	}
	for _, tt := range []struct {
		format, table string
		status        connector.FindingStatus
		says          string
	}{
		{FormatDataWorks, "orders", connector.FindingFailed, "the statements of the format dataworks"},
		{FormatDataWorks, "notes", connector.FindingFailed, "without a primary key, which shop_notes would get"},
		{FormatDebezium, "notes", connector.FindingFailed, "without a primary key, which shop_notes would get"},
		{FormatDebezium, "orders", connector.FindingSkipped, "keep the last message only"},
	} {
		shape := connector.TopicShape{Name: "shop_" + tt.table, Partitions: 1, MaxMessageBytes: 1 << 20, Compacted: true, ArrivalTime: true}
		got := findings(t, resolved(t, s, keyFormat, tt.format, keyTables, tt.table), cluster{room: -1, topics: map[string]connector.TopicShape{shape.Name: shape}})
		f := got["Cleanup policy"]
		if f.Status != tt.status || !strings.Contains(f.Detail, tt.says) || !strings.Contains(f.Remedy, "cleanup.policy=delete") || !strings.Contains(got["Topics"].Detail, "LogAppendTime") {
			t.Errorf("%s of %s to a compacted topic: %+v %+v", tt.format, tt.table, f, got["Topics"])
		}
	}
}

func TestLookups(t *testing.T) {
	t.Parallel()
	for _, flavor := range flavors {
		t.Run(flavor, func(t *testing.T) {
			t.Parallel()
			s := shop(t, flavor)
			s.Exec("CREATE TABLE `odd,name*` (id INT PRIMARY KEY)", "CREATE VIEW seen AS SELECT 1 AS one")
			deps := connector.Deps{Dial: dialer()}
			cfg := resolved(t, s)
			databases, err := lookupDatabases(t.Context(), cfg, deps)
			if err != nil || !slices.ContainsFunc(databases, func(o connector.Option) bool { return o.Value == s.Database }) {
				t.Errorf("databases: %v, %v", databases, err)
			}
			tables, err := lookupTables(t.Context(), cfg, deps)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, o := range tables {
				got = append(got, o.Value+" "+o.Help)
			}
			if len(got) != 4 || !strings.HasPrefix(got[0], "lines → shop_lines: key order_id, line, 6 partitions; about ") || !strings.HasPrefix(got[1], "notes → shop_notes: no primary key, 1 partition;") ||
				!strings.HasPrefix(got[2], "`odd,name*` → shop_odd_name_: key id") {
				t.Errorf("tables: %q", got)
			}
		})
	}
}
