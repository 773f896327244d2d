package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// call is a 2.0 invocation as a client of our own signs it; it answers status and error code.
func (f *FC) call(t testing.TB, function, id string, event []byte) (int, *http.Response) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.URL()+"/"+fcVersion2+"/services/sandbox/functions/"+function+"/invocations", bytes.NewReader(event))
	must(t, err)
	r.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	if id != "" {
		r.Header.Set("X-Fc-Invocation-Type", "Async")
		r.Header.Set("X-Fc-Stateful-Async-Invocation-Id", id)
	}
	signFC(r)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil
	}
	defer response.Body.Close()
	return response.StatusCode, response
}

// TestFCKeepsOverKill: invocations, bodies and IDs are there after SIGKILL; what was cut off is not.
func TestFCKeepsOverKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	url, kill := startHelper(t, "fc", dir)
	c := client3At(t, url)
	for i := range 5 {
		_, _, err := invoke3(c, FCEcho, "", fmt.Appendf(nil, `[{"n":%d}]`, i), async3(fmt.Sprintf("id_%d", i)))
		must(t, err)
	}
	kill()
	files, err := filepath.Glob(filepath.Join(dir, "*"+fcSuffix))
	must(t, err)
	if len(files) != 1 {
		t.Fatalf("files %v", files)
	}
	torn, err := os.OpenFile(files[0], os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = torn.Write([]byte{0, 0, 0, 40, 0, 0, 1, 0, '{'}) // a frame that a kill cut off
	must(t, errors.Join(err, torn.Close()))
	must(t, os.WriteFile(filepath.Join(dir, "ids"), []byte("not an ID\n00"), 0o600)) // the IDs are in the frames, too

	f := startFC(t, FCOptions{Dir: dir})
	again := client3(t, f, sandboxKey)
	for i := range 5 {
		_, _, err := invoke3(again, FCEcho, "", nil, async3(fmt.Sprintf("id_%d", i)))
		wantFC3(t, err, 409, "StatefulAsyncInvocationAlreadyExists")
		if !f.Seen("", FCEcho, fmt.Sprintf("id_%d", i)) {
			t.Errorf("id_%d is not remembered", i)
		}
	}
	_, _, err = invoke3(again, FCEcho, "", []byte("new"), async3("id_5"))
	must(t, err)
	var got []string
	must(t, f.EachInvocation(t.Context(), 0, func(inv FCInvocation, body []byte) error {
		got = append(got, fmt.Sprintf("%d %s %s", inv.Sequence, inv.InvocationID, body))
		return nil
	}))
	want := `1 id_0 [{"n":0}]|2 id_1 [{"n":1}]|3 id_2 [{"n":2}]|4 id_3 [{"n":3}]|5 id_4 [{"n":4}]|6 id_5 new`
	if strings.Join(got, "|") != want {
		t.Errorf("kept %q, want %q", got, want)
	}
	if _, err := StartFC(context.Background(), FCOptions{Dir: dir, Addr: "127.0.0.1:0"}); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("a second stand-in on the folder: %v", err)
	}
}

