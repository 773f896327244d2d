package oss_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/egress"
	"github.com/sluice-io/sluice/runner/record"
	"github.com/sluice-io/sluice/runner/runnertest"
	"github.com/sluice-io/sluice/runner/sandbox"
)

// roleBed is a bed whose sinks assume a role; what STS issues for it lives for life, 0
// is an hour.
type roleBed struct {
	*bed
	sts *sandbox.STS
}

func newRoleBed(t *testing.T, life time.Duration, change connector.Config) *roleBed {
	t.Helper()
	s, err := sandbox.StartSTS(t.Context(), sandbox.STSOptions{Addr: "127.0.0.1:0", Dir: t.TempDir(),
		Roles: []sandbox.Role{{Name: sandbox.DefaultRole, Life: life}, {Name: sandbox.DeniedRole, Denied: true}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	given := connector.Config{"aliyun.auth": "ram_role", "aliyun.account": sandbox.DefaultAccount, "aliyun.role.name": sandbox.DefaultRole, "aliyun.sts.endpoint": s.URL()}
	for k, v := range change {
		given[k] = v
	}
	b := &roleBed{newBedWith(t, sandbox.OSSOptions{Tokens: s.Tokens()}, given), s}
	b.deps.Roots = x509.NewCertPool()
	b.deps.Roots.AppendCertsFromPEM(s.CAPEM())
	return b
}

func (b *roleBed) fault(faults ...sandbox.Fault) {
	b.t.Helper()
	if err := b.oss.Faults.Set(faults...); err != nil {
		b.t.Fatal(err)
	}
}

// TestConformance runs every sink's suite with an access key, and under a role whose
// credentials live a second, beside a store that takes its time.
func TestConformance(t *testing.T) {
	t.Parallel()
	t.Run("access key", func(t *testing.T) {
		t.Parallel()
		runnertest.SinkSuite(t, func(t *testing.T) runnertest.SinkUnderTest { return underTest(newBed(t, nil), func() {}) })
	})
	t.Run("role", func(t *testing.T) {
		t.Parallel()
		var renewed atomic.Int64 // destinations that saw more than one token a sink
		t.Run("suite", func(t *testing.T) {
			runnertest.SinkSuite(t, func(t *testing.T) runnertest.SinkUnderTest {
				b := newRoleBed(t, time.Second, nil)
				var sinks atomic.Int64
				t.Cleanup(func() {
					if b.sts.Stats().Issued > sinks.Load() {
						renewed.Add(1)
					}
				})
				return underTest(b.bed, func() { sinks.Add(1) }, sandbox.Fault{Operation: "*", Rate: 1, LatencyMS: 300})
			})
		})
		if renewed.Load() == 0 {
			t.Error("credentials were renewed in no test")
		}
	})
}

// underTest is the OSS sink as the suite wants it; always are the faults that hold all
// the time.
func underTest(b *bed, opened func(), always ...sandbox.Fault) runnertest.SinkUnderTest {
	set := func(t *testing.T, faults ...sandbox.Fault) {
		t.Helper()
		if err := b.oss.Faults.Set(append(faults, always...)...); err != nil {
			t.Fatal(err)
		}
	}
	set(b.t)
	return runnertest.SinkUnderTest{
		New: func(*testing.T) connector.Sink { opened(); return b.sink() },
		Visible: func(*testing.T) map[string][]byte {
			out := map[string][]byte{}
			for name, body := range b.objects() {
				out[name] = []byte(body)
			}
			return out
		},
		Offsets: func(t *testing.T, topic string, partition int32) (out []int64) {
			objects := b.objects()
			for _, name := range slices.Sorted(maps.Keys(objects)) {
				var records []struct {
					Topic     string
					Partition int32
					Offset    int64
				}
				if err := json.Unmarshal([]byte(objects[name]), &records); err != nil {
					t.Fatal(err)
				}
				for _, r := range records {
					if r.Topic == topic && r.Partition == partition {
						out = append(out, r.Offset)
					}
				}
			}
			return out
		},
		Away: func(t *testing.T, off bool) {
			if set(t); off {
				set(t, sandbox.Fault{Operation: "*", Rate: 1, Cut: sandbox.CutBefore})
			}
		},
		LoseAnswers: func(t *testing.T, on bool) {
			if set(t); on {
				set(t, sandbox.Fault{Operation: "*", Rate: 1, Cut: sandbox.CutAfter})
			}
		},
	}
}

// TestExpiryInMidUpload: credentials end while an object is uploaded in parts, once at
// their time and once before it. The upload goes on where it stands.
func TestExpiryInMidUpload(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		life  time.Duration
		early bool
		slow  int // ms a part
	}{"at their time": {2 * time.Second, false, 700}, "before it": {time.Hour, true, 900}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newRoleBed(t, c.life, connector.Config{"oss.format": "raw"})
			value := strings.Repeat("0123456789abcdef", 64<<10) // 1 MiB
			var records []*record.Record
			for i := range 70 {
				records = append(records, rec(int64(10+i), 0, value))
			}
			s := b.sink()
			chunk, in := fill(t, s, nil, records...)
			b.fault(sandbox.Fault{Operation: "UploadPart", Rate: 1, LatencyMS: c.slow})
			guards := 0
			published := make(chan error, 1)
			go func() {
				_, err := chunk.Publish(context.Background(), func() error { guards++; return nil })
				published <- err
			}()
			if c.early {
				waitFor(t, "three parts", func() bool { return b.count("UploadPart") == 3 })
				b.sts.Tokens().Expire()
			}
			if err := <-published; err != nil {
				t.Fatal(err)
			}
			expect(t, s, in, connector.Done)
			list, _, err := b.oss.Objects(sandbox.DefaultBucket, "", "", 10)
			if err != nil || len(list) != 1 || list[0].Size != 70*(1<<20+1) {
				t.Errorf("%+v, %v", list, err)
			}
			if n := b.count("InitiateMultipartUpload"); n != 1 || guards != 1 || b.sts.Stats().Issued < 2 {
				t.Errorf("%d uploads begun, %d guards asked, credentials issued %d times", n, guards, b.sts.Stats().Issued)
			}
			if refused := slices.ContainsFunc(b.oss.Requests(0), func(r sandbox.Request) bool { return r.Code == "SecurityTokenExpired" }); c.early && !refused {
				t.Error("nothing was refused: the case did not occur")
			}
		})
	}
}

