package control

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
)

// find returns a stored connector (secrets in the clear) that is not being deleted.
func (s *Service) find(ctx context.Context, instance, name string) (runner.Connector, []string, error) {
	if _, err := s.store.InstanceByName(ctx, instance); err != nil {
		return runner.Connector{}, nil, fromStore(err, "instance "+quoted(instance))
	}
	c, lost, err := s.store.Connector(ctx, instance, name)
	if err != nil {
		return runner.Connector{}, nil, fromStore(err, "connector "+quoted(name))
	}
	if c.Desired == runner.DesiredDeleting || c.Desired == runner.DesiredDraft {
		return runner.Connector{}, nil, notFound("Connector %s not found.", quoted(name))
	}
	return c, lost, nil
}

// show masks a stored connector.
func (s *Service) show(ctx context.Context, c runner.Connector, lost []string) Connector {
	out := Connector{Connector: c, LostSecrets: lost}
	if in, err := s.store.Instance(ctx, c.InstanceID); err == nil {
		out.Env = s.env(ctx, in)
	}
	out.Spec, _ = connector.Find(s.specs, c.Class) // a class of another version stays unknown
	out.Config = maskWith(out.Spec, c.Config)
	return out
}

func maskWith(spec *connector.Spec, cfg connector.Config) connector.Config {
	if spec == nil {
		spec = &connector.Spec{}
	}
	return spec.Mask(cfg)
}

// Connector finds one connector of an instance, secrets masked.
func (s *Service) Connector(ctx context.Context, instance, name string) (Connector, error) {
	if err := need(ctx, Viewer); err != nil {
		return Connector{}, err
	}
	c, lost, err := s.find(ctx, instance, name)
	if err != nil {
		return Connector{}, err
	}
	return s.show(ctx, c, lost), nil
}

