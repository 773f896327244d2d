package runner_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/models"
	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
	"github.com/sluice-io/sluice/runner/oss"
	"github.com/sluice-io/sluice/runner/sandbox"
)

// world is everything a supervisor works with, but for the pages: the model, the
// embedded broker, the OSS stand-in.
type world struct {
	t       *testing.T
	store   *models.Store
	kafka   *sandbox.Kafka
	oss     *sandbox.OSS
	cluster kafka.Cluster
	in      runner.Instance
	sup     *runner.Supervisor
	stop    func()
	roots   *x509.CertPool // nil: the system's
}

func newWorld(t *testing.T) *world {
	t.Helper()
	ctx := t.Context()
	spec := oss.Spec()
	store, err := models.Open(ctx, models.Options{DataDir: t.TempDir(), AdminPassword: "not-used-here", SecretKeys: func(string) []string { return spec.SecretKeys() }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	w := &world{t: t, store: store}
	if w.kafka, err = sandbox.StartKafka(ctx, sandbox.KafkaOptions{Addr: "127.0.0.1:0", Dir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.kafka.Close() })
	if w.oss, err = sandbox.StartOSS(ctx, sandbox.OSSOptions{Addr: "127.0.0.1:0", Dir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.oss.Close() })
	w.in = runner.Instance{Name: "sandbox", Region: "self-hosted", BootstrapServers: w.kafka.Addr(), SecurityProtocol: "PLAINTEXT", Quota: 10, Enabled: true}
	if err := store.CreateInstance(ctx, &w.in); err != nil {
		t.Fatal(err)
	}
	w.start()
	w.cluster = w.sup.Cluster(w.in)
	return w
}

// start runs a supervisor, as a process would.
func (w *world) start() { w.startWith(func(*runner.Supervisor) {}) }

func (w *world) startWith(change func(*runner.Supervisor)) {
	w.sup = runner.NewSupervisor(runner.Options{
		Store: w.store, Specs: []connector.Spec{oss.Spec()}, Node: w.store.NodeID(), Worker: "127.0.0.1:1", Installation: w.store.InstallationID(),
		Dial: func(bool) func(context.Context, string, string) (net.Conn, error) { return (&net.Dialer{}).DialContext },
		Seal: w.store.Sealer(), Budget: runner.NewBudget(64 << 20), Logger: slog.New(slog.DiscardHandler), Roots: w.roots,
	})
	change(w.sup)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); w.sup.Run(ctx) }()
	w.stop = func() { cancel(); <-done }
	w.t.Cleanup(w.stop)
}

func (w *world) create(name string, change connector.Config) runner.Connector {
	w.t.Helper()
	cfg := connector.Config{
		"name": name, "connector.class": "KAFKA2OSS", "topics": "oss-test-input", "consumer.override.auto.offset.reset": "earliest", "tasks.max": "1",
		"oss.bucket": sandbox.DefaultBucket, "oss.endpoint": w.oss.URL(), "flush.interval.ms": "200",
		"aliyun.access.key.id": sandbox.DefaultKey, "aliyun.access.key.secret": sandbox.DefaultKey,
	}
	for k, v := range change {
		cfg[k] = v
	}
	spec := oss.Spec()
	c := runner.Connector{InstanceID: w.in.ID, Name: name, Class: "KAFKA2OSS", Config: cfg, Desired: runner.DesiredRunning,
		Hash: spec.Hash(spec.Resolve(cfg, w.sup.Env(w.in)))}
	if err := w.store.CreateConnector(w.t.Context(), &c, "test"); err != nil {
		w.t.Fatal(err)
	}
	w.sup.Notify(c.ID)
	return c
}

func (w *world) send(topic string, from, to int) {
	w.t.Helper()
	p, err := kafka.OpenProducer(w.t.Context(), w.cluster)
	if err != nil {
		w.t.Fatal(err)
	}
	defer p.Close()
	var out []kafka.Out
	for i := from; i < to; i++ {
		out = append(out, kafka.Out{Topic: topic, Partition: int32(i % 3), Key: []byte("k"), Value: fmt.Appendf(nil, "%d", i)})
	}
	if err := p.SendAll(w.t.Context(), out); err != nil {
		w.t.Fatal(err)
	}
}

