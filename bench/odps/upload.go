package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/aliyun/aliyun-odps-go-sdk/odps"
	"github.com/aliyun/aliyun-odps-go-sdk/odps/account"
	"github.com/aliyun/aliyun-odps-go-sdk/odps/data"
	"github.com/aliyun/aliyun-odps-go-sdk/odps/tunnel"
	"golang.org/x/sync/errgroup"

	"github.com/sluice-io/sluice/bench/kit"
	"github.com/sluice-io/sluice/e2e/harness"
)

// uploadRole is the argument that makes this program the SDK's upload loop.
const uploadRole = "upload"

// distinct is how many values the loop goes round in; snappy looks back 64 KiB, so it sees no value twice.
const distinct = 20_000

// upload is the vendor's SDK fed from memory: sessions of so many rows, one block each, compressed with snappy as the
// connector does, several at once.
func upload(args []string, out io.Writer) error {
	flags := flag.NewFlagSet(uploadRole, flag.ContinueOnError)
	endpoint := flags.String("endpoint", "", "the service's endpoint")
	records := flags.Int64("records", 0, "rows to upload")
	size := flags.Int("bytes", 200, "size of a value")
	kind := flags.String("value", "log", "kind of value")
	flush := flags.Int64("flush", 100_000, "rows of a session")
	loops := flags.Int("loops", 2, "sessions at the same time")
	if err := flags.Parse(args); err != nil {
		return err
	}
	value, err := kit.ValueMaker(*kind, *size)
	if err != nil {
		return err
	}
	values := make([]data.String, distinct)
	for i := range values {
		values[i] = data.String(value(int64(i)))
	}
	before, err := harness.CPUSeconds(os.Getpid())
	if err != nil {
		return err
	}
	start := time.Now()
	var next atomic.Int64
	var group errgroup.Group
	for range *loops {
		// Neither the SDK's client nor its tunnel may be shared: both keep what they found out without a lock.
		client := odps.NewOdps(account.NewAliyunAccount(harness.OSSKeyID, harness.OSSKeySecret), *endpoint)
		client.SetDefaultProjectName(harness.ODPSProject)
		l := &uploader{tunnel: tunnel.NewTunnel(client), values: values}
		group.Go(func() error {
			for first := next.Add(*flush) - *flush; first < *records; first = next.Add(*flush) - *flush {
				if err := l.session(first, min(first+*flush, *records)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	m := kit.Measured{Seconds: time.Since(start).Seconds()}
	if m.CPU, err = harness.CPUSeconds(os.Getpid()); err != nil {
		return err
	}
	m.CPU -= before
	if m.Peak, err = harness.PeakMemory(os.Getpid()); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(m)
}

type uploader struct {
	tunnel *tunnel.Tunnel
	values []data.String
}

// session uploads rows [first, next) in a session of their own and commits it.
func (l *uploader) session(first, next int64) error {
	u, err := l.tunnel.CreateUploadSession(harness.ODPSProject, harness.ODPSTable, tunnel.SessionCfg.WithPartitionKey("pt='01-01-2026 00'"),
		tunnel.SessionCfg.WithCreatePartition(), tunnel.SessionCfg.WithSnappyFramedCompressor())
	if err != nil {
		return fmt.Errorf("opening a session: %w", err)
	}
	w, err := u.OpenRecordWriter(0)
	if err != nil {
		return fmt.Errorf("opening a block: %w", err)
	}
	row := data.Record{data.String(kit.Topic), nil, nil, nil, nil}
	for n := first; n < next; n++ {
		row[1], row[2], row[4] = data.BigInt(0), data.BigInt(n), l.values[n%distinct]
		if err := w.Write(row); err != nil {
			_ = w.Close() // the first error says what is wrong
			return fmt.Errorf("writing: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("closing a block: %w", err)
	}
	if err := u.Commit([]int{0}); err != nil {
		return fmt.Errorf("committing: %w", err)
	}
	return nil
}
