package runner

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
)

// Choose carries out what a person chose for a partition that waits for it: the new
// position is committed, fenced as every other, and the task joins again. offset
// counts for choice "position" only. A choice that is not offered gives a
// connector.FieldError.
func (t *sinkTask) Choose(ctx context.Context, tp kafka.TP, choice string, offset int64) error {
	t.mu.Lock()
	s, p := t.session, t.parts[tp]
	t.mu.Unlock()
	notNow := &joiningError{connector.FieldError{Field: "partition", Message: fmt.Sprintf("%s/%d is not delivered by this task now; try again in a moment.", tp.Topic, tp.Partition)}}
	if s == nil || p == nil || s.lines[tp] == nil || s.ctx.Err() != nil {
		return notNow
	}
	p.mu.Lock()
	offered, asked, in, state := p.choices, p.asked, p.intent, p.status.State
	p.mu.Unlock()
	if state != connector.StateGap || !slices.ContainsFunc(offered, func(c connector.Choice) bool { return c.Choice == choice }) {
		return connector.FieldError{Field: "choice", Message: fmt.Sprintf("%q is not offered for %s/%d.", choice, tp.Topic, tp.Partition)}
	}
	if choice == choiceStay {
		return nil
	}
	if asked {
		if answered, ok, err := s.answered(in, choice); err != nil {
			return err
		} else if ok {
			return t.settleAgain(ctx, s, tp, choice, answered, notNow)
		}
	}
	to, err := s.chosen(ctx, tp, choice, offset, in)
	if err != nil {
		return err
	}
	if err := t.fault(stepChoose, tp); err != nil {
		return err
	}
	top, err := s.clients.topic(ctx, tp.Topic)
	if err != nil {
		return fmt.Errorf("looking up topic %s: %w", tp.Topic, err)
	}
	h := newHeader(top.ID, newEpoch(), t.o.Hash, t.o.Spec.EncoderVersion)
	if choice == choiceDone || choice == choiceRedo { // the position does not leave the line it was on
		h.Epoch, h.Last = s.lines[tp].header.Epoch, s.lines[tp].header.Last
	}
	if err := s.commitChoice(ctx, tp, to, h, nil, notNow); err != nil {
		return err
	}
	t.o.Log(LogInfo, fmt.Sprintf("An operator chose %q: the partition goes on at offset %d.", choice, to), map[string]string{"topic": tp.Topic, "partition": fmt.Sprint(tp.Partition)})
	s.end(errRejoin)
	return nil
}

// answered is the intent with a person's answer in it, where the sink keeps answers there.
func (s *taskSession) answered(in *connector.Intent, choice string) (*connector.Intent, bool, error) {
	chooser, ok := s.clients.sink.(connector.Chooser)
	if !ok || in == nil {
		return nil, false, nil
	}
	payload, ok, err := chooser.Choose(*in, choice)
	if err != nil || !ok {
		return nil, false, err
	}
	answered := *in
	answered.Payload = payload
	return &answered, true, nil
}

// settleAgain commits the intent with a person's answer in it, and joins the group anew:
// with its partitions the task resolves their intents.
func (t *sinkTask) settleAgain(ctx context.Context, s *taskSession, tp kafka.TP, choice string, in *connector.Intent, notNow error) error {
	if err := t.fault(stepChoose, tp); err != nil {
		return err
	}
	if err := s.commitChoice(ctx, tp, in.First, s.lines[tp].header, in, notNow); err != nil {
		return err
	}
	t.o.Log(LogInfo, fmt.Sprintf("An operator chose %q: offsets %d to %d are resolved once more with that.", choice, in.First, in.Next-1), map[string]string{"topic": tp.Topic, "partition": fmt.Sprint(tp.Partition)})
	s.end(errRejoin)
	return nil
}

// commitChoice commits what was chosen. notNow is answered where nothing was written
// because the group was just being joined anew.
func (s *taskSession) commitChoice(ctx context.Context, tp kafka.TP, to int64, h header, in *connector.Intent, notNow error) error {
	err := s.commits.commit(ctx, tp, to, h, in, nil)
	if err == nil {
		return nil
	}
	s.end(err)
	if membershipOver(err) && !errors.Is(err, kafka.ErrUnanswered) {
		return notNow
	}
	return err
}

// joining tells that the task is not a member of its group at the moment, or about to
// join it anew.
func (t *sinkTask) joining() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.session == nil || t.session.ctx.Err() != nil
}

// chosen is the offset that a choice means.
func (s *taskSession) chosen(ctx context.Context, tp kafka.TP, choice string, offset int64, in *connector.Intent) (int64, error) {
	switch choice {
	case choiceDone, choiceRedo:
		if in == nil {
			return 0, connector.FieldError{Field: "choice", Message: "Nothing is pending in this partition."}
		}
		if choice == choiceDone {
			return in.Next, nil
		}
		return in.First, nil
	}
	found, err := s.clients.positions.Watermarks(ctx, tp)
	if err != nil {
		return 0, fmt.Errorf("reading the bounds of %s/%d: %w", tp.Topic, tp.Partition, err)
	}
	w := found[tp]
	switch choice {
	case choiceBeginning:
		return w.Start, nil
	case choiceEnd:
		return w.LSO, nil
	case choicePosition:
		if offset < w.Start || offset > w.End {
			return 0, connector.FieldError{Field: "offset", Message: fmt.Sprintf("must be from %d to %d, where the partition's log begins and ends.", w.Start, w.End)}
		}
		return offset, nil
	}
	return 0, connector.FieldError{Field: "choice", Message: fmt.Sprintf("%q is no choice.", choice)}
}

// newEpoch is a replay epoch: 64 random bits in hex.
func newEpoch() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the program instead
	return hex.EncodeToString(b[:])
}
