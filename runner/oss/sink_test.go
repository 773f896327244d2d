package oss_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/oss"
	"github.com/sluice-io/sluice/runner/record"
	"github.com/sluice-io/sluice/runner/sandbox"
)

// bed is a stand-in with a sink before it.
type bed struct {
	t    *testing.T
	oss  *sandbox.OSS
	spec connector.Spec
	cfg  connector.Config
	deps connector.Deps
}

func newBed(t *testing.T, change connector.Config) *bed {
	t.Helper()
	return newBedWith(t, sandbox.OSSOptions{}, change)
}

func newBedWith(t *testing.T, options sandbox.OSSOptions, change connector.Config) *bed {
	t.Helper()
	options.Addr, options.Dir, options.FaultSeed = "127.0.0.1:0", t.TempDir(), 7
	o, err := sandbox.StartOSS(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Close() })
	b := &bed{t: t, oss: o, spec: oss.Spec()}
	env := connector.Env{Instance: "sandbox", Region: "self-hosted"}
	given := connector.Config{
		"name": "to-oss", "connector.class": "KAFKA2OSS", "topics": "orders",
		"oss.bucket": sandbox.DefaultBucket, "oss.endpoint": o.URL(),
		"aliyun.access.key.id": sandbox.DefaultKey, "aliyun.access.key.secret": sandbox.DefaultKey,
	}
	for k, v := range change {
		given[k] = v
	}
	b.cfg = b.spec.Resolve(given, env)
	b.deps = connector.Deps{Env: env, Logger: slog.New(slog.DiscardHandler), Connector: "to-oss", ConnectorID: "uuid",
		Dial: (&net.Dialer{}).DialContext}
	return b
}

func (b *bed) sink() connector.Sink {
	b.t.Helper()
	s, err := b.spec.NewSink(b.t.Context(), b.cfg, b.deps)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { s.Close() })
	return s
}

// at is 2026-01-02 03:04:05 UTC plus n minutes, in ms.
func at(n int) int64 {
	return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(time.Duration(n) * time.Minute).UnixMilli()
}

func rec(offset int64, minute int, value string) *record.Record {
	return &record.Record{Topic: "orders", Partition: 1, Offset: offset, Timestamp: at(minute), Key: []byte("k"), Value: []byte(value)}
}

var orders = connector.Range{Topic: "orders", Partition: 1, First: 10}

func free() error { return nil }

