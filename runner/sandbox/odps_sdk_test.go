package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aliyun/aliyun-odps-go-sdk/odps"
	"github.com/aliyun/aliyun-odps-go-sdk/odps/account"
	"github.com/aliyun/aliyun-odps-go-sdk/odps/data"
	"github.com/aliyun/aliyun-odps-go-sdk/odps/datatype"
	"github.com/aliyun/aliyun-odps-go-sdk/odps/restclient"
	"github.com/aliyun/aliyun-odps-go-sdk/odps/tunnel"
)

func startODPS(t testing.TB, options ODPSOptions) *ODPS {
	t.Helper()
	if options.Dir == "" && !options.Discard {
		options.Dir = t.TempDir()
	}
	options.Addr = "127.0.0.1:0"
	o, err := StartODPS(context.Background(), options)
	must(t, err)
	t.Cleanup(func() {
		if err := o.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return o
}

func odpsClient(o *ODPS, a account.Account) (*odps.Odps, *tunnel.Tunnel) {
	client := odps.NewOdps(a, o.URL())
	client.SetDefaultProjectName(DefaultODPSProject)
	tun := tunnel.NewTunnel(client)
	return client, tun
}

func sandboxClient(o *ODPS) (*odps.Odps, *tunnel.Tunnel) {
	return odpsClient(o, account.NewAliyunAccount(DefaultKey, DefaultKey))
}

func mustQuery(t testing.TB, o *ODPS, sql string) string {
	t.Helper()
	result, err := o.Query(context.Background(), DefaultODPSProject, sql)
	must(t, err)
	return result
}

// wantODPS checks that an error is an answer of the service with a status and a code.
func wantODPS(t testing.TB, err error, status int, code string) {
	t.Helper()
	var answer restclient.HttpError
	if !errors.As(err, &answer) || answer.StatusCode != status || answer.ErrorMessage == nil || answer.ErrorMessage.ErrorCode != code {
		t.Fatalf("error is %v, want %d %s", err, status, code)
	}
	if answer.RequestId == "" || answer.ErrorMessage.Message == "" {
		t.Errorf("the error has no request id or no message: %+v", answer)
	}
}

func upload(u *tunnel.UploadSession, block int, records ...data.Record) error {
	w, err := u.OpenRecordWriter(block)
	if err != nil {
		return err
	}
	for _, r := range records {
		if err := w.Write(r); err != nil {
			_ = w.Close()
			return err
		}
	}
	return w.Close()
}

func message(topic string, partition, offset int, value string) data.Record {
	return data.Record{data.String(topic), data.BigInt(partition), data.BigInt(offset), nil, data.String(value)}
}

func count(t testing.TB, o *ODPS, table string) int {
	t.Helper()
	n := 0
	must(t, o.EachRow(context.Background(), table, func(ODPSRow) error { n++; return nil }))
	return n
}

const allTypesDDL = `CREATE TABLE all_types (c_bigint BIGINT, c_int INT, c_small SMALLINT, c_tiny TINYINT, c_double DOUBLE, c_float FLOAT,
	c_dec DECIMAL(20,5), c_bool BOOLEAN, c_string STRING, c_varchar VARCHAR(10), c_char CHAR(4), c_bin BINARY, c_datetime DATETIME,
	c_ts TIMESTAMP, c_ntz TIMESTAMP_NTZ, c_date DATE, c_json JSON) COMMENT 'every type'`

func allTypes(t testing.TB) []data.Record {
	t.Helper()
	varchar, err := data.MakeVarChar(10, "vär")
	must(t, err)
	char, err := data.MakeChar(4, "ch")
	must(t, err)
	at := time.Date(2026, 11, 22, 13, 14, 15, 123_000_000, time.UTC)
	day := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	full := data.Record{data.BigInt(math.MaxInt64), data.Int(math.MinInt32), data.SmallInt(math.MinInt16), data.TinyInt(math.MaxInt8), data.Double(math.Pi), data.Float(1.5),
		data.NewDecimal(20, 5, "123456789012345.12345"), data.Bool(true), data.String("text \x00 \u00e9"), varchar, char, data.Binary{0, 255, 1}, data.DateTime(at),
		data.Timestamp(at.Add(456_789)), data.TimestampNtz(at), data.Date(day), &data.Json{Data: `{"a":[1]}`, Valid: true}}
	empty := data.Record{data.BigInt(-math.MaxInt64), nil, nil, nil, data.Double(math.Inf(-1)), data.Float(math.MaxFloat32), nil, data.Bool(false), data.String(""), nil, nil, data.Binary{}}
	return []data.Record{full, make(data.Record, 17), empty, full}
}

func TestODPSEveryType(t *testing.T) {
	t.Parallel()
	o := startODPS(t, ODPSOptions{DDL: []string{allTypesDDL}})
	records := allTypes(t)
	options := map[string][]tunnel.Option{"none": nil, "snappy": {tunnel.SessionCfg.WithSnappyFramedCompressor()},
		"zstd": {tunnel.SessionCfg.WithDefaultZstdCompressor()}, "deflate": {tunnel.SessionCfg.WithDefaultDeflateCompressor()}}
	for name, option := range options {
		_, tun := sandboxClient(o)
		u, err := tun.CreateUploadSession(DefaultODPSProject, "all_types", option...)
		must(t, err)
		must(t, upload(u, 0, records...))
		must(t, upload(u, 19999, records[0]))
		must(t, u.Commit([]int{0, 19999}))
		must(t, u.Load())
		if u.Status() != tunnel.UploadStatusClosed {
			t.Errorf("%s: status %s", name, u.Status())
		}
	}
	all := make([]string, 0, len(records)+1)
	for _, r := range append(records, records[0]) {
		all = append(all, printRecord(r))
	}
	for name, option := range options {
		_, tun := sandboxClient(o)
		d, err := tun.CreateDownloadSession(DefaultODPSProject, "all_types", option...)
		must(t, err)
		if d.RecordCount() != 20 {
			t.Fatalf("%d records", d.RecordCount())
		}
		for start := range 20 {
			for i, got := range readRows(t, d, start, 7, nil) {
				if want := all[(start+i)%5]; printRecord(got) != want {
					t.Errorf("%s: row %d is\n%s, want\n%s", name, start+i, printRecord(got), want)
				}
			}
		}
		rows := readRows(t, d, 2, 1, []string{"c_string", "c_double", "c_tiny"})
		if len(rows) != 1 || printRecord(rows[0]) != printRecord(data.Record{data.String(""), data.Double(math.Inf(-1)), nil}) {
			t.Errorf("%s: chosen columns: %v", name, rows)
		}
	}
	seen := 0
	must(t, o.EachRow(t.Context(), "all_types", func(row ODPSRow) error {
		seen++
		if seen == 1 && (row.Values[6].Text != "123456789012345.12345" || row.Values[12].Text != "2026-11-22 13:14:15.123" || row.Values[15].Text != "2026-11-22" || row.Values[13].Text != "2026-11-22 13:14:15.123456789") {
			t.Errorf("row %+v", row)
		}
		return nil
	}))
	if seen != 20 {
		t.Errorf("%d rows", seen)
	}
}

// printRecord writes a record so that those are equal that mean the same; instants are compared in UTC.
func printRecord(r data.Record) string {
	var b strings.Builder
	for i := range 17 {
		var v data.Data
		if i < len(r) {
			v = r[i]
		}
		switch v := v.(type) {
		case nil:
			b.WriteString("null|")
		case data.DateTime:
			b.WriteString(v.Time().UTC().String() + "|")
		case data.Timestamp:
			b.WriteString(v.Time().UTC().String() + "|")
		case *data.Json:
			b.WriteString(v.GetData() + "|")
		default:
			fmt.Fprintf(&b, "%s|", v)
		}
	}
	return b.String()
}

func readRows(t testing.TB, d *tunnel.DownloadSession, start, n int, columns []string) []data.Record {
	t.Helper()
	r, err := d.OpenRecordReader(start, n, columns)
	must(t, err)
	defer r.Close()
	var list []data.Record
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return list
		}
		must(t, err)
		list = append(list, record)
	}
}

