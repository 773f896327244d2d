package aliyun_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner/aliyun"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/egress"
)

// metadataService answers as that of ECS does in hardened mode.
type metadataService struct {
	answers map[string]func(http.ResponseWriter) // instead of the right ones, by path
	asked   atomic.Int64
	skew    time.Duration
	plain   int // its status for requests for a token, where it has none
}

const ecsRole = "/latest/meta-data/ram/security-credentials/"

func (m *metadataService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.asked.Add(1)
	now := time.Now().Add(m.skew)
	w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
	if answer := m.answers[r.URL.Path]; answer != nil {
		answer(w)
		return
	}
	token := "TOKEN=="
	if m.plain != 0 {
		token = ""
	}
	switch {
	case r.URL.Path == "/latest/api/token" && m.plain != 0:
		w.WriteHeader(m.plain)
	case r.URL.Path == "/latest/api/token" && r.Method == http.MethodPut && r.Header.Get("X-aliyun-ecs-metadata-token-ttl-seconds") != "":
		fmt.Fprint(w, "TOKEN==")
	case r.Method != http.MethodGet || r.Header.Get("X-aliyun-ecs-metadata-token") != token || r.Host != "100.100.100.200":
		w.WriteHeader(http.StatusUnauthorized)
	case r.URL.Path == ecsRole:
		fmt.Fprint(w, "machine-role\n")
	case r.URL.Path == ecsRole+"machine-role":
		fmt.Fprintf(w, `{"Code":"Success","AccessKeyId":"STS.m","AccessKeySecret":"geheim","SecurityToken":"geheim-%d","LastUpdated":"2026-01-01T00:00:00Z","Expiration":%q}`,
			m.asked.Load(), now.Add(time.Hour).UTC().Format("2006-01-02T15:04:05Z"))
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func ecsDeps(t *testing.T, m *metadataService) connector.Deps {
	t.Helper()
	srv := httptest.NewServer(m)
	t.Cleanup(srv.Close)
	return connector.Deps{Env: connector.Env{AllowECSRAMRole: true},
		Dial: func(context.Context, string, string) (net.Conn, error) {
			return nil, errors.New("the common dialer was used")
		},
		DialMetadata: func(ctx context.Context, network, address string) (net.Conn, error) {
			if address != "100.100.100.200:80" {
				return nil, errors.New("dials " + address)
			}
			return (&net.Dialer{}).DialContext(ctx, network, srv.Listener.Addr().String())
		}}
}

var ecsConfig = connector.Config{aliyun.KeyAuth: aliyun.AuthECSRole}

func TestECSRole(t *testing.T) {
	t.Parallel()
	for _, skew := range []time.Duration{0, -5 * time.Hour, 5 * time.Hour} {
		m := &metadataService{skew: skew}
		p, err := aliyun.NewProvider(ecsConfig, ecsDeps(t, m))
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			c, err := p.Credentials(t.Context())
			if err != nil || c.AccessKeyID != "STS.m" || c.AccessKeySecret != "geheim" || c.SecurityToken != "geheim-3" {
				t.Fatalf("%+v, %v", c, err)
			}
		}
		if n := m.asked.Load(); n != 3 {
			t.Errorf("clock off by %v: %d requests; token, role and credentials are three", skew, n)
		}
	}
}

// TestECSRoleWithoutToken: a metadata service that has no tokens is asked without one.
func TestECSRoleWithoutToken(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusNotFound, http.StatusMethodNotAllowed} {
		p, err := aliyun.NewProvider(ecsConfig, ecsDeps(t, &metadataService{plain: status}))
		if err != nil {
			t.Fatal(err)
		}
		if c, err := p.Credentials(t.Context()); err != nil || c.AccessKeyID != "STS.m" {
			t.Errorf("answer %d: %+v, %v", status, c, err)
		}
	}
}

