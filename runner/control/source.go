package control

import (
	"context"
	"fmt"
	"strings"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
)

// source finds a connector that is a source.
func (s *Service) source(ctx context.Context, instance, name string) (Connector, error) {
	c, err := s.Connector(ctx, instance, name)
	if err != nil {
		return c, err
	}
	if c.Kind() != string(connector.KindSource) {
		return c, conflict("%s is no source: it reads topics and copies nothing.", quoted(name))
	}
	return c, nil
}

// SourcePositions are what a source has saved of where it stands, in any state.
func (s *Service) SourcePositions(ctx context.Context, instance, name string) ([]connector.SourcePosition, error) {
	c, err := s.source(ctx, instance, name)
	if err != nil {
		return nil, err
	}
	rows, err := s.sup.SourcePositions(ctx, c.ID)
	if err != nil && !c.Deployed && c.Desired == runner.DesiredNotDeployed {
		s.log.Debug("reading positions before the first deploy", "connector", c.Name, "err", err)
		return nil, nil
	}
	return rows, fromSupervisor(err)
}

// AlterSourcePositions sets positions of a stopped source; those without an offset are
// removed.
func (s *Service) AlterSourcePositions(ctx context.Context, instance, name string, to []connector.SourcePosition) error {
	if err := need(ctx, Operator); err != nil {
		return err
	}
	unlock, err := s.locks.lock(ctx, instance+"/"+name)
	if err != nil {
		return err
	}
	defer unlock()
	c, err := s.source(ctx, instance, name)
	if err != nil {
		return err
	}
	if err := mustBeStopped(c); err != nil {
		return err
	}
	if err := s.sup.AlterSourcePositions(ctx, c.ID, to); err != nil {
		return fromSupervisor(err)
	}
	detail := map[string]string{}
	for _, p := range to {
		at := "removed"
		if p.Offset != nil {
			at = fmt.Sprint(p.Offset)
		}
		detail[fmt.Sprint(p.Partition)] = at
	}
	s.audit(ctx, "connector.position", instance+"/"+name, detail)
	s.sup.Notify(c.ID)
	return nil
}

// Snapshot asks a running source to copy parts of what it reads anew, or with none all.
// It returns when the request will survive a crash.
func (s *Service) Snapshot(ctx context.Context, instance, name string, parts []string) error {
	if err := need(ctx, Operator); err != nil {
		return err
	}
	c, err := s.source(ctx, instance, name)
	if err != nil {
		return err
	}
	if c.Desired != runner.DesiredRunning {
		return conflict("Only a running connector can copy anew; resume it first.")
	}
	if err := s.sup.Snapshot(ctx, c.ID, parts); err != nil {
		return fromSupervisor(err)
	}
	what := "all"
	if len(parts) > 0 {
		what = strings.Join(parts, ", ")
	}
	s.audit(ctx, "connector.snapshot", instance+"/"+name, map[string]string{"tables": what})
	return nil
}

// WrittenTopics are the topics that a source has written to, as far as it runs.
func (s *Service) WrittenTopics(ctx context.Context, instance, name string) ([]string, error) {
	c, err := s.Status(ctx, instance, name)
	if err != nil {
		return nil, err
	}
	return targets(c.Status), nil
}

// targets are the topics that a source's parts go to, each once.
func targets(st runner.ConnectorStatus) []string {
	out := []string{}
	seen := map[string]bool{}
	for _, t := range st.Tasks {
		for _, p := range t.Progress {
			if p.Target != "" && !seen[p.Target] {
				seen[p.Target] = true
				out = append(out, p.Target)
			}
		}
	}
	return out
}
