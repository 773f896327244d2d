package control

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
)

// Bounds of a configuration as a whole.
const (
	maxKeys      = 500
	maxKeyLen    = 256
	maxValueLen  = 256 << 10
	maxConfigLen = 512 << 10
)

// resourceKeys name the topics and the group that a connector owns.
var resourceKeys = []string{connector.KeyGroup, connector.KeyOffsetTopic, connector.KeyConfigTopic, connector.KeyStatusTopic, connector.KeyDeadLetter, connector.KeyAbnormal}

// candidate is a configuration on its way in: secrets in the clear, class canonical.
type candidate struct {
	instance runner.Instance
	env      connector.Env
	spec     *connector.Spec
	given    connector.Config
	resolved connector.Config
	problems []connector.FieldError
}

// Validate validates a configuration as creating or changing a connector of that
// name would. Masked secrets mean what is stored of that connector. The error is
// only about the instance or a class that does not exist.
func (s *Service) Validate(ctx context.Context, instance string, cfg connector.Config) (Validation, error) {
	if err := need(ctx, Viewer); err != nil {
		return Validation{}, err
	}
	stored, self, err := s.storedConfig(ctx, instance, cfg.Get(connector.KeyName))
	if err != nil {
		return Validation{}, err
	}
	c, err := s.candidate(ctx, instance, cfg, stored, stored)
	if err != nil {
		return Validation{}, err
	}
	v := Validation{Spec: c.spec, Given: c.spec.Mask(c.given), Resolved: c.spec.Mask(c.resolved), Problems: c.problems}
	for _, k := range c.spec.Unknown(c.given) {
		message := "No such setting is known; it is kept and nothing reads it."
		if _, is := connector.SinkOnly(k); is && c.spec.Kind == connector.KindSource {
			message = "Only sinks use this setting; it is kept and nothing reads it."
		}
		v.Warnings = append(v.Warnings, connector.FieldError{Field: k, Message: message})
	}
	if len(c.problems) == 0 {
		v.Warnings = append(v.Warnings, s.writerWarnings(ctx, c, self)...)
	}
	return v, nil
}

// storedConfig is the configuration of an existing connector, with its ID; nil and 0 when there is none.
func (s *Service) storedConfig(ctx context.Context, instance, name string) (connector.Config, int64, error) {
	if name == "" {
		return nil, 0, nil
	}
	c, _, err := s.find(ctx, instance, name)
	if err != nil {
		if AsError(err).Kind == NotFound {
			return nil, 0, nil
		}
		return nil, 0, err
	}
	return c.Config, c.ID, nil
}

// candidate canonicalises and validates a configuration. Masked secrets are those of
// stored; regions that kept names stay allowed when they are no longer known.
func (s *Service) candidate(ctx context.Context, instance string, cfg, stored, kept connector.Config) (*candidate, error) {
	in, err := s.store.InstanceByName(ctx, instance)
	if err != nil {
		return nil, fromStore(err, "instance "+quoted(instance))
	}
	env := s.sup.Env(in)
	if env.Regions, err = s.Regions(ctx); err != nil {
		return nil, err
	}
	if err := invalid(shapeProblems(cfg)); err != nil {
		return nil, err
	}
	class := cfg.Get(connector.KeyClass)
	if class == "" {
		return nil, fieldError(connector.KeyClass, "Name the task type: one of %s.", s.classes())
	}
	spec, err := connector.Find(s.specs, class)
	if err != nil {
		return nil, fieldError(connector.KeyClass, "There is no task type %s; there is %s.", quoted(class), s.classes())
	}
	given := spec.Keep(cfg, stored)
	given[connector.KeyClass] = spec.Class
	c := &candidate{instance: in, env: env, spec: spec, given: given}
	c.resolved = spec.Resolve(given, c.env)
	c.problems = regionsFirst(regionProblems(c, kept), withoutEchoes(spec.Problems(c.resolved, c.env), c))
	if len(c.problems) == 0 {
		c.problems = slices.Concat(s.reachProblems(c), loopProblems(c), roleProblems(c))
	}
	return c, nil
}

// withoutEchoes leaves out what a wrong name does to the defaults that are made of it.
func withoutEchoes(problems []connector.FieldError, c *candidate) []connector.FieldError {
	if !slices.ContainsFunc(problems, func(p connector.FieldError) bool { return p.Field == connector.KeyName }) {
		return problems
	}
	return slices.DeleteFunc(problems, func(p connector.FieldError) bool {
		return p.Field != connector.KeyName && c.given.Get(p.Field) == "" && c.resolved.Get(p.Field) != ""
	})
}

func (s *Service) classes() string {
	names := make([]string, len(s.specs))
	for i := range s.specs {
		names[i] = s.specs[i].Class
	}
	return strings.Join(names, ", ")
}

// shapeProblems bounds what no field declares: number and length of keys and values.
func shapeProblems(cfg connector.Config) []connector.FieldError {
	var out []connector.FieldError
	if len(cfg) > maxKeys {
		return []connector.FieldError{{Field: "config", Message: fmt.Sprintf("%d settings are too many: at most %d.", len(cfg), maxKeys)}}
	}
	total := 0
	for k, v := range cfg {
		total += len(k) + len(v)
		switch {
		case k == "" || len(k) > maxKeyLen || strings.ContainsFunc(k, func(r rune) bool { return r < ' ' || r == 0x7f }):
			out = append(out, connector.FieldError{Field: clipKey(k), Message: fmt.Sprintf("A setting's name has 1 to %d characters and no control characters.", maxKeyLen)})
		case len(v) > maxValueLen:
			out = append(out, connector.FieldError{Field: k, Message: fmt.Sprintf("The value has %d bytes; at most %d are allowed.", len(v), maxValueLen)})
		case strings.ContainsRune(v, 0):
			out = append(out, connector.FieldError{Field: k, Message: "Control characters are not allowed."})
		}
	}
	if total > maxConfigLen {
		out = append(out, connector.FieldError{Field: "config", Message: fmt.Sprintf("The configuration has %d bytes; at most %d are allowed.", total, maxConfigLen)})
	}
	slices.SortFunc(out, func(a, b connector.FieldError) int { return compareText(a.Field, b.Field) })
	return out
}

