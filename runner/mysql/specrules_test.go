package mysql

import (
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
)

func TestSupported(t *testing.T) {
	t.Parallel()
	for version, refused := range map[string]string{
		"8.0.1": "", "8.0.36-log": "", "9.7.4-2": "", "8.4.0": "", "10.5.0-MariaDB": "", "10.11.19-MariaDB-0+deb12u1-log": "", "11.4.2-MariaDB": "",
		"8.0.0-dmr": "binlog_row_metadata", "5.7.44-log": "binlog_row_metadata", "5.6.1": "binlog_row_metadata", "10.4.33-MariaDB": "binlog_row_metadata", "8.0.11-TiDB-v7.5.0": "TiDB",
	} {
		f := &facts{Version: version}
		f.MariaDB, f.number = parseVersion(version)
		err := f.supported()
		if refused == "" && err != nil || refused != "" && (err == nil || !strings.Contains(err.Error(), refused)) {
			t.Errorf("%s: %v", version, err)
		}
		if err != nil && connector.CauseOf(err) != connector.CauseWrong {
			t.Errorf("%s: no remedy: %v", version, err)
		}
	}
}

func TestKept(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		vars    map[string]string
		want    time.Duration
		limited bool
	}{
		{map[string]string{"binlog_expire_logs_seconds": "2592000", "binlog_expire_logs_auto_purge": "ON"}, 720 * time.Hour, false},
		{map[string]string{"binlog_expire_logs_seconds": "2592000", "binlog_expire_logs_auto_purge": "OFF"}, 0, false},
		{map[string]string{"binlog_expire_logs_seconds": "0", "expire_logs_days": "0.5"}, 12 * time.Hour, false},
		{map[string]string{"expire_logs_days": "0"}, 0, false},
		{map[string]string{"max_binlog_total_size": "1073741824"}, 0, true},
	} {
		got, limited := (&facts{vars: tt.vars}).kept()
		if got != tt.want || (limited != "") != tt.limited {
			t.Errorf("%v: %s %q", tt.vars, got, limited)
		}
	}
}

func TestFieldRules(t *testing.T) {
	t.Parallel()
	env := connector.Env{Instance: "here", Region: "cn-hangzhou"}
	spec := Spec()
	good := connector.Config{"name": "a", "connector.class": Class, keyHost: "db", keyUser: "u", keyDatabase: "shop", keyTables: "*", keyPrefix: "p"}
	if p := spec.Problems(spec.Resolve(good, env), env); len(p) > 0 {
		t.Fatalf("%v", p)
	}
	for _, tt := range []struct{ key, value string }{
		{keyHost, "db:3306"}, {keyHost, "mysql://db"}, {keyHost, "a b"}, {keyHost, ""}, {keyPort, "0"}, {keyPort, "70000"}, {keyUser, ""}, {keyDatabase, "mysql"}, {keyDatabase, "a/b"}, {keyDatabase, ""},
		{keyTables, " , "}, {keyTables, "shop.orders"}, {keyPrefix, "a b"}, {keyPrefix, ".."}, {keyServerID, "0"}, {keyServerID, "4294967295"}, {keyServerID, "4294967296"}, {keyServerID, "x"}, {keyChunk, "5"}, {keyHeartbeat, "10"},
		{keyTimezone, "Local"}, {keyTimezone, "GMT+8"}, {keyFormat, "avro"}, {keySnapshot, "never"}, {keyTLS, "maybe"}, {keyZeroDate, "x"}, {keyOversize, "x"}, {keyInvalidText, "x"}, {keyTinyInt1, "x"},
		{keyRegion, "Hang zhou"}, {keyRegion, "cn-shanghai"}, {connector.KeyCompression, "brotli"},
	} {
		cfg := good.Clone()
		cfg[tt.key] = tt.value
		want := tt.key
		if tt.value == "cn-shanghai" {
			want = keyCEN
		}
		p := spec.Problems(spec.Resolve(cfg, env), env)
		if len(p) == 0 || p[0].Field != want {
			t.Errorf("%s=%q: %v", tt.key, tt.value, p)
		}
	}
	verified := good.Clone()
	verified[keyTLS], verified[keyCA] = string(TLSVerifyCA), "no PEM"
	if p := spec.Problems(spec.Resolve(verified, env), env); len(p) != 1 || p[0].Field != keyCA {
		t.Errorf("a CA that is none: %v", p)
	}
	verified[keyTLS] = string(TLSRequired)
	if out := spec.Resolve(verified, env); out[keyCA] != "" {
		t.Error("the CA is read although nothing is verified")
	}
	near := good.Clone()
	near[keyCEN] = "cen-7qthudw0ll6jmc"
	if out := spec.Resolve(near, env); out[keyCEN] != "" {
		t.Error("a CEN within one region is kept")
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	spec := Spec()
	env := connector.Env{Instance: "here", Region: "self-hosted"}
	s, err := Decode(spec.Resolve(connector.Config{"name": "a", keyHost: "::1", keyUser: "u", keyPassword: " p ", keyDatabase: "shop", keyTables: "a,b*", keyPrefix: "p"}, env), env)
	if err != nil {
		t.Fatal(err)
	}
	if s.Address() != "[::1]:3306" || s.Password != " p " || s.ServerID < 1<<31 || s.ChunkRows != 20_000 || s.Heartbeat != 10*time.Second || s.TLS != TLSPreferred || s.Format != FormatDataWorks || s.Zone == nil {
		t.Errorf("%+v", s)
	}
	other, err := Decode(spec.Resolve(connector.Config{"name": "b", keyHost: "h", keyUser: "u", keyDatabase: "shop", keyTables: "a", keyPrefix: "p", keyServerID: "77"}, env), env)
	if err != nil || other.ServerID != 77 || derivedServerID("", "here", "a") == derivedServerID("", "here", "b") || derivedServerID("one", "here", "a") == derivedServerID("other", "here", "a") {
		t.Errorf("server ids: %d %v", other.ServerID, err)
	}
}