// fill opens a chunk of the records and prepares it; the intent is as the runner would write it.
func fill(t *testing.T, s connector.Sink, redo *connector.Intent, records ...*record.Record) (connector.Chunk, connector.Intent) {
	t.Helper()
	c, err := s.Begin(t.Context(), orders, redo)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if err := c.Add(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	payload, err := c.Prepare(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(payload) > connector.MaxPayload {
		t.Fatalf("payload of %d bytes, at most %d", len(payload), connector.MaxPayload)
	}
	at := orders
	at.Next = records[len(records)-1].Offset + 1
	return c, connector.Intent{Range: at, Count: int64(len(records)), Payload: payload}
}

func (b *bed) objects() map[string]string {
	b.t.Helper()
	list, _, err := b.oss.Objects(sandbox.DefaultBucket, "", "", 10_000)
	if err != nil {
		b.t.Fatal(err)
	}
	out := map[string]string{}
	for _, o := range list {
		p, err := b.oss.Preview(b.t.Context(), sandbox.DefaultBucket, o.Key, 8<<20)
		if err != nil {
			b.t.Fatal(err)
		}
		out[o.Key] = string(p.Data)
	}
	return out
}

func TestObjectsByPathAndTime(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	c, _ := fill(t, b.sink(), nil, rec(10, 0, "a"), rec(11, 60, "b"), rec(14, 1, "late"), rec(15, 61, "c"))
	if _, err := c.Publish(t.Context(), free); err != nil {
		t.Fatal(err)
	}
	if c.Held() != 0 {
		t.Errorf("a published chunk holds %d bytes", c.Held())
	}
	got := b.objects()
	want := []string{
		"to-oss/orders/dt=2026-01-02/hh=11/orders-1-00000000000000000010-00000000000000000014.json",
		"to-oss/orders/dt=2026-01-02/hh=12/orders-1-00000000000000000011-00000000000000000015.json",
	}
	if len(got) != 2 {
		t.Fatalf("objects: %v", got)
	}
	for i, offsets := range [][]int64{{10, 14}, {11, 15}} {
		var records []struct{ Offset int64 }
		if err := json.Unmarshal([]byte(got[want[i]]), &records); err != nil {
			t.Fatalf("%s: %v: %q", want[i], err, got[want[i]])
		}
		if len(records) != 2 || records[0].Offset != offsets[0] || records[1].Offset != offsets[1] {
			t.Errorf("%s: %+v", want[i], records)
		}
	}
}

func TestRefusedRecordLeavesNoTrace(t *testing.T) {
	t.Parallel()
	b := newBed(t, connector.Config{"oss.binary": "dlq"})
	s := b.sink()
	c, err := s.Begin(t.Context(), orders, nil)
	if err != nil {
		t.Fatal(err)
	}
	bad := rec(10, 120, "\xff\xfe") // of another hour: its part must not come into being
	var re *connector.RecordError
	if err := c.Add(t.Context(), bad); !errors.As(err, &re) || !re.DeadLetter || re.Stage != connector.StageValueConverter {
		t.Fatalf("got %v", err)
	}
	for _, r := range []*record.Record{rec(11, 0, "good"), rec(12, 0, "\xff")} {
		err := c.Add(t.Context(), r)
		if (r.Offset == 12) != errors.As(err, &re) {
			t.Fatalf("offset %d: %v", r.Offset, err)
		}
	}
	if _, err := c.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Publish(t.Context(), free); err != nil {
		t.Fatal(err)
	}
	got := b.objects()
	if len(got) != 1 {
		t.Fatalf("objects: %v", got)
	}
	for name, body := range got {
		if !strings.Contains(name, "-00000000000000000011-00000000000000000011.json") || strings.Contains(body, "valueEncoding") {
			t.Errorf("%s: %s", name, body)
		}
	}
}

// TestPublishSurvivesLostAnswers: cut before, cut after storing, 503 and slow answers
// cost an attempt and never a record or a second object.
func TestPublishSurvivesLostAnswers(t *testing.T) {
	t.Parallel()
	for _, f := range []sandbox.Fault{
		{Operation: "PutObject", Rate: 1, Cut: sandbox.CutBefore, Max: 2},
		{Operation: "PutObject", Rate: 1, Cut: sandbox.CutAfter, Max: 2},
		{Operation: "PutObject", Rate: 1, Status: 503, Code: "ServiceUnavailable", Max: 2},
		{Operation: "PutObject", Rate: 1, Status: 500, Code: "InternalError", AfterStoring: true, Max: 1},
		{Operation: "PutObject", Rate: 1, SkewSeconds: 3600, Max: 2},
	} {
		t.Run(fmt.Sprint(f.Cut, f.Status, f.SkewSeconds), func(t *testing.T) {
			t.Parallel()
			b := newBed(t, nil)
			if errs := b.oss.Faults.Set(f); errs != nil {
				t.Fatal(errs)
			}
			c, _ := fill(t, b.sink(), nil, rec(10, 0, "a"), rec(11, 60, "b"))
			attempts := 0
			for {
				_, err := c.Publish(t.Context(), free)
				if err == nil {
					break
				}
				if connector.CauseOf(err) != connector.CauseAway {
					t.Fatalf("attempt %d: %T %v", attempts, err, err)
				}
				if attempts++; attempts > 5 {
					t.Fatal("still failing")
				}
			}
			if attempts == 0 {
				t.Error("the fault never struck")
			}
			if got := b.objects(); len(got) != 2 {
				t.Errorf("objects: %v", got)
			}
		})
	}
}

func TestResolveAndRedo(t *testing.T) {
	t.Parallel()
	records := []*record.Record{rec(10, 0, "a"), rec(11, 60, "b"), rec(12, 120, "c")}
	for _, format := range []connector.Config{{}, {"oss.format": "jsonl", "oss.compression": "zstd"}, {"oss.format": "csv", "oss.compression": "gzip"},
		{"oss.format": "parquet", "oss.compression": "snappy"}, {"oss.format": "avro", "oss.compression": "zstd"}, {"oss.format": "raw", "oss.compression": "snappy"}} {
		t.Run(format["oss.format"]+format["oss.compression"], func(t *testing.T) {
			t.Parallel()
			b := newBed(t, format)
			first, in := fill(t, b.sink(), nil, records...)
			s := b.sink() // of the process that comes after
			expect(t, s, in, connector.Redo)
			// One of three objects is there when the process dies.
			acts := 0
			dying := func() error {
				if acts++; acts > 1 {
					return errors.New("killed")
				}
				return nil
			}
			if err := publishOneByOne(t, first, dying); err == nil {
				t.Fatal("nothing died")
			}
			expect(t, s, in, connector.Redo)
			again, second := fill(t, s, &in, records...)
			if !bytes.Equal(in.Payload, second.Payload) {
				t.Errorf("the redo promises other objects:\n%s\n%s", in.Payload, second.Payload)
			}
			if _, err := again.Publish(t.Context(), free); err != nil {
				t.Fatal(err)
			}
			expect(t, s, in, connector.Done)
			if got := b.objects(); len(got) != 3 {
				t.Errorf("%d objects", len(got))
			}
		})
	}
}

// publishOneByOne publishes with a guard that is asked by one goroutine at a time.
func publishOneByOne(t *testing.T, c connector.Chunk, guard connector.Guard) error {
	t.Helper()
	lock := make(chan struct{}, 1)
	_, err := c.Publish(t.Context(), func() error {
		lock <- struct{}{}
		defer func() { <-lock }()
		return guard()
	})
	return err
}

func expect(t *testing.T, s connector.Sink, in connector.Intent, want connector.OutcomeKind) {
	t.Helper()
	got, err := s.Resolve(t.Context(), in, func() error { return nil })
	if err != nil || got.Kind != want {
		t.Fatalf("resolve: %+v, %v; want %s", got, err, want)
	}
}

// TestNothingIsOverwritten: where another content stands under the name, the redo
// stops and the object stays.
func TestNothingIsOverwritten(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	s := b.sink()
	theirs, _ := fill(t, s, nil, rec(10, 0, "theirs"))
	if _, err := theirs.Publish(t.Context(), free); err != nil {
		t.Fatal(err)
	}
	before := b.objects()
	ours, in := fill(t, s, nil, rec(10, 0, "ours"))
	var me *connector.MismatchError
	if _, err := ours.Publish(t.Context(), free); !errors.As(err, &me) {
		t.Fatalf("publishing: %v", err)
	}
	if _, err := s.Resolve(t.Context(), in, func() error { return nil }); !errors.As(err, &me) {
		t.Fatalf("resolving: %v", err)
	}
	redo, _ := fill(t, s, &in, rec(10, 0, "ours"))
	if _, err := redo.Publish(t.Context(), free); !errors.As(err, &me) {
		t.Fatalf("redoing: %v", err)
	}
	if after := b.objects(); fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("changed from %v to %v", before, after)
	}
}

// TestGuardStopsEveryAct: with a lease that is over nothing reaches the bucket.
func TestGuardStopsEveryAct(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	over := errors.New("the lease is over")
	c, _ := fill(t, b.sink(), nil, rec(10, 0, "a"), rec(11, 60, "b"))
	if _, err := c.Publish(t.Context(), func() error { return over }); !errors.Is(err, over) {
		t.Fatalf("got %v", err)
	}
	c.Discard()
	c.Discard()
	if got := b.objects(); len(got) != 0 {
		t.Errorf("objects: %v", got)
	}
}

func TestLargeObjectInParts(t *testing.T) {
	t.Parallel()
	b := newBed(t, connector.Config{"oss.format": "raw"})
	s := b.sink()
	value := strings.Repeat("0123456789abcdef", 64<<10) // 1 MiB
	var records []*record.Record
	for i := range 70 {
		records = append(records, rec(int64(10+i), 0, value))
	}
	c, in := fill(t, s, nil, records...)
	errs := b.oss.Faults.Set(sandbox.Fault{Operation: "UploadPart", Rate: 1, Cut: sandbox.CutAfter, Max: 1}, sandbox.Fault{Operation: "CompleteMultipartUpload", Rate: 1, Cut: sandbox.CutAfter, Max: 1})
	if errs != nil {
		t.Fatal(errs)
	}
	failures := 0
	for {
		_, err := c.Publish(t.Context(), free)
		if err == nil {
			break
		}
		if failures++; connector.CauseOf(err) != connector.CauseAway || failures > 5 {
			t.Fatal(err)
		}
	}
	if failures != 2 {
		t.Errorf("%d failures, 2 were set", failures)
	}
	expect(t, s, in, connector.Done)
	list, _, err := b.oss.Objects(sandbox.DefaultBucket, "", "", 10)
	if err != nil || len(list) != 1 || list[0].Size != 70*(1<<20+1) {
		t.Errorf("%+v, %v", list, err)
	}
}

// TestErrorsHaveTheirCause is the table of what OSS may answer.
func TestErrorsHaveTheirCause(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		code   string
		want   connector.Cause
		field  string
	}{
		{500, "InternalError", connector.CauseAway, ""},
		{502, "BadGateway", connector.CauseAway, ""},
		{503, "ServiceUnavailable", connector.CauseAway, ""},
		{503, "UploadTrafficRateLimitExceeded", connector.CauseAway, ""},
		{503, "QpsLimitExceeded", connector.CauseAway, ""},
		{429, "TooManyRequests", connector.CauseAway, ""},
		{400, "RequestTimeout", connector.CauseAway, ""},
		{400, "InvalidDigest", connector.CauseAway, ""},
		{403, "RequestTimeTooSkewed", connector.CauseAway, ""},
		{404, "NoSuchBucket", connector.CauseWrong, "oss.bucket"},
		{400, "InvalidBucketName", connector.CauseWrong, "oss.bucket"},
		{403, "AccessDenied", connector.CauseWrong, "aliyun.access.key.id"},
		{403, "SignatureDoesNotMatch", connector.CauseWrong, "aliyun.access.key.secret"},
		{403, "InvalidAccessKeyId", connector.CauseWrong, "aliyun.access.key.id"},
		{403, "SecondLevelDomainForbidden", connector.CauseWrong, "oss.endpoint"},
		{400, "InvalidObjectName", connector.CauseWrong, "oss.path"},
		{400, "EntityTooLarge", connector.CauseWrong, "flush.bytes"},
		{400, "InvalidArgument", connector.CauseWrong, ""},
		{400, "InvalidPart", connector.CauseWrong, ""},
		{418, "SomethingNew", connector.CauseWrong, ""},
	} {
		t.Run(c.code, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, nil)
			if errs := b.oss.Faults.Set(sandbox.Fault{Operation: "PutObject", Rate: 1, Status: c.status, Code: c.code}); errs != nil {
				t.Fatal(errs)
			}
			chunk, _ := fill(t, b.sink(), nil, rec(10, 0, "a"))
			_, err := chunk.Publish(t.Context(), free)
			if got := connector.CauseOf(err); got != c.want {
				t.Fatalf("%s: %v", got, err)
			}
			var we *connector.WrongError
			if errors.As(err, &we) && (we.Field != c.field || we.Remedy == "") {
				t.Errorf("field %q, remedy %q", we.Field, we.Remedy)
			}
			if !strings.Contains(err.Error(), c.code) {
				t.Errorf("the code is not named: %v", err)
			}
		})
	}
}

