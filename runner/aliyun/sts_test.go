package aliyun_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner/aliyun"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/egress"
	"github.com/sluice-io/sluice/runner/sandbox"
)

// roleBed is an STS stand-in with a configuration that assumes one of its roles.
type roleBed struct {
	sts  *sandbox.STS
	cfg  connector.Config
	deps connector.Deps
	log  *bytes.Buffer
}

const keySecret = "geheimes-passwort"

func newRoleBed(t *testing.T, change connector.Config) *roleBed {
	t.Helper()
	s, err := sandbox.StartSTS(t.Context(), sandbox.STSOptions{Addr: "127.0.0.1:0", Dir: t.TempDir(), Keys: []sandbox.AccessKey{{ID: "LTAIuser", Secret: keySecret}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	b := &roleBed{sts: s, log: &bytes.Buffer{}}
	b.cfg = connector.Config{aliyun.KeyAuth: aliyun.AuthRAMRole, aliyun.KeyAccessKeyID: "LTAIuser", aliyun.KeyAccessSecret: keySecret,
		aliyun.KeyAccount: sandbox.DefaultAccount, aliyun.KeyRoleName: sandbox.DefaultRole, aliyun.KeySTSEndpoint: s.URL()}
	for k, v := range change {
		b.cfg[k] = v
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.CAPEM())
	b.deps = connector.Deps{Connector: "orders-to-oss", Dial: (&net.Dialer{}).DialContext, Roots: roots, Logger: slog.New(slog.NewTextHandler(b.log, nil))}
	return b
}

func (b *roleBed) provider(t *testing.T) aliyun.Provider {
	t.Helper()
	p, err := aliyun.NewProvider(b.cfg, b.deps)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestRoleIsAssumed(t *testing.T) {
	t.Parallel()
	b := newRoleBed(t, nil)
	p := b.provider(t)
	if b.sts.Stats().Requests != 0 {
		t.Error("making a provider asks STS")
	}
	first, err := p.Credentials(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	again, err := p.Credentials(t.Context())
	if err != nil || again != first || b.sts.Stats().Issued != 1 {
		t.Errorf("asked again: %v, %v, %+v", again, err, b.sts.Stats())
	}
	issued := b.sts.Issued(1)[0]
	if first.SecurityToken == "" || first.AccessKeyID != issued.AccessKeyID || first.Expiration.Sub(issued.Expires).Abs() > time.Second || time.Until(first.Expiration) < 59*time.Minute {
		t.Errorf("got %+v of %+v", first, issued)
	}
	if issued.Role != "acs:ram::1000000000000001:role/sandbox" || issued.SessionName != "sluice-orders-to-oss" || issued.By != "LTAIuser" {
		t.Errorf("%+v", issued)
	}
	byARN := b.cfg.Clone()
	delete(byARN, aliyun.KeyAccount)
	delete(byARN, aliyun.KeyRoleName)
	byARN[aliyun.KeyRoleARN] = issued.Role
	p, err = aliyun.NewProvider(byARN, b.deps)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = p.Credentials(t.Context()); err != nil || b.sts.Issued(1)[0].Role != issued.Role {
		t.Errorf("by ARN: %v", err)
	}
}

// TestSTSFailures is the table of what STS, or the way to it, may answer.
func TestSTSFailures(t *testing.T) {
	t.Parallel()
	fault := func(status int, code string) []sandbox.Fault {
		return []sandbox.Fault{{Operation: "*", Rate: 1, Status: status, Code: code}}
	}
	const role = "acs:ram::1000000000000001:role/sandbox"
	for _, c := range []struct {
		name   string
		change connector.Config
		faults []sandbox.Fault
		deps   func(*roleBed)
		cause  connector.Cause
		field  string
		says   []string // in the error, its brief or its remedy
	}{
		{name: "denied", change: connector.Config{aliyun.KeyRoleName: sandbox.DeniedRole}, cause: connector.CauseWrong, field: aliyun.KeyRoleARN,
			says: []string{"403 NoPermission", "access key LTAIuser", "sts:AssumeRole on acs:ram::1000000000000001:role/denied", `{"Version":"1","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"acs:ram::1000000000000001:role/denied"}]}`, "trust policy"}},
		{name: "another account denies", faults: fault(403, "AuthenticationFail.NoPermission"), cause: connector.CauseWrong, field: aliyun.KeyRoleARN, says: []string{"may not do sts:AssumeRole on " + role}},
		{name: "forbidden", faults: fault(403, "Forbidden.RAM"), cause: connector.CauseWrong, field: aliyun.KeyRoleARN, says: []string{role}},
		{name: "no such role", change: connector.Config{aliyun.KeyRoleName: "nobody"}, cause: connector.CauseWrong, field: aliyun.KeyRoleARN, says: []string{"404 EntityNotExist.Role", "role/nobody does not exist"}},
		{name: "no such key", change: connector.Config{aliyun.KeyAccessKeyID: "LTAIother"}, cause: connector.CauseWrong, field: aliyun.KeyAccessKeyID, says: []string{"LTAIother does not exist"}},
		{name: "disabled key", faults: fault(400, "InvalidAccessKeyId.Inactive"), cause: connector.CauseWrong, field: aliyun.KeyAccessKeyID, says: []string{"is disabled"}},
		{name: "wrong secret", change: connector.Config{aliyun.KeyAccessSecret: "another-" + keySecret}, cause: connector.CauseWrong, field: aliyun.KeyAccessSecret, says: []string{"SignatureDoesNotMatch", "secret of access key LTAIuser is wrong"}},
		{name: "incomplete signature", faults: fault(400, "IncompleteSignature"), cause: connector.CauseWrong, field: aliyun.KeyAccessSecret},
		{name: "temporary key", faults: fault(400, "MissingSecurityToken"), cause: connector.CauseWrong, field: aliyun.KeyAccessKeyID, says: []string{"RAM user"}},
		{name: "root account", faults: []sandbox.Fault{{Operation: "*", Rate: 1, Status: 403, Code: "NoPermission", Message: "Roles may not be assumed by root accounts."}},
			cause: connector.CauseWrong, field: aliyun.KeyAccessKeyID, says: []string{"the account's own"}},
		{name: "clock never right", faults: fault(400, "InvalidTimeStamp.Expired"), cause: connector.CauseWrong, says: []string{"clock"}},
		{name: "duration", faults: fault(400, "InvalidParameter.DurationSeconds"), cause: connector.CauseWrong, field: aliyun.KeySTSEndpoint},
		{name: "not an STS", faults: fault(404, "InvalidAction.NotFound"), cause: connector.CauseWrong, field: aliyun.KeySTSEndpoint},
		{name: "throttled", faults: fault(400, "Throttling.User"), cause: connector.CauseAway, says: []string{"Throttling.User"}},
		{name: "throttled by status", faults: fault(429, "Whatever"), cause: connector.CauseAway},
		{name: "nonce", faults: fault(400, "SignatureNonceUsed"), cause: connector.CauseAway},
		{name: "down", faults: fault(503, "ServiceUnavailable"), cause: connector.CauseAway, says: []string{"STS endpoint 127.0.0.1:", "503 ServiceUnavailable"}},
		{name: "internal", faults: fault(500, "InternalError"), cause: connector.CauseAway},
		{name: "cut", faults: []sandbox.Fault{{Operation: "*", Rate: 1, Cut: sandbox.CutBefore}}, cause: connector.CauseAway},
		{name: "answer lost", faults: []sandbox.Fault{{Operation: "*", Rate: 1, Cut: sandbox.CutAfter}}, cause: connector.CauseAway},
		{name: "nobody listens", change: connector.Config{aliyun.KeySTSEndpoint: "127.0.0.1:1"}, cause: connector.CauseAway, says: []string{"connection refused", "correct aliyun.sts.endpoint"}},
		{name: "unknown authority", deps: func(b *roleBed) { b.deps.Roots = x509.NewCertPool() }, cause: connector.CauseWrong, field: aliyun.KeySTSEndpoint, says: []string{"unknown authority", "SSL_CERT_FILE"}},
		{name: "certificate for another name", change: connector.Config{aliyun.KeySTSEndpoint: "sts.example.com"}, deps: func(b *roleBed) {
			dialAt(b, strings.TrimPrefix(b.sts.URL(), "https://"))
		}, cause: connector.CauseWrong, field: aliyun.KeySTSEndpoint, says: []string{"another name", "write the name"}},
		{name: "no TLS", change: connector.Config{aliyun.KeySTSEndpoint: "sts.example.com"}, deps: func(b *roleBed) {
			plain := httptest.NewServer(http.NotFoundHandler())
			t.Cleanup(plain.Close)
			dialAt(b, plain.Listener.Addr().String())
		}, cause: connector.CauseWrong, field: aliyun.KeySTSEndpoint, says: []string{"does not speak TLS", "HTTPS only"}},
		{name: "certificate that has expired", change: connector.Config{aliyun.KeySTSEndpoint: "sts.example.com"}, deps: func(b *roleBed) {
			dialAt(b, expiredServer(t, b))
		}, cause: connector.CauseAway, says: []string{"expired", "clock of this machine"}},
		{name: "network rules", deps: func(b *roleBed) {
			rules, err := egress.New(egress.Policy{})
			if err != nil {
				t.Fatal(err)
			}
			b.deps.Dial = rules.Dialer(true)
		}, cause: connector.CauseWrong, field: aliyun.KeySTSEndpoint, says: []string{"loopback", "SLUICE_EGRESS_ALLOW"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newRoleBed(t, c.change)
			if err := b.sts.Faults.Set(c.faults...); err != nil {
				t.Fatal(err)
			}
			if c.deps != nil {
				c.deps(b)
			}
			_, err := b.provider(t).Credentials(t.Context())
			if got := connector.CauseOf(err); err == nil || got != c.cause {
				t.Fatalf("cause %s of %v, want %s", got, err, c.cause)
			}
			text := err.Error() + "\n" + connector.Brief(err) + "\n" + connector.Remedy(err)
			var wrong *connector.WrongError
			if errors.As(err, &wrong) {
				if wrong.Remedy == "" || wrong.Field != c.field {
					t.Errorf("field %q, remedy %q", wrong.Field, wrong.Remedy)
				}
			}
			for _, want := range c.says {
				if !strings.Contains(text, want) {
					t.Errorf("%q is not in:\n%s", want, text)
				}
			}
			for _, secret := range []string{keySecret, "Signature=", "SecurityToken="} {
				if strings.Contains(text+b.log.String(), secret) {
					t.Errorf("%q is shown:\n%s", secret, text)
				}
			}
			if strings.Contains(connector.Brief(err), "request ") {
				t.Errorf("the brief differs from one attempt to the next: %s", connector.Brief(err))
			}
		})
	}
}

// dialAt has every connection opened to one address, whatever name was asked for.
func dialAt(b *roleBed, address string) {
	b.deps.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
}

// expiredServer shows a certificate that is not valid any more, of an authority that b trusts.
func expiredServer(t *testing.T, b *roleBed) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"sts.example.com"}, NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(-time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	b.deps.Roots = b.deps.Roots.Clone()
	b.deps.Roots.AddCert(leaf)
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// TestWrongClock: a machine whose clock is wrong by hours gets credentials all the same,
// and keeps them for as long as they live.
func TestWrongClock(t *testing.T) {
	t.Parallel()
	for _, off := range []int{-7200, 7200} {
		t.Run(fmt.Sprint(off), func(t *testing.T) {
			t.Parallel()
			b := newRoleBed(t, nil)
			if err := b.sts.Faults.Set(sandbox.Fault{Operation: "*", Rate: 1, SkewSeconds: off}); err != nil {
				t.Fatal(err)
			}
			p := b.provider(t)
			for range 3 {
				if _, err := p.Credentials(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if n := b.sts.Stats(); n.Requests != 2 || n.Issued != 1 {
				t.Errorf("%+v; one is refused for its time, one by STS's clock is not", n)
			}
		})
	}
}

// TestRefusedTokenIsReplaced goes through a real renewal.
func TestRefusedTokenIsReplaced(t *testing.T) {
	t.Parallel()
	b := newRoleBed(t, nil)
	if err := b.sts.SetRole(sandbox.Role{Name: sandbox.DefaultRole, Life: 2 * time.Second}); err != nil {
		t.Fatal(err)
	}
	p := b.provider(t)
	first, err := p.Credentials(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); ; <-tick.C {
		got, err := p.Credentials(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got.SecurityToken != first.SecurityToken {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("credentials that live 2 s are never renewed")
		}
	}
	if !p.Refused(first) {
		t.Error("a refusal of what was replaced is final")
	}
	// STS goes away for a moment: what is valid stays in use.
	if err := b.sts.Faults.Set(sandbox.Fault{Operation: "*", Rate: 1, Status: 503}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Credentials(t.Context()); err != nil {
		t.Errorf("with valid ones: %v", err)
	}
}

// TestProviderRefusals are configurations that no provider can be made of.
func TestProviderRefusals(t *testing.T) {
	t.Parallel()
	for field, change := range map[string]connector.Config{
		aliyun.KeyAuth:                          {aliyun.KeyAuth: "magic"},
		aliyun.KeyRoleName:                      {aliyun.KeyRoleName: ""},
		aliyun.KeyAccount:                       {aliyun.KeyAccount: ""},
		aliyun.KeyRoleARN:                       {aliyun.KeyRoleARN: "acs:ram::1:user/x"},
		aliyun.KeySTSEndpoint:                   {aliyun.KeySTSEndpoint: "http://127.0.0.1:1"},
		aliyun.KeyAccessKeyID:                   {aliyun.KeyAccessKeyID: ""},
		aliyun.KeyAccessKeyID + " of no secret": {aliyun.KeyAccessSecret: ""},
	} {
		b := newRoleBed(t, change)
		_, err := aliyun.NewProvider(b.cfg, b.deps)
		var wrong *connector.WrongError
		if want, _, _ := strings.Cut(field, " "); !errors.As(err, &wrong) || wrong.Field != want || wrong.Remedy == "" {
			t.Errorf("%s: %+v", field, err)
		}
	}
}

func TestCheckCredentials(t *testing.T) {
	t.Parallel()
	b := newRoleBed(t, nil)
	text, err := aliyun.CheckCredentials(t.Context(), b.cfg, b.provider(t))
	if err != nil || !strings.Contains(text, "role acs:ram::1000000000000001:role/sandbox") || !strings.Contains(text, "hold until 2") {
		t.Errorf("%q, %v", text, err)
	}
	plain := connector.Config{aliyun.KeyAccessKeyID: "LTAI", aliyun.KeyAccessSecret: "s"}
	p, err := aliyun.NewProvider(plain, b.deps)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := aliyun.CheckCredentials(t.Context(), plain, p); err != nil || !strings.Contains(text, "access key LTAI") {
		t.Errorf("%q, %v", text, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := aliyun.CheckCredentials(ctx, b.cfg, b.provider(t)); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
