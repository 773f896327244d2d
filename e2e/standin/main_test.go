package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"

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
	for lines := bufio.NewScanner(out); printed["oss"] == "" && lines.Scan(); {
		part, address, _ := strings.Cut(lines.Text(), ": ")
		printed[part] = address
	}
	if printed["oss"] == "" {
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
	} {
		if err := run(t.Context(), args, io.Discard); err == nil {
			t.Errorf("%q: started", args)
		}
	}
}
