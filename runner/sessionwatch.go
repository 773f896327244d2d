package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
)

const (
	boundsEvery = 2 * time.Second
	topicsEvery = 15 * time.Second
)

// errReopen: the task closes its clients and joins with new ones, at once.
var errReopen = errors.New("the task connects anew")

// watch follows the ends of the claimed partitions, for lag and for idle partitions,
// and the source topics themselves: deleted, made again, more partitions.
func (s *taskSession) watch() {
	ctx := s.kafka.Context()
	bounds, topics := time.NewTicker(min(boundsEvery, s.t.o.look)), time.NewTicker(s.t.o.look)
	defer bounds.Stop()
	defer topics.Stop()
	s.watchBounds(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-bounds.C:
			s.watchBounds(ctx)
		case <-topics.C:
			s.watchTopics(ctx)
		}
	}
}

func (s *taskSession) watchBounds(ctx context.Context) {
	tps := make([]kafka.TP, 0, len(s.lines))
	for tp := range s.lines {
		tps = append(tps, tp)
	}
	if len(tps) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	found, err := s.clients.positions.Watermarks(ctx, tps...)
	if err != nil {
		return // the figures stay as they are; reading and committing tell of a cluster that is away
	}
	for tp, w := range found {
		l := s.lines[tp]
		if l == nil {
			continue
		}
		l.st.end.Store(w.LSO)
		position := l.st.position.Load()
		// Idle since the last look: what is there may be nothing that the claim shows.
		if w.LSO > position && position == l.looked && l.st.busy.Load() == 0 {
			l.probe.Store(true)
			l.nudge()
		}
		l.looked = position
	}
}

// probed ends a line's look at its tail and wakes the next one that is to take one.
func (s *taskSession) probed() {
	s.probing.Unlock()
	for _, l := range s.lines {
		if l.probe.Load() {
			l.nudge()
			return
		}
	}
}

func (s *taskSession) watchTopics(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, kafka.DefaultAdminTimeout)
	defer cancel()
	for _, name := range s.t.o.Config.List(connector.KeyTopics) {
		now, err := s.clients.topic(ctx, name)
		gone := errors.Is(err, kafka.ErrNoTopic)
		if err != nil && !gone {
			return
		}
		s.t.mu.Lock()
		wasGone := s.t.missing[name]
		s.t.mu.Unlock()
		before, claimed := s.topics[name]
		switch {
		case gone && !wasGone:
			s.stopTopic(name, &stopError{state: connector.StateFailed, cause: fmt.Sprintf(topicGoneCause, name), remedy: topicGoneRemedy})
			s.end(errReopen)
		case !gone && wasGone:
			s.end(errReopen)
		case claimed && !gone && before.ID != now.ID:
			s.madeAnew(name)
		case claimed && !gone && len(now.Partitions) > len(before.Partitions):
			s.t.o.Log(LogWarn, fmt.Sprintf("Topic %s has %d partitions now, it had %d: records of one key may be in another partition from here on.", name, len(now.Partitions), len(before.Partitions)), nil)
			s.end(errRejoin)
		}
	}
	s.watchOwners(ctx)
}

// proveTopic asks, now or later than now, whether a topic is still the one of the
// assignment: records that were read before the call are of that topic then. Consumers
// name topics by name, so what is fetched at a position of a topic that was deleted and
// made again would otherwise pass for the old topic's next records until the next look.
// Callers that wait at the same time share an answer.
func (s *taskSession) proveTopic(ctx context.Context, name string) error {
	called := time.Now()
	before := s.topics[name]
	if before.ID == "" {
		return nil // a broker without topic ids
	}
	s.proof.Lock()
	defer s.proof.Unlock()
	if s.proved[name].After(called) {
		return nil
	}
	asked := time.Now()
	now, err := s.clients.topic(ctx, name)
	switch {
	case errors.Is(err, kafka.ErrNoTopic):
		return errReopen // joining anew says what is missing
	case err != nil:
		return fmt.Errorf("looking up topic %s: %w", name, err)
	case now.ID != before.ID:
		s.madeAnew(name)
		return errReopen
	}
	s.proved[name] = asked
	return nil
}

// madeAnew stops the partitions of a topic that is another one of the same name.
func (s *taskSession) madeAnew(name string) {
	s.stopTopic(name, anewStop(fmt.Sprintf("the topic %s was deleted and made again while it was read", name)))
	s.end(errReopen)
}

// watchOwners joins again when partitions stay without an owner: a static member that
// comes back keeps the group's old assignment, also when topics or partitions were added
// meanwhile. Joining again with the same member id makes the leader assign anew.
func (s *taskSession) watchOwners(ctx context.Context) {
	g, err := s.clients.admin.DescribeGroup(ctx, s.t.group)
	if err != nil || g.State != "Stable" {
		return
	}
	owned := map[kafka.TP]bool{}
	for _, m := range g.Members {
		for topic, ps := range m.Assigned {
			for _, p := range ps {
				owned[kafka.TP{Topic: topic, Partition: p}] = true
			}
		}
	}
	before := s.unowned
	s.unowned = false
	for name, top := range s.topics {
		for _, p := range top.Partitions {
			s.unowned = s.unowned || !owned[kafka.TP{Topic: name, Partition: p}]
		}
	}
	if s.unowned && before && time.Since(s.t.asked) > 4*s.t.o.look {
		s.t.asked = time.Now()
		s.t.o.Log(LogInfo, "Some partitions belong to no member of the group: the task joins again so that they are assigned.", nil)
		s.end(errRejoin)
	}
}

func (s *taskSession) stopTopic(name string, e *stopError) {
	for tp, l := range s.lines {
		if tp.Topic == name {
			l.stop(e)
		}
	}
}
