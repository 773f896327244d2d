package handlers_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
)

func decode[T any](t *testing.T, a answer) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatalf("%v in %s", err, a.body)
	}
	return v
}

func TestInstances(t *testing.T) {
	t.Parallel()
	s := newServer(t, "orders")
	const path = "/api/v1/instances"
	made := s.must(201, "POST", path, `{"name":"second","region":"cn-hangzhou","bootstrap.servers":"`+s.kafka+`","security.protocol":"PLAINTEXT","vpc.id":"vpc-1","internet.access":false,"connector.quota":2}`)
	if made.header.Get("Location") != path+"/second" {
		t.Errorf("location %q", made.header.Get("Location"))
	}
	type instance struct {
		Name    string                 `json:"name"`
		Quota   int                    `json:"connector.quota"`
		Status  string                 `json:"status"`
		Version string                 `json:"version"`
		Brokers []struct{ ID int }     `json:"brokers"`
		Enabled bool                   `json:"enabled"`
		Secret  string                 `json:"sasl.password"`
		Errors  []connector.FieldError `json:"errors"`
	}
	if in := decode[instance](t, made); in.Status != "RUNNING" || in.Version == "" || len(in.Brokers) != 1 || in.Enabled || in.Quota != 2 {
		t.Errorf("made %+v from %s", in, made.body)
	}
	s.must(409, "POST", path, `{"name":"second","bootstrap.servers":"`+s.kafka+`"}`)
	if a := s.must(409, "POST", "/connect/second/connectors", `{"name":"a","config":{`+config+`}}`); !strings.Contains(a.body, "not enabled") {
		t.Errorf("not enabled: %s", a.body)
	}
	for range 2 {
		a := s.must(200, "POST", path+"/second/enable", "")
		if !strings.HasPrefix(a.body, `{"enabled":true,"conditions":[{"name":"The instance is Running","ok":true,`) {
			t.Errorf("enable: %s", a.body)
		}
	}
	patched := decode[instance](t, s.must(200, "PATCH", path+"/second", `{"connector.quota":5,"vpc.id":null}`))
	if patched.Quota != 5 || !patched.Enabled {
		t.Errorf("patched %+v", patched)
	}
	a := s.do(request{method: "PATCH", path: path + "/second", kind: "application/merge-patch+json",
		body: `{"security.protocol":"SASL_PLAINTEXT","sasl.mechanism":"PLAIN","sasl.username":"u","sasl.password":"topsecret"}`})
	if a.status != 200 || strings.Contains(a.body, "topsecret") || decode[instance](t, a).Secret != "******" {
		t.Errorf("secret: %d %s", a.status, a.body)
	}
	s.must(200, "PATCH", path+"/second", `{"sasl.password":"******","sasl.username":"v"}`)
	if in, err := s.store.InstanceByName(t.Context(), "second"); err != nil || in.SASLPassword != "topsecret" || in.SASLUsername != "v" {
		t.Errorf("kept %q %q %v", in.SASLPassword, in.SASLUsername, err)
	}
	list := decode[struct {
		Instances []instance
		Next      string
	}](t, s.must(200, "GET", path+"?limit=1", ""))
	if len(list.Instances) != 1 || list.Instances[0].Name != "sandbox" || list.Next == "" {
		t.Errorf("first page %+v", list)
	}
	last := s.must(200, "GET", path+"?limit=1&cursor="+list.Next, "")
	if !strings.Contains(last.body, `"name":"second"`) || !strings.HasSuffix(last.body, `"next":""}`) {
		t.Errorf("second page %s", last.body)
	}
	s.must(200, "PATCH", path+"/second", `{"security.protocol":"PLAINTEXT","sasl.username":null,"sasl.mechanism":null,"sasl.password":null}`)
	s.must(201, "POST", "/connect/second/connectors", `{"name":"a","config":{`+strings.Replace(config, `"topics"`, `"internet.access":"true","topics"`, 1)+`,"oss.region":"cn-hangzhou"}}`)
	if a := s.must(409, "DELETE", path+"/second", ""); a.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("in use: %s", a.body)
	}
	s.must(204, "DELETE", "/connect/second/connectors/a", "")
	s.must(204, "DELETE", path+"/second", "")
	s.must(404, "GET", path+"/second", "")
}

