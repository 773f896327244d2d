package control

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
)

const (
	probeEvery     = 15 * time.Second
	probeTimeout   = 8 * time.Second
	brieflyTimeout = 3 * time.Second
	// probesAtOnce bounds how many clusters are asked at the same time. A probe waits
	// much more than it works; those that are never answered must not hold up the others.
	probesAtOnce = 32
	checkTimeout = 30 * time.Second
)

// probes remembers what is stored already, so that a quiet cluster costs no write.
type probes struct {
	mu   sync.Mutex
	last map[int64]Probe
}

func (p *probes) changed(id int64, now Probe) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	old, known := p.last[id]
	if known && old.Status == now.Status && old.Detail == now.Detail && old.Version == now.Version &&
		old.ClusterID == now.ClusterID && slices.Equal(old.Brokers, now.Brokers) {
		return false
	}
	if p.last == nil {
		p.last = map[int64]Probe{}
	}
	p.last[id] = now
	return true
}

func (p *probes) forget(id int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.last, id)
}

// probeAll asks every instance and stores what changed.
func (s *Service) probeAll(ctx context.Context) {
	all, err := s.store.Instances(ctx)
	if err != nil {
		s.log.Error("listing instances to probe", "err", err)
		return
	}
	var g errgroup.Group
	g.SetLimit(probesAtOnce)
	for _, in := range all {
		g.Go(func() error {
			if _, _, err := s.probe(ctx, in.Instance, probeTimeout); err != nil && ctx.Err() == nil {
				s.log.Error("storing what a probe found", "instance", in.Name, "err", err)
			}
			return nil
		})
	}
	_ = g.Wait() // every probe reports for itself
}

func (s *Service) probeBriefly(ctx context.Context, in runner.Instance) {
	if _, _, err := s.probe(ctx, in, brieflyTimeout); err != nil {
		s.log.Error("storing what a probe found", "instance", in.Name, "err", err)
	}
}

// probe asks one cluster; err is only about storing.
func (s *Service) probe(ctx context.Context, in runner.Instance, limit time.Duration) (Probe, kafka.Info, error) {
	asking, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cluster := s.sup.Cluster(in)
	cluster.Version = "" // an upgraded cluster is to be noticed
	info, err := s.kafka.Probe(asking, cluster)
	p := Probe{ClusterID: info.ClusterID, Version: info.Version, Status: runner.InstanceRunning}
	for _, b := range info.Brokers {
		p.Brokers = append(p.Brokers, runner.Broker{ID: b.ID, Address: b.Address})
	}
	if err != nil {
		if ctx.Err() != nil {
			return p, info, ctx.Err()
		}
		// What was known of the cluster stays known.
		p = Probe{ClusterID: in.ClusterID, Version: in.Version, Brokers: in.Brokers, Status: runner.InstanceUnreachable, Detail: reason(err)}
	}
	if s.probes.changed(in.ID, p) {
		if err := s.store.SaveProbe(context.WithoutCancel(ctx), in.ID, p); err != nil {
			s.probes.forget(in.ID)
			return p, info, err
		}
	}
	return p, info, nil
}

// reason puts a cluster's error into a sentence with its remedy.
func reason(err error) string {
	text := sentence(err.Error())
	if errors.Is(err, context.DeadlineExceeded) {
		text = "It did not answer in time."
	}
	if r := kafka.Remedy(err); r != "" {
		text += " " + sentence(r)
	}
	return text
}

// Conditions checks live what must hold before the connector feature is enabled.
func (s *Service) Conditions(ctx context.Context, name string) ([]Condition, error) {
	if err := need(ctx, Viewer); err != nil {
		return nil, err
	}
	in, err := s.store.InstanceByName(ctx, name)
	if err != nil {
		return nil, fromStore(err, "instance "+quoted(name))
	}
	p, info, err := s.probe(ctx, in, probeTimeout)
	if err != nil {
		return nil, AsError(err)
	}
	running := Condition{Name: "The instance is Running", OK: p.Status == runner.InstanceRunning, Detail: p.Detail}
	if running.OK {
		running.Detail = "1 broker answers."
		if n := len(p.Brokers); n != 1 {
			running.Detail = fmt.Sprintf("%d brokers answer.", n)
		}
	} else {
		running.Remedy = "Start the cluster, or correct the instance's bootstrap servers and security settings."
	}
	version := Condition{Name: "The broker is 0.10.2 or later"}
	switch {
	case !running.OK:
		version.Detail, version.Remedy = "The version is not known while the instance does not answer.", "Make the instance answer first."
	case !atLeast(p.Version, 0, 10, 2):
		version.Detail, version.Remedy = "Detected "+p.Version+".", "Upgrade the brokers to 0.10.2 or later."
	default:
		version.OK = true
		version.Detail = "Detected " + p.Version + ". " + guarantees(info)
	}
	return []Condition{running, version}, nil
}

