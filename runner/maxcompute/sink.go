package maxcompute

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/sluice-io/sluice/runner/connector"
)

// sink serves one task: chunks become rows of one table.
type sink struct {
	client *client
	shape  *shape
	place  place
	pace   *tablePace
	pool   *segments
	// uploads are places for requests that carry a body.
	uploads chan struct{}
	// idLength is the longest session ID seen, in bytes; 0 before the first.
	idLength atomic.Int64

	mu       sync.Mutex
	table    *table
	verdicts map[string]verdict // of sessions, as far as they are final
}

var (
	_ connector.Sink   = (*sink)(nil)
	_ connector.Prober = (*sink)(nil)
	_ connector.Chunk  = (*chunk)(nil)
)

// uploading is how many blocks of a task are uploaded at once.
const uploading = 6

func newSink(cfg connector.Config, deps connector.Deps, shared *paces) (*sink, error) {
	sh, err := newShape(cfg)
	if err != nil {
		return nil, err
	}
	c, err := newClient(cfg, deps)
	if err != nil {
		return nil, err
	}
	at := place{cfg.Get(keyProject), cfg.Get(keySchema), cfg.Get(keyTable)}
	c.classify.create = sh.ddl(at)
	return &sink{client: c, shape: sh, place: at, pace: shared.get(cfg, deps),
		pool: &segments{}, uploads: make(chan struct{}, uploading), verdicts: map[string]verdict{}}, nil
}

// Close ends idle connections.
func (s *sink) Close() error {
	s.client.close()
	return nil
}

// tableNow gives the table's columns, which are asked for once; renew asks again.
func (s *sink) tableNow(ctx context.Context, renew bool) (*table, error) {
	s.mu.Lock()
	t := s.table
	s.mu.Unlock()
	if t != nil && !renew {
		return t, nil
	}
	t, err := s.client.loadTable(ctx, s.place)
	if err != nil {
		return nil, err
	}
	if err := s.shape.fits(t, s.place); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.table = t
	return t, nil
}

// forget lets the next chunk ask for the table again.
func (s *sink) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.table = nil
}

// Begin opens a chunk. Of a range that is delivered again, the sessions of its intent
// that stand are kept, and only the rows of the others are written.
func (s *sink) Begin(ctx context.Context, at connector.Range, redo *connector.Intent) (connector.Chunk, error) {
	t, err := s.tableNow(ctx, redo != nil)
	if err != nil {
		return nil, err
	}
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c := &chunk{s: s, table: t, mapper: s.shape.newMapper(t), paths: s.shape.path.NewCache(), background: background, cancel: cancel}
	if redo == nil {
		return c, nil
	}
	if err := c.takeOver(ctx, redo); err != nil {
		cancel()
		return nil, err
	}
	return c, nil
}

// takeOver looks at every session of an intent: those that are committed, or can be, are
// kept.
func (c *chunk) takeOver(ctx context.Context, redo *connector.Intent) error {
	entries, err := parsePayload(redo.Payload)
	if err != nil {
		return err
	}
	for _, e := range entries {
		v, err := c.s.judge(ctx, e, redo.Range)
		if err != nil {
			return err
		}
		if v == unsure {
			return &connector.MismatchError{What: fmt.Sprintf("it is not known whether the %d rows of upload session %s are in %s", e.rows, e.session, e.pt)}
		}
		p := &part{pt: e.pt, kept: v != gone, done: v == done}
		if p.kept {
			p.session, p.blocksSent, p.rows = e.session, e.blocks, e.rows
			if p.done { // the service forgets it one day: the rewritten intent does not
				p.said = done
			}
		}
		c.keep(p)
	}
	return nil
}

// Probe reads the table: whether it is there, fits, and the access key is right. A key
// that may only upload is refused for the asking, which proves nothing.
func (s *sink) Probe(ctx context.Context) error {
	_, err := s.tableNow(ctx, true)
	var se *serviceError
	var wrong *connector.WrongError
	if errors.As(err, &se) && errors.As(err, &wrong) && (se.code == "NoPermission" || se.code == "AccessDenied" || se.status == http.StatusForbidden) {
		return nil
	}
	return err
}
