package control

import (
	"context"
	"errors"
	"fmt"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
)

// Status is a connector with its roll-up and tasks.
func (s *Service) Status(ctx context.Context, instance, name string) (ConnectorWithStatus, error) {
	c, err := s.Connector(ctx, instance, name)
	if err != nil {
		return ConnectorWithStatus{}, err
	}
	st, err := s.sup.Status(ctx, c.ID)
	if err != nil {
		return ConnectorWithStatus{}, fromSupervisor(err)
	}
	return ConnectorWithStatus{Connector: c, Status: s.withTasks(c, st)}, nil
}

// withTasks shows the tasks of a suspended connector, which hold no thread while it is
// suspended, as Kafka Connect shows them: present and paused. One that was suspended
// when it had none has none.
func (s *Service) withTasks(c Connector, st runner.ConnectorStatus) runner.ConnectorStatus {
	if _, bare := s.taskless.Load(c.ID); bare || c.Desired != runner.DesiredPaused || !c.Deployed || len(st.Tasks) > 0 {
		return st
	}
	tasks := int(c.Effective().Int(connector.KeyTasksMax))
	if c.Kind() == string(connector.KindSource) {
		tasks = 1
	}
	for i := range tasks {
		st.Tasks = append(st.Tasks, runner.TaskStatus{ConnectorID: c.ID, Task: i, Node: st.Worker, Status: st.Status})
	}
	return st
}

// DeploySteps is what deploying has done so far, in sentences.
func (s *Service) DeploySteps(ctx context.Context, instance, name string) ([]string, error) {
	c, err := s.Connector(ctx, instance, name)
	if err != nil {
		return nil, err
	}
	return s.sup.DeploySteps(c.ID), nil
}

// Positions are a connector's committed positions, in any state.
func (s *Service) Positions(ctx context.Context, instance, name string) ([]runner.PositionRow, error) {
	c, err := s.Connector(ctx, instance, name)
	if err != nil {
		return nil, err
	}
	if c.Kind() == string(connector.KindSource) {
		return nil, &Error{Kind: Invalid, Message: "A source's positions are its own; they are no offsets of partitions."}
	}
	if !c.Deployed && c.Desired == runner.DesiredNotDeployed {
		return s.positionsBeforeDeploy(ctx, c)
	}
	rows, err := s.sup.Positions(ctx, c.ID)
	return rows, fromSupervisor(err)
}

// positionsBeforeDeploy: a connector that never ran can have had positions set; a
// cluster that is away is then no reason to refuse.
func (s *Service) positionsBeforeDeploy(ctx context.Context, c Connector) ([]runner.PositionRow, error) {
	rows, err := s.sup.Positions(ctx, c.ID)
	if err != nil {
		s.log.Debug("reading positions before the first deploy", "connector", c.Name, "err", err)
		return nil, nil
	}
	return rows, nil
}

// mustBeStopped refuses a change of positions while the connector may read or write.
func mustBeStopped(c Connector) error {
	if c.Desired == runner.DesiredStopped || c.Desired == runner.DesiredNotDeployed {
		return nil
	}
	return &Error{Kind: Conflict, Message: "Positions can be changed only while the connector is Stopped; stop it first.", Err: ErrNotStopped}
}

// ErrNotStopped is inside the Conflict that a position change of a connector that is
// not Stopped gets.
var ErrNotStopped = errors.New("the connector is not stopped")

// AlterPositions sets positions of a stopped sink, the partitions named only.
func (s *Service) AlterPositions(ctx context.Context, instance, name string, changes []PositionChange, force bool) error {
	if err := need(ctx, Operator); err != nil {
		return err
	}
	unlock, err := s.locks.lock(ctx, instance+"/"+name)
	if err != nil {
		return err
	}
	defer unlock()
	c, err := s.Connector(ctx, instance, name)
	if err != nil {
		return err
	}
	if err := mustBeStopped(c); err != nil {
		return err
	}
	to, err := s.positionMap(ctx, c, changes)
	if err != nil {
		return err
	}
	if err := s.sup.AlterPositions(ctx, c.ID, to, force); err != nil {
		return fromSupervisor(err)
	}
	s.audit(ctx, "connector.position", instance+"/"+name, positionDetail(changes))
	s.sup.Notify(c.ID)
	return nil
}

func positionDetail(changes []PositionChange) map[string]string {
	d := make(map[string]string, len(changes))
	for _, p := range changes {
		to := "removed"
		if p.Offset != nil {
			to = fmt.Sprint(*p.Offset)
		}
		d[fmt.Sprintf("%s-%d", p.Topic, p.Partition)] = to
	}
	return d
}

