package models

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
)

type instanceRow struct {
	ID               int64  `gorm:"primaryKey"`
	UID              string `gorm:"column:uid"`
	Name             string
	Region           string
	BootstrapServers string
	SecurityProtocol string
	SASLMechanism    string `gorm:"column:sasl_mechanism"`
	SASLUsername     string `gorm:"column:sasl_username"`
	SASLPassword     string `gorm:"column:sasl_password"` // sealed, or ""
	CAPEM            string `gorm:"column:ca_pem"`
	VPCID            string `gorm:"column:vpc_id"`
	VSwitchID        string `gorm:"column:vswitch_id"`
	InternetAccess   bool
	Quota            int
	Enabled          bool
	ClusterID        string
	Version          string
	Brokers          string
	Status           string
	Detail           string
	Since            int64
	CreatedAt        int64 `gorm:"autoCreateTime:false"`
}

func (instanceRow) TableName() string { return "instances" }

func (r *instanceRow) context() string { return "instance/" + r.UID + "/sasl.password" }

// instance opens a row; lost says that the stored password could not be opened.
func (s *Store) instance(r *instanceRow) (in runner.Instance, lost bool, err error) {
	in = runner.Instance{ID: r.ID, Name: r.Name, Region: r.Region, BootstrapServers: r.BootstrapServers, SecurityProtocol: r.SecurityProtocol,
		SASLMechanism: r.SASLMechanism, SASLUsername: r.SASLUsername, CAPEM: r.CAPEM, VPCID: r.VPCID, VSwitchID: r.VSwitchID,
		InternetAccess: r.InternetAccess, Quota: r.Quota, Enabled: r.Enabled, ClusterID: r.ClusterID, Version: r.Version,
		Status: r.Status, Detail: r.Detail, Since: fromMillis(r.Since), CreatedAt: fromMillis(r.CreatedAt)}
	if err := json.Unmarshal([]byte(r.Brokers), &in.Brokers); err != nil {
		return in, false, fmt.Errorf("reading the brokers of instance %s: %w", r.Name, err)
	}
	if r.SASLPassword == "" {
		return in, false, nil
	}
	password, err := s.sealer.Open(r.context(), r.SASLPassword)
	in.SASLPassword = password
	return in, err != nil, nil
}

// give writes what a user sets into the row.
func (s *Store) give(r *instanceRow, in runner.Instance) (err error) {
	r.Name, r.Region, r.BootstrapServers, r.SecurityProtocol = in.Name, in.Region, in.BootstrapServers, in.SecurityProtocol
	r.SASLMechanism, r.SASLUsername, r.CAPEM, r.VPCID, r.VSwitchID = in.SASLMechanism, in.SASLUsername, in.CAPEM, in.VPCID, in.VSwitchID
	r.InternetAccess, r.Quota = in.InternetAccess, in.Quota
	switch in.SASLPassword {
	case connector.Masked: // keeps what is stored
	case "":
		r.SASLPassword = ""
	default:
		if old, errOld := s.sealer.Open(r.context(), r.SASLPassword); errOld != nil || old != in.SASLPassword {
			r.SASLPassword, err = s.sealer.Seal(r.context(), in.SASLPassword)
		}
	}
	return err
}

// Instance finds one by its ID. A password that cannot be opened is left out.
func (s *Store) Instance(ctx context.Context, id int64) (runner.Instance, error) {
	return s.takeInstance(ctx, "id = ?", id)
}

// InstanceByName finds one by its name.
func (s *Store) InstanceByName(ctx context.Context, name string) (runner.Instance, error) {
	return s.takeInstance(ctx, "name = ?", name)
}

func (s *Store) takeInstance(ctx context.Context, where string, arg any) (runner.Instance, error) {
	var row instanceRow
	if err := s.read(ctx).Where(where, arg).Take(&row).Error; err != nil {
		return runner.Instance{}, fail("reading an instance", err)
	}
	in, _, err := s.instance(&row)
	return in, err
}

// Instances lists all by name.
func (s *Store) Instances(ctx context.Context) ([]InstanceInfo, error) {
	kept, err := s.keptInstances(ctx)
	if err != nil {
		return nil, err
	}
	connectors, err := s.keptConnectors(ctx)
	if err != nil {
		return nil, err
	}
	at, out := make(map[int64]int, len(kept)), slices.Clone(kept)
	for i := range out {
		at[out[i].ID] = i
	}
	for i := range connectors {
		c := &connectors[i]
		j, ok := at[c.InstanceID]
		if !ok {
			continue // both lists are whole, but not of one moment
		}
		out[j].Connectors++
		if c.Desired == runner.DesiredRunning {
			out[j].Running++
		}
	}
	return out, nil
}

// InstanceInfo is one row of Instances.
func (s *Store) InstanceInfo(ctx context.Context, name string) (InstanceInfo, error) {
	list, err := s.Instances(ctx)
	if err != nil {
		return InstanceInfo{}, err
	}
	i := slices.IndexFunc(list, func(in InstanceInfo) bool { return in.Name == name })
	if i < 0 {
		return InstanceInfo{}, fail("reading an instance", runner.ErrNotFound)
	}
	return list[i], nil
}

