package handlers_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/sluice-io/sluice/handlers"
	"github.com/sluice-io/sluice/handlers/modelstore"
	"github.com/sluice-io/sluice/models"
	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/catalog"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/runner/egress"
	"github.com/sluice-io/sluice/runner/kafka"
)

// supervisor stands for the runner: what is wanted is what is, and a test may set
// what goes wrong.
type supervisor struct {
	store *models.Store

	mu        sync.Mutex
	status    map[int64]runner.ConnectorStatus // set by a test; otherwise derived
	positions map[int64][]runner.PositionRow
	pending   map[int64][]string
	chosen    []string
	restarts  int
	claim     runner.Claim
	saved     map[int64][]connector.SourcePosition
}

const worker = "127.0.0.1:8080"

func (s *supervisor) Notify(int64) {}

func (s *supervisor) Status(ctx context.Context, id int64) (runner.ConnectorStatus, error) {
	s.mu.Lock()
	set, ok := s.status[id]
	s.mu.Unlock()
	if ok {
		return set, nil
	}
	c, err := s.store.ConnectorByID(ctx, id)
	if err != nil {
		return runner.ConnectorStatus{}, err
	}
	states := map[runner.Desired]connector.State{
		runner.DesiredNotDeployed: connector.StateNotDeployed, runner.DesiredRunning: connector.StateRunning,
		runner.DesiredPaused: connector.StateSuspended, runner.DesiredStopped: connector.StateStopped,
	}
	st := runner.ConnectorStatus{Status: connector.Status{State: states[c.Desired], Since: since}, Worker: worker}
	if c.Desired == runner.DesiredRunning {
		if err := s.store.SetDeployed(ctx, id, true); err != nil {
			return st, err
		}
		for i := range max(1, int(c.Config.Int(connector.KeyTasksMax))) {
			st.Tasks = append(st.Tasks, runner.TaskStatus{ConnectorID: id, Task: i, Node: "node", Status: st.Status})
		}
	}
	return st, nil
}

var since = time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC)

func (s *supervisor) Statuses(ctx context.Context) (map[int64]runner.ConnectorStatus, error) {
	all, err := s.store.Connectors(ctx)
	if err != nil {
		return nil, err
	}
	out := map[int64]runner.ConnectorStatus{}
	for _, c := range all {
		if out[c.ID], err = s.Status(ctx, c.ID); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (s *supervisor) Positions(_ context.Context, id int64) ([]runner.PositionRow, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]runner.PositionRow{}, s.positions[id]...), nil
}

func (s *supervisor) AlterPositions(_ context.Context, id int64, to map[kafka.TP]*int64, force bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.pending[id]; len(p) > 0 && !force {
		return &runner.PendingError{Pending: p}
	}
	for tp, at := range to {
		rows := s.positions[id][:0]
		for _, r := range s.positions[id] {
			if r.Topic != tp.Topic || r.Partition != tp.Partition {
				rows = append(rows, r)
			}
		}
		if at != nil {
			rows = append(rows, runner.PositionRow{Topic: tp.Topic, Partition: tp.Partition, Offset: *at})
		}
		s.positions[id] = rows
	}
	return nil
}

func (s *supervisor) ResetPositions(_ context.Context, id int64, force bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.pending[id]; len(p) > 0 && !force {
		return &runner.PendingError{Pending: p}
	}
	delete(s.positions, id)
	return nil
}

func (s *supervisor) Choose(_ context.Context, _ int64, topic string, _ int32, choice string, _ int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.chosen = append(s.chosen, topic+" "+choice)
	return nil
}

func (s *supervisor) Claim(context.Context, int64) (runner.Claim, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.claim, nil
}

func (s *supervisor) TakeOver(_ context.Context, _ int64, from string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.claim.Installation == "" || s.claim.Ours:
		return runner.ErrNotClaimed
	case s.claim.Installation != from:
		return runner.ErrClaimChanged
	}
	s.claim.Ours = true
	return nil
}

func (s *supervisor) Remove(_ context.Context, id int64, o runner.RemoveOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.pending[id]; len(p) > 0 && !o.Force {
		return &runner.PendingError{Pending: p}
	}
	return nil
}

func (s *supervisor) Resources(context.Context, int64) ([]runner.Resource, error) {
	return []runner.Resource{{Kind: "group", Role: "connector task consumer group", Name: "connect-a", Exists: true}}, nil
}

func (s *supervisor) RestartTask(context.Context, int64, int) error { return nil }

func (s *supervisor) Restart(context.Context, int64, bool, bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.restarts++
	return nil
}

func (s *supervisor) DeploySteps(int64) []string { return nil }

func (s *supervisor) Cluster(in runner.Instance) kafka.Cluster {
	return kafka.Cluster{Bootstrap: strings.Split(in.BootstrapServers, ","), Protocol: in.SecurityProtocol, Mechanism: in.SASLMechanism,
		Username: in.SASLUsername, Password: in.SASLPassword, Dial: (&net.Dialer{Timeout: time.Second}).DialContext, ClientID: "test"}
}

func (s *supervisor) Env(in runner.Instance) connector.Env {
	return connector.Env{Instance: in.Name, Region: in.Region, Version: in.Version, Brokers: len(in.Brokers)}
}

func (s *supervisor) Deps(in runner.Instance, name, uuid string, _ connector.Config) connector.Deps {
	return connector.Deps{Env: s.Env(in), Connector: name, ConnectorID: uuid, Dial: (&net.Dialer{Timeout: time.Second}).DialContext}
}

