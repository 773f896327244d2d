package models

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
)

// ListConnectors filters, sorts and pages, all in memory. Rows come without Config and
// Tasks.
func (s *Store) ListConnectors(ctx context.Context, q ConnectorQuery) (ConnectorList, error) {
	rows, err := s.keptConnectors(ctx)
	if err != nil {
		return ConnectorList{}, err
	}
	list := ConnectorList{Counts: map[connector.State]int{}}
	var found []*ConnectorInfo // rows are large: what is sorted points to them
	text := strings.ToLower(strings.TrimSpace(q.Text))
	for i := range rows {
		c := &rows[i]
		if q.Instance != "" && c.Instance != q.Instance || len(q.Classes) > 0 && !slices.Contains(q.Classes, c.Class) {
			continue
		}
		if text != "" && !strings.Contains(strings.ToLower(c.Name+"\n"+c.description+"\n"+c.Instance), text) {
			continue
		}
		info := &ConnectorInfo{Connector: c.Connector, Region: c.region, Description: c.description}
		info.Config = nil
		info.Status = s.connectorStatus(info.Connector, false)
		list.Counts[info.Status.State]++
		if info.Status.Stalled {
			list.Stalled++
		}
		if len(q.States) > 0 && !slices.Contains(q.States, info.Status.State) || q.Stalled && !info.Status.Stalled {
			continue
		}
		found = append(found, info)
	}
	list.Total = len(found)
	sortConnectors(found, q.Sort, q.Reverse)
	found = found[min(max(q.Offset, 0), len(found)):]
	if q.Limit > 0 && len(found) > q.Limit {
		found = found[:q.Limit]
	}
	list.Rows = make([]ConnectorInfo, len(found))
	for i, row := range found {
		list.Rows[i] = *row
	}
	return list, nil
}

// sortConnectors orders by a column; equal rows, also of a reversed order, are by
// instance and name.
func sortConnectors(rows []*ConnectorInfo, by ConnectorSort, reverse bool) {
	key := func(a, b *ConnectorInfo) int {
		switch by {
		case SortName:
			return cmp.Compare(a.Name, b.Name)
		case SortState:
			return cmp.Compare(a.Status.State, b.Status.State)
		case SortClass:
			return cmp.Compare(a.Class, b.Class)
		case SortLag:
			return cmp.Compare(b.Status.LagMillis, a.Status.LagMillis)
		case SortRate:
			return cmp.Compare(b.Status.RecordsRate, a.Status.RecordsRate)
		case SortWaiting:
			return cmp.Compare(b.Status.Waiting, a.Status.Waiting)
		case SortLast:
			return b.Status.LastDelivery.Compare(a.Status.LastDelivery)
		case SortCreated:
			return b.CreatedAt.Compare(a.CreatedAt)
		}
		return cmp.Compare(trouble(b), trouble(a))
	}
	slices.SortFunc(rows, func(a, b *ConnectorInfo) int {
		c := key(a, b)
		if reverse {
			c = -c
		}
		return cmp.Or(c, cmp.Compare(a.Instance, b.Instance), cmp.Compare(a.Name, b.Name))
	})
}

// trouble puts what wants a person first: failed, gap, degraded, stalled, recovering.
func trouble(c *ConnectorInfo) int {
	n := badness(c.Status.State)
	if c.Status.Stalled {
		n = max(n, 6)
	}
	if n <= 4 {
		return 0
	}
	return n
}

// rateCache remembers each connector's last chart point, from which the rates come.
type rateCache struct {
	mu sync.Mutex
	by map[int64]rate
}

type rate struct {
	at             time.Time
	over           time.Duration
	records, bytes int64
}

// staleRate is how old a last point may be for its rate to be shown.
const staleRate = time.Minute

func (c *rateCache) note(p runner.Point) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by == nil {
		c.by = map[int64]rate{}
	}
	old := c.by[p.ConnectorID]
	if !p.Time.After(old.at) {
		return
	}
	next := rate{at: p.Time, records: p.Records, bytes: p.Bytes}
	if !old.at.IsZero() {
		next.over = p.Time.Sub(old.at)
	}
	c.by[p.ConnectorID] = next
}

func (c *rateCache) of(id int64, now time.Time) (records, bytes float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.by[id]
	if r.over <= 0 || now.Sub(r.at) > staleRate {
		return 0, 0
	}
	return float64(r.records) / r.over.Seconds(), float64(r.bytes) / r.over.Seconds()
}

func (c *rateCache) drop(id int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.by, id)
}
