package settings

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write golden files anew")

func TestHelpGolden(t *testing.T) {
	t.Parallel()
	const golden = "testdata/help.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(Help()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if Help() != string(want) {
		t.Errorf("the help text differs from %s; run the test with -update and look at the difference", golden)
	}
}

func load(t *testing.T, args, environ []string) (*Settings, []string) {
	t.Helper()
	s, warnings, err := Load(args, environ)
	if err != nil {
		t.Fatal(err)
	}
	return s, warnings
}

func write(t *testing.T, name, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	s, warnings := load(t, nil, []string{"HOME=/root", "SLUICE_ADDR="})
	if s.Addr != "127.0.0.1:8080" || s.DataDir != "data" || s.KeyFile != "data/secret.key" || s.Sandbox || s.MemoryBudget != 256<<20 ||
		s.MetricsAddr != "" || len(s.EgressAllow)+len(s.EgressDeny) != 0 || s.EgressProxy != nil || s.AllowECSRAM || s.LogAge != 7*24*time.Hour || s.LogBytes != 1<<30 ||
		s.TLS != nil || s.AdminPassword != "" || s.SandboxParts != (SandboxAddrs{"127.0.0.1:19092", "127.0.0.1:19100", "127.0.0.1:19101", "127.0.0.1:19102", "127.0.0.1:19103", "127.0.0.1:19306"}) {
		t.Errorf("got %+v", s)
	}
	if len(warnings) != 0 {
		t.Errorf("warnings: %q", warnings)
	}
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	file := write(t, "sluice.yaml", "addr: 127.0.0.1:1\ndata-dir: /file\nmemory_budget: 10MiB\negress_allow:\n  - 10.0.0.0/8\n  - 127.0.0.1\nsandbox: on\nkey_file: 007\n")
	s, _ := load(t, []string{"--addr=127.0.0.1:3", "-config", file}, []string{"SLUICE_ADDR=127.0.0.1:2", "SLUICE_DATA_DIR=/env"})
	if s.Addr != "127.0.0.1:3" || s.DataDir != "/env" || s.MemoryBudget != 10<<20 || !s.Sandbox || s.KeyFile != "007" || s.ConfigFile != file {
		t.Errorf("got %+v", s)
	}
	if len(s.EgressAllow) != 2 || s.EgressAllow[0].String() != "10.0.0.0/8" || s.EgressAllow[1].String() != "127.0.0.1/32" {
		t.Errorf("allow %v", s.EgressAllow)
	}
	s, _ = load(t, nil, []string{"SLUICE_CONFIG=" + file})
	if s.Addr != "127.0.0.1:1" || s.DataDir != "/file" {
		t.Errorf("from the file came %+v", s)
	}
	// What is beaten is not judged.
	if s, _ = load(t, []string{"--addr", ":0"}, []string{"SLUICE_ADDR=nonsense"}); s.Addr != ":0" {
		t.Errorf("got %q", s.Addr)
	}
}

func TestSandboxOpensLoopback(t *testing.T) {
	t.Parallel()
	s, _ := load(t, []string{"--sandbox", "--addr", "127.0.0.1:0"}, nil)
	if !s.Sandbox || s.Addr != "127.0.0.1:0" || len(s.EgressAllow) != 2 || s.EgressAllow[0].String() != "127.0.0.0/8" || s.EgressAllow[1].String() != "::1/128" {
		t.Errorf("got %v %v %v", s.Sandbox, s.Addr, s.EgressAllow)
	}
	s, warnings := load(t, []string{"--sandbox=on", "--egress-allow", "10.0.0.0/8"}, nil)
	if len(s.EgressAllow) != 1 || len(warnings) != 1 || !strings.Contains(warnings[0], "cannot reach the sandbox") {
		t.Errorf("got %v, %q", s.EgressAllow, warnings)
	}
	// With the sandbox off its ports do not matter.
	load(t, []string{"--sandbox-oss-addr", "127.0.0.1:8080"}, nil)
}

