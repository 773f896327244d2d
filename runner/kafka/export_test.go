package kafka

import (
	"context"

	"github.com/IBM/sarama"
)

// Begin does all of Write but the end of the transaction.
func (t *Txn) Begin(ctx context.Context, records []Out, m Member, positions map[TP]Committed) error {
	return t.fill(ctx, records, m, positions)
}

// End ends a transaction that Begin left open.
func (t *Txn) End(ctx context.Context, commit bool) error { return t.end(ctx, commit) }

// Client is the sarama client of o.
func (o *Offsets) Client() sarama.Client { return o.client }

// DeleteRecords removes the records below offset.
func (a *Admin) DeleteRecords(tp TP, offset int64) error {
	return a.ca.DeleteRecords(tp.Topic, map[int32]int64{tp.Partition: offset})
}
