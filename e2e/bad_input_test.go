//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/e2e/harness"
)

// TestBadConfigurations: every value here is refused with 400 and a message that names its key; nothing is
// made, and no answer is a failure of the server.
func TestBadConfigurations(t *testing.T) {
	t.Parallel()
	b := lay(t, 1)
	long := strings.Repeat("x", 5000)
	bad := map[string][]string{
		"topics":                              {"", " ", ",", "a/b", "..", "a b", strings.Repeat("t", 250), "t\x00"},
		"tasks.max":                           {"0", "-1", "65", "2.5", "six", "99999999999999999999"},
		"flush.size":                          {"0", "-5", "1000001", "1e3", "ten"},
		"flush.bytes":                         {"0", "1", "2147483648", "64MiB of course"},
		"flush.interval.ms":                   {"0", "99", "3600001", "1s"},
		"errors.tolerance":                    {"some", "ALL!", "<script>"},
		"errors.retry.limit":                  {"-1", "101", "x"},
		"errors.outage":                       {"wait", "DIVERT?"},
		"consumer.override.auto.offset.reset": {"begin", "0"},
		"description":                         {strings.Repeat("é", 257)},
		"internet.access":                     {"yes please", "2"},
		"resources.mode":                      {"magic"},
		"oss.bucket":                          {"", "A", "UPPER", "-a-", "a", "bu..cket", "../x", strings.Repeat("b", 64)},
		"oss.endpoint": {
			"http://169.254.169.254", "http://100.100.100.200/latest", "http://[fe80::1]", "ftp://127.0.0.1", "http://",
			"http://user:secret@127.0.0.1", "http://127.0.0.1:99999", "http://8.8.8.8", "http://0.0.0.0", "http://[::ffff:169.254.169.254]",
			"http://127.0.0.1/path?x=1", "javascript:alert(1)", "http://a b", long,
		},
		"oss.format":                        {"xml", "JSON ", "json,csv"},
		"oss.compression":                   {"lz5", "gzip,zstd"},
		"oss.path":                          {"{nope}", "{topic", "a/../b", "/abs", "{yyyy}\\{MM}", "a//b", "x\x01", long},
		"oss.prefix":                        {"/abs", "../", "a/../b/", "\\x", long},
		"oss.timezone":                      {"GMT+25:00", "Mars/Base", "+8"},
		"oss.binary":                        {"hex"},
		"aliyun.auth":                       {"password"},
		"aliyun.access.key.id":              {"", "a\nb"},
		"errors.deadletterqueue.topic.name": {"a/b", ".."},
	}
	b.refuses("connector.class", "", "NOPE", "<b>") // told in Kafka Connect's words, which clients know
	cases := 0
	for key, values := range bad {
		for _, value := range values {
			cases++
			name := fmt.Sprintf("bad-%d", cases)
			config := harness.OSSConfig(b.oss, b.topic, map[string]string{key: value})
			answer, err := b.sluice.Call(http.MethodPost, "/connect/"+instance+"/connectors", map[string]any{"name": name, "config": config})
			if err != nil {
				t.Fatalf("%s=%.60q: %v", key, value, err)
			}
			if answer.Status != http.StatusBadRequest || !strings.Contains(string(answer.Body), key) {
				t.Errorf("%s=%.60q: status %d, %.300s", key, value, answer.Status, answer.Body)
			}
		}
	}
	var names []string
	b.sluice.Must(http.StatusOK, http.MethodGet, "/connect/"+instance+"/connectors", nil, &names)
	if len(names) != 0 {
		t.Errorf("refused configurations made %v", names)
	}
	b.mustBeWell()
}

