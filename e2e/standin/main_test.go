package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"
	fc "github.com/aliyun/fc-go-sdk"

	"github.com/sluice-io/sluice/runner/sandbox"
)

// start runs the command as a process would and returns the addresses that it prints.
func start(t *testing.T, args ...string) map[string]string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, args, in)
		_ = in.Close()
		ended <- err
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("ended with %v", err)
		}
	})
	printed := make(map[string]string)
	last := "oss"
	if i := slices.Index(args, "-part"); i >= 0 {
		last = args[i+1][strings.LastIndex(args[i+1], ",")+1:]
	}
	for lines := bufio.NewScanner(out); printed[last] == "" && lines.Scan(); {
		part, address, _ := strings.Cut(lines.Text(), ": ")
		printed[part] = address
	}
	if printed[last] == "" {
		t.Fatal("no address was printed")
	}
	return printed
}

func TestStandin(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "faults.json")
	if err := os.WriteFile(file, []byte(`[{"operation":"PutObject","status":503,"code":"SlowDown","max":1}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	at := start(t, "-dir", t.TempDir(), "-control", "127.0.0.1:0", "-fault", file, "-seed", "7")
	client, err := oss.New(at["oss"], sandbox.DefaultKey, sandbox.DefaultKey)
	if err != nil {
		t.Fatal(err)
	}
	bucket, _ := client.Bucket(sandbox.DefaultBucket)
	if err := bucket.PutObject("k", strings.NewReader("x")); err == nil || !strings.Contains(err.Error(), "SlowDown") {
		t.Errorf("fault of the file: %v", err)
	}
	if err := bucket.PutObject("k", strings.NewReader("x")); err != nil {
		t.Errorf("after it was spent: %v", err)
	}
	post := func(body string, status int) {
		t.Helper()
		response, err := http.Post(at["control"]+"/__faults", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if response.StatusCode != status {
			t.Errorf("faults %s: %s", body, response.Status)
		}
	}
	post(`[{"operation":"*","status":403,"code":"AccessDenied"}]`, 200)
	post(`[{"operation":"*","rate":7}]`, 400)
	if err := bucket.PutObject("k", strings.NewReader("x")); err == nil || !strings.Contains(err.Error(), "AccessDenied") {
		t.Errorf("fault of the control address: %v", err)
	}
	post(`[]`, 200)
	if err := bucket.DeleteObject("k"); err != nil {
		t.Errorf("after they were cleared: %v", err)
	}
	response, err := http.Get(at["control"] + "/__stats")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var stats sandbox.OSSStats
	if err := json.NewDecoder(response.Body).Decode(&stats); err != nil || stats.Requests != 4 || stats.Objects != 0 || stats.BytesIn != 3 {
		t.Errorf("stats %+v, %v", stats, err)
	}
}

func TestStandinRefuses(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"-nonsense"},
		{},
		{"-discard", "-addr", "0.0.0.0:0"},
		{"-discard", "-control", "0.0.0.0:0"},
		{"-discard", "-control", "x"},
		{"-discard", "-fault", "/does/not/exist"},
		{"-discard", "-part", "mysql"},
		{"-discard", "-part", "fc,sts"}, // STS keeps its authority somewhere
	} {
		if err := run(t.Context(), args, io.Discard); err == nil {
			t.Errorf("%q: started", args)
		}
	}
}

// TestStandinOfSeveralParts: parts in one process, with what the control address tells of each.
func TestStandinOfSeveralParts(t *testing.T) {
	t.Parallel()
	at := start(t, "-part", "fc,odps,sts", "-dir", t.TempDir(), "-control", "127.0.0.1:0", "-keep", "-1")
	if !strings.HasPrefix(at["fc"], "http://") || !strings.HasSuffix(at["odps"], "/api") || !strings.HasPrefix(at["sts"], "https://") {
		t.Fatalf("addresses %v", at)
	}
	ask := func(method, path, body string, status int) string {
		t.Helper()
		request, err := http.NewRequest(method, at["control"]+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		answer, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != status {
			t.Errorf("%s %s: %s, %v: %s", method, path, response.Status, err, answer)
		}
		return string(answer)
	}
	client, err := fc.NewClient(at["fc"], "2016-08-15", sandbox.DefaultKey, sandbox.DefaultKey)
	if err != nil {
		t.Fatal(err)
	}
	for _, event := range []string{"first", "second"} {
		if _, err := client.InvokeFunction(fc.NewInvokeFunctionInput(sandbox.DefaultFCService, sandbox.FCEcho).WithPayload([]byte(event))); err != nil {
			t.Fatal(err)
		}
	}
	all := strings.Split(strings.TrimSpace(ask("GET", "/__invocations", "", 200)), "\n")
	if len(all) != 2 || !strings.Contains(all[0], `"body":"first"`) || !strings.Contains(all[1], `"body":"second"`) {
		t.Errorf("invocations %q", all)
	}
	if rest := ask("GET", "/__invocations?from=2", "", 200); strings.Contains(rest, "first") || !strings.Contains(rest, "second") {
		t.Errorf("from the second on: %s", rest)
	}
	ask("GET", "/__invocations?from=x", "", 400)
	ask("POST", "/__slow?ms=1", "", 200)
	ask("POST", "/__slow", "", 400)
	ask("POST", "/__faults?part=odps", `[{"operation":"GetTable","status":500}]`, 200)
	if faults := ask("GET", "/__faults?part=fc", "", 200); strings.TrimSpace(faults) != "[]" {
		t.Errorf("faults of fc: %s", faults)
	}
	for part, want := range map[string]string{"": `"invocations":2`, "odps": `"tables":1`, "sts": `"`} {
		if stats := ask("GET", "/__stats?part="+part, "", 200); !strings.Contains(stats, want) {
			t.Errorf("stats of %q: %s", part, stats)
		}
	}
	ask("GET", "/__stats?part=oss", "", 400)
	ask("GET", "/__sessions", "", 200)
	ask("POST", "/__sessions?id=none&status=EXPIRED", "", 400)
	ask("POST", "/__tokens?expire", "", 200)
	if rows := ask("GET", "/__rows?table=kafka_messages", "", 200); rows != "" {
		t.Errorf("rows: %q", rows)
	}
}