// TestRedirectsAreTheEndpointsFault: they carry no code, and nobody follows them.
func TestRedirectsAreTheEndpointsFault(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	t.Cleanup(elsewhere.Close)
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	t.Cleanup(server.Close)
	b := newBed(t, connector.Config{"oss.endpoint": server.URL})
	chunk, _ := fill(t, b.sink(), nil, rec(10, 0, "a"))
	_, err := chunk.Publish(t.Context(), free)
	var wrong *connector.WrongError
	if !errors.As(err, &wrong) || wrong.Field != "oss.endpoint" || !strings.Contains(err.Error(), "307") {
		t.Errorf("%v", err)
	}
}

func TestSkewBecomesWrong(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	if errs := b.oss.Faults.Set(sandbox.Fault{Operation: "*", Rate: 1, SkewSeconds: 7200}); errs != nil {
		t.Fatal(errs)
	}
	c, _ := fill(t, b.sink(), nil, rec(10, 0, "a"))
	var causes []connector.Cause
	for range 7 {
		_, err := c.Publish(t.Context(), free)
		causes = append(causes, connector.CauseOf(err))
	}
	if causes[0] != connector.CauseAway || causes[6] != connector.CauseWrong {
		t.Errorf("causes: %v", causes)
	}
}

func TestCheckNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change connector.Config
		failed string
	}{
		{"right", nil, ""},
		{"wrong bucket", connector.Config{"oss.bucket": "no-such-bucket"}, "Bucket"},
		{"wrong secret", connector.Config{"aliyun.access.key.secret": "wrong"}, "Bucket"},
		{"wrong key", connector.Config{"aliyun.access.key.id": "nobody"}, "Bucket"},
		{"nobody listens", connector.Config{"oss.endpoint": "http://127.0.0.1:1"}, "Connection"},
		{"no such name", connector.Config{"oss.endpoint": "http://no-such-host.invalid"}, "Endpoint name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, c.change)
			var found []connector.Finding
			if err := b.spec.Check(t.Context(), b.cfg, b.deps, func(f connector.Finding) { found = append(found, f) }); err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(found, func(f connector.Finding) bool { return f.Status == connector.FindingFailed })
			if c.failed == "" {
				if i >= 0 || len(found) != 6 {
					t.Fatalf("%+v", found)
				}
				if got := b.objects(); len(got) != 0 {
					t.Errorf("the check left %v", got)
				}
				return
			}
			if i < 0 || found[i].Name != c.failed || found[i].Remedy == "" || found[len(found)-1].Status != connector.FindingSkipped {
				t.Errorf("%+v", found)
			}
		})
	}
}