func (b *roleBed) count(operation string) (n int) {
	for _, r := range b.oss.Requests(0) {
		if r.Operation == operation && r.Status == 200 {
			n++
		}
	}
	return n
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(20 * time.Second); !done(); {
		select {
		case <-deadline:
			t.Fatalf("%s: not within 20 s", what)
		case <-tick.C:
		}
	}
}

// TestRunOverManyTokens writes for longer than what is issued lives; nothing is refused
// for good and nothing is missing.
func TestRunOverManyTokens(t *testing.T) {
	t.Parallel()
	b := newRoleBed(t, 2*time.Second, nil)
	s := b.sink()
	offset := int64(10)
	for end := time.Now().Add(3500 * time.Millisecond); time.Now().Before(end); offset++ {
		c, _ := fill(t, s, nil, rec(offset, 0, "v"))
		if _, err := c.Publish(t.Context(), free); err != nil {
			t.Fatal(err)
		}
	}
	if got, n := int64(len(b.objects())), b.sts.Stats().Issued; got != offset-10 || n < 3 || n > 6 {
		t.Errorf("%d objects of %d, credentials issued %d times", got, offset-10, n)
	}
}

// TestGuardBeforeTheRepeatedRequest: a request that is made once more with new
// credentials is a new act, and may come too late.
func TestGuardBeforeTheRepeatedRequest(t *testing.T) {
	t.Parallel()
	b := newRoleBed(t, time.Hour, nil)
	s := b.sink()
	if err := s.(connector.Prober).Probe(t.Context()); err != nil { // gets credentials
		t.Fatal(err)
	}
	began := time.Now()
	c, _ := fill(t, s, nil, rec(10, 0, "v"))
	waitFor(t, "credentials that are not new", func() bool { return time.Since(began) > 3100*time.Millisecond })
	b.sts.Tokens().Expire()
	fenced := errors.New("fenced")
	asked := 0
	_, err := c.Publish(t.Context(), func() error {
		if asked++; asked == 2 {
			return fenced
		}
		return nil
	})
	if !errors.Is(err, fenced) || asked != 2 || len(b.objects()) != 0 {
		t.Fatalf("%v after %d guards, objects %v", err, asked, b.objects())
	}
	if _, err := c.Publish(t.Context(), free); err != nil || len(b.objects()) != 1 {
		t.Errorf("again: %v", err)
	}
}

