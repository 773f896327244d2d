//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/e2e/harness"
)

// TestIntentPinsShapeNotAccess: the program is killed when its intents are written and nothing is stored,
// comes back with OSS down, and is given another flush size, format and access key. The intended objects are
// written as they were intended, with the new key; what follows has the new shape.
func TestIntentPinsShapeNotAccess(t *testing.T) {
	t.Parallel()
	b := lay(t, 3)
	c := b.deploy("pinned", map[string]string{"flush.size": "40", "flush.interval.ms": "600000"})
	before := b.kafka.Positions(c.Group(), b.topic)
	b.oss.Freeze()
	b.produce(0, 300, 3)
	b.awaitIntents(c, before)
	b.sluice.Kill9()
	b.oss.Kill()

	b.sluice.Start()
	b.sluice.AwaitReady(30 * time.Second)
	c.Patch(map[string]string{
		"flush.size": "7", "flush.interval.ms": "1000", "oss.format": "jsonl",
		"aliyun.access.key.id": "rotated", "aliyun.access.key.secret": "rotated-secret",
	})
	b.oss.SetKey("rotated", "rotated-secret")
	b.oss.Start()
	c.AwaitState(90*time.Second, "RUNNING")
	b.mustDeliver(c, 60*time.Second)

	pinned, later := 0, 0
	for _, key := range b.oss.Keys(c.Name + "/") {
		switch {
		case strings.HasSuffix(key, "-00000000000000000000-00000000000000000039.json"):
			pinned++
		case strings.HasSuffix(key, ".jsonl"):
			later++
		case !strings.HasSuffix(key, ".json"):
			t.Errorf("unexpected object %s", key)
		}
	}
	if pinned != 3 || later == 0 {
		t.Errorf("%d intended objects of 40 records and %d of the new format, want 3 and some", pinned, later)
	}
	b.mustDivertNothing(c)
}

// TestIntentStoredButUnanswered: the objects are stored, their answers are lost, and the program is killed
// before it can find out. It comes back, sees them, and writes nothing twice.
func TestIntentStoredButUnanswered(t *testing.T) {
	t.Parallel()
	b := lay(t, 3)
	c := b.deploy("unanswered", map[string]string{"flush.size": "40"})
	before := b.kafka.Positions(c.Group(), b.topic)
	b.oss.SetFaults(
		harness.Fault{Operation: "PutObject", Cut: "after"},
		harness.Fault{Operation: "HeadObject", Status: 503, Code: "ServiceUnavailable"},
		harness.Fault{Operation: "GetObjectMeta", Status: 503, Code: "ServiceUnavailable"},
	)
	b.produce(0, 300, 3)
	b.awaitIntents(c, before)
	harness.Eventually(t, 30*time.Second, "an object of every partition is stored", func() (bool, string) {
		keys := b.oss.Keys(c.Name + "/")
		return len(keys) >= 3, strings.Join(keys, " ")
	})
	b.sluice.Kill9()
	b.oss.SetFaults()
	b.sluice.Restart()
	b.mustDeliver(c, 60*time.Second)
}