func TestODPSTablesAndPartitions(t *testing.T) {
	t.Parallel()
	o := startODPS(t, ODPSOptions{})
	client, tun := sandboxClient(o)
	table := client.Table(DefaultODPSTable)
	must(t, table.Load())
	schema := table.Schema()
	if len(schema.Columns) != 5 || schema.Columns[2].Name != "offset" || schema.Columns[2].Type.ID() != datatype.BIGINT || len(schema.PartitionColumns) != 1 {
		t.Fatalf("schema %+v", schema)
	}
	missing := client.Table("nothing")
	if there, err := missing.Exists(); there || err != nil {
		t.Errorf("a missing table exists: %t, %v", there, err)
	}
	for i := range 3 {
		must(t, table.AddPartition(true, fmt.Sprintf("pt=11-22-2026 1%d:30", i)))
		must(t, table.AddPartition(true, fmt.Sprintf("pt=11-22-2026 1%d:30", i)))
	}
	values, err := table.GetPartitionValues()
	must(t, err)
	if strings.Join(values, ";") != "pt=11-22-2026 10:30;pt=11-22-2026 11:30;pt=11-22-2026 12:30" {
		t.Errorf("partitions %v", values)
	}
	part, err := table.GetPartition("pt=11-22-2026 11:30")
	must(t, err)
	must(t, part.Load())
	if part.Value() != "pt=11-22-2026 11:30" || part.RecordNum() != 0 {
		t.Errorf("partition %s with %d", part.Value(), part.RecordNum())
	}
	_, err = tun.CreateUploadSession(DefaultODPSProject, DefaultODPSTable, tunnel.SessionCfg.WithPartitionKey("pt='none'"))
	wantODPS(t, err, 404, "NoSuchPartition")
	_, err = tun.CreateUploadSession(DefaultODPSProject, DefaultODPSTable)
	wantODPS(t, err, 400, "MissingPartitionSpec")
	_, err = tun.CreateUploadSession(DefaultODPSProject, DefaultODPSTable, tunnel.SessionCfg.WithPartitionKey("ds=1"))
	wantODPS(t, err, 400, "InvalidPartitionSpec")
	_, err = tun.CreateUploadSession(DefaultODPSProject, "nothing")
	wantODPS(t, err, 404, "NoSuchTable")
	_, err = tun.CreateUploadSession("nobody", DefaultODPSTable)
	wantODPS(t, err, 404, "NoSuchProject")
	u, err := tun.CreateUploadSession(DefaultODPSProject, DefaultODPSTable, tunnel.SessionCfg.WithPartitionKey("pt=made"), tunnel.SessionCfg.WithCreatePartition())
	must(t, err)
	must(t, upload(u, 0, message("t", 0, 1, "x")))
	must(t, u.Commit([]int{0}))
	must(t, table.DeletePartition(true, "pt=11-22-2026 10:30"))
	list, more, err := o.Partitions(DefaultODPSTable, "", 2)
	if err != nil || !more || len(list) != 2 || list[0].Spec != "pt=11-22-2026 11:30" {
		t.Errorf("partitions %+v %t %v", list, more, err)
	}
	list, more, err = o.Partitions("sandbox.default."+DefaultODPSTable, list[1].Spec, 2)
	if err != nil || more || len(list) != 1 || list[0].Rows != 1 {
		t.Errorf("partitions %+v %t %v", list, more, err)
	}
	rows, err := o.Rows(t.Context(), DefaultODPSTable, "pt=made", 0, 10)
	if err != nil || len(rows) != 1 || rows[0].Values[4].Text != "x" || !rows[0].Values[3].Null {
		t.Errorf("rows %+v %v", rows, err)
	}
}

