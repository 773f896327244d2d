package models

import (
	"bytes"
	"encoding/base64"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
)

func sealerOf(t testing.TB, fill byte) *Sealer {
	t.Helper()
	k, err := parseKey(base64.StdEncoding.EncodeToString([]byte(strings.Repeat(string(fill), 32))))
	must(t, err)
	return &Sealer{keys: []sealKey{k}}
}

func TestSealer(t *testing.T) {
	t.Parallel()
	a, b := sealerOf(t, 'a'), sealerOf(t, 'b')
	both := &Sealer{keys: []sealKey{b.keys[0], a.keys[0]}}
	sealed, err := a.Seal("connector/1/x", "geheim")
	must(t, err)
	again, err := a.Seal("connector/1/x", "geheim")
	must(t, err)
	if sealed == again || strings.Contains(sealed, "geheim") || !strings.Contains(sealed, a.KeyID()) || a.KeyID() == b.KeyID() || both.KeyID() != b.KeyID() {
		t.Errorf("sealed %q, then %q", sealed, again)
	}
	for _, s := range []*Sealer{a, both} {
		if got, err := s.Open("connector/1/x", sealed); err != nil || got != "geheim" {
			t.Errorf("opened %q, %v", got, err)
		}
	}
	last := sealed[len(sealed)-4]
	other := byte('A')
	if last == other {
		other = 'B'
	}
	for what, c := range map[string]struct {
		s               *Sealer
		context, sealed string
	}{
		"another row":   {a, "connector/2/x", sealed},
		"another field": {a, "connector/1/y", sealed},
		"another key":   {b, "connector/1/x", sealed},
		"changed":       {a, "connector/1/x", sealed[:len(sealed)-4] + string(other) + sealed[len(sealed)-3:]},
		"cut":           {a, "connector/1/x", sealed[:20]},
		"empty":         {a, "connector/1/x", ""},
		"clear":         {a, "connector/1/x", "geheim"},
		"no base64":     {a, "connector/1/x", sealPrefix + a.KeyID() + ".!!!"},
		"no key":        {&Sealer{}, "connector/1/x", sealed},
	} {
		if got, err := c.s.Open(c.context, c.sealed); !errors.Is(err, ErrKey) || got != "" {
			t.Errorf("%s: %q, %v", what, got, err)
		}
	}
}

