package control

import (
	"context"
	"errors"
	"fmt"

	"github.com/sluice-io/sluice/runner"
)

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
