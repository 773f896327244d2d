package control

import (
	"context"
	"maps"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
)

// maxDrafts bounds how many unfinished wizards one user keeps on one instance.
const maxDrafts = 50

// Drafts lists the caller's own drafts on an instance, secrets masked.
func (s *Service) Drafts(ctx context.Context, instance string) ([]Draft, error) {
	if err := need(ctx, Operator); err != nil {
		return nil, err
	}
	in, err := s.store.InstanceByName(ctx, instance)
	if err != nil {
		return nil, fromStore(err, "instance "+quoted(instance))
	}
	all, err := s.store.Drafts(ctx, in.ID, ActorFrom(ctx).UserID)
	if err != nil {
		return nil, fromStore(err, "drafts")
	}
	for i := range all {
		all[i].Values = s.maskDraft(all[i])
	}
	return all, nil
}

// NewDraft begins a wizard. It needs the connector feature enabled.
func (s *Service) NewDraft(ctx context.Context, instance, class string, values connector.Config) (Draft, error) {
	if err := need(ctx, Operator); err != nil {
		return Draft{}, err
	}
	in, err := s.store.InstanceByName(ctx, instance)
	if err != nil {
		return Draft{}, fromStore(err, "instance "+quoted(instance))
	}
	if !in.Enabled {
		return Draft{}, conflict("The connector feature is not enabled on instance %s; enable it first.", quoted(instance))
	}
	if err := invalid(shapeProblems(values)); err != nil {
		return Draft{}, err
	}
	mine, err := s.store.Drafts(ctx, in.ID, ActorFrom(ctx).UserID)
	if err != nil {
		return Draft{}, fromStore(err, "drafts")
	}
	if len(mine) >= maxDrafts {
		return Draft{}, conflict("You have %d drafts on this instance; finish or delete one first.", len(mine))
	}
	d := Draft{InstanceID: in.ID, UserID: ActorFrom(ctx).UserID, Class: class, Step: connector.StepBasic, Values: maps.Clone(values)}
	if d.Values == nil {
		d.Values = connector.Config{}
	}
	if err := s.store.CreateDraft(ctx, &d); err != nil {
		return Draft{}, fromStore(err, "draft")
	}
	d.Values = s.maskDraft(d)
	return d, nil
}

// Draft finds one of the caller's own drafts, secrets masked.
func (s *Service) Draft(ctx context.Context, instance, id string) (Draft, error) {
	d, _, err := s.ownDraft(ctx, instance, id)
	if err != nil {
		return Draft{}, err
	}
	d.Values = s.maskDraft(d)
	return d, nil
}

// SaveDraft merges values into a draft; values are not validated beyond their size.
// Masked keeps a stored secret. class "" keeps the class.
func (s *Service) SaveDraft(ctx context.Context, instance, id, class string, step connector.StepID, values connector.Config) (Draft, error) {
	d, _, err := s.ownDraft(ctx, instance, id)
	if err != nil {
		return Draft{}, err
	}
	if class != "" {
		d.Class = class
	}
	merged := d.Values.Clone()
	if merged == nil {
		merged = connector.Config{}
	}
	maps.Copy(merged, s.draftSpec(d).Keep(values, d.Values))
	if err := invalid(shapeProblems(merged)); err != nil {
		return Draft{}, err
	}
	d.Values, d.Step = merged, step
	if err := s.store.SaveDraft(ctx, d); err != nil {
		return Draft{}, fromStore(err, "draft")
	}
	d.Values = s.maskDraft(d)
	return d, nil
}

// DeleteDraft forgets one of the caller's own drafts.
func (s *Service) DeleteDraft(ctx context.Context, instance, id string) error {
	d, _, err := s.ownDraft(ctx, instance, id)
	if err != nil {
		return err
	}
	return fromStore(s.store.DeleteDraft(ctx, d.ID), "draft")
}

// SubmitDraft makes a connector of a draft and removes the draft. deploy starts it.
func (s *Service) SubmitDraft(ctx context.Context, instance, id string, deploy bool) (Connector, error) {
	d, _, err := s.ownDraft(ctx, instance, id)
	if err != nil {
		return Connector{}, err
	}
	initial := runner.DesiredNotDeployed
	if deploy {
		initial = runner.DesiredRunning
	}
	c, err := s.CreateConnector(ctx, instance, d.Values.Get(connector.KeyName), draftConfig(d), initial)
	if err != nil {
		return Connector{}, err
	}
	if err := s.store.DeleteDraft(ctx, d.ID); err != nil {
		s.log.Warn("removing a finished draft", "draft", d.ID, "err", err)
	}
	return c, nil
}

// ValidateDraft validates a draft as SubmitDraft would.
func (s *Service) ValidateDraft(ctx context.Context, instance, id string) (Validation, error) {
	d, _, err := s.ownDraft(ctx, instance, id)
	if err != nil {
		return Validation{}, err
	}
	c, err := s.candidate(ctx, instance, draftConfig(d), nil, nil)
	if err != nil {
		return Validation{}, err
	}
	return Validation{Spec: c.spec, Given: c.spec.Mask(c.given), Resolved: c.spec.Mask(c.resolved), Problems: c.problems}, nil
}

func draftConfig(d Draft) connector.Config {
	cfg := connector.Config{}
	for k, v := range d.Values {
		if v != "" { // an empty form field is an absent key
			cfg[k] = v
		}
	}
	if d.Class != "" {
		cfg[connector.KeyClass] = d.Class
	}
	return cfg
}

// ownDraft finds a draft of the caller; somebody else's does not exist for him.
func (s *Service) ownDraft(ctx context.Context, instance, id string) (Draft, runner.Instance, error) {
	if err := need(ctx, Operator); err != nil {
		return Draft{}, runner.Instance{}, err
	}
	in, err := s.store.InstanceByName(ctx, instance)
	if err != nil {
		return Draft{}, in, fromStore(err, "instance "+quoted(instance))
	}
	d, err := s.store.Draft(ctx, id)
	if err != nil {
		return Draft{}, in, fromStore(err, "draft")
	}
	if d.InstanceID != in.ID || d.UserID != ActorFrom(ctx).UserID {
		return Draft{}, in, notFound("Draft not found.")
	}
	return d, in, nil
}

func (s *Service) draftSpec(d Draft) *connector.Spec {
	if spec, err := connector.Find(s.specs, d.Class); err == nil {
		return spec
	}
	return &connector.Spec{}
}

func (s *Service) maskDraft(d Draft) connector.Config { return s.draftSpec(d).Mask(d.Values) }
