package maxcompute_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/maxcompute"
	"github.com/sluice-io/sluice/runner/record"
	"github.com/sluice-io/sluice/runner/sandbox"
)

func TestRulesAcrossFields(t *testing.T) {
	t.Parallel()
	spec := maxcompute.Spec()
	cloud := connector.Env{Instance: "i", Region: "cn-hangzhou"}
	good := connector.Config{"name": "a", "connector.class": "KAFKA2ODPS", "topics": "t", "odps.project": "p", "odps.table": "t", "aliyun.access.key.id": "a", "aliyun.access.key.secret": "b"}
	for _, c := range []struct {
		name   string
		change connector.Config
		field  string // "" is valid
	}{
		{"defaults", nil, ""},
		{"CSV of the value", connector.Config{"odps.format": "CSV", "odps.mode": "VALUE"}, ""},
		{"CSV of both", connector.Config{"odps.format": "CSV"}, "odps.mode"},
		{"JSON", connector.Config{"odps.mapping": "json"}, ""},
		{"JSON of the value", connector.Config{"odps.mapping": "json", "odps.mode": "VALUE"}, ""},
		{"JSON of the key", connector.Config{"odps.mapping": "json", "odps.mode": "KEY"}, "odps.mode"},
		{"JSON and CSV", connector.Config{"odps.mapping": "json", "odps.format": "CSV", "odps.mode": "VALUE"}, "odps.format"},
		{"JSON and binary", connector.Config{"odps.mapping": "json", "odps.format": "BINARY"}, "odps.format"},
		{"another region", connector.Config{"odps.region": "cn-beijing"}, "odps.region"},
		{"another region with Internet access", connector.Config{"odps.region": "cn-beijing", "internet.access": "true"}, ""},
		{"no project", connector.Config{"odps.project": " "}, "odps.project"},
		{"a bad table", connector.Config{"odps.table": "a-b"}, "odps.table"},
		{"a bad schema", connector.Config{"odps.schema": "1"}, "odps.schema"},
		{"a bad endpoint", connector.Config{"odps.endpoint": "http://h/api/x"}, "odps.endpoint"},
		{"a bad zone", connector.Config{"odps.timezone": "Mars"}, "odps.timezone"},
		{"a bad partition", connector.Config{"odps.partition": "hour"}, "odps.partition"},
		{"a bad tunnel", connector.Config{"odps.tunnel.endpoint": "ftp://x"}, "odps.tunnel.endpoint"},
		{"binary has no text policy", connector.Config{"odps.format": "BINARY", "odps.binary": "dlq"}, ""},
	} {
		given := good.Clone()
		for k, v := range c.change {
			given[k] = v
		}
		resolved := spec.Resolve(given, cloud)
		problems := spec.Problems(resolved, cloud)
		if c.field == "" && len(problems) > 0 || c.field != "" && (len(problems) != 1 || problems[0].Field != c.field) {
			t.Errorf("%s: %v, want %q", c.name, problems, c.field)
		}
	}
	for want, change := range map[string]connector.Config{
		"https://service.cn-hangzhou-vpc.maxcompute.aliyun-inc.com/api": nil,
		"https://service.cn-hangzhou.maxcompute.aliyun.com/api":         {"internet.access": "true"},
	} {
		given := good.Clone()
		for k, v := range change {
			given[k] = v
		}
		resolved := spec.Resolve(given, cloud)
		if resolved["odps.endpoint"] != want {
			t.Errorf("endpoint %q, want %q", resolved["odps.endpoint"], want)
		}
		if reach := spec.Reach(resolved, cloud); len(reach) != 1 || !strings.HasSuffix(reach[0].Address, ":443") {
			t.Errorf("reach %v", reach)
		}
	}
	if f, _ := spec.Field("odps.binary"); f.Shown(spec.Resolve(connector.Config{"odps.format": "BINARY"}, cloud), cloud) {
		t.Error("odps.binary is shown with BINARY")
	}
}

func TestCheckNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change connector.Config
		failed string
		remedy string
	}{
		{"right", nil, "", ""},
		{"right for JSON", connector.Config{"odps.mapping": "json", "odps.table": "objects"}, "", ""},
		{"no such table", connector.Config{"odps.table": "nothing"}, "Table", "Create the table, or correct odps.table, odps.schema and odps.project. What fits: CREATE TABLE sandbox.nothing (topic STRING, `partition` BIGINT, `offset` BIGINT, key STRING, value STRING) PARTITIONED BY (pt STRING);"},
		{"no such table for keys in bytes", connector.Config{"odps.table": "nothing", "odps.mode": "KEY", "odps.format": "BINARY"}, "Table", "(topic STRING, `partition` BIGINT, `offset` BIGINT, key BINARY) PARTITIONED BY (pt STRING);"},
		{"no such project", connector.Config{"odps.project": "nobody"}, "Table", "odps.project"},
		{"wrong columns", connector.Config{"odps.table": "fields"}, "Columns", "CREATE TABLE sandbox.fields (topic STRING, `partition` BIGINT, `offset` BIGINT, key STRING, value STRING) PARTITIONED BY (pt STRING);"},
		{"wrong types", connector.Config{"odps.format": "BINARY", "odps.mode": "VALUE"}, "Columns", "value BINARY) PARTITIONED BY (pt STRING);"},
		{"wrong secret", connector.Config{"aliyun.access.key.secret": "wrong"}, "Table", "secret"},
		{"wrong key", connector.Config{"aliyun.access.key.id": "nobody"}, "Table", "access key"},
		{"nobody listens", connector.Config{"odps.endpoint": "http://127.0.0.1:1/api"}, "Connection", ""},
		{"no such name", connector.Config{"odps.endpoint": "http://no-such-host.invalid/api"}, "Endpoint name", ""},
		{"no such tunnel", connector.Config{"odps.tunnel.endpoint": "http://127.0.0.1:1"}, "Tunnel endpoint", ""},
		{"no role issuer", connector.Config{"aliyun.auth": "ram_role", "aliyun.role.arn": "acs:ram::1234567890123456:role/writer", "aliyun.sts.endpoint": "127.0.0.1:1"}, "Role", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, c.change)
			var found []connector.Finding
			if err := b.spec.Check(t.Context(), b.cfg, b.deps, func(f connector.Finding) { found = append(found, f) }); err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(found, func(f connector.Finding) bool { return f.Status == connector.FindingFailed })
			if c.failed == "" {
				if i >= 0 || len(found) != 7 || found[6].Status != connector.FindingSkipped {
					t.Fatalf("%+v", found)
				}
				if parts, _, _ := b.odps.Partitions(b.table, "", 10); len(parts) != 0 || len(b.odps.Sessions()) != 0 {
					t.Errorf("the check left %v", parts)
				}
				return
			}
			if i < 0 || found[i].Name != c.failed || found[i].Remedy == "" || !strings.Contains(found[i].Remedy, c.remedy) || found[len(found)-1].Status != connector.FindingSkipped {
				t.Errorf("%+v", found)
			}
		})
	}
	t.Run("permission to write", func(t *testing.T) {
		t.Parallel()
		b := newBed(t, nil)
		c, _ := fill(t, b.sink(), nil, rec(10, 0, "a"))
		publish(t, c)
		for _, denied := range []bool{false, true} {
			if denied {
				b.fault(sandbox.Fault{Operation: "CreateUpload", Rate: 1, Status: 403, Code: "NoPermission"})
			}
			var last connector.Finding
			if err := b.spec.Check(t.Context(), b.cfg, b.deps, func(f connector.Finding) { last = f }); err != nil {
				t.Fatal(err)
			}
			if denied != (last.Status == connector.FindingFailed) || denied && !strings.Contains(last.Remedy, "Update") {
				t.Errorf("%+v", last)
			}
		}
		if b.count() != 1 {
			t.Error("the check wrote rows")
		}
	})
}

