package kafka_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/sluice-io/sluice/runner/kafka"
)

// certificate makes a self-signed one for 127.0.0.1.
func certificate(t *testing.T) (*tls.Config, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test broker"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	check(t, err)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func steps(ctx context.Context, c kafka.Cluster) []kafka.Step {
	var got []kafka.Step
	kafka.Check(ctx, c, func(s kafka.Step) { got = append(got, s) })
	return got
}

// closedPort is an address where nothing listens.
func closedPort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	return l.Addr().String()
}

func TestCheck(t *testing.T) {
	t.Parallel()
	server, ca := certificate(t)
	users := []kfake.Opt{kfake.EnableSASL(), kfake.Superuser("PLAIN", "ann", "secret"),
		kfake.Superuser("SCRAM-SHA-256", "bob", "hunter2"), kfake.Superuser("SCRAM-SHA-512", "cy", "hunter3")}
	plain := fake(t)
	sasl := fake(t, users...)
	overTLS := fake(t, kfake.TLS(server))
	both := fake(t, append(users, kfake.TLS(server))...)
	as := func(c kafka.Cluster, protocol, mechanism, user, password string) kafka.Cluster {
		c.Protocol, c.Mechanism, c.Username, c.Password = protocol, mechanism, user, password
		return c
	}
	withCA := func(c kafka.Cluster) kafka.Cluster { c.CAPEM = ca; return c }
	refused := errors.New("refused by the network rules: 10.0.0.1")
	for _, c := range []struct {
		name    string
		cluster kafka.Cluster
		failed  string // the step that fails, "" for none
		remedy  string // a part of its remedy
	}{
		{"plain", plain, "", ""},
		{"tls", withCA(as(overTLS, "SSL", "", "", "")), "", ""},
		{"sasl plain", as(sasl, "SASL_PLAINTEXT", "PLAIN", "ann", "secret"), "", ""},
		{"scram 256", as(sasl, "SASL_PLAINTEXT", "SCRAM-SHA-256", "bob", "hunter2"), "", ""},
		{"scram 512", as(sasl, "SASL_PLAINTEXT", "SCRAM-SHA-512", "cy", "hunter3"), "", ""},
		{"scram over tls", withCA(as(both, "SASL_SSL", "SCRAM-SHA-512", "cy", "hunter3")), "", ""},
		{"no server", kafka.Cluster{}, "dns", "bootstrap"},
		{"no port", kafka.Cluster{Bootstrap: []string{"localhost"}}, "dns", "bootstrap"},
		{"no such name", kafka.Cluster{Bootstrap: []string{"no-such-host.invalid:9092"}}, "dns", "resolved"},
		{"nothing listens", kafka.Cluster{Bootstrap: []string{closedPort(t)}}, "dial", "listens"},
		{"refused", kafka.Cluster{Bootstrap: plain.Bootstrap, Dial: func(context.Context, string, string) (net.Conn, error) { return nil, refused }}, "dial", "network rules"},
		{"unknown authority", as(overTLS, "SSL", "", "", ""), "tls", "CA certificate"},
		{"tls on a plain port", withCA(as(plain, "SSL", "", "", "")), "tls", "TLS"},
		{"plain on a tls port", overTLS, "api-versions", "protocol"},
		{"wrong password", as(sasl, "SASL_PLAINTEXT", "PLAIN", "ann", "wrong"), "auth", "password"},
		{"wrong scram password", as(sasl, "SASL_PLAINTEXT", "SCRAM-SHA-256", "bob", "wrong"), "auth", "password"},
		{"no user", as(sasl, "SASL_PLAINTEXT", "PLAIN", "", ""), "auth", ""},
		{"bad mechanism", as(sasl, "SASL_PLAINTEXT", "GSSAPI", "a", "b"), "auth", "security settings"},
		{"sasl port without", sasl, "metadata", "protocol"},
		{"bad protocol", as(plain, "TLS", "", "", ""), "dns", "security protocol"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := steps(within(t, 30*time.Second), c.cluster)
			failed := ""
			for i, s := range got {
				switch {
				case s.Status == kafka.StepFailed && failed == "":
					failed = s.Name
					t.Logf("%s: %s (%s)", s.Name, s.Detail, s.Remedy)
					if s.Detail == "" || s.Remedy == "" || !strings.Contains(s.Remedy, c.remedy) {
						t.Errorf("remedy %q", s.Remedy)
					}
					if strings.Contains(s.Detail+s.Remedy, c.cluster.Password) && c.cluster.Password != "" && len(c.cluster.Password) > 2 && c.cluster.Password != "wrong" {
						t.Error("the password is shown")
					}
				case failed == "" && (s.Status != kafka.StepOK || s.Detail == ""), failed != "" && s.Status != kafka.StepSkipped:
					t.Errorf("step %d is %+v", i, s)
				}
			}
			if failed != c.failed {
				t.Errorf("step %q fails, want %q: %+v", failed, c.failed, got)
			}
		})
	}
}

// A broker that advertises what cannot be reached.
func TestCheckAdvertised(t *testing.T) {
	t.Parallel()
	c := fake(t, kfake.NumBrokers(2), kfake.Ports(0, 0))
	first := c.Bootstrap[0]
	c.Bootstrap = c.Bootstrap[:1]
	c.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if address != first {
			return nil, fmt.Errorf("%s is not allowed", address)
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	got := steps(within(t, 10*time.Second), c)
	last := got[len(got)-1]
	if last.Name != kafka.StepBrokers || last.Status != kafka.StepFailed || !strings.Contains(last.Remedy, "advertised.listeners") {
		t.Errorf("%+v", got)
	}
}

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	// The embedded broker hangs up on a wrong password, which proves nothing (a real one
	// answers: TestRealSignIn).
	sasl := fake(t, kfake.EnableSASL(), kfake.Superuser("PLAIN", "ann", "secret"))
	ctx := within(t, 20*time.Second)
	sasl.Protocol, sasl.Mechanism, sasl.Username, sasl.Password = "SASL_PLAINTEXT", "PLAIN", "ann", "wrong"
	_, err := kafka.OpenAdmin(ctx, sasl)
	if err == nil || kafka.Remedy(err) == "" {
		t.Errorf("wrong password: %v, remedy %q", err, kafka.Remedy(err))
	}
	sasl.Password = ""
	_, err = kafka.OpenTxn(ctx, sasl, "x", time.Second)
	wantErr(t, err, kafka.ErrAuth)
	done, cancel := context.WithCancelCause(ctx)
	mine := errors.New("mine")
	cancel(mine)
	_, err = kafka.OpenReader(done, fake(t))
	wantErr(t, err, mine)
	// A broker that accepts and says nothing does not hold a caller up.
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer silent.Close()
	short, stop := context.WithTimeout(ctx, 200*time.Millisecond)
	defer stop()
	begin := time.Now()
	_, err = kafka.Probe(short, kafka.Cluster{Bootstrap: []string{silent.Addr().String()}})
	wantErr(t, err, context.DeadlineExceeded)
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("gave up after %s", took)
	}
}
