package sandbox

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aliyun/aliyun-odps-go-sdk/odps"
	"github.com/aliyun/aliyun-odps-go-sdk/odps/account"
	"github.com/aliyun/aliyun-odps-go-sdk/odps/tunnel"
)

// remoteODPS is a stand-in that runs elsewhere, at the address of its Tunnel half.
type remoteODPS struct{ tunnelURL string }

func (r *remoteODPS) tunnel() *tunnel.Tunnel {
	return tunnel.NewTunnel(odps.NewOdps(account.NewAliyunAccount(DefaultKey, DefaultKey), r.tunnelURL+"/api"), r.tunnelURL)
}

func (r *remoteODPS) session(t testing.TB) *tunnel.UploadSession {
	t.Helper()
	u, err := r.tunnel().CreateUploadSession(DefaultODPSProject, DefaultODPSTable, tunnel.SessionCfg.WithPartitionKey("pt=1"), tunnel.SessionCfg.WithCreatePartition(), tunnel.SessionCfg.WithSnappyFramedCompressor())
	must(t, err)
	return u
}

func (r *remoteODPS) attach(t testing.TB, id string) *tunnel.UploadSession {
	t.Helper()
	u, err := r.tunnel().AttachToExistedUploadSession(DefaultODPSProject, DefaultODPSTable, id, tunnel.SessionCfg.WithPartitionKey("pt=1"))
	must(t, err)
	return u
}

type rawAnswer struct {
	status int
	body   string
}

// rawODPS sends one signed request that the SDK would not send. md5 is Content-MD5.
func rawODPS(t testing.TB, o *ODPS, method, path string, body []byte, md5 string) rawAnswer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, o.TunnelURL()+path, bytes.NewReader(body))
	must(t, err)
	r.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	if md5 != "" {
		r.Header.Set("Content-MD5", md5)
	}
	r.Header.Set("Authorization", "ODPS "+DefaultKey+":"+odpsClaim{}.sign(DefaultKey, odpsStringToSign(r)))
	answer, err := http.DefaultClient.Do(r)
	must(t, err)
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	must(t, err)
	return rawAnswer{answer.StatusCode, string(data)}
}

// encodeRows codes records of the table plain: each is its offset and value.
func encodeRows(t testing.TB, spoil bool, values ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	e := newODPSEncoder(&b)
	e.spoil = spoil
	columns := plainColumns(t)
	for i, v := range values {
		must(t, e.row(columns, []int{0, 1, 2, 3, 4}, []odpsCell{{}, {}, {num: int64(i), set: true}, {}, {text: []byte(v), set: true}}))
	}
	must(t, e.close())
	return b.Bytes()
}

func plainColumns(t testing.TB) []odpsColumn {
	t.Helper()
	s, err := parseODPS(plainDDL)
	must(t, err)
	return s.columns
}

