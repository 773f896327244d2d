//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/e2e/harness"
)

// TestFormats: the same topic in every format and compression that it can have, read back by libraries
// that are not the program's own, and the whole bucket by oss2.
func TestFormats(t *testing.T) {
	t.Parallel()
	b := lay(t, 2)
	b.produce(0, 2000, 2)
	t.Run("all", func(t *testing.T) {
		for _, s := range shapes() {
			t.Run(s.format+" "+s.compression, func(t *testing.T) {
				t.Parallel()
				name := own(s.format + "-" + s.compression)
				oss := b.oss.For(t)
				c := b.sluice.For(t).CreateConnector(instance, name, harness.OSSConfig(oss, b.topic, map[string]string{
					"oss.format": s.format, "oss.compression": s.compression, "flush.size": "700", "tasks.max": "1",
				}))
				c.AwaitDelivered(b.kafka.For(t), b.topic, 120*time.Second)
				for _, key := range oss.Keys(name + "/") {
					if !strings.HasSuffix(key, s.extension) {
						t.Errorf("%s does not end in %s", key, s.extension)
					}
				}
				oss.MustDeliver(b.ledger, name+"/")
				c.Delete("")
			})
		}
	})
	readByOSS2(t, b.oss)
}

// shape is a format with a compression, and how its objects' names end.
type shape struct{ format, compression, extension string }

// shapes are all combinations in a soak; otherwise json stands for the textual formats' compressions.
func shapes() []shape {
	endings := map[string]string{"none": "", "gzip": ".gz", "zstd": ".zst", "snappy": ".sz"}
	var all []shape
	for compression, ending := range endings {
		all = append(all, shape{"json", compression, ".json" + ending},
			shape{"parquet", compression, ".parquet"}, shape{"avro", compression, ".avro"})
		for _, format := range []string{"jsonl", "csv", "raw"} {
			if harness.Soak() || compression == "none" {
				all = append(all, shape{format, compression, "." + format + ending})
			}
		}
	}
	return all
}

// readByOSS2 has the vendor's Python SDK list and download everything, which checks every CRC64.
func readByOSS2(t *testing.T, o *harness.Standin) {
	t.Helper()
	python, err := harness.Setting("SLUICE_PY")
	if err != nil {
		t.Fatal(err)
	}
	root, err := harness.RepoRoot()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, filepath.Join(root, "e2e", "judges", "bucket.py"), o.URL, harness.OSSBucket, "")
	cmd.Env = append(os.Environ(), "OSS_KEY_ID="+harness.OSSKeyID, "OSS_KEY_SECRET="+harness.OSSKeySecret)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("oss2: %v\n%s", err, stderr.String())
	}
	count := 0
	for line := range bytes.Lines(out) {
		var object struct {
			Key          string
			Size, Listed int64
		}
		if err := json.Unmarshal(line, &object); err != nil || object.Size != object.Listed || object.Size == 0 {
			t.Errorf("oss2 read %s (%v)", line, err)
		}
		count++
	}
	if want := len(o.Keys("")); count != want {
		t.Errorf("oss2 read %d objects, the Go SDK lists %d", count, want)
	}
}

// TestSecureInstances: the same delivery from brokers that want TLS and passwords.
func TestSecureInstances(t *testing.T) {
	t.Parallel()
	kafka := harness.StartKafka(t, harness.KafkaOptions{Secure: true})
	tests := []struct{ protocol, mechanism, user, password string }{
		{"SSL", "", "", ""},
		{"SASL_PLAINTEXT", "PLAIN", harness.KafkaPlainUser, harness.KafkaPlainPassword},
		{"SASL_SSL", "PLAIN", harness.KafkaPlainUser, harness.KafkaPlainPassword},
		{"SASL_SSL", "SCRAM-SHA-256", harness.KafkaScramUser, harness.KafkaScramPassword},
		{"SASL_SSL", "SCRAM-SHA-512", harness.KafkaScramUser, harness.KafkaScramPassword},
	}
	b := &bed{t: t, kafka: kafka, oss: suite.StartStandin(t), ledger: harness.NewLedger(), topic: "secure"}
	b.sluice = suite.StartSluice(t, harness.SluiceOptions{})
	kafka.CreateTopic(b.topic, 2, nil)
	b.produce(0, 400, 2)
	for i, tt := range tests {
		t.Run(tt.protocol+" "+tt.mechanism, func(t *testing.T) {
			name := fmt.Sprintf("secure-%d", i)
			extra := map[string]any{"security.protocol": tt.protocol}
			if strings.Contains(tt.protocol, "SSL") {
				extra["ssl.ca.pem"] = kafka.CA()
			}
			if tt.mechanism != "" {
				extra["sasl.mechanism"], extra["sasl.username"], extra["sasl.password"] = tt.mechanism, tt.user, tt.password
			}
			sluice := b.sluice.For(t)
			sluice.CreateInstance(name, kafka.Bootstrap(tt.protocol), extra)
			c := sluice.CreateConnector(name, name, harness.OSSConfig(b.oss, b.topic, nil))
			c.AwaitDelivered(kafka.For(t), b.topic, 60*time.Second)
			b.oss.For(t).MustDeliver(b.ledger, name+"/")
		})
	}
}

// TestBrokerLost: one of three brokers is killed in mid-stream and comes back.
func TestBrokerLost(t *testing.T) {
	t.Parallel()
	b := layOn(t, harness.StartKafka(t, harness.KafkaOptions{Nodes: 3}), 6)
	c := b.deploy("broker-lost", nil)
	produced := make(chan error, 1)
	go func() {
		produced <- b.kafka.TryProduce(t.Context(), b.ledger,
			harness.Numbers{Topic: b.topic, Partitions: 6, To: 20_000, PerSecond: 1000, Bytes: 120})
	}()
	for node := range harness.Choose(1, 3) {
		harness.Pause(harness.Between(2*time.Second, 4*time.Second))
		b.kafka.Kill(node)
		harness.Pause(harness.Between(2*time.Second, 6*time.Second))
		b.kafka.Restart(node)
	}
	if err := <-produced; err != nil {
		t.Fatalf("producing: %v", err)
	}
	b.mustDeliver(c, 90*time.Second)
	c.AwaitState(60*time.Second, "RUNNING")
	b.mustDivertNothing(c)
}
