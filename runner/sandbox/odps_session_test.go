package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aliyun/aliyun-odps-go-sdk/odps/restclient"
	"github.com/aliyun/aliyun-odps-go-sdk/odps/tunnel"
)

// plainDDL makes a table without partitions, which keeps these tests short.
const plainDDL = "CREATE TABLE plain (topic STRING, `partition` BIGINT, `offset` BIGINT, key STRING, value STRING)"

func plainSession(t testing.TB, o *ODPS) *tunnel.UploadSession {
	t.Helper()
	_, tun := sandboxClient(o)
	u, err := tun.CreateUploadSession(DefaultODPSProject, "plain", tunnel.SessionCfg.WithSnappyFramedCompressor())
	must(t, err)
	return u
}

func attach(t testing.TB, o *ODPS, id string) *tunnel.UploadSession {
	t.Helper()
	_, tun := sandboxClient(o)
	u, err := tun.AttachToExistedUploadSession(DefaultODPSProject, "plain", id)
	must(t, err)
	return u
}

func TestODPSBlockOverwritten(t *testing.T) {
	t.Parallel()
	o := startODPS(t, ODPSOptions{DDL: []string{plainDDL}})
	u := plainSession(t, o)
	must(t, upload(u, 3, message("t", 0, 1, "old"), message("t", 0, 2, "old")))
	must(t, upload(u, 3, message("t", 0, 1, "new")))
	if n := count(t, o, "plain"); n != 0 {
		t.Errorf("%d rows before the commit", n)
	}
	must(t, u.Commit([]int{3}))
	rows, err := o.Rows(t.Context(), "plain", "", 0, 10)
	if err != nil || len(rows) != 1 || rows[0].Values[4].Text != "new" {
		t.Errorf("rows %+v, %v", rows, err)
	}
	wantODPS(t, upload(u, 3, message("t", 0, 1, "late")), 409, "StatusConflict")
	wantODPS(t, upload(plainSession(t, o), 20000, message("t", 0, 1, "x")), 400, "InvalidBlockID")
	wantODPS(t, upload(plainSession(t, o), -1, message("t", 0, 1, "x")), 400, "InvalidBlockID")
	// Overwrite replaces what was there.
	_, tun := sandboxClient(o)
	u, err = tun.CreateUploadSession(DefaultODPSProject, "plain", tunnel.SessionCfg.Overwrite())
	must(t, err)
	must(t, upload(u, 0, message("t", 0, 1, "a"), message("t", 0, 1, "b")))
	must(t, u.Commit([]int{0}))
	if n := count(t, o, "plain"); n != 2 {
		t.Errorf("%d rows, want 2", n)
	}
}

// TestODPSCommitAnswerLost is the case that a connector must survive: the rows are there, and nobody said so.
func TestODPSCommitAnswerLost(t *testing.T) {
	t.Parallel()
	o := startODPS(t, ODPSOptions{DDL: []string{plainDDL}})
	check := func(u *tunnel.UploadSession, rows int) {
		t.Helper()
		if again := attach(t, o, u.Id); again.Status() != tunnel.UploadStatusClosed || len(again.BlockIds()) != 1 {
			t.Errorf("status %s, blocks %v", again.Status(), again.BlockIds())
		}
		if n := count(t, o, "plain"); n != rows {
			t.Errorf("%d rows, want %d", n, rows)
		}
	}
	u := plainSession(t, o)
	must(t, upload(u, 0, message("t", 0, 1, "x")))
	must(t, o.Faults.Set(Fault{Operation: "CommitUpload", KeyPrefix: "plain", Rate: 1, Max: 1, Status: 502, AfterStoring: true}))
	path := "/projects/sandbox/tables/plain?uploadid=" + u.Id
	if got := rawODPS(t, o, "POST", path, nil, ""); got.status != 502 {
		t.Errorf("the fault: %+v", got)
	}
	check(u, 1)
	if got := rawODPS(t, o, "POST", path, nil, ""); got.status != 409 || !strings.Contains(got.body, "StatusConflict") {
		t.Errorf("the second commit: %+v", got)
	}
	// The SDK repeats the commit by itself and then meets the session that is closed.
	u = plainSession(t, o)
	must(t, upload(u, 0, message("t", 0, 1, "x")))
	must(t, o.Faults.Set(Fault{Operation: "CommitUpload", Rate: 1, Max: 1, Cut: CutAfter}))
	wantODPS(t, u.Commit([]int{0}), 409, "StatusConflict")
	check(u, 2)
}

