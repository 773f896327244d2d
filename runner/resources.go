package runner

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
)

// resourceNames are the topics and groups that a connector owns.
type resourceNames struct {
	group, clusterGroup                                         string
	configTopic, offsetTopic, statusTopic, deadLetter, abnormal string
}

func namesOf(cfg connector.Config) resourceNames {
	return resourceNames{
		group:        cfg.Get(connector.KeyGroup),
		clusterGroup: "connect-cluster-" + cfg.Get(connector.KeyName),
		configTopic:  cfg.Get(connector.KeyConfigTopic),
		offsetTopic:  cfg.Get(connector.KeyOffsetTopic),
		statusTopic:  cfg.Get(connector.KeyStatusTopic),
		deadLetter:   cfg.Get(connector.KeyDeadLetter),
		abnormal:     cfg.Get(connector.KeyAbnormal),
	}
}

func (n resourceNames) topics() []string {
	out := []string{n.configTopic, n.offsetTopic, n.statusTopic, n.deadLetter, n.abnormal}
	slices.Sort(out)
	return slices.Compact(out)
}

// groups are the connector's groups; a source has none of tasks.
func (n resourceNames) groups() []string {
	if n.group == "" {
		return []string{n.clusterGroup}
	}
	return []string{n.group, n.clusterGroup}
}

// roleOf is what one of the groups is.
func (n resourceNames) roleOf(group string) string {
	if group == n.group {
		return roleGroup
	}
	return roleCluster
}

// topicRule is the shape a connector's topic must have.
type topicRule struct {
	key, role, name  string
	partitions       int32 // made with
	exactly, atLeast int32
	cleanup          string
	config           map[string]string
}

// errorBytes bounds a partition of the topics for diverted records, in bytes; there it is
// the oldest that go.
const errorBytes = 1 << 30

const (
	roleOffset     = "task offset topic"
	roleConfig     = "task configuration topic"
	roleStatus     = "task status topic"
	roleDeadLetter = "dead-letter queue topic"
	roleAbnormal   = "abnormal data topic"
	roleGroup      = "connector task consumer group"
	roleCluster    = "connector consumer group"
)

// rules lists the topics with their shapes. sourceMax is the largest record that the
// source topics allow, in bytes: a diverted record gains headers and must still fit.
func (n resourceNames) rules(sourceMax int) []topicRule {
	errorConfig := map[string]string{
		"cleanup.policy":    "delete",
		"max.message.bytes": strconv.Itoa(min(sourceMax+64<<10, math.MaxInt32)),
		// The default refuses records whose time lies an hour ahead.
		"message.timestamp.after.max.ms": strconv.FormatInt(math.MaxInt64, 10),
		// A diverted record keeps its time. Retention by time would remove one that is older
		// at once, and with it the only copy of it and of the reason.
		"retention.ms":    "-1",
		"retention.bytes": strconv.Itoa(errorBytes),
	}
	compact := map[string]string{"cleanup.policy": "compact"}
	offsets := map[string]string{"cleanup.policy": "compact", "segment.bytes": "16777216", "segment.ms": "600000", "min.cleanable.dirty.ratio": "0.05"}
	out := []topicRule{
		{key: connector.KeyOffsetTopic, role: roleOffset, name: n.offsetTopic, partitions: 25, atLeast: 2, cleanup: "compact", config: offsets},
		{key: connector.KeyConfigTopic, role: roleConfig, name: n.configTopic, partitions: 1, exactly: 1, cleanup: "compact", config: compact},
		{key: connector.KeyStatusTopic, role: roleStatus, name: n.statusTopic, partitions: 6, atLeast: 1, cleanup: "compact", config: compact},
		{key: connector.KeyDeadLetter, role: roleDeadLetter, name: n.deadLetter, partitions: 6, atLeast: 1, cleanup: "delete", config: errorConfig},
	}
	if n.abnormal != n.deadLetter {
		out = append(out, topicRule{key: connector.KeyAbnormal, role: roleAbnormal, name: n.abnormal, partitions: 6, atLeast: 1, cleanup: "delete", config: errorConfig})
	}
	return out
}

// TopicShape is what one of a connector's topics must look like.
type TopicShape struct {
	Key, Role, Name string // the setting that names it, what it is, its name
	rule            topicRule
}

