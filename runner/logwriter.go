package runner

import (
	"context"
	"sync"
	"time"
)

// logWriter takes connector log lines without blocking and writes them in batches.
type logWriter struct {
	store interface {
		AppendLogs(ctx context.Context, lines []LogLine) error
	}
	noted func(error)

	mu    sync.Mutex
	lines []LogLine
	lost  int
	wake  chan struct{}
}

const (
	// maxWaitingLines bounds memory when the database cannot keep up; beyond it lines
	// are counted and dropped, and the log says how many.
	maxWaitingLines = 10_000
	logBatch        = 500
	logEvery        = 100 * time.Millisecond
)

func newLogWriter(store interface {
	AppendLogs(ctx context.Context, lines []LogLine) error
}, noted func(error)) *logWriter {
	return &logWriter{store: store, noted: noted, wake: make(chan struct{}, 1)}
}

func (w *logWriter) add(l LogLine) {
	l.Time = l.Time.UTC()
	w.mu.Lock()
	if len(w.lines) >= maxWaitingLines {
		w.lost++
	} else {
		w.lines = append(w.lines, l)
	}
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// run writes until ctx ends, then what is left.
func (w *logWriter) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			defer cancel()
			for w.flush(last) {
			}
			return
		case <-w.wake:
		}
		for w.flush(ctx) {
		}
		wait(ctx, logEvery)
	}
}

// flush writes one batch; true when there is more.
func (w *logWriter) flush(ctx context.Context) bool {
	w.mu.Lock()
	n := min(len(w.lines), logBatch)
	batch := append([]LogLine(nil), w.lines[:n]...)
	w.lines = append(w.lines[:0], w.lines[n:]...)
	lost := w.lost
	w.lost = 0
	more := len(w.lines) > 0
	w.mu.Unlock()
	if lost > 0 && n > 0 {
		l := batch[n-1]
		batch = append(batch, LogLine{ConnectorID: l.ConnectorID, Time: l.Time, Level: LogWarn, Task: -1, Message: "Log lines were dropped because they came faster than they could be written."})
	}
	if len(batch) == 0 {
		return false
	}
	err := w.store.AppendLogs(ctx, batch)
	if ctx.Err() == nil || err == nil {
		w.noted(err)
	}
	return more && err == nil
}
