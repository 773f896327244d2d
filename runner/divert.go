package runner

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"unicode/utf8"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
	"github.com/sluice-io/sluice/runner/record"
)

// Headers of a diverted record: Kafka Connect's names.
const (
	headTopic     = "__connect.errors.topic"
	headPartition = "__connect.errors.partition"
	headOffset    = "__connect.errors.offset"
	headConnector = "__connect.errors.connector.name"
	headTask      = "__connect.errors.task.id"
	headStage     = "__connect.errors.stage"
	headClass     = "__connect.errors.class.name"
	headException = "__connect.errors.exception.class.name"
	headMessage   = "__connect.errors.exception.message"
)

const (
	// maxReason bounds the text of the reason, so that a diverted record outgrows its
	// source by less than the 64 KiB that the topics allow for it.
	maxReason = 4 << 10
	// maxDiverted and maxDivertedBytes close a chunk that diverts much: its
	// transaction must end well within its timeout.
	maxDiverted      = 1000
	maxDivertedBytes = 4 << 20
)

// divertLine is a task's transactional producer, shared by its partitions: one
// transaction at a time.
type divertLine struct {
	open func(context.Context) (taskTxn, error)

	mu  sync.Mutex
	txn taskTxn
}

// write produces the records and commits the positions in one transaction.
func (d *divertLine) write(ctx context.Context, outs []kafka.Out, m kafka.Member, ps map[kafka.TP]kafka.Committed) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.txn.Broken() {
		return fmt.Errorf("the transactional producer has to be opened anew: %w", errReopen)
	}
	err := d.txn.Write(ctx, outs, m, ps)
	if err == nil {
		return nil
	}
	if errors.Is(err, kafka.ErrMessageTooLarge) && d.txn.Broken() {
		// Nothing of it was committed, and the other partitions need the producer.
		if again, oerr := d.open(ctx); oerr == nil {
			_ = d.txn.Close()
			d.txn = again
		}
	}
	return fmt.Errorf("writing %d diverted records: %w", len(outs), err)
}

func (d *divertLine) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	_ = d.txn.Close()
}

// diverted is the record as it goes to the dead-letter or the abnormal data topic:
// key, value and headers kept, the reason added as text.
func (o *taskOptions) diverted(r *record.Record, e *connector.RecordError) kafka.Out {
	topic := o.AbnormalTopic
	if e.DeadLetter {
		topic = o.DeadLetterTopic
	}
	headers := make([]record.Header, 0, len(r.Headers)+9)
	headers = append(headers, r.Headers...)
	add := func(key, value string) { headers = append(headers, record.Header{Key: key, Value: []byte(value)}) }
	add(headTopic, r.Topic)
	add(headPartition, strconv.Itoa(int(r.Partition)))
	add(headOffset, strconv.FormatInt(r.Offset, 10))
	add(headConnector, o.Connector.Name)
	add(headTask, strconv.Itoa(o.Task))
	add(headStage, string(e.Stage))
	add(headClass, o.Spec.Class)
	add(headException, "RecordError/"+e.Code)
	add(headMessage, clipText(e.Error(), maxReason))
	return kafka.Out{Topic: topic, Partition: -1, Key: r.Key, Value: r.Value, Headers: headers, Timestamp: max(r.Timestamp, 0)}
}

// clipText shortens to at most n bytes without cutting a character.
func clipText(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
