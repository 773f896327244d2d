//go:build debezium

package mysql

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-io/sluice/e2e/beds"
	"github.com/sluice-io/sluice/e2e/harness"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/mysql/format"
	"github.com/sluice-io/sluice/runner/mysql/format/formattest"
	"github.com/sluice-io/sluice/runner/mysql/row"
)

// TestCaptureDebezium lets Debezium's own connector and this package's reader read the same server at the same time, and
// keeps the messages of the one and the changes that the other saw in format/testdata. Run it by e2e/setup/debezium.sh.
func TestCaptureDebezium(t *testing.T) {
	for _, flavor := range []string{beds.MySQL, beds.MariaDB} {
		t.Run(flavor, func(t *testing.T) { captureDebezium(t, flavor) })
	}
}

func captureDebezium(t *testing.T, flavor string) {
	b := ownBed(t, flavor)
	b.s.Exec("CREATE USER dbz@'%' IDENTIFIED BY 'dbz'", "GRANT ALL ON *.* TO dbz@'%'")
	b.s.Exec(append([]string{debeziumMode}, debeziumSnapshot(flavor)...)...)
	settings := debeziumSettings(b)
	java, out, version := startDebezium(t, flavor, settings)
	see := &changesSeen{tables: map[*row.Table]int{}}
	startReader(t, b, see)

	waitLong(t, java, "the snapshots", func() bool {
		return strings.Contains(readText(t, out), `\"snapshot\":\"last\"`) && slices.Contains(see.names(), "zeros") && allCopied(b)
	})
	b.s.Exec(append([]string{debeziumMode}, debeziumStream(flavor)...)...)
	b.s.Exec("CREATE TABLE done (id INT PRIMARY KEY)", "INSERT INTO done VALUES (1)")
	waitLong(t, java, "the changes", func() bool {
		return strings.Contains(readText(t, out), `"topic":"p.shop.done"`) && slices.Contains(see.names(), "done")
	})
	delete(settings, "database.port")
	head := formattest.Line{Head: &formattest.Head{
		Debezium: version, Server: flavor + " " + b.s.Value("SELECT VERSION()"), Made: "e2e/setup/debezium.sh", Settings: settings,
	}}
	writeCapture(t, filepath.Join("format", "testdata", "debezium-"+flavor+".jsonl"), append([]formattest.Line{head}, append(see.lines, messagesOf(t, out)...)...))
}

func debeziumSettings(b *bed) map[string]string {
	class, name := "io.debezium.connector.mysql.MySqlConnector", "mysql"
	if b.s.Flavor == beds.MariaDB {
		class, name = "io.debezium.connector.mariadb.MariaDbConnector", "mariadb"
	}
	return map[string]string{
		"name": name, "connector.class": class, "topic.prefix": "p", "database.hostname": b.s.Host, "database.port": fmt.Sprint(b.s.Port),
		"database.user": "dbz", "database.password": "dbz", "database.server.id": "5150", "database.include.list": b.s.Database,
		"driver.allowPublicKeyRetrieval": "true",
	}
}

