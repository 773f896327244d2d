package models

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
)

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

const secretKey = "aliyun.access.key.secret"

func options(dir string) Options {
	return Options{DataDir: dir, AdminPassword: "admin-password", SecretKeys: func(string) []string { return []string{secretKey} }}
}

func openStore(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func newStore(t testing.TB) *Store { return openStore(t, options(t.TempDir())) }

func addInstance(t testing.TB, s *Store, name string, quota int) runner.Instance {
	t.Helper()
	in := runner.Instance{Name: name, Region: "cn-hangzhou", BootstrapServers: "10.0.0.1:9092", SecurityProtocol: "PLAINTEXT", Quota: quota, Enabled: true}
	if err := s.CreateInstance(t.Context(), &in); err != nil {
		t.Fatal(err)
	}
	return in
}

func addConnector(t testing.TB, s *Store, in runner.Instance, name string) runner.Connector {
	t.Helper()
	c := runner.Connector{InstanceID: in.ID, Name: name, Class: "KAFKA2OSS", Hash: "h1", Config: connector.Config{"name": name, "topics": "orders", secretKey: "geheim-" + name}}
	if err := s.CreateConnector(t.Context(), &c, "alice"); err != nil {
		t.Fatal(err)
	}
	return c
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t testing.TB, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func names(n int) string { return fmt.Sprintf("connector-%04d", n) }