// TopicShapes are the topics that a resolved configuration names, with their shapes.
func TopicShapes(cfg connector.Config) []TopicShape {
	var out []TopicShape
	for _, r := range namesOf(cfg).rules(defaultMaxMessage) {
		out = append(out, TopicShape{Key: r.key, Role: r.role, Name: r.name, rule: r})
	}
	return out
}

// Check tells what is wrong with an existing topic and what to do; "" when nothing is.
func (s TopicShape) Check(t kafka.Topic, cleanup string) (problem, remedy string) {
	if problem = s.rule.check(t, cleanup); problem == "" {
		return "", ""
	}
	return problem, s.rule.remedy()
}

// check tells what is wrong with an existing topic; "" when nothing is.
func (r topicRule) check(t kafka.Topic, cleanup string) string {
	n := int32(len(t.Partitions))
	switch {
	case r.exactly > 0 && n != r.exactly:
		return fmt.Sprintf("The %s %s has %s and must have exactly %d.", r.role, r.name, plural(int(n), "partition"), r.exactly)
	case n < r.atLeast:
		return fmt.Sprintf("The %s %s has %s and must have at least %d.", r.role, r.name, plural(int(n), "partition"), r.atLeast)
	case cleanup != "" && cleanup != r.cleanup:
		return fmt.Sprintf("The %s %s has cleanup.policy=%s and must have %s.", r.role, r.name, cleanup, r.cleanup)
	}
	return ""
}

func (r topicRule) remedy() string {
	return fmt.Sprintf("Correct the topic (cleanup.policy=%s), or name another one in %s.", r.cleanup, r.key)
}

// ensureTopics checks the existing topics and makes the missing ones (automatic mode).
// Every topic that is wrong is named, and none is made while one is.
func ensureTopics(ctx context.Context, admin *kafka.Admin, sub *subject, sourceMax int, step func(string)) (made []string, err error) {
	automatic := sub.config.Get(connector.KeyResourcesMode) != connector.ModeManual
	var (
		missing []topicRule
		wrong   *connector.WrongError
	)
	patience, cancel := context.WithTimeout(ctx, topicPatience)
	defer cancel()
	for _, r := range sub.names.rules(sourceMax) {
		msg, err := r.look(ctx, patience, admin, !automatic)
		remedy := r.remedy()
		switch {
		case errors.Is(err, kafka.ErrNoTopic) && automatic:
			missing = append(missing, r)
			continue
		case errors.Is(err, kafka.ErrNoTopic):
			msg, remedy = fmt.Sprintf("The %s %s does not exist.", r.role, r.name), "Create the topic, or let Sluice create resources automatically."
		case err != nil:
			return nil, fmt.Errorf("reading the %s: %w", r.role, err)
		}
		if msg != "" {
			wrong = alsoWrong(wrong, r.key, msg, remedy)
		}
	}
	if wrong != nil {
		return nil, wrong
	}
	return makeTopics(ctx, admin, missing, step)
}

// makeTopics makes the missing topics, all with one request.
func makeTopics(ctx context.Context, admin *kafka.Admin, missing []topicRule, step func(string)) (made []string, err error) {
	if len(missing) == 0 {
		return nil, nil
	}
	specs := make([]kafka.TopicSpec, len(missing))
	for i, r := range missing {
		specs[i] = kafka.TopicSpec{Name: r.name, Partitions: r.partitions, Config: r.config}
	}
	made, err = admin.CreateTopics(ctx, specs...)
	for _, r := range missing {
		if slices.Contains(made, r.name) {
			step(fmt.Sprintf("Created the %s %s.", r.role, r.name))
		}
	}
	if err != nil {
		return made, fmt.Errorf("making the connector's topics: %w", err)
	}
	for _, r := range missing {
		if slices.Contains(made, r.name) {
			continue
		}
		msg, err := r.look(ctx, ctx, admin, false) // somebody else was quicker
		if err != nil {
			return made, fmt.Errorf("reading the %s: %w", r.role, err)
		}
		if msg != "" {
			return made, &connector.WrongError{Field: r.key, Err: errors.New(msg), Remedy: r.remedy()}
		}
	}
	return made, nil
}