// CreateInstance stores what the user set and Enabled, and sets ID, CreatedAt and the
// state UNKNOWN. *NameTakenError; *InvalidError when the password is a mask.
func (s *Store) CreateInstance(ctx context.Context, in *runner.Instance) error {
	if in.SASLPassword == connector.Masked {
		return &InvalidError{"sasl.password", "****** stands for a stored password, and none is stored: give the password."}
	}
	now := s.o.Now()
	row := instanceRow{UID: randomHex(8), Enabled: in.Enabled, ClusterID: in.ClusterID, Version: in.Version, Brokers: "[]", Status: runner.InstanceUnknown, Since: millis(now), CreatedAt: millis(now)}
	if err := s.give(&row, *in); err != nil {
		return err
	}
	err := s.actInstances(ctx, "creating an instance", func(tx *gorm.DB) error { return tx.Create(&row).Error })
	if unique(err) {
		return &NameTakenError{Kind: "instance", Name: in.Name}
	}
	if err == nil {
		in.ID, in.Status, in.Since, in.CreatedAt = row.ID, row.Status, fromMillis(row.Since), fromMillis(row.CreatedAt)
	}
	return err
}

// UpdateInstance writes what a user sets: neither Enabled nor what a probe finds. The
// password ****** keeps the stored one.
func (s *Store) UpdateInstance(ctx context.Context, in runner.Instance) error {
	err := s.actInstances(ctx, "changing an instance", func(tx *gorm.DB) error {
		var row instanceRow
		if err := tx.Take(&row, in.ID).Error; err != nil {
			return err
		}
		if err := s.give(&row, in); err != nil {
			return err
		}
		return tx.Save(&row).Error
	})
	if unique(err) {
		return &NameTakenError{Kind: "instance", Name: in.Name}
	}
	return err
}

// DeleteInstance removes an instance with its drafts. *InUseError while it has connectors.
func (s *Store) DeleteInstance(ctx context.Context, id int64) error {
	return s.actInstances(ctx, "deleting an instance", func(tx *gorm.DB) error {
		var row instanceRow
		if err := tx.Take(&row, id).Error; err != nil {
			return err
		}
		var n int64
		if err := tx.Model(&connectorRow{}).Where("instance_id = ?", id).Count(&n).Error; err != nil {
			return err
		}
		if n > 0 {
			return &InUseError{Instance: row.Name, Connectors: int(n)}
		}
		return tx.Delete(&row).Error
	})
}

// SetInstanceEnabled switches the connector feature.
func (s *Store) SetInstanceEnabled(ctx context.Context, id int64, on bool) error {
	return s.actInstances(ctx, "enabling an instance", func(tx *gorm.DB) error {
		return one(tx.Model(&instanceRow{}).Where("id = ?", id).Update("enabled", on))
	})
}

// SaveProbe keeps what a probe found. Since changes with the status only; what an
// unreachable cluster did not tell (cluster ID, version, brokers) stays as it was.
func (s *Store) SaveProbe(ctx context.Context, id int64, p Probe) error {
	brokers, err := json.Marshal(p.Brokers)
	if err != nil {
		return fmt.Errorf("writing brokers: %w", err)
	}
	defer s.instances.written()
	return s.write(ctx, "saving what a probe found", func(tx *gorm.DB) error {
		var row instanceRow
		if err := tx.Take(&row, id).Error; err != nil {
			return err
		}
		if row.Status != p.Status {
			row.Since = millis(s.o.Now())
		}
		row.Status, row.Detail = p.Status, p.Detail
		if p.ClusterID != "" {
			row.ClusterID = p.ClusterID
		}
		if p.Version != "" {
			row.Version = p.Version
		}
		if len(p.Brokers) > 0 {
			row.Brokers = string(brokers)
		}
		return tx.Select("cluster_id", "version", "brokers", "status", "detail", "since").Updates(&row).Error
	})
}

// closedSecrets counts the stored secrets that the keys at hand do not open.
func (s *Store) closedSecrets(ctx context.Context) (problem, err error) {
	n := 0
	var instances []instanceRow
	var connectors []connectorRow
	err = errors.Join(s.read(ctx).Where("sasl_password <> ''").Find(&instances).Error, s.read(ctx).Where("config LIKE '%$sealed%'").Find(&connectors).Error)
	if err != nil {
		return nil, fail("reading stored secrets", err)
	}
	for i := range instances {
		if _, err := s.sealer.Open(instances[i].context(), instances[i].SASLPassword); err != nil {
			n, problem = n+1, err
		}
	}
	for i := range connectors {
		_, lost, err := s.sealer.openConfig(SealContext(connectors[i].UUID), []byte(connectors[i].Config))
		if err != nil {
			return nil, err
		}
		for _, sealed := range lost {
			n++
			_, problem = s.sealer.Open("", sealed) // names the key
		}
	}
	if n > 0 {
		problem = fmt.Errorf("%d stored secrets cannot be opened; everything else works, and they are asked for where they are needed: %w", n, problem)
	}
	return problem, nil
}