func guarantees(i kafka.Info) string {
	switch {
	case i.Transactions && i.RequireStable:
		return "Idempotent and transactional writes are available: every guarantee holds."
	case i.Transactions:
		return "Idempotent and transactional writes are available."
	case i.Idempotent:
		return "Idempotent writes are available, transactional ones are not: diverted records may be doubled after a crash, and MySQL sources cannot run."
	}
	return "Idempotent and transactional writes need 0.11: diverted records may be doubled after a crash, and MySQL sources cannot run."
}

// atLeast compares a detected version such as "4.0" or "0.10.2" with a floor.
func atLeast(version string, floor ...int) bool {
	parts := strings.Split(version, ".")
	for i, want := range floor {
		have := 0
		if i < len(parts) {
			digits := parts[i]
			if j := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' }); j >= 0 {
				digits = digits[:j]
			}
			n, err := strconv.Atoi(digits)
			if err != nil {
				return false
			}
			have = n
		}
		if have != want {
			return have > want
		}
	}
	return true
}

// EnableInstance enables the connector feature when the conditions hold; they are
// returned either way. A condition that fails is a Conflict.
func (s *Service) EnableInstance(ctx context.Context, name string) ([]Condition, error) {
	if err := need(ctx, Admin); err != nil {
		return nil, err
	}
	conditions, err := s.Conditions(ctx, name)
	if err != nil {
		return nil, err
	}
	in, err := s.store.InstanceByName(ctx, name)
	if err != nil {
		return nil, fromStore(err, "instance "+quoted(name))
	}
	if in.Enabled {
		return conditions, nil
	}
	for _, c := range conditions {
		if !c.OK {
			return conditions, conflict("The connector feature cannot be enabled: %s %s", sentence(c.Detail), c.Remedy)
		}
	}
	if err := s.store.SetInstanceEnabled(ctx, in.ID, true); err != nil {
		return nil, fromStore(err, "instance "+quoted(name))
	}
	s.audit(ctx, "instance.enable", name, nil)
	return conditions, nil
}

// TestInstance runs the live checks of "Test connection" on members that need not be
// stored; name is the instance whose stored secrets Masked values mean, or "". Each
// finding is emitted as it finishes.
func (s *Service) TestInstance(ctx context.Context, name string, values connector.Config, emit func(connector.Finding)) error {
	if err := need(ctx, Admin); err != nil {
		return err
	}
	var in runner.Instance
	var old *runner.Instance
	if name != "" {
		stored, err := s.store.InstanceByName(ctx, name)
		if err != nil {
			return fromStore(err, "instance "+quoted(name))
		}
		in, old = stored, &stored
	}
	resolved, err := s.checkInstance(ctx, old, values)
	if err != nil {
		return err
	}
	if err := s.live.take(ActorFrom(ctx).Name, s.now()); err != nil {
		return err
	}
	apply(&in, resolved)
	in.Version = ""
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	s.kafka.Check(ctx, s.sup.Cluster(in), func(st kafka.Step) { emit(findingOf(st)) })
	return nil
}

// stepNames are the steps of a connection test as people read them.
var stepNames = map[string]string{kafka.StepDNS: "DNS", kafka.StepDial: "Dial", kafka.StepTLS: "TLS", kafka.StepAuth: "Authentication",
	kafka.StepAPIVersions: "Kafka protocol", kafka.StepMetadata: "Cluster metadata", kafka.StepBrokers: "Advertised brokers"}

func findingOf(st kafka.Step) connector.Finding {
	return connector.Finding{Name: cmp.Or(stepNames[st.Name], st.Name), Status: connector.FindingStatus(st.Status), Detail: st.Detail, Remedy: st.Remedy, Millis: st.Millis}
}