func TestGoodValues(t *testing.T) {
	t.Parallel()
	key := "8J+YgPCfmIDwn5iA8J+YgPCfmIDwn5iA8J+YgPCfmIA="
	for _, c := range []struct {
		args []string
		ok   func(*Settings) bool
	}{
		{[]string{"--memory-budget", "96MiB"}, func(s *Settings) bool { return s.MemoryBudget == 96<<20 }},
		{[]string{"--memory-budget", "268435456"}, func(s *Settings) bool { return s.MemoryBudget == 256<<20 }},
		{[]string{"--memory-budget", "1 gib"}, func(s *Settings) bool { return s.MemoryBudget == 1<<30 }},
		{[]string{"--log-retention", "1GiB,2d"}, func(s *Settings) bool { return s.LogAge == 48*time.Hour && s.LogBytes == 1<<30 }},
		{[]string{"--log-retention", "36h"}, func(s *Settings) bool { return s.LogAge == 36*time.Hour && s.LogBytes == 1<<30 }},
		{[]string{"--log-retention", "1w1d12h , 512MiB"}, func(s *Settings) bool { return s.LogAge == 8*24*time.Hour+12*time.Hour && s.LogBytes == 512<<20 }},
		{[]string{"--log-retention", "5MiB"}, func(s *Settings) bool { return s.LogAge == 7*24*time.Hour && s.LogBytes == 5<<20 }},
		{[]string{"--metrics-addr", "off"}, func(s *Settings) bool { return s.MetricsAddr == "" }},
		{[]string{"--metrics-addr", ""}, func(s *Settings) bool { return s.MetricsAddr == "" }},
		{[]string{"--metrics-addr", "[::1]:9100"}, func(s *Settings) bool { return s.MetricsAddr == "[::1]:9100" }},
		{[]string{"--addr", "localhost:9000"}, func(s *Settings) bool { return s.Addr == "localhost:9000" }},
		{[]string{"--egress-deny", "10.1.2.3/8, fd00::/8,,"}, func(s *Settings) bool { return len(s.EgressDeny) == 2 && s.EgressDeny[0].String() == "10.0.0.0/8" }},
		{[]string{"--egress-proxy", "socks5://u:p@10.0.0.1:1080"}, func(s *Settings) bool { return s.EgressProxy.Host == "10.0.0.1:1080" }},
		{[]string{"--allow-ecs-ram-role"}, func(s *Settings) bool { return s.AllowECSRAM }},
		{[]string{"--data-dir", "/var/lib/sluice/"}, func(s *Settings) bool {
			return s.DataDir == "/var/lib/sluice" && s.KeyFile == "/var/lib/sluice/secret.key"
		}},
		{[]string{"--sandbox-mysql-addr", "[::1]:0"}, func(s *Settings) bool { return s.SandboxParts.MySQL == "[::1]:0" }},
		{[]string{"--admin-password", "-"}, nil},
		{[]string{"--admin-password=-long-and-good-"}, func(s *Settings) bool { return s.AdminPassword == "-long-and-good-" }},
	} {
		s, _, err := Load(c.args, []string{"SLUICE_KEY=" + key})
		if c.ok == nil {
			if err == nil {
				t.Errorf("%q was taken", c.args)
			}
			continue
		}
		if err != nil || !c.ok(s) || s.Key != key {
			t.Errorf("%q: %v, %+v", c.args, err, s)
		}
	}
}

