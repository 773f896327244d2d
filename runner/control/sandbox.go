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

// EnsureSandbox makes the instance sandbox, enabled, or points the existing one to
// where the embedded broker listens this time.
func (s *Service) EnsureSandbox(ctx context.Context, bootstrap string) error {
	in, err := s.store.InstanceByName(ctx, SandboxInstance)
	switch {
	case errors.Is(err, runner.ErrNotFound):
		in = runner.Instance{Name: SandboxInstance, Region: "self-hosted", BootstrapServers: bootstrap, SecurityProtocol: "PLAINTEXT", Quota: sandboxQuota, Enabled: true}
		if err := s.store.CreateInstance(ctx, &in); err != nil {
			return fmt.Errorf("storing the instance: %w", err)
		}
		return nil
	case err != nil:
		return fmt.Errorf("reading the instance: %w", err)
	case in.BootstrapServers == bootstrap:
		return nil
	}
	in.BootstrapServers = bootstrap
	if err := s.store.UpdateInstance(ctx, in); err != nil {
		return fmt.Errorf("storing the instance: %w", err)
	}
	return nil
}
