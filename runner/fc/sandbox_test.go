package fc_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/fc"
	"github.com/sluice-io/sluice/runner/record"
	"github.com/sluice-io/sluice/runner/runnertest"
	"github.com/sluice-io/sluice/runner/sandbox"
)

// standIn is the sandbox's Function Compute with the connector before it.
type standIn struct {
	fc   *sandbox.FC
	spec connector.Spec
	cfg  connector.Config
	deps connector.Deps
}

func newStandIn(t *testing.T, change connector.Config) *standIn {
	t.Helper()
	f, err := sandbox.StartFC(t.Context(), sandbox.FCOptions{Addr: "127.0.0.1:0", Dir: t.TempDir(), FaultSeed: 7, SlowFor: 300 * time.Millisecond, Throttle: 50})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	b := &standIn{fc: f, spec: fc.Spec()}
	env := connector.Env{Instance: "sandbox", Region: "self-hosted"}
	given := connector.Config{"name": "to-fc", "connector.class": fc.Class, "topics": "orders", "fc.endpoint": f.URL(), "fc.service": sandbox.DefaultFCService, "fc.function": sandbox.FCEcho,
		"aliyun.access.key.id": sandbox.DefaultKey, "aliyun.access.key.secret": sandbox.DefaultKey, "errors.retry.limit": "0"}
	for k, v := range change {
		given[k] = v
	}
	b.cfg = b.spec.Resolve(given, env)
	if p := b.spec.Problems(b.cfg, env); len(p) > 0 {
		t.Fatal(p)
	}
	b.deps = connector.Deps{Env: env, Logger: slog.New(slog.DiscardHandler), Connector: "to-fc", ConnectorID: "uuid", Dial: (&net.Dialer{}).DialContext}
	return b
}

