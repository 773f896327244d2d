package control

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
)

// Instances lists every instance, by name, with what the last probe found. SASL
// passwords are not in it.
func (s *Service) Instances(ctx context.Context) ([]InstanceInfo, error) {
	if err := need(ctx, Viewer); err != nil {
		return nil, err
	}
	all, err := s.store.Instances(ctx)
	if err != nil {
		return nil, fromStore(err, "instances")
	}
	slices.SortFunc(all, func(a, b InstanceInfo) int { return compareText(a.Name, b.Name) })
	for i := range all {
		all[i].SASLPassword = masked(all[i].SASLPassword)
	}
	return all, nil
}

// Instance finds one by name, its SASL password masked.
func (s *Service) Instance(ctx context.Context, name string) (InstanceInfo, error) {
	all, err := s.Instances(ctx)
	if err != nil {
		return InstanceInfo{}, err
	}
	for _, in := range all {
		if in.Name == name {
			return in, nil
		}
	}
	return InstanceInfo{}, notFound("Instance %s not found.", quoted(name))
}

// InstanceRow is Instance without the counts, which a page for programs has no use for.
func (s *Service) InstanceRow(ctx context.Context, name string) (runner.Instance, error) {
	if err := need(ctx, Viewer); err != nil {
		return runner.Instance{}, err
	}
	in, err := s.store.InstanceByName(ctx, name)
	if err != nil {
		return runner.Instance{}, fromStore(err, "instance "+quoted(name))
	}
	in.SASLPassword = masked(in.SASLPassword)
	return in, nil
}

// InstanceSpec declares the members of an instance with the regions known now.
func (s *Service) InstanceSpec(ctx context.Context) (*connector.Spec, error) {
	regions, err := s.Regions(ctx)
	if err != nil {
		return nil, err
	}
	return InstanceSpec(regions), nil
}

// CreateInstance makes an instance of its members' values (absent ones take their
// defaults) and probes it once, for at most three seconds.
func (s *Service) CreateInstance(ctx context.Context, values connector.Config) (InstanceInfo, error) {
	if err := need(ctx, Admin); err != nil {
		return InstanceInfo{}, err
	}
	resolved, err := s.checkInstance(ctx, nil, values)
	if err != nil {
		return InstanceInfo{}, err
	}
	in := runner.Instance{Status: runner.InstanceUnknown, Detail: "Not asked yet."}
	apply(&in, resolved)
	if err := s.store.CreateInstance(ctx, &in); err != nil {
		return InstanceInfo{}, fromStore(err, "instance")
	}
	s.audit(ctx, "instance.create", in.Name, map[string]string{InstanceBootstrap: in.BootstrapServers})
	s.probeBriefly(ctx, in)
	return s.Instance(ctx, in.Name)
}

// PatchInstance changes members: nil takes one back to its default, Masked keeps a
// secret. Changed connection members restart the instance's running connectors.
func (s *Service) PatchInstance(ctx context.Context, name string, change map[string]*string) (InstanceInfo, error) {
	if err := need(ctx, Admin); err != nil {
		return InstanceInfo{}, err
	}
	unlock, err := s.locks.lock(ctx, "instance/"+name)
	if err != nil {
		return InstanceInfo{}, err
	}
	defer unlock()
	in, err := s.store.InstanceByName(ctx, name)
	if err != nil {
		return InstanceInfo{}, fromStore(err, "instance "+quoted(name))
	}
	old := valuesOf(in)
	values := connector.Config(merge(old, change))
	resolved, err := s.checkInstance(ctx, &in, values)
	if err != nil {
		return InstanceInfo{}, err
	}
	spec := InstanceSpec(nil)
	changes := spec.Diff(spec.Resolve(old, connector.Env{}), resolved)
	if len(changes) == 0 {
		return s.Instance(ctx, name)
	}
	apply(&in, resolved)
	if err := s.store.UpdateInstance(ctx, in); err != nil {
		return InstanceInfo{}, fromStore(err, "instance "+quoted(name))
	}
	s.audit(ctx, "instance.update", name, changeDetail(changes))
	if connectionChanged(changes) {
		s.probeBriefly(ctx, in)
		s.restartConnectorsOf(ctx, in.ID)
	}
	return s.Instance(ctx, name)
}

// DeleteInstance forgets an instance that has no connectors. Nothing of the cluster
// is touched.
func (s *Service) DeleteInstance(ctx context.Context, name string) error {
	if err := need(ctx, Admin); err != nil {
		return err
	}
	in, err := s.store.InstanceByName(ctx, name)
	if err != nil {
		return fromStore(err, "instance "+quoted(name))
	}
	if err := s.store.DeleteInstance(ctx, in.ID); err != nil {
		return fromStore(err, "instance "+quoted(name))
	}
	s.probes.forget(in.ID)
	s.audit(ctx, "instance.delete", name, nil)
	return nil
}

// CheckInstanceValues validates members without storing them, for a field check of a
// form: the problems by field. name is the instance being changed, "" for a new one.
func (s *Service) CheckInstanceValues(ctx context.Context, name string, values connector.Config) ([]connector.FieldError, error) {
	if err := need(ctx, Admin); err != nil {
		return nil, err
	}
	var old *runner.Instance
	if name != "" {
		in, err := s.store.InstanceByName(ctx, name)
		if err != nil {
			return nil, fromStore(err, "instance "+quoted(name))
		}
		old = &in
	}
	if _, err := s.checkInstance(ctx, old, values); err != nil {
		if e := AsError(err); e.Kind == Invalid {
			return e.Fields, nil
		}
		return nil, err
	}
	return nil, nil
}