func TestEnableRefusedWhileAway(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.must(201, "POST", "/api/v1/instances", `{"name":"away","bootstrap.servers":"127.0.0.1:1"}`)
	a := s.must(409, "POST", "/api/v1/instances/away/enable", "")
	if !fits(a.body, `~^\{"enabled":false,"conditions":\[\{"name":"The instance is Running","ok":false,"detail":"[^"]+","remedy":"[^"]+"\},`) {
		t.Errorf("conditions: %s", a.body)
	}
}

// TestNamesAreUniqueInACluster: two instances of one cluster share their connectors' names.
func TestNamesAreUniqueInACluster(t *testing.T) {
	t.Parallel()
	s := newServer(t, "orders")
	s.must(200, "POST", "/api/v1/instances/sandbox/enable", "") // probes: the cluster ID is known
	s.create("a", "STOPPED")
	s.must(201, "POST", "/api/v1/instances", `{"name":"twin","bootstrap.servers":"`+s.kafka+`"}`)
	s.must(200, "POST", "/api/v1/instances/twin/enable", "")
	a := s.call("POST", "/connect/twin/connectors", `{"name":"a","config":{`+config+`}}`)
	if a.status != 409 || !strings.Contains(a.body, "same Kafka cluster") {
		t.Errorf("twin: %d %s", a.status, a.body)
	}
	s.must(201, "POST", "/connect/twin/connectors", `{"name":"b","config":{`+config+`}}`)
}

func TestTopicsRecordsAndFate(t *testing.T) {
	t.Parallel()
	s := newServer(t, "orders", "connect-error-a")
	const topics = "/api/v1/instances/sandbox/topics"
	a := s.must(201, "POST", topics, `{"name":"made","partitions":2}`)
	if a.header.Get("Location") != topics+"/made" {
		t.Errorf("location %q", a.header.Get("Location"))
	}
	s.must(409, "POST", topics, `{"name":"made","partitions":2}`)
	if a := s.must(200, "GET", topics, ""); !fits(a.body, `~"name":"made","id":"[^"]*","partitions":2,"replicas":1`) {
		t.Errorf("topics: %s", a.body)
	}
	if a := s.must(200, "GET", topics+"/made", ""); !strings.Contains(a.body, `"bounds":[{"partition":0,"start":0,"end":0}`) {
		t.Errorf("topic: %s", a.body)
	}
	binary := base64.StdEncoding.EncodeToString([]byte{0xff, 0x00})
	a = s.must(201, "POST", topics+"/orders/records", `{"partition":1,"key":"k","value":"`+binary+`","valueEncoding":"base64","headers":{"h":"1","n":null}}`)
	if a.body != `{"offset":0,"partition":1}` {
		t.Errorf("record: %s", a.body)
	}
	s.must(201, "POST", topics+"/orders/records", `{"partition":1,"value":null}`)
	id := s.create("a", "RUNNING")
	fate := topics + "/orders/records/1/0/fate?connector=a"
	if a := s.must(200, "GET", fate, ""); !strings.HasPrefix(a.body, `{"state":"waiting","connector":"a"`) {
		t.Errorf("waiting: %s", a.body)
	}
	s.sup.mu.Lock()
	s.sup.positions[id] = []runner.PositionRow{{Topic: "orders", Partition: 1, Offset: 2}}
	s.sup.mu.Unlock()
	if a := s.must(200, "GET", fate, ""); !strings.HasPrefix(a.body, `{"state":"delivered","connector":"a","where":"`) || !strings.Contains(a.body, "sandbox-bucket") {
		t.Errorf("delivered: %s", a.body)
	}
	s.must(201, "POST", topics+"/connect-error-a/records", `{"partition":2,"value":"x","headers":{"__connect.errors.topic":"orders","__connect.errors.partition":"1","__connect.errors.offset":"0","__connect.errors.connector.name":"a","__connect.errors.exception.message":"It is not UTF-8."}}`)
	if a := s.must(200, "GET", fate, ""); a.body != `{"state":"diverted","connector":"a","where":"connect-error-a-2 at offset 0","reason":"It is not UTF-8."}` {
		t.Errorf("diverted: %s", a.body)
	}
	s.must(404, "GET", topics+"/orders/records/1/99/fate?connector=a", "")
	if a := s.do(request{method: "POST", path: topics + "/orders/records", body: `{"value":"x"}`, user: "vera"}); a.status != 403 {
		t.Errorf("viewer sent: %d", a.status)
	}
}

