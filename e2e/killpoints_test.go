//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/e2e/harness"
	"github.com/sluice-io/sluice/runner"
)

// TestKillPoints kills the program on purpose at every step of the delivery protocol, starts it again and
// counts: every number is in the bucket once, and every record that cannot be converted is in the
// dead-letter topic once.
func TestKillPoints(t *testing.T) {
	t.Parallel()
	steps := runner.FaultSteps()
	half := (len(steps) + 1) / 2
	for i, part := range [][]string{steps[:half], steps[half:]} { // two nodes beside each other
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			k := &killer{bed: layWith(t, 3, harness.SluiceOptions{Faults: true}), diverted: map[string]int{}}
			k.c = k.deploy(fmt.Sprintf("killed-%d", i), map[string]string{"flush.size": "40", "flush.interval.ms": "300", "oss.binary": "dlq"})
			k.judge = func() harness.Verdict { return k.oss.JudgeBucket(k.ledger, k.c.Name+"/") }
			k.killAtEach(part)
			k.mustDivertOnce()
		})
	}
}

// atStart tells of the steps at the beginning of a life.
func atStart(step string) bool {
	return step == "join" || step == "setup" || step == "resolve" || step == "redo"
}

// killer is a bed whose node dies at chosen steps.
type killer struct {
	*bed
	c        *harness.Connector
	judge    func() harness.Verdict
	undo     func() // makes what an intent names impossible to finish; nil: it need not be
	next     int64
	diverted map[string]int // partition@offset → times that it is in the dead-letter topic, 0 at first
}

// killAtEach has the first passing of each step kill the program, or in the long form each of the first three.
func (k *killer) killAtEach(steps []string) {
	k.t.Helper()
	for _, step := range steps {
		for n := range harness.Choose(1, 3) {
			if atStart(step) {
				n = 0 // a life comes there once for sure; it dies there as many times
			}
			k.killAt(step, n+1)
		}
	}
}

// killAt has the n-th passing of a step kill the program, and judges what the next life makes of it.
func (k *killer) killAt(step string, n int) {
	k.t.Helper()
	k.sluice.Kill9()
	k.more()
	if step == "resolve" || step == "redo" { // they need an intent that a death left
		k.live("intent.done", n)
		if step == "redo" && k.undo != nil {
			k.undo()
		}
	}
	k.live(step, n)
	k.sluice.Setenv("SLUICE_FAULT_KILL", "")
	k.sluice.Start()
	k.sluice.AwaitReady(30 * time.Second)
	k.c.AwaitDelivered(k.kafka, k.topic, 30*time.Second)
	if v := k.judge(); !v.OK() {
		k.t.Fatalf("after a death at the %d. %s: %s", n, step, v)
	}
	k.t.Logf("%s %d: whole again %s after the start", step, n, time.Since(k.sluice.Started).Round(10*time.Millisecond))
}

// more produces several chunks for each partition, with a record in each partition that is no text.
func (k *killer) more() {
	k.produce(k.next, k.next+360, 3)
	k.next += 360
	for partition := range int32(3) {
		offset := k.kafka.Send(k.topic, partition, nil, []byte{0xff, 0xfe, 0xfd})
		k.diverted[fmt.Sprintf("%d@%d", partition, offset)] = 0
	}
	k.produce(k.next, k.next+60, 3)
	k.next += 60
}

// live runs the program until it kills itself at the step.
func (k *killer) live(step string, n int) {
	k.t.Helper()
	k.sluice.Setenv("SLUICE_FAULT_KILL", fmt.Sprintf("%s:%d", step, n))
	k.sluice.Start()
	k.sluice.AwaitKilled(40 * time.Second)
}

// mustDivertOnce compares the dead-letter topic with what cannot be converted.
func (k *killer) mustDivertOnce() {
	k.t.Helper()
	for _, m := range k.kafka.ReadAll("connect-error-" + k.c.Name) {
		headers := map[string]string{}
		for _, h := range m.Headers {
			headers[strings.TrimPrefix(string(h.Key), "__connect.errors.")] = string(h.Value)
		}
		k.diverted[headers["partition"]+"@"+headers["offset"]]++
	}
	for place, times := range k.diverted {
		if times != 1 {
			k.t.Errorf("the record at %s is %d times in the dead-letter topic, want once", place, times)
		}
	}
}
