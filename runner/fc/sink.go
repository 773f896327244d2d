package fc

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
)

// sink serves one task: runs of batches become invocations of one function.
type sink struct {
	client   *client
	classify *classifier
	shape    shape
	buffers  *buffers
	id       string // the connector's, for invocation IDs
	sync     bool
	dedup    bool // sends invocation IDs
	split    bool
	retries  int          // further attempts after a failure of the record's own
	inflight int          // requests of a partition at once
	stops    bool         // a batch that is refused for good stops its partition, and with order those behind it
	spent    atomic.Int64 // how long a request takes, in nanoseconds; 0: not known
	known    atomic.Int64 // so many requests has spent been learnt from
	limit    atomic.Int64 // the function's own time limit, in nanoseconds; 0: not known
	flowing  atomic.Bool  // the last request was taken, or some before it
}

var (
	_ connector.Sink    = (*sink)(nil)
	_ connector.Patient = (*sink)(nil)
	_ connector.Chunk   = (*chunk)(nil)
)

const (
	// runTime is about how long the requests of one run should take: what is redone
	// after a crash, and what a rebalance waits for.
	runTime = 500 * time.Millisecond
	// firstRun is how many asynchronous requests a run has before it is known how long one
	// takes; of synchronous ones it has one.
	firstRun = 4
	// usualLimit is the time that a function is given where its limit is not known: the
	// longest of those that answer while somebody waits.
	usualLimit = 10 * time.Minute
	// runBytes and runRecords bound a run of small batches.
	runBytes   = 4 << 20
	runRecords = 20_000
	// window is how long the service remembers invocation IDs ("Stateful asynchronous
	// invocation": seven days), less an hour.
	window = 7*24*time.Hour - time.Hour
)

func newSink(_ context.Context, cfg connector.Config, deps connector.Deps) (connector.Sink, error) {
	s, err := settings(cfg)
	if err != nil {
		return nil, err
	}
	if s.client, err = newClient(cfg, deps); err != nil {
		return nil, err
	}
	s.classify = s.client.classify
	s.id = deps.ConnectorID
	return s, nil
}

// settings is a sink without a client, which the preview makes do with.
func settings(cfg connector.Config) (*sink, error) {
	shape, err := newShape(cfg)
	if err != nil {
		return nil, err
	}
	s := &sink{shape: shape, buffers: &buffers{}, sync: cfg.Get(keyMode) == modeSync, split: cfg.Get(keyOnError) == onErrorSplit,
		retries: int(cfg.Int(connector.KeyRetries)), inflight: 1}
	s.dedup = !s.sync && cfg.Bool(keyAsyncID)
	if cfg.Get(keyOrdering) == orderingNone {
		s.inflight = max(int(cfg.Int(keyInflight)), 1)
	}
	s.stops = s.inflight == 1 && cfg.Get(connector.KeyTolerance) == connector.ToleranceFail
	return s, nil
}

// Begin opens a chunk, which is a run of batches.
func (s *sink) Begin(_ context.Context, at connector.Range, redo *connector.Intent) (connector.Chunk, error) {
	c := &chunk{s: s, at: at, made: time.Now(), allowed: s.allowed()}
	c.cutter = cutter{shape: s.shape, buffers: s.buffers}
	c.written.next = at.First
	if redo != nil {
		cuts, made, err := parsePayload(redo.Payload, redo.First)
		if err != nil {
			return nil, err
		}
		c.cuts, c.made, c.redo = cuts, made, true
	}
	return c, nil
}

// Resolve never knows: what was submitted is not asked for. The range is published
// again in the same batches; the service refuses those whose ID it knows, as long as it
// remembers them.
func (s *sink) Resolve(_ context.Context, in connector.Intent, _ connector.Guard) (connector.Outcome, error) {
	cuts, made, err := parsePayload(in.Payload, in.First)
	if err != nil {
		return connector.Outcome{}, err
	}
	switch age := time.Since(made); {
	case s.dedup && age > window:
		return connector.Outcome{Kind: connector.Unknown,
			Detail: fmt.Sprintf("%d requests were being submitted on %s; the service has forgotten their IDs since, and would take them twice", len(cuts), made.UTC().Format(time.DateTime))}, nil
	case s.dedup:
		return connector.Outcome{Kind: connector.Redo, Detail: fmt.Sprintf("%d requests are submitted again; the service refuses those that it has", len(cuts))}, nil
	}
	return connector.Outcome{Kind: connector.Redo, Detail: fmt.Sprintf("%d requests are made again; some may have been made before", len(cuts))}, nil
}

// Close ends idle connections.
func (s *sink) Close() error {
	s.client.close()
	return nil
}

// allowed is how many requests a run begun now may have.
func (s *sink) allowed() int {
	d := s.spent.Load()
	switch {
	case s.stops: // what is behind a refused batch must not be in the same intent
		return 1
	case d == 0 && s.sync:
		return s.inflight
	case d == 0:
		return firstRun * s.inflight
	}
	// What few requests took says little of many.
	return int(max(min(int64(runTime)*int64(s.inflight)/d, max(s.known.Load(), int64(firstRun*s.inflight))), 1))
}

// Patience is how long a request may take: a synchronous one as long as the function.
func (s *sink) Patience() time.Duration {
	if !s.sync {
		return answerTime
	}
	if limit := s.limit.Load(); limit > 0 {
		return time.Duration(limit)
	}
	return usualLimit
}

// took notes how long a request took, in an average that rises fast and falls slowly: where a few among many
// are slow, a run that the quick ones have made long would take as long as the slow ones in it.
func (s *sink) took(d time.Duration) {
	s.known.Add(1)
	before := s.spent.Load()
	weight := int64(16)
	if int64(d) < before {
		weight = 128
	}
	if before == 0 {
		weight = 1
	}
	s.spent.Store(max(before+(int64(d)-before)/weight, 1))
}

var idEncoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// invocationID names a batch for the service: the same records of the same log, read in
// the same replay, have the same name, whoever sends them.
func invocationID(connectorID string, at *connector.Range, first, last int64) string {
	var b []byte
	for _, part := range []string{connectorID, at.Epoch, at.TopicID} {
		b = append(strconv.AppendInt(b, int64(len(part)), 10), ':')
		b = append(b, part...)
	}
	for _, n := range []int64{int64(at.Partition), first, last} {
		b = append(strconv.AppendInt(b, n, 10), ',')
	}
	sum := sha256.Sum256(b)
	return "s_" + strings.ToLower(idEncoding.EncodeToString(sum[:]))
}
