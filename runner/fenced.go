package runner

import (
	"context"
	"errors"
	"fmt"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
)

// fencedCommits commits positions for one membership of the group (the zero Member
// with only the group set: while the group is empty). Every answered commit renews the
// lease and is mirrored.
type fencedCommits struct {
	o         *taskOptions
	positions taskOffsets
	divert    *divertLine
	member    kafka.Member
	lease     *lease
}

// commit makes offset the position of tp, with the header and an intent (nil: none) in
// its metadata; records to divert are written in the same transaction.
//
// A commit whose answer did not arrive (kafka.ErrUnanswered) is never sent again: the
// old bytes may still arrive.
func (f *fencedCommits) commit(ctx context.Context, tp kafka.TP, offset int64, h header, in *connector.Intent, outs []kafka.Out) error {
	text, err := encodeMetadata(h, in)
	if err != nil {
		return &stopError{state: connector.StateFailed, cause: fmt.Sprintf("What is about to be delivered could not be written down: %v.", err),
			remedy: "Lower flush.size so that a chunk needs a shorter description, then resume."}
	}
	at := kafka.Committed{Offset: offset, Metadata: text}
	sentAt := f.lease.now()
	if len(outs) > 0 {
		err = f.divert.write(ctx, outs, f.member, map[kafka.TP]kafka.Committed{tp: at})
	} else {
		err = f.positions.Commit(ctx, f.member, map[kafka.TP]kafka.Committed{tp: at})
	}
	if err != nil {
		return fmt.Errorf("committing position %d of %s/%d: %w", offset, tp.Topic, tp.Partition, err)
	}
	f.lease.answered(sentAt)
	f.o.OnCommit(MirroredPosition{ConnectorID: f.o.Connector.ID, Topic: tp.Topic, Partition: tp.Partition,
		Offset: offset, Metadata: text, TopicID: h.TopicID})
	return nil
}

// beat sends a heartbeat of our own: what keeps the lease while nothing is committed.
func (f *fencedCommits) beat(ctx context.Context) error {
	sentAt := f.lease.now()
	if err := f.positions.Heartbeat(ctx, f.member); err != nil {
		return fmt.Errorf("sending a heartbeat: %w", err)
	}
	f.lease.answered(sentAt)
	return nil
}

// membershipOver tells of errors after which this membership may write nothing more.
func membershipOver(err error) bool {
	return errors.Is(err, kafka.ErrUnanswered) || errors.Is(err, kafka.ErrRebalance) || errors.Is(err, kafka.ErrFenced) || errors.Is(err, errLeaseLost)
}

// stopError stops one partition in a state of its own, until a person acts.
type stopError struct {
	state   connector.State // StateFailed or StateGap
	cause   string
	detail  string // what belongs to the cause at length, for the log
	remedy  string
	wrong   bool   // the settings cannot work: no partition can go on
	field   string // the setting that is the cause, "" when none is
	lost    string
	choices []connector.Choice
	asked   bool // the choices are the sink's
}

func (e *stopError) Error() string { return e.cause }