func TestSealConfig(t *testing.T) {
	t.Parallel()
	a := sealerOf(t, 'a')
	cfg := connector.Config{"plain": `{"$sealed":"v1.x.y"}`, "k": "geheim", "db.password": "geheim2", "empty.secret": ""}
	b, err := a.SealConfig("connector/u", []string{"k", "absent"}, cfg)
	must(t, err)
	if strings.Contains(string(b), "geheim") {
		t.Errorf("in the clear: %s", b)
	}
	got, lost, err := a.OpenConfig("connector/u", b)
	if err != nil || len(lost) != 0 || len(got) != 4 || got["k"] != "geheim" || got["plain"] != cfg["plain"] || got["db.password"] != "geheim2" {
		t.Errorf("opened %v, lost %v, %v", got, lost, err)
	}
	got, lost, err = a.OpenConfig("connector/other", b)
	if err != nil || len(lost) != 2 || lost[0] != "db.password" || lost[1] != "k" || got["plain"] == "" {
		t.Errorf("opened elsewhere: %v, lost %v, %v", got, lost, err)
	}
	for _, bad := range []string{"", "[]", `{"a":1}`, `{"a":[]}`, "{"} {
		if _, _, err := a.OpenConfig("c", []byte(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestKeyFiles(t *testing.T) {
	t.Parallel()
	key := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))
	for content, want := range map[string]int{
		key: 1, "# old\n" + key + " # comment\n\n" + strings.Repeat("ab", 32) + "\n": 2,
		"": 0, "# nothing\n": 0, "short\n": 0, key + "\nshort": 0, key + key: 0,
	} {
		keys, err := parseKeys(content)
		if len(keys) != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d keys, %v", content, len(keys), err)
		}
	}
}

// With a lost or wrong key everything but the secrets works, and they can be given again.
func TestKeyLost(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(file string) error{
		"removed": os.Remove,
		"another": func(file string) error { return os.WriteFile(file, []byte(strings.Repeat("ab", 32)), 0o600) },
		"garbage": func(file string) error { return os.WriteFile(file, []byte("not a key"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options(t.TempDir())
			file := filepath.Join(o.DataDir, keyFileName)
			s, ctx := openStore(t, o), t.Context()
			in := runner.Instance{Name: "one", SASLPassword: "geheim-kafka", Quota: 3}
			must(t, s.CreateInstance(ctx, &in))
			c := addConnector(t, s, in, "orders")
			must(t, s.Close())
			right, err := os.ReadFile(file)
			must(t, err)
			must(t, spoil(file))

			s = openStore(t, o)
			if err := s.KeyProblem(); !errors.Is(err, ErrKey) || strings.Contains(err.Error(), "geheim") {
				t.Errorf("problem: %v", err)
			}
			info, err := s.Connector(ctx, "one", "orders")
			must(t, err)
			if _, has := info.Config[secretKey]; has || info.Config["topics"] != "orders" || name != "garbage" && len(info.LostSecrets) != 1 {
				t.Errorf("got %v, lost %v", info.Config, info.LostSecrets)
			}
			inst, err := s.InstanceInfo(ctx, "one")
			must(t, err)
			if inst.SASLPassword != "" || !inst.LostPassword {
				t.Errorf("password %q, lost %v", inst.SASLPassword, inst.LostPassword)
			}
			// A change without the secret keeps what cannot be opened now.
			_, err = s.UpdateConfig(ctx, c.ID, 1, connector.Config{"topics": "other", secretKey: connector.Masked}, "h", "a")
			must(t, err)
			_, err = s.UpdateConfig(ctx, c.ID, 2, connector.Config{"topics": "another"}, "h", "a")
			must(t, err)
			if name == "garbage" {
				_, err = s.UpdateConfig(ctx, c.ID, 0, connector.Config{secretKey: "neu"}, "h", "a")
				wantErr(t, "sealing without a key", err, ErrKey)
			} else {
				inst.SASLPassword = "neu"
				must(t, s.UpdateInstance(ctx, inst.Instance))
			}
			must(t, s.Close())

			// The right key back: its secrets open again; a key made meanwhile follows it.
			now, err := os.ReadFile(file)
			must(t, err)
			if name == "garbage" {
				now = nil
			}
			must(t, os.WriteFile(file, []byte(string(right)+string(now)), 0o600))
			s = openStore(t, o)
			if s.KeyProblem() != nil {
				t.Errorf("with both keys: %v", s.KeyProblem())
			}
			got, err := s.ConnectorByID(ctx, c.ID)
			must(t, err)
			if got.Config[secretKey] != "geheim-orders" || got.Config["topics"] != "another" {
				t.Errorf("got %v", got.Config)
			}
		})
	}
}

func TestKeyInsteadOfFile(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	o.Key = strings.Repeat("cd", 32)
	openStore(t, o)
	if _, err := os.Stat(filepath.Join(o.DataDir, keyFileName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a key file was made: %v", err)
	}
}

func TestExposedKeyFileIsSaid(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	var out bytes.Buffer
	o.Logger = slog.New(slog.NewTextHandler(&out, nil))
	must(t, openStore(t, o).Close())
	if out.Len() != 0 {
		t.Errorf("said of a private file: %s", out.String())
	}
	must(t, os.Chmod(filepath.Join(o.DataDir, keyFileName), 0o644))
	must(t, openStore(t, o).Close())
	if !strings.Contains(out.String(), "chmod 600") {
		t.Errorf("said: %s", out.String())
	}
}

func FuzzOpenConfig(f *testing.F) {
	a := sealerOf(f, 'a')
	b, err := a.SealConfig("c", []string{"k"}, connector.Config{"k": "v"})
	must(f, err)
	f.Add(b)
	f.Add([]byte(`{"k":{"$sealed":"v1.."}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		cfg, lost, err := a.OpenConfig("c", b)
		if err == nil && cfg == nil {
			t.Fatalf("%q gave nothing, %v", b, lost)
		}
	})
}