func TestODPSBadStreams(t *testing.T) {
	t.Parallel()
	o := startODPS(t, ODPSOptions{DDL: []string{plainDDL, "CREATE TABLE strict (a TINYINT NOT NULL, b DECIMAL(4,2), c VARCHAR(2), d JSON, e BOOLEAN)"}, Limits: ODPSLimits{Sessions: -1, Blocks: -1}})
	good := encodeRows(t, false, "one", "two")
	edit := func(at int, to byte) []byte {
		b := bytes.Clone(good)
		b[at] = to
		return b
	}
	strict := func(i int, c odpsCell) []byte {
		var b bytes.Buffer
		e := newODPSEncoder(&b)
		s, err := parseODPS("CREATE TABLE strict (a TINYINT NOT NULL, b DECIMAL(4,2), c VARCHAR(2), d JSON, e BOOLEAN)")
		must(t, err)
		cells := make([]odpsCell, 5)
		cells[0] = odpsCell{num: 1, set: true}
		cells[i] = c
		must(t, e.row(s.columns, []int{0, 1, 2, 3, 4}, cells))
		must(t, e.close())
		return b.Bytes()
	}
	trailer := len(encodeRows(t, false)) // begins so many bytes before the end, but for its sum
	for _, c := range []struct {
		name, table string
		body        []byte
		code        string
	}{
		{"good", "plain", good, ""},
		{"empty", "plain", encodeRows(t, false), ""},
		{"wrong sum of sums", "plain", encodeRows(t, true, "one"), "CorruptedDataStream"},
		{"changed value", "plain", bytes.Replace(good, []byte("one"), []byte("onf"), 1), "CorruptedDataStream"},
		{"changed number", "plain", edit(1, 2), "CorruptedDataStream"},
		{"unknown column", "plain", edit(0, 6<<3), "MalformedDataStream"},
		{"wrong type", "plain", edit(0, 3<<3|wireBytes), "MalformedDataStream"},
		{"column zero", "plain", edit(0, 0), "MalformedDataStream"},
		{"nothing", "plain", nil, "MalformedDataStream"},
		{"no trailer", "plain", good[:len(good)-trailer], "MalformedDataStream"},
		{"cut", "plain", good[:5], "MalformedDataStream"},
		{"more behind the trailer", "plain", append(bytes.Clone(good), 0), "MalformedDataStream"},
		{"twice", "plain", append(bytes.Clone(good), good...), "MalformedDataStream"},
		{"text", "plain", []byte("Hello, how are you?"), "MalformedDataStream"},
		{"strict", "strict", strict(1, odpsCell{text: []byte("-12.30"), set: true}), ""},
		{"null in NOT NULL", "strict", strict(0, odpsCell{}), "MalformedDataStream"},
		{"tinyint out of range", "strict", strict(0, odpsCell{num: 128, set: true}), "MalformedDataStream"},
		{"decimal too long", "strict", strict(1, odpsCell{text: []byte("123.4"), set: true}), "MalformedDataStream"},
		{"decimal too fine", "strict", strict(1, odpsCell{text: []byte("1.234"), set: true}), "MalformedDataStream"},
		{"no decimal", "strict", strict(1, odpsCell{text: []byte("1e3"), set: true}), "MalformedDataStream"},
		{"varchar too long", "strict", strict(2, odpsCell{text: []byte("äöü"), set: true}), "MalformedDataStream"},
		{"varchar of characters", "strict", strict(2, odpsCell{text: []byte("äö"), set: true}), ""},
		{"no JSON", "strict", strict(3, odpsCell{text: []byte("{"), set: true}), "MalformedDataStream"},
		{"no boolean", "strict", strict(4, odpsCell{num: 2, set: true}), "MalformedDataStream"},
	} {
		created := rawODPS(t, o, "POST", "/projects/sandbox/tables/"+c.table+"?uploads", nil, "")
		id, _, _ := strings.Cut(strings.TrimPrefix(created.body, `{"UploadID":"`), `"`)
		path := "/projects/sandbox/tables/" + c.table + "?uploadid=" + id + "&blockid=0"
		got := rawODPS(t, o, "PUT", path, c.body, "")
		if c.code == "" && got.status != 200 || c.code != "" && (got.status != 400 || !strings.Contains(got.body, `"Code":"`+c.code+`"`)) {
			t.Errorf("%s: %+v, want %s", c.name, got, c.code)
		}
		session := rawODPS(t, o, "GET", "/projects/sandbox/tables/"+c.table+"?uploadid="+id, nil, "")
		if strings.Contains(session.body, `"BlockID":0`) != (c.code == "") {
			t.Errorf("%s: session %s", c.name, session.body)
		}
		if c.name != "good" {
			continue
		}
		for md5, status := range map[string]int{"1B2M2Y8AsgTpgAmY7PhCfg==": 400, md5Base64(good): 200, "x": 400} {
			if got := rawODPS(t, o, "PUT", path, good, md5); got.status != status {
				t.Errorf("MD5 %s: %+v", md5, got)
			}
		}
		if got := rawODPS(t, o, "GET", "/projects/sandbox/tables/strict?uploadid="+id, nil, ""); !strings.Contains(got.body, "InvalidResourceSpec") {
			t.Errorf("session of another table: %+v", got)
		}
	}
}