// server is the whole router over a real model, a pretended runner and, where a test
// asks for it, an embedded broker.
type server struct {
	t     *testing.T
	url   string
	store *models.Store
	sup   *supervisor
	svc   *control.Service
	kafka string // bootstrap address
}

const adminPassword = "correct horse battery"

// newServer starts a server with the instance "sandbox", enabled. topics, of three
// partitions each, stand on an embedded broker; without any there is no broker and
// the instance points at an address where nothing answers.
func newServer(t *testing.T, topics ...string) *server {
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
	store, err := models.Open(ctx, models.Options{DataDir: filepath.Join(t.TempDir(), "data"), AdminPassword: adminPassword, SecretKeys: func(class string) []string {
		if s, err := connector.Find(specs, class); err == nil {
			return s.SecretKeys()
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() }) // the folder goes away
	rules, err := egress.New(egress.Policy{})
	if err != nil {
		t.Fatal(err)
	}
	if err := rules.SetLists([]string{"127.0.0.0/8"}, nil); err != nil {
		t.Fatal(err)
	}
	sup := &supervisor{store: store, status: map[int64]runner.ConnectorStatus{}, positions: map[int64][]runner.PositionRow{}, pending: map[int64][]string{}}
	svc := control.New(control.Options{Store: modelstore.Store{Store: store}, Supervisor: sup, Specs: specs, Addresses: rules.CheckAddress})
	if err := svc.EnsureSandbox(ctx, bootstrap); err != nil {
		t.Fatal(err)
	}
	for name, role := range map[string]models.Role{"vera": models.RoleViewer, "otto": models.RoleOperator} {
		if _, err := store.CreateUser(ctx, name, adminPassword, role); err != nil {
			t.Fatal(err)
		}
	}
	h := httptest.NewServer(handlers.New(handlers.Options{Control: svc, Users: store, Commit: "test", Faults: &faults{}}))
	t.Cleanup(h.Close)
	return &server{t: t, url: h.URL, store: store, sup: sup, svc: svc, kafka: bootstrap}
}

// faults stands for the sandbox's switchboard.
type faults struct{ set json.RawMessage }

func (f *faults) Faults(part string) (any, error) {
	if part != "oss" {
		return nil, &control.Error{Kind: control.NotFound, Message: "There is no part of that name."}
	}
	if f.set == nil {
		return json.RawMessage("[]"), nil
	}
	return f.set, nil
}

func (f *faults) SetFaults(part string, body []byte) error {
	if _, err := f.Faults(part); err != nil {
		return err
	}
	var list []map[string]any
	if err := json.Unmarshal(body, &list); err != nil {
		return &control.Error{Kind: control.Invalid, Message: "Some values are not valid.", Fields: []connector.FieldError{{Field: "faults", Message: "must be a list of objects."}}}
	}
	f.set = body
	return nil
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// request is one request; the zero values are those of most calls.
type request struct {
	method, path, body string
	kind               string // Content-Type; "" = JSON when there is a body, "-" = none
	accept             string
	user               string // "" = admin, "-" = nobody
	password           string
	chunked            bool
}

func (s *server) do(r request) answer {
	s.t.Helper()
	var body io.Reader
	if r.body != "" {
		body = strings.NewReader(r.body)
		if r.chunked {
			body = io.MultiReader(body) // hides the length
		}
	}
	req, err := http.NewRequestWithContext(s.t.Context(), r.method, s.url+r.path, body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", r.method, r.path, err)
	}
	switch {
	case r.kind == "-":
	case r.kind != "":
		req.Header.Set("Content-Type", r.kind)
	case r.body != "":
		req.Header.Set("Content-Type", "application/json")
	}
	if r.accept != "" {
		req.Header.Set("Accept", r.accept)
	}
	if r.user != "-" {
		user, password := "admin", adminPassword
		if r.user != "" {
			user = r.user
		}
		if r.password != "" {
			password = r.password
		}
		req.SetBasicAuth(user, password)
	}
	return s.send(req)
}

// send sends a request as it is and reads the answer.
func (s *server) send(req *http.Request) answer {
	s.t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		s.t.Fatalf("%s %s: %v", req.Method, req.URL.Path, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", req.Method, req.URL.Path, err)
	}
	return answer{res.StatusCode, res.Header, string(b)}
}

// call is do for the admin with a JSON body.
func (s *server) call(method, path, body string) answer {
	s.t.Helper()
	return s.do(request{method: method, path: path, body: body})
}

// must is call that fails the test on another status.
func (s *server) must(status int, method, path, body string) answer {
	s.t.Helper()
	a := s.call(method, path, body)
	if a.status != status {
		s.t.Fatalf("%s %s: %d instead of %d: %s", method, path, a.status, status, a.body)
	}
	return a
}

// config is a valid configuration of an OSS sink as JSON members, without braces.
const config = `"connector.class":"KAFKA2OSS","topics":"orders","oss.bucket":"sandbox-bucket","oss.endpoint":"http://127.0.0.1:19100","aliyun.access.key.id":"sandbox","aliyun.access.key.secret":"s3cret"`

// create makes a connector by POST and returns the stored row's ID.
func (s *server) create(name, initial string) int64 {
	s.t.Helper()
	s.must(http.StatusCreated, "POST", "/connect/sandbox/connectors", `{"name":"`+name+`","initial_state":"`+initial+`","config":{`+config+`}}`)
	c, err := s.store.Connector(s.t.Context(), "sandbox", name)
	if err != nil {
		s.t.Fatal(err)
	}
	return c.ID
}