// numbers are the values in the bucket with how often each occurs.
func (w *world) numbers() map[string]int {
	w.t.Helper()
	list, _, err := w.oss.Objects(sandbox.DefaultBucket, "", "", 100_000)
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string]int{}
	for _, o := range list {
		p, err := w.oss.Preview(w.t.Context(), sandbox.DefaultBucket, o.Key, 8<<20)
		if err != nil {
			w.t.Fatal(err)
		}
		var records []struct{ Value string }
		if err := json.Unmarshal(p.Data, &records); err != nil {
			w.t.Fatalf("%s: %v", o.Key, err)
		}
		for _, r := range records {
			out[r.Value]++
		}
	}
	return out
}

// until polls a condition; what tells what was waited for.
func (w *world) until(what string, ok func() bool) {
	w.t.Helper()
	deadline := time.NewTimer(40 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			all, err := w.sup.Statuses(w.t.Context())
			b, _ := json.Marshal(all)
			w.t.Fatalf("waited 40 s for %s; states: %s %v", what, b, err)
		}
	}
}

func (w *world) state(c runner.Connector, want connector.State) {
	w.t.Helper()
	w.until(string(want), func() bool {
		st, err := w.sup.Status(w.t.Context(), c.ID)
		return err == nil && st.State == want
	})
}

func (w *world) desire(c runner.Connector, d runner.Desired) {
	w.t.Helper()
	if err := w.store.SetDesired(w.t.Context(), c.ID, d); err != nil {
		w.t.Fatal(err)
	}
	w.sup.Notify(c.ID)
}

// exactly waits for the numbers below n and checks that each occurs once.
func (w *world) exactly(n int) {
	w.t.Helper()
	w.until(fmt.Sprintf("%d numbers", n), func() bool { return len(w.numbers()) >= n })
	for v, times := range w.numbers() {
		if times != 1 {
			w.t.Errorf("%s occurs %d times", v, times)
		}
	}
}

func TestConnectorsLife(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.send("oss-test-input", 0, 300)
	c := w.create("life", nil)
	w.state(c, connector.StateRunning)
	w.exactly(300)

	w.desire(c, runner.DesiredPaused)
	w.state(c, connector.StateSuspended)
	w.send("oss-test-input", 300, 400)
	if n := len(w.numbers()); n != 300 {
		t.Errorf("a suspended connector delivered: %d", n)
	}
	w.desire(c, runner.DesiredRunning)
	w.exactly(400)

	// The process ends in order and another begins on the same data.
	w.stop()
	w.send("oss-test-input", 400, 500)
	w.start()
	w.exactly(500)

	w.checkResources(c, true)
	w.desire(c, runner.DesiredStopped)
	w.state(c, connector.StateStopped)
	back := int64(10)
	if err := w.sup.AlterPositions(t.Context(), c.ID, map[kafka.TP]*int64{{Topic: "oss-test-input", Partition: 0}: &back}, false); err != nil {
		t.Fatal(err)
	}
	rows, err := w.sup.Positions(t.Context(), c.ID)
	if err != nil || len(rows) != 3 || rows[0].Offset != 10 {
		t.Fatalf("%+v, %v", rows, err)
	}

	w.desire(c, runner.DesiredDeleting)
	if err := w.sup.Remove(t.Context(), c.ID, runner.RemoveOptions{}); err != nil {
		t.Fatal(err)
	}
	w.checkResources(c, false)
	if got := len(w.numbers()); got != 500 {
		t.Errorf("what the destination received was touched: %d", got)
	}
}

