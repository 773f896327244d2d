package sandbox

import (
	"strings"
	"testing"

	"github.com/aliyun/aliyun-odps-go-sdk/odps/data"
	"github.com/aliyun/aliyun-odps-go-sdk/odps/tunnel"
)

func TestODPSQuery(t *testing.T) {
	t.Parallel()
	o := startODPS(t, ODPSOptions{})
	_, tun := sandboxClient(o)
	for _, part := range []string{"a", "b"} {
		u, err := tun.CreateUploadSession(DefaultODPSProject, DefaultODPSTable, tunnel.SessionCfg.WithPartitionKey("pt="+part), tunnel.SessionCfg.WithCreatePartition())
		must(t, err)
		must(t, upload(u, 0, message("x", 0, 1, "1"), message("x", 0, 2, "20"), message("y", 1, 2, part), data.Record{nil, data.BigInt(7)}))
		must(t, u.Commit([]int{0}))
	}
	for _, c := range []struct{ sql, want string }{
		{"count(*) from kafka_messages where pt='a'", "4"},
		{"count(*) from sandbox.kafka_messages where pt in ('a','b') and topic='x' and partition=0 and offset>=1 and offset<2", "2"},
		{"count(1) from kafka_messages where pt>'a' or pt is null", "4"},
		{"count(*) from kafka_messages where pt<>'c' and not (topic = 'x')", "2"},
		{"count(*) from kafka_messages where pt='a' and topic is null", "1"},
		{"count(topic) from kafka_messages where pt='a' and topic is null", "0"},
		{"count(distinct topic) from kafka_messages where pt between 'a' and 'b'", "2"},
		{"count(*) from kafka_messages where pt='a' and value > 3", "1"},
		{"count(*) from kafka_messages where pt='c'", "0"},
		{"count(*) from kafka_messages where pt='a' and key = null", "0"},
		{"max(offset) from kafka_messages where pt='a'", "2"},
		{"min(value) from kafka_messages where pt='b'", "1"},
		{"sum(offset) from kafka_messages where pt='b'", "5"},
		{"min(offset) from kafka_messages where pt='none'", `\N`},
		{"topic from kafka_messages where pt='a' limit 2", "x\nx"},
		{"pt from kafka_messages where pt='b' and offset=1", "b"},
		{"topic, count(*) from kafka_messages where pt='a' group by topic", "x,2\ny,1\n\\N,1"},
	} {
		result := mustQuery(t, o, "SELECT "+c.sql+";")
		if _, rows, _ := strings.Cut(strings.TrimSuffix(result, "\n"), "\n"); rows != c.want {
			t.Errorf("%s: %q, want %q", c.sql, rows, c.want)
		}
	}
	for sql, code := range map[string]string{
		"":                                 odpsParseError,
		"SELECT":                           odpsParseError,
		"SELECT 'a":                        odpsParseError,
		"SELECT * FROM kafka_messages; x":  odpsParseError,
		"INSERT INTO t VALUES (1)":         odpsParseError,
		"CREATE TABLE t (a MAP)":           odpsParseError,
		"CREATE TABLE t (a CHAR(256))":     odpsParseError,
		"CREATE TABLE t (a DECIMAL(39,1))": odpsParseError,
		"CREATE TABLE t (a INT, A INT)":    odpsSemanticError,
		"CREATE TABLE t (a INT) PARTITIONED BY (b DOUBLE)":                  odpsSemanticError,
		"CREATE TABLE kafka_messages (a INT)":                               odpsExistsError,
		"SELECT * FROM none":                                                odpsNoTableError,
		"DROP TABLE none":                                                   odpsNoTableError,
		"SELECT COUNT(*) FROM kafka_messages":                               odpsSemanticError, // a full scan
		"SELECT x FROM kafka_messages WHERE pt='a'":                         odpsSemanticError,
		"SELECT topic, COUNT(*) FROM kafka_messages WHERE pt='a'":           odpsSemanticError,
		"ALTER TABLE kafka_messages ADD PARTITION (pt='a')":                 odpsExistsError,
		"ALTER TABLE kafka_messages ADD IF NOT EXISTS PARTITION (ds='a')":   odpsSemanticError,
		"ALTER TABLE kafka_messages ADD PARTITION (pt='a/b')":               odpsSemanticError,
		"ALTER TABLE kafka_messages DROP PARTITION (pt='z')":                odpsExistsError,
		"ALTER TABLE kafka_messages ADDPARTITION (pt='a')":                  odpsParseError,
		"ALTER TABLE kafka_messages ADD COLUMNS (topic STRING)":             odpsSemanticError,
		"TRUNCATE TABLE kafka_messages":                                     odpsSemanticError,
		"SELECT COUNT(*) FROM t WHERE " + strings.Repeat("(", 1000) + "a=1": odpsParseError,
	} {
		if _, err := o.Query(t.Context(), DefaultODPSProject, sql); err == nil || !strings.Contains(err.Error(), code) {
			t.Errorf("%.60s: %v, want %s", sql, err, code)
		}
	}
	mustQuery(t, o, "ALTER TABLE kafka_messages DROP IF EXISTS PARTITION (pt='a'), PARTITION (pt='z')")
	mustQuery(t, o, "TRUNCATE TABLE kafka_messages PARTITION (pt='b')")
	if n := count(t, o, DefaultODPSTable); n != 0 {
		t.Errorf("%d rows are left", n)
	}
}