func TestODPSSQLJobs(t *testing.T) {
	t.Parallel()
	o := startODPS(t, ODPSOptions{})
	client, tun := sandboxClient(o)
	u, err := tun.CreateUploadSession(DefaultODPSProject, DefaultODPSTable, tunnel.SessionCfg.WithPartitionKey("pt=a"), tunnel.SessionCfg.WithCreatePartition(), tunnel.SessionCfg.WithSnappyFramedCompressor())
	must(t, err)
	for block := range 2 {
		w, err := u.OpenRecordWriter(block)
		must(t, err)
		for i := range 5000 {
			must(t, w.Write(message("orders", i%3, block*5000+i, "v")))
		}
		must(t, w.Close())
	}
	must(t, u.Commit([]int{0, 1}))
	task := odps.NewAnonymousSQLTask("SELECT COUNT(*) FROM sandbox.kafka_messages WHERE topic='orders' AND `partition`=1 AND `offset`>=100 AND `offset`<9000 AND pt IN ('a','b');", nil)
	instance, err := task.Run(client, DefaultODPSProject)
	must(t, err)
	must(t, instance.WaitForSuccess())
	result, err := task.GetSelectResultAsCsv(instance, false)
	must(t, err)
	row, err := result.Read()
	must(t, err)
	want := 0
	for offset := 100; offset < 9000; offset++ {
		if offset%5000%3 == 1 {
			want++
		}
	}
	if row[0] != fmt.Sprint(want) {
		t.Errorf("counted %v, want %d", row, want)
	}
	failing := odps.NewAnonymousSQLTask("SELECT COUNT(*) FROM nothing;", nil)
	if instance, err = failing.Run(client, DefaultODPSProject); err == nil {
		err = instance.WaitForSuccess()
	}
	if err == nil || !strings.Contains(err.Error(), odpsNoTableError) {
		t.Errorf("a missing table: %v", err)
	}
}

