package maxcompute_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/aliyun/aliyun-odps-go-sdk/odps"
	"github.com/aliyun/aliyun-odps-go-sdk/odps/account"
	"github.com/aliyun/aliyun-odps-go-sdk/odps/data"
	"github.com/aliyun/aliyun-odps-go-sdk/odps/tunnel"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/maxcompute"
	"github.com/sluice-io/sluice/runner/record"
	"github.com/sluice-io/sluice/runner/sandbox"
)

// download reads a partition back by the service's SDK, which checks every checksum.
func (b *bed) download(pt string) []data.Record {
	b.t.Helper()
	client := odps.NewOdps(account.NewAliyunAccount(sandbox.DefaultKey, sandbox.DefaultKey), b.odps.URL())
	client.SetDefaultProjectName(sandbox.DefaultODPSProject)
	tun := tunnel.NewTunnel(client, b.odps.TunnelURL())
	d, err := tun.CreateDownloadSession(sandbox.DefaultODPSProject, b.table, tunnel.SessionCfg.WithPartitionKey("pt='"+pt+"'"), tunnel.SessionCfg.WithSnappyFramedCompressor())
	if err != nil {
		b.t.Fatal(err)
	}
	r, err := d.OpenRecordReader(0, d.RecordCount(), nil)
	if err != nil {
		b.t.Fatal(err)
	}
	defer r.Close()
	var out []data.Record
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			b.t.Fatal(err)
		}
		out = append(out, row)
	}
}

const everyDDL = `CREATE TABLE every (c_bigint BIGINT, c_int INT, c_small SMALLINT, c_tiny TINYINT, c_double DOUBLE, c_float FLOAT, c_dec DECIMAL(20,5), c_bool BOOLEAN,
	c_string STRING, c_varchar VARCHAR(10), c_char CHAR(4), c_bin BINARY, c_datetime DATETIME, c_ts TIMESTAMP, c_ntz TIMESTAMP_NTZ, c_date DATE, c_json JSON) PARTITIONED BY (pt STRING)`

// TestEveryTypeBySDK: the SDK reads back what the JSON said, type by type.
func TestEveryTypeBySDK(t *testing.T) {
	t.Parallel()
	b := newBed(t, connector.Config{"odps.table": "every", "odps.mapping": "json"}, func(o *sandbox.ODPSOptions) { o.DDL = append(o.DDL, everyDDL) })
	c, _ := fill(t, b.sink(), nil,
		rec(10, 0, `{"c_bigint":-9223372036854775807,"c_int":-2147483648,"c_small":-32768,"c_tiny":-128,"c_double":3.141592653589793,"c_float":1.5,"c_dec":123456789012345.12345,"c_bool":true,
			"c_string":"text \u0000 \u00e9","c_varchar":"vär","c_char":"ch","c_bin":"AP8B","c_datetime":"2026-11-22T13:14:15.123Z","c_ts":"2026-11-22T13:14:15.123456789Z","c_ntz":"2026-11-22 13:14:15.5","c_date":"2026-11-22","c_json":{"a":[1]}}`),
		rec(11, 0, `{}`), rec(12, 0, `{"c_date":"0000-01-01","c_datetime":-1,"c_ts":-1,"c_double":-0.0,"c_bool":false,"c_string":""}`))
	publish(t, c)
	rows := b.download(hour(0))
	if len(rows) != 3 {
		t.Fatalf("%d rows", len(rows))
	}
	want := []string{"-9223372036854775807", "-2147483648", "-32768", "-128", "", "", "123456789012345.12345", "true", "text \x00 é", "vär", "ch", "", "2026-11-22 13:14:15", "2026-11-22 13:14:15.123456789", "2026-11-22 13:14:15.5", "2026-11-22", `{"a":[1]}`}
	for i, w := range want {
		if got := printed(rows[0][i]); w != "" && !strings.HasPrefix(got, w) {
			t.Errorf("column %d is %q, want %q", i, got, w)
		}
	}
	if got := rows[0][4]; got != data.Double(math.Pi) {
		t.Errorf("double %v", got)
	}
	if got, ok := rows[0][11].(data.Binary); !ok || string(got) != "\x00\xff\x01" {
		t.Errorf("binary %v", rows[0][11])
	}
	for i, v := range rows[1] {
		if v != nil {
			t.Errorf("column %d of the empty object is %v", i, v)
		}
	}
	got := b.rows()["pt="+hour(0)][2]
	if want := "∅|∅|∅|∅|-0|∅|∅|false||∅|∅|∅|1969-12-31 23:59:59.999|1969-12-31 23:59:59.999|∅|0000-01-01|∅"; got != want {
		t.Errorf("row %s, want %s", got, want)
	}
}