// TestFCBoundsWhatItKeeps: the oldest invocations go, their IDs stay.
func TestFCBoundsWhatItKeeps(t *testing.T) {
	t.Parallel()
	for name, bound := range map[string]FCOptions{"number": {KeepInvocations: 32, KeepBytes: -1}, "bytes": {KeepInvocations: -1, KeepBytes: 64 << 10}} {
		bound.Dir = t.TempDir()
		f := startFC(t, bound)
		event := bytes.Repeat([]byte("x"), 2000)
		for i := range 100 {
			if status, _ := f.call(t, FCEcho, fmt.Sprintf("id_%d", i), event); status != 202 {
				t.Fatalf("%s: invocation %d: %d", name, i, status)
			}
		}
		stats := f.Stats()
		list, more, err := f.Invocations(t.Context(), FCFilter{}, 1000)
		must(t, err)
		if stats.Invocations != 100 || stats.IDs != 100 || stats.Kept > 40 || stats.Kept < 20 || int64(len(list)) != stats.Kept || more || list[0].Sequence != 100 {
			t.Errorf("%s: %+v, %d listed", name, stats, len(list))
		}
		if _, _, err := f.Invocation(1); !errors.Is(err, ErrNoInvocation) {
			t.Errorf("%s: the oldest: %v", name, err)
		}
		oldest := list[len(list)-1].Sequence
		if _, body, err := f.Invocation(oldest); err != nil || !bytes.Equal(body, event) {
			t.Errorf("%s: the oldest that is kept: %v", name, err)
		}
		must(t, f.Close())
		f = startFC(t, bound)
		if status, _ := f.call(t, FCEcho, "id_0", event); status != 409 {
			t.Errorf("%s: the first ID after a restart: %d", name, status)
		}
		if status, _ := f.call(t, FCEcho, "id_100", event); status != 202 {
			t.Errorf("%s: a new ID after a restart: %d", name, status)
		}
		list, _, err = f.Invocations(t.Context(), FCFilter{}, 1)
		must(t, err)
		if list[0].Sequence != 101 {
			t.Errorf("%s: after a restart the newest is %d", name, list[0].Sequence)
		}
		must(t, f.Clear())
		if list, _, err := f.Invocations(t.Context(), FCFilter{}, 1); err != nil || len(list) != 0 || f.Stats().KeptBytes != 0 {
			t.Errorf("%s: after Clear: %v, %v", name, list, err)
		}
	}
}

// TestFCForgetsIDs: an ID holds for its life, over restarts.
func TestFCForgetsIDs(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	ahead := time.Duration(0)
	clock := func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return time.Now().Add(ahead)
	}
	options := FCOptions{Dir: t.TempDir(), IDLife: 10 * time.Minute, Now: clock}
	f := startFC(t, options)
	want := func(status int) {
		t.Helper()
		if got, _ := f.call(t, FCEcho, "id", nil); got != status {
			t.Errorf("answered %d, want %d", got, status)
		}
	}
	want(202)
	want(409)
	must(t, f.Close())
	mu.Lock()
	ahead = 9 * time.Minute
	mu.Unlock()
	f = startFC(t, options)
	want(409)
	mu.Lock()
	ahead = 11 * time.Minute
	mu.Unlock()
	want(202)
	want(409)
	if n := f.Stats().IDs; n != 1 {
		t.Errorf("%d IDs are remembered, want 1", n)
	}
}

// TestFCIDsAreRewritten: the file of IDs does not grow beyond what is remembered.
func TestFCIDsAreRewritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := time.Now()
	ids := newFCIDs(time.Minute)
	must(t, ids.open(dir, now))
	for i := range 20_000 {
		id := fcKey("s", "f", fmt.Sprint(i))
		if at := now.Add(time.Duration(i) * time.Second); !ids.add(id, at) || ids.add(id, at) {
			t.Fatal("an ID is not new, or new twice")
		}
		must(t, ids.written(id))
	}
	ids.close()
	info, err := os.Stat(filepath.Join(dir, "ids"))
	must(t, err)
	if info.Size() > 50*10_000 || ids.count() != 60 {
		t.Errorf("%d bytes for %d IDs", info.Size(), ids.count())
	}
	ids.forget(fcKey("s", "f", "19999"))
	if !ids.add(fcKey("s", "f", "19999"), now.Add(20_000*time.Second)) {
		t.Error("an ID that was taken back is refused")
	}
}

