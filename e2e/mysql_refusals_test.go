//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/e2e/beds"
	"github.com/sluice-io/sluice/e2e/harness"
)

// finding is one result of the live checks.
type finding struct{ Name, Status, Detail, Remedy string }

// checks runs the live checks of a configuration through REST, by name.
func (b *readerBed) checks(config map[string]string) map[string]finding {
	b.t.Helper()
	var answer struct{ Findings []finding }
	b.sluice.Must(http.StatusOK, http.MethodPost, "/api/v1/instances/"+instance+"/checks", map[string]any{"config": config}, &answer)
	out := map[string]finding{}
	for _, f := range answer.Findings {
		out[f.Name] = f
	}
	return out
}

// failed waits until a connector has failed and has said all of these.
func failed(t *testing.T, c *harness.Connector, says ...string) {
	t.Helper()
	harness.Eventually(t, 40*time.Second, c.Name+" has failed and says "+strings.Join(says, ", "), func() (bool, string) {
		d := c.Status().Connector.Detail
		said := strings.ToLower(d.Cause + " " + d.Remedy)
		for _, text := range says {
			if !strings.Contains(said, strings.ToLower(text)) {
				return false, d.State + ": " + d.Cause + " " + d.Remedy
			}
		}
		return d.State == "FAILED" && d.Remedy != "", d.State + ": " + d.Cause + " " + d.Remedy
	})
}

// TestMySQLServerThatMustBeMended: a server without a binary log is refused with the reason, by the checks and by the connector, and
// read as soon as it has one. Of its certificate the authority counts with verify_ca and the name with verify_identity.
func TestMySQLServerThatMustBeMended(t *testing.T) {
	t.Parallel()
	flavors(t, func(t *testing.T, flavor string) {
		dir := t.TempDir()
		file, authority := filepath.Join(dir, "server.pem"), filepath.Join(dir, "ca.pem")
		certify := func(names ...string) string {
			certs, err := harness.MakeCertificates(names...)
			if err == nil {
				err = errors.Join(os.WriteFile(file, []byte(certs.Server), 0o600), os.WriteFile(authority, []byte(certs.CA), 0o600))
			}
			if err != nil {
				t.Fatal(err)
			}
			return certs.CA
		}
		ca := certify("db.elsewhere.example")
		db := ownDatabase(t, flavor, beds.NoBinlog(), beds.With("ssl_cert", file), beds.With("ssl_key", file), beds.With("ssl_ca", authority))
		b := layReader(t, db, harness.SluiceOptions{})
		b.exec("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t VALUES (1, 1)")
		config := b.config(map[string]string{"mysql.tls": "verify_ca", "mysql.tls.ca": ca})
		found := b.checks(config)
		if f := found["Binary log"]; f.Status != "failed" || !strings.Contains(f.Detail, "log_bin") || f.Remedy == "" {
			t.Errorf("the check of the binary log: %+v", f)
		}
		if f := found["TLS"]; f.Status != "ok" || !strings.Contains(f.Detail, "trusted authority") {
			t.Errorf("the check of TLS: %+v", f)
		}
		c := b.sluice.CreateConnector(instance, own("reader"), config)
		failed(t, c, "log_bin")
		db.Restart(beds.With("log_bin", "binlog"), beds.Without("skip_log_bin"))
		c.Resume()
		c.AwaitState(40*time.Second, "RUNNING")
		b.mustEqual(40*time.Second, "t")

		c.Patch(map[string]string{"mysql.tls": "verify_identity"})
		failed(t, c, "issued for another name", "mysql.host")
		fitting := certify()
		db.Exec(map[string]string{beds.MariaDB: "FLUSH SSL", beds.MySQL: "ALTER INSTANCE RELOAD TLS"}[flavor])
		c.Resume()
		failed(t, c, "authority that is not trusted", "mysql.tls.ca")
		c.Patch(map[string]string{"mysql.tls.ca": fitting})
		c.AwaitState(40*time.Second, "RUNNING")
		b.exec("INSERT INTO t VALUES (2, 2)")
		mustResendNothing(t, b.mustEqual(40*time.Second, "t"))
	})
}

