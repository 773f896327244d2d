package models

import (
	"context"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

type settingRow struct {
	Key   string `gorm:"primaryKey"`
	Value string
}

func (settingRow) TableName() string { return "settings" }

// Setting gives a value that SetSetting kept; runner.ErrNotFound.
func (s *Store) Setting(ctx context.Context, key string) (string, error) {
	var row settingRow
	err := s.read(ctx).Take(&row, "key = ?", key).Error
	return row.Value, fail("reading the setting "+clip(key), err)
}

// SetSetting keeps a value. It is not for secrets.
func (s *Store) SetSetting(ctx context.Context, key, value string) error {
	return s.act(ctx, "writing the setting "+clip(key), func(tx *gorm.DB) error {
		return tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&settingRow{key, value}).Error
	})
}
