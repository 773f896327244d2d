package sandbox

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Repairs of what kfake's own persistence loses. They read its folder as it writes it: partitions/<topic>-<partition>/
// with snapshot.json, written at an orderly close, and segments <base offset>.dat of record batches. What they do not
// understand they leave alone.

// restoreWatermarks gives back the high-water mark of partitions that hold no record any more. kfake reads it from the
// snapshot only where that names the segment files that are there, and would begin again at offset 0, below positions
// that consumers have committed. An empty segment file at the high-water mark, named by the snapshot, is what it needs.
func restoreWatermarks(dir string, ends *logEnds) error {
	topics, err := brokerTopics(dir)
	if err != nil {
		return err
	}
	return eachPartition(dir, func(name string, partition int32, path string, segments []segmentFile) error {
		for _, segment := range segments {
			if segment.size > 0 {
				return nil
			}
		}
		return restoreWatermark(path, segments, ends.of(topics[name].id(), partition))
	})
}

// restoreWatermark does so for a partition whose segment files, if any, are empty, and whose log ended at noted or later.
func restoreWatermark(path string, empty []segmentFile, noted int64) error {
	file := filepath.Join(path, "snapshot.json")
	snapshot := map[string]any{"version": 1, "created_at": time.Now()}
	raw, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil {
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.UseNumber()
		if err := decoder.Decode(&snapshot); err != nil {
			return fmt.Errorf("reading %s: %w", file, err)
		}
	}
	number, _ := snapshot["high_watermark"].(json.Number)
	mark, _ := number.Int64() // what is no number is 0
	mark = max(mark, noted)
	for _, segment := range empty {
		mark = max(mark, segment.base)
		if err := os.Remove(filepath.Join(path, segment.name())); err != nil {
			return err
		}
	}
	if mark == 0 {
		return nil
	}
	for _, field := range []string{"high_watermark", "log_start_offset", "last_stable_offset"} {
		snapshot[field] = mark
	}
	snapshot["segments"] = []map[string]int64{{"base_offset": mark, "size": 0}}
	if err := os.WriteFile(filepath.Join(path, segmentFile{base: mark}.name()), nil, 0o600); err != nil {
		return err
	}
	return writeJSON(file, snapshot)
}

// openTransaction is a transaction that has records in a partition and no marker that ends it.
type openTransaction struct {
	topic      string
	partition  int32
	producerID int64
	epoch      int16
}

// openTransactions finds the transactions that a killed process left open; after an orderly close, of which kfake's
// session_state.json tells, kfake itself keeps them open. kfake aborts them when it loads the data but
// writes no marker: the marker of the producer's next transaction would then, after one more kill, commit the aborted
// records with its own.
func openTransactions(dir string) ([]openTransaction, error) {
	if _, err := os.Stat(filepath.Join(dir, "session_state.json")); err == nil {
		return nil, nil
	}
	var all []openTransaction
	err := eachPartition(dir, func(topic string, partition int32, path string, segments []segmentFile) error {
		epochs := make(map[int64]int16)
		for _, segment := range segments {
			if err := scanSegment(filepath.Join(path, segment.name()), epochs); err != nil {
				return err
			}
		}
		for id, epoch := range epochs {
			all = append(all, openTransaction{topic, partition, id, epoch})
		}
		return nil
	})
	slices.SortFunc(all, func(a, b openTransaction) int {
		return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition), cmp.Compare(a.producerID, b.producerID))
	})
	return all, err
}

// Layout of a record batch, version 2 (Kafka's documentation, "Record Batch").
const (
	batchHeader        = 61
	batchBaseOffset    = 0  // int64
	batchLength        = 8  // int32, of what follows it
	batchMagic         = 16 // int8
	batchAttributes    = 21 // int16
	batchLastDelta     = 23 // int32
	batchProducerID    = 43 // int64
	batchProducerEpoch = 51 // int16
	attrTransactional  = 0x10
	attrControl        = 0x20
)