// TestMySQLRefusedRows: text that is none, a row that is too large and a date that is none stop the reader, each named with its row, until
// a setting says what becomes of it; that can then be told from the messages.
func TestMySQLRefusedRows(t *testing.T) {
	t.Parallel()
	flavors(t, func(t *testing.T, flavor string) {
		b := layReader(t, sharedDatabase(t, flavor), harness.SluiceOptions{})
		b.exec("SET sql_mode = ''", "CREATE TABLE a (id INT PRIMARY KEY, v VARCHAR(20) CHARACTER SET gbk)", "INSERT INTO a VALUES (1, _gbk 0xC4E3), (2, _gbk 0xFEFE)",
			"CREATE TABLE b (id INT PRIMARY KEY, v LONGTEXT)", "INSERT INTO b VALUES (1, 'small'), (2, REPEAT('x', 1200000))",
			"CREATE TABLE c (id INT, k VARCHAR(5), v DATE, PRIMARY KEY (id, k))", "INSERT INTO c VALUES (1, 'one', '2024-02-29'), (2, 'two', '2024-00-10')")
		c := b.sluice.CreateConnector(instance, own("reader"), b.config(map[string]string{"mysql.zero.date": "fail"}))
		failed(t, c, "row id=2 of table a", "column v", "fefe", "mysql.invalid.text")
		c.Patch(map[string]string{"mysql.invalid.text": "base64"})
		failed(t, c, "row id=2 of table b is too large", "max.message.bytes", "mysql.oversize")
		c.Patch(map[string]string{"mysql.oversize": "dlq"})
		failed(t, c, "row id=2, k=two of table c", "2024-00-10", "mysql.zero.date")
		c.Patch(map[string]string{"mysql.zero.date": "string"})
		c.AwaitState(40*time.Second, "RUNNING")
		b.awaitCopied(c, 40*time.Second)
		b.exec("UPDATE a SET id = 3 WHERE id = 2", "UPDATE b SET id = 3 WHERE id = 2", "UPDATE c SET id = 3 WHERE id = 2", "INSERT INTO c VALUES (9, 'last', NULL)")
		shown := map[string]string{}
		harness.Eventually(t, 30*time.Second, "the last row has come", func() (bool, string) {
			for _, m := range slices.Concat(b.kafka.ReadAll(b.prefix+"_a"), b.kafka.ReadAll(b.prefix+"_b"), b.kafka.ReadAll(b.prefix+"_c"), b.kafka.ReadAll("connect-error-"+c.Name)) {
				key, value := b.shown(m.Topic, m.Value)
				shown[key] = value
			}
			_, last := shown["c INSERT 9"]
			return last, strings.Join(slices.Sorted(maps.Keys(shown)), ", ")
		})
		dead := "connect-error-" + c.Name + " "
		for key, want := range map[string]string{
			"a INSERT 1": `STRING "你"`, "a INSERT 2": `BYTES "/v4="`, "a DELETE 2": `BYTES "/v4="`, "a INSERT 3": `BYTES "/v4="`,
			"b INSERT 1": `STRING "small"`, dead + "INSERT 2": "STRING", dead + "DELETE 2": "STRING", dead + "INSERT 3": "STRING",
			"c INSERT 1": "DATE 1709164800000", "c INSERT 2": `STRING "2024-00-10"`, "c DELETE 2": `STRING "2024-00-10"`, "c INSERT 3": `STRING "2024-00-10"`, "c INSERT 9": "DATE null",
		} {
			if got := shown[key]; !strings.HasPrefix(got, want) {
				t.Errorf("%s is %.60s, want %s", key, got, want)
			}
			delete(shown, key)
		}
		if len(shown) > 0 {
			t.Errorf("more came: %q", slices.Sorted(maps.Keys(shown)))
		}
	})
}

// shown is a message as table (or the topic that is not a table's), op and id, with type and value of the column v.
func (b *readerBed) shown(topic string, message []byte) (key, value string) {
	b.t.Helper()
	type image struct {
		DataColumn map[string]json.RawMessage
	}
	var m struct {
		Schema  struct{ DataColumn []struct{ Name, Type string } }
		Payload struct {
			Before, After *image
			Op            string
		}
	}
	if err := json.Unmarshal(message, &m); err != nil {
		b.t.Fatalf("%s: %v: %.200s", topic, err, message)
	}
	row := m.Payload.After
	if row == nil {
		row = m.Payload.Before
	}
	for _, c := range m.Schema.DataColumn {
		if c.Name == "v" {
			value = c.Type
		}
	}
	return strings.TrimPrefix(topic, b.prefix+"_") + " " + m.Payload.Op + " " + string(row.DataColumn["id"]), value + " " + string(row.DataColumn["v"])
}

// TestMySQLTopicsThatExist: a topic that another connector writes is named by the checks, and one that is compacted refused by them,
// as the connector is that is deployed all the same, when a statement comes.
func TestMySQLTopicsThatExist(t *testing.T) {
	t.Parallel()
	b := layReader(t, sharedDatabase(t, beds.MariaDB), harness.SluiceOptions{})
	b.exec("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "CREATE TABLE u (id INT PRIMARY KEY, v INT)")
	b.kafka.CreateTopic(b.prefix+"_u", 1, map[string]string{"cleanup.policy": "compact"})
	first := b.deploy(map[string]string{"mysql.tables": "t"})
	config := b.config(map[string]string{"mysql.tables": "*"})
	config["name"] = own("second")
	got := b.checks(config)
	if f := got["Other writers"]; f.Status != "skipped" || !strings.Contains(f.Detail, b.prefix+"_t: the connector "+first.Name) || f.Remedy == "" {
		t.Errorf("other writers: %+v", f)
	}
	if f := got["Cleanup policy"]; f.Status != "failed" || !strings.Contains(f.Detail, b.prefix+"_u") || !strings.Contains(f.Remedy, "cleanup.policy=delete") {
		t.Errorf("cleanup policy: %+v", f)
	}
	second := b.deploy(map[string]string{"mysql.tables": "u"})
	b.exec("INSERT INTO u VALUES (1, 1)")
	b.mustEqual(40*time.Second, "u")
	b.exec("ALTER TABLE u ADD COLUMN w INT")
	failed(t, second, "compact")
}