func clipKey(k string) string {
	if len(k) > 64 {
		return strings.ToValidUTF8(k[:64], "") + "…"
	}
	return k
}

// reachProblems applies the network rules to addresses written as IPs.
func (s *Service) reachProblems(c *candidate) []connector.FieldError {
	if s.addr == nil || c.spec.Reach == nil {
		return nil
	}
	var out []connector.FieldError
	for _, e := range c.spec.Reach(c.resolved, c.env) {
		if err := s.addr(e.Address, c.resolved.Bool(connector.KeyInternetAccess)); err != nil {
			out = append(out, connector.FieldError{Field: e.Key, Message: sentence(err.Error())})
		}
	}
	return out
}

// loopProblems refuses a sink that would read what it writes itself.
func loopProblems(c *candidate) []connector.FieldError {
	own := map[string]string{}
	for _, key := range resourceKeys[1:] {
		own[c.resolved.Get(key)] = key
	}
	for _, t := range c.resolved.List(connector.KeyTopics) {
		if key, is := own[t]; is {
			return []connector.FieldError{{Field: connector.KeyTopics, Message: fmt.Sprintf("%s is the connector's own topic (%s); it would read what it writes.", quoted(t), key)}}
		}
	}
	return nil
}

// clusterGroup is the name of the group that the nodes of a connector join; it is no
// setting.
func clusterGroup(name string) string { return "connect-cluster-" + name }

// roleProblems refuses one topic in two roles, but for the two that take records aside,
// and one group in two.
func roleProblems(c *candidate) []connector.FieldError {
	var out []connector.FieldError
	roles := map[string]string{}
	for _, key := range resourceKeys[1:] {
		name := c.resolved.Get(key)
		before, taken := roles[name]
		switch {
		case name == "":
		case !taken:
			roles[name] = key
		case key != connector.KeyAbnormal || before != connector.KeyDeadLetter:
			out = append(out, connector.FieldError{Field: key, Message: fmt.Sprintf("%s is %s already, and one topic cannot be both; name another.", quoted(name), before)})
		}
	}
	if group := c.resolved.Get(connector.KeyGroup); group != "" && group == clusterGroup(c.resolved.Get(connector.KeyName)) {
		out = append(out, connector.FieldError{Field: connector.KeyGroup, Message: fmt.Sprintf("%s is the group that the connector's nodes join; name another.", quoted(group))})
	}
	return out
}

// owned are a configuration's topics and groups by name, each with its key; a group
// stands behind a slash, which no topic has in its name.
func owned(cfg connector.Config) map[string]string {
	out := map[string]string{}
	if name := cfg.Get(connector.KeyName); name != "" {
		out["/"+clusterGroup(name)] = connector.KeyName
	}
	for _, key := range slices.Backward(resourceKeys) {
		if name := cfg.Get(key); name != "" && key == connector.KeyGroup {
			out["/"+name] = key
		} else if name != "" {
			out[name] = key
		}
	}
	return out
}

// sharedProblems refuses topics and groups that another connector of the same
// cluster owns. self is the connector being changed, 0 for a new one.
func (s *Service) sharedProblems(ctx context.Context, c *candidate, self int64) ([]connector.FieldError, error) {
	all, err := s.store.Connectors(ctx)
	if err != nil {
		return nil, fromStore(err, "connectors")
	}
	same, err := s.sameCluster(ctx, c.instance)
	if err != nil {
		return nil, err
	}
	var out []connector.FieldError
	mine := owned(c.resolved)
	for i := range all {
		other := &all[i]
		if other.ID == self || !same[other.InstanceID] {
			continue
		}
		spec, err := connector.Find(s.specs, other.Class)
		if err != nil {
			continue
		}
		out = append(out, shared(mine, owned(spec.Resolve(other.Config, c.env)), other.Name)...)
	}
	slices.SortFunc(out, func(a, b connector.FieldError) int { return compareText(a.Field, b.Field) })
	return out, nil
}

// shared names what of mine the connector other owns as well, in whatever role. That
// two have one name is told elsewhere.
func shared(mine, theirs map[string]string, other string) []connector.FieldError {
	var out []connector.FieldError
	for name, key := range mine {
		if their, is := theirs[name]; is && (key != connector.KeyName || their != connector.KeyName) {
			out = append(out, connector.FieldError{Field: key, Message: fmt.Sprintf("%s belongs to the connector %s already; name another.", quoted(strings.TrimPrefix(name, "/")), quoted(other))})
		}
	}
	return out
}

// sameCluster are the IDs of the instances that are the same Kafka cluster.
func (s *Service) sameCluster(ctx context.Context, in runner.Instance) (map[int64]bool, error) {
	same := map[int64]bool{in.ID: true}
	if in.ClusterID == "" {
		return same, nil
	}
	all, err := s.store.Instances(ctx)
	if err != nil {
		return nil, fromStore(err, "instances")
	}
	for _, other := range all {
		if other.ClusterID == in.ClusterID {
			same[other.ID] = true
		}
	}
	return same, nil
}
