package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
)

// written is the fate of a record in a topic that a source writes: such a record is
// delivered where it stands, as soon as its transaction is committed. Who wrote it is not
// in the log, so that only what the connector writes there can be told.
func (s *Service) written(ctx context.Context, c Connector, instance string, tp kafka.TP, offset int64) (Fate, error) {
	parts, err := s.partsOf(ctx, c, tp.Topic)
	if err != nil {
		return Fate{}, err
	}
	if len(parts) == 0 {
		return Fate{}, fieldError("connector", "The connector %s is a source and does not write the topic %s.", quoted(c.Name), quoted(tp.Topic))
	}
	in, cluster, err := s.cluster(ctx, instance)
	if err != nil {
		return Fate{}, err
	}
	if err := s.recordExists(ctx, in, cluster, tp, offset); err != nil {
		return Fate{}, err
	}
	marks, err := s.kafka.Watermarks(ctx, cluster, tp)
	if err != nil {
		return Fate{}, notAnswering(in, err)
	}
	from := strings.Join(parts, ", ")
	if offset >= marks[tp].LSO {
		return Fate{State: FateWaiting, Connector: c.Name,
			Reason: fmt.Sprintf("The connector writes this topic from %s. A transaction that began before the message is still open, so that readers with isolation.level=read_committed do not see it yet.", from)}, nil
	}
	reader, err := s.kafka.Read(ctx, cluster)
	if err != nil {
		return Fate{}, notAnswering(in, err)
	}
	defer reader.Close()
	page, err := reader.Fetch(ctx, tp, offset, fateFetch, time.Second)
	switch {
	case errors.Is(err, kafka.ErrOutOfRange):
		return Fate{}, notFound("Offset %d is no longer in the topic: its retention has passed.", offset)
	case err != nil:
		return Fate{}, notAnswering(in, err)
	case len(page.Records) == 0 || page.Records[0].Offset != offset:
		return Fate{}, notFound("No message is visible at offset %d: it is the end of a transaction, of a transaction that was rolled back, or was removed by compaction.", offset)
	}
	return Fate{State: FateDelivered, Connector: c.Name, Where: fmt.Sprintf("%s-%d at offset %d", tp.Topic, tp.Partition, offset),
		Reason: fmt.Sprintf("The connector writes this topic from %s. The message's transaction is committed: every reader sees it, with isolation.level=read_committed too.", from)}, nil
}

// partsOf names the parts of a source that go to a topic, as it shows them while it runs
// and else by what it has saved.
func (s *Service) partsOf(ctx context.Context, c Connector, topic string) ([]string, error) {
	st, err := s.sup.Status(ctx, c.ID)
	if err != nil {
		return nil, fromSupervisor(err)
	}
	var parts []string
	for _, t := range st.Tasks {
		for _, p := range t.Progress {
			if p.Target == topic && !slices.Contains(parts, p.Name) {
				parts = append(parts, p.Name)
			}
		}
	}
	if len(parts) > 0 {
		return parts, nil
	}
	rows, err := s.sup.SourcePositions(ctx, c.ID)
	if err != nil {
		return nil, fromSupervisor(err)
	}
	for _, p := range rows {
		if p.Offset[connector.OffsetTopic] == topic {
			parts = append(parts, partName(p.Partition))
		}
	}
	return parts, nil
}

// partName is a partition of a source's positions in words.
func partName(partition map[string]any) string {
	names := make([]string, 0, len(partition))
	for key, v := range partition {
		names = append(names, fmt.Sprintf("%s %v", key, v))
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