// checkInstance validates values (of old, when it is a change) and returns them with
// stored secrets and defaults filled in.
func (s *Service) checkInstance(ctx context.Context, old *runner.Instance, values connector.Config) (connector.Config, error) {
	regions, err := s.Regions(ctx)
	if err != nil {
		return nil, err
	}
	if old != nil { // a region that was removed since stays where it is
		regions = append(regions, connector.Region{ID: old.Region, Name: old.Region})
	}
	spec := InstanceSpec(regions)
	var problems []connector.FieldError
	for _, k := range spec.Unknown(values) {
		problems = append(problems, connector.FieldError{Field: k, Message: "An instance has no member of this name."})
	}
	stored := connector.Config{}
	if old != nil {
		stored = valuesOf(*old)
	}
	values = spec.Keep(values, stored)
	resolved := spec.Resolve(values, connector.Env{})
	for _, f := range spec.Fields() {
		given := values.Get(f.Key)
		if given != "" && given != stored.Get(f.Key) && !f.Shown(resolved, connector.Env{}) {
			problems = append(problems, connector.FieldError{Field: f.Key, Message: fmt.Sprintf("%s is not used with %s %s.", f.Label, InstanceProtocol, resolved.Get(InstanceProtocol))})
		}
	}
	problems = append(problems, spec.Problems(resolved, connector.Env{})...)
	if old != nil {
		if resolved.Get(InstanceName) != old.Name {
			problems = append(problems, connector.FieldError{Field: InstanceName, Message: "The name of an instance cannot be changed; add another instance instead."})
		}
	}
	problems = append(problems, s.refusedAddresses(problems, resolved)...)
	return resolved, invalid(problems)
}

// refusedAddresses applies the network rules to the bootstrap servers written as IPs.
func (s *Service) refusedAddresses(problems []connector.FieldError, c connector.Config) []connector.FieldError {
	if s.addr == nil || slices.ContainsFunc(problems, func(p connector.FieldError) bool { return p.Field == InstanceBootstrap }) {
		return nil
	}
	for _, server := range c.List(InstanceBootstrap) {
		if err := s.addr(server, c.Bool(InstanceInternet)); err != nil {
			return []connector.FieldError{{Field: InstanceBootstrap, Message: sentence(err.Error())}}
		}
	}
	return nil
}

// merge applies a JSON merge patch of flat values.
func merge(old map[string]string, change map[string]*string) map[string]string {
	out := maps.Clone(old)
	if out == nil {
		out = map[string]string{}
	}
	for k, v := range change {
		if v == nil {
			delete(out, k)
		} else {
			out[k] = *v
		}
	}
	return out
}

func masked(secret string) string {
	if secret == "" {
		return ""
	}
	return connector.Masked
}

// changeDetail puts changes, which are masked already, into an audit entry.
func changeDetail(changes []connector.Change) map[string]string {
	d := make(map[string]string, len(changes))
	for _, c := range changes {
		d[c.Key] = c.From + " → " + c.To
	}
	return d
}

func connectionChanged(changes []connector.Change) bool {
	return slices.ContainsFunc(changes, func(c connector.Change) bool {
		switch c.Key {
		case InstanceQuota, InstanceVPC, InstanceVSwitch:
			return false
		}
		return true
	})
}

func (s *Service) restartConnectorsOf(ctx context.Context, instanceID int64) {
	all, err := s.store.Connectors(ctx)
	if err != nil {
		s.log.Error("listing connectors of a changed instance", "err", err)
		return
	}
	for _, c := range all {
		if c.InstanceID != instanceID || c.Desired != runner.DesiredRunning {
			continue
		}
		if err := s.sup.Restart(ctx, c.ID, false, true); err != nil {
			s.log.Error("restarting a connector of a changed instance", "connector", c.Name, "err", err)
		}
	}
}

func compareText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// SandboxInstance is the name of the instance for the embedded broker.
const SandboxInstance = "sandbox"

// sandboxQuota is its quota of connectors: room to try every task type.
const sandboxQuota = 10

// EnsureSandbox makes the instance of the embedded broker, enabled, or points the
// existing one to where the broker listens this time.
func (s *Service) EnsureSandbox(ctx context.Context, bootstrap string) error {
	in, err := s.store.InstanceByName(ctx, SandboxInstance)
	switch {
	case errors.Is(err, runner.ErrNotFound):
		in = runner.Instance{Name: SandboxInstance, Region: selfHosted, BootstrapServers: bootstrap, SecurityProtocol: "PLAINTEXT",
			Quota: sandboxQuota, Status: runner.InstanceUnknown}
		if err := s.store.CreateInstance(ctx, &in); err != nil {
			return fmt.Errorf("storing the instance: %w", err)
		}
	case err != nil:
		return fmt.Errorf("reading the instance: %w", err)
	case in.BootstrapServers != bootstrap:
		in.BootstrapServers = bootstrap
		if err := s.store.UpdateInstance(ctx, in); err != nil {
			return fmt.Errorf("storing the instance: %w", err)
		}
	}
	if in.Enabled {
		return nil
	}
	return s.store.SetInstanceEnabled(ctx, in.ID, true)
}
