package models

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
)

func TestOpenAgainKeeps(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	s, ctx := openStore(t, o), t.Context()
	in := addInstance(t, s, "one", 3)
	c := addConnector(t, s, in, "orders")
	must(t, s.SaveTaskStatus(ctx, runner.TaskStatus{ConnectorID: c.ID, Status: connector.Status{State: connector.StateRunning}}))
	// Figures only: held back, and written at the latest by Close.
	must(t, s.SaveTaskStatus(ctx, runner.TaskStatus{ConnectorID: c.ID, Status: connector.Status{State: connector.StateRunning}, Node: "", Partitions: nil, UpdatedAt: c.CreatedAt}))
	node, install, keyID := s.NodeID(), s.InstallationID(), s.Sealer().KeyID()
	must(t, s.Close())
	must(t, s.Close())
	s = openStore(t, o)
	if s.NodeID() != node || s.InstallationID() != install || s.Sealer().KeyID() != keyID || len(node) != 12 || s.KeyProblem() != nil || s.GeneratedPassword() != "" {
		t.Errorf("node %q %q, installation %q %q, key %q %q, problem %v", s.NodeID(), node, s.InstallationID(), install, s.Sealer().KeyID(), keyID, s.KeyProblem())
	}
	got, err := s.ConnectorByID(ctx, c.ID)
	must(t, err)
	if got.Config[secretKey] != "geheim-orders" {
		t.Errorf("the secret reads %q", got.Config[secretKey])
	}
	ts, err := s.TaskStatuses(ctx, c.ID)
	must(t, err)
	if len(ts) != 1 || ts[0].State != connector.StateRunning || !ts[0].UpdatedAt.Equal(c.CreatedAt) {
		t.Errorf("states %+v", ts)
	}
	for _, name := range []string{keyFileName, nodeFileName, "sluice.lock"} {
		st, err := os.Stat(filepath.Join(o.DataDir, name))
		must(t, err)
		if st.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", name, st.Mode())
		}
	}
}

func TestFirstStartPassword(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	o.AdminPassword = ""
	s := openStore(t, o)
	password := s.GeneratedPassword()
	if len(password) != 20 {
		t.Fatalf("generated %q", password)
	}
	u, err := s.Authenticate(t.Context(), "admin", password, "10.0.0.1")
	if err != nil || u.Role != RoleAdmin {
		t.Errorf("signing in: %+v, %v", u, err)
	}
}

func TestPragmas(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for _, d := range []*db{s.main, s.logs} {
		var journal string
		var foreign, vacuum int
		must(t, d.w.Raw("PRAGMA journal_mode").Scan(&journal).Error)
		must(t, d.w.Raw("PRAGMA foreign_keys").Scan(&foreign).Error)
		must(t, d.w.Raw("PRAGMA auto_vacuum").Scan(&vacuum).Error)
		if journal != "wal" || foreign != 1 || vacuum != 2 {
			t.Errorf("journal %s, foreign keys %d, auto vacuum %d", journal, foreign, vacuum)
		}
		if d.r.Exec("CREATE TABLE x (y)").Error == nil {
			t.Error("a reader writes")
		}
	}
}

func TestMigratesFrozenFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	script, err := os.ReadFile("testdata/main_v1.sql")
	must(t, err)
	raw, err := sql.Open("sqlite3", filepath.Join(dir, "sluice.db"))
	must(t, err)
	_, err = raw.Exec(string(script))
	must(t, err)
	must(t, raw.Close())

	s, ctx := openStore(t, options(dir)), t.Context()
	steps, err := migrations("main")
	must(t, err)
	var version int
	must(t, s.read(ctx).Raw("SELECT max(version) FROM schema_migrations").Scan(&version).Error)
	if version != len(steps) || version < 2 {
		t.Errorf("schema %d of %d", version, len(steps))
	}
	info, err := s.Connector(ctx, "old", "orders")
	must(t, err)
	if info.ID != 5 || info.Version != 2 || info.Config["topics"] != "orders" || info.Restart != 4 || info.Status.State != connector.StateRunning || info.Status.Delivered != 100 {
		t.Errorf("got %+v", info)
	}
	ps, err := s.Mirrored(ctx, 5)
	must(t, err)
	if len(ps) != 1 || ps[0].Offset != 4711 || ps[0].Partition != 3 || ps[0].Metadata != "meta" {
		t.Errorf("positions %+v", ps)
	}
	if _, err := s.Authenticate(ctx, "admin", "old-password", "10.0.0.1"); err != nil {
		t.Errorf("the old password hash: %v", err)
	}
	if s.InstallationID() != "11111111-2222-4333-8444-555555555555" || s.GeneratedPassword() != "" {
		t.Error("it was taken for a first start")
	}
	must(t, s.RequestQuota(ctx, &QuotaRequest{InstanceID: 7, Wanted: 5}))
	vs, err := s.Versions(ctx, 5)
	if err != nil || len(vs) != 2 {
		t.Errorf("versions %v, %v", vs, err)
	}
}

