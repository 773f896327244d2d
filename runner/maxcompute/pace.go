package maxcompute

import (
	"context"
	"sync"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
)

// The service takes 500 sessions and 500 blocks of a table in 5 minutes. A connector stays
// below both: of each it may do burst at once, and one more every pause.
//
// sessionBurst + 5 min / sessionPause is under 400: what is left is for the operator's
// own uploads. Blocks may be 460.
const (
	sessionBurst = 100
	sessionPause = 1010 * time.Millisecond
	blockBurst   = 160
	blockPause   = time.Second
)

// pace hands out permissions at a bounded rate. The zero pace is not ready for use.
type pace struct {
	mu    sync.Mutex
	burst int
	every time.Duration
	now   func() time.Time
	// next is when the bucket will have been empty for one permission: it runs ahead of
	// the clock while permissions are used faster than they come.
	next time.Time
}

func newPace(burst int, every time.Duration) *pace {
	return &pace{burst: burst, every: every, now: time.Now}
}

// reserve takes a permission and tells how long to wait before it holds.
func (p *pace) reserve() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if floor := now.Add(-time.Duration(p.burst-1) * p.every); p.next.Before(floor) {
		p.next = floor
	}
	wait := p.next.Sub(now)
	p.next = p.next.Add(p.every)
	return max(wait, 0)
}

// try takes a permission if one is there.
func (p *pace) try() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if p.next.After(now) {
		return false
	}
	if floor := now.Add(-time.Duration(p.burst-1) * p.every); p.next.Before(floor) {
		p.next = floor
	}
	p.next = p.next.Add(p.every)
	return true
}

// wait takes a permission when one is there.
func (p *pace) wait(ctx context.Context) error {
	if d := p.reserve(); d > 0 && !sleep(ctx, d) {
		return context.Cause(ctx)
	}
	return nil
}

// tablePace is the pace of one connector into its table.
type tablePace struct{ sessions, blocks *pace }

// paces are those of the connectors of this process: the tasks of one share one.
type paces struct {
	mu sync.Mutex
	of map[string]*tablePace
}

func (p *paces) get(cfg connector.Config, deps connector.Deps) *tablePace {
	key := deps.Env.Instance + "\x00" + deps.Connector + "\x00" + deps.ConnectorID + "\x00" + cfg.Get(keyEndpoint) + "\x00" + cfg.Get(keyProject) + "\x00" + cfg.Get(keyTable)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of == nil {
		p.of = map[string]*tablePace{}
	}
	t, ok := p.of[key]
	if !ok {
		t = &tablePace{newPace(sessionBurst, sessionPause), newPace(blockBurst, blockPause)}
		p.of[key] = t
	}
	return t
}