func TestODPSAccounts(t *testing.T) {
	t.Parallel()
	o := startODPS(t, ODPSOptions{Region: "cn-hangzhou"})
	must(t, o.AddKey(AccessKey{ID: "STS.x", Secret: "s", Token: "tok+/=", Expires: time.Now().Add(time.Hour)}))
	must(t, o.AddKey(AccessKey{ID: "STS.old", Secret: "s", Token: "tok", Expires: time.Now().Add(-time.Hour)}))
	for _, c := range []struct {
		name    string
		account account.Account
		ok      bool
	}{
		{"V2", account.NewAliyunAccount(DefaultKey, DefaultKey), true},
		{"V4", account.NewAliyunAccount(DefaultKey, DefaultKey, "cn-hangzhou"), true},
		{"V4 of another region", account.NewAliyunAccount(DefaultKey, DefaultKey, "cn-beijing"), false},
		{"wrong secret", account.NewAliyunAccount(DefaultKey, "x"), false},
		{"wrong secret V4", account.NewAliyunAccount(DefaultKey, "x", "cn-hangzhou"), false},
		{"unknown key", account.NewAliyunAccount("x", DefaultKey), false},
		{"STS", account.NewStsAccount("STS.x", "s", "tok+/="), true},
		{"STS V4", account.NewStsAccount("STS.x", "s", "tok+/=", "cn-hangzhou"), true},
		{"STS without token", account.NewAliyunAccount("STS.x", "s"), false},
		{"STS with another token", account.NewStsAccount("STS.x", "s", "other"), false},
		{"STS expired", account.NewStsAccount("STS.old", "s", "tok"), false},
		{"a token too many", account.NewStsAccount(DefaultKey, DefaultKey, "tok"), false},
	} {
		client, _ := odpsClient(o, c.account)
		tun := tunnel.NewTunnel(client, o.TunnelURL())
		err := client.Table(DefaultODPSTable).Load()
		u, err2 := tun.CreateUploadSession(DefaultODPSProject, DefaultODPSTable, tunnel.SessionCfg.WithPartitionKey("pt=01-02-2026 03:04+&%=x"), tunnel.SessionCfg.WithCreatePartition())
		if c.ok {
			must(t, err)
			must(t, err2)
			must(t, upload(u, 0))
			continue
		}
		if err == nil {
			t.Errorf("%s: accepted", c.name)
		}
		wantODPS(t, err2, 401, "Unauthorized")
	}
	must(t, o.Faults.Set(Fault{Operation: "GetTable", Rate: 1, SkewSeconds: 1000}))
	client, _ := sandboxClient(o)
	wantODPS(t, client.Table(DefaultODPSTable).Load(), 400, "ODPS-0410031")
}

func TestODPSConcurrentSessions(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := startODPS(t, ODPSOptions{Dir: dir})
	var all sync.WaitGroup
	for i := range 8 {
		all.Add(1)
		go func() {
			defer all.Done()
			_, tun := sandboxClient(o)
			for n := range 3 {
				u, err := tun.CreateUploadSession(DefaultODPSProject, DefaultODPSTable, tunnel.SessionCfg.WithPartitionKey(fmt.Sprintf("pt=%d", n)), tunnel.SessionCfg.WithCreatePartition())
				if err == nil {
					err = upload(u, 1, message("t", i, n, "a"), message("t", i, n, "b"))
				}
				if err == nil {
					err = u.Commit([]int{1})
				}
				if err != nil {
					t.Error(err)
				}
			}
		}()
	}
	all.Wait()
	if n := count(t, o, DefaultODPSTable); n != 48 {
		t.Errorf("%d rows, want 48", n)
	}
	must(t, o.Close())
	again := startODPS(t, ODPSOptions{Dir: dir})
	if n := count(t, again, DefaultODPSTable); n != 48 {
		t.Errorf("%d rows after a restart, want 48", n)
	}
	if got := mustQuery(t, again, "select count(*) as c, count(distinct `partition`) from kafka_messages where pt = 1"); got != "c,_c1\n16,8\n" {
		t.Errorf("counted %q", got)
	}
}
