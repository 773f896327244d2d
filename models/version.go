package models

import (
	"context"

	"gorm.io/gorm"

	"github.com/sluice-io/sluice/runner/connector"
)

type versionRow struct {
	ConnectorID int64 `gorm:"primaryKey"`
	Version     int   `gorm:"primaryKey"`
	Hash        string
	Author      string
	CreatedAt   int64 `gorm:"autoCreateTime:false"`
	Config      string
}

func (versionRow) TableName() string { return "connector_versions" }

// UpdateConfig makes a new version of the configuration and gives its number.
// expected is the version that was read before (ErrVersionConflict when it is not the
// newest any more); 0 does not ask. The value ****** of a secret keeps the stored one.
func (s *Store) UpdateConfig(ctx context.Context, id int64, expected int, cfg connector.Config, hash, author string) (version int, err error) {
	err = s.actConnectors(ctx, "changing a configuration", func(tx *gorm.DB) error {
		var row connectorRow
		if err := tx.Take(&row, id).Error; err != nil {
			return err
		}
		if expected != 0 && expected != row.Version {
			return ErrVersionConflict
		}
		stored, closed, err := s.sealer.openConfig(SealContext(row.UUID), []byte(row.Config))
		if err != nil {
			return err
		}
		sealed, err := s.sealNew(row.UUID, row.Class, cfg, stored, closed)
		if err != nil {
			return err
		}
		now := millis(s.o.Now())
		version = row.Version + 1
		err = tx.Model(&row).Updates(map[string]any{"config": string(sealed), "version": version, "hash": hash, "description": cfg[connector.KeyDescription], "updated_at": now}).Error
		if err != nil {
			return err
		}
		return tx.Create(&versionRow{id, version, hash, author, now, string(sealed)}).Error
	})
	return version, err
}

// Versions lists all configurations of a connector, newest first.
func (s *Store) Versions(ctx context.Context, id int64) ([]Version, error) {
	var row connectorRow
	if err := s.read(ctx).Select("uuid").Take(&row, id).Error; err != nil {
		return nil, fail("reading a connector", err)
	}
	var rows []versionRow
	if err := s.read(ctx).Where("connector_id = ?", id).Order("version DESC").Find(&rows).Error; err != nil {
		return nil, fail("reading versions", err)
	}
	out := make([]Version, len(rows))
	for i, r := range rows {
		cfg, _, err := s.sealer.OpenConfig(SealContext(row.UUID), []byte(r.Config))
		if err != nil {
			return nil, err
		}
		out[i] = Version{Version: r.Version, Hash: r.Hash, Author: r.Author, Time: fromMillis(r.CreatedAt), Config: cfg}
	}
	return out, nil
}