func TestPreviewOfRealRecords(t *testing.T) {
	t.Parallel()
	s := newServer(t, "orders")
	for i := range 8 {
		s.must(201, "POST", "/api/v1/instances/sandbox/topics/orders/records", fmt.Sprintf(`{"partition":0,"key":"k%d","value":"v%d"}`, i, i))
	}
	a := s.must(200, "POST", "/api/v1/instances/sandbox/preview", `{"config":{"name":"p",`+config+`}}`)
	got := decode[struct{ Samples []connector.Sample }](t, a)
	if len(got.Samples) == 0 || !strings.Contains(got.Samples[0].Title, "p/orders/") || !strings.Contains(a.body, "v7") {
		t.Errorf("preview: %s", a.body)
	}
	if a := s.do(request{method: "POST", path: "/api/v1/instances/sandbox/preview", body: `{"config":{"name":"p",` + config + `}}`, user: "vera"}); a.status != 403 {
		t.Errorf("a viewer saw payloads: %d", a.status)
	}
}

func TestChecksBeforeTheConnectorExists(t *testing.T) {
	t.Parallel()
	s := newServer(t, "orders")
	a := s.must(200, "POST", "/api/v1/instances/sandbox/checks", `{"config":{"name":"c",`+config+`,"topics":"orders,missing"}}`)
	got := decode[struct{ Findings []connector.Finding }](t, a)
	status := map[string]connector.FindingStatus{}
	for _, f := range got.Findings {
		status[f.Name] = f.Status
		if f.Status == connector.FindingFailed && f.Detail == "" {
			t.Errorf("%s failed without a word", f.Name)
		}
	}
	if status["topic orders"] != "ok" || status["topic missing"] != "failed" || status["task offset topic connect-offset-c"] != "ok" {
		t.Errorf("findings: %v", status)
	}
	s.must(422, "POST", "/api/v1/instances/sandbox/checks", `{"config":{"name":"c",`+config+`,"tasks.max":"0"}}`)
}

func TestVersionsResourcesAndChoices(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	id := s.create("a", "RUNNING")
	s.must(200, "PATCH", "/connect/sandbox/connectors/a/config", `{"flush.size":"7","aliyun.access.key.secret":"other"}`)
	const path = "/api/v1/instances/sandbox/connectors/a"
	a := s.must(200, "GET", path+"/versions", "")
	if !fits(a.body, `~^\{"next":"","versions":\[\{"version":2,"hash":"[0-9a-f]{32}","author":"admin","time":"[^"]+Z","changes":\[\{"key":"aliyun.access.key.secret","from":"\*{6}","to":"\*{6}"\},\{"key":"flush.size","from":"","to":"7"\}\]\},\{"version":1,.*"changes":\[\]\}\]\}$`) {
		t.Errorf("versions: %s", a.body)
	}
	if a := s.must(200, "GET", path+"/resources", ""); !strings.Contains(a.body, `{"kind":"group","role":"connector task consumer group","name":"connect-a","exists":true,"partitions":0,"cleanup_policy":"","detail":""}`) {
		t.Errorf("resources: %s", a.body)
	}
	if a := s.must(200, "GET", path+"/choices", ""); a.body != `{"choices":[]}` {
		t.Errorf("choices: %s", a.body)
	}
	s.must(409, "POST", path+"/choose", `{"topic":"orders","partition":0,"choice":"end"}`)
	s.sup.mu.Lock()
	s.sup.status[id] = runner.ConnectorStatus{Status: connector.Status{State: connector.StateGap}, Tasks: []runner.TaskStatus{{Partitions: []runner.PartitionStatus{{
		Topic: "orders", Lost: "offsets 5 to 9", Choices: []connector.Choice{{Choice: "end", Title: "Go on at the end", Risk: "more is lost"}, {Choice: "position", Title: "Go on at an offset"}}}}}}}
	s.sup.mu.Unlock()
	if a := s.must(200, "GET", path+"/choices", ""); a.body != `{"choices":[{"topic":"orders","partition":0,"lost":"offsets 5 to 9","options":[{"choice":"end","title":"Go on at the end","risk":"more is lost"},{"choice":"position","title":"Go on at an offset","risk":""}]}]}` {
		t.Errorf("choices: %s", a.body)
	}
	s.must(422, "POST", path+"/choose", `{"topic":"orders","partition":0,"choice":"nonsense"}`)
	s.must(422, "POST", path+"/choose", `{"topic":"orders","partition":0,"choice":"position"}`)
	s.must(202, "POST", path+"/choose", `{"topic":"orders","partition":0,"choice":"end"}`)
}

