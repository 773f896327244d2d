// Package modelstore gives the use cases the storage they ask for, on package models:
// the same rows under the names that control uses.
package modelstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/sluice-io/sluice/models"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
)

// Store is control's view of the model. What both name alike is the embedded Store's.
type Store struct{ *models.Store }

var _ control.Store = Store{}

// Instances lists the instances with what they carry.
func (s Store) Instances(ctx context.Context) ([]control.InstanceInfo, error) {
	rows, err := s.Store.Instances(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]control.InstanceInfo, len(rows))
	for i, r := range rows {
		out[i] = control.InstanceInfo{Instance: r.Instance, Connectors: r.Connectors, Running: r.Running}
	}
	return out, nil
}

// CreateInstance stores a new instance.
func (s Store) CreateInstance(ctx context.Context, in *control.Instance) error {
	return known(s.Store.CreateInstance(ctx, in))
}

// UpdateInstance stores what a user set.
func (s Store) UpdateInstance(ctx context.Context, in control.Instance) error {
	return known(s.Store.UpdateInstance(ctx, in))
}

// DeleteInstance removes an instance without connectors.
func (s Store) DeleteInstance(ctx context.Context, id int64) error {
	return known(s.Store.DeleteInstance(ctx, id))
}

// SaveProbe stores what asking the cluster found.
func (s Store) SaveProbe(ctx context.Context, id int64, p control.Probe) error {
	return s.Store.SaveProbe(ctx, id, models.Probe(p))
}

// RequestQuota stores a request.
func (s Store) RequestQuota(ctx context.Context, r *control.QuotaRequest) error {
	row := models.QuotaRequest(*r)
	err := known(s.Store.RequestQuota(ctx, &row))
	*r = control.QuotaRequest(row)
	return err
}

// QuotaRequests lists requests, newest first.
func (s Store) QuotaRequests(ctx context.Context, onlyOpen bool) ([]control.QuotaRequest, error) {
	rows, err := s.Store.QuotaRequests(ctx, onlyOpen)
	if err != nil {
		return nil, err
	}
	out := make([]control.QuotaRequest, len(rows))
	for i, r := range rows {
		out[i] = control.QuotaRequest(r)
	}
	return out, nil
}

// DecideQuota grants or refuses a request.
func (s Store) DecideQuota(ctx context.Context, id int64, grant bool, quota int, by, note string) error {
	return known(s.Store.DecideQuota(ctx, id, grant, quota, by, note))
}

// AddRegion adds a region.
func (s Store) AddRegion(ctx context.Context, r connector.Region) error {
	return known(s.Store.AddRegion(ctx, r))
}

// EgressRules lists the network rules that administrators stored.
func (s Store) EgressRules(ctx context.Context) ([]control.EgressRule, error) {
	rows, err := s.Store.EgressRules(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]control.EgressRule, len(rows))
	for i, r := range rows {
		out[i] = control.EgressRule(r)
	}
	return out, nil
}

// AddEgressRule stores a network rule.
func (s Store) AddEgressRule(ctx context.Context, r *control.EgressRule) error {
	row := models.EgressRule(*r)
	err := known(s.Store.AddEgressRule(ctx, &row))
	*r = control.EgressRule(row)
	return err
}

// Connector finds a connector by names.
func (s Store) Connector(ctx context.Context, instance, name string) (control.StoredConnector, []string, error) {
	info, err := s.Store.Connector(ctx, instance, name)
	return info.Connector, info.LostSecrets, err
}

// CreateConnector stores a new connector.
func (s Store) CreateConnector(ctx context.Context, c *control.StoredConnector, author string) error {
	return known(s.Store.CreateConnector(ctx, c, author))
}

// UpdateConfig stores a new version of a configuration.
func (s Store) UpdateConfig(ctx context.Context, id int64, expected int, cfg connector.Config, hash, author string) (int, error) {
	n, err := s.Store.UpdateConfig(ctx, id, expected, cfg, hash, author)
	return n, known(err)
}

// Versions lists a connector's configurations, newest first.
func (s Store) Versions(ctx context.Context, id int64) ([]control.StoredVersion, error) {
	rows, err := s.Store.Versions(ctx, id)
	if err != nil {
		return nil, err
	}
	out := make([]control.StoredVersion, len(rows))
	for i, v := range rows {
		out[i] = control.StoredVersion(v)
	}
	return out, nil
}

// CreateDraft stores a new draft.
func (s Store) CreateDraft(ctx context.Context, d *control.Draft) error {
	row := models.Draft(*d)
	err := s.Store.CreateDraft(ctx, &row)
	*d = control.Draft(row)
	return err
}

// Draft finds a draft.
func (s Store) Draft(ctx context.Context, id string) (control.Draft, error) {
	row, err := s.Store.Draft(ctx, id)
	return control.Draft(row), err
}

// SaveDraft stores a draft's values.
func (s Store) SaveDraft(ctx context.Context, d control.Draft) error {
	return s.Store.SaveDraft(ctx, models.Draft(d))
}

// Drafts lists a user's drafts on an instance.
func (s Store) Drafts(ctx context.Context, instanceID, userID int64) ([]control.Draft, error) {
	rows, err := s.Store.Drafts(ctx, instanceID, userID)
	if err != nil {
		return nil, err
	}
	out := make([]control.Draft, len(rows))
	for i, d := range rows {
		out[i] = control.Draft(d)
	}
	return out, nil
}

// QueryLogs answers for connector logs.
func (s Store) QueryLogs(ctx context.Context, q control.LogQuery) (control.LogPage, error) {
	p, err := s.Store.QueryLogs(ctx, q)
	return control.LogPage(p), err
}

// Audit writes down who did what.
func (s Store) Audit(ctx context.Context, e control.AuditEntry) error {
	return s.Store.Audit(ctx, models.AuditEntry{Actor: e.Actor, Act: e.Act, Object: e.Object, Detail: e.Detail, Address: e.Address})
}

// refusal is a refusal of the model, in its words, under the name that control knows.
type refusal struct{ name, cause error }

func (r refusal) Error() string   { return r.cause.Error() }
func (r refusal) Unwrap() []error { return []error{r.name, r.cause} }

// known gives the model's refusals the names that control knows.
func known(err error) error {
	var (
		taken *models.NameTakenError
		quota *models.QuotaError
		used  *models.InUseError
		wrong *models.InvalidError
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &taken):
		return refusal{control.ErrExists, taken}
	case errors.As(err, &quota):
		return fmt.Errorf("%w: %w", control.ErrQuota, quota)
	case errors.Is(err, models.ErrVersionConflict):
		return fmt.Errorf("%w: %w", control.ErrStale, err)
	case errors.As(err, &used):
		return refusal{control.ErrInUse, used}
	case errors.As(err, &wrong):
		return &control.Error{Kind: control.Invalid, Message: "Some values are not valid.", Err: err,
			Fields: []connector.FieldError{{Field: wrong.Field, Message: wrong.Message}}}
	case errors.Is(err, models.ErrDecided):
		return fmt.Errorf("%w: %w", control.ErrDecided, err)
	}
	return err
}
