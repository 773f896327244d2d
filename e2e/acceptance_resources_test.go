//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/e2e/harness"
)

// statusOf is the latest state that the status topic holds for each key; a removed key is left out.
func statusOf(k *harness.Kafka, name string) map[string]string {
	states := map[string]string{}
	last := map[string]int64{} // a key is always in one partition
	for _, m := range k.ReadAll("connect-status-" + name) {
		key := string(m.Key)
		if at, seen := last[key]; seen && at > m.Offset {
			continue
		}
		last[key] = m.Offset
		var value struct{ State string }
		if delete(states, key); m.Value != nil && json.Unmarshal(m.Value, &value) == nil {
			states[key] = value.State
		}
	}
	return states
}

// messages are those of the connector's log, oldest first.
func messages(b *bed, c *harness.Connector) (all []string) {
	b.t.Helper()
	answer, err := b.sluice.Call(http.MethodGet, c.API("/logs?limit=1000"), nil)
	if err != nil {
		b.t.Fatal(err)
	}
	for line := range strings.Lines(string(answer.Body)) {
		var entry struct{ Message string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			b.t.Fatalf("%v: %s", err, line)
		}
		all = append(all, entry.Message)
	}
	return all
}

// TestResources: the topics have their shapes, all are written, the status topic follows the connector, and
// deleting takes topics and groups away, but nobody else's.
func TestResources(t *testing.T) {
	t.Parallel()
	b := lay(t, 3)
	b.produce(0, 30, 3)
	c := b.deploy("res-a", map[string]string{"tasks.max": "3"})
	other := b.deploy("res-b", nil)
	b.mustDeliver(c, 30*time.Second)

	topics := b.kafka.Topics()
	for name, want := range map[string]struct {
		partitions int32
		config     map[string]string
	}{
		"connect-offset-" + c.Name: {25, map[string]string{"cleanup.policy": "compact", "segment.bytes": "16777216", "segment.ms": "600000", "min.cleanable.dirty.ratio": "0.05"}},
		"connect-config-" + c.Name: {1, map[string]string{"cleanup.policy": "compact"}},
		"connect-status-" + c.Name: {6, map[string]string{"cleanup.policy": "compact"}},
		"connect-error-" + c.Name:  {6, map[string]string{"cleanup.policy": "delete", "max.message.bytes": "1114124", "message.timestamp.after.max.ms": "9223372036854775807", "retention.ms": "-1", "retention.bytes": "1073741824"}},
	} {
		got := topics[name]
		if got.NumPartitions != want.partitions {
			t.Errorf("%s has %d partitions, want %d", name, got.NumPartitions, want.partitions)
		}
		for key, value := range want.config {
			// delete is a broker's own default and need not be listed.
			if set := got.ConfigEntries[key]; (set == nil || *set != value) && value != "delete" {
				t.Errorf("%s has not %s=%s: %v", name, key, value, set)
			}
		}
	}
	if len(b.kafka.ReadAll("connect-offset-"+c.Name)) == 0 || len(b.kafka.ReadAll("connect-config-"+c.Name)) < 2 {
		t.Error("positions or configurations are not in their topics")
	}

	await := func(want string) {
		t.Helper()
		harness.Eventually(t, 20*time.Second, "the status topic says "+want, func() (bool, string) {
			got := fmt.Sprint(statusOf(b.kafka, c.Name))
			return got == want, got
		})
	}
	await("map[connector:RUNNING task/0:RUNNING task/1:RUNNING task/2:RUNNING]")
	c.Patch(map[string]string{"tasks.max": "1"})
	await("map[connector:RUNNING task/0:RUNNING]")
	b.produce(30, 60, 3)
	b.mustDeliver(c, 30*time.Second)
	// The one task gets everything at once: no partition waits for the session timeout of an ended task.
	log := messages(b, c)
	started := slices.Index(log, "Started 1 task.")
	joined := slices.IndexFunc(log[max(started, 0):], func(m string) bool { return strings.HasPrefix(m, "Joined the consumer group") })
	if started < 0 || joined < 0 || !strings.Contains(log[started+joined], " 3") {
		t.Errorf("after tasks.max became 1: %q", log[max(started, 0):])
	}
	c.Pause()
	await("map[connector:PAUSED]")
	c.StopWork()
	c.AwaitState(20*time.Second, "STOPPED")
	if log := messages(b, c); !slices.ContainsFunc(log, func(m string) bool { return strings.HasPrefix(m, "Suspended") }) {
		t.Errorf("the log does not tell that it was suspended: %q", log)
	}

	c.Delete("")
	harness.Eventually(t, 20*time.Second, "its topics are gone", func() (bool, string) {
		for name := range b.kafka.Topics() {
			if strings.HasSuffix(name, "-"+c.Name) {
				return false, name
			}
		}
		return true, ""
	})
	if len(b.kafka.Positions(c.Group(), b.topic)) != 0 {
		t.Error("its positions are still there")
	}
	left := b.kafka.Topics()
	for _, name := range []string{"connect-offset-" + other.Name, "connect-config-" + other.Name, "connect-status-" + other.Name, "connect-error-" + other.Name, b.topic} {
		if _, there := left[name]; !there {
			t.Errorf("%s, another's, is gone", name)
		}
	}
	other.Delete("?resources=keep")
	if _, there := b.kafka.Topics()["connect-offset-"+other.Name]; !there {
		t.Error("resources=keep removed a topic")
	}
}

