package runner

import (
	"github.com/sluice-io/sluice/runner/kafka"
)

// Faults is asked at every step of the delivery protocol, in tests only. An error ends
// the task there as if the process had died: nothing further is sent or written. Steps
// that concern no partition pass "" and 0.
type Faults func(step, topic string, partition int32) error

// Steps of the delivery protocol, in order, as Faults hears of them. A step "x" is
// before the act, "x.done" after it.
const (
	stepJoin          = "join"
	stepSetup         = "setup"
	stepResolve       = "resolve"
	stepRedo          = "redo"
	stepPrepare       = "prepare"
	stepIntent        = "intent"
	stepIntentDone    = "intent.done"
	stepPublish       = "publish"
	stepPublishDone   = "publish.done"
	stepCommit        = "commit"
	stepCommitDone    = "commit.done"
	stepDivert        = "divert"
	stepDivertDone    = "divert.done"
	stepChoose        = "choose"
	stepResolvedAdmin = "resolve.stopped"
)

// Steps of a source's task. Those from "begin" to "ended" are of one transaction.
const (
	sourceStep         = "source."         // + a step of kafka.Stream
	stepSourceOpen     = "source.open"     // before the transactional producer is opened
	stepSourceState    = "source.state"    // before what is saved is read
	stepSourceRun      = "source.run"      // before the source runs
	stepSourceBegin    = "source.begin"    // before partitions are added to the transaction
	stepSourceProduce  = "source.produce"  // before its first record is sent
	stepSourceProduced = "source.produced" // all records are answered
	stepSourceEnd      = "source.end"      // the commit is about to be sent
	stepSourceEnded    = "source.ended"    // the commit is answered, and nothing noted here
	stepSourceDone     = "source.done"     // noted
)

// SourceFaultSteps lists the steps at which a source's task can be killed.
func SourceFaultSteps() []string {
	return []string{stepSourceOpen, stepSourceState, stepSourceRun, stepSourceBegin, stepSourceProduce, stepSourceProduced, stepSourceEnd, stepSourceEnded, stepSourceDone}
}

// FaultSteps lists the steps at which a task with partitions can be killed.
func FaultSteps() []string {
	return []string{stepJoin, stepSetup, stepResolve, stepRedo, stepPrepare, stepIntent, stepIntentDone, stepPublish,
		stepPublishDone, stepCommit, stepCommitDone, stepDivert, stepDivertDone}
}

// at asks about a step; a nil Faults never objects.
func (f Faults) at(step string, tps ...kafka.TP) error {
	if f == nil {
		return nil
	}
	var tp kafka.TP
	if len(tps) > 0 {
		tp = tps[0]
	}
	return f(step, tp.Topic, tp.Partition)
}

// abortError ends a task without any clean-up: the simulated death of the process.
type abortError struct{ err error }

func (e *abortError) Error() string { return "aborted: " + e.err.Error() }
func (e *abortError) Unwrap() error { return e.err }

func (t *sinkTask) fault(step string, tp kafka.TP) error {
	if err := t.o.Faults.at(step, tp); err != nil {
		return &abortError{err}
	}
	return nil
}
