package models

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"github.com/sluice-io/sluice/runner/connector"
)

const (
	defaultPage = 100
	maxPage     = 1000
	maxDetail   = 4096 // characters of one value
)

type auditRow struct {
	ID      int64 `gorm:"primaryKey"`
	Time    int64
	Actor   string
	Act     string
	Object  string
	Detail  string // JSON object
	Address string
}

func (auditRow) TableName() string { return "audit" }

// Audit writes an entry; a zero Time means now. Values of details whose key looks like
// a secret's are masked.
func (s *Store) Audit(ctx context.Context, e AuditEntry) error {
	if e.Time.IsZero() {
		e.Time = s.o.Now()
	}
	detail := make(map[string]string, len(e.Detail))
	for k, v := range e.Detail {
		if v != "" && looksSecret(k) {
			v = connector.Masked
		}
		detail[k] = cut(v, maxDetail)
	}
	b, err := json.Marshal(detail)
	if err != nil {
		return fmt.Errorf("writing the audit log: %w", err)
	}
	row := auditRow{Time: millis(e.Time), Actor: cut(e.Actor, 200), Act: e.Act, Object: cut(e.Object, 400), Detail: string(b), Address: cut(e.Address, 100)}
	return s.write(ctx, "writing the audit log", func(tx *gorm.DB) error { return tx.Create(&row).Error })
}

// AuditEntries selects entries, newest first.
func (s *Store) AuditEntries(ctx context.Context, q AuditQuery) ([]AuditEntry, error) {
	sql := s.read(ctx).Order("id DESC").Limit(pageSize(q.Limit))
	if q.Actor != "" {
		sql = sql.Where("actor = ?", q.Actor)
	}
	if strings.HasSuffix(q.Act, ".") {
		sql = sql.Where("substr(act, 1, ?) = ?", len(q.Act), q.Act)
	} else if q.Act != "" {
		sql = sql.Where("act = ?", q.Act)
	}
	if q.Object != "" {
		sql = sql.Where("object = ?", q.Object)
	}
	if !q.From.IsZero() {
		sql = sql.Where("time >= ?", millis(q.From))
	}
	if !q.To.IsZero() {
		sql = sql.Where("time < ?", millis(q.To))
	}
	if q.Before != 0 {
		sql = sql.Where("id < ?", q.Before)
	}
	if q.After != 0 {
		sql = sql.Where("id > ?", q.After)
	}
	if q.Text != "" {
		like := likeText(q.Text)
		sql = sql.Where(`(actor LIKE ? ESCAPE '\' OR act LIKE ? ESCAPE '\' OR object LIKE ? ESCAPE '\')`, like, like, like)
	}
	var rows []auditRow
	if err := sql.Find(&rows).Error; err != nil {
		return nil, fail("reading the audit log", err)
	}
	out := make([]AuditEntry, len(rows))
	for i, r := range rows {
		out[i] = AuditEntry{ID: r.ID, Time: fromMillis(r.Time), Actor: r.Actor, Act: r.Act, Object: r.Object, Address: r.Address}
		if err := json.Unmarshal([]byte(r.Detail), &out[i].Detail); err != nil {
			return nil, fmt.Errorf("reading the audit log: entry %d: %w", r.ID, err)
		}
	}
	return out, nil
}

func pageSize(limit int) int {
	if limit <= 0 {
		return defaultPage
	}
	return min(limit, maxPage)
}