// TestManualResources: every topic that is wrong or missing is named with what it should be, nothing is
// made, and a topic that belongs to another connector is refused.
func TestManualResources(t *testing.T) {
	t.Parallel()
	b := lay(t, 1)
	m, n := own("m")+"-", own("n")+"-" // what the names of the two attempts begin with
	for topic, shape := range map[string]struct {
		partitions int32
		cleanup    string
	}{m + "config": {2, "compact"}, m + "offset": {1, "compact"}, m + "status": {6, "delete"}, m + "dlq": {6, "compact"}} {
		b.kafka.CreateTopic(topic, shape.partitions, map[string]string{"cleanup.policy": shape.cleanup})
	}
	name := own("manual")
	names := map[string]string{
		"resources.mode": "manual", "group.id": m + "group", "config.storage.topic": m + "config", "offset.storage.topic": m + "offset",
		"status.storage.topic": m + "status", "errors.deadletterqueue.topic.name": m + "dlq", "errors.abnormal.topic.name": m + "abnormal",
	}
	c := b.sluice.CreateConnector(instance, name, harness.OSSConfig(b.oss, b.topic, names))
	d := c.AwaitState(30*time.Second, "FAILED").Connector.Detail
	for _, text := range []string{m + "config", "exactly 1", m + "offset", "at least 2", m + "status", "must have compact", m + "dlq", "must have delete", m + "abnormal", "does not exist"} {
		if !strings.Contains(d.Cause, text) {
			t.Errorf("%q is not in the cause: %s", text, d.Cause)
		}
	}
	if _, made := b.kafka.Topics()[m+"abnormal"]; made {
		t.Error("a missing topic was made in manual mode")
	}
	answer, err := b.sluice.Call(http.MethodPost, "/connect/"+instance+"/connectors", map[string]any{"name": own("manual"), "config": harness.OSSConfig(b.oss, b.topic, names)})
	if err != nil {
		t.Fatal(err)
	}
	if said := string(answer.Body); answer.Status != http.StatusBadRequest || !strings.Contains(said, "offset.storage.topic") || !strings.Contains(said, "manual") {
		t.Errorf("another's topics: %d %s", answer.Status, said)
	}
	c.Delete("?resources=keep")
	for topic, shape := range map[string]struct {
		partitions int32
		cleanup    string
	}{n + "config": {1, "compact"}, n + "offset": {3, "compact"}, n + "status": {2, "compact"}, n + "dlq": {1, "delete"}, n + "abnormal": {1, "delete"}} {
		b.kafka.CreateTopic(topic, shape.partitions, map[string]string{"cleanup.policy": shape.cleanup})
	}
	for key, value := range names {
		names[key] = strings.Replace(value, m, n, 1)
	}
	names["resources.mode"] = "manual"
	c = b.sluice.CreateConnector(instance, name, harness.OSSConfig(b.oss, b.topic, names))
	c.AwaitState(30*time.Second, "RUNNING")
	b.produce(0, 20, 1)
	harness.Eventually(t, 30*time.Second, "its own group's position moves", func() (bool, string) {
		at := b.kafka.Positions(n+"group", b.topic)[0].Offset
		return at == 20, fmt.Sprint(at)
	})
	c.Delete("")
	for _, topic := range []string{n + "config", n + "offset", n + "status", n + "dlq", n + "abnormal"} {
		harness.Eventually(t, 20*time.Second, topic+" goes with its connector", func() (bool, string) {
			_, there := b.kafka.Topics()[topic]
			return !there, ""
		})
	}
}

// TestChecksAndPreviewBeforeAName: a configuration is tried before its connector has a name, and nothing is made.
func TestChecksAndPreviewBeforeAName(t *testing.T) {
	t.Parallel()
	b := lay(t, 1)
	b.produce(0, 5, 1)
	config := harness.OSSConfig(b.oss, b.topic, nil)
	var checks struct {
		Findings []struct{ Name, Status, Detail, Remedy string }
	}
	b.sluice.Must(http.StatusOK, http.MethodPost, "/api/v1/instances/"+instance+"/checks", map[string]any{"config": config}, &checks)
	for _, f := range checks.Findings {
		if f.Status != "ok" {
			t.Errorf("%+v", f)
		}
	}
	type sample struct {
		Title, Body, Refused string
		Source               struct{ Topic string }
	}
	var preview struct{ Samples []sample }
	b.sluice.Must(http.StatusOK, http.MethodPost, "/api/v1/instances/"+instance+"/preview", map[string]any{"config": config}, &preview)
	if !slices.ContainsFunc(preview.Samples, func(s sample) bool {
		return strings.HasSuffix(s.Title, ".json") && strings.Contains(s.Body, `"offset":4`) && s.Source.Topic == b.topic
	}) {
		t.Errorf("samples = %+v", preview.Samples)
	}
	if len(b.oss.Keys("")) != 0 || len(checks.Findings) < 5 {
		t.Errorf("objects %v, findings %v", b.oss.Keys(""), checks.Findings)
	}
}
