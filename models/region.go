package models

import (
	"context"
	"regexp"

	"gorm.io/gorm"

	"github.com/sluice-io/sluice/runner/connector"
)

type regionRow struct {
	ID   string `gorm:"primaryKey"`
	Name string
}

func (regionRow) TableName() string { return "regions" }

var regionRule = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,47}$`)

// Regions lists the regions that an administrator added, by ID.
func (s *Store) Regions(ctx context.Context) ([]connector.Region, error) {
	var rows []regionRow
	if err := s.read(ctx).Order("id").Find(&rows).Error; err != nil {
		return nil, fail("listing regions", err)
	}
	out := make([]connector.Region, len(rows))
	for i, r := range rows {
		out[i] = connector.Region(r)
	}
	return out, nil
}

// AddRegion adds one: *InvalidError, *NameTakenError.
func (s *Store) AddRegion(ctx context.Context, r connector.Region) error {
	if !regionRule.MatchString(r.ID) {
		return &InvalidError{"id", "use 1 to 48 lower-case letters, digits and hyphens; the first may not be a hyphen."}
	}
	if r.Name == "" || len([]rune(r.Name)) > 100 {
		return &InvalidError{"name", "use 1 to 100 characters."}
	}
	row := regionRow(r)
	err := s.act(ctx, "adding a region", func(tx *gorm.DB) error { return tx.Create(&row).Error })
	if unique(err) {
		return &NameTakenError{Kind: "region", Name: r.ID}
	}
	return err
}

// DeleteRegion removes one that was added. Instances keep naming it.
func (s *Store) DeleteRegion(ctx context.Context, id string) error {
	return s.act(ctx, "removing a region", func(tx *gorm.DB) error { return one(tx.Where("id = ?", id).Delete(&regionRow{})) })
}
