package control

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
)

const maxRegionName = 100 // characters

var regionRule = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,47}$`)

// KnownRegion is a region with where it comes from and who names it.
type KnownRegion struct {
	connector.Region
	Builtin   bool // it cannot be removed
	Instances int  // that stand in it
}

// KnownRegions lists every region: the built-in ones, then those that were added.
func (s *Service) KnownRegions(ctx context.Context) ([]KnownRegion, error) {
	if err := need(ctx, Admin); err != nil {
		return nil, err
	}
	regions, err := s.Regions(ctx)
	if err != nil {
		return nil, err
	}
	instances, err := s.store.Instances(ctx)
	if err != nil {
		return nil, fromStore(err, "instances")
	}
	count := map[string]int{}
	for _, in := range instances {
		count[in.Region]++
	}
	out := make([]KnownRegion, len(regions))
	for i, r := range regions {
		out[i] = KnownRegion{Region: r, Builtin: builtin(r.ID), Instances: count[r.ID]}
	}
	return out, nil
}

// AddRegion adds a region that instances and destinations can be in.
func (s *Service) AddRegion(ctx context.Context, id, name string) (connector.Region, error) {
	if err := need(ctx, Admin); err != nil {
		return connector.Region{}, err
	}
	r := connector.Region{ID: strings.TrimSpace(id), Name: strings.TrimSpace(name)}
	var problems []connector.FieldError
	switch {
	case !regionRule.MatchString(r.ID):
		problems = append(problems, connector.FieldError{Field: RegionID, Message: "Use 1 to 48 lower-case letters, digits and hyphens; the first may not be a hyphen."})
	case builtin(r.ID):
		problems = append(problems, connector.FieldError{Field: RegionID, Message: "The region " + quoted(r.ID) + " is built in already."})
	}
	if message := plainText(r.Name, 1, maxRegionName); message != "" {
		problems = append(problems, connector.FieldError{Field: RegionName, Message: message})
	}
	if err := invalid(problems); err != nil {
		return connector.Region{}, err
	}
	if err := s.store.AddRegion(ctx, r); err != nil {
		return connector.Region{}, taken(fromStore(err, "region"), RegionID, "There is a region "+quoted(r.ID)+" already.")
	}
	s.audit(ctx, "region.add", r.ID, map[string]string{RegionName: r.Name})
	return r, nil
}

// DeleteRegion removes a region that was added. Instances that stand in it keep it.
func (s *Service) DeleteRegion(ctx context.Context, id string) error {
	if err := need(ctx, Admin); err != nil {
		return err
	}
	if builtin(id) {
		return conflict("The region %s is built in and cannot be removed.", quoted(id))
	}
	if err := s.store.DeleteRegion(ctx, id); err != nil {
		return fromStore(err, "region "+quoted(id))
	}
	s.audit(ctx, "region.delete", id, nil)
	return nil
}

func builtin(id string) bool {
	return slices.ContainsFunc(BuiltinRegions(), func(r connector.Region) bool { return r.ID == id })
}

// env is what validation knows of an instance, with the regions known now.
func (s *Service) env(ctx context.Context, in runner.Instance) connector.Env {
	out := s.sup.Env(in)
	if regions, err := s.Regions(ctx); err == nil { // else those of the start: here they are suggestions only
		out.Regions = regions
	}
	return out
}