func TestODPSBadRequests(t *testing.T) {
	t.Parallel()
	o := startODPS(t, ODPSOptions{DDL: []string{plainDDL}})
	for _, c := range []struct {
		method, path, body string
		status             int
		code               string
	}{
		{"GET", "/", "", 404, "NoSuchObject"},
		{"GET", "/api/projects/sandbox/tables/none", "", 404, "NoSuchTable"},
		{"GET", "/api/projects/other/tables/none", "", 404, "NoSuchProject"},
		{"PATCH", "/api/projects/sandbox", "", 501, "NotImplemented"},
		{"GET", "/api/projects/sandbox/tables/plain?partitions", "", 400, "InvalidArgument"},
		{"GET", "/api/projects/sandbox/tables/kafka_messages?a=%zz", "", 400, "InvalidArgument"},
		{"GET", "/api/projects/sandbox/tables?maxitems=0", "", 400, "InvalidArgument"},
		{"GET", "/projects/sandbox/tables/plain?uploadid=x", "", 404, "NoSuchUpload"},
		{"GET", "/projects/sandbox/tables/plain?downloadid=x", "", 404, "NoSuchDownload"},
		{"GET", "/api/projects/sandbox/instances/x", "", 404, "NoSuchInstance"},
		{"POST", "/api/projects/sandbox/instances", "nonsense", 400, "ODPS-0420031"},
		{"POST", "/api/projects/sandbox/instances", "<Instance><Job><Tasks/></Job></Instance>", 400, "ODPS-0420061"},
		{"GET", "/api/projects/sandbox", "", 200, "<Name>sandbox</Name>"},
		{"GET", "/api/projects/sandbox/tables", "", 200, "<Name>plain</Name>"},
	} {
		got := rawODPS(t, o, c.method, c.path, []byte(c.body), "")
		if got.status != c.status || !strings.Contains(got.body, c.code) {
			t.Errorf("%s %s: %+v, want %d %s", c.method, c.path, got, c.status, c.code)
		}
	}
	answer, err := http.Get(o.URL() + "/projects/sandbox")
	must(t, err)
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode != 400 || !strings.Contains(string(body), "ODPS-0410001") {
		t.Errorf("without a signature: %s %s", answer.Status, body)
	}
}

func FuzzODPSRecords(f *testing.F) {
	f.Add(encodeRows(f, false, "one", "two"))
	f.Add(encodeRows(f, true))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	s, err := parseODPS(allTypesDDL)
	must(f, err)
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, columns := range [][]odpsColumn{s.columns, plainColumns(t)} {
			var copied bytes.Buffer
			e := newODPSEncoder(&copied)
			r := newODPSRecords(bytes.NewReader(data), columns)
			err := r.next()
			for ; err == nil; err = r.next() {
				must(t, e.raw(r.record, r.crc))
			}
			if err != io.EOF {
				continue
			}
			// What was accepted is the same stream when it is written again.
			must(t, e.close())
			again := newODPSRecords(&copied, columns)
			for err = again.next(); err == nil; err = again.next() {
			}
			if err != io.EOF || again.rows != r.rows {
				t.Fatalf("written again: %v, %d rows of %d", err, again.rows, r.rows)
			}
		}
	})
}

func FuzzODPSQuery(f *testing.F) {
	for _, sql := range []string{plainDDL, allTypesDDL, DefaultODPSDDL, "ALTER TABLE a.`b` ADD IF NOT EXISTS PARTITION (pt='x') PARTITION (pt='y');",
		"SELECT topic, COUNT(DISTINCT `offset`) AS n FROM p.t WHERE pt='a' AND (`offset` BETWEEN -1 AND 1.5e3 OR NOT topic IN ('a', \"b\\n\")) AND key IS NOT NULL GROUP BY topic LIMIT 3"} {
		f.Add(sql)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		s, err := parseODPS(sql)
		if err != nil || s.kind != "select" {
			return
		}
		for _, v := range []odpsValue{{}, {kind: 'u'}, {kind: 'i', i: 7}, {kind: 's', s: "1e9"}, {kind: 'f', f: 0.5}} {
			s.where.eval(func(string) odpsValue { return v })
		}
	})
}