func TestLogs(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	id := s.create("a", "RUNNING")
	add := func(task int, level runner.LogLevel, message string) {
		t.Helper()
		if err := s.store.AppendLogs(t.Context(), []runner.LogLine{{ConnectorID: id, Time: time.Now(), Level: level, Task: task, Message: message, Fields: map[string]string{"k": "<v>"}}}); err != nil {
			t.Fatal(err)
		}
	}
	add(0, runner.LogInfo, "first")
	add(1, runner.LogWarn, "second")
	const path = "/api/v1/instances/sandbox/connectors/a/logs"
	a := s.must(200, "GET", path, "")
	lines := strings.Split(strings.TrimSpace(a.body), "\n")
	if len(lines) != 2 || !fits(lines[0], `~^\{"time":"[^"]+Z","level":"INFO","task":0,"message":"first","fields":\{"k":"<v>"\}\}$`) {
		t.Errorf("logs: %s", a.body)
	}
	for query, want := range map[string]string{"level=warn": "second", "task=0": "first", "q=second": "second", "limit=1": "second", "to=2020-01-01T00:00:00Z": ""} {
		if a := s.must(200, "GET", path+"?"+query, ""); want == "" && a.body != "" || !strings.Contains(a.body, want) || strings.Count(a.body, "\n") > 1 {
			t.Errorf("%s: %s", query, a.body)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", s.url+path+"?follow=true&limit=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("vera", adminPassword)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	scan := bufio.NewScanner(res.Body)
	if !scan.Scan() || !strings.Contains(scan.Text(), "second") {
		t.Fatalf("followed: %s %v", scan.Text(), scan.Err())
	}
	add(0, runner.LogError, "third")
	if !scan.Scan() || !strings.Contains(scan.Text(), "third") {
		t.Fatalf("followed: %s %v", scan.Text(), scan.Err())
	}
}

func TestSandboxFaults(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	const path = "/api/v1/sandbox/oss/faults"
	if a := s.must(200, "GET", path, ""); a.body != `{"faults":[],"next":""}` {
		t.Errorf("none: %s", a.body)
	}
	for _, body := range []string{`[{"status":503}]`, `{"faults":[{"status":503}]}`, `{"status":503}`} {
		if a := s.must(200, "POST", path, body); a.body != `{"faults":[{"status":503}],"next":""}` {
			t.Errorf("%s: %s", body, a.body)
		}
	}
	s.must(422, "POST", path, `3`)
	s.must(404, "POST", "/api/v1/sandbox/other/faults", `[]`)
	if a := s.do(request{method: "POST", path: path, body: `[]`, user: "vera"}); a.status != 403 {
		t.Errorf("viewer: %d", a.status)
	}
}

func TestHealthNeedsNoSignIn(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for _, path := range []string{"/healthz", "/readyz"} {
		for _, method := range []string{"GET", "HEAD"} {
			if a := s.do(request{method: method, path: path, user: "-"}); a.status != 200 {
				t.Errorf("%s %s: %d", method, path, a.status)
			}
		}
	}
}

// TestWrongCredentialsAreLimited: wrong ones get 401 and then 429 with Retry-After,
// right ones always get in.
func TestWrongCredentialsAreLimited(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	limited := false
	for range 40 {
		a := s.do(request{method: "GET", path: "/api/v1/instances", user: "vera", password: "wrong"})
		switch a.status {
		case 401:
			if a.header.Get("WWW-Authenticate") == "" || a.header.Get("Content-Type") != "application/problem+json" {
				t.Fatalf("401 %v %s", a.header, a.body)
			}
		case 429:
			limited = true
			if a.header.Get("Retry-After") == "" {
				t.Fatal("429 without Retry-After")
			}
		default:
			t.Fatalf("status %d", a.status)
		}
		if limited {
			break
		}
	}
	if !limited {
		t.Error("never limited")
	}
	if a := s.do(request{method: "GET", path: "/connect/sandbox/", user: "vera"}); a.status != 200 {
		t.Errorf("right credentials: %d", a.status)
	}
}
