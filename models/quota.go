package models

import (
	"context"

	"gorm.io/gorm"
)

// maxQuota bounds what a quota may be raised to.
const maxQuota = 100_000

type quotaRow struct {
	ID          int64 `gorm:"primaryKey"`
	InstanceID  int64
	Wanted      int
	Reason      string
	RequestedBy string
	CreatedAt   int64 `gorm:"autoCreateTime:false"`
	State       string
	DecidedBy   string
	DecidedAt   int64
	Note        string
}

func (quotaRow) TableName() string { return "quota_requests" }

// RequestQuota stores a request and sets ID, State and CreatedAt: *InvalidError,
// runner.ErrNotFound without the instance.
func (s *Store) RequestQuota(ctx context.Context, r *QuotaRequest) error {
	if r.Wanted < 1 || r.Wanted > maxQuota {
		return &InvalidError{"wanted", "must be from 1 to 100000 connectors."}
	}
	row := quotaRow{InstanceID: r.InstanceID, Wanted: r.Wanted, Reason: cut(r.Reason, 1000), RequestedBy: r.By, CreatedAt: millis(s.o.Now()), State: RequestOpen}
	err := s.act(ctx, "requesting a quota", func(tx *gorm.DB) error { return tx.Create(&row).Error })
	if err == nil {
		r.ID, r.State, r.CreatedAt = row.ID, row.State, fromMillis(row.CreatedAt)
	}
	return err
}

// QuotaRequests lists requests, newest first.
func (s *Store) QuotaRequests(ctx context.Context, onlyOpen bool) ([]QuotaRequest, error) {
	q := s.read(ctx).Table("quota_requests").Select("quota_requests.*, instances.name AS instance").
		Joins("JOIN instances ON instances.id = quota_requests.instance_id").Order("quota_requests.id DESC").Limit(maxPage)
	if onlyOpen {
		q = q.Where("state = ?", RequestOpen)
	}
	var rows []struct {
		Row      quotaRow `gorm:"embedded"`
		Instance string
	}
	if err := q.Find(&rows).Error; err != nil {
		return nil, fail("listing quota requests", err)
	}
	out := make([]QuotaRequest, len(rows))
	for i := range rows {
		r := &rows[i].Row
		out[i] = QuotaRequest{ID: r.ID, InstanceID: r.InstanceID, Instance: rows[i].Instance, Wanted: r.Wanted, Reason: r.Reason, By: r.RequestedBy,
			CreatedAt: fromMillis(r.CreatedAt), State: r.State, DecidedBy: r.DecidedBy, DecidedAt: fromMillis(r.DecidedAt), Note: r.Note}
	}
	return out, nil
}

// DecideQuota grants a request (quota becomes the instance's) or refuses it:
// ErrDecided, runner.ErrNotFound, *InvalidError.
func (s *Store) DecideQuota(ctx context.Context, id int64, grant bool, quota int, by, note string) error {
	if grant && (quota < 0 || quota > maxQuota) {
		return &InvalidError{"connector.quota", "must be from 0 to 100000 connectors."}
	}
	return s.actInstances(ctx, "deciding a quota request", func(tx *gorm.DB) error {
		var row quotaRow
		if err := tx.Take(&row, id).Error; err != nil {
			return err
		}
		if row.State != RequestOpen {
			return ErrDecided
		}
		row.State, row.DecidedBy, row.DecidedAt, row.Note = RequestRefused, by, millis(s.o.Now()), cut(note, 1000)
		if grant {
			row.State = RequestGranted
			if err := one(tx.Model(&instanceRow{}).Where("id = ?", row.InstanceID).Update("quota", quota)); err != nil {
				return err
			}
		}
		return tx.Save(&row).Error
	})
}
