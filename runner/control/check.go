package control

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
)

// Trial is a configuration that is checked, previewed or looked up with, before or
// after its connector exists. Masked secrets are those of the draft, when one is
// named, else of the connector that the configuration names.
type Trial struct {
	Config connector.Config
	Draft  string
}

// checksTimeout bounds all live checks of one request together.
const checksTimeout = 60 * time.Second

// trial resolves a Trial; only problems of fields in the given steps count (all when
// there are none), because a wizard tests a step before the later ones are filled in.
func (s *Service) trial(ctx context.Context, instance string, t Trial, steps ...connector.StepID) (*candidate, runner.Connector, error) {
	if err := need(ctx, Operator); err != nil {
		return nil, runner.Connector{}, err
	}
	stored, row, err := s.trialSecrets(ctx, instance, t)
	if err != nil {
		return nil, row, err
	}
	cfg := t.Config
	if t.Draft == "" {
		cfg = withName(cfg)
	}
	c, err := s.candidate(ctx, instance, cfg, stored, row.Config)
	if err != nil {
		return nil, row, err
	}
	if row.UUID == "" {
		row = runner.Connector{Name: c.resolved.Get(connector.KeyName)}
	}
	return c, row, invalid(inSteps(c, steps))
}

// unnamed stands for the name of a configuration that is tried before it has one.
const unnamed = "unnamed"

// withName is the configuration with a name: what is tried need not have one yet, and the
// names that are made of it (resources, the prefix of objects) are only shown.
func withName(cfg connector.Config) connector.Config {
	if strings.TrimSpace(cfg.Get(connector.KeyName)) != "" {
		return cfg
	}
	cfg = maps.Clone(cfg)
	if cfg == nil {
		cfg = connector.Config{}
	}
	cfg[connector.KeyName] = unnamed
	return cfg
}

func (s *Service) trialSecrets(ctx context.Context, instance string, t Trial) (connector.Config, runner.Connector, error) {
	if t.Draft != "" {
		d, _, err := s.ownDraft(ctx, instance, t.Draft)
		return d.Values, runner.Connector{}, err
	}
	name := t.Config.Get(connector.KeyName)
	if name == "" {
		return nil, runner.Connector{}, nil
	}
	row, _, err := s.find(ctx, instance, name)
	if err != nil && AsError(err).Kind != NotFound {
		return nil, row, err
	}
	return row.Config, row, nil
}

// inSteps keeps the problems of fields that belong to the steps.
func inSteps(c *candidate, steps []connector.StepID) []connector.FieldError {
	if len(steps) == 0 {
		return c.problems
	}
	var out []connector.FieldError
	for _, p := range c.problems {
		for _, st := range c.spec.Steps {
			if slices.Contains(steps, st.ID) && slices.ContainsFunc(st.Fields, func(f connector.Field) bool { return f.Key == p.Field }) {
				out = append(out, p)
			}
		}
	}
	return out
}

// Check runs the live checks of a configuration and emits each finding as it
// finishes; emit is called from one goroutine at a time. step limits them to the
// wizard's step: source (the topics; of a source its own checks), destination (the connector's own checks); ""
// is everything, the resources too. It returns an error only when checks could not
// begin; what fails is a finding.
func (s *Service) Check(ctx context.Context, instance string, t Trial, step connector.StepID, emit func(connector.Finding)) error {
	var steps []connector.StepID
	if step != "" {
		steps = append(steps, step)
	}
	c, row, err := s.trial(ctx, instance, t, steps...)
	if err != nil {
		return err
	}
	if err := s.live.take(ActorFrom(ctx).Name, s.now()); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, checksTimeout)
	defer cancel()
	if step != connector.StepDestination && c.spec.Kind == connector.KindSink {
		s.checkTopics(ctx, c, emit)
	}
	// A source's checks are of its server, so they are run where that is given, and once
	// more where its topics are.
	own := step == "" || step == connector.StepDestination || step == connector.StepSource && c.spec.Kind == connector.KindSource
	if own && c.spec.Check != nil {
		s.checkSpec(ctx, c, row, emit)
	}
	if step != connector.StepSource && step != connector.StepBasic && c.spec.Writes != nil && c.spec.Topics != nil {
		s.checkWriters(ctx, c, row, emit)
	}
	if step == "" || step == connector.StepBasic {
		s.checkResources(ctx, c, row, emit)
	}
	return nil
}

// checkSpec runs the connector's own checks, which may ignore the deadline: when it
// passes, what is missing is told and whatever still comes is dropped.
func (s *Service) checkSpec(ctx context.Context, c *candidate, row runner.Connector, emit func(connector.Finding)) {
	var mu sync.Mutex
	closed := false
	guarded := func(f connector.Finding) {
		mu.Lock()
		defer mu.Unlock()
		if !closed {
			emit(f)
		}
	}
	done := make(chan error, 1)
	begin := s.now()
	go func() {
		defer func() {
			if p := recover(); p != nil {
				done <- fmt.Errorf("the checks panicked: %v", p)
			}
		}()
		done <- c.spec.Check(ctx, c.resolved, s.sup.Deps(c.instance, row.Name, row.UUID, c.resolved), guarded)
	}()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	mu.Lock()
	defer mu.Unlock()
	closed = true
	if err == nil {
		return
	}
	f := connector.Finding{Name: "destination", Status: connector.FindingFailed, Detail: sentence(err.Error()), Millis: s.now().Sub(begin).Milliseconds()}
	var wrong *connector.WrongError
	switch {
	case errors.As(err, &wrong):
		f.Remedy = wrong.Remedy
	case errors.Is(err, context.DeadlineExceeded):
		f.Detail = fmt.Sprintf("The checks did not finish within %d s.", int(checksTimeout.Seconds()))
		f.Remedy = "See which check was the last one to finish: the next one is waiting for an answer."
	}
	emit(f)
}

