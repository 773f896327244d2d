package handlers_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/handlers"
	"github.com/sluice-io/sluice/handlers/modelstore"
	"github.com/sluice-io/sluice/models"
	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/catalog"
	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/runner/egress"
)

// fuzzed is the whole router without a socket. Its instance is not enabled and has no
// broker: what is fuzzed is reading and refusing.
func fuzzed(f *testing.F) http.Handler {
	f.Helper()
	store, err := models.Open(f.Context(), models.Options{DataDir: filepath.Join(f.TempDir(), "data"), AdminPassword: adminPassword})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = store.Close() }) // the folder goes away
	in := runner.Instance{Name: "sandbox", Region: "self-hosted", BootstrapServers: "127.0.0.1:1", SecurityProtocol: "PLAINTEXT", Quota: 3}
	if err := store.CreateInstance(f.Context(), &in); err != nil {
		f.Fatal(err)
	}
	rules, err := egress.New(egress.Policy{})
	if err != nil {
		f.Fatal(err)
	}
	svc := control.New(control.Options{Store: modelstore.Store{Store: store}, Supervisor: &supervisor{store: store}, Specs: catalog.All(), Addresses: rules.CheckAddress})
	return handlers.New(handlers.Options{Control: svc, Users: store})
}

// refuses asks and fails on a 5xx, on a body that is no JSON, and on anything made.
func refuses(t *testing.T, h http.Handler, r *http.Request) {
	t.Helper()
	r.SetBasicAuth("admin", adminPassword)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code >= 500 || w.Code == http.StatusCreated {
		t.Fatalf("%s %s: %d %s", r.Method, r.URL, w.Code, w.Body)
	}
	if strings.Contains(w.Header().Get("Content-Type"), "json") && w.Body.Len() > 0 && !json.Valid(w.Body.Bytes()) {
		t.Fatalf("%s %s: no JSON: %s", r.Method, r.URL, w.Body)
	}
}

func post(method, path, body string) *http.Request {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return r
}

func FuzzConnectBody(f *testing.F) {
	h := fuzzed(f)
	for _, c := range connectBodies() {
		f.Add(c.body)
	}
	f.Add(`{"name":"a","config":{` + config + `}}`)
	f.Fuzz(func(t *testing.T, body string) {
		refuses(t, h, post("POST", connectors, body))
		refuses(t, h, post("PUT", connectors+"/a/config", body))
		refuses(t, h, post("PATCH", connectors+"/a/offsets", body))
		refuses(t, h, post("PUT", "/connect/sandbox/connector-plugins/KAFKA2OSS/config/validate", body))
	})
}

func FuzzConnectConfig(f *testing.F) {
	h := fuzzed(f)
	f.Add("tasks.max", "abc", "oss.path", "{topic")
	f.Add("oss.endpoint", "http://[::ffff:169.254.169.254]", "oss.timezone", "GMT+25:00")
	f.Add("flush.bytes", "9GiB", "topics", "a,b,,c")
	f.Fuzz(func(t *testing.T, k1, v1, k2, v2 string) {
		cfg := map[string]string{"connector.class": "KAFKA2OSS", "topics": "orders", "oss.bucket": "sandbox-bucket"}
		cfg[k1], cfg[k2] = v1, v2
		body, err := json.Marshal(map[string]any{"name": "a", "config": cfg})
		if err != nil {
			t.Skip()
		}
		refuses(t, h, post("POST", connectors, string(body)))
		flat, err := json.Marshal(cfg)
		if err != nil {
			t.Skip()
		}
		refuses(t, h, post("PUT", "/connect/sandbox/connector-plugins/KAFKA2OSS/config/validate", string(flat)))
	})
}

func FuzzConnectPath(f *testing.F) {
	h := fuzzed(f)
	for _, seed := range []string{"", "/", "/connectors/a/tasks/0/status", "//", "/connectors/%2e%2e/x", "/connectors/%00", "/admin/loggers/%F0%9F%92%A9", "/connectors/a;b=c"} {
		f.Add("GET", seed)
		f.Add("DELETE", seed)
	}
	f.Fuzz(func(t *testing.T, method, path string) {
		u, err := url.ParseRequestURI("/connect/sandbox" + path)
		if err != nil || strings.ContainsAny(path, "\r\n ") {
			t.Skip()
		}
		r, err := http.NewRequest(method, "http://h"+u.String(), nil)
		if err != nil {
			t.Skip()
		}
		r.RemoteAddr = "127.0.0.1:1"
		refuses(t, h, r)
	})
}

func FuzzInstanceBody(f *testing.F) {
	h := fuzzed(f)
	for _, c := range instanceBodies() {
		f.Add(c.body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		var o map[string]any
		if json.Unmarshal([]byte(body), &o) == nil && o["bootstrap.servers"] != nil {
			t.Skip() // might be made, or dial
		}
		refuses(t, h, post("POST", instances, body))
		refuses(t, h, post("POST", topics, `{"name":`+body+`,"partitions":0}`))
	})
}
