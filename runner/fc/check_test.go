package fc

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/record"
)

func (b *bed) findings(t *testing.T) map[string]connector.Finding {
	t.Helper()
	out := map[string]connector.Finding{}
	if err := b.spec.Check(t.Context(), b.cfg, b.deps, func(f connector.Finding) { out[f.Name] = f }); err != nil {
		t.Fatal(err)
	}
	return out
}

// answering makes the service answer requests whose URI ends so.
func (b *bed) answering(suffix string, status int, text string) {
	b.hook = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		if !strings.HasSuffix(r.URL.Path, suffix) {
			return false
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
		return true
	}
}

func TestChecks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change connector.Config
		path   string
		status int
		body   string
		failed string // the check that fails; "" none
		says   string // its detail or, of the check named in skipped, that one's
		remedy string
		skip   string
	}{
		{name: "fine", says: ""},
		{name: "fine, 3.0", change: connector.Config{keyService: ""}},
		{name: "no service", path: "/services/s", status: 404, body: `{"ErrorCode":"ServiceNotFound","ErrorMessage":"none"}`, failed: "Service", says: "ServiceNotFound", remedy: keyService},
		{name: "no function", path: "/functions/f", status: 404, body: `{"ErrorCode":"FunctionNotFound","ErrorMessage":"none"}`, failed: "Function", says: "FunctionNotFound", remedy: keyFunction},
		{name: "no function, 3.0", change: connector.Config{keyService: ""}, path: "/functions/f", status: 404, body: `{"Code":"FunctionNotFound","Message":"none"}`, failed: "Function", says: "FunctionNotFound", remedy: keyFunction},
		{name: "no version", change: connector.Config{keyQualifier: "9"}, path: "/services/s.9", status: 404, body: `{"ErrorCode":"VersionNotFound"}`, failed: "Service", says: "VersionNotFound", remedy: keyQualifier},
		{name: "wrong secret", path: "/services/s", status: 403, body: `{"ErrorCode":"SignatureNotMatch"}`, failed: "Service", says: "SignatureNotMatch", remedy: "secret"},
		{name: "may not read", path: "/functions/f", status: 403, body: `{"ErrorCode":"AccessDenied"}`, skip: "Function", says: "may not ask", remedy: "fc:GetFunction"},
		{name: "broken function", change: connector.Config{keyService: ""}, path: "/functions/f", status: 200, body: `{"state":"Failed","stateReason":"no image"}`, failed: "Function", says: "no image", remedy: "Mend"},
		{name: "no IDs", path: "/async-invoke-config", status: 404, body: `{"ErrorCode":"AsyncConfigNotExists"}`, failed: "Deduplication", says: "not enabled", remedy: keyAsyncID},
		{name: "IDs off", path: "/async-invoke-config", status: 200, body: `{"statefulInvocation":false}`, failed: "Deduplication", says: "not enabled", remedy: keyAsyncID},
		{name: "IDs not wanted", change: connector.Config{keyAsyncID: "false"}, path: "/async-invoke-config", status: 200, body: `{}`, skip: "Deduplication", says: "twice", remedy: "Enable"},
		{name: "IDs not used", change: connector.Config{keyAsyncID: "false"}, skip: "Deduplication", says: "not used", remedy: keyAsyncID},
		{name: "service away", path: "/services/s", status: 503, body: "", failed: "Service", says: "503", remedy: "endpoint"},
		{name: "may not invoke", change: connector.Config{keyTest: "true"}, path: "/invocations", status: 403, body: `{"ErrorCode":"AccessDenied"}`, failed: "Test invocation", says: "AccessDenied", remedy: "fc:InvokeFunction"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, c.change)
			if c.path != "" {
				b.answering(c.path, c.status, c.body)
			}
			got := b.findings(t)
			for name, f := range got {
				want := connector.FindingOK
				switch {
				case name == c.failed:
					want = connector.FindingFailed
				case name == c.skip || name == "Test invocation" && c.change[keyTest] == "":
					want = connector.FindingSkipped
				case f.Status == connector.FindingSkipped && strings.HasPrefix(f.Detail, "Not tried") && c.failed != "":
					continue
				}
				if f.Status != want {
					t.Errorf("%s: %s, want %s: %s", name, f.Status, want, f.Detail)
				}
			}
			if name := c.failed + c.skip; name != "" {
				if f := got[name]; !strings.Contains(f.Detail, c.says) || !strings.Contains(f.Remedy, c.remedy) {
					t.Errorf("%s: %q, remedy %q", name, f.Detail, f.Remedy)
				}
			}
			if _, there := got["Service"]; there != (b.cfg.Get(keyService) != "") {
				t.Error("the service is checked of a function that has none, or not of one that has")
			}
		})
	}
}

// TestTestInvocation invokes the function once, with an empty array.
func TestTestInvocation(t *testing.T) {
	t.Parallel()
	b := newBed(t, connector.Config{keyTest: "true"})
	var bodies []string
	b.hook = func(w http.ResponseWriter, r *http.Request, body []byte) bool {
		if !strings.HasSuffix(r.URL.Path, "/invocations") {
			return false
		}
		b.set(func() { bodies = append(bodies, string(body)+r.Header.Get("X-Fc-Invocation-Type")) })
		_, _ = io.WriteString(w, `{"took":0}`)
		return true
	}
	f := b.findings(t)["Test invocation"]
	if !slices.Equal(bodies, []string{"[]Sync"}) || f.Status != connector.FindingOK || !strings.Contains(f.Detail, `{"took":0}`) {
		t.Errorf("%v, %+v", bodies, f)
	}
	b.hook = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		if !strings.HasSuffix(r.URL.Path, "/invocations") {
			return false
		}
		w.Header().Set("X-Fc-Error-Type", "UnhandledInvocationError")
		_, _ = io.WriteString(w, `{"errorMessage":"list index out of range"}`)
		return true
	}
	if f := b.findings(t)["Test invocation"]; f.Status != connector.FindingFailed || !strings.Contains(f.Detail, "list index out of range") || !strings.Contains(f.Remedy, "empty array") {
		t.Errorf("%+v", f)
	}
}

