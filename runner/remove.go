package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
)

// Remove stops a connector, settles what was about to become visible, and deletes
// its topics and groups but those that another connector names.
func (s *Supervisor) Remove(ctx context.Context, id int64, o RemoveOptions) error {
	release, err := s.hold(id, errDelete)
	if err != nil {
		return err
	}
	defer release()
	c, err := s.o.Store.ConnectorByID(ctx, id)
	if err != nil {
		return err
	}
	sub, err := s.subject(ctx, c)
	var wrong *connector.WrongError
	if errors.As(err, &wrong) && !c.Deployed {
		return nil // nothing was ever made for a configuration that cannot work
	}
	if err != nil {
		return err
	}
	foreign, err := s.foreign(ctx, sub)
	if err != nil {
		return err
	}
	if foreign {
		s.log.Warn("the resources of a deleted connector belong to another installation and are kept", "connector", c.Name, "topic", sub.names.configTopic)
		return nil
	}
	if c.Deployed && sub.spec.Kind == connector.KindSink {
		if err := s.settle(ctx, sub, o.Force); err != nil {
			return err
		}
	}
	if o.KeepResources {
		return s.release(ctx, sub)
	}
	return s.removeResources(ctx, sub)
}

// foreign tells whether another installation runs a connector with these resources:
// its positions and topics are not ours to settle or delete.
func (s *Supervisor) foreign(ctx context.Context, sub *subject) (bool, error) {
	admin, err := kafka.OpenAdmin(ctx, sub.cluster)
	if err != nil {
		return false, fmt.Errorf("connecting to instance %s: %w", sub.instance.Name, err)
	}
	defer admin.Close()
	if _, err := admin.Topic(ctx, sub.names.configTopic); errors.Is(err, kafka.ErrNoTopic) {
		return false, nil
	}
	j := &journal{s: s, sub: sub, configs: map[string]connector.Config{}}
	err = readCompacted(ctx, sub.cluster, sub.names.configTopic, j.load)
	var wrong *connector.WrongError
	switch {
	case errors.Is(err, kafka.ErrNoTopic), errors.As(err, &wrong): // gone meanwhile, or nothing of Sluice's
		return false, nil
	case err != nil:
		return false, fmt.Errorf("reading the configuration topic %s: %w", sub.names.configTopic, err)
	}
	return j.current != nil && !j.current.Released && j.current.Installation != s.o.Installation, nil
}

// release marks the configuration topic so that another connector may take it over.
func (s *Supervisor) release(ctx context.Context, sub *subject) error {
	if !sub.row.Deployed {
		return nil
	}
	j, err := openJournal(ctx, s, sub)
	if err != nil {
		return err
	}
	defer j.close()
	if sub.spec.Kind == connector.KindSource {
		if err := s.releaseState(ctx, sub); err != nil {
			return err
		}
	}
	return j.write(ctx, sub.spec.Hash(sub.config), true)
}

func (s *Supervisor) removeResources(ctx context.Context, sub *subject) error {
	keep, err := s.namedByOthers(ctx, sub)
	if err != nil {
		return err
	}
	admin, err := kafka.OpenAdmin(ctx, sub.cluster)
	if err != nil {
		return fmt.Errorf("connecting to instance %s: %w", sub.instance.Name, err)
	}
	defer admin.Close()
	for _, g := range sub.names.groups() {
		if keep["group "+g] {
			continue
		}
		if err := s.deleteGroup(ctx, admin, g); err != nil {
			return fmt.Errorf("deleting group %s: %w", g, err)
		}
	}
	var topics []string
	for _, t := range sub.names.topics() {
		if !keep["topic "+t] {
			topics = append(topics, t)
		}
	}
	if err := admin.DeleteTopics(ctx, topics...); err != nil {
		return fmt.Errorf("deleting topics: %w", err)
	}
	return nil
}

// deleteGroup removes this node's seats, then the group; members that are just
// leaving are waited for.
func (s *Supervisor) deleteGroup(ctx context.Context, admin *kafka.Admin, group string) error {
	deadline := time.Now().Add(s.o.SessionTimeout + 5*time.Second)
	for {
		s.removeSeats(ctx, admin, group)
		err := admin.DeleteGroup(ctx, group)
		if err == nil || time.Now().After(deadline) || !wait(ctx, 300*time.Millisecond) {
			return err
		}
	}
}

// namedByOthers finds which of a connector's resources another connector on the same
// cluster names, as a resource or as a source topic.
func (s *Supervisor) namedByOthers(ctx context.Context, sub *subject) (map[string]bool, error) {
	rows, err := s.o.Store.Connectors(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing connectors: %w", err)
	}
	out := map[string]bool{}
	for _, c := range rows {
		if c.ID == sub.row.ID {
			continue
		}
		in, err := s.o.Store.Instance(ctx, c.InstanceID)
		if err != nil {
			return nil, fmt.Errorf("reading instance: %w", err)
		}
		if in.ID != sub.instance.ID && (in.ClusterID == "" || in.ClusterID != sub.instance.ClusterID) {
			continue
		}
		spec, err := connector.Find(s.o.Specs, c.Class)
		if err != nil {
			continue
		}
		cfg := spec.Resolve(c.Config, s.env(in))
		names := namesOf(cfg)
		for _, t := range append(names.topics(), cfg.List(connector.KeyTopics)...) {
			out["topic "+t] = true
		}
		for _, g := range names.groups() {
			out["group "+g] = true
		}
	}
	return out, nil
}