// scanSegment follows the transactions of a segment: a transactional batch opens its producer's, a control batch ends it.
func scanSegment(path string, epochs map[int64]int16) error {
	return eachBatch(path, func(head []byte) {
		attributes := binary.BigEndian.Uint16(head[batchAttributes:])
		id := int64(binary.BigEndian.Uint64(head[batchProducerID:]))
		switch {
		case attributes&attrControl != 0:
			delete(epochs, id)
		case attributes&attrTransactional != 0:
			epochs[id] = int16(binary.BigEndian.Uint16(head[batchProducerEpoch:]))
		}
	})
}

// eachBatch calls visit with the header of each whole batch of a segment file, which visit must not keep.
func eachBatch(path string, visit func(head []byte)) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	reader := bufio.NewReaderSize(file, 256<<10)
	var head [batchHeader]byte
	for {
		if _, err := io.ReadFull(reader, head[:]); err != nil {
			if err == io.EOF || err == io.ErrUnexpectedEOF {
				return nil // the end, or a batch that the kill cut short
			}
			return err
		}
		length := int(int32(binary.BigEndian.Uint32(head[batchLength:]))) + 12
		if length < batchHeader || head[batchMagic] != 2 {
			return nil // not what kfake writes: it stops here too
		}
		if n, err := reader.Discard(length - batchHeader); err != nil || n < length-batchHeader {
			return nil
		}
		visit(head[:])
	}
}

// writeAbortMarkers ends transactions with abort markers, as a coordinator does.
func writeAbortMarkers(ctx context.Context, addr string, open []openTransaction) error {
	if len(open) == 0 {
		return nil
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ClientID("sluice-sandbox"))
	if err != nil {
		return err
	}
	defer client.Close()
	request := kmsg.NewPtrWriteTxnMarkersRequest()
	for _, transaction := range open {
		topic := kmsg.NewWriteTxnMarkersRequestMarkerTopic()
		topic.Topic, topic.Partitions = transaction.topic, []int32{transaction.partition}
		marker := kmsg.NewWriteTxnMarkersRequestMarker()
		marker.ProducerID, marker.ProducerEpoch = transaction.producerID, transaction.epoch
		marker.Topics = append(marker.Topics, topic)
		request.Markers = append(request.Markers, marker)
	}
	response, err := request.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	for _, marker := range response.Markers {
		for _, topic := range marker.Topics {
			for _, partition := range topic.Partitions {
				if err := kerr.ErrorForCode(partition.ErrorCode); err != nil {
					return fmt.Errorf("%s-%d: %w", topic.Topic, partition.Partition, err)
				}
			}
		}
	}
	return nil
}

// eachPartition calls visit for each partition's folder with its segment files in order.
func eachPartition(dir string, visit func(topic string, partition int32, path string, segments []segmentFile) error) error {
	root := filepath.Join(dir, "partitions")
	entries, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		dash := strings.LastIndexByte(entry.Name(), '-')
		if dash < 0 || !entry.IsDir() {
			continue
		}
		topic, err := url.PathUnescape(entry.Name()[:dash])
		partition, err2 := strconv.ParseInt(entry.Name()[dash+1:], 10, 32)
		if err != nil || err2 != nil {
			continue
		}
		path := filepath.Join(root, entry.Name())
		segments, err := segmentsOf(path)
		if err != nil {
			return err
		}
		if err := visit(topic, int32(partition), path, segments); err != nil {
			return fmt.Errorf("partition %s-%d: %w", topic, partition, err)
		}
	}
	return nil
}

// segmentFile is a file of record batches, named after the offset of its first.
type segmentFile struct{ base, size int64 }

func (s segmentFile) name() string { return strconv.FormatInt(s.base, 10) + ".dat" }

func (s segmentFile) indexName() string { return strconv.FormatInt(s.base, 10) + ".idx" }

func segmentsOf(path string) ([]segmentFile, error) {
	files, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var segments []segmentFile
	for _, file := range files {
		name, ok := strings.CutSuffix(file.Name(), ".dat")
		base, err := strconv.ParseInt(name, 10, 64)
		if !ok || err != nil {
			continue
		}
		info, err := file.Info()
		if err != nil {
			return nil, err
		}
		segments = append(segments, segmentFile{base, info.Size()})
	}
	slices.SortFunc(segments, func(a, b segmentFile) int { return cmp.Compare(a.base, b.base) })
	return segments, nil
}