func TestBadSettings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args, environ []string
		want          []string // in the message
	}{
		{[]string{"--addr", "8080"}, nil, []string{`--addr="8080"`, "host:port"}},
		{[]string{"--addr", "127.0.0.1"}, nil, []string{"--addr", "host:port"}},
		{[]string{"--addr", "127.0.0.1:http"}, nil, []string{"--addr", "port"}},
		{[]string{"--addr", "127.0.0.1:65536"}, nil, []string{"--addr", "65535"}},
		{[]string{"--addr", "127.0.0.1:-1"}, nil, []string{"--addr", "65535"}},
		{[]string{"--addr", "127.0.0.1:080"}, nil, []string{"--addr", "65535"}},
		{[]string{"--addr", "300.1.1.1:80"}, nil, []string{"--addr", "host"}},
		{[]string{"--addr", "a b:80"}, nil, []string{"--addr", "host"}},
		{[]string{"--addr", "::1:80:x"}, nil, []string{"--addr", "host:port"}},
		{[]string{"--addr", ""}, nil, []string{"--addr", "empty"}},
		{[]string{"--addr"}, nil, []string{"--addr", "needs a value"}},
		{[]string{"--addr", "--sandbox"}, nil, []string{"--addr", "needs a value"}},
		{[]string{"--addr=:1", "--addr=:2"}, nil, []string{"--addr", "twice"}},
		{nil, []string{"SLUICE_ADDR=nonsense"}, []string{`SLUICE_ADDR="nonsense"`}},
		{[]string{"--data-dir", " "}, nil, []string{"--data-dir", "empty"}},
		{[]string{"--data-dir", "a\x00b"}, nil, []string{"--data-dir", "NUL"}},
		{[]string{"--key-file", "k"}, []string{"SLUICE_KEY=" + strings.Repeat("ab", 32)}, []string{"SLUICE_KEY", "--key-file", "one of them"}},
		{nil, []string{"SLUICE_KEY=geheim"}, []string{"SLUICE_KEY", "32 bytes"}},
		{[]string{"--key", "geheim"}, nil, []string{"--key", "no flag", "SLUICE_KEY"}},
		{[]string{"--sandbox", "maybe"}, nil, []string{`--sandbox="maybe"`, "on nor off"}},
		{nil, []string{"SLUICE_SANDBOX=2"}, []string{"SLUICE_SANDBOX"}},
		{[]string{"--memory-budget", "lots"}, nil, []string{`--memory-budget="lots"`, "256MiB"}},
		{[]string{"--memory-budget", "256MB"}, nil, []string{"--memory-budget", "MiB"}},
		{[]string{"--memory-budget", "1.5GiB"}, nil, []string{"--memory-budget", "whole"}},
		{[]string{"--memory-budget", "-5"}, nil, []string{"--memory-budget", "value"}},
		{[]string{"--memory-budget=-5MiB"}, nil, []string{"--memory-budget", "size"}},
		{[]string{"--memory-budget", "1MiB"}, nil, []string{"--memory-budget", "8MiB"}},
		{[]string{"--memory-budget", "9000000TiB"}, nil, []string{"--memory-budget"}},
		{[]string{"--memory-budget", "99999999999999999999"}, nil, []string{"--memory-budget"}},
		{[]string{"--metrics-addr", "on"}, nil, []string{"--metrics-addr", "host:port"}},
		{[]string{"--metrics-addr", "127.0.0.1:8080"}, nil, []string{"--metrics-addr", "address of --addr"}},
		{[]string{"--egress-allow", "localhost"}, nil, []string{"--egress-allow", `"localhost"`}},
		{[]string{"--egress-allow", "10.0.0.0/33"}, nil, []string{"--egress-allow", "10.0.0.0/33"}},
		{[]string{"--egress-deny", "10.0.0.0/8;11.0.0.0/8"}, nil, []string{"--egress-deny"}},
		{[]string{"--egress-deny", "fe80::1%eth0"}, nil, []string{"--egress-deny"}},
		{[]string{"--egress-proxy", "10.0.0.1:3128"}, nil, []string{"--egress-proxy", "http://"}},
		{[]string{"--egress-proxy", "ftp://u:geheim@10.0.0.1"}, nil, []string{"--egress-proxy", "scheme"}},
		{[]string{"--egress-proxy", "socks5h://u:geheim@10.0.0.1"}, nil, []string{"--egress-proxy", "socks5://"}},
		{[]string{"--egress-proxy", "http://u:geheim%@10.0.0.1"}, nil, []string{"--egress-proxy", "%XX"}},
		{[]string{"--egress-proxy", "http://u:geheim@"}, nil, []string{"--egress-proxy"}},
		{[]string{"--egress-proxy", "http://u:geheim@10.0.0.1/path"}, nil, []string{"--egress-proxy"}},
		{[]string{"--egress-proxy", "http://u:geheim@10.0.0.1:99999"}, nil, []string{"--egress-proxy", "65535"}},
		{[]string{"--allow-ecs-ram-role", "sure"}, nil, []string{"--allow-ecs-ram-role"}},
		{[]string{"--log-retention", "forever"}, nil, []string{"--log-retention", "7d,1GiB"}},
		{[]string{"--log-retention", "7d,1d"}, nil, []string{"--log-retention", "two ages"}},
		{[]string{"--log-retention", "1GiB,2GiB"}, nil, []string{"--log-retention", "two sizes"}},
		{[]string{"--log-retention", "7d,"}, nil, []string{"--log-retention"}},
		{[]string{"--log-retention", "1s"}, nil, []string{"--log-retention", "1m"}},
		{[]string{"--log-retention", "7d,5"}, nil, []string{"--log-retention", "1MiB"}},
		{[]string{"--log-retention", "99999999999d"}, nil, []string{"--log-retention"}},
		{[]string{"--sandbox-oss-addr", "0.0.0.0:1"}, nil, []string{"--sandbox-oss-addr", "loopback"}},
		{[]string{"--sandbox-kafka-addr", "10.0.0.1:1"}, nil, []string{"--sandbox-kafka-addr", "loopback"}},
		{[]string{"--sandbox-sts-addr", ":1"}, nil, []string{"--sandbox-sts-addr", "loopback"}},
		{[]string{"--sandbox", "--sandbox-oss-addr", "127.0.0.1:8080"}, nil, []string{"--sandbox-oss-addr", "port of its own"}},
		{[]string{"--sandbox", "--sandbox-oss-addr", "127.0.0.1:19101"}, nil, []string{"--sandbox-fc-addr", "--sandbox-oss-addr"}},
		{[]string{"--tls-cert", "missing.pem"}, nil, []string{"--tls-cert", "--tls-key"}},
		{[]string{"--tls-key", "missing.pem"}, nil, []string{"--tls-key", "--tls-cert"}},
		{[]string{"--tls-cert", "missing.pem", "--tls-key", "k.pem"}, nil, []string{`--tls-cert="missing.pem"`, "no such file"}},
		{[]string{"--config", "missing.yaml"}, nil, []string{`--config="missing.yaml"`, "no such file"}},
		{nil, []string{"SLUICE_CONFIG=/"}, []string{"SLUICE_CONFIG"}},
		{[]string{"--adr", ":1"}, nil, []string{"--adr", "did you mean --addr?"}},
		{[]string{"--colour=red"}, nil, []string{"--colour", "--help"}},
		{[]string{"serve"}, nil, []string{"serve", "not a flag"}},
		{[]string{"--"}, nil, []string{"not a flag"}},
		{[]string{"--adr=1", "--memory-budget=x", "--egress-allow=y"}, []string{"SLUICE_SANDBOX=z"}, []string{"--adr", "--memory-budget", "--egress-allow", "SLUICE_SANDBOX"}},
		{[]string{"--admin-password", strings.Repeat("geheim", 200)}, nil, []string{"--admin-password", "1024"}},
	} {
		s, _, err := Load(c.args, c.environ)
		var ps Problems
		if s != nil || !errors.As(err, &ps) {
			t.Errorf("%q %q: got %v", c.args, c.environ, err)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q %q: %q does not tell %q", c.args, c.environ, err, want)
			}
		}
		if strings.Contains(err.Error(), "geheim") {
			t.Errorf("%q %q: %q tells a secret", c.args, c.environ, err)
		}
		for _, p := range ps {
			if p.Name == "" || !strings.HasSuffix(p.Message, ".") && !strings.HasSuffix(p.Message, "?") {
				t.Errorf("%q: %q has no name or is no sentence", c.args, p.Error())
			}
		}
	}
}