// TestFCFaults: what a fault leaves undone is not kept, and what it only hides is.
func TestFCFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault        Fault
		status, next int // of the struck request and of its repetition
		code         string
	}{
		"status":        {Fault{Status: 503, Code: "ResourceThrottled"}, 503, 202, "ResourceThrottled"},
		"no code":       {Fault{Status: 500}, 500, 202, "InternalServerError"},
		"after storing": {Fault{Status: 500, Code: "InternalServerError", AfterStoring: true}, 500, 409, "InternalServerError"},
		"cut before":    {Fault{Cut: CutBefore}, 0, 202, ""},
		"cut after":     {Fault{Cut: CutAfter}, 0, 409, ""},
		"late":          {Fault{LatencyMS: 20}, 202, 409, ""},
	} {
		f := startFC(t, FCOptions{})
		c.fault.Operation, c.fault.KeyPrefix, c.fault.Rate, c.fault.Max = "InvokeFunction", "sandbox/ec", 1, 1
		must(t, f.Faults.Set(c.fault))
		event := bytes.Repeat([]byte("e"), 50_000)
		if status, _ := f.call(t, FCEcho, "id", event); status != c.status {
			t.Errorf("%s: answered %d, want %d", name, status, c.status)
		}
		if struck := f.Requests(1)[0]; struck.Code != c.code || struck.Fault == "" || struck.Status != c.status {
			t.Errorf("%s: noted as %+v", name, struck)
		}
		if status, _ := f.call(t, FCEcho, "id", event); status != c.next {
			t.Errorf("%s: the repetition is answered %d, want %d", name, status, c.next)
		}
		if list, _, err := f.Invocations(t.Context(), FCFilter{InvocationID: "id", Service: DefaultFCService}, 10); err != nil || len(list) != 1 {
			t.Errorf("%s: kept %+v, %v; want it once", name, list, err)
		}
	}
}

// TestFCSlow: a synchronous invocation takes as long as it is told; an asynchronous one is answered at once and runs.
func TestFCSlow(t *testing.T) {
	t.Parallel()
	f := startFC(t, FCOptions{SlowFor: time.Hour})
	if status, _ := f.call(t, FCSlow, "id", nil); status != 202 {
		t.Fatalf("async: %d", status)
	}
	if list, _, err := f.Invocations(t.Context(), FCFilter{}, 1); err != nil || list[0].Status != FCRunning {
		t.Errorf("it is %+v, %v", list, err)
	}
	f.SetSlow(50 * time.Millisecond)
	began := time.Now()
	if status, _ := f.call(t, FCSlow, "", nil); status != 200 || time.Since(began) < 50*time.Millisecond {
		t.Errorf("sync: %d after %s", status, time.Since(began))
	}
	f.SetSlow(time.Hour)
	answered := make(chan int)
	go func() {
		status, _ := f.call(t, FCSlow, "", nil)
		answered <- status
	}()
	eventually(t, "the invocation arrives", func() bool { return f.Stats().Invocations == 3 })
	began = time.Now()
	_ = f.Close() // the connection of the one that still runs is closed
	<-answered
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("closing took %s", took)
	}
}

// TestFCDiscards: counts without a folder; IDs hold all the same.
func TestFCDiscards(t *testing.T) {
	t.Parallel()
	f := startFC(t, FCOptions{Discard: true})
	for _, status := range []int{202, 409} {
		if got, _ := f.call(t, FCEcho, "id", []byte(twoRecords)); got != status {
			t.Errorf("answered %d, want %d", got, status)
		}
	}
	if got, response := f.call(t, FCFails, "", []byte(twoRecords)); got != 200 || response.Header.Get("X-Fc-Error-Type") != FCUnhandled {
		t.Errorf("fails answers %d %v", got, response)
	}
	stats := f.Stats()
	if stats.Invocations != 2 || stats.Records != 4 || stats.Failed != 1 || stats.Repeated != 1 || stats.Kept != 0 || stats.IDs != 1 {
		t.Errorf("stats %+v", stats)
	}
	if _, _, err := f.Invocations(t.Context(), FCFilter{}, 1); !errors.Is(err, ErrDiscarded) {
		t.Errorf("a list of what was discarded: %v", err)
	}
}