func (w *world) checkResources(c runner.Connector, want bool) {
	w.t.Helper()
	all, err := w.sup.Resources(w.t.Context(), c.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	if len(all) != 6 { // four topics, as the dead-letter topic takes the abnormal data too, and two groups
		w.t.Errorf("%d resources: %+v", len(all), all)
	}
	for _, r := range all {
		if r.Exists != want || want && r.Kind == "topic" && r.Detail != "" {
			w.t.Errorf("%+v, should exist: %v", r, want)
		}
	}
}

func TestDeployRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct {
		name, remedy string
		change       connector.Config
	}{
		{"no-topic", "Create the topic nowhere", connector.Config{"topics": "nowhere"}},
		{"wrong-policy", "cleanup.policy=compact", connector.Config{"config.storage.topic": "oss-test-input"}},
		{"by-hand", "Create the topic", connector.Config{"resources.mode": "manual"}},
	} {
		row := w.create(c.name, c.change)
		w.state(row, connector.StateFailed)
		st, err := w.sup.Status(t.Context(), row.ID)
		if err != nil || !strings.Contains(st.Remedy, c.remedy) || st.Cause == "" {
			t.Errorf("%s: %+v, %v", c.name, st.Status, err)
		}
	}
	admin, err := kafka.OpenAdmin(t.Context(), w.cluster)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	for _, name := range []string{"connect-config-no-topic", "connect-offset-wrong-policy", "connect-status-wrong-policy"} {
		if _, err := admin.Topic(t.Context(), name); !errors.Is(err, kafka.ErrNoTopic) {
			t.Errorf("the failed deploy left %s: %v", name, err)
		}
	}
}

// TestRule09ConfigurationTopicWins: a claim of another installation, or a newer
// version than the database's, keeps the connector from starting.
func TestRule09ConfigurationTopicWins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.create("claimed", nil)
	w.state(c, connector.StateRunning)
	w.desire(c, runner.DesiredPaused)
	w.state(c, connector.StateSuspended)
	p, err := kafka.OpenProducer(t.Context(), w.cluster)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	foreign := `{"installation":"another","connector":"` + c.UUID + `","name":"claimed","class":"KAFKA2OSS","hash":"x","version":1}`
	if _, _, err := p.Send(t.Context(), kafka.Out{Topic: "connect-config-claimed", Partition: -1, Key: []byte("current"), Value: []byte(foreign)}); err != nil {
		t.Fatal(err)
	}
	w.desire(c, runner.DesiredRunning)
	w.state(c, connector.StateFailed)
	st, err := w.sup.Status(t.Context(), c.ID)
	if err != nil || !strings.Contains(st.Cause, "another installation") {
		t.Errorf("%+v, %v", st.Status, err)
	}
}

// TestPositionsAfterAStopInTheMiddleOfARestart: a restart keeps its seats in the group for the tasks that
// follow. When these never come, because the connector is stopped meanwhile, positions can be changed all the same.
func TestPositionsAfterAStopInTheMiddleOfARestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.create("hurried", connector.Config{"tasks.max": "2"})
	w.send("oss-test-input", 0, 30)
	w.exactly(30)
	w.stop() // as a restart does, the end of the process keeps the seats
	w.start()
	w.desire(c, runner.DesiredStopped)
	w.state(c, connector.StateStopped)
	back := int64(1)
	if err := w.sup.AlterPositions(t.Context(), c.ID, map[kafka.TP]*int64{{Topic: "oss-test-input", Partition: 0}: &back}, false); err != nil {
		t.Fatal(err)
	}
	if err := w.sup.ResetPositions(t.Context(), c.ID, false); err != nil {
		t.Fatal(err)
	}
}

// TestTheFirstDeliveryIsKnownAtOnce: what is fixed after it is refused without waiting for a report.
func TestTheFirstDeliveryIsKnownAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.create("first", nil)
	w.send("oss-test-input", 0, 1)
	var row runner.Connector
	w.until("the first delivery", func() bool {
		st, err := w.sup.Status(t.Context(), c.ID)
		if err != nil || st.Delivered == 0 {
			return false
		}
		row, err = w.store.ConnectorByID(t.Context(), c.ID)
		if err != nil {
			t.Fatal(err)
		}
		return true
	})
	if !row.Delivered {
		t.Error("delivered, and the model does not know")
	}
}