func TestPreviewIsWhatIsWritten(t *testing.T) {
	t.Parallel()
	b := newBed(t, connector.Config{"oss.binary": "dlq"})
	records := []record.Record{*rec(10, 0, "a"), *rec(11, 0, "\xff"), *rec(12, 60, "c")}
	samples, err := b.spec.Preview(context.Background(), b.cfg, b.deps, records)
	if err != nil || len(samples) != 3 {
		t.Fatalf("%+v, %v", samples, err)
	}
	if got := b.objects(); len(got) != 0 {
		t.Fatalf("the preview wrote %v", got)
	}
	c, _ := fill(t, b.sink(), nil, rec(10, 0, "a"), rec(12, 60, "c"))
	if _, err := c.Publish(t.Context(), free); err != nil {
		t.Fatal(err)
	}
	written := b.objects()
	for _, s := range samples[:2] {
		if written[s.Title] != s.Body || s.Refused != "" {
			t.Errorf("preview %q is %q, written is %q", s.Title, s.Body, written[s.Title])
		}
	}
	if samples[2].Refused == "" || samples[2].Source.Offset != 11 {
		t.Errorf("%+v", samples[2])
	}
}

func TestLookupListsBuckets(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	f, _ := b.spec.Field("oss.bucket")
	options, err := f.Lookup(t.Context(), b.cfg, b.deps)
	if err != nil || len(options) != 1 || options[0].Value != sandbox.DefaultBucket {
		t.Errorf("%+v, %v", options, err)
	}
}