// topicPatience is how long a topic that should exist is waited for, in all: one that
// was made a moment ago is not yet known to every broker.
const topicPatience = 2 * time.Second

// expectPatience is topicPatience for a single topic without which nothing can go on.
const expectPatience = 5 * time.Second

// expectTopic looks a topic up that should exist.
func expectTopic(ctx context.Context, admin *kafka.Admin, name string) (t kafka.Topic, err error) {
	err = untilKnown(ctx, func() (err error) { t, err = admin.Topic(ctx, name); return err })
	return t, err
}

// untilKnown asks about a topic that should exist: that it does not is believed only
// when the cluster keeps saying so, because each broker learns of new topics by itself.
func untilKnown(ctx context.Context, ask func() error) error {
	patience, cancel := context.WithTimeout(ctx, expectPatience)
	defer cancel()
	err := ask()
	for errors.Is(err, kafka.ErrNoTopic) && wait(patience, 200*time.Millisecond) {
		err = ask()
	}
	return err
}

// look reads a topic and tells what is wrong with it, "" when nothing is. With
// expected, a topic that does not exist is asked for again until patience ends.
func (r topicRule) look(ctx, patience context.Context, admin *kafka.Admin, expected bool) (wrong string, err error) {
	t, err := admin.Topic(ctx, r.name)
	for errors.Is(err, kafka.ErrNoTopic) && expected && wait(patience, 200*time.Millisecond) {
		t, err = admin.Topic(ctx, r.name)
	}
	if err != nil {
		return "", err
	}
	conf, err := admin.TopicConfig(ctx, r.name)
	if err != nil {
		return "", fmt.Errorf("reading the configuration of %s: %w", r.name, err)
	}
	return r.check(t, conf["cleanup.policy"]), nil
}

// alsoWrong adds a problem to those found before.
func alsoWrong(before *connector.WrongError, field, msg, remedy string) *connector.WrongError {
	if before == nil {
		return &connector.WrongError{Field: field, Err: errors.New(msg), Remedy: remedy}
	}
	before.Err = errors.New(before.Err.Error() + " " + msg)
	if !strings.Contains(before.Remedy, remedy) {
		before.Remedy += " " + remedy
	}
	return before
}

// Resources lists a connector's topics and groups with their live state.
func (s *Supervisor) Resources(ctx context.Context, id int64) ([]Resource, error) {
	c, err := s.o.Store.ConnectorByID(ctx, id)
	if err != nil {
		return nil, err
	}
	sub, err := s.subject(ctx, c)
	if err != nil {
		return nil, err
	}
	admin, err := kafka.OpenAdmin(ctx, sub.cluster)
	if err != nil {
		return nil, fmt.Errorf("connecting to the instance: %w", err)
	}
	defer admin.Close()
	var out []Resource
	for _, r := range sub.names.rules(defaultMaxMessage) {
		res := Resource{Kind: "topic", Role: r.role, Name: r.name}
		t, err := admin.Topic(ctx, r.name)
		switch {
		case errors.Is(err, kafka.ErrNoTopic):
			res.Detail = "does not exist"
		case err != nil:
			return nil, fmt.Errorf("reading topic %s: %w", r.name, err)
		default:
			res.Exists, res.Partitions = true, len(t.Partitions)
			conf, err := admin.TopicConfig(ctx, r.name)
			if err != nil {
				return nil, fmt.Errorf("reading topic %s: %w", r.name, err)
			}
			res.CleanupPolicy = conf["cleanup.policy"]
			res.Detail = r.check(t, res.CleanupPolicy)
		}
		out = append(out, res)
	}
	groups, err := admin.Groups(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing groups: %w", err)
	}
	for _, g := range sub.names.groups() {
		res := Resource{Kind: "group", Role: sub.names.roleOf(g), Name: g, Exists: slices.Contains(groups, g)}
		if res.Exists {
			if d, err := admin.DescribeGroup(ctx, g); err == nil {
				res.Detail = fmt.Sprintf("%s, %s", d.State, plural(len(d.Members), "member"))
			}
		}
		out = append(out, res)
	}
	return out, nil
}

// plural is a number with its noun.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// defaultMaxMessage is Kafka's default max.message.bytes.
const defaultMaxMessage = 1 << 20
