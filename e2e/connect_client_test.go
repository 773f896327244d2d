//go:build e2e

package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/e2e/harness"
)

// TestConnectClient drives a connector's whole life with kc, a published client of Kafka Connect that
// knows nothing of Sluice.
func TestConnectClient(t *testing.T) {
	t.Parallel()
	b := lay(t, 2)
	kc := newClient(t, b.sluice)
	name := own("by-kc")
	config := harness.OSSConfig(b.oss, b.topic, nil)
	config["name"] = name
	whole, err := json.Marshal(map[string]any{"name": name, "config": config})
	if err != nil {
		t.Fatal(err)
	}

	var info struct {
		Version   string `json:"version"`
		ClusterID string `json:"kafka_cluster_id"`
	}
	kc.run(&info)("info")
	if info.Version == "" || info.ClusterID == "" {
		t.Errorf("info = %+v", info)
	}
	var plugins []struct{ Class, Type, Version string }
	kc.run(&plugins)("list-plugins")
	if !strings.Contains(strings.ToUpper(encoded(t, plugins)), "KAFKA2OSS") {
		t.Errorf("plugins = %+v", plugins)
	}
	var validation struct {
		ErrorCount int `json:"error_count"`
	}
	// kc sends validate-config's body as a JSON string that holds JSON, which no Connect takes.
	validate := "/connect/" + instance + "/connector-plugins/KAFKA2OSS/config/validate"
	b.sluice.Must(http.StatusOK, http.MethodPut, validate, config, &validation)
	if validation.ErrorCount != 0 {
		t.Errorf("a good configuration has %d errors", validation.ErrorCount)
	}
	b.sluice.Must(http.StatusOK, http.MethodPut, validate, map[string]string{"connector.class": "KAFKA2OSS", "name": "x", "tasks.max": "0"}, &validation)
	if validation.ErrorCount == 0 {
		t.Error("tasks.max=0 without topics has no error")
	}

	var created struct{ Name, Type string }
	kc.run(&created)("create", "-d", string(whole))
	if created.Name != name || created.Type != "sink" {
		t.Errorf("created = %+v", created)
	}
	kc.awaitState(name, "RUNNING")
	b.produce(0, 1000, 2)
	c := b.sluice.Connector(instance, name)
	b.mustDeliver(c, 60*time.Second)

	var names []string
	kc.run(&names)("list")
	if len(names) != 1 || names[0] != name {
		t.Errorf("list = %v", names)
	}
	stored := map[string]string{}
	kc.run(&stored)("config", name)
	if stored["aliyun.access.key.secret"] != "******" || stored["topics"] != b.topic {
		t.Errorf("config = %v", stored)
	}
	var tasks []struct {
		ID struct{ Connector string } `json:"id"`
	}
	kc.run(&tasks)("list-tasks", name)
	if len(tasks) == 0 || tasks[0].ID.Connector != name {
		t.Errorf("tasks = %+v", tasks)
	}
	var task struct{ State string }
	kc.run(&task)("task-status", name, "0")
	if task.State != "RUNNING" {
		t.Errorf("task 0 is %q", task.State)
	}
	var topics map[string]struct{ Topics []string }
	kc.run(&topics)("list-topics", name)
	if len(topics[name].Topics) != 1 || topics[name].Topics[0] != b.topic {
		t.Errorf("topics = %+v", topics)
	}

	// The configuration as it was answered, masked secret and all, can be sent back.
	stored["flush.size"] = "100"
	kc.run(&created)("update", name, "-d", encoded(t, stored))
	kc.run(nil)("pause", name)
	kc.awaitState(name, "PAUSED")
	kc.run(nil)("resume", name)
	kc.awaitState(name, "RUNNING")
	kc.run(nil)("restart", "-i", name)
	b.produce(1000, 2000, 2)
	b.mustDeliver(c, 60*time.Second)
	kc.run(nil)("delete", name)
	harness.Eventually(t, 30*time.Second, "the connector is gone", func() (bool, string) {
		kc.run(&names)("list")
		return len(names) == 0, strings.Join(names, " ")
	})
	for topic := range b.kafka.Topics() {
		if strings.HasSuffix(topic, "-"+name) {
			t.Errorf("topic %s outlived its connector", topic)
		}
	}
}

// client runs kc against a node.
type client struct {
	t   *testing.T
	bin string
	env []string
}

func newClient(t *testing.T, s *harness.Sluice) *client {
	t.Helper()
	python, err := harness.Setting("SLUICE_PY")
	if err != nil {
		t.Fatal(err)
	}
	return &client{t: t, bin: filepath.Join(filepath.Dir(python), "kc"), env: append(os.Environ(),
		"KAFKA_CONNECT_URL="+s.Base+"/connect/"+instance, "KAFKA_CONNECT_BASIC_AUTH=admin:"+harness.AdminPassword)}
}

// run decodes what a command prints. kc ends with 0 whatever happened; a failure is text that is no JSON.
func (c *client) run(out any) func(args ...string) {
	return func(args ...string) {
		c.t.Helper()
		cmd := exec.Command(c.bin, args...)
		cmd.Env = c.env
		text, err := cmd.Output()
		if err != nil {
			c.t.Fatalf("kc %s: %v: %s", args[0], err, text)
		}
		if out == nil && len(text) == 0 {
			return // an act without an answer
		}
		if out == nil {
			out = new(any)
		}
		if err := json.Unmarshal(text, out); err != nil {
			c.t.Fatalf("kc %s: %s", strings.Join(args, " "), text)
		}
	}
}

// awaitState polls the connector's state as kc shows it.
func (c *client) awaitState(name, state string) {
	c.t.Helper()
	harness.Eventually(c.t, 60*time.Second, name+" is "+state+" for kc", func() (bool, string) {
		var status struct {
			Connector struct{ State, Trace string }
		}
		c.run(&status)("status", name)
		return status.Connector.State == state, status.Connector.State + " " + status.Connector.Trace
	})
}

// encoded is v as JSON text.
func encoded(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