// TestTableThatDoesNotFit names every wrong thing at once.
func TestTableThatDoesNotFit(t *testing.T) {
	t.Parallel()
	for ddl, want := range map[string][]string{
		"CREATE TABLE odd (topic STRING, `partition` INT, value STRING)":                                                                                   {"not partitioned", "column partition is INT and should be BIGINT", "column offset BIGINT is missing", "column key STRING is missing"},
		"CREATE TABLE odd (topic STRING, `partition` BIGINT, `offset` BIGINT, key STRING, value STRING, more INT NOT NULL) PARTITIONED BY (pt STRING)":     {"column more is NOT NULL and nothing fills it"},
		"CREATE TABLE odd (topic STRING, `partition` BIGINT, `offset` BIGINT, key STRING, value STRING) PARTITIONED BY (ds STRING)":                        {"partitioned by ds STRING instead of pt STRING"},
		"CREATE TABLE odd (topic STRING, `partition` BIGINT, `offset` BIGINT, key STRING, value STRING) PARTITIONED BY (pt STRING, region STRING)":         {"instead of pt STRING"},
		"CREATE TABLE odd (topic STRING, `partition` BIGINT, `offset` BIGINT, key STRING, value STRING) PARTITIONED BY (pt BIGINT)":                        {"instead of pt STRING"},
		"CREATE TABLE odd (value STRING, key STRING, other DOUBLE, `offset` BIGINT, `partition` BIGINT, topic STRING NOT NULL) PARTITIONED BY (pt STRING)": nil,
	} {
		b := newBed(t, connector.Config{"odps.table": "odd"}, func(o *sandbox.ODPSOptions) { o.DDL = append(o.DDL, ddl) })
		err := b.sink().(connector.Prober).Probe(t.Context())
		var we *connector.WrongError
		if want == nil {
			if err != nil {
				t.Errorf("%s: %v", ddl, err)
			}
			continue
		}
		if !errors.As(err, &we) || we.Field != "odps.table" || !strings.Contains(we.Remedy, "CREATE TABLE sandbox.odd (topic STRING,") {
			t.Errorf("%s: %+v", ddl, err)
			continue
		}
		for _, part := range want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q is not in %v", ddl, part, err)
			}
		}
	}
}

// TestTableChangedWhileRunning: a column behind the others is taken in, anything else is
// noticed before a row goes into a wrong column.
func TestTableChangedWhileRunning(t *testing.T) {
	t.Parallel()
	sql := func(b *bed, statement string) {
		b.t.Helper()
		if _, err := b.odps.Query(b.t.Context(), sandbox.DefaultODPSProject, statement); err != nil {
			b.t.Fatal(err)
		}
	}
	t.Run("a column added", func(t *testing.T) {
		t.Parallel()
		b := newBed(t, connector.Config{"odps.table": "objects", "odps.mapping": "json"})
		s := b.sink()
		for i, value := range []string{`{"n":1,"late":"x"}`, `{"n":2,"late":"y"}`, `{"n":3,"late":"z"}`} {
			c, _ := fill(t, s, nil, rec(int64(10+i), 0, value))
			publish(t, c)
			if i == 0 {
				sql(b, "ALTER TABLE objects ADD COLUMNS (late STRING)")
			}
		}
		got := b.rows()["pt="+hour(0)]
		if want := []string{"∅|∅|∅|1|∅|∅", "∅|∅|∅|2|∅|∅", "∅|∅|∅|3|∅|z"}; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("rows %v, want %v", got, want)
		}
	})
	for _, between := range []string{"before the session", "after the intent"} {
		t.Run("made anew "+between, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, nil)
			s := b.sink()
			change := func() {
				sql(b, "DROP TABLE kafka_messages")
				sql(b, "CREATE TABLE kafka_messages (value STRING, topic STRING, `partition` BIGINT, `offset` BIGINT, key STRING) PARTITIONED BY (pt STRING)")
			}
			c, err := s.Begin(t.Context(), orders, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Add(t.Context(), rec(10, 0, "a")); err != nil {
				t.Fatal(err)
			}
			if between == "before the session" {
				change()
				_, err := c.Prepare(t.Context())
				var we *connector.WrongError
				if !errors.As(err, &we) || we.Field != "odps.table" || !strings.Contains(err.Error(), "was changed while the connector was running: column 1 is value STRING now and was topic STRING") {
					t.Fatalf("%v", err)
				}
			} else {
				in := prepared(t, c, 11, 1)
				change()
				if _, err := c.Publish(t.Context(), free); connector.CauseOf(err) != connector.CauseRepeat {
					t.Fatalf("publishing: %v", err)
				}
				expect(t, s, in, connector.Redo)
				c, _ = fill(t, s, &in, rec(10, 0, "a"))
				publish(t, c)
			}
			c.Discard()
			// The next chunk, as after a restart, is written for the table as it is.
			c, _ = fill(t, s, nil, rec(11, 0, "b"))
			publish(t, c)
			if got := b.rows()["pt="+hour(0)]; got[len(got)-1] != "b|orders|1|11|k" {
				t.Errorf("rows %v", got)
			}
		})
	}
}

