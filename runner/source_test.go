package runner_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-io/sluice/models"
	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
	"github.com/sluice-io/sluice/runner/record"
	"github.com/sluice-io/sluice/runner/runnertest"
	"github.com/sluice-io/sluice/runner/sandbox"
)

// sourceWorld is a supervisor with the embedded broker and a scripted source.
type sourceWorld struct {
	*world
	script *runnertest.Script
	spec   *connector.Spec
	topic  string
	suffix string // of names, which a real broker keeps
}

func newSourceWorld(t *testing.T) *sourceWorld {
	t.Helper()
	ctx := t.Context()
	script := runnertest.NewScript()
	w := &sourceWorld{script: script, spec: runnertest.ScriptSpec(script), suffix: fmt.Sprintf("-%d", time.Now().UnixNano())}
	w.topic = "numbers" + w.suffix
	store, err := models.Open(ctx, models.Options{DataDir: t.TempDir(), AdminPassword: "not-used-here", SecretKeys: func(string) []string { return w.spec.SecretKeys() }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	w.world = &world{t: t, store: store}
	address := realKafka()
	if address == "" {
		if w.kafka, err = sandbox.StartKafka(ctx, sandbox.KafkaOptions{Addr: "127.0.0.1:0", Dir: t.TempDir()}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { w.kafka.Close() })
		address = w.kafka.Addr()
	}
	w.in = runner.Instance{Name: "sandbox", Region: "self-hosted", BootstrapServers: address, SecurityProtocol: "PLAINTEXT", Quota: 10, Enabled: true}
	if err := store.CreateInstance(ctx, &w.in); err != nil {
		t.Fatal(err)
	}
	w.begin(nil)
	w.cluster = w.sup.Cluster(w.in)
	w.makeTopic(w.topic, 3)
	return w
}

// begin runs a supervisor, as a process would.
func (w *sourceWorld) begin(faults runner.Faults) {
	w.sup = runner.NewSupervisor(runner.Options{
		Store: w.store, Specs: []connector.Spec{*w.spec}, Node: w.store.NodeID(), Worker: "127.0.0.1:1", Installation: w.store.InstallationID(),
		Dial: func(bool) func(context.Context, string, string) (net.Conn, error) { return (&net.Dialer{}).DialContext },
		Seal: w.store.Sealer(), Budget: runner.NewBudget(64 << 20), Logger: slog.New(slog.DiscardHandler), Faults: faults,
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	sup := w.sup
	go func() { defer close(done); sup.Run(ctx) }()
	w.stop = func() { cancel(); <-done }
	w.t.Cleanup(w.stop)
}

func (w *sourceWorld) makeTopic(name string, partitions int32) {
	w.t.Helper()
	admin, err := kafka.OpenAdmin(w.t.Context(), w.cluster)
	if err != nil {
		w.t.Fatal(err)
	}
	defer admin.Close()
	if _, err := admin.CreateTopic(w.t.Context(), kafka.TopicSpec{Name: name, Partitions: partitions}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *sourceWorld) create(name string, change connector.Config) runner.Connector {
	w.t.Helper()
	name += w.suffix
	cfg := connector.Config{"name": name, "connector.class": runnertest.ScriptClass}
	for k, v := range change {
		cfg[k] = v
	}
	c := runner.Connector{InstanceID: w.in.ID, Name: name, Class: runnertest.ScriptClass, Config: cfg, Desired: runner.DesiredRunning,
		Hash: w.spec.Hash(w.spec.Resolve(cfg, w.sup.Env(w.in)))}
	if err := w.store.CreateConnector(w.t.Context(), &c, "test"); err != nil {
		w.t.Fatal(err)
	}
	w.sup.Notify(c.ID)
	return c
}

// log is what a read_committed consumer sees of a topic, partition by partition.
func (w *sourceWorld) log(topic string) [][]record.Record {
	w.t.Helper()
	ctx := w.t.Context()
	admin, err := kafka.OpenAdmin(ctx, w.cluster)
	if err != nil {
		w.t.Fatal(err)
	}
	defer admin.Close()
	top, err := admin.Topic(ctx, topic)
	if err != nil {
		w.t.Fatal(err)
	}
	reader, err := kafka.OpenReader(ctx, w.cluster)
	if err != nil {
		w.t.Fatal(err)
	}
	defer reader.Close()
	out := make([][]record.Record, len(top.Partitions))
	for _, p := range top.Partitions {
		for at := int64(0); ; {
			page, err := reader.Fetch(ctx, kafka.TP{Topic: topic, Partition: p}, at, 1<<20, 0)
			if err != nil {
				w.t.Fatal(err)
			}
			out[p] = append(out[p], page.Records...)
			if page.Next <= at {
				break
			}
			at = page.Next
		}
	}
	return out
}

func (w *sourceWorld) count() int {
	n := 0
	for _, p := range w.log(w.topic) {
		n += len(p)
	}
	return n
}

// exactly waits for facts*records records and checks that each is there once, whole
// facts only, in order for each key.
func (w *sourceWorld) exactly(facts, records int) {
	w.t.Helper()
	w.until(fmt.Sprintf("%d facts", facts), func() bool { return w.count() >= facts*records })
	seen := map[string]int{}
	for p, log := range w.log(w.topic) {
		last := map[string]string{}
		for _, r := range log {
			seen[string(r.Value)]++
			var n, i, ln, li int
			fmt.Sscanf(string(r.Value), "%d/%d", &n, &i)
			if was := last[string(r.Key)]; was != "" {
				fmt.Sscanf(was, "%d/%d", &ln, &li)
				if n < ln || n == ln && i < li {
					w.t.Errorf("partition %d: %s comes after %s", p, r.Value, was)
				}
			}
			last[string(r.Key)] = string(r.Value)
		}
	}
	for n := range facts {
		for i := range records {
			if v := fmt.Sprintf("%d/%d", n, i); seen[v] != 1 {
				w.t.Errorf("%s is there %d times", v, seen[v])
			}
		}
	}
	if len(seen) != facts*records {
		w.t.Errorf("%d different records, want %d", len(seen), facts*records)
	}
}

func sourcesLife(t *testing.T) {
	w := newSourceWorld(t)
	w.script.Numbers(w.topic, 0, 200, 2, 7)
	c := w.create("life", nil)
	w.state(c, connector.StateRunning)
	w.exactly(200, 2)
	w.until("the delivery to be known", func() bool {
		row, err := w.store.ConnectorByID(t.Context(), c.ID)
		return err == nil && row.Delivered
	})
	st, err := w.sup.Status(t.Context(), c.ID)
	if err != nil || len(st.Tasks) != 1 || len(st.Tasks[0].Partitions) != 1 || st.Tasks[0].Partitions[0].Partition != -1 || st.Delivered != 400 {
		t.Errorf("%+v, %v", st, err)
	}
	if len(st.Tasks[0].Progress) != 1 || st.Tasks[0].Progress[0].Done != 200 {
		t.Errorf("progress %+v", st.Tasks[0].Progress)
	}

	if err := w.sup.Snapshot(t.Context(), c.ID, []string{"a"}); err != nil || !slices.Equal(w.script.Asked(), []string{"a"}) {
		t.Errorf("Snapshot: %v, asked %v", err, w.script.Asked())
	}

	w.desire(c, runner.DesiredPaused)
	w.state(c, connector.StateSuspended)
	w.script.Numbers(w.topic, 200, 250, 2, 7)
	w.desire(c, runner.DesiredRunning)
	w.exactly(250, 2)

	// The process ends in order and another begins on the same data.
	w.stop()
	w.script.Numbers(w.topic, 250, 300, 2, 7)
	w.begin(nil)
	w.exactly(300, 2)

	w.desire(c, runner.DesiredStopped)
	w.state(c, connector.StateStopped)
	rows, err := w.sup.SourcePositions(t.Context(), c.ID)
	if err != nil || len(rows) != 1 || rows[0].Offset["fact"] != float64(300) {
		t.Fatalf("%+v, %v", rows, err)
	}
	if err := w.sup.AlterSourcePositions(t.Context(), c.ID, []connector.SourcePosition{{Offset: map[string]any{"fact": float64(290)}}}); err != nil {
		t.Fatal(err)
	}
	before := w.count()
	w.desire(c, runner.DesiredRunning)
	w.until("ten facts again", func() bool { return w.count() == before+20 })

	w.desire(c, runner.DesiredStopped)
	w.state(c, connector.StateStopped)
	if err := w.sup.ResetPositions(t.Context(), c.ID, false); err != nil {
		t.Fatal(err)
	}
	if rows, err = w.sup.SourcePositions(t.Context(), c.ID); err != nil || len(rows) != 0 {
		t.Fatalf("after a reset: %+v, %v", rows, err)
	}
	before = w.count()
	w.desire(c, runner.DesiredRunning)
	w.until("everything again", func() bool { return w.count() == before+600 })

	res, err := w.sup.Resources(t.Context(), c.ID)
	if err != nil || len(res) != 5 { // four topics, as the dead-letter topic takes the abnormal data too, and one group
		t.Errorf("%+v, %v", res, err)
	}
	for _, r := range res {
		if !r.Exists || r.Kind == "topic" && r.Detail != "" {
			t.Errorf("%+v", r)
		}
	}
	w.desire(c, runner.DesiredDeleting)
	if err := w.sup.Remove(t.Context(), c.ID, runner.RemoveOptions{}); err != nil {
		t.Fatal(err)
	}
	res, err = w.sup.Resources(t.Context(), c.ID)
	if err != nil || slices.ContainsFunc(res, func(r runner.Resource) bool { return r.Exists }) {
		t.Errorf("%+v, %v", res, err)
	}
	if w.count() != before+600 {
		t.Error("the target topic was touched")
	}
}

// A process that is killed at any step of a transaction leaves nothing lost, doubled or
// visible in part; the next one goes on at once.
func sourceIsKilled(t *testing.T) {
	w := newSourceWorld(t)
	c := w.create("killed", nil)
	w.script.Numbers(w.topic, 0, 20, 2, 3)
	w.exactly(20, 2)
	facts := 20
	for _, step := range runner.SourceFaultSteps() {
		w.stop()
		kill := runnertest.KillAt(step, 1)
		w.begin(kill.Fault)
		w.script.Numbers(w.topic, facts, facts+20, 2, 3)
		facts += 20
		w.until("the kill at "+step, kill.Dead)
		w.stop()
		w.begin(nil)
		began := time.Now()
		w.exactly(facts, 2)
		if d := time.Since(began); d > 15*time.Second {
			t.Errorf("after the kill at %s it took %v to go on", step, d)
		}
	}
	w.state(c, connector.StateRunning)
}

// Of two processes on copies of one data directory one stays stopped, saying why.
func sourceInTwoProcesses(t *testing.T) {
	w := newSourceWorld(t)
	c := w.create("twice", nil)
	w.script.Numbers(w.topic, 0, 20, 2, 3)
	w.exactly(20, 2)
	first := w.sup
	w.begin(nil)
	second := w.sup
	facts := 20
	stopped := func() (one runner.ConnectorStatus, n int) {
		for _, sup := range []*runner.Supervisor{first, second} {
			st, err := sup.Status(t.Context(), c.ID)
			if err == nil && st.State == connector.StateFailed {
				one, n = st, n+1
			}
		}
		return one, n
	}
	w.until("one of them to stop", func() bool { _, n := stopped(); return n == 1 })
	for range 5 { // it stays so, and the other goes on
		w.script.Numbers(w.topic, facts, facts+20, 2, 3)
		facts += 20
		w.exactly(facts, 2)
		st, n := stopped()
		if n != 1 || !strings.Contains(st.Cause, "nother process runs this connector") || st.Remedy == "" {
			t.Fatalf("%d are stopped: %+v", n, st.Status)
		}
	}
}

// A gap is shown where the reader is, listed with its choices, and ends by one of them.
func sourcesGap(t *testing.T) {
	w := newSourceWorld(t)
	w.script.Gap(&connector.GapError{Lost: "the log was purged", Choices: []connector.Choice{{Choice: "snapshot", Title: "Copy again"}}})
	c := w.create("gap", nil)
	w.state(c, connector.StateGap)
	st, err := w.sup.Status(t.Context(), c.ID)
	if err != nil || st.Tasks[0].Partitions[0].Lost == "" || len(st.Tasks[0].Partitions[0].Choices) != 2 {
		t.Errorf("%+v, %v", st, err)
	}
	if err := w.sup.Snapshot(t.Context(), c.ID, nil); !errors.Is(err, runner.ErrNotRunning) {
		t.Errorf("a snapshot at a gap: %v", err)
	}
	if err := w.sup.Choose(t.Context(), c.ID, "", -1, "snapshot", -1); err != nil {
		t.Fatal(err)
	}
	w.script.Numbers(w.topic, 0, 5, 1, 3)
	w.state(c, connector.StateRunning)
	w.exactly(5, 1)
}

// A connector that is deleted while its topics are kept, and made again, goes on where it
// was; one of another name is refused the offset topic that is in use.
func sourcesKeptTopics(t *testing.T) {
	w := newSourceWorld(t)
	c := w.create("kept", nil)
	w.script.Numbers(w.topic, 0, 20, 2, 3)
	w.exactly(20, 2)
	thief := w.create("thief", connector.Config{connector.KeyOffsetTopic: "connect-offset-kept" + w.suffix})
	w.state(thief, connector.StateFailed)
	if st, err := w.sup.Status(t.Context(), thief.ID); err != nil || st.Field != connector.KeyOffsetTopic {
		t.Errorf("%+v, %v", st.Status, err)
	}
	w.desire(c, runner.DesiredDeleting)
	if err := w.sup.Remove(t.Context(), c.ID, runner.RemoveOptions{KeepResources: true}); err != nil {
		t.Fatal(err)
	}
	if err := w.store.DeleteConnector(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
	w.script.Numbers(w.topic, 20, 30, 2, 3)
	w.create("kept", nil)
	w.exactly(30, 2)
}

// An offset topic that was emptied is a gap, not a new beginning; a reset by an operator is.
func sourcesLostPosition(t *testing.T) {
	w := newSourceWorld(t)
	c := w.create("lost", nil)
	w.script.Numbers(w.topic, 0, 20, 2, 3)
	w.exactly(20, 2)
	w.desire(c, runner.DesiredPaused)
	w.state(c, connector.StateSuspended)
	admin, err := kafka.OpenAdmin(t.Context(), w.cluster)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	name := "connect-offset-lost" + w.suffix
	if err := admin.DeleteTopics(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	w.until("the topic's end", func() bool { _, err := admin.Topic(t.Context(), name); return errors.Is(err, kafka.ErrNoTopic) })
	w.desire(c, runner.DesiredRunning)
	w.state(c, connector.StateFailed)
	if _, err := admin.CreateTopic(t.Context(), kafka.TopicSpec{Name: name, Partitions: 25, Config: map[string]string{"cleanup.policy": "compact"}}); err != nil {
		t.Fatal(err)
	}
	if err := w.sup.Restart(t.Context(), c.ID, false, true); err != nil {
		t.Fatal(err)
	}
	w.state(c, connector.StateGap)
	if err := w.sup.Choose(t.Context(), c.ID, "", -1, connector.ChoiceNow, -1); err != nil {
		t.Fatal(err)
	}
	w.until("the choice to be carried out", func() bool {
		at, err := w.sup.SourcePositions(t.Context(), c.ID)
		return err == nil && len(at) == 1
	})
	w.script.Numbers(w.topic, 20, 30, 2, 3)
	w.exactly(30, 2)
}

// Another installation takes the connector over while it runs here: it goes on there
// where this one was, and stays stopped here.
func sourceIsTakenOver(t *testing.T) {
	w := newSourceWorld(t)
	c := w.create("taken", nil)
	w.script.Numbers(w.topic, 0, 20, 2, 3)
	w.exactly(20, 2)

	store, err := models.Open(t.Context(), models.Options{DataDir: t.TempDir(), AdminPassword: "not-used-here", SecretKeys: func(string) []string { return w.spec.SecretKeys() }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	in := w.in
	in.ID = 0
	if err := store.CreateInstance(t.Context(), &in); err != nil {
		t.Fatal(err)
	}
	other := &sourceWorld{world: &world{t: t, store: store, in: in, cluster: w.cluster}, script: w.script, spec: w.spec, topic: w.topic, suffix: w.suffix}
	other.begin(nil)
	mine := other.create("taken", nil)
	other.state(mine, connector.StateFailed)
	st, err := other.sup.Status(t.Context(), mine.ID)
	if err != nil || st.Claimant == "" {
		t.Fatalf("%+v, %v", st.Status, err)
	}
	if err := other.sup.TakeOver(t.Context(), mine.ID, st.Claimant); err != nil {
		t.Fatal(err)
	}
	w.script.Numbers(w.topic, 20, 40, 2, 3)
	w.state(c, connector.StateFailed)
	w.script.Numbers(w.topic, 40, 60, 2, 3)
	other.state(mine, connector.StateRunning)
	other.exactly(60, 2)
}

// On the embedded broker; on Apache Kafka see source_kafka_test.go.
func TestSourcesLife(t *testing.T)               { t.Parallel(); sourcesLife(t) }
func TestSourceIsKilledAtEveryStep(t *testing.T) { t.Parallel(); sourceIsKilled(t) }
func TestSourceInTwoProcesses(t *testing.T)      { t.Parallel(); sourceInTwoProcesses(t) }
func TestSourcesGapIsChosen(t *testing.T)        { t.Parallel(); sourcesGap(t) }
func TestSourcesKeptTopics(t *testing.T)         { t.Parallel(); sourcesKeptTopics(t) }
func TestSourcesPositionIsLost(t *testing.T)     { t.Parallel(); sourcesLostPosition(t) }
func TestSourceIsTakenOver(t *testing.T)         { t.Parallel(); sourceIsTakenOver(t) }

// What a source may ask of the cluster, from many goroutines, over a connection that is
// kept for a while.
func TestClusterOfASource(t *testing.T) {
	t.Parallel()
	w := newSourceWorld(t)
	c := w.sup.Deps(w.in, "asks", "uuid", connector.Config{}).Cluster
	if _, exists, err := c.Topic(t.Context(), "none"+w.suffix); exists || err != nil {
		t.Errorf("a topic that is missing: %v, %v", exists, err)
	}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			name := fmt.Sprintf("made-%d%s", i%3, w.suffix)
			if err := c.CreateTopic(t.Context(), name, 6, map[string]string{"max.message.bytes": "2000000", "cleanup.policy": "compact,delete", "message.timestamp.type": "LogAppendTime"}); err != nil {
				t.Error(err)
			}
			shape, exists, err := c.Topic(t.Context(), name)
			if want := (connector.TopicShape{Name: name, Partitions: 6, MaxMessageBytes: 2000000, Compacted: true, ArrivalTime: true}); err != nil || !exists || shape != want {
				t.Errorf("%+v, %v, %v", shape, exists, err)
			}
		})
	}
	all.Wait()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := c.Topic(over, w.topic); err == nil {
		t.Error("a question that was given up was answered")
	}
	if n, err := c.Room(t.Context()); n != -1 || err != nil {
		t.Errorf("room for %d, %v", n, err)
	}
	if _, exists, err := c.Topic(t.Context(), w.topic); !exists || err != nil {
		t.Errorf("after an error: %v, %v", exists, err)
	}
}
