package models

import (
	"context"
	"net/netip"

	"gorm.io/gorm"
)

type egressRow struct {
	ID        int64 `gorm:"primaryKey"`
	Allow     bool
	CIDR      string `gorm:"column:cidr"`
	Note      string
	CreatedBy string
	CreatedAt int64 `gorm:"autoCreateTime:false"`
}

func (egressRow) TableName() string { return "egress_rules" }

// EgressRules lists the administrator's network rules: denied first, then allowed.
func (s *Store) EgressRules(ctx context.Context) ([]EgressRule, error) {
	var rows []egressRow
	if err := s.read(ctx).Order("allow, cidr").Find(&rows).Error; err != nil {
		return nil, fail("listing network rules", err)
	}
	out := make([]EgressRule, len(rows))
	for i, r := range rows {
		out[i] = EgressRule{ID: r.ID, Allow: r.Allow, CIDR: r.CIDR, Note: r.Note, By: r.CreatedBy, CreatedAt: fromMillis(r.CreatedAt)}
	}
	return out, nil
}

// AddEgressRule stores a rule, a single address as a range of one, and sets ID, CIDR
// and CreatedAt: *InvalidError, *NameTakenError when the list has it.
func (s *Store) AddEgressRule(ctx context.Context, r *EgressRule) error {
	p, err := netip.ParsePrefix(r.CIDR)
	if ip, errIP := netip.ParseAddr(r.CIDR); errIP == nil && ip.Zone() == "" {
		p, err = netip.PrefixFrom(ip.Unmap(), ip.Unmap().BitLen()), nil
	}
	if err != nil {
		return &InvalidError{"cidr", "write an address range like 10.20.0.0/16, 192.168.1.7 or fd00:1::/32."}
	}
	row := egressRow{Allow: r.Allow, CIDR: p.Masked().String(), Note: cut(r.Note, 200), CreatedBy: r.By, CreatedAt: millis(s.o.Now())}
	err = s.act(ctx, "adding a network rule", func(tx *gorm.DB) error { return tx.Create(&row).Error })
	if unique(err) {
		return &NameTakenError{Kind: "address range", Name: row.CIDR}
	}
	if err == nil {
		r.ID, r.CIDR, r.CreatedAt = row.ID, row.CIDR, fromMillis(row.CreatedAt)
	}
	return err
}

// DeleteEgressRule removes a rule.
func (s *Store) DeleteEgressRule(ctx context.Context, id int64) error {
	return s.act(ctx, "removing a network rule", func(tx *gorm.DB) error { return one(tx.Where("id = ?", id).Delete(&egressRow{})) })
}