func TestODPSFaults(t *testing.T) {
	t.Parallel()
	o := startODPS(t, ODPSOptions{DDL: []string{plainDDL}})
	for _, c := range []struct {
		fault  Fault
		status int // 0: no answer
		stored bool
	}{
		{Fault{Status: 503, Code: "Unavailable"}, 503, false},
		{Fault{Status: 429, Code: "FlowExceeded"}, 429, false},
		{Fault{Status: 500}, 500, false},
		{Fault{Status: 500, AfterStoring: true}, 500, true},
		{Fault{Cut: CutBefore}, 0, false},
		{Fault{Cut: CutAfter}, 0, true},
	} {
		u := plainSession(t, o)
		c.fault.Operation, c.fault.Rate, c.fault.Max = "UploadBlock", 1, 1
		must(t, o.Faults.Set(c.fault))
		err := upload(u, 0, message("t", 0, 1, strings.Repeat("x", 1<<20)))
		var answer restclient.HttpError
		if errors.As(err, &answer); err == nil || answer.StatusCode != c.status {
			t.Errorf("%s: %v", c.fault, err)
		}
		if blocks := attach(t, o, u.Id).BlockIds(); (len(blocks) == 1) != c.stored {
			t.Errorf("%s: blocks %v", c.fault, blocks)
		}
	}
	must(t, o.Faults.Set(Fault{Operation: "CreateUpload", KeyPrefix: "kafka", Rate: 1, Status: 503}))
	plainSession(t, o) // another table
	u := plainSession(t, o)
	must(t, upload(u, 0, message("t", 0, 1, "x")))
	must(t, u.Commit([]int{0}))
	must(t, o.Faults.Set(Fault{Operation: "Download", Rate: 1, WrongCRC: true}))
	_, tun := sandboxClient(o)
	d, err := tun.CreateDownloadSession(DefaultODPSProject, "plain")
	must(t, err)
	r, err := d.OpenRecordReader(0, 1, nil)
	must(t, err)
	defer r.Close()
	for err == nil {
		_, err = r.Read()
	}
	if !strings.Contains(err.Error(), "checksum") {
		t.Errorf("a wrong checksum was read: %v", err)
	}
	if latest := o.Requests(1)[0]; latest.Operation != "Download" || latest.Key != "plain" || latest.Fault != "wrong CRC" {
		t.Errorf("latest request %+v", latest)
	}
}