// TestECSRoleFailures is the table of what the metadata service may answer.
func TestECSRoleFailures(t *testing.T) {
	t.Parallel()
	status := func(n int) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { w.WriteHeader(n) }
	}
	body := func(s string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { fmt.Fprint(w, s) }
	}
	for _, c := range []struct {
		name, path string
		answer     func(http.ResponseWriter)
		cause      connector.Cause
		says       string
	}{
		{"no role", ecsRole, status(404), connector.CauseWrong, "has no RAM role"},
		{"role taken away", ecsRole + "machine-role", status(404), connector.CauseWrong, "has no RAM role"},
		{"no token", "/latest/api/token", status(500), connector.CauseAway, "answered 500"},
		{"token refused", ecsRole, status(401), connector.CauseAway, "answered 401"},
		{"a token that is none", "/latest/api/token", body("two\r\nlines"), connector.CauseAway, "malformed"},
		{"a redirect", ecsRole, func(w http.ResponseWriter) {
			w.Header().Set("Location", "http://127.0.0.1:1/")
			w.WriteHeader(302)
		}, connector.CauseAway, "answered 302"},
		{"a role that is none", ecsRole, body("../../user-data"), connector.CauseAway, "no role's name"},
		{"no JSON", ecsRole + "machine-role", body("<html>"), connector.CauseAway, "not what the metadata service writes"},
		{"failed", ecsRole + "machine-role", body(`{"Code":"Failed"}`), connector.CauseAway, "Failed"},
		{"empty", ecsRole + "machine-role", body(`{"Code":"Success"}`), connector.CauseAway, "holds no credentials"},
		{"no end", ecsRole + "machine-role", body(`{"Code":"Success","AccessKeyId":"a","AccessKeySecret":"geheim","SecurityToken":"geheim"}`), connector.CauseAway, "no expiration"},
		{"over", ecsRole + "machine-role", body(`{"Code":"Success","AccessKeyId":"a","AccessKeySecret":"geheim","SecurityToken":"geheim","Expiration":"2020-01-01T00:00:00Z"}`), connector.CauseAway, "have expired"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := &metadataService{answers: map[string]func(http.ResponseWriter){c.path: c.answer}}
			p, err := aliyun.NewProvider(ecsConfig, ecsDeps(t, m))
			if err != nil {
				t.Fatal(err)
			}
			_, err = p.Credentials(t.Context())
			if err == nil || connector.CauseOf(err) != c.cause || !strings.Contains(err.Error()+connector.Brief(err), c.says) || strings.Contains(err.Error(), "geheim") {
				t.Errorf("%s: %v", connector.CauseOf(err), err)
			}
		})
	}
}

// TestECSRoleNeedsPermission: the node's setting, the network rules and their deny list
// all have a say.
func TestECSRoleNeedsPermission(t *testing.T) {
	t.Parallel()
	allowed := connector.Env{AllowECSRAMRole: true}
	open, err := egress.New(egress.Policy{Metadata: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := open.SetLists(nil, []string{"100.64.0.0/10"}); err != nil {
		t.Fatal(err)
	}
	closed, err := egress.New(egress.Policy{})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		deps connector.Deps
		says string
	}{
		"not allowed":        {connector.Deps{DialMetadata: open.MetadataDialer()}, "SLUICE_ALLOW_ECS_RAM_ROLE=on"},
		"no dialer":          {connector.Deps{Env: allowed}, "SLUICE_ALLOW_ECS_RAM_ROLE=on"},
		"closed by the rule": {connector.Deps{Env: allowed, DialMetadata: closed.MetadataDialer()}, "SLUICE_ALLOW_ECS_RAM_ROLE=on"},
		"denied by a list":   {connector.Deps{Env: allowed, DialMetadata: open.MetadataDialer()}, "deny list"},
	} {
		p, err := aliyun.NewProvider(ecsConfig, c.deps)
		if err == nil {
			_, err = p.Credentials(t.Context())
		}
		var wrong *connector.WrongError
		if !errors.As(err, &wrong) || wrong.Field != aliyun.KeyAuth || !strings.Contains(wrong.Remedy, c.says) {
			t.Errorf("%s: %+v", name, err)
		}
	}
}