// positionMap checks changes against the connector's topics and their partitions.
func (s *Service) positionMap(ctx context.Context, c Connector, changes []PositionChange) (map[kafka.TP]*int64, error) {
	in, err := s.store.Instance(ctx, c.InstanceID)
	if err != nil {
		return nil, fromStore(err, "instance")
	}
	mine := map[string]int{}
	for _, t := range c.Effective().List(connector.KeyTopics) {
		mine[t] = -1
	}
	to := map[kafka.TP]*int64{}
	for i, p := range changes {
		field := fmt.Sprintf("offsets[%d]", i)
		n, named := mine[p.Topic]
		if !named {
			return nil, fieldError(field, "The connector does not read the topic %s.", quoted(p.Topic))
		}
		if p.Offset != nil && *p.Offset < 0 {
			return nil, fieldError(field, "An offset is 0 or more.")
		}
		if n < 0 {
			t, err := s.kafka.Topic(ctx, s.sup.Cluster(in), p.Topic)
			if errors.Is(err, kafka.ErrNoTopic) {
				return nil, fieldError(field, "The topic %s does not exist on the instance.", quoted(p.Topic))
			}
			if err != nil {
				return nil, unavailable(err, "Instance %s does not answer: %s", quoted(in.Name), reason(err))
			}
			n = len(t.Partitions)
			mine[p.Topic] = n
		}
		if p.Partition < 0 || int(p.Partition) >= n {
			return nil, fieldError(field, "The topic %s has the partitions 0 to %d.", quoted(p.Topic), n-1)
		}
		to[kafka.TP{Topic: p.Topic, Partition: p.Partition}] = p.Offset
	}
	return to, nil
}

// ResetPositions removes every position of a stopped connector: it starts again as
// at its first deploy.
func (s *Service) ResetPositions(ctx context.Context, instance, name string, force bool) error {
	if err := need(ctx, Operator); err != nil {
		return err
	}
	unlock, err := s.locks.lock(ctx, instance+"/"+name)
	if err != nil {
		return err
	}
	defer unlock()
	c, err := s.Connector(ctx, instance, name)
	if err != nil {
		return err
	}
	if err := mustBeStopped(c); err != nil {
		return err
	}
	if err := s.sup.ResetPositions(ctx, c.ID, force); err != nil {
		return fromSupervisor(err)
	}
	s.audit(ctx, "connector.position.reset", instance+"/"+name, nil)
	s.sup.Notify(c.ID)
	return nil
}

// Choices lists the partitions that wait for a choice.
func (s *Service) Choices(ctx context.Context, instance, name string) ([]Waiting, error) {
	c, err := s.Status(ctx, instance, name)
	if err != nil {
		return nil, err
	}
	return waitingOf(c.Status), nil
}

func waitingOf(st runner.ConnectorStatus) []Waiting {
	out := []Waiting{}
	for _, t := range st.Tasks {
		for _, p := range t.Partitions {
			if len(p.Choices) > 0 {
				out = append(out, Waiting{Topic: p.Topic, Partition: p.Partition, Lost: p.Lost, Options: p.Choices})
			}
		}
	}
	return out
}

// choicePosition is the one choice that needs an offset.
const choicePosition = "position"

// Choose answers a partition that waits. offset is for the choice "position" only
// and nil otherwise.
func (s *Service) Choose(ctx context.Context, instance, name, topic string, partition int32, choice string, offset *int64) error {
	if err := need(ctx, Operator); err != nil {
		return err
	}
	c, err := s.Status(ctx, instance, name)
	if err != nil {
		return err
	}
	if c.Kind() == string(connector.KindSource) {
		topic, partition = "", -1 // its reader is what waits, whatever was named
	}
	at, err := checkChoice(waitingOf(c.Status), topic, partition, choice, offset)
	if err != nil {
		return err
	}
	if err := s.sup.Choose(ctx, c.ID, topic, partition, choice, at); err != nil {
		return fromSupervisor(err)
	}
	detail := map[string]string{"choice": choice}
	if topic != "" {
		detail["partition"] = fmt.Sprintf("%s-%d", topic, partition)
	}
	s.audit(ctx, "connector.choose", instance+"/"+name, detail)
	return nil
}

func checkChoice(waiting []Waiting, topic string, partition int32, choice string, offset *int64) (int64, error) {
	for _, w := range waiting {
		if w.Topic != topic || w.Partition != partition {
			continue
		}
		offered := ""
		for _, o := range w.Options {
			offered += " " + o.Choice
			if o.Choice != choice {
				continue
			}
			if choice != choicePosition {
				return -1, nil
			}
			if offset == nil || *offset < 0 {
				return 0, fieldError("offset", "The choice %q needs the offset to go on at, 0 or more.", choice)
			}
			return *offset, nil
		}
		return 0, fieldError("choice", "%s is not offered; choose one of:%s.", quoted(choice), offered)
	}
	if topic == "" {
		return 0, conflict("The connector does not wait for a choice.")
	}
	return 0, conflict("%s-%d does not wait for a choice.", topic, partition)
}

// Resources are the topics and groups that a connector owns, with their live state.
func (s *Service) Resources(ctx context.Context, instance, name string) ([]runner.Resource, error) {
	c, err := s.Connector(ctx, instance, name)
	if err != nil {
		return nil, err
	}
	out, err := s.sup.Resources(ctx, c.ID)
	return out, fromSupervisor(err)
}
