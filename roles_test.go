package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner/settings"
)

// told is what a program prints while it runs.
type told struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (t *told) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(b)
}

func (t *told) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

// startProgram runs the whole program with the sandbox and returns the addresses that
// it prints, by their names.
func startProgram(t *testing.T, password string) map[string]string {
	t.Helper()
	args := []string{"--data-dir", t.TempDir(), "--addr", "127.0.0.1:0", "--sandbox", "on"}
	for _, part := range []string{"kafka", "oss", "fc", "odps", "sts", "mysql"} {
		args = append(args, "--sandbox-"+part+"-addr", "127.0.0.1:0")
	}
	set, _, err := settings.Load(args, []string{"SLUICE_ADMIN_PASSWORD=" + password})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	out, ended := &told{}, make(chan error, 1)
	go func() { ended <- serveUntil(ctx, set, slog.New(slog.DiscardHandler), &slog.LevelVar{}, out) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(30 * time.Second); !strings.Contains(out.String(), "sandbox sts: "); {
		select {
		case <-tick.C:
		case err := <-ended:
			ended <- err
			t.Fatalf("the program ended: %v", err)
		case <-deadline:
			t.Fatalf("no addresses within 30 s: %s", out.String())
		}
	}
	at := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^(\S.*?): (\S+)$`).FindAllStringSubmatch(out.String(), -1) {
		at[m[1]] = m[2]
	}
	return at
}

// TestRolesInTheProgram: with the sandbox on, connectors of every kind trust its STS and
// sign with what it issues; the machine's role is refused unless it is allowed.
func TestRolesInTheProgram(t *testing.T) {
	t.Parallel()
	const password = "a-test-password-1"
	at := startProgram(t, password)
	check := func(auth string, members ...string) (int, string) {
		t.Helper()
		config := map[string]string{"name": "by-role", "topics": "orders", "aliyun.auth": auth, "aliyun.access.key.id": "sandbox", "aliyun.access.key.secret": "sandbox",
			"aliyun.role.arn": "acs:ram::1000000000000001:role/sandbox", "aliyun.sts.endpoint": at["sandbox sts"]}
		for i := 0; i < len(members); i += 2 {
			config[members[i]] = members[i+1]
		}
		body, err := json.Marshal(map[string]any{"config": config})
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, at["console"]+"/api/v1/instances/sandbox/checks", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("admin", password)
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var text bytes.Buffer
		if _, err := text.ReadFrom(resp.Body); err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, text.String()
	}
	kinds := map[string][]string{
		"KAFKA2OSS":  {"oss.endpoint", at["sandbox oss"], "oss.bucket", "sandbox-bucket"},
		"KAFKA2FC":   {"fc.endpoint", at["sandbox fc"], "fc.service", "sandbox", "fc.function", "echo"},
		"KAFKA2ODPS": {"odps.endpoint", at["sandbox odps"], "odps.project", "sandbox", "odps.table", "kafka_messages"},
	}
	for class, members := range kinds {
		members = append(members, "connector.class", class)
		status, text := check("ram_role", members...)
		var got struct {
			Findings []struct{ Name, Status, Detail, Remedy string }
		}
		if err := json.Unmarshal([]byte(text), &got); err != nil || status != http.StatusOK {
			t.Fatalf("%s: %d %v %s", class, status, err, text)
		}
		role := false
		for _, f := range got.Findings {
			if role = role || f.Name == "Role" && f.Status == "ok"; f.Status == "failed" {
				t.Errorf("%s: %+v", class, f)
			}
		}
		if !role {
			t.Errorf("%s: no role was assumed: %s", class, text)
		}
		if status, text := check("ecs_ram_role", members...); status == http.StatusOK || !strings.Contains(text, "SLUICE_ALLOW_ECS_RAM_ROLE=on") {
			t.Errorf("%s with the machine's role: %s", class, fmt.Sprint(status, text))
		}
	}
}
