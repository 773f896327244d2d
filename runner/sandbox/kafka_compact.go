package sandbox

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// kfake compacts a partition by removing its segment files and writing new ones: a kill or a full disk in between loses
// the partition. It also lets records of a transaction that is still open supersede committed ones, which are gone when
// the transaction is aborted. So its own timer is off, and compact lets it work only while no transaction is open, with
// hard links to the files beside it that the next start restores where the new files do not reach as far.

// compactMinimum is how large the compacted topics must be, all together, before it is worth while, in bytes.
const compactMinimum = 8 << 20

// compact compacts the topics whose cleanup.policy says so. What goes wrong is logged: the topics stay as they are.
func (k *Kafka) compact(ctx context.Context) {
	if err := k.tryCompact(ctx, compactMinimum); err != nil && ctx.Err() == nil {
		k.log.Warn("the embedded broker's topics were not compacted; they grow until the next try", slog.Any("error", err))
	}
}

func (k *Kafka) tryCompact(ctx context.Context, minimum int64) error {
	compacted, err := compactedTopics(k.logDir())
	if err != nil {
		return err
	}
	var size int64
	err = eachPartition(k.logDir(), func(topic string, _ int32, _ string, segments []segmentFile) error {
		for _, segment := range segments {
			if compacted[topic] {
				size += segment.size
			}
		}
		return nil
	})
	if err != nil || size < minimum || len(compacted) == 0 {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	busy, err := anyTransactionOpen(ctx, k.addr)
	if err != nil || busy {
		return err
	}
	if err := linkPartitions(k.logDir(), k.backupDir(), compacted); err != nil {
		return errors.Join(fmt.Errorf("linking files before compaction: %w", err), os.RemoveAll(k.backupDir()))
	}
	k.cluster.Compact()
	return finishCompaction(k.logDir(), k.backupDir())
}

// compactedTopics names the topics that are compacted.
func compactedTopics(dir string) (map[string]bool, error) {
	topics, err := brokerTopics(dir)
	if err != nil {
		return nil, err
	}
	compacted := make(map[string]bool)
	for name, topic := range topics {
		if strings.Contains(topic.Configs["cleanup.policy"], "compact") {
			compacted[name] = true
		}
	}
	return compacted, nil
}

// anyTransactionOpen asks the broker whether a transaction is under way.
func anyTransactionOpen(ctx context.Context, addr string) (bool, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ClientID("sluice-sandbox"))
	if err != nil {
		return false, err
	}
	defer client.Close()
	request := kmsg.NewPtrListTransactionsRequest()
	response, err := request.RequestWith(ctx, client)
	if err == nil {
		err = kerr.ErrorForCode(response.ErrorCode)
	}
	if err != nil {
		return false, fmt.Errorf("asking for open transactions: %w", err)
	}
	for _, transaction := range response.TransactionStates {
		if transaction.TransactionState == "Ongoing" {
			return true, nil
		}
	}
	return false, nil
}

// linkPartitions makes hard links to the segment files of compacted topics. The broker removes the files, it does not
// write over them, and what it appends before that shows in the links as well.
func linkPartitions(dir, backup string, compacted map[string]bool) error {
	return eachPartition(dir, func(topic string, _ int32, path string, segments []segmentFile) error {
		if !compacted[topic] || len(segments) == 0 {
			return nil
		}
		to := filepath.Join(backup, "partitions", filepath.Base(path))
		if err := os.MkdirAll(to, 0o700); err != nil {
			return err
		}
		for _, segment := range segments {
			for _, name := range []string{segment.name(), segment.indexName()} {
				if err := os.Link(filepath.Join(path, name), filepath.Join(to, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
					return err
				}
			}
		}
		return nil
	})
}

// finishCompaction removes the links once every partition reaches as far as before; else they stay for the next start.
func finishCompaction(dir, backup string) error {
	short, err := shortPartitions(dir, backup)
	if err != nil {
		return err
	}
	if len(short) > 0 {
		return fmt.Errorf("compaction lost the end of %d partitions, %s among them; restart the sandbox, which restores them", len(short), short[0])
	}
	return os.RemoveAll(backup)
}

// restoreCompacted puts back partitions whose compaction a kill interrupted.
func restoreCompacted(dir, backup string) error {
	short, err := shortPartitions(dir, backup)
	if err != nil {
		return err
	}
	for _, name := range short {
		if err := restorePartition(filepath.Join(backup, "partitions", name), filepath.Join(dir, "partitions", name)); err != nil {
			return err
		}
	}
	return os.RemoveAll(backup)
}

// restorePartition puts the files of one folder in the place of another's. It makes links again, so that a kill in here
// changes nothing.
func restorePartition(from, to string) error {
	files, err := os.ReadDir(to)
	if err != nil {
		return err
	}
	for _, file := range files {
		if kind := filepath.Ext(file.Name()); kind == ".dat" || kind == ".idx" {
			if err := os.Remove(filepath.Join(to, file.Name())); err != nil {
				return err
			}
		}
	}
	if files, err = os.ReadDir(from); err != nil {
		return err
	}
	for _, file := range files {
		if err := os.Link(filepath.Join(from, file.Name()), filepath.Join(to, file.Name())); err != nil {
			return err
		}
	}
	return nil
}

// shortPartitions names the folders of partitions that end before their links do. A topic deleted since is not one.
func shortPartitions(dir, backup string) ([]string, error) {
	var short []string
	err := eachPartition(backup, func(_ string, _ int32, path string, segments []segmentFile) error {
		current := filepath.Join(dir, "partitions", filepath.Base(path))
		now, err := segmentsOf(current)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		before, err := logEnd(path, segments)
		if err != nil {
			return err
		}
		after, err := logEnd(current, now)
		if err != nil {
			return err
		}
		if after < before {
			short = append(short, filepath.Base(path))
		}
		return nil
	})
	return short, err
}

// logEnd returns the offset behind the last whole batch.
func logEnd(path string, segments []segmentFile) (end int64, err error) {
	for _, segment := range segments {
		err := eachBatch(filepath.Join(path, segment.name()), func(head []byte) {
			last := int64(binary.BigEndian.Uint64(head[batchBaseOffset:])) + int64(int32(binary.BigEndian.Uint32(head[batchLastDelta:])))
			end = max(end, last+1)
		})
		if err != nil {
			return 0, err
		}
	}
	return end, nil
}
