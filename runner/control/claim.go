package control

import (
	"context"

	"github.com/sluice-io/sluice/runner"
)

// Claim is which installation runs a connector.
type Claim = runner.Claim

// Claim reads from the cluster which installation runs a connector.
func (s *Service) Claim(ctx context.Context, instance, name string) (Claim, error) {
	if err := need(ctx, Viewer); err != nil {
		return Claim{}, err
	}
	c, _, err := s.find(ctx, instance, name)
	if err != nil {
		return Claim{}, err
	}
	claim, err := s.sup.Claim(ctx, c.ID)
	return claim, fromSupervisor(err)
}

// TakeOver makes this installation run a connector in place of the one named from,
// which must be the one that Claim tells: naming it is the confirmation.
func (s *Service) TakeOver(ctx context.Context, instance, name, from string) error {
	if err := need(ctx, Operator); err != nil {
		return err
	}
	if from == "" {
		return fieldError("installation", "Name the installation that the connector is taken from; GET …/claim tells it.")
	}
	unlock, err := s.locks.lock(ctx, instance+"/"+name)
	if err != nil {
		return err
	}
	defer unlock()
	c, _, err := s.find(ctx, instance, name)
	if err != nil {
		return err
	}
	if err := s.sup.TakeOver(ctx, c.ID, from); err != nil {
		return fromSupervisor(err)
	}
	s.audit(ctx, "connector.take_over", instance+"/"+name, map[string]string{"from": from})
	if c.Desired == runner.DesiredRunning {
		if _, err := s.store.RaiseRestart(ctx, c.ID); err != nil {
			return fromStore(err, "connector "+quoted(name))
		}
	}
	s.sup.Notify(c.ID)
	return nil
}