func TestODPSSessionStates(t *testing.T) {
	t.Parallel()
	var shift atomic.Int64
	o := startODPS(t, ODPSOptions{DDL: []string{plainDDL}, SessionLife: time.Minute, Now: func() time.Time { return time.Now().Add(time.Duration(shift.Load())) }})
	for status, want := range map[string]tunnel.UploadStatus{odpsCanceled: tunnel.UploadStatusCanceled, odpsCritical: tunnel.UploadStatusCritical,
		odpsClosing: tunnel.UploadStatusClosing, odpsExpired: tunnel.UploadStatusExpired} {
		u := plainSession(t, o)
		must(t, upload(u, 0, message("t", 0, 1, "x")))
		must(t, o.SetSession(u.Id, status))
		if got := attach(t, o, u.Id).Status(); got != want {
			t.Errorf("%s: %s", status, got)
		}
		wantODPS(t, upload(u, 1, message("t", 0, 1, "x")), 409, "StatusConflict")
	}
	u := plainSession(t, o)
	must(t, upload(u, 0, message("t", 0, 1, "x")))
	shift.Store(int64(61 * time.Second))
	if got := attach(t, o, u.Id).Status(); got != tunnel.UploadStatusExpired {
		t.Errorf("an old session is %s", got)
	}
	wantODPS(t, upload(u, 1, message("t", 0, 1, "x")), 409, "StatusConflict")
	shift.Store(int64(3 * time.Minute))
	plainSession(t, o) // makes the stand-in forget
	_, tun := sandboxClient(o)
	_, err := tun.AttachToExistedUploadSession(DefaultODPSProject, "plain", u.Id)
	wantODPS(t, err, 404, "NoSuchUpload")
	for _, bad := range []string{"OPEN", odpsClosed, ""} {
		if o.SetSession("x", bad) == nil {
			t.Errorf("status %q was set", bad)
		}
	}
	if err := o.SetSession("x", odpsNormal); !errors.Is(err, ErrNoSession) {
		t.Errorf("an unknown session: %v", err)
	}
	if n := count(t, o, "plain"); n != 0 {
		t.Errorf("%d rows, want none", n)
	}
}

func TestODPSTableGoneMeanwhile(t *testing.T) {
	t.Parallel()
	o := startODPS(t, ODPSOptions{DDL: []string{plainDDL}})
	u := plainSession(t, o)
	must(t, upload(u, 0, message("t", 0, 1, "x")))
	mustQuery(t, o, "ALTER TABLE plain ADD COLUMNS (more BIGINT)")
	must(t, u.Commit([]int{0})) // one more column is no harm
	rows, err := o.Rows(t.Context(), "plain", "", 0, 1)
	if err != nil || len(rows[0].Values) != 6 || !rows[0].Values[5].Null {
		t.Errorf("rows %+v %v", rows, err)
	}
	u = plainSession(t, o)
	must(t, upload(u, 0, message("t", 0, 1, "x")))
	mustQuery(t, o, "DROP TABLE plain")
	mustQuery(t, o, plainDDL)
	wantCommit := func(code string) {
		t.Helper()
		must(t, u.Load())
		response := rawODPS(t, o, "POST", "/projects/sandbox/tables/plain?uploadid="+u.Id, nil, "")
		if response.status == 200 || !strings.Contains(response.body, code) {
			t.Errorf("commit: %+v", response)
		}
	}
	wantCommit("TableModified")
	wantCommit("StatusConflict")
	if n := count(t, o, "plain"); n != 0 {
		t.Errorf("%d rows in the new table", n)
	}
}

func TestODPSLimits(t *testing.T) {
	t.Parallel()
	var shift atomic.Int64
	o := startODPS(t, ODPSOptions{DDL: []string{plainDDL, DefaultODPSDDL}, Limits: ODPSLimits{Sessions: 3, Blocks: 2, Commits: 1}, Now: func() time.Time { return time.Now().Add(time.Duration(shift.Load())) }})
	_, tun := sandboxClient(o)
	u := plainSession(t, o)
	v := plainSession(t, o)
	plainSession(t, o)
	_, err := tun.CreateUploadSession(DefaultODPSProject, "plain")
	wantODPS(t, err, 429, "FlowExceeded")
	must(t, upload(u, 0))
	must(t, upload(v, 0))
	wantODPS(t, upload(u, 1), 429, "FlowExceeded")
	must(t, u.Commit([]int{0}))
	path := "/projects/sandbox/tables/plain?uploadid=" + v.Id
	if got := rawODPS(t, o, "POST", path, nil, ""); got.status != 429 {
		t.Errorf("a second commit: %+v", got)
	}
	_, err = tun.CreateUploadSession(DefaultODPSProject, DefaultODPSTable, tunnel.SessionCfg.WithPartitionKey("pt=1"), tunnel.SessionCfg.WithCreatePartition())
	must(t, err) // another table has limits of its own
	shift.Store(int64(5 * time.Minute))
	plainSession(t, o)
	if got := rawODPS(t, o, "POST", path, nil, ""); got.status != 200 {
		t.Errorf("the commit later: %+v", got)
	}
}

func TestODPSRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	addr, kill := startHelper(t, "odps", dir)
	client := &remoteODPS{addr}
	closed := client.session(t)
	must(t, upload(closed, 0, message("t", 0, 1, "closed")))
	must(t, closed.Commit([]int{0}))
	open := client.session(t)
	must(t, upload(open, 0, message("t", 0, 2, "old")))
	must(t, upload(open, 0, message("t", 0, 2, "open")))
	must(t, upload(open, 1, message("t", 0, 3, "open")))
	kill()
	// A commit that was cut short: a frame without its end.
	files, err := filepath.Glob(filepath.Join(dir, "tables", "*", "*.rows"))
	if err != nil || len(files) != 1 {
		t.Fatalf("files %v %v", files, err)
	}
	whole, err := os.ReadFile(files[0])
	must(t, err)
	for _, torn := range []int{1, 20, len(whole) - 1} {
		must(t, os.WriteFile(files[0], append(whole[:len(whole):len(whole)], whole[:torn]...), 0o600))
		again := startODPS(t, ODPSOptions{Dir: dir, DDL: []string{}})
		if n := count(t, again, DefaultODPSTable); n != 1 {
			t.Errorf("%d rows with %d bytes of another frame", n, torn)
		}
		must(t, again.Close())
	}
	// A frame damaged in the middle of the file is not passed over.
	damaged := append(append([]byte{}, whole...), whole...)
	damaged[len(whole)-1] ^= 1
	must(t, os.WriteFile(files[0], damaged, 0o600))
	if bad, err := StartODPS(t.Context(), ODPSOptions{Dir: dir, Addr: "127.0.0.1:0"}); err == nil {
		_ = bad.Close()
		t.Error("a damaged file was taken")
	}
	must(t, os.WriteFile(files[0], whole, 0o600))
	again := startODPS(t, ODPSOptions{Dir: dir})
	client = &remoteODPS{again.TunnelURL()}
	if got := client.attach(t, closed.Id); got.Status() != tunnel.UploadStatusClosed {
		t.Errorf("the closed session is %s", got.Status())
	}
	survivor := client.attach(t, open.Id)
	if survivor.Status() != tunnel.UploadStatusNormal || fmt.Sprint(survivor.BlockIds()) != "[0 1]" {
		t.Errorf("the open session is %s with %v", survivor.Status(), survivor.BlockIds())
	}
	must(t, survivor.Commit([]int{0, 1}))
	if got := mustQuery(t, again, "SELECT `offset`, value FROM kafka_messages WHERE pt='1'"); got != "offset,value\n1,closed\n2,open\n3,open\n" {
		t.Errorf("rows %q", got)
	}
}

func TestODPSCommitTakesTime(t *testing.T) {
	t.Parallel()
	o := startODPS(t, ODPSOptions{DDL: []string{plainDDL}, CommitTakes: 300 * time.Millisecond})
	u := plainSession(t, o)
	must(t, upload(u, 0, message("t", 0, 1, "x")))
	committed := make(chan error, 1)
	go func() { committed <- u.Commit([]int{0}) }()
	eventually(t, "CLOSING", func() bool { return o.Sessions()[0].Status == odpsClosing })
	if n := count(t, o, "plain"); n != 0 {
		t.Errorf("%d rows while the session is closing", n)
	}
	if got := attach(t, o, u.Id).Status(); got != tunnel.UploadStatusClosing {
		t.Errorf("the session is %s", got)
	}
	must(t, <-committed)
	if s := o.Sessions()[0]; s.Status != odpsClosed || s.Rows != 1 || count(t, o, "plain") != 1 {
		t.Errorf("session %+v", s)
	}
}