func TestRefusesNewerSchema(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"sluice.db", "logs.db"} {
		o := options(t.TempDir())
		must(t, openStore(t, o).Close())
		raw, err := sql.Open("sqlite3", filepath.Join(o.DataDir, file))
		must(t, err)
		_, err = raw.Exec("INSERT INTO schema_migrations VALUES (99, 'future', 1)")
		must(t, errors.Join(err, raw.Close()))
		_, err = Open(t.Context(), o)
		if !errors.Is(err, ErrNewerSchema) || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "99") {
			t.Errorf("%s: got %v", file, err)
		}
	}
}

// A step that fails leaves nothing of itself.
func TestMigrationIsWhole(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	raw, err := sql.Open("sqlite3", filepath.Join(dir, "sluice.db"))
	must(t, err)
	_, err = raw.Exec("CREATE TABLE regions (id TEXT)") // in the way of step 2
	must(t, errors.Join(err, raw.Close()))
	if s, err := Open(t.Context(), options(dir)); err == nil {
		s.Close()
		t.Fatal("it opened")
	}
	raw, err = sql.Open("sqlite3", filepath.Join(dir, "sluice.db"))
	must(t, err)
	defer raw.Close()
	var version, tables int
	must(t, raw.QueryRow("SELECT max(version) FROM schema_migrations").Scan(&version))
	must(t, raw.QueryRow("SELECT count(*) FROM sqlite_master WHERE name IN ('quota_requests', 'egress_rules')").Scan(&tables))
	if version != 1 || tables != 0 {
		t.Errorf("schema %d with %d tables of the step that failed", version, tables)
	}
}

func TestLocked(t *testing.T) {
	t.Parallel()
	if dir := os.Getenv("MODELS_TEST_LOCKED"); dir != "" { // the other process
		_, err := Open(context.Background(), options(dir))
		var locked *LockedError
		if errors.As(err, &locked) && locked.PID == os.Getppid() && strings.Contains(err.Error(), "--data-dir") {
			os.Exit(42)
		}
		t.Fatalf("got %v", err)
	}
	o := options(t.TempDir())
	s := openStore(t, o)
	cmd := exec.Command(os.Args[0], "-test.run=^TestLocked$")
	cmd.Env = append(os.Environ(), "MODELS_TEST_LOCKED="+o.DataDir)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 42 {
		t.Errorf("the other process: %v\n%s", err, out)
	}
	must(t, s.Close())
	openStore(t, o)
}

func TestBadFilesAreNamed(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	must(t, os.WriteFile(filepath.Join(o.DataDir, nodeFileName), []byte("no hex\n"), 0o600))
	if _, err := Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), nodeFileName) {
		t.Errorf("a bad node ID: %v", err)
	}
	o = options(filepath.Join(t.TempDir(), "file"))
	must(t, os.WriteFile(o.DataDir, nil, 0o600))
	if _, err := Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "data directory") {
		t.Errorf("a file for a directory: %v", err)
	}
	o = options(t.TempDir())
	must(t, os.WriteFile(filepath.Join(o.DataDir, "sluice.db"), []byte(strings.Repeat("no database", 500)), 0o600))
	if _, err := Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "sluice.db") {
		t.Errorf("a broken file: %v", err)
	}
}

func TestDiskFull(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t), t.Context()
	in := addInstance(t, s, "one", 100)
	c := addConnector(t, s, in, "orders")
	for _, d := range []*db{s.main, s.logs} {
		var pages int
		must(t, d.w.Raw("PRAGMA page_count").Scan(&pages).Error)
		must(t, d.w.Raw("PRAGMA max_page_count = "+strconv.Itoa(pages)).Scan(&pages).Error)
	}
	wide := strings.Repeat("x", 4000)
	var lines []runner.LogLine
	for range 300 {
		lines = append(lines, runner.LogLine{ConnectorID: c.ID, Message: wide})
	}
	wantErr(t, "logs", s.AppendLogs(ctx, lines), ErrDiskFull)
	_, err := s.UpdateConfig(ctx, c.ID, 1, connector.Config{"note": strings.Repeat(wide, 20)}, "h", "a")
	wantErr(t, "configuration", err, ErrDiskFull)
	// Nothing of it happened, and what was there is still there.
	got, err := s.ConnectorByID(ctx, c.ID)
	must(t, err)
	page, err := s.QueryLogs(ctx, runner.LogQuery{ConnectorID: c.ID})
	must(t, err)
	if got.Version != 1 || len(page.Lines) != 0 {
		t.Errorf("version %d, %d lines", got.Version, len(page.Lines))
	}
	for _, d := range []*db{s.main, s.logs} {
		var pages int
		must(t, d.w.Raw("PRAGMA max_page_count = 1000000").Scan(&pages).Error)
	}
	must(t, s.AppendLogs(ctx, lines))
	_, err = s.UpdateConfig(ctx, c.ID, 1, connector.Config{"note": strings.Repeat(wide, 20)}, "h", "a")
	must(t, err)
}
