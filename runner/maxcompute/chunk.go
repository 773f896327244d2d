package maxcompute

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/sluice-io/sluice/runner/record"
)

const (
	// A stream of softBlock bytes becomes a block that is uploaded while more records come,
	// as far as the service takes blocks so fast; one of hardBlock bytes always does.
	softBlock = 16 << 20
	hardBlock = 64 << 20
	// waiting is how many bytes of finished blocks may wait for their upload before Add
	// waits for it.
	waiting = 64 << 20
)

// chunk gathers the records of a range, one part for each table partition that occurs.
// What may be uploaded early is, in the background; nothing of it is visible before its
// session is committed.
type chunk struct {
	s      *sink
	table  *table // that the rows are written for
	mapper mapper
	paths  *record.PathCache

	parts   []*part
	byPT    map[string]*part
	current *part
	encoded int64        // memory of the encoders, in bytes
	queued  atomic.Int64 // memory of finished blocks that are not uploaded yet
	unused  *encoder     // of rows that are there already

	background context.Context
	cancel     context.CancelFunc
	running    sync.WaitGroup
}

// part is what goes into one table partition by one session.
type part struct {
	pt      string
	encoder *encoder
	rows    int64
	kept    bool // its session was made by an earlier chunk, and stands
	done    bool // its rows are visible
	said    verdict

	mu         sync.Mutex // guards what follows, between Add and the uploads
	session    string
	blocks     []*block
	blocksSent int // of a kept session
	busy       bool
}

// block is a finished stream.
type block struct {
	id   int
	body *body
	paid bool // the pace has let it through
	sent bool
}

// Add takes one record into the part of its table partition.
func (c *chunk) Add(ctx context.Context, r *record.Record) error {
	pt := c.paths.Of(r)
	p := c.current
	if p == nil || p.pt != pt {
		p = c.partOf(pt)
	}
	if p.kept { // the row is there; it is mapped to find out whether the record was refused
		if c.unused == nil {
			c.unused = newEncoder(c.s.pool)
		}
		c.current = p
		defer c.unused.reset()
		return c.mapper.row(c.unused, r)
	}
	before := p.encoder.held
	if err := c.mapper.row(p.encoder, r); err != nil {
		return err
	}
	if p.rows == 0 && c.byPT[pt] != p {
		c.keep(p)
	}
	p.rows++
	c.encoded += p.encoder.held - before
	c.current = p
	if n := p.encoder.compressed(); n >= softBlock && (n >= hardBlock || c.s.pace.blocks.try()) {
		c.finish(p, n < hardBlock)
		c.uploadEarly(ctx, p)
	}
	return nil
}

// partOf finds the part of a table partition, or makes one that is kept with its first
// row.
func (c *chunk) partOf(pt string) *part {
	p, ok := c.byPT[pt]
	if !ok {
		p = &part{pt: pt}
	}
	if p.encoder == nil && !p.kept {
		p.encoder = newEncoder(c.s.pool)
	}
	return p
}

func (c *chunk) keep(p *part) {
	if c.byPT == nil {
		c.byPT = map[string]*part{}
	}
	c.byPT[p.pt] = p
	c.parts = append(c.parts, p)
}

// Full: the intent could not name another session.
func (c *chunk) Full() bool {
	n := int(c.s.idLength.Load())
	if n == 0 {
		n = unknownID
	}
	return len(c.parts) >= partsFor(n)
}

// Held is the memory of rows that are not uploaded, in bytes.
func (c *chunk) Held() int64 { return c.encoded + c.queued.Load() }

// finish makes a block of what a part has gathered. paid: the pace has let it through.
func (c *chunk) finish(p *part, paid bool) {
	if p.encoder == nil || p.encoder.rows == 0 {
		return
	}
	before := p.encoder.held
	b, _ := p.encoder.end()
	c.encoded += p.encoder.held - before
	c.queued.Add(b.memory)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.blocks = append(p.blocks, &block{id: len(p.blocks), body: b, paid: paid})
}

// uploadEarly sends finished blocks of a part in the background. What fails is left for
// Prepare.
func (c *chunk) uploadEarly(ctx context.Context, p *part) {
	p.mu.Lock()
	start := !p.busy
	p.busy = true
	p.mu.Unlock()
	if start {
		c.running.Go(func() { c.sendEarly(p) })
	}
	if c.queued.Load() <= waiting {
		return
	}
	// The network is slower than the log: wait, so that memory stays bounded.
	_ = c.idle(ctx) // its end is the caller's to see; the record is taken
}

// idle waits for the uploads in the background.
func (c *chunk) idle(ctx context.Context) error {
	idle := make(chan struct{})
	go func() { c.running.Wait(); close(idle) }()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (c *chunk) sendEarly(p *part) {
	for {
		err := c.send(c.background, p)
		p.mu.Lock()
		if err != nil || p.pending() == nil {
			p.busy = false
			p.mu.Unlock()
			return
		}
		p.mu.Unlock()
	}
}

// pending is the first block that is not uploaded. The caller holds mu.
func (p *part) pending() *block {
	for _, b := range p.blocks {
		if !b.sent {
			return b
		}
	}
	return nil
}

// Discard forgets everything. Sessions that were opened are left to expire: what is not
// committed is never visible.
func (c *chunk) Discard() {
	c.cancel()
	c.running.Wait()
	c.parts, c.byPT, c.current, c.unused, c.encoded = nil, nil, nil, nil, 0
	c.queued.Store(0)
}
