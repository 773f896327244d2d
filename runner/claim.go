package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
)

// Claim is which installation runs a connector, as its configuration topic has it.
type Claim struct {
	Installation string    `json:"installation"` // "" when none does
	Ours         bool      `json:"ours"`
	Name         string    `json:"name"` // of the connector there
	Class        string    `json:"class"`
	Version      int       `json:"version"`
	Since        time.Time `json:"since"`
	// Members are the members that other nodes have in the connector's group now: a
	// connector that is stopped there has none.
	Members int `json:"members"`
}

// ClaimedError is why a connector does not run: another installation does run it.
type ClaimedError struct {
	Topic        string
	Installation string
	Since        time.Time
	// Taken: it ran here until the other one took it over.
	Taken bool
}

func (e *ClaimedError) Error() string {
	if e.Taken {
		return fmt.Sprintf("another installation (%s) took the connector over at %s", e.Installation, e.Since.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	return fmt.Sprintf("the configuration topic %s does not let this connector start: another installation (%s) runs it", e.Topic, e.Installation)
}

// wrong is the error with what a person can do.
func (e *ClaimedError) wrong() *connector.WrongError {
	w := &connector.WrongError{Field: connector.KeyConfigTopic, Err: e,
		Remedy: "Stop the connector there, then take it over here; or give this one a name or topics of its own."}
	if e.Taken {
		w.Remedy = "It goes on there, nothing is lost. Delete it here (the topics and groups stay), or take it back."
	}
	return w
}

var (
	// ErrNotClaimed: no other installation runs the connector, so there is nothing to take over.
	ErrNotClaimed = errors.New("no other installation runs this connector; resume it if it does not run")
	// ErrClaimChanged: it is not the named installation that runs the connector.
	ErrClaimChanged = errors.New("it is another installation that runs the connector by now; look again")
)

// foreignTo tells whether the record says that another installation runs the connector.
func (c *currentRecord) foreignTo(installation string) bool {
	return c != nil && !c.Released && c.Installation != installation
}

// Claim reads who runs a connector. A topic that does not exist, or that holds nothing
// of Sluice's, claims nothing.
func (s *Supervisor) Claim(ctx context.Context, id int64) (Claim, error) {
	c, err := s.o.Store.ConnectorByID(ctx, id)
	if err != nil {
		return Claim{}, err
	}
	sub, err := s.subject(ctx, c)
	if err != nil {
		return Claim{}, err
	}
	admin, err := kafka.OpenAdmin(ctx, sub.cluster)
	if err != nil {
		return Claim{}, fmt.Errorf("connecting to instance %s: %w", sub.instance.Name, err)
	}
	defer admin.Close()
	if _, err := admin.Topic(ctx, sub.names.configTopic); errors.Is(err, kafka.ErrNoTopic) {
		return Claim{}, nil
	}
	j := &journal{s: s, sub: sub, configs: map[string]connector.Config{}}
	var wrong *connector.WrongError
	switch err := readCompacted(ctx, sub.cluster, sub.names.configTopic, j.load); {
	case errors.Is(err, kafka.ErrNoTopic), errors.As(err, &wrong):
		return Claim{}, nil
	case err != nil:
		return Claim{}, fmt.Errorf("reading the configuration topic %s: %w", sub.names.configTopic, err)
	}
	cur := j.current
	if cur == nil || cur.Released {
		return Claim{}, nil
	}
	out := Claim{Installation: cur.Installation, Ours: cur.Installation == s.o.Installation, Name: cur.Name, Class: cur.Class, Version: cur.Version, Since: cur.Time}
	group := sub.names.group
	if sub.spec.Kind == connector.KindSource {
		group = sub.names.clusterGroup
	}
	if g, err := admin.DescribeGroup(ctx, group); err == nil {
		out.Members = len(g.Members) - len(s.ownSeats(g))
	}
	return out, nil
}

// TakeOver makes this installation the one that runs the connector, in place of the one
// named from, which stops it within seconds when it still runs. Positions and what is
// on its way to the destination are taken over as they stand.
func (s *Supervisor) TakeOver(ctx context.Context, id int64, from string) error {
	release, err := s.hold(id, errSuspend)
	if err != nil {
		return err
	}
	defer release()
	c, err := s.o.Store.ConnectorByID(ctx, id)
	if err != nil {
		return err
	}
	sub, err := s.subject(ctx, c)
	if err != nil {
		return err
	}
	j, err := openJournal(ctx, s, sub)
	if err != nil {
		return err
	}
	defer j.close()
	switch cur := j.current; {
	case !cur.foreignTo(s.o.Installation):
		return ErrNotClaimed
	case cur.Installation != from:
		return ErrClaimChanged
	case cur.Class != sub.row.Class:
		return &connector.WrongError{Field: connector.KeyConfigTopic, Err: fmt.Errorf("the topic %s belongs to a connector of another type, %s", sub.names.configTopic, cur.Class),
			Remedy: "Name topics and a group of its own for this connector."}
	}
	if err := j.write(ctx, sub.spec.Hash(sub.config), false); err != nil {
		return err
	}
	s.lines.add(LogLine{ConnectorID: id, Time: time.Now(), Level: LogWarn, Task: -1, Message: "Taken over from another installation.", Fields: map[string]string{"installation": from}})
	return nil
}

// claimEvery is how often a running connector looks whether it was taken over.
const claimEvery = 3 * time.Second

// lostClaim ends a run: the tasks leave their group as at a suspension, and the run
// fails with why.
type lostClaim struct{ why *ClaimedError }

func (e *lostClaim) Error() string   { return e.why.Error() }
func (e *lostClaim) Unwrap() []error { return []error{errSuspend, e.why} }

// lost is why the run's claim is gone; nil when it is not.
func lost(ctx context.Context) error {
	var gone *lostClaim
	if errors.As(context.Cause(ctx), &gone) {
		return gone.why.wrong()
	}
	return nil
}

// watch follows the configuration topic until ctx ends and calls give with the reason
// when another installation has taken the connector over. That the topic cannot be read
// ends nothing: delivery has fences of its own.
func (j *journal) watch(ctx context.Context, give context.CancelCauseFunc) {
	pause := backoff{min: claimEvery, max: time.Minute}
	for ctx.Err() == nil {
		if by := j.follow(ctx); by != nil {
			give(&lostClaim{by})
			return
		}
		if !wait(ctx, pause.next()) {
			return
		}
	}
}

// follow reads the topic from its start and goes on reading; nil when that failed.
func (j *journal) follow(ctx context.Context) *ClaimedError {
	reader, err := kafka.OpenReader(ctx, j.sub.cluster)
	if err != nil {
		return nil
	}
	defer reader.Close()
	tp := kafka.TP{Topic: j.sub.names.configTopic}
	offsets, err := kafka.OpenOffsets(ctx, j.sub.cluster)
	if err != nil {
		return nil
	}
	marks, err := offsets.Watermarks(ctx, tp)
	offsets.Close()
	if err != nil {
		return nil
	}
	var last *currentRecord
	for at := marks[tp].Start; ; {
		page, err := reader.Fetch(ctx, tp, at, 1<<20, 0)
		if err != nil {
			return nil
		}
		for i := range page.Records {
			if string(page.Records[i].Key) != journalCurrent {
				continue
			}
			var c currentRecord
			if json.Unmarshal(page.Records[i].Value, &c) == nil && c.Installation != "" {
				last = &c
			}
		}
		if page.Next > at {
			at = page.Next
			continue
		}
		if last.foreignTo(j.s.o.Installation) {
			return &ClaimedError{Topic: tp.Topic, Installation: last.Installation, Since: last.Time, Taken: true}
		}
		if !wait(ctx, claimEvery) {
			return nil
		}
	}
}