func TestBadFiles(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{
		"adr: x":                            "adr in sluice.yaml line 1: is no setting; did you mean addr?",
		"\ncolour: red":                     "colour in sluice.yaml line 2",
		"config: other.yaml":                "config in",
		"addr: nonsense":                    `addr in sluice.yaml line 1="nonsense"`,
		"addr:":                             "empty",
		"addr: {a: b}":                      "single value",
		"data_dir: a\ndata-dir: b":          "twice",
		"addr: :1\naddr: :2":                "addr",
		"- addr":                            "mapping",
		"just text":                         "mapping",
		"addr: [":                           "YAML",
		"admin_password: geheim\n\tx: y":    "YAML",
		"admin_password: [geheim, [a]]":     "admin_password",
		"egress_allow: [10.0.0.0/8, bogus]": "bogus",
		"egress_allow: ['1.1.1.1,2.2.2.2']": "egress_allow",
		"key: geheim":                       "32 bytes",
		"memory_budget: 0.5":                `"0.5"`,
		"sandbox: perhaps":                  "perhaps",
		strings.Repeat("# filling\n", maxFileSize/9): "1 MiB",
	} {
		_, _, err := Load([]string{"--config", write(t, "sluice.yaml", content)}, nil)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%.40q: got %v, want %q", content, err, want)
		}
	}
	for _, content := range []string{"", "# nothing\n", "---\n", "~"} {
		if _, _, err := Load([]string{"--config", write(t, "sluice.yaml", content)}, nil); err != nil {
			t.Errorf("%q: %v", content, err)
		}
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	_, warnings := load(t, []string{"--addr", "0.0.0.0:8080"}, []string{"SLUICE_PORT=tcp://10.0.0.1:80", "SLUICE_TOKEN=geheim", "SLUICE_ADMIN_PASSWORD=short", "OTHER=x"})
	all := strings.Join(warnings, "\n")
	for _, want := range []string{"SLUICE_PORT is no setting", "SLUICE_TOKEN is no setting", "without TLS", "fewer than 8"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q lacks %q", all, want)
		}
	}
	if len(warnings) != 4 || strings.Contains(all, "geheim") || strings.Contains(all, "short;") {
		t.Errorf("%q", warnings)
	}
}