func TestPreviewIsWhatIsWritten(t *testing.T) {
	t.Parallel()
	b := newBed(t, connector.Config{"odps.mapping": "json", "odps.table": "objects"})
	records := []record.Record{*rec(10, 0, `{"t":"x","n":1}`), *rec(11, 0, `{"n":"x"}`), *rec(12, 60, `{"o":3,"pad":"é"}`), *rec(13, 0, `{`)}
	samples, err := b.spec.Preview(t.Context(), b.cfg, b.deps, records)
	if err != nil || len(samples) != 4 {
		t.Fatalf("%+v, %v", samples, err)
	}
	if len(b.odps.Sessions()) != 0 || b.count() != 0 {
		t.Fatal("the preview wrote")
	}
	if s := samples[0]; s.Title != "sandbox.objects/pt="+hour(0) || s.Body != "{\n  \"t\": \"x\",\n  \"p\": null,\n  \"o\": null,\n  \"n\": 1,\n  \"pad\": null\n}" || s.Source.Offset != 10 {
		t.Errorf("%+v", s)
	}
	if s := samples[1]; s.Title != "sandbox.objects/pt="+hour(1) || !strings.Contains(s.Body, `"pad": "é"`) {
		t.Errorf("%+v", s)
	}
	if s := samples[2]; s.Source.Offset != 11 || s.Title != "abnormal data topic" || !strings.Contains(s.Refused, "column n INT") {
		t.Errorf("%+v", s)
	}
	if s := samples[3]; s.Source.Offset != 13 || s.Title != "dead-letter queue topic" || s.Refused == "" {
		t.Errorf("%+v", s)
	}
	// Without the table, records are shown all the same.
	b.odps.Close()
	b.cfg["odps.mapping"] = "record"
	if samples, err = b.spec.Preview(t.Context(), b.cfg, b.deps, records[:1]); err != nil || !strings.Contains(samples[0].Body, `"offset": 10`) {
		t.Errorf("%+v, %v", samples, err)
	}
}

func TestLookupListsTables(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	f, _ := b.spec.Field("odps.table")
	options, err := f.Lookup(t.Context(), b.cfg, b.deps)
	var names []string
	for _, o := range options {
		names = append(names, o.Value)
	}
	if err != nil || !slices.Equal(names, []string{"binaries", "fields", "kafka_messages", "objects"}) {
		t.Errorf("%v, %v", names, err)
	}
}

func TestLocateNamesThePartition(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	c, _ := fill(t, b.sink(), nil, rec(10, 0, "a"))
	publish(t, c)
	places, err := b.spec.Locate(t.Context(), b.cfg, b.deps, rec(10, 0, "a"))
	if err != nil || len(places) != 1 || places[0].Name != "odps://sandbox.kafka_messages/pt="+hour(0) || places[0].Container != "sandbox.kafka_messages" {
		t.Errorf("%+v, %v", places, err)
	}
	if places, err = b.spec.Locate(t.Context(), b.cfg, b.deps, rec(10, 60, "a")); err != nil || len(places) != 0 {
		t.Errorf("%+v, %v", places, err)
	}
}
