package fc

import (
	"context"
	"encoding/json"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/record"
)

var _ connector.Packer = (*chunk)(nil)

// chunk is a run of batches.
type chunk struct {
	cutter
	s       *sink
	at      connector.Range
	made    time.Time
	redo    bool
	allowed int // requests that the run may have
	records int
	written cutWriter // the cuts of the batches that are closed
	noted   int       // how many those are

	units   []unit // after Prepare
	refused []connector.Refusal
	loud    bool // somebody may still read the bodies
}

// Add takes one record into the open batch.
func (c *chunk) Add(_ context.Context, r *record.Record) error {
	if err := c.add(r); err != nil {
		return err
	}
	c.records++
	c.note()
	return nil
}

func (c *chunk) note() {
	for ; c.noted < len(c.batches); c.noted++ {
		b := &c.batches[c.noted]
		c.written.add(b.first, b.last)
	}
}

// Full: the run is as long as it may be and ends with a whole batch; or its intent is.
func (c *chunk) Full() bool {
	// One more record closes at most two batches, or one and Prepare another.
	if len(c.written.text)+2*longestCut > mostCuts {
		return true
	}
	return c.open.count == 0 && c.long()
}

// long tells that no further batch belongs into the run.
func (c *chunk) long() bool {
	n := len(c.batches)
	if c.open.count > 0 {
		n++
	}
	return n >= c.allowed || c.held >= runBytes || c.records >= runRecords
}

// Fits: a run that is long enough does not begin another batch, of one record; its last
// one is filled to the byte.
func (c *chunk) Fits(r *record.Record) bool {
	return c.open.count == 0 || !c.long() || !c.nearlyFull() || c.fits(r)
}

// Ready tells that whole batches are waiting.
func (c *chunk) Ready() bool {
	return len(c.batches) > 0 || c.open.count > 0 && c.openSize()+room > c.shape.limit
}

// Held is the memory of the bodies, in bytes.
func (c *chunk) Held() int64 { return c.held }

// Prepare closes the last batch and names all of them.
func (c *chunk) Prepare(context.Context) ([]byte, error) {
	c.closeOpen()
	c.note()
	if c.units == nil {
		c.units = make([]unit, len(c.batches))
		for i := range c.batches {
			b := &c.batches[i]
			c.units[i] = unit{first: b.first, last: b.last, count: b.count, body: b.body()}
		}
	}
	return json.Marshal(payload{Cuts: string(c.written.text), Made: c.made.Unix()})
}

// Discard forgets everything.
func (c *chunk) Discard() {
	if !c.loud {
		var before *block
		for i := range c.batches {
			if b := c.batches[i].block; b != before {
				before = b
				c.letGo(b)
			}
		}
		c.letGo(c.block)
	}
	c.batches, c.units, c.block, c.open, c.held = nil, nil, nil, batch{}, 0
}

func (c *chunk) letGo(b *block) {
	if b != nil && b.bytes != nil {
		c.s.buffers.put(b.bytes)
		b.bytes = nil
	}
}