func TestHelpAsked(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-h"}, {"--help"}, {"--addr", "nonsense", "-help"}} {
		if _, _, err := Load(args, nil); !errors.Is(err, ErrHelp) {
			t.Errorf("%q: %v", args, err)
		}
	}
}

// certificate writes a self-signed pair.
func certificate(t *testing.T, notAfter time.Time) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: notAfter.Add(-time.Hour), NotAfter: notAfter, DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	k, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert = write(t, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	return cert, write(t, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: k})))
}

func TestTLSPair(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t, time.Now().Add(time.Hour))
	s, warnings := load(t, []string{"--addr", ":8443", "--tls-cert", cert, "--tls-key", key}, nil)
	if s.TLS == nil || len(warnings) != 0 {
		t.Errorf("TLS %v, warnings %q", s.TLS, warnings)
	}
	_, otherKey := certificate(t, time.Now().Add(time.Hour))
	if _, _, err := Load([]string{"--tls-cert", cert, "--tls-key", otherKey}, nil); err == nil || !strings.Contains(err.Error(), "does not match") {
		t.Errorf("a foreign key: %v", err)
	}
	if _, _, err := Load([]string{"--tls-cert", cert, "--tls-key", "absent"}, nil); err == nil || !strings.Contains(err.Error(), `--tls-key="absent"`) {
		t.Errorf("an absent key: %v", err)
	}
	expired, key := certificate(t, time.Now().Add(-time.Hour))
	if _, warnings := load(t, []string{"--tls-cert", expired, "--tls-key", key}, nil); !slices.ContainsFunc(warnings, func(w string) bool { return strings.Contains(w, "expired") }) {
		t.Errorf("warnings %q", warnings)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add("--addr=:0", "SLUICE_SANDBOX=on", "addr: :1")
	f.Add("--log-retention=1d,5MiB", "SLUICE_KEY=x", "egress_allow: [a, b]")
	f.Fuzz(func(t *testing.T, arg, env, content string) {
		l := &loader{table: table(), values: map[string]value{}}
		l.fromYAML("sluice.yaml", []byte(content))
		l.fromEnv([]string{env})
		l.fromArgs([]string{arg})
		if s := l.settings(); len(l.problems) == 0 && (s.Addr == "" || s.KeyFile == "" || s.MemoryBudget < leastBudget || s.LogAge < leastAge || s.LogBytes < leastLogs) {
			t.Fatalf("%q %q %q gave %+v", arg, env, content, s)
		}
	})
}
