package control

import (
	"context"

	"github.com/sluice-io/sluice/runner/connector"
)

// Env is what defaults and validation know of an instance: forms are filled in with it.
func (s *Service) Env(ctx context.Context, instance string) (connector.Env, error) {
	if err := need(ctx, Viewer); err != nil {
		return connector.Env{}, err
	}
	in, err := s.store.InstanceByName(ctx, instance)
	if err != nil {
		return connector.Env{}, fromStore(err, "instance "+quoted(instance))
	}
	return s.env(ctx, in), nil
}
