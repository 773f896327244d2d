package models

import (
	"cmp"
	"context"
	"errors"

	"gorm.io/gorm"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
)

type connectorRow struct {
	ID          int64  `gorm:"primaryKey"`
	UUID        string `gorm:"column:uuid"`
	InstanceID  int64
	Name        string
	Class       string
	Description string
	Config      string // JSON, secrets sealed inside
	Version     int
	Hash        string
	Desired     string
	Deployed    bool
	Delivered   bool
	Epoch       string
	Restart     int64
	CreatedAt   int64 `gorm:"autoCreateTime:false"`
	UpdatedAt   int64 `gorm:"autoUpdateTime:false"`
}

func (connectorRow) TableName() string { return "connectors" }

// namedRow is a connector with its instance's name. gorm reads embedded structs of
// exported field names only.
type namedRow struct {
	Row      connectorRow `gorm:"embedded"`
	Instance string
	Region   string
}

const connectorSelect = "connectors.*, instances.name AS instance, instances.region AS region"

func (s *Store) joined(ctx context.Context) *gorm.DB {
	return s.read(ctx).Table("connectors").Select(connectorSelect).Joins("JOIN instances ON instances.id = connectors.instance_id")
}

// connector opens a row; lost names secrets that cannot be opened.
func (s *Store) connector(r *namedRow) (c runner.Connector, lost []string, err error) {
	cfg, lost, err := s.sealer.OpenConfig(SealContext(r.Row.UUID), []byte(r.Row.Config))
	c = r.bare()
	c.Config = cfg
	return c, lost, err
}

// bare is the connector without its configuration.
func (n *namedRow) bare() runner.Connector {
	r := &n.Row
	return runner.Connector{ID: r.ID, UUID: r.UUID, InstanceID: r.InstanceID, Instance: n.Instance, Name: r.Name, Class: r.Class,
		Version: r.Version, Hash: r.Hash, Desired: runner.Desired(r.Desired), Deployed: r.Deployed, Delivered: r.Delivered,
		Epoch: r.Epoch, Restart: r.Restart, CreatedAt: fromMillis(r.CreatedAt), UpdatedAt: fromMillis(r.UpdatedAt)}
}

// secretKeys are the declared secrets of a class.
func (s *Store) secretKeys(class string) []string {
	if s.o.SecretKeys == nil {
		return nil
	}
	return s.o.SecretKeys(class)
}

// Connectors lists every connector that is no draft, by ID, with configurations.
func (s *Store) Connectors(ctx context.Context) ([]runner.Connector, error) {
	rows, err := s.keptConnectors(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]runner.Connector, len(rows))
	for i := range rows {
		out[i] = rows[i].own()
	}
	return out, nil
}

// ConnectorByID finds one with its configuration; secrets that cannot be opened are left out.
func (s *Store) ConnectorByID(ctx context.Context, id int64) (runner.Connector, error) {
	var row namedRow
	if err := s.joined(ctx).Where("connectors.id = ?", id).Take(&row).Error; err != nil {
		return runner.Connector{}, fail("reading a connector", err)
	}
	c, _, err := s.connector(&row)
	return c, err
}

// Connector finds one by the names of instance and connector, with its tasks' states.
func (s *Store) Connector(ctx context.Context, instance, name string) (ConnectorInfo, error) {
	var row namedRow
	if err := s.joined(ctx).Where("instances.name = ? AND connectors.name = ?", instance, name).Take(&row).Error; err != nil {
		return ConnectorInfo{}, fail("reading a connector", err)
	}
	c, lost, err := s.connector(&row)
	if err != nil {
		return ConnectorInfo{}, err
	}
	out := ConnectorInfo{Connector: c, Region: row.Region, Description: row.Row.Description, LostSecrets: lost}
	out.Status = s.connectorStatus(c, true)
	return out, nil
}

// CreateConnector stores c and sets ID, times, and what is missing of UUID, Version,
// Epoch and Desired; for a connector recovered from Kafka they are given. In the same
// transaction the name is checked on the instance and all others of its cluster
// (*NameTakenError), then the quota (*QuotaError): of parallel calls one wins.
func (s *Store) CreateConnector(ctx context.Context, c *runner.Connector, author string) error {
	now := s.o.Now()
	row := connectorRow{UUID: cmp.Or(c.UUID, randomUUID()), InstanceID: c.InstanceID, Name: c.Name, Class: c.Class, Description: c.Config[connector.KeyDescription],
		Version: cmp.Or(c.Version, 1), Hash: c.Hash, Desired: string(cmp.Or(c.Desired, runner.DesiredNotDeployed)), Deployed: c.Deployed, Delivered: c.Delivered,
		Epoch: cmp.Or(c.Epoch, newEpoch()), Restart: c.Restart, CreatedAt: millis(now), UpdatedAt: millis(now)}
	sealed, err := s.sealNew(row.UUID, c.Class, c.Config, nil, nil)
	if err != nil {
		return err
	}
	row.Config = string(sealed)
	var in instanceRow
	err = s.actConnectors(ctx, "creating a connector", func(tx *gorm.DB) error {
		if err := tx.Take(&in, c.InstanceID).Error; err != nil {
			return err
		}
		if err := nameFree(tx, &in, c.Name); err != nil {
			return err
		}
		var used int64
		if err := tx.Model(&connectorRow{}).Where("instance_id = ? AND desired <> ?", in.ID, runner.DesiredDraft).Count(&used).Error; err != nil {
			return err
		}
		if int(used) >= in.Quota {
			return &QuotaError{Instance: in.Name, Quota: in.Quota, Used: int(used)}
		}
		if err := tx.Create(&row).Error; err != nil {
			return err
		}
		return tx.Create(&versionRow{row.ID, row.Version, row.Hash, author, row.CreatedAt, row.Config}).Error
	})
	if unique(err) {
		return &NameTakenError{Kind: "connector", Name: c.Name}
	}
	if err == nil {
		config := c.Config
		*c = (&namedRow{Row: row, Instance: in.Name}).bare()
		c.Config = config
	}
	return err
}

