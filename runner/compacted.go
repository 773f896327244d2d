package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sluice-io/sluice/runner/kafka"
)

// compactedClients are what reading a compacted topic needs, opened at the same time.
type compactedClients struct {
	reader  *kafka.Reader
	offsets *kafka.Offsets
	admin   *kafka.Admin
}

func openCompacted(ctx context.Context, cluster kafka.Cluster) (*compactedClients, error) {
	c := &compactedClients{}
	var reader, offsets, admin error
	var all sync.WaitGroup
	all.Go(func() { c.reader, reader = kafka.OpenReader(ctx, cluster) })
	all.Go(func() { c.offsets, offsets = kafka.OpenOffsets(ctx, cluster) })
	all.Go(func() { c.admin, admin = kafka.OpenAdmin(ctx, cluster) })
	all.Wait()
	if err := errors.Join(reader, offsets, admin); err != nil {
		c.close()
		return nil, cmp.Or(reader, offsets, admin)
	}
	return c, nil
}

func (c *compactedClients) close() {
	if c.reader != nil {
		c.reader.Close()
	}
	if c.offsets != nil {
		c.offsets.Close()
	}
	if c.admin != nil {
		c.admin.Close()
	}
}

// readCompacted feeds every record of a topic, oldest first in each partition, to use.
// It reads to the last stable offset as of its start.
func readCompacted(ctx context.Context, cluster kafka.Cluster, topic string, use func(key string, value []byte) error) error {
	c, err := openCompacted(ctx, cluster)
	if err != nil {
		return err
	}
	defer c.close()
	t, err := expectTopic(ctx, c.admin, topic)
	if err != nil {
		return err
	}
	tps := make([]kafka.TP, 0, len(t.Partitions))
	for _, p := range t.Partitions {
		tps = append(tps, kafka.TP{Topic: topic, Partition: p})
	}
	var marks map[kafka.TP]kafka.Watermarks
	err = untilKnown(ctx, func() (err error) { marks, err = c.offsets.Watermarks(ctx, tps...); return err })
	if err != nil {
		return fmt.Errorf("reading the bounds of %s: %w", topic, err)
	}
	for _, tp := range tps {
		for at := marks[tp].Start; at < marks[tp].LSO; {
			var page kafka.Page
			err := untilKnown(ctx, func() (err error) { page, err = c.reader.Fetch(ctx, tp, at, 1<<20, time.Second); return err })
			if err != nil {
				return err
			}
			for i := range page.Records {
				if err := use(string(page.Records[i].Key), page.Records[i].Value); err != nil {
					return err
				}
			}
			at = page.Next
		}
	}
	return nil
}