// TestRoleFailures is the table of what stands between a sink and its credentials.
func TestRoleFailures(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change connector.Config
		fault  sandbox.Fault // of STS
		cause  connector.Cause
		field  string
		says   string
	}{
		{name: "denied", change: connector.Config{"aliyun.role.name": sandbox.DeniedRole}, cause: connector.CauseWrong, field: "aliyun.role.arn", says: "sts:AssumeRole on acs:ram::1000000000000001:role/denied"},
		{name: "no such role", change: connector.Config{"aliyun.role.name": "nobody"}, cause: connector.CauseWrong, field: "aliyun.role.arn", says: "does not exist"},
		{name: "wrong secret", change: connector.Config{"aliyun.access.key.secret": "wrong"}, cause: connector.CauseWrong, field: "aliyun.access.key.secret", says: "wrong"},
		{name: "STS down", fault: sandbox.Fault{Operation: "*", Rate: 1, Status: 503, Code: "ServiceUnavailable"}, cause: connector.CauseAway, says: "STS endpoint"},
		{name: "STS away", change: connector.Config{"aliyun.sts.endpoint": "https://127.0.0.1:1"}, cause: connector.CauseAway, says: "STS endpoint 127.0.0.1:1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newRoleBed(t, 0, c.change)
			if c.fault.Operation != "" {
				if err := b.sts.Faults.Set(c.fault); err != nil {
					t.Fatal(err)
				}
			}
			s := b.sink()
			chunk, in := fill(t, s, nil, rec(10, 0, "v"))
			_, publish := chunk.Publish(t.Context(), free)
			_, resolve := s.Resolve(t.Context(), in, free)
			_, lookup := b.lookup()
			for doing, err := range map[string]error{"publish": publish, "resolve": resolve, "probe": s.(connector.Prober).Probe(t.Context()), "lookup": lookup} {
				text := ""
				if err != nil {
					text = err.Error()
				}
				var wrong *connector.WrongError
				if errors.As(err, &wrong) {
					if text += wrong.Remedy; wrong.Field != c.field {
						t.Errorf("%s: field %q", doing, wrong.Field)
					}
				}
				if connector.CauseOf(err) != c.cause || !strings.Contains(text, c.says) {
					t.Errorf("%s: %s: %v", doing, connector.CauseOf(err), text)
				}
			}
			if n := b.oss.Stats().Requests; n != 0 {
				t.Errorf("%d requests without credentials", n)
			}
			found := b.check()
			i := slices.IndexFunc(found, func(f connector.Finding) bool { return f.Status == connector.FindingFailed })
			if i < 0 || found[i].Name != "Role" || found[i].Remedy == "" || found[i+1].Status != connector.FindingSkipped {
				t.Errorf("%+v", found)
			}
		})
	}
}

func (b *bed) lookup() ([]connector.Option, error) {
	f, _ := b.spec.Field("oss.bucket")
	return f.Lookup(b.t.Context(), b.cfg, b.deps)
}

func (b *bed) check() (found []connector.Finding) {
	b.t.Helper()
	if err := b.spec.Check(b.t.Context(), b.cfg, b.deps, func(f connector.Finding) { found = append(found, f) }); err != nil {
		b.t.Fatal(err)
	}
	return found
}

