package runner

import (
	"context"
	"errors"
	"testing"

	"github.com/sluice-io/sluice/runner/connector"
)

// answering is a sink whose destination answers a probe as told.
type answering struct {
	connector.Sink
	answer func(asked int) error
	asked  int
}

func (a *answering) Probe(context.Context) error {
	a.asked++
	return a.answer(a.asked)
}

// TestResumeMeetsAProbe: an operator who has put the destination right resumes while an older answer of it is under
// way: that one does not end the task. A task that is about to end does not take the resume.
func TestResumeMeetsAProbe(t *testing.T) {
	t.Parallel()
	wrong := &connector.WrongError{Err: errors.New("no such table"), Remedy: "Create it."}
	task := newSinkTask(taskOptions{Config: connector.Config{}})
	sink := &answering{answer: func(asked int) error {
		if asked == 1 {
			if !task.Retry() {
				t.Error("a task that asks does not take a resume")
			}
			return wrong
		}
		return nil
	}}
	var failed error
	task.probe(t.Context(), sink, func(err error) { failed = err })
	if failed != nil || sink.asked != 2 {
		t.Errorf("asked %d times, failed with %v: want 2 and no failure", sink.asked, failed)
	}
	task.probe(t.Context(), &answering{answer: func(int) error { return wrong }}, func(err error) { failed = err })
	if !errors.Is(failed, wrong) {
		t.Errorf("failed with %v, want %v", failed, wrong)
	}
	if task.Retry() {
		t.Error("a task that is about to end takes a resume that is lost with it")
	}
}
