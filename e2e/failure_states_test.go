//go:build e2e

package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-io/sluice/e2e/harness"
)

// TestWrongSettings: what only a person can put right fails the connector with a sentence that names it and
// a remedy, diverts nothing, and everything is delivered once it is right and resumed.
func TestWrongSettings(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		wrong  map[string]string
		right  map[string]string
		faults []harness.Fault
		says   []string // any of these in cause or remedy
	}{
		{
			name: "bucket", wrong: map[string]string{"oss.bucket": "no-such-bucket"},
			right: map[string]string{"oss.bucket": harness.OSSBucket}, says: []string{"no-such-bucket"},
		},
		{
			name: "secret", wrong: map[string]string{"aliyun.access.key.secret": "wrong"},
			right: map[string]string{"aliyun.access.key.secret": harness.OSSKeySecret}, says: []string{"secret", "signature"},
		},
		{
			name: "key", wrong: map[string]string{"aliyun.access.key.id": "nobody"},
			right: map[string]string{"aliyun.access.key.id": harness.OSSKeyID}, says: []string{"key"},
		},
		{name: "clock", faults: []harness.Fault{{SkewSeconds: 3600}}, says: []string{"clock", "time"}},
		{name: "permission", faults: []harness.Fault{{Operation: "PutObject", Status: 403, Code: "AccessDenied"}}, says: []string{"permission", "denied"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := lay(t, 3)
			b.oss.SetFaults(tt.faults...)
			c := b.sluice.CreateConnector(instance, own("wrong-"+tt.name), harness.OSSConfig(b.oss, b.topic, tt.wrong))
			b.produce(0, 300, 3)
			d := c.AwaitState(60*time.Second, "FAILED").Connector.Detail
			mustSay(t, d, tt.says...)
			b.oss.SetFaults()
			if tt.right != nil {
				c.Patch(tt.right)
			}
			c.Resume()
			c.AwaitState(60*time.Second, "RUNNING")
			b.mustDeliver(c, 60*time.Second)
			b.mustDivertNothing(c)
		})
	}
}

// mustSay requires a remedy, and one of the texts in cause or remedy.
func mustSay(t *testing.T, d harness.Detail, texts ...string) {
	t.Helper()
	said := strings.ToLower(d.Cause + " " + d.Remedy)
	for _, text := range texts {
		if strings.Contains(said, strings.ToLower(text)) && d.Remedy != "" {
			return
		}
	}
	t.Errorf("%s: cause %q, remedy %q: want a remedy and one of %q", d.State, d.Cause, d.Remedy, texts)
}

// TestMissingTopic: a source topic that does not exist is refused or fails the connector, by name, and is
// not made by our asking.
func TestMissingTopic(t *testing.T) {
	t.Parallel()
	b := lay(t, 1)
	missing, name := own("no-such-topic"), own("missing")
	answer, err := b.sluice.Call(http.MethodPost, "/connect/"+instance+"/connectors",
		map[string]any{"name": name, "config": harness.OSSConfig(b.oss, missing, nil)})
	if err != nil {
		t.Fatal(err)
	}
	switch answer.Status {
	case http.StatusBadRequest:
		if !strings.Contains(string(answer.Body), missing) {
			t.Errorf("the refusal does not name the topic: %s", answer.Body)
		}
	case http.StatusCreated:
		c := b.sluice.Connector(instance, name)
		mustSay(t, c.AwaitState(60*time.Second, "FAILED").Connector.Detail, missing)
	default:
		t.Errorf("status %d: %s", answer.Status, answer.Body)
	}
	if _, there := b.kafka.Topics()[missing]; there {
		t.Error("the missing topic was made")
	}
}

// TestTopicDeletedWhileRunning: the connector says so by the topic's name and does not make it again.
func TestTopicDeletedWhileRunning(t *testing.T) {
	t.Parallel()
	b := lay(t, 3)
	c := b.deploy("deleted-topic", nil)
	b.produce(0, 300, 3)
	b.mustDeliver(c, 60*time.Second)
	b.kafka.DeleteTopic(b.topic)
	mustSay(t, c.AwaitState(noticeLimit, "FAILED", "GAP").Connector.Detail, b.topic)
	harness.Never(t, 5*time.Second, "the deleted topic is made again", func() (bool, string) {
		_, there := b.kafka.Topics()[b.topic]
		return there, b.topic
	})
	b.oss.MustDeliver(b.ledger, c.Name+"/")
}

// TestConfigurationTopicWithWrongPolicy: a resource that exists already but would lose configurations is
// refused by name, with what it should be.
func TestConfigurationTopicWithWrongPolicy(t *testing.T) {
	t.Parallel()
	b := lay(t, 1)
	name := own("policy")
	b.kafka.CreateTopic("connect-config-"+name, 1, map[string]string{"cleanup.policy": "delete"})
	c := b.sluice.CreateConnector(instance, name, harness.OSSConfig(b.oss, b.topic, nil))
	d := c.AwaitState(60*time.Second, "FAILED").Connector.Detail
	mustSay(t, d, "connect-config-"+name)
	mustSay(t, d, "compact")
}

// TestUnreachableBroker: the cluster goes away under a running connector and comes back.
func TestUnreachableBroker(t *testing.T) {
	t.Parallel()
	b := layOn(t, harness.StartKafka(t, harness.KafkaOptions{}), 3)
	c := b.deploy("unreachable", nil)
	b.produce(0, 300, 3)
	b.mustDeliver(c, 60*time.Second)
	b.kafka.Kill(0)
	d := c.AwaitState(60*time.Second, "RECOVERING").Connector.Detail
	if d.Cause == "" {
		t.Error("no cause is told while Kafka is away")
	}
	b.kafka.Restart(0)
	b.produce(300, 600, 3)
	c.AwaitState(90*time.Second, "RUNNING")
	b.mustDeliver(c, 60*time.Second)
}

// TestDiskFull: the data folder is full. Delivery does not depend on it; the program says what is wrong,
// does not fall over, and is well again when there is room.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "small")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("sluice-e2e", dir, "tmpfs", 0, "size=48m"); err != nil {
		t.Skipf("mounting a small file system needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmounting: %v", err)
		}
	})
	b := &bed{t: t, kafka: suite.Kafka(t), oss: suite.StartStandin(t), ledger: harness.NewLedger(), topic: own("testdiskfull")}
	b.sluice = suite.StartSluice(t, harness.SluiceOptions{DataDir: filepath.Join(dir, "data")})
	b.kafka.CreateTopic(b.topic, 3, nil)
	b.sluice.CreateInstance(instance, b.kafka.Bootstrap("PLAINTEXT"), nil)
	c := b.deploy("diskfull", nil)

	filler := filepath.Join(dir, "filler")
	fill(t, filler)
	b.produce(0, 3000, 3)
	harness.Eventually(t, 60*time.Second, "the program tells that the disk is full", func() (bool, string) {
		d := c.Status().Connector.Detail
		ready, err := b.sluice.Call(http.MethodGet, "/readyz", nil)
		said := strings.ToLower(d.Cause + d.Remedy + string(ready.Body))
		return err == nil && (strings.Contains(said, "disk") || strings.Contains(said, "space")), said
	})
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	b.mustDeliver(c, 60*time.Second)
	c.AwaitState(60*time.Second, "RUNNING")
	b.sluice.Restart()
	c.AwaitState(60*time.Second, "RUNNING")
}

// fill writes until the file system has no room.
func fill(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 1<<20); len(block) > 0; {
		if _, err := f.Write(block); err != nil {
			block = block[:len(block)/2] // down to the last byte
		}
	}
}