func TestCheckUnderARole(t *testing.T) {
	t.Parallel()
	b := newRoleBed(t, 0, nil)
	found := b.check()
	var text bytes.Buffer
	for _, f := range found {
		text.WriteString(f.Name + " " + string(f.Status) + ": " + f.Detail + "\n")
	}
	for _, want := range []string{"Role ok: Credentials of the role acs:ram::1000000000000001:role/sandbox were issued", "Permission to write ok: The role may write"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is not in:\n%s", want, text.String())
		}
	}
	if list, err := b.lookup(); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
	b.fault(sandbox.Fault{Operation: "*", Rate: 1, Status: 403, Code: "AccessDenied"})
	var wrong *connector.WrongError
	c, _ := fill(t, b.sink(), nil, rec(10, 0, "v"))
	if _, err := c.Publish(t.Context(), free); !errors.As(err, &wrong) || wrong.Field != "aliyun.role.arn" || !strings.Contains(wrong.Remedy, "Allow the role acs:ram::1000000000000001:role/sandbox oss:PutObject") {
		t.Errorf("a role without rights: %+v", err)
	}
}

// TestUnknownTokensPass: what STS issued is not known at the store yet, or never will be.
func TestUnknownTokensPass(t *testing.T) {
	t.Parallel()
	b := newRoleBed(t, 0, nil)
	c, _ := fill(t, b.sink(), nil, rec(10, 0, "v"))
	b.fault(sandbox.Fault{Operation: "*", Rate: 1, Status: 403, Code: "InvalidAccessKeyId", Max: 2})
	for i := range 3 {
		_, err := c.Publish(t.Context(), free)
		if i < 2 && connector.CauseOf(err) != connector.CauseAway || i == 2 && err != nil {
			t.Errorf("attempt %d: %v", i, err)
		}
	}
	if n := b.sts.Stats().Issued; n != 1 {
		t.Errorf("credentials issued %d times within moments", n)
	}
	plain := newBed(t, connector.Config{"aliyun.access.key.id": "nobody"})
	if c, _ = fill(t, plain.sink(), nil, rec(10, 0, "v")); true {
		if _, err := c.Publish(t.Context(), free); connector.CauseOf(err) != connector.CauseWrong {
			t.Errorf("an access key that is not known: %v", err)
		}
	}
}

// TestNetworkRulesHoldForSTS: the role is assumed through the connector's own dialer.
func TestNetworkRulesHoldForSTS(t *testing.T) {
	t.Parallel()
	b := newRoleBed(t, 0, nil)
	rules, err := egress.New(egress.Policy{})
	if err != nil {
		t.Fatal(err)
	}
	sts := strings.TrimPrefix(b.sts.URL(), "https://")
	b.deps.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if address == sts {
			return rules.Dialer(false)(ctx, network, address)
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	var wrong *connector.WrongError
	if err := b.sink().(connector.Prober).Probe(t.Context()); !errors.As(err, &wrong) || wrong.Field != "aliyun.sts.endpoint" || !strings.Contains(wrong.Error(), "loopback") {
		t.Errorf("%+v", err)
	}
}

// TestNoSecretIsLogged looks through everything a sink says under a role that fails.
func TestNoSecretIsLogged(t *testing.T) {
	t.Parallel()
	b := newRoleBed(t, 2*time.Second, nil)
	var log bytes.Buffer
	b.deps.Logger = slog.New(slog.NewTextHandler(&log, nil))
	s := b.sink()
	began := time.Now()
	var said strings.Builder
	for offset := int64(10); time.Since(began) < 2500*time.Millisecond; offset++ {
		c, _ := fill(t, s, nil, rec(offset, 0, "v"))
		if _, err := c.Publish(t.Context(), free); err != nil {
			said.WriteString(err.Error() + connector.Brief(err))
		}
		if err := b.sts.Faults.Set(sandbox.Fault{Operation: "*", Rate: 1, Status: 503}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if said.Len() == 0 || !strings.Contains(log.String(), "could not be renewed") {
		t.Fatalf("nothing failed: %s", log.String())
	}
	if text := said.String() + log.String(); strings.Contains(text, "CAIS") || strings.Contains(text, "Signature") {
		t.Errorf("what is secret is said: %s", text)
	}
}