func TestProbe(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		body   string
		want   connector.Cause
	}{
		{200, `{"timeout":3}`, ""}, {200, "a page", ""},
		{404, `{"ErrorCode":"FunctionNotFound"}`, connector.CauseWrong}, {404, `{"ErrorCode":"ServiceNotFound"}`, connector.CauseWrong},
		{404, `{"ErrorCode":"AliasNotFound"}`, connector.CauseWrong}, {404, "a proxy's page", ""},
		{403, `{"ErrorCode":"AccessDenied"}`, ""}, {403, `{"ErrorCode":"SignatureNotMatch"}`, connector.CauseWrong}, {403, `{"ErrorCode":"InvalidAccessKeyID"}`, connector.CauseWrong},
		{503, "", connector.CauseAway}, {429, "", connector.CauseAway}, {403, `{"ErrorCode":"RequestTimeTooSkewed"}`, connector.CauseAway},
	} {
		t.Run(fmt.Sprint(c.status, c.body), func(t *testing.T) {
			t.Parallel()
			b := newBed(t, nil)
			b.answering("/functions/f", c.status, c.body)
			err := b.sink(t).Probe(t.Context())
			if c.want == "" && err != nil || c.want != "" && (err == nil || connector.CauseOf(err) != c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// TestPatience: a synchronous request may take as long as the function may run.
func TestPatience(t *testing.T) {
	t.Parallel()
	b := newBed(t, connector.Config{keyMode: "sync"})
	b.answering("/functions/f", 200, `{"timeout":3600}`)
	s := b.sink(t)
	if got := s.Patience(); got != usualLimit {
		t.Errorf("before it is known: %s", got)
	}
	if err := s.Probe(t.Context()); err != nil || s.Patience() != time.Hour {
		t.Errorf("%s, %v", s.Patience(), err)
	}
	s.sync = false
	if got := s.Patience(); got > time.Minute {
		t.Errorf("asynchronous: %s", got)
	}
}

func TestPreviewIsWhatIsSent(t *testing.T) {
	t.Parallel()
	b := newBed(t, connector.Config{keyBatchSize: "3", keyBinary: "dlq", keyQualifier: "prod"})
	var rs []record.Record
	for _, r := range records(10, 7) {
		rs = append(rs, *r)
	}
	rs[1].Value = []byte{0xff}
	rs[5].Value = []byte(strings.Repeat("x", 200_000))
	samples, err := b.spec.Preview(t.Context(), b.cfg, b.deps, rs)
	if err != nil {
		t.Fatal(err)
	}
	c, err := b.sink(t).Begin(t.Context(), orders, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range rs {
		if err := c.Add(t.Context(), &rs[i]); err != nil && i != 1 {
			t.Fatal(err)
		}
	}
	if _, err := c.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Publish(t.Context(), free); err != nil {
		t.Fatal(err)
	}
	sent := b.bodies()
	if len(samples) != len(sent)+1 {
		t.Fatalf("%d samples, %d requests", len(samples), len(sent))
	}
	for i, body := range sent {
		if samples[i].Body != body || samples[i].MediaType != "application/json" {
			t.Errorf("sample %d is %s, sent was %s", i, samples[i].Body, body)
		}
	}
	want := fmt.Sprintf("POST /2016-08-15/services/s.prod/functions/f/invocations, asynchronous, 3 records, %d bytes", len(sent[0]))
	if samples[0].Title != want {
		t.Errorf("title %q, want %q", samples[0].Title, want)
	}
	if last := samples[len(samples)-1]; last.Refused == "" || last.Source.Offset != 11 {
		t.Errorf("%+v", last)
	}
}

func TestLookups(t *testing.T) {
	t.Parallel()
	for version, change := range map[string]connector.Config{"2": nil, "3": {keyService: ""}} {
		b := newBed(t, change)
		b.hook = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
			switch {
			case strings.HasSuffix(r.URL.Path, "/services"):
				_, _ = io.WriteString(w, `{"services":[{"serviceName":"b"},{"serviceName":"a","description":"first"}]}`)
			case r.URL.Query().Get("nextToken") == "":
				_, _ = io.WriteString(w, `{"functions":[{"functionName":"g","runtime":"go1"}],"nextToken":"more/1"}`)
			default:
				_, _ = io.WriteString(w, `{"functions":[{"functionName":"f"}]}`)
			}
			return true
		}
		fn, _ := b.spec.Field(keyFunction)
		got, err := fn.Lookup(t.Context(), b.cfg, b.deps)
		if err != nil || len(got) != 2 || got[0].Value != "f" || got[1].Help != "go1" {
			t.Errorf("%s: %v, %v", version, got, err)
		}
		svc, _ := b.spec.Field(keyService)
		if got, err := svc.Lookup(t.Context(), b.cfg, b.deps); version == "2" && (err != nil || len(got) != 2 || got[0].Value != "a") {
			t.Errorf("%v, %v", got, err)
		}
	}
}