// printed is a value as text; instants in UTC.
func printed(v data.Data) string {
	switch v := v.(type) {
	case data.DateTime:
		return v.Time().UTC().Format("2006-01-02 15:04:05.999")
	case data.Timestamp:
		return v.Time().UTC().Format("2006-01-02 15:04:05.999999999")
	case data.TimestampNtz:
		return v.Time().UTC().Format("2006-01-02 15:04:05.999999999")
	case data.Date:
		return v.Time().UTC().Format("2006-01-02")
	case *data.Json:
		return v.GetData()
	case *data.VarChar:
		return v.Data()
	case *data.Char:
		return v.Data()
	case data.String:
		return string(v)
	case *data.Decimal:
		return v.Value()
	}
	return fmt.Sprint(v)
}

// FuzzRows: any key and value come back by the SDK as they were, among others and over the
// bounds of frames.
func FuzzRows(f *testing.F) {
	f.Add([]byte("k"), []byte("v"), int64(7), 3)
	f.Add([]byte(nil), []byte("\xff\x00"), int64(math.MaxInt64-100), 1)
	f.Add([]byte{}, []byte(strings.Repeat("0123456789", 30_000)), int64(0), 70)
	b := newBed(f, connector.Config{"odps.partition": "MINUTE"}, func(o *sandbox.ODPSOptions) {
		o.Limits = sandbox.ODPSLimits{Sessions: -1, Blocks: -1, Commits: -1, Committing: -1}
	})
	f.Fuzz(func(t *testing.T, key, value []byte, offset int64, n int) {
		b.t, b.spec = t, maxcompute.Spec() // whose pace is its own
		n = max(1, min(n, 100))
		if offset < 0 || offset > math.MaxInt64-200 {
			offset = 1
		}
		if _, err := b.odps.Query(t.Context(), sandbox.DefaultODPSProject, "ALTER TABLE kafka_messages DROP IF EXISTS PARTITION (pt='01-02-2026 11:04')"); err != nil {
			t.Fatal(err)
		}
		var records []*record.Record
		for i := range n {
			r := rec(offset+int64(i), 0, "")
			if r.Key, r.Value = key, value; i%3 == 1 {
				r.Key, r.Value = nil, nil
			}
			records = append(records, r)
		}
		c, _ := fill(t, b.sink(), nil, records...)
		publish(t, c)
		rows := b.download("01-02-2026 11:04")
		if len(rows) != n {
			t.Fatalf("%d rows came back of %d", len(rows), n)
		}
		for i, row := range rows {
			r := records[i]
			if row[0] != data.String("orders") || row[1] != data.BigInt(1) || row[2] != data.BigInt(r.Offset) || !same(row[3], r.Key) || !same(row[4], r.Value) {
				t.Fatalf("row %d came back as %v", i, row)
			}
		}
	})
}

func same(got data.Data, want []byte) bool {
	if want == nil {
		return got == nil
	}
	s, ok := got.(data.String)
	return ok && string(s) == string(want)
}

// FuzzJSONRows: what is taken of a JSON value comes back by the SDK with the same meaning.
func FuzzJSONRows(f *testing.F) {
	f.Add("text", int64(5), 1.5, true)
	f.Add("\u2028\"\\", int64(math.MinInt64+1), math.Copysign(0, -1), false)
	f.Add("é😀", int64(math.MaxInt64), math.MaxFloat64, true)
	f.Add("", int64(0), 5e-324, false)
	b := newBed(f, connector.Config{"odps.table": "every", "odps.mapping": "json"}, func(o *sandbox.ODPSOptions) {
		o.DDL = append(o.DDL, everyDDL)
		o.Limits = sandbox.ODPSLimits{Sessions: -1, Blocks: -1, Commits: -1, Committing: -1}
	})
	f.Fuzz(func(t *testing.T, s string, n int64, x float64, ok bool) {
		b.t, b.spec = t, maxcompute.Spec() // whose pace is its own
		if math.IsNaN(x) || math.IsInf(x, 0) || n == math.MinInt64 {
			return
		}
		value, err := json.Marshal(map[string]any{"c_string": s, "c_bigint": n, "c_double": x, "c_bool": ok, "c_json": s, "c_bin": []byte(s)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.odps.Query(t.Context(), sandbox.DefaultODPSProject, "ALTER TABLE every DROP IF EXISTS PARTITION (pt='"+hour(0)+"')"); err != nil {
			t.Fatal(err)
		}
		c, _ := fill(t, b.sink(), nil, rec(10, 0, string(value)))
		publish(t, c)
		rows := b.download(hour(0))
		var back struct {
			S string `json:"c_string"`
		}
		if err := json.Unmarshal(value, &back); err != nil {
			t.Fatal(err)
		}
		if len(rows) != 1 || rows[0][0] != data.BigInt(n) || rows[0][4] != data.Double(x) || rows[0][7] != data.Bool(ok) || rows[0][8] != data.String(back.S) {
			t.Fatalf("%s came back as %v", value, rows)
		}
		if got, isBinary := rows[0][11].(data.Binary); !isBinary || string(got) != s {
			t.Fatalf("%q came back as %q", s, got)
		}
	})
}
