package kafka

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/IBM/sarama"

	"github.com/sluice-io/sluice/runner/record"
)

// pageOf reads a fetch answer: what is visible from offset on.
func pageOf(block *sarama.FetchResponseBlock, tp TP, offset int64, version int16) (Page, error) {
	page := Page{Next: offset, Watermarks: Watermarks{Start: -1, LSO: block.LastStableOffset, End: block.HighWaterMarkOffset}}
	if version >= 5 {
		page.Start = block.LogStartOffset
	}
	if version < 4 || page.LSO < 0 {
		page.LSO = page.End
	}
	// The list says where the aborted transactions of a producer begin; each ends at
	// the producer's abort marker. See "Aborted transactions" of the Fetch API.
	pending := slices.SortedFunc(slices.Values(block.AbortedTransactions), func(a, b *sarama.AbortedTransaction) int {
		return int(min(max(a.FirstOffset-b.FirstOffset, -1), 1))
	})
	aborted := make(map[int64]bool)
	for _, set := range block.RecordsSet {
		if set.MsgSet != nil {
			appendLegacy(&page, set.MsgSet, tp, offset)
			continue
		}
		batch := set.RecordBatch
		if batch == nil || batch.FirstOffset >= page.LSO {
			break
		}
		if batch.PartialTrailingRecord {
			// Cut off by maxBytes behind empty batches, which the broker counts as the
			// first one that it sends whole. Alone it would be damage.
			if batch.FirstOffset <= offset {
				return Page{}, fmt.Errorf("the batch at %d is incomplete", batch.FirstOffset)
			}
			page.Next = max(page.Next, batch.FirstOffset)
			break
		}
		for len(pending) > 0 && pending[0].FirstOffset <= batch.LastOffset() {
			aborted[pending[0].ProducerID] = true
			pending = pending[1:]
		}
		switch {
		case batch.Control:
			abort, err := isAbort(batch)
			if err != nil {
				return Page{}, err
			}
			if abort {
				delete(aborted, batch.ProducerID)
			}
		case batch.IsTransactional && aborted[batch.ProducerID]:
		default:
			appendBatch(&page, batch, tp, offset)
		}
		page.Next = max(page.Next, batch.LastOffset()+1)
	}
	if len(block.RecordsSet) == 0 {
		page.Next = max(page.Next, min(afterEmpty(block), page.LSO))
	}
	return page, nil
}

// isAbort reads a control batch: its record's key is a version and a type, int16
// each; type 0 is an abort marker, 1 a commit marker, others concern no reader.
func isAbort(b *sarama.RecordBatch) (bool, error) {
	if len(b.Records) == 0 {
		return false, nil
	}
	if key := b.Records[0].Key; len(key) >= 4 {
		return binary.BigEndian.Uint16(key[2:]) == 0, nil
	}
	return false, fmt.Errorf("control record at %d without a type", b.FirstOffset)
}

// appendBatch adds the records from offset on.
func appendBatch(page *Page, b *sarama.RecordBatch, tp TP, offset int64) {
	first := millis(b.FirstTimestamp)
	for _, r := range b.Records {
		at := b.FirstOffset + r.OffsetDelta
		if at < offset {
			continue
		}
		ts := int64(-1)
		if b.LogAppendTime {
			ts = millis(b.MaxTimestamp)
		} else if first >= 0 {
			ts = first + r.TimestampDelta.Milliseconds()
		}
		page.Records = append(page.Records, record.Record{
			Topic: tp.Topic, Partition: tp.Partition, Offset: at, Timestamp: ts,
			Key: r.Key, Value: r.Value, Headers: headers(r.Headers),
		})
	}
}

// appendLegacy adds records of the message formats 0 and 1. In a compressed format 1
// message the inner offsets count from 0 and the outer one is that of the last.
func appendLegacy(page *Page, set *sarama.MessageSet, tp TP, offset int64) {
	for _, outer := range set.Messages {
		inner := outer.Messages()
		for _, m := range inner {
			at, ts := m.Offset, millis(m.Msg.Timestamp)
			if m.Msg.Version >= 1 {
				at += outer.Offset - inner[len(inner)-1].Offset
				if m.Msg.LogAppendTime {
					ts = millis(outer.Msg.Timestamp)
				}
			}
			if at < offset {
				continue
			}
			page.Records = append(page.Records, record.Record{
				Topic: tp.Topic, Partition: tp.Partition, Offset: at, Timestamp: ts, Key: m.Msg.Key, Value: m.Msg.Value,
			})
			page.Next = max(page.Next, at+1)
		}
	}
}

// afterEmpty is the offset behind the last batch of an answer in which no batch holds
// records (compaction keeps such batches as the memory of a producer).
// sarama leaves empty batches out and keeps the offset in a field that it does not
// export; without it a reader would stand before such a batch for ever. It is 0 when
// the answer has no batch.
func afterEmpty(block *sarama.FetchResponseBlock) int64 {
	next := reflect.ValueOf(block).Elem().FieldByName("recordsNextOffset")
	if !next.IsValid() || next.Kind() != reflect.Pointer || next.IsNil() {
		return 0
	}
	return next.Elem().Int()
}

// headers converts headers.
func headers(hs []*sarama.RecordHeader) []record.Header {
	if len(hs) == 0 {
		return nil
	}
	dst := make([]record.Header, 0, len(hs))
	for _, h := range hs {
		dst = append(dst, record.Header{Key: string(h.Key), Value: h.Value})
	}
	return dst
}

// millis is a timestamp as Kafka writes it, -1 for none.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return -1
	}
	return t.UnixMilli()
}
