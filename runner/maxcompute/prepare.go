package maxcompute

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/sluice-io/sluice/runner/connector"
)

// together is how many sessions of a chunk are worked on at once. Six tasks then stay
// under the 32 commits that the service takes at once.
const together = 4

// Prepare uploads what is left and names the sessions.
func (c *chunk) Prepare(ctx context.Context) ([]byte, error) {
	for _, p := range c.parts {
		c.finish(p, false)
		if p.encoder != nil {
			c.encoded -= p.encoder.held
			p.encoder = nil
		}
	}
	if err := c.idle(ctx); err != nil {
		return nil, err
	}
	g, sendCtx := errgroup.WithContext(ctx)
	g.SetLimit(together)
	for _, p := range c.parts {
		if !p.kept && p.rows > 0 {
			g.Go(func() error { return c.send(sendCtx, p) })
		}
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var entries []entry
	for _, p := range c.parts {
		if p.rows > 0 {
			entries = append(entries, p.entry())
		}
	}
	return encodePayload(entries)
}

func (p *part) entry() entry {
	e := entry{pt: p.pt, session: p.session, blocks: len(p.blocks), rows: p.rows}
	if p.kept {
		e.blocks, e.said = p.blocksSent, p.said
	}
	return e
}

// send uploads the blocks of a part that are not uploaded yet, opening its session where
// there is none. One goroutine of a part is in it at a time.
func (c *chunk) send(ctx context.Context, p *part) error {
	if p.session == "" {
		if err := c.open(ctx, p); err != nil {
			return err
		}
	}
	for {
		p.mu.Lock()
		b := p.pending()
		p.mu.Unlock()
		if b == nil {
			return nil
		}
		if err := c.sendBlock(ctx, p, b); err != nil {
			return err
		}
	}
}

func (c *chunk) sendBlock(ctx context.Context, p *part, b *block) error {
	if !b.paid {
		if err := c.s.pace.blocks.wait(ctx); err != nil {
			return err
		}
		b.paid = true
	}
	select {
	case c.s.uploads <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	err := c.s.client.putBlock(ctx, c.s.place, p.pt, p.session, b.id, b.body)
	<-c.s.uploads
	if sessionOver(err) {
		return c.abandon(p, err)
	}
	if err != nil {
		return err
	}
	c.queued.Add(-b.body.memory)
	c.s.pool.put(b.body)
	p.mu.Lock()
	b.body, b.sent = nil, true
	p.mu.Unlock()
	return nil
}

// abandon lets go of a session that takes no blocks any more. What went into it is not in
// memory any more: then the range has to be read again.
func (c *chunk) abandon(p *part, err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.s.forget()
	for _, b := range p.blocks {
		if b.sent {
			return &connector.RepeatError{Err: fmt.Errorf("upload session %s of %s is over before all of it was uploaded: %w", p.session, p.pt, err)}
		}
	}
	p.session = ""
	return c.s.client.classify.away(fmt.Errorf("another upload session is opened: %w", err))
}

// open opens the session of a part.
func (c *chunk) open(ctx context.Context, p *part) error {
	if err := c.s.pace.sessions.wait(ctx); err != nil {
		return err
	}
	u, err := c.s.client.openSession(ctx, c.s.place, p.pt)
	if errors.Is(err, errNoPartition) { // a service that does not create it by itself
		if err := c.s.client.createPartition(ctx, c.s.place, p.pt); err != nil {
			return err
		}
		u, err = c.s.client.openSession(ctx, c.s.place, p.pt)
	}
	if err != nil {
		if sessionOver(err) {
			return c.s.client.classify.away(err)
		}
		return err
	}
	if err := c.sameTable(u); err != nil {
		return err
	}
	if n := int64(len(u.ID)); n > c.s.idLength.Load() {
		c.s.idLength.Store(n)
	}
	p.session = u.ID
	return nil
}

// sameTable compares the columns that a session was opened for with those that the rows
// were written for.
func (c *chunk) sameTable(u *session) error {
	now := u.columnsOf()
	if len(now) == 0 {
		return nil // a service that does not tell
	}
	err := extends(c.table.columns, now)
	if err != nil || len(now) != len(c.table.columns) {
		c.s.forget()
	}
	if err == nil {
		return nil
	}
	return &connector.WrongError{Field: keyTable, Err: fmt.Errorf("table %s was changed while the connector was running: %w", c.s.place.sql(), err),
		Brief:  "table " + c.s.place.sql() + " was changed while the connector was running: " + err.Error(),
		Remedy: "If the change is meant, restart the connector: it goes on with the table as it is now. Otherwise make the table fit: " + c.s.shape.ddl(c.s.place)}
}