func (b *standIn) sink(t *testing.T) connector.Sink {
	t.Helper()
	s, err := b.spec.NewSink(t.Context(), b.cfg, b.deps)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

type sent struct {
	Topic     string
	Partition int32
	Offset    int64
}

// each goes through the invocations that did not fail.
func (b *standIn) each(t *testing.T, visit func(inv sandbox.FCInvocation, records []sent, body []byte)) {
	t.Helper()
	err := b.fc.EachInvocation(context.WithoutCancel(t.Context()), 0, func(inv sandbox.FCInvocation, body []byte) error {
		if inv.ErrorType != "" {
			return nil
		}
		var records []sent
		if err := json.Unmarshal(body, &records); err != nil {
			return err
		}
		visit(inv, records, body)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (b *standIn) fault(t *testing.T, f ...sandbox.Fault) {
	t.Helper()
	if errs := b.fc.Faults.Set(f...); errs != nil {
		t.Fatal(errs)
	}
}

// TestConformanceOnTheSandbox runs the suite against the sandbox, whose signatures,
// limits and invocation IDs are somebody else's work.
func TestConformanceOnTheSandbox(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg  connector.Config
		once bool // synchronous: at least once, looked at as sets
	}{
		"async 2.0": {connector.Config{"fc.batch.size": "4"}, false},
		"async 3.0": {connector.Config{"fc.service": ""}, false},
		"sync 2.0":  {connector.Config{"fc.mode": "sync", "fc.function": sandbox.FCPoison, "fc.qualifier": sandbox.DefaultFCAlias}, true},
		"sync 3.0":  {connector.Config{"fc.mode": "sync", "fc.function": sandbox.FCPoison, "fc.service": "", "fc.batch.size": "3"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runnertest.SinkSuite(t, func(t *testing.T) runnertest.SinkUnderTest {
				change := connector.Config{"fc.binary": "dlq", "fc.batch.on.error": "split"}
				for k, v := range c.cfg {
					change[k] = v
				}
				b := newStandIn(t, change)
				u := runnertest.SinkUnderTest{
					New:    func(t *testing.T) connector.Sink { return b.sink(t) },
					Poison: func(r *record.Record) { r.Value = []byte{0xff, 0xfe} },
					Visible: func(t *testing.T) map[string][]byte {
						out := map[string][]byte{}
						b.each(t, func(_ sandbox.FCInvocation, rs []sent, body []byte) { out[fmt.Sprint(rs[0], rs[len(rs)-1])] = body })
						return out
					},
					Offsets: func(t *testing.T, topic string, partition int32) []int64 {
						var out []int64
						b.each(t, func(_ sandbox.FCInvocation, rs []sent, _ []byte) {
							for _, r := range rs {
								if r.Topic == topic && r.Partition == partition && !(c.once && slices.Contains(out, r.Offset)) {
									out = append(out, r.Offset)
								}
							}
						})
						return out
					},
					Away: func(t *testing.T, off bool) {
						b.fault(t)
						if off {
							b.fault(t, sandbox.Fault{Operation: "*", Rate: 1, Cut: sandbox.CutBefore})
						}
					},
				}
				if c.once {
					u.Refuse = func(r *record.Record) { r.Value = []byte(`"poison"`) }
				} else {
					u.LoseAnswers = func(t *testing.T, on bool) {
						b.fault(t)
						if on {
							b.fault(t, sandbox.Fault{Operation: "InvokeFunction", Rate: 1, Cut: sandbox.CutAfter})
						}
					}
				}
				return u
			})
		})
	}
}

func free() error { return nil }

// chunkOf opens a chunk of n records of a partition and prepares it.
func chunkOf(t *testing.T, s connector.Sink, redo *connector.Intent, n int) (connector.Chunk, connector.Intent) {
	t.Helper()
	at := connector.Range{Topic: "orders", First: 0, TopicID: "id", Epoch: "e"}
	c, err := s.Begin(t.Context(), at, redo)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		r := record.Record{Topic: "orders", Offset: int64(i), Timestamp: 1, Value: fmt.Appendf(nil, `{"n":%d}`, i)}
		if err := c.Add(t.Context(), &r); err != nil {
			t.Fatal(err)
		}
	}
	payload, err := c.Prepare(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	at.Next = int64(n)
	return c, connector.Intent{Range: at, Count: int64(n), Payload: payload}
}

// publish goes on through outages as the runner does.
func publish(t *testing.T, c connector.Chunk) (refused []connector.Refusal, outages int) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; outages++ {
		refused, err := c.Publish(t.Context(), free)
		if err == nil {
			return refused, outages
		}
		if cause := connector.CauseOf(err); cause != connector.CauseAway || time.Now().After(deadline) {
			t.Fatalf("%s: %v", cause, err)
		}
		var away *connector.AwayError
		if errors.As(err, &away) && away.After > 0 {
			select {
			case <-time.After(away.After): // as long as the service asked for
			case <-t.Context().Done():
			}
		}
	}
}

// TestAcceptedOnce: cut connections, errors after the act, a crash and a redo leave each
// batch accepted once.
func TestAcceptedOnce(t *testing.T) {
	t.Parallel()
	for _, ordering := range []string{"partition", "none"} {
		t.Run(ordering, func(t *testing.T) {
			t.Parallel()
			b := newStandIn(t, connector.Config{"fc.ordering": ordering})
			b.fault(t, sandbox.Fault{Operation: "InvokeFunction", Rate: 0.3, Cut: sandbox.CutAfter}, sandbox.Fault{Operation: "InvokeFunction", Rate: 0.2, Status: 503, Code: "ServiceUnavailable", AfterStoring: true})
			c, in := chunkOf(t, b.sink(t), nil, 400)
			for range 3 { // killed after some of it
				_, _ = c.Publish(t.Context(), free)
			}
			s := b.sink(t)
			if out, err := s.Resolve(t.Context(), in, free); err != nil || out.Kind != connector.Redo {
				t.Fatalf("%+v, %v", out, err)
			}
			again, _ := chunkOf(t, s, &in, 400)
			if refused, _ := publish(t, again); len(refused) > 0 || b.fc.Stats().Repeated == 0 {
				t.Errorf("%d refused, %d submitted before", len(refused), b.fc.Stats().Repeated)
			}
			seen := map[int64]int{}
			ids := map[string]int{}
			b.each(t, func(inv sandbox.FCInvocation, rs []sent, _ []byte) {
				ids[inv.InvocationID]++
				for _, r := range rs {
					seen[r.Offset]++
				}
			})
			for o := range int64(400) {
				if seen[o] != 1 {
					t.Errorf("offset %d was accepted %d times", o, seen[o])
				}
			}
			if len(ids) != 20 || ids[""] > 0 {
				t.Errorf("%d invocation IDs", len(ids))
			}
		})
	}
}

// TestFunctionsOfTheSandbox: what each function makes of a run.
func TestFunctionsOfTheSandbox(t *testing.T) {
	t.Parallel()
	t.Run("fails", func(t *testing.T) {
		t.Parallel()
		b := newStandIn(t, connector.Config{"fc.mode": "sync", "fc.function": sandbox.FCFails})
		c, _ := chunkOf(t, b.sink(t), nil, 5)
		refused, _ := publish(t, c)
		if len(refused) != 5 || !strings.Contains(refused[0].Err.Error(), "InvocationError") || !strings.Contains(refused[0].Err.Error(), "the end of its log") || strings.Contains(connector.Brief(refused[0].Err), "the end of its log") {
			t.Errorf("%v", refused)
		}
	})
	t.Run("slow", func(t *testing.T) {
		t.Parallel()
		b := newStandIn(t, connector.Config{"fc.mode": "sync", "fc.function": sandbox.FCSlow})
		c, _ := chunkOf(t, b.sink(t), nil, 25)
		if refused, outages := publish(t, c); len(refused)+outages > 0 {
			t.Errorf("%d refused, %d outages", len(refused), outages)
		}
	})
	t.Run("throttled", func(t *testing.T) {
		t.Parallel()
		b := newStandIn(t, connector.Config{"fc.mode": "sync", "fc.function": sandbox.FCThrottled, "fc.batch.size": "1"})
		c, _ := chunkOf(t, b.sink(t), nil, 100)
		if refused, _ := publish(t, c); len(refused) > 0 || b.fc.Stats().Throttled == 0 {
			t.Errorf("%d refused, throttled %d times", len(refused), b.fc.Stats().Throttled)
		}
		n := 0
		b.each(t, func(sandbox.FCInvocation, []sent, []byte) { n++ })
		if n != 100 {
			t.Errorf("%d invocations of 100", n)
		}
	})
	t.Run("poison", func(t *testing.T) {
		t.Parallel()
		b := newStandIn(t, connector.Config{"fc.mode": "sync", "fc.function": sandbox.FCPoison})
		c, err := b.sink(t).Begin(t.Context(), connector.Range{Topic: "orders"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 30 {
			value := "fine"
			if i == 3 {
				value = "poison"
			}
			if err := c.Add(t.Context(), &record.Record{Topic: "orders", Offset: int64(i), Value: []byte(value)}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := c.Prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
		refused, _ := publish(t, c)
		if len(refused) != 20 || refused[0].Offset != 0 {
			t.Errorf("%d refused; the whole batch should be", len(refused))
		}
	})
}

// TestChecksOfTheSandbox: the live checks pass on it, and name what is missing.
func TestChecksOfTheSandbox(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change connector.Config
		failed string
		says   string
	}{
		"2.0":         {connector.Config{"fc.test.invocation": "true"}, "", ""},
		"3.0":         {connector.Config{"fc.test.invocation": "true", "fc.service": ""}, "", ""},
		"alias":       {connector.Config{"fc.qualifier": sandbox.DefaultFCAlias}, "", ""},
		"alias, 3.0":  {connector.Config{"fc.qualifier": sandbox.DefaultFCAlias, "fc.service": ""}, "", ""},
		"no service":  {connector.Config{"fc.service": "none"}, "Service", "ServiceNotFound"},
		"no function": {connector.Config{"fc.function": "none"}, "Function", "FunctionNotFound"},
		"no 3.0":      {connector.Config{"fc.function": "none", "fc.service": ""}, "Function", "FunctionNotFound"},
		"no version":  {connector.Config{"fc.qualifier": "99"}, "Service", "NotFound"},
		"key":         {connector.Config{"aliyun.access.key.id": "other"}, "Service", "AccessKey"},
		"secret":      {connector.Config{"aliyun.access.key.secret": "other"}, "Service", "Signature"},
		"stateless":   {connector.Config{"fc.function": sandbox.FCStateless}, "Deduplication", "not enabled"},
		"fails":       {connector.Config{"fc.function": sandbox.FCFails, "fc.test.invocation": "true"}, "Test invocation", "the function failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newStandIn(t, c.change)
			failed := ""
			err := b.spec.Check(t.Context(), b.cfg, b.deps, func(f connector.Finding) {
				if f.Status == connector.FindingFailed {
					failed = f.Name
					if !strings.Contains(f.Detail, c.says) || f.Remedy == "" {
						t.Errorf("%s: %s; remedy %q", f.Name, f.Detail, f.Remedy)
					}
				}
			})
			if err != nil || failed != c.failed {
				t.Errorf("%q fails, want %q: %v", failed, c.failed, err)
			}
		})
	}
}

// TestLookupsOfTheSandbox lists what there is.
func TestLookupsOfTheSandbox(t *testing.T) {
	t.Parallel()
	for _, service := range []string{sandbox.DefaultFCService, ""} {
		b := newStandIn(t, connector.Config{"fc.service": service})
		f, _ := b.spec.Field("fc.function")
		got, err := f.Lookup(t.Context(), b.cfg, b.deps)
		if err != nil || len(got) != len(sandbox.FCFunctions()) {
			t.Errorf("service %q: %v, %v", service, got, err)
		}
	}
}