// startDebezium runs the connector; out is the file that its records come to.
func startDebezium(t *testing.T, flavor string, settings map[string]string) (java *harness.Process, out, version string) {
	libs, err := harness.Setting("SLUICE_DEBEZIUM_" + strings.ToUpper(flavor))
	if err != nil {
		t.Fatal(err)
	}
	program, err := harness.Setting("SLUICE_JAVA")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var text strings.Builder
	for k, v := range settings {
		fmt.Fprintf(&text, "%s=%s\n", k, v)
	}
	fmt.Fprintf(&text, "offset.storage=org.apache.kafka.connect.storage.FileOffsetBackingStore\noffset.storage.file.filename=%s/offsets\n", dir)
	fmt.Fprintf(&text, "schema.history.internal=io.debezium.storage.file.history.FileSchemaHistory\nschema.history.internal.file.filename=%s/history\n", dir)
	properties, source := filepath.Join(dir, "properties"), filepath.Join("..", "..", "e2e", "setup", "debezium", "Capture.java")
	if err := os.WriteFile(properties, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	out = filepath.Join(dir, "records")
	java, err = harness.Start(harness.Command{Name: "debezium", Path: program, Args: []string{"-cp", libs + "/*", source, properties, out}, Env: os.Environ(), Log: filepath.Join(dir, "log")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = java.Kill9() })
	return java, out, strings.TrimPrefix(filepath.Base(libs), "debezium-"+flavor+"-")
}

// startReader runs this package's source; what it would encode goes to see.
func startReader(t *testing.T, b *bed, see *changesSeen) {
	b.cfg[keyFormat] = FormatDebezium
	src, err := newSource(t.Context(), b.cfg, b.deps())
	if err != nil {
		t.Fatal(err)
	}
	src.(*source).encoder = func(*Settings, *server) (format.Encoder, error) { return see, nil }
	done := make(chan error, 1)
	go func() { done <- src.Run(t.Context(), connector.Start{}, silentOutbox{b.out}) }()
	t.Cleanup(func() {
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// silentOutbox keeps what is saved and no records.
type silentOutbox struct{ *outbox }

func (silentOutbox) Write(*connector.Outgoing) error { return nil }

func allCopied(b *bed) bool {
	for _, r := range b.s.Query("SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()") {
		if tableOf(b.out, *r[0]).State != stateDone {
			return false
		}
	}
	return true
}

// changesSeen is an Encoder that keeps changes in the place of encoding them.
type changesSeen struct {
	mu     sync.Mutex
	tables map[*row.Table]int
	lines  []formattest.Line
	seen   []string
}

func (s *changesSeen) Encode(c *format.Change, _ func(*format.Message) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, ok := s.tables[c.Table]
	if !ok {
		n = len(s.tables)
		s.tables[c.Table] = n
		s.lines = append(s.lines, formattest.Line{Table: c.Table})
	}
	s.lines = append(s.lines, formattest.Line{Change: formattest.ChangeOf(n, c)})
	s.seen = append(s.seen, c.Table.Name)
	return nil
}

func (s *changesSeen) DDL(*format.DDL, func(*format.Message) error) error { return nil }

func (s *changesSeen) Heartbeat(*format.Origin, func() uint64, func(*format.Message) error) error {
	return nil
}

func (s *changesSeen) names() []string { s.mu.Lock(); defer s.mu.Unlock(); return slices.Clone(s.seen) }

func readText(t *testing.T, file string) string {
	b, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(b)
}

func waitLong(t *testing.T, java *harness.Process, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(3 * time.Minute)
	for !holds() {
		if time.Now().After(deadline) || !java.Running() {
			t.Fatalf("waited too long for %s:\n%s", what, java.Tail(60))
		}
		pause(200 * time.Millisecond)
	}
}

// messagesOf are the records of the tables' topics, without the four headers that every record has and that name
// the run of the connector: __debezium.context.taskId and others.
func messagesOf(t *testing.T, file string) (lines []formattest.Line) {
	scan := bufio.NewScanner(strings.NewReader(readText(t, file)))
	scan.Buffer(nil, 16<<20)
	for scan.Scan() {
		var raw struct {
			Topic      string
			Key, Value *string
			Headers    map[string]*string
		}
		if err := json.Unmarshal(scan.Bytes(), &raw); err != nil {
			t.Fatalf("%s: %v", scan.Bytes(), err)
		}
		if raw.Topic == "p" { // schema changes
			continue
		}
		maps.DeleteFunc(raw.Headers, func(name string, _ *string) bool { return strings.HasPrefix(name, "__debezium.context.") })
		m := &formattest.Message{Topic: raw.Topic, Key: raw.Key, Headers: raw.Headers}
		if raw.Value != nil {
			m.Value = json.RawMessage(*raw.Value)
		}
		lines = append(lines, formattest.Line{Message: m})
	}
	return lines
}

func writeCapture(t *testing.T, file string, lines []formattest.Line) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	for _, l := range lines {
		if err := e.Encode(l); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
