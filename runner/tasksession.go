package runner

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
)

// taskSession is one generation of the task's membership: what Setup found in each
// partition, and the lines that deliver them. It implements kafka.Handler.
type taskSession struct {
	t       *sinkTask
	clients *taskClients
	// ctx is what the session runs under; end cancels it with a cause.
	ctx    context.Context
	cancel context.CancelCauseFunc
	// drain outlives the session by drainDeadline: acts under way may finish in it.
	drain     context.Context
	stopDrain context.CancelCauseFunc

	kafka   kafka.Session
	commits *fencedCommits
	lines   map[kafka.TP]*partitionLine
	topics  map[string]kafka.Topic
	side    sync.WaitGroup
	aborted atomic.Bool
	release func() // of the fetch buffers' part of the budget
	unowned bool   // the last look found partitions that no member has
	probing sync.Mutex
	redoing chan struct{} // places for partitions that deliver a range again

	proof  sync.Mutex
	proved map[string]time.Time // when the last look that found a topic unchanged began

	mu    sync.Mutex
	ended error
}

func newTaskSession(t *sinkTask, ctx context.Context, c *taskClients) *taskSession {
	s := &taskSession{t: t, clients: c, lines: map[kafka.TP]*partitionLine{}, topics: map[string]kafka.Topic{}, proved: map[string]time.Time{}, redoing: make(chan struct{}, redoing)}
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	s.drain, s.stopDrain = context.WithCancelCause(context.WithoutCancel(ctx))
	return s
}

// end ends the session for a reason of our own. The first reason counts; only a commit
// without an answer replaces it, because it decides how to join again.
func (s *taskSession) end(err error) {
	s.mu.Lock()
	if s.ended == nil || errors.Is(err, kafka.ErrUnanswered) {
		s.ended = err
	}
	s.mu.Unlock()
	s.cancel(err)
}

// abort ends the session as if the process had died here.
func (s *taskSession) abort(err error) {
	s.aborted.Store(true)
	s.mu.Lock()
	s.ended = err
	s.mu.Unlock()
	s.stopDrain(err)
	s.cancel(err)
}

func (s *taskSession) cause() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

// close is called after the session has run.
func (s *taskSession) close() {
	s.cancel(errSessionEnd)
	s.stopDrain(errSessionEnd)
	s.side.Wait()
	s.t.mu.Lock()
	if s.t.session == s {
		s.t.session = nil
	}
	s.t.mu.Unlock()
	for _, l := range s.lines {
		l.share.leave()
	}
	if s.release != nil {
		s.release()
	}
}

// Setup reads the position of every claim before a record is delivered, and judges it.
func (s *taskSession) Setup(ks kafka.Session) error {
	s.kafka = ks
	s.commits = &fencedCommits{o: &s.t.o, positions: s.clients.positions, divert: s.clients.divert,
		member: ks.Member(), lease: newLease(s.t.o.clock, s.t.o.SessionTimeout)}
	ctx, cancel := context.WithTimeout(ks.Context(), kafka.DefaultAdminTimeout)
	defer cancel()
	if err := s.t.fault(stepSetup, kafka.TP{}); err != nil {
		s.abort(err)
		return err
	}
	if err := s.commits.beat(ctx); err != nil {
		return err
	}
	ks.Resume(ks.Claims()) // sarama remembers over sessions what was paused
	err := s.assign(ctx)
	if err != nil {
		var abort *abortError
		if errors.As(err, &abort) {
			s.abort(err)
		}
		if errors.Is(err, errRejoin) {
			s.end(err)
		}
		return err
	}
	s.release = s.t.o.Budget.reserve(s.fetchBuffers())
	context.AfterFunc(ks.Context(), func() {
		time.AfterFunc(drainDeadline, func() { s.stopDrain(errSessionEnd) })
	})
	s.side.Go(s.beats)
	s.side.Go(s.watch)
	s.publishState()
	return nil
}

// fetchBuffers is what sarama may hold for this session: a response being read, and one
// that waits to be drained.
func (s *taskSession) fetchBuffers() int64 {
	n := int64(s.t.o.Cluster.FetchBytes)
	if n <= 0 {
		n = defaultFetchBytes
	}
	return 2 * min(n, int64(len(s.lines))*mostPartitionFetch)
}

// publishState makes the session the task's running one.
func (s *taskSession) publishState() {
	t := s.t
	t.mu.Lock()
	for _, p := range t.parts {
		p.claimed.Store(s.lines[p.tp] != nil)
	}
	t.session = s
	t.mu.Unlock()
	if t.setStatus(connector.Status{State: connector.StateRunning}) {
		t.o.Log(LogInfo, fmt.Sprintf("Joined the consumer group; partitions of this task: %d.", len(s.lines)), map[string]string{
			"generation": fmt.Sprint(s.commits.member.Generation)})
	}
}

// Consume works on one partition; it returns when the session ends, never before.
func (s *taskSession) Consume(ks kafka.Session, claim kafka.Claim) error {
	if l := s.lines[claim.TP()]; l != nil {
		l.run(claim)
	}
	<-ks.Context().Done()
	return nil
}

// Cleanup has nothing to do: each line has discarded what it could not finish.
func (s *taskSession) Cleanup(kafka.Session) error { return nil }

const (
	// Tasks that start together join one after the other, and each that is in has to
	// join again for the next. Their heartbeats notice it soon: for earlyBeats of them
	// after the beginning of a session, they follow one another by earlyBeatEvery.
	earlyBeatEvery = 200 * time.Millisecond
	earlyBeats     = 10
)

// beats keeps the lease: sarama shows nothing of its own heartbeats. The early ones
// also see that the group rebalances, which sarama's would up to 3 s later.
func (s *taskSession) beats() {
	ctx := s.kafka.Context()
	every := min(heartbeatEvery, s.t.o.SessionTimeout*3/10)
	tick := time.NewTicker(min(earlyBeatEvery, every))
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if n == earlyBeats {
			tick.Reset(every)
		}
		beat, cancel := context.WithTimeout(ctx, s.t.o.SessionTimeout)
		err := s.commits.beat(beat)
		cancel()
		if ctx.Err() == nil && (errors.Is(err, kafka.ErrFenced) || n <= earlyBeats && errors.Is(err, kafka.ErrRebalance)) {
			s.end(err)
			return
		}
	}
}

// state of a partition, kept over sessions.
func (t *sinkTask) partition(tp kafka.TP) *partitionState {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.parts[tp]
	if p == nil {
		p = newPartitionState(tp)
		t.parts[tp] = p
	}
	return p
}
