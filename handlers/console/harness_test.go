package console_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/sluice-io/sluice/handlers"
	"github.com/sluice-io/sluice/handlers/console"
	"github.com/sluice-io/sluice/handlers/modelstore"
	"github.com/sluice-io/sluice/models"
	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/catalog"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/runner/egress"
)

const password = "correct horse battery"

// site is the whole router over a real model and a supervisor that does not run, so
// that states are what a test stored.
type site struct {
	t     testing.TB
	url   string
	store *models.Store
	svc   *control.Service
	box   *box
	kafka string
	told  *told
	rules *egress.Egress
}

// newSite starts one. With topics there is an embedded broker that has them, of three
// partitions each; without, the instance sandbox points at an address where nothing
// answers.
func newSite(t testing.TB, topics ...string) *site {
	t.Helper()
	bootstrap := "127.0.0.1:1"
	if len(topics) > 0 {
		cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, topics...))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(cluster.Close)
		bootstrap = strings.Join(cluster.ListenAddrs(), ",")
	}
	ctx := t.Context()
	specs := catalog.All()
	var sup *runner.Supervisor
	store, err := models.Open(ctx, models.Options{DataDir: t.TempDir(), AdminPassword: password, SecretKeys: catalog.SecretKeys,
		RollUp: func(c runner.Connector, tasks []runner.TaskStatus) connector.Status { return sup.RollUp(c, tasks) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() }) // the folder goes away
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	rules, err := egress.New(egress.Policy{Allow: loopback})
	if err != nil {
		t.Fatal(err)
	}
	known := modelstore.Store{Store: store}
	dial := func(internet bool) func(context.Context, string, string) (net.Conn, error) {
		return rules.Dialer(internet)
	}
	sup = runner.NewSupervisor(runner.Options{Store: store, Specs: specs, Node: store.NodeID(), Worker: "127.0.0.1:8080", Installation: store.InstallationID(),
		Dial: dial, Seal: store.Sealer(), Budget: runner.NewBudget(16 << 20), Logger: discard()})
	states := &told{Supervisor: sup, m: map[int64]runner.ConnectorStatus{}}
	svc := control.New(control.Options{Store: known, Supervisor: states, Specs: specs, Addresses: rules.CheckAddress,
		Egress: control.Egress{Allow: loopback, Apply: func(ctx context.Context) error { return applyStored(ctx, store, rules) }}})
	if err := svc.EnsureSandbox(ctx, bootstrap); err != nil {
		t.Fatal(err)
	}
	for name, role := range map[string]models.Role{"vera": models.RoleViewer, "otto": models.RoleOperator} {
		if _, err := store.CreateUser(ctx, name, password, role); err != nil {
			t.Fatal(err)
		}
	}
	s := &site{t: t, store: store, svc: svc, box: newBox(), kafka: bootstrap, told: states, rules: rules}
	pages := console.New(console.Options{Control: svc, Store: store, Sandbox: s.box, Logger: discard(), Version: "test"})
	server := httptest.NewServer(handlers.New(handlers.Options{Control: svc, Users: store, Pages: pages, Commit: "test"}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// applyStored puts the stored network rules in force, as the program does.
func applyStored(ctx context.Context, store *models.Store, rules *egress.Egress) error {
	stored, err := store.EgressRules(ctx)
	if err != nil {
		return err
	}
	lists := map[bool][]string{}
	for _, r := range stored {
		lists[r.Allow] = append(lists[r.Allow], r.CIDR)
	}
	return rules.SetLists(lists[true], lists[false])
}

// box stands for the sandbox.
type box struct {
	mu     sync.Mutex
	faults map[string][]console.SandboxFault
	// content by key of the bucket "sandbox-bucket"
	content  map[string]string
	mysql    string
	database console.SandboxDatabase
	oss      string // address of the object store; "" is the usual one
	events   []event
	rows     map[string][][]console.SandboxValue // by partition of the table sandbox.kafka_messages
}

func newBox() *box {
	return &box{content: map[string]string{"top.json": `[{"a":"<script>alert(1)</script>"}]`, "orders/dt=2026-01-01/a.json": "[]", "orders/dt=2026-01-01/b.bin": "\x00\xff\x01", "orders/dt=2026-01-02/c.json": "[]"}}
}

func (b *box) Parts() []console.SandboxPart {
	at := b.oss
	if at == "" {
		at = "http://127.0.0.1:19100"
	}
	return []console.SandboxPart{{Name: "kafka", Address: "127.0.0.1:19092"}, {Name: "oss", Address: at},
		{Name: "fc", Address: "http://127.0.0.1:19101"}, {Name: "odps", Address: "http://127.0.0.1:19102/api"}, {Name: "mysql", Address: b.mysql}}
}

func (b *box) Database() console.SandboxDatabase { return b.database }

func (b *box) Buckets() []console.SandboxBucket {
	return []console.SandboxBucket{{Name: "sandbox-bucket", Objects: len(b.content), Bytes: 60}}
}

func (b *box) object(key string) console.SandboxObject {
	return console.SandboxObject{Key: key, Size: int64(len(b.content[key])), Modified: time.Now(), ETag: "E", Type: "Normal", ContentType: "application/json"}
}

func (b *box) Objects(bucket, prefix, after string, limit int) ([]console.SandboxObject, bool, error) {
	if bucket != "sandbox-bucket" {
		return nil, false, console.ErrSandboxNotFound
	}
	var out []console.SandboxObject
	for _, key := range []string{"orders/dt=2026-01-01/a.json", "orders/dt=2026-01-01/b.bin", "orders/dt=2026-01-02/c.json", "top.json"} {
		if strings.HasPrefix(key, prefix) && key > after {
			out = append(out, b.object(key))
		}
	}
	if len(out) > limit {
		return out[:limit], true, nil
	}
	return out, false, nil
}

func (b *box) Latest(bucket string, limit int) ([]console.SandboxObject, error) {
	list, _, err := b.Objects(bucket, "", "", limit)
	return list, err
}

func (b *box) Content(_ context.Context, bucket, key string, limit int) (console.SandboxContent, error) {
	body, ok := b.content[key]
	if bucket != "sandbox-bucket" || !ok {
		return console.SandboxContent{}, console.ErrSandboxNotFound
	}
	return console.SandboxContent{SandboxObject: b.object(key), Data: []byte(body[:min(limit, len(body))]), Text: !strings.Contains(body, "\x00")}, nil
}

func (b *box) Requests(part string, _ int) []console.SandboxRequest {
	if part == "fc" {
		return []console.SandboxRequest{{Time: time.Now(), Method: "POST", Operation: "InvokeFunction", Bucket: "sandbox", Key: "echo", Status: 429, Code: "ResourceExhausted"}}
	}
	return []console.SandboxRequest{{Time: time.Now(), Method: "PUT", Operation: "PutObject", Bucket: "sandbox-bucket", Key: "top.json", Status: 503, Code: "ServiceUnavailable", Fault: "503 to 50 %"}}
}

func (b *box) Operations(part string) []string {
	return map[string][]string{"oss": {"PutObject", "GetObject"}, "fc": {"InvokeFunction"}, "odps": {"UploadBlock"}}[part]
}

func (b *box) Faults(part string) []console.SandboxFault {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]console.SandboxFault{}, b.faults[part]...)
}

func (b *box) SetFaults(part string, list []console.SandboxFault) []console.SandboxProblem {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, f := range list {
		if f.Status != 0 && (f.Status < 400 || f.Status > 599) {
			return []console.SandboxProblem{{Fault: i, Field: "status", Message: "is no error status."}}
		}
	}
	if b.faults == nil {
		b.faults = map[string][]console.SandboxFault{}
	}
	b.faults[part] = list
	return nil
}

// browser is one person's browser: it keeps cookies and does not follow redirects.
type browser struct {
	*site
	client *http.Client
	token  string // the form token of the last page that had one
}

func (s *site) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return &browser{site: s, client: &http.Client{Jar: jar, Timeout: 30 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// as signs somebody in: "admin", "otto" (operator), "vera" (viewer).
func (s *site) as(user string) *browser {
	s.t.Helper()
	b := s.browser()
	b.get("/login")
	if a := b.post("/login", "user", user, "password", password); a.status != http.StatusSeeOther {
		s.t.Fatalf("signing in as %s: %d", user, a.status)
	}
	b.get("/")
	return b
}

// answer is what came back.
type answer struct {
	t      testing.TB
	status int
	header http.Header
	body   string
	doc    *goquery.Document
}

func (b *browser) get(path string, headers ...string) answer {
	b.t.Helper()
	return b.do(http.MethodGet, path, "", headers...)
}

// post sends a form of names and values, with the form token of the last page.
func (b *browser) post(path string, pairs ...string) answer {
	b.t.Helper()
	form := url.Values{"_csrf": {b.token}}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return b.do(http.MethodPost, path, form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
}

func (b *browser) do(method, path, body string, headers ...string) answer {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatalf("%s %s: %v", method, path, err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := b.client.Do(req)
	if err != nil {
		b.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatalf("%s %s: %v", method, path, err)
	}
	a := answer{t: b.t, status: res.StatusCode, header: res.Header, body: string(raw)}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
		if a.doc, err = goquery.NewDocumentFromReader(strings.NewReader(a.body)); err != nil {
			b.t.Fatal(err)
		}
		if token := a.doc.Find(`meta[name="csrf-token"]`).AttrOr("content", ""); token != "" {
			b.token = token
		}
	}
	return a
}

// want fails unless the status is that one.
func (a answer) want(status int) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d; location %q; %.1500s", a.status, status, a.header.Get("Location"), a.text())
	}
	return a
}

// to fails unless it is a redirect there.
func (a answer) to(path string) answer {
	a.t.Helper()
	a.want(http.StatusSeeOther)
	if got := a.header.Get("Location"); got != path {
		a.t.Fatalf("redirected to %q, want %q", got, path)
	}
	return a
}

// text is what can be read on the page, in one line.
func (a answer) text() string {
	if a.doc == nil {
		return a.body
	}
	return strings.Join(strings.Fields(a.doc.Find("body").Text()), " ")
}

// says fails unless the page shows the words.
func (a answer) says(words ...string) answer {
	a.t.Helper()
	for _, w := range words {
		if !strings.Contains(a.text(), w) {
			a.t.Fatalf("the page does not say %q: %.3000s", w, a.text())
		}
	}
	return a
}

// has fails unless an element matches the selector.
func (a answer) has(selector string) answer {
	a.t.Helper()
	if a.doc == nil || a.doc.Find(selector).Length() == 0 {
		a.t.Fatalf("nothing matches %s: %.2000s", selector, a.body)
	}
	return a
}

// hasNot fails when an element matches the selector.
func (a answer) hasNot(selector string) answer {
	a.t.Helper()
	if a.doc.Find(selector).Length() > 0 {
		a.t.Fatalf("something matches %s", selector)
	}
	return a
}