// TestBadRequests: requests that are no good in themselves get a 4xx with a JSON error, whatever is wrong.
func TestBadRequests(t *testing.T) {
	t.Parallel()
	b := lay(t, 1)
	config, err := json.Marshal(harness.OSSConfig(b.oss, b.topic, nil))
	if err != nil {
		t.Fatal(err)
	}
	connectors := "/connect/" + instance + "/connectors"
	named := func(name string) string { return fmt.Sprintf(`{"name":%s,"config":%s}`, name, config) }
	tests := []struct{ method, path, body string }{
		{"POST", connectors, ``},
		{"POST", connectors, `null`},
		{"POST", connectors, `[]`},
		{"POST", connectors, `{`},
		{"POST", connectors, `{"name":"a"}`},
		{"POST", connectors, `{"name":"a","config":null}`},
		{"POST", connectors, `{"name":"a","config":[]}`},
		{"POST", connectors, `{"name":"a","config":{"topics":{"x":1}}}`},
		{"POST", connectors, `{"name":"a","config":{"topics":null}}`},
		{"POST", connectors, `{"name":"a","config":{}}`},
		{"POST", connectors, `{"name":"a","config":{},"extra":1}`},
		{"POST", connectors, "\xff\xfe{}"},
		{"POST", connectors, strings.Repeat("[", 100_000)},
		{"POST", connectors, `{"name":"` + strings.Repeat("a", 2<<20) + `"}`},
		{"POST", connectors, named(`""`)},
		{"POST", connectors, named(`" "`)},
		{"POST", connectors, named(`"-a"`)},
		{"POST", connectors, named(`"A"`)},
		{"POST", connectors, named(`"new"`)},
		{"POST", connectors, named(`"a/b"`)},
		{"POST", connectors, named(`"a%2Fb"`)},
		{"POST", connectors, named(`"a\u0000"`)},
		{"POST", connectors, named(`"a\nb"`)},
		{"POST", connectors, named(`"é"`)},
		{"POST", connectors, named(`"<b>"`)},
		{"POST", connectors, named(`"` + strings.Repeat("a", 49) + `"`)},
		{"POST", connectors, named(`[5]`)},
		{"PUT", connectors + "/none/pause", ``},
		{"PUT", connectors + "/none/config", `[1]`},
		{"PATCH", connectors + "/none/config", `{"a":"b"}`},
		{"DELETE", connectors + "/none", ``},
		{"GET", connectors + "/none/status", ``},
		{"GET", connectors + "/none/tasks/x/status", ``},
		{"POST", connectors + "/none/tasks/99999999999999999999/restart", ``},
		{"GET", connectors + "/..%2f..%2fetc%2fpasswd", ``},
		{"GET", "/connect/nowhere/connectors", ``},
		{"PUT", "/connect/" + instance + "/connector-plugins/NOPE/config/validate", `{}`},
		{"PUT", "/connect/" + instance + "/connector-plugins/KAFKA2OSS/config/validate", `[]`},
		{"POST", "/api/v1/instances", ``},
		{"POST", "/api/v1/instances", `{`},
		{"POST", "/api/v1/instances", `{"name":"x"}`},
		{"POST", "/api/v1/instances", `{"name":"../x","region":"self-hosted","bootstrap.servers":"127.0.0.1:1","security.protocol":"PLAINTEXT"}`},
		{"POST", "/api/v1/instances", `{"name":"x","region":"moon","bootstrap.servers":"127.0.0.1:1","security.protocol":"PLAINTEXT"}`},
		{"POST", "/api/v1/instances", `{"name":"x","region":"self-hosted","bootstrap.servers":"127.0.0.1","security.protocol":"PLAINTEXT"}`},
		{"POST", "/api/v1/instances", `{"name":"x","region":"self-hosted","bootstrap.servers":"169.254.169.254:80","security.protocol":"PLAINTEXT"}`},
		{"POST", "/api/v1/instances", `{"name":"x","region":"self-hosted","bootstrap.servers":"127.0.0.1:1","security.protocol":"TELNET"}`},
		{"POST", "/api/v1/instances", `{"name":"x","region":"self-hosted","bootstrap.servers":"127.0.0.1:1","security.protocol":"PLAINTEXT","connector.quota":-1}`},
		{"POST", "/api/v1/instances", `{"name":"x","region":"self-hosted","bootstrap.servers":"127.0.0.1:1","security.protocol":"SSL","ssl.ca.pem":"junk"}`},
		{"PATCH", "/api/v1/instances/" + instance, `{"connector.quota":"many"}`},
		{"DELETE", "/api/v1/instances/none", ``},
		{"POST", "/api/v1/instances/" + instance + "/checks", `{"config":5}`},
		{"POST", "/api/v1/instances/" + instance + "/preview", `{`},
		{"GET", "/api/v1/nothing", ``},
	}
	for i, tt := range tests {
		t.Run(fmt.Sprintf("%d %s %.60s", i, tt.method, tt.path), func(t *testing.T) {
			var body any
			if tt.body != "" || tt.method == "POST" {
				body = []byte(tt.body)
			}
			answer, err := b.sluice.Call(tt.method, tt.path, body)
			if err != nil {
				t.Fatalf("%.80s: %v", tt.body, err)
			}
			var problem map[string]any
			if answer.Status < 400 || answer.Status > 499 {
				t.Errorf("%.80s: status %d, %.300s", tt.body, answer.Status, answer.Body)
			} else if err := json.Unmarshal(answer.Body, &problem); err != nil || len(problem) == 0 {
				t.Errorf("%.80s: status %d without a JSON error: %.300s", tt.body, answer.Status, answer.Body)
			}
		})
	}
	b.mustBeWell()
}

// refuses requires that every value of the connector's class is a 400 that quotes it.
func (b *bed) refuses(key string, values ...string) {
	b.t.Helper()
	for _, value := range values {
		answer, err := b.sluice.Call(http.MethodPost, "/connect/"+instance+"/connectors",
			map[string]any{"name": "no-class", "config": harness.OSSConfig(b.oss, b.topic, map[string]string{key: value})})
		if err != nil {
			b.t.Fatalf("%s=%q: %v", key, value, err)
		}
		if said := string(answer.Body); answer.Status != http.StatusBadRequest || !strings.Contains(said, "which name matches "+value) || !strings.Contains(said, "KAFKA2OSS") {
			b.t.Errorf("%s=%q: status %d, %.300s", key, value, answer.Status, said)
		}
	}
}

// mustBeWell requires that the program still does its work and has not panicked.
func (b *bed) mustBeWell() {
	b.t.Helper()
	c := b.deploy("well", nil)
	b.produce(0, 100, 1)
	b.mustDeliver(c, 60*time.Second)
	if strings.Contains(b.sluice.Log(), "goroutine ") || strings.Contains(b.sluice.Log(), "panic") {
		b.t.Errorf("the log holds a panic")
	}
}
