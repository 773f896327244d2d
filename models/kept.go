package models

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"

	"gorm.io/gorm"

	"github.com/sluice-io/sluice/runner"
)

// kept holds the rows of a table in memory until one of them is written: every page
// lists all instances and connectors, the runner asks for all connectors every few
// seconds, and they change rarely. That nobody else writes the file is what the lock of
// the data directory is for.
type kept[T any] struct {
	changes atomic.Uint64 // raised after every write, whether it succeeded or not

	mu   sync.Mutex
	at   uint64 // changes at the last reading, plus one; 0: not read yet
	rows []T
}

// all gives the rows, read anew after a write. They are shared: the caller copies what
// it changes.
func (k *kept[T]) all(read func() ([]T, error)) ([]T, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	at := k.changes.Load() + 1 // a write that comes later makes these rows old at once
	if k.at == at {
		return k.rows, nil
	}
	rows, err := read()
	if err != nil {
		return nil, err
	}
	k.rows, k.at = rows, at
	return rows, nil
}

func (k *kept[T]) written() { k.changes.Add(1) }

// actConnectors is act for what changes rows of connectors.
func (s *Store) actConnectors(ctx context.Context, doing string, fn func(tx *gorm.DB) error) error {
	defer s.connectors.written()
	return s.act(ctx, doing, fn)
}

// actInstances is act for what changes rows of instances, which connectors are shown with.
func (s *Store) actInstances(ctx context.Context, doing string, fn func(tx *gorm.DB) error) error {
	defer s.connectors.written()
	defer s.instances.written()
	return s.act(ctx, doing, fn)
}

// keptConnector is a connector that is no draft, with its configuration.
type keptConnector struct {
	runner.Connector
	region, description string
}

// keptConnectors lists every connector that is no draft, by ID.
func (s *Store) keptConnectors(ctx context.Context) ([]keptConnector, error) {
	return s.connectors.all(func() ([]keptConnector, error) {
		var rows []namedRow
		if err := s.joined(ctx).Where("desired <> ?", runner.DesiredDraft).Order("connectors.id").Find(&rows).Error; err != nil {
			return nil, fail("listing connectors", err)
		}
		out := make([]keptConnector, len(rows))
		for i := range rows {
			c, _, err := s.connector(&rows[i])
			if err != nil {
				return nil, err
			}
			out[i] = keptConnector{c, rows[i].Region, rows[i].Row.Description}
		}
		return out, nil
	})
}

// keptInstances lists every instance by name, without counts.
func (s *Store) keptInstances(ctx context.Context) ([]InstanceInfo, error) {
	return s.instances.all(func() ([]InstanceInfo, error) {
		var rows []instanceRow
		if err := s.read(ctx).Order("name").Find(&rows).Error; err != nil {
			return nil, fail("listing instances", err)
		}
		out := make([]InstanceInfo, len(rows))
		for i := range rows {
			in, lost, err := s.instance(&rows[i])
			if err != nil {
				return nil, err
			}
			out[i] = InstanceInfo{Instance: in, LostPassword: lost}
		}
		return out, nil
	})
}

// totalsCache holds the counters of every connector.
type totalsCache struct {
	mu sync.Mutex
	by map[int64]Totals
}

func (c *totalsCache) of(id int64) Totals {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.by[id]
}

func (c *totalsCache) add(id int64, more Totals) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.by[id]
	t.Records, t.Bytes, t.Diverted = t.Records+more.Records, t.Bytes+more.Bytes, t.Diverted+more.Diverted
	if more.Last.After(t.Last) {
		t.Last = more.Last
	}
	c.by[id] = t
}

func (c *totalsCache) drop(id int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.by, id)
}

func (s *Store) loadTotals(ctx context.Context) error {
	var rows []struct{ ConnectorID, Records, Bytes, Diverted, Last int64 }
	if err := s.read(ctx).Raw(`SELECT connector_id, records, bytes, diverted, last FROM totals`).Scan(&rows).Error; err != nil {
		return fail("reading totals", err)
	}
	s.totals.by = make(map[int64]Totals, len(rows))
	for _, r := range rows {
		s.totals.by[r.ConnectorID] = Totals{r.Records, r.Bytes, r.Diverted, fromMillis(r.Last)}
	}
	return nil
}

// own gives a kept connector a configuration that its caller may change.
func (k *keptConnector) own() runner.Connector {
	c := k.Connector
	c.Config = maps.Clone(c.Config)
	return c
}