func (s *Service) checkTopics(ctx context.Context, c *candidate, emit func(connector.Finding)) {
	for _, name := range c.resolved.List(connector.KeyTopics) {
		begin := s.now()
		f := connector.Finding{Name: "topic " + name, Status: connector.FindingOK}
		t, err := s.kafka.Topic(ctx, s.sup.Cluster(c.instance), name)
		switch {
		case errors.Is(err, kafka.ErrNoTopic):
			f.Status, f.Detail, f.Remedy = connector.FindingFailed, "The topic does not exist.", "Create it on the Topics tab, or choose another."
		case err != nil:
			f.Status, f.Detail, f.Remedy = connector.FindingFailed, reason(err), "Look at the instance's page: it says whether the cluster answers."
		default:
			f.Detail = fmt.Sprintf("%d partitions.", len(t.Partitions))
			if tasks := c.resolved.Int(connector.KeyTasksMax); int(tasks) > len(t.Partitions) {
				f.Detail += fmt.Sprintf(" Of %d tasks some stay idle.", tasks)
			}
		}
		f.Millis = s.now().Sub(begin).Milliseconds()
		emit(f)
	}
}

// checkResources looks at the topics that the connector would own.
func (s *Service) checkResources(ctx context.Context, c *candidate, row runner.Connector, emit func(connector.Finding)) {
	shared, err := s.sharedProblems(ctx, c, row.ID)
	if err != nil {
		emit(connector.Finding{Name: "resources", Status: connector.FindingFailed, Detail: sentence(AsError(err).Message)})
		return
	}
	writers, err := s.writersBeside(ctx, c, row.ID)
	if err != nil {
		emit(connector.Finding{Name: "resources", Status: connector.FindingFailed, Detail: sentence(AsError(err).Message)})
		return
	}
	seen := map[string]bool{}
	for _, shape := range runner.TopicShapes(c.resolved) {
		if shape.Name == "" || seen[shape.Name] {
			continue
		}
		seen[shape.Name] = true
		begin := s.now()
		f := s.checkResource(ctx, c, shape)
		checkOwnTopic(writers, &f, shape.Name)
		for _, p := range shared {
			if p.Field == shape.Key {
				f.Status, f.Detail, f.Remedy = connector.FindingFailed, p.Message, "Name another topic in "+shape.Key+"."
			}
		}
		f.Millis = s.now().Sub(begin).Milliseconds()
		emit(f)
	}
}

func (s *Service) checkResource(ctx context.Context, c *candidate, shape runner.TopicShape) connector.Finding {
	f := connector.Finding{Name: shape.Role + " " + shape.Name, Status: connector.FindingOK}
	cluster := s.sup.Cluster(c.instance)
	t, err := s.kafka.Topic(ctx, cluster, shape.Name)
	switch {
	case errors.Is(err, kafka.ErrNoTopic) && c.resolved.Get(connector.KeyResourcesMode) != connector.ModeManual:
		f.Detail = "It will be made at deploy."
		return f
	case errors.Is(err, kafka.ErrNoTopic):
		f.Status, f.Detail, f.Remedy = connector.FindingFailed, "The topic does not exist.", "Create it, or let Sluice create resources automatically."
		return f
	case err != nil:
		f.Status, f.Detail = connector.FindingFailed, reason(err)
		return f
	}
	conf, err := s.kafka.TopicConfig(ctx, cluster, shape.Name)
	if err != nil {
		f.Status, f.Detail = connector.FindingFailed, reason(err)
		return f
	}
	cleanup := conf["cleanup.policy"]
	f.Detail = fmt.Sprintf("It exists with %d partitions, cleanup.policy=%s.", len(t.Partitions), cleanup)
	if problem, remedy := shape.Check(t, cleanup); problem != "" {
		f.Status, f.Detail, f.Remedy = connector.FindingFailed, problem, remedy
	}
	return f
}

// Lookup lists what the live system offers for one field: topics, buckets, tables.
func (s *Service) Lookup(ctx context.Context, instance string, t Trial, key string) ([]connector.Option, error) {
	c, row, err := s.trial(ctx, instance, t, "lookup") // no step of that name: problems do not matter
	if err != nil {
		return nil, err
	}
	f, known := c.spec.Field(key)
	if !known || f.Lookup == nil {
		return nil, notFound("Nothing can be looked up for %s.", quoted(key))
	}
	if err := s.live.take(ActorFrom(ctx).Name, s.now()); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	out, err := f.Lookup(ctx, c.resolved, s.sup.Deps(c.instance, row.Name, row.UUID, c.resolved))
	return out, fromSupervisor(err)
}
