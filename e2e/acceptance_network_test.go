//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-io/sluice/e2e/harness"
)

// TestNetworkRules: a redirect is not followed, a name that leads to a refused address fails the connector
// with the rule, and so do brokers.
func TestNetworkRules(t *testing.T) {
	t.Parallel()
	b := lay(t, 1)
	b.produce(0, 10, 1)
	var reached atomic.Int32
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	t.Cleanup(target.Close)
	redirects := httptest.NewServer(http.RedirectHandler(target.URL+"/secret", http.StatusTemporaryRedirect))
	t.Cleanup(redirects.Close)
	c := b.sluice.CreateConnector(instance, own("redirected"), harness.OSSConfig(b.oss, b.topic, map[string]string{"oss.endpoint": redirects.URL}))
	d := c.AwaitState(30*time.Second, "FAILED").Connector.Detail
	mustSay(t, d, "oss.endpoint")
	if reached.Load() != 0 {
		t.Errorf("the redirect was followed %d times", reached.Load())
	}
	c.Delete("?force=true") // the range that could not be written is still announced

	running := b.deploy("refused", nil)
	b.sluice.Setenv("SLUICE_EGRESS_ALLOW", "")
	b.sluice.Restart()
	d = running.AwaitState(20*time.Second, "FAILED").Connector.Detail
	mustSay(t, d, "loopback")
	b.sluice.Setenv("SLUICE_EGRESS_ALLOW", "127.0.0.0/8,::1/128")
	b.sluice.Setenv("SLUICE_EGRESS_DENY", "127.0.0.77/32")
	b.sluice.Restart()
	running.AwaitState(20*time.Second, "RUNNING")
	b.mustDeliver(running, 30*time.Second)
	answer, err := b.sluice.Call(http.MethodPost, "/connect/"+instance+"/connectors",
		map[string]any{"name": "denied", "config": harness.OSSConfig(b.oss, b.topic, map[string]string{"oss.endpoint": "http://127.0.0.77:80"})})
	if err != nil {
		t.Fatal(err)
	}
	if said := string(answer.Body); answer.Status != http.StatusBadRequest || !strings.Contains(said, "oss.endpoint") || !strings.Contains(said, "deny list") {
		t.Errorf("denied: %d %s", answer.Status, said)
	}
}

// TestSecretsStayInside: a secret is in no answer, no log, no file of the data directory and no topic.
func TestSecretsStayInside(t *testing.T) {
	t.Parallel()
	b := lay(t, 1)
	const secret = "s3cr3t-of-the-acceptance-test"
	config := harness.OSSConfig(b.oss, b.topic, map[string]string{"aliyun.access.key.secret": secret})
	b.produce(0, 10, 1)
	c := b.sluice.CreateConnector(instance, own("secretive"), config)
	c.AwaitState(30*time.Second, "FAILED") // the key is wrong: its messages must not quote it
	ask := func(method, path string, body any) {
		t.Helper()
		answer, err := b.sluice.Call(method, path, body)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(answer.Body, []byte(secret)) {
			t.Errorf("%s %s answers the secret: %s", method, path, answer.Body)
		}
	}
	for _, path := range []string{c.Path(""), c.Path("/config"), c.Path("/status"), c.Path("/tasks"), c.API("/logs"), c.API("/versions"), "/connect/" + instance + "/connectors?expand=info&expand=status"} {
		ask(http.MethodGet, path, nil)
	}
	ask(http.MethodPut, "/connect/"+instance+"/connector-plugins/KAFKA2OSS/config/validate", config)
	ask(http.MethodPost, "/api/v1/instances/"+instance+"/checks", map[string]any{"config": config})
	config["tasks.max"] = "0"
	ask(http.MethodPost, "/connect/"+instance+"/connectors", map[string]any{"name": "bad", "config": config})
	ask(http.MethodPost, "/connect/"+instance+"/connectors", map[string]any{"name": "bad", "config": map[string]string{"aliyun.access.key.secret": secret}})
	for _, role := range []string{"config", "status", "offset", "error"} {
		for _, m := range b.kafka.ReadAll("connect-" + role + "-" + c.Name) {
			if bytes.Contains(m.Value, []byte(secret)) || bytes.Contains(m.Value, []byte(harness.AdminPassword)) {
				t.Errorf("the %s topic holds the secret", role)
			}
		}
	}
	b.sluice.Stop()
	if strings.Contains(b.sluice.Log(), secret) || strings.Contains(b.sluice.Log(), harness.AdminPassword) {
		t.Error("the program's log holds a secret")
	}
	files := 0
	err := filepath.WalkDir(b.sluice.DataDir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		files++
		content, err := os.ReadFile(path)
		if bytes.Contains(content, []byte(secret)) || bytes.Contains(content, []byte(harness.AdminPassword)) {
			t.Errorf("%s holds a secret", path)
		}
		return err
	})
	if err != nil || files < 3 {
		t.Errorf("looked into %d files: %v", files, err)
	}
}

// TestRightCredentialsAreNeverLimited: wrong ones are, with 429 and when to try again.
func TestRightCredentialsAreNeverLimited(t *testing.T) {
	t.Parallel()
	n := suite.StartSluice(t, harness.SluiceOptions{})
	wrong := *n.Client
	limited := false
	for i := range 60 {
		wrong.Password = fmt.Sprint("wrong ", i)
		answer, err := wrong.Call(http.MethodGet, "/api/v1/instances", nil)
		if err != nil {
			t.Fatal(err)
		}
		switch answer.Status {
		case http.StatusUnauthorized:
			if answer.Header.Get("WWW-Authenticate") == "" {
				t.Fatal("a 401 without WWW-Authenticate")
			}
		case http.StatusTooManyRequests:
			limited = true
			if answer.Header.Get("Retry-After") == "" {
				t.Fatal("a 429 without Retry-After")
			}
		default:
			t.Fatalf("wrong credentials: %d", answer.Status)
		}
		if i%10 == 9 {
			n.Must(http.StatusOK, http.MethodGet, "/api/v1/instances", nil, nil)
		}
	}
	if !limited {
		t.Error("60 wrong passwords were never limited")
	}
}
