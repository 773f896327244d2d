package models

import (
	"context"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/sluice-io/sluice/runner"
)

type mirroredRow struct {
	ConnectorID int64  `gorm:"primaryKey"`
	Topic       string `gorm:"primaryKey"`
	Partition   int32  `gorm:"primaryKey"`
	Offset      int64
	Metadata    string
	TopicID     string
	UpdatedAt   int64 `gorm:"autoUpdateTime:false"`
}

func (mirroredRow) TableName() string { return "mirrored_positions" }

// Mirrored lists the positions of a connector as they were last seen committed.
func (s *Store) Mirrored(ctx context.Context, connectorID int64) ([]runner.MirroredPosition, error) {
	var rows []mirroredRow
	if err := s.read(ctx).Where("connector_id = ?", connectorID).Find(&rows).Error; err != nil {
		return nil, fail("reading mirrored positions", err)
	}
	out := make([]runner.MirroredPosition, len(rows))
	for i, r := range rows {
		out[i] = runner.MirroredPosition{ConnectorID: r.ConnectorID, Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Metadata: r.Metadata, TopicID: r.TopicID, UpdatedAt: fromMillis(r.UpdatedAt)}
	}
	return out, nil
}

// SaveMirrored writes positions, all or none.
func (s *Store) SaveMirrored(ctx context.Context, ps []runner.MirroredPosition) error {
	if len(ps) == 0 {
		return nil
	}
	rows := make([]mirroredRow, len(ps))
	for i, p := range ps {
		at := p.UpdatedAt
		if at.IsZero() {
			at = s.o.Now()
		}
		rows[i] = mirroredRow{p.ConnectorID, p.Topic, p.Partition, p.Offset, p.Metadata, p.TopicID, millis(at)}
	}
	return s.write(ctx, "mirroring positions", func(tx *gorm.DB) error {
		return tx.Clauses(clause.OnConflict{UpdateAll: true}).CreateInBatches(&rows, 500).Error
	})
}

// DeleteMirrored removes all mirrored positions of a connector.
func (s *Store) DeleteMirrored(ctx context.Context, connectorID int64) error {
	return s.write(ctx, "removing mirrored positions", func(tx *gorm.DB) error {
		return tx.Where("connector_id = ?", connectorID).Delete(&mirroredRow{}).Error
	})
}

// AddTotals adds to a connector's all-time counters; last only moves forward.
func (s *Store) AddTotals(ctx context.Context, connectorID int64, records, bytes, diverted int64, last time.Time) error {
	err := s.write(ctx, "adding to the totals of a connector", func(tx *gorm.DB) error {
		return tx.Exec(`INSERT INTO totals (connector_id, records, bytes, diverted, last) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (connector_id) DO UPDATE SET records = records + excluded.records, bytes = bytes + excluded.bytes,
			diverted = diverted + excluded.diverted, last = max(last, excluded.last)`, connectorID, records, bytes, diverted, millis(last)).Error
	})
	if err == nil {
		s.totals.add(connectorID, Totals{records, bytes, diverted, fromMillis(millis(last))})
	}
	return err
}

// Totals gives a connector's all-time counters; zero when there are none.
func (s *Store) Totals(_ context.Context, connectorID int64) (Totals, error) {
	return s.totals.of(connectorID), nil
}
