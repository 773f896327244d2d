package models

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/sluice-io/sluice/runner"
)

const (
	keepPoints  = 3 * time.Hour // as they came
	keepMinutes = 7 * 24 * time.Hour
	maxPoints   = 2000
)

const upsertPoint = ` (connector_id, time, records, bytes, diverted, waiting, lag_millis) VALUES (?, ?, ?, ?, ?, ?, ?)
	ON CONFLICT (connector_id, time) DO UPDATE SET records = records + excluded.records, bytes = bytes + excluded.bytes, diverted = diverted + excluded.diverted,
	waiting = max(waiting, excluded.waiting), lag_millis = max(lag_millis, excluded.lag_millis)`

// AppendPoints keeps samples for the charts: 3 hours as they come, by the minute for 7 days.
func (s *Store) AppendPoints(ctx context.Context, points []runner.Point) error {
	if len(points) == 0 {
		return nil
	}
	err := s.logs.w.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		for _, p := range points {
			at := millis(p.Time)
			for table, time := range map[string]int64{"points": at, "point_minutes": at - at%time.Minute.Milliseconds()} {
				if err := tx.Exec("INSERT INTO "+table+upsertPoint, p.ConnectorID, time, p.Records, p.Bytes, p.Diverted, p.Waiting, p.LagMillis).Error; err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return fail("writing chart points", err)
	}
	for _, p := range points {
		s.rates.note(p)
	}
	return nil
}

// Points gives at most n samples (1 to 2000; 0 means 200) of [from, to), oldest first,
// each of an equal part of that time: sums of what was delivered, maxima of what waits.
// Parts without samples are left out.
func (s *Store) Points(ctx context.Context, connectorID int64, from, to time.Time, n int) ([]runner.Point, error) {
	if !to.After(from) {
		return nil, nil
	}
	if n <= 0 {
		n = 200
	}
	n = min(n, maxPoints)
	table := "points"
	if s.o.Now().Sub(from) > keepPoints {
		table = "point_minutes"
	}
	width := max((to.UnixMilli()-from.UnixMilli()+int64(n)-1)/int64(n), 1)
	var rows []struct{ Time, Records, Bytes, Diverted, Waiting, LagMillis int64 }
	err := s.logs.r.WithContext(ctx).Raw(fmt.Sprintf(`SELECT min(time) AS time, sum(records) AS records, sum(bytes) AS bytes, sum(diverted) AS diverted,
		max(waiting) AS waiting, max(lag_millis) AS lag_millis FROM %s WHERE connector_id = ? AND time >= ? AND time < ? GROUP BY (time - ?) / ? ORDER BY 1`, table),
		connectorID, from.UnixMilli(), to.UnixMilli(), from.UnixMilli(), width).Scan(&rows).Error
	if err != nil {
		return nil, fail("reading chart points", err)
	}
	out := make([]runner.Point, len(rows))
	for i, r := range rows {
		out[i] = runner.Point{ConnectorID: connectorID, Time: fromMillis(r.Time), Records: r.Records, Bytes: r.Bytes, Diverted: r.Diverted, Waiting: r.Waiting, LagMillis: r.LagMillis}
	}
	return out, nil
}