// Connectors lists the connectors of an instance by name, secrets masked.
func (s *Service) Connectors(ctx context.Context, instance string) ([]Connector, error) {
	if err := need(ctx, Viewer); err != nil {
		return nil, err
	}
	in, err := s.store.InstanceByName(ctx, instance)
	if err != nil {
		return nil, fromStore(err, "instance "+quoted(instance))
	}
	all, err := s.store.Connectors(ctx)
	if err != nil {
		return nil, fromStore(err, "connectors")
	}
	env := s.env(ctx, in)
	out := []Connector{}
	for _, c := range all {
		if c.InstanceID != in.ID || c.Desired == runner.DesiredDeleting || c.Desired == runner.DesiredDraft {
			continue
		}
		shown := Connector{Connector: c, Env: env}
		shown.Spec, _ = connector.Find(s.specs, c.Class)
		shown.Config = maskWith(shown.Spec, c.Config)
		out = append(out, shown)
	}
	slices.SortFunc(out, func(a, b Connector) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// ConnectorsWithStatus is Connectors with the roll-up of each.
func (s *Service) ConnectorsWithStatus(ctx context.Context, instance string) ([]ConnectorWithStatus, error) {
	all, err := s.Connectors(ctx, instance)
	if err != nil {
		return nil, err
	}
	statuses, err := s.sup.Statuses(ctx)
	if err != nil {
		return nil, AsError(err)
	}
	out := make([]ConnectorWithStatus, len(all))
	for i, c := range all {
		out[i] = ConnectorWithStatus{Connector: c, Status: s.withTasks(c, statuses[c.ID])}
	}
	return out, nil
}

// CreateConnector makes a connector; initial "" means DesiredRunning, which deploys
// it at once. Problems of the configuration come before a name that is taken, and
// that before the quota.
func (s *Service) CreateConnector(ctx context.Context, instance, name string, cfg connector.Config, initial runner.Desired) (Connector, error) {
	if err := need(ctx, Operator); err != nil {
		return Connector{}, err
	}
	unlock, err := s.locks.lock(ctx, instance+"/"+name)
	if err != nil {
		return Connector{}, err
	}
	defer unlock()
	return s.create(ctx, instance, name, cfg, initial)
}

func (s *Service) create(ctx context.Context, instance, name string, cfg connector.Config, initial runner.Desired) (Connector, error) {
	cfg = named(cfg, name)
	c, err := s.candidate(ctx, instance, cfg, nil, nil)
	if err != nil {
		return Connector{}, err
	}
	if err := invalid(c.problems); err != nil {
		return Connector{}, err
	}
	if !c.instance.Enabled {
		return Connector{}, conflict("The connector feature is not enabled on instance %s; enable it first.", quoted(instance))
	}
	if _, _, err := s.store.Connector(ctx, instance, name); err == nil {
		return Connector{}, &Error{Kind: Conflict, Exists: true, Message: "Connector " + name + " already exists.", Fields: []connector.FieldError{{Field: connector.KeyName, Message: "A connector of this name exists."}}}
	}
	if err := s.takenElsewhere(ctx, c.instance, name); err != nil {
		return Connector{}, err
	}
	shared, err := s.sharedProblems(ctx, c, 0)
	if err != nil {
		return Connector{}, err
	}
	if err := invalid(shared); err != nil {
		return Connector{}, err
	}
	if initial == "" {
		initial = runner.DesiredRunning
	}
	row := runner.Connector{InstanceID: c.instance.ID, Instance: c.instance.Name, Name: name, Class: c.spec.Class,
		Config: c.given, Version: 1, Hash: c.spec.Hash(c.resolved), Desired: initial}
	if err := s.store.CreateConnector(ctx, &row, ActorFrom(ctx).Name); err != nil {
		return Connector{}, fromStore(err, "connector "+quoted(name))
	}
	s.audit(ctx, "connector.create", instance+"/"+name, map[string]string{connector.KeyClass: c.spec.Class, "state": string(initial)})
	s.sup.Notify(row.ID)
	return s.show(ctx, row, nil), nil
}

// takenElsewhere refuses a name that a connector on another instance of the same
// cluster has: their groups and topics would be the same ones.
func (s *Service) takenElsewhere(ctx context.Context, in runner.Instance, name string) error {
	same, err := s.sameCluster(ctx, in)
	if err != nil || len(same) == 1 {
		return err
	}
	all, err := s.store.Connectors(ctx)
	if err != nil {
		return fromStore(err, "connectors")
	}
	for _, c := range all {
		if c.Name == name && same[c.InstanceID] {
			message := fmt.Sprintf("A connector named %s exists on instance %s, which is the same Kafka cluster; choose another name.", quoted(name), quoted(c.Instance))
			return &Error{Kind: Conflict, Exists: true, Message: message, Err: ErrExists, Fields: []connector.FieldError{{Field: connector.KeyName, Message: message}}}
		}
	}
	return nil
}

// named returns a copy whose name is set; a nil map becomes an empty one.
func named(cfg connector.Config, name string) connector.Config {
	out := connector.Config{}
	maps.Copy(out, cfg)
	out[connector.KeyName] = name
	return out
}

// ReplaceConfig stores a whole configuration and creates the connector when there is
// none. What equals the stored one changes nothing.
func (s *Service) ReplaceConfig(ctx context.Context, instance, name string, cfg connector.Config) (c Connector, created bool, err error) {
	if err := need(ctx, Operator); err != nil {
		return Connector{}, false, err
	}
	unlock, err := s.locks.lock(ctx, instance+"/"+name)
	if err != nil {
		return Connector{}, false, err
	}
	defer unlock()
	old, lost, err := s.find(ctx, instance, name)
	if err != nil {
		if e := AsError(err); e.Kind != NotFound {
			return Connector{}, false, err
		}
		c, err := s.create(ctx, instance, name, cfg, "")
		return c, true, err
	}
	c, err = s.change(ctx, old, lost, named(cfg, name), 0)
	return c, false, err
}

// PatchConfig applies a merge patch: nil removes a key. The whole is validated.
func (s *Service) PatchConfig(ctx context.Context, instance, name string, patch map[string]*string) (Connector, error) {
	return s.Modify(ctx, instance, name, 0, patch)
}

// Modify is PatchConfig of a configuration that was read as version expected; 0
// means whatever is stored. Another version is a Conflict.
func (s *Service) Modify(ctx context.Context, instance, name string, expected int, patch map[string]*string) (Connector, error) {
	if err := need(ctx, Operator); err != nil {
		return Connector{}, err
	}
	unlock, err := s.locks.lock(ctx, instance+"/"+name)
	if err != nil {
		return Connector{}, err
	}
	defer unlock()
	old, lost, err := s.find(ctx, instance, name)
	if err != nil {
		return Connector{}, err
	}
	return s.change(ctx, old, lost, merge(old.Config, patch), expected)
}

// PreviewChange says what Modify would change and what would refuse it, storing nothing.
func (s *Service) PreviewChange(ctx context.Context, instance, name string, patch map[string]*string) ([]connector.Change, []connector.FieldError, error) {
	if err := need(ctx, Viewer); err != nil {
		return nil, nil, err
	}
	old, _, err := s.find(ctx, instance, name)
	if err != nil {
		return nil, nil, err
	}
	c, problems, err := s.changeProblems(ctx, old, merge(old.Config, patch))
	if err != nil {
		if e := AsError(err); e.Kind == Invalid {
			return nil, e.Fields, nil
		}
		return nil, nil, err
	}
	before := c.spec.Resolve(old.Config, c.env)
	return c.spec.Diff(before, c.resolved), problems, nil
}

func (s *Service) changeProblems(ctx context.Context, old runner.Connector, cfg connector.Config) (*candidate, []connector.FieldError, error) {
	if class := cfg.Get(connector.KeyClass); class != "" && !strings.EqualFold(class, old.Class) {
		return nil, nil, fieldError(connector.KeyClass, "Dump Path cannot be changed after the connector was created; create another connector instead.")
	}
	c, err := s.candidate(ctx, old.Instance, cfg, old.Config, old.Config)
	if err != nil {
		return nil, nil, err
	}
	problems := c.problems
	before := c.spec.Resolve(old.Config, c.env)
	for _, p := range c.spec.FixedProblems(before, c.resolved, old.Delivered) {
		if !slices.ContainsFunc(problems, func(q connector.FieldError) bool { return q.Field == p.Field }) {
			problems = append(problems, p)
		}
	}
	if len(problems) == 0 {
		if problems, err = s.sharedProblems(ctx, c, old.ID); err != nil {
			return nil, nil, err
		}
	}
	return c, problems, nil
}

func (s *Service) change(ctx context.Context, old runner.Connector, lost []string, cfg connector.Config, expected int) (Connector, error) {
	if expected != 0 && expected != old.Version {
		return Connector{}, &Error{Kind: Conflict, Message: "The configuration was changed by somebody else meanwhile; look at the newest version and try again.", Err: ErrStale}
	}
	c, problems, err := s.changeProblems(ctx, old, cfg)
	if err != nil {
		return Connector{}, err
	}
	if err := invalid(problems); err != nil {
		return Connector{}, err
	}
	if maps.Equal(c.given, old.Config) {
		return s.show(ctx, old, lost), nil
	}
	changes := c.spec.Diff(old.Config, c.given)
	version, err := s.store.UpdateConfig(ctx, old.ID, old.Version, c.given, c.spec.Hash(c.resolved), ActorFrom(ctx).Name)
	if err != nil {
		return Connector{}, fromStore(err, "connector "+quoted(old.Name))
	}
	s.audit(ctx, "connector.modify", old.Instance+"/"+old.Name, changeDetail(changes))
	s.sup.Notify(old.ID)
	old.Config, old.Version, old.Hash = c.given, version, c.spec.Hash(c.resolved)
	return s.show(ctx, old, nil), nil
}

// Versions lists the configurations a connector had, newest first, with what each
// changed. Secrets are masked.
func (s *Service) Versions(ctx context.Context, instance, name string) ([]Version, error) {
	if err := need(ctx, Viewer); err != nil {
		return nil, err
	}
	c, _, err := s.find(ctx, instance, name)
	if err != nil {
		return nil, err
	}
	stored, err := s.store.Versions(ctx, c.ID)
	if err != nil {
		return nil, fromStore(err, "connector "+quoted(name))
	}
	spec, err := connector.Find(s.specs, c.Class)
	if err != nil {
		spec = &connector.Spec{}
	}
	out := make([]Version, len(stored))
	for i, v := range stored {
		out[i] = Version{Version: v.Version, Hash: v.Hash, Author: v.Author, Time: v.Time, Config: spec.Mask(v.Config), Changes: []connector.Change{}}
		if i+1 < len(stored) {
			out[i].Changes = append(out[i].Changes, spec.Diff(stored[i+1].Config, v.Config)...)
		}
	}
	return out, nil
}