// nameFree checks a name on every instance of the same Kafka cluster.
func nameFree(tx *gorm.DB, in *instanceRow, name string) error {
	var other []string
	q := tx.Table("connectors").Joins("JOIN instances ON instances.id = connectors.instance_id").Where("connectors.name = ?", name)
	if err := q.Where("instances.id = ? OR instances.cluster_id <> '' AND instances.cluster_id = ?", in.ID, in.ClusterID).Pluck("instances.name", &other).Error; err != nil {
		return err
	}
	if len(other) == 0 {
		return nil
	}
	if other[0] == in.Name {
		return &NameTakenError{Kind: "connector", Name: name}
	}
	return &NameTakenError{Kind: "connector", Name: name, Instance: other[0]}
}

// SameNames lists connector names that this instance shares with others of its
// cluster: instances that turned out to be one cluster after both had connectors.
func (s *Store) SameNames(ctx context.Context, instanceID int64) ([]string, error) {
	var out []string
	err := s.read(ctx).Raw(`SELECT DISTINCT mine.name FROM connectors mine JOIN instances i ON i.id = mine.instance_id
		JOIN instances o ON o.cluster_id = i.cluster_id AND o.id <> i.id JOIN connectors theirs ON theirs.instance_id = o.id AND theirs.name = mine.name
		WHERE i.id = ? AND i.cluster_id <> '' ORDER BY mine.name`, instanceID).Scan(&out).Error
	return out, fail("comparing connector names", err)
}

// sealNew seals a configuration; a mask keeps the stored secret of that key, and
// stored secrets that cannot be opened stay as they are unless given anew.
func (s *Store) sealNew(uuid, class string, cfg, stored connector.Config, closed map[string]string) ([]byte, error) {
	secret := s.secretKeys(class)
	out, keep := cfg.Clone(), map[string]string{}
	for k, v := range closed {
		if given, ok := cfg[k]; !ok || given == connector.Masked {
			keep[k] = v
			delete(out, k)
		}
	}
	for k, v := range out {
		if v != connector.Masked || !isSecret(secret, k) {
			continue
		}
		old, ok := stored[k]
		if !ok {
			return nil, &InvalidError{k, "****** stands for a stored secret, and none is stored: give the secret."}
		}
		out[k] = old
	}
	return s.sealer.sealConfig(SealContext(uuid), secret, out, keep)
}

func isSecret(declared []string, key string) bool {
	for _, d := range declared {
		if d == key {
			return true
		}
	}
	return looksSecret(key)
}

// change writes columns of one connector.
func (s *Store) change(ctx context.Context, doing string, id int64, columns map[string]any) error {
	columns["updated_at"] = millis(s.o.Now())
	return s.actConnectors(ctx, doing, func(tx *gorm.DB) error {
		return one(tx.Model(&connectorRow{}).Where("id = ?", id).Updates(columns))
	})
}

// SetDesired writes what the operator wants of a connector.
func (s *Store) SetDesired(ctx context.Context, id int64, d runner.Desired) error {
	return s.change(ctx, "changing what is wanted of a connector", id, map[string]any{"desired": string(d)})
}

// SetDeployed tells whether resources exist and first positions are committed.
func (s *Store) SetDeployed(ctx context.Context, id int64, deployed bool) error {
	return s.change(ctx, "marking a connector as deployed", id, map[string]any{"deployed": deployed})
}

// SetDelivered tells that something became visible, so that fixed fields are fixed.
func (s *Store) SetDelivered(ctx context.Context, id int64) error {
	return s.change(ctx, "marking a connector as having delivered", id, map[string]any{"delivered": true})
}

// NewEpoch makes and stores a new replay epoch: 16 random hex digits.
func (s *Store) NewEpoch(ctx context.Context, id int64) (string, error) {
	epoch := newEpoch()
	return epoch, s.change(ctx, "making a new replay epoch", id, map[string]any{"epoch": epoch})
}

func newEpoch() string { return randomHex(8) }

// RaiseRestart raises the restart counter and gives its new value.
func (s *Store) RaiseRestart(ctx context.Context, id int64) (restart int64, err error) {
	err = s.actConnectors(ctx, "raising the restart counter", func(tx *gorm.DB) error {
		if err := one(tx.Model(&connectorRow{}).Where("id = ?", id).Updates(map[string]any{"restart": gorm.Expr("restart + 1"), "updated_at": millis(s.o.Now())})); err != nil {
			return err
		}
		return tx.Model(&connectorRow{}).Where("id = ?", id).Pluck("restart", &restart).Error
	})
	return restart, err
}

// DeleteConnector removes a connector with its versions, states, positions and totals.
// Its log lines and points go as they age.
func (s *Store) DeleteConnector(ctx context.Context, id int64) error {
	err := s.actConnectors(ctx, "deleting a connector", func(tx *gorm.DB) error {
		return one(tx.Where("id = ?", id).Delete(&connectorRow{}))
	})
	if err == nil || errors.Is(err, runner.ErrNotFound) {
		s.status.drop(id)
		s.rates.drop(id)
		s.totals.drop(id)
	}
	return err
}
