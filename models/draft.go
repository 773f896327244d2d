package models

import (
	"context"

	"gorm.io/gorm"

	"github.com/sluice-io/sluice/runner/connector"
)

type draftRow struct {
	ID         string `gorm:"primaryKey"`
	InstanceID int64
	UserID     *int64
	Class      string
	Step       string
	Config     string
	CreatedAt  int64 `gorm:"autoCreateTime:false"`
	UpdatedAt  int64 `gorm:"autoUpdateTime:false"`
}

func (draftRow) TableName() string { return "drafts" }

func (r *draftRow) context() string { return "draft/" + r.ID }

func (s *Store) draft(r *draftRow) (Draft, error) {
	cfg, lost, err := s.sealer.OpenConfig(r.context(), []byte(r.Config))
	d := Draft{ID: r.ID, InstanceID: r.InstanceID, Class: r.Class, Step: connector.StepID(r.Step), Values: cfg, LostSecrets: lost, CreatedAt: fromMillis(r.CreatedAt), UpdatedAt: fromMillis(r.UpdatedAt)}
	if r.UserID != nil {
		d.UserID = *r.UserID
	}
	return d, err
}

// sealDraft writes the draft into the row; masks keep the secret that stands there, and
// a mask of nothing is dropped.
func (s *Store) sealDraft(r *draftRow, d Draft) error {
	var stored connector.Config
	var closed map[string]string
	if r.Config != "" {
		var err error
		if stored, closed, err = s.sealer.openConfig(r.context(), []byte(r.Config)); err != nil {
			return err
		}
	}
	secret, values, keep := s.secretKeys(d.Class), d.Values.Clone(), map[string]string{}
	for k, v := range values {
		if v != connector.Masked || !isSecret(secret, k) {
			continue
		}
		delete(values, k)
		if old, ok := stored[k]; ok {
			values[k] = old
		} else if sealed, ok := closed[k]; ok {
			keep[k] = sealed
		}
	}
	b, err := s.sealer.sealConfig(r.context(), secret, values, keep)
	if err != nil {
		return err
	}
	r.Class, r.Step, r.Config, r.UpdatedAt = d.Class, string(d.Step), string(b), millis(s.o.Now())
	return nil
}

// CreateDraft stores a draft and sets ID and times. UserID 0 belongs to nobody.
func (s *Store) CreateDraft(ctx context.Context, d *Draft) error {
	row := draftRow{ID: randomHex(12), InstanceID: d.InstanceID, CreatedAt: millis(s.o.Now())}
	if d.UserID != 0 {
		row.UserID = &d.UserID
	}
	if err := s.sealDraft(&row, *d); err != nil {
		return err
	}
	err := s.act(ctx, "creating a draft", func(tx *gorm.DB) error { return tx.Create(&row).Error })
	if err == nil {
		d.ID, d.CreatedAt, d.UpdatedAt = row.ID, fromMillis(row.CreatedAt), fromMillis(row.UpdatedAt)
	}
	return err
}

// Draft finds one by its ID.
func (s *Store) Draft(ctx context.Context, id string) (Draft, error) {
	var row draftRow
	if err := s.read(ctx).Take(&row, "id = ?", id).Error; err != nil {
		return Draft{}, fail("reading a draft", err)
	}
	return s.draft(&row)
}

// SaveDraft writes class, step and values. The value ****** of a secret keeps the stored one.
func (s *Store) SaveDraft(ctx context.Context, d Draft) error {
	return s.act(ctx, "saving a draft", func(tx *gorm.DB) error {
		var row draftRow
		if err := tx.Take(&row, "id = ?", d.ID).Error; err != nil {
			return err
		}
		if err := s.sealDraft(&row, d); err != nil {
			return err
		}
		return tx.Save(&row).Error
	})
}

// DeleteDraft removes a draft.
func (s *Store) DeleteDraft(ctx context.Context, id string) error {
	return s.act(ctx, "deleting a draft", func(tx *gorm.DB) error {
		return one(tx.Where("id = ?", id).Delete(&draftRow{}))
	})
}

// Drafts lists a user's drafts on an instance (0: on all), newest first.
func (s *Store) Drafts(ctx context.Context, instanceID, userID int64) ([]Draft, error) {
	q := s.read(ctx).Order("updated_at DESC, id")
	if instanceID != 0 {
		q = q.Where("instance_id = ?", instanceID)
	}
	if userID != 0 {
		q = q.Where("user_id = ?", userID)
	} else {
		q = q.Where("user_id IS NULL")
	}
	var rows []draftRow
	if err := q.Find(&rows).Error; err != nil {
		return nil, fail("listing drafts", err)
	}
	out := make([]Draft, len(rows))
	for i := range rows {
		var err error
		if out[i], err = s.draft(&rows[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}
