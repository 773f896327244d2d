package connector

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"strings"
	"testing"
)

// shelf is a spec with a field of every kind.
func shelf() *Spec {
	own := []Field{
		{Key: "shelf.place", Label: "Place", Kind: String, Required: true, Fixed: FixedAfterDelivery, Max: 10},
		{Key: "shelf.secret", Label: "Secret", Kind: Secret, Max: 20},
		{Key: "shelf.format", Label: "Format", Kind: Enum, Shapes: true, Default: Const("a"), Options: []Option{{Value: "a"}, {Value: "b"}}},
		{Key: "shelf.only.b", Label: "Only b", Kind: Int, Min: 5, Max: 7, Default: Const("6"), When: []Cond{{Key: "shelf.format", In: []string{"b"}}}},
		{Key: "shelf.region", Label: "Region", Kind: String, Default: InstanceRegion},
		{Key: "shelf.far", Label: "Far", Kind: String, When: []Cond{{Key: "shelf.region", DiffersFrom: "instance.region"}}, Required: true},
	}
	return &Spec{Class: "KAFKA2SHELF", Kind: KindSink, Steps: SinkSteps(SinkDefaults{Tasks: 2, TaskOptions: []int64{2}, FlushSize: 10, FlushBytes: 64 << 10, FlushMillis: 100, Destination: own}),
		Validate: func(c Config, e Env) []FieldError { return CrossRegion(c, e, "shelf.region") }}
}

var home = Env{Instance: "i", Region: "cn-hangzhou"}

func good(change ...string) Config {
	c := Config{"name": "n", "connector.class": "KAFKA2SHELF", "topics": "t", "shelf.place": "here", "shelf.secret": "s3cret"}
	for i := 0; i+1 < len(change); i += 2 {
		c[change[i]] = change[i+1]
	}
	return c
}

func TestResolveFillsDefaultsAndHides(t *testing.T) {
	t.Parallel()
	s := shelf()
	got := s.Resolve(good("mine", "kept", "topics", "  t , u ", "shelf.only.b", "5"), home)
	for key, want := range map[string]string{"group.id": "connect-n", "tasks.max": "2", "shelf.format": "a", "shelf.region": "cn-hangzhou", "mine": "kept", "topics": "t , u",
		"errors.deadletterqueue.topic.name": "connect-error-n", "flush.size": "10", "internet.access": "false"} {
		if got[key] != want {
			t.Errorf("%s = %q, want %q", key, got[key], want)
		}
	}
	for _, key := range []string{"shelf.only.b", "shelf.far", "resources.storage", "description"} {
		if v, ok := got[key]; ok {
			t.Errorf("%s is not shown and yet %q", key, v)
		}
	}
	if problems := s.Problems(got, home); problems != nil {
		t.Errorf("a good configuration: %v", problems)
	}
	if again := s.Resolve(got, home); !maps.Equal(again, got) {
		t.Errorf("resolving twice changes %v to %v", got, again)
	}
}

func TestProblemsNameTheField(t *testing.T) {
	t.Parallel()
	s := shelf()
	for _, c := range []struct{ key, value string }{
		{"name", ""}, {"name", "Upper"}, {"name", "-a"}, {"name", "new"}, {"name", strings.Repeat("a", 49)}, {"name", "a b"}, {"name", "a/../b"}, {"name", "ä"}, {"name", "<b>"},
		{"topics", ""}, {"topics", ","}, {"topics", "a,a"}, {"topics", "a/b"}, {"topics", ".."}, {"topics", strings.Repeat("t", 250)},
		{"description", strings.Repeat("d", 257)}, {"description", "a\x00b"},
		{"tasks.max", "0"}, {"tasks.max", "65"}, {"tasks.max", "1.5"}, {"tasks.max", "99999999999999999999"}, {"tasks.max", "many"},
		{"flush.size", "-1"}, {"flush.size", "1000001"}, {"flush.bytes", "1"}, {"flush.bytes", "2GiB"}, {"flush.bytes", "64 Mb"}, {"flush.bytes", "9223372036854775807GiB"},
		{"flush.interval.ms", "99"}, {"flush.interval.ms", "3600001"}, {"errors.tolerance", "some"}, {"errors.retry.limit", "101"}, {"errors.outage", "wait"},
		{"internet.access", "maybe"}, {"resources.mode", "auto"}, {"group.id", "a b"}, {"status.storage.topic", "ü"}, {"consumer.override.auto.offset.reset", "none"},
		{"shelf.place", ""}, {"shelf.place", "   "}, {"shelf.place", "farther than ten"}, {"shelf.secret", "a\nb"}, {"shelf.secret", strings.Repeat("x", 21)}, {"shelf.format", "A"},
	} {
		t.Run(c.key+"="+c.value, func(t *testing.T) {
			t.Parallel()
			problems := s.Problems(s.Resolve(good(c.key, c.value), home), home)
			if len(problems) != 1 || problems[0].Field != c.key || problems[0].Message == "" || len(problems[0].Message) > 400 {
				t.Errorf("%v", problems)
			}
		})
	}
	if p := s.Problems(s.Resolve(good("shelf.format", "b", "shelf.only.b", "8"), home), home); len(p) != 1 || p[0].Field != "shelf.only.b" {
		t.Errorf("a field that appears is checked: %v", p)
	}
	if p := s.Problems(s.Resolve(good("shelf.region", "cn-beijing"), home), home); len(p) != 1 || p[0].Field != "shelf.far" {
		t.Errorf("another region asks for more: %v", p)
	}
	if p := s.Problems(s.Resolve(good("shelf.region", "cn-beijing", "shelf.far", "x"), home), home); len(p) != 1 || p[0].Field != "shelf.region" || !strings.Contains(p[0].Message, "Internet access") {
		t.Errorf("another region needs Internet access: %v", p)
	}
}

func TestSecretsAreMaskedAndKept(t *testing.T) {
	t.Parallel()
	s := shelf()
	stored := good("their.password", "hidden too")
	masked := s.Mask(stored)
	if masked["shelf.secret"] != Masked || masked["their.password"] != Masked || masked["shelf.place"] != "here" {
		t.Errorf("%v", masked)
	}
	if kept := s.Keep(masked, stored); !maps.Equal(kept, stored) {
		t.Errorf("sent back masked it becomes %v", kept)
	}
	if kept := s.Keep(Config{"shelf.secret": Masked}, Config{}); len(kept) != 0 {
		t.Errorf("a mask with nothing behind it stays: %v", kept)
	}
	if kept := s.Keep(Config{"shelf.place": Masked}, stored); kept["shelf.place"] != Masked {
		t.Errorf("a field that is no secret may be stars: %v", kept)
	}
	for _, c := range s.Diff(stored, good("shelf.secret", "other")) {
		if strings.Contains(fmt.Sprint(c), "s3cret") || strings.Contains(fmt.Sprint(c), "hidden") {
			t.Errorf("the diff shows a secret: %+v", c)
		}
	}
}

func TestHashNamesTheShapeNotTheSecret(t *testing.T) {
	t.Parallel()
	s := shelf()
	hash := func(c Config) string { return s.Hash(s.Resolve(c, home)) }
	base := hash(good())
	for _, same := range []Config{good("shelf.secret", "another"), good("description", "words"), good("shelf.format", "a"), good("their.token", "x")} {
		if hash(same) != base {
			t.Errorf("%v has another hash", same)
		}
	}
	for _, other := range []Config{good("shelf.format", "b"), good("flush.size", "11"), good("shelf.place", "there")} {
		if hash(other) == base {
			t.Errorf("%v has the same hash", other)
		}
	}
}

func TestPinTakesShapeFromOldAndAccessFromNew(t *testing.T) {
	t.Parallel()
	s := shelf()
	old := s.Resolve(good("shelf.format", "b", "flush.size", "7"), home)
	now := s.Resolve(good("shelf.secret", "rotated", "flush.size", "9"), home)
	got := s.Pin(old, now)
	if got["shelf.format"] != "b" || got["flush.size"] != "7" || got["shelf.secret"] != "rotated" {
		t.Errorf("%v", got)
	}
	if s.SameShape(old, now) || !s.SameShape(old, got) {
		t.Error("SameShape does not see it")
	}
}

func TestFixedFields(t *testing.T) {
	t.Parallel()
	s := shelf()
	old := s.Resolve(good(), home)
	for _, c := range []struct {
		key               string
		before, delivered int
	}{{"name", 1, 1}, {"connector.class", 1, 1}, {"topics", 0, 1}, {"shelf.place", 0, 1}, {"shelf.format", 0, 0}, {"shelf.secret", 0, 0}, {"tasks.max", 0, 0}} {
		changed := old.Clone()
		changed[c.key] = "x"
		if got := len(s.FixedProblems(old, changed, false)); got != c.before {
			t.Errorf("%s before delivery: %d problems", c.key, got)
		}
		if got := len(s.FixedProblems(old, changed, true)); got != c.delivered {
			t.Errorf("%s after delivery: %d problems", c.key, got)
		}
	}
}

func TestParseBytes(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]int64{"0": 0, "12": 12, "1KiB": 1024, "64MiB": 64 << 20, "1 GiB": 1 << 30, "7B": 7} {
		if got, err := ParseBytes(in); err != nil || got != want {
			t.Errorf("%q: %d, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "-1", "1.5MiB", "MiB", "64MB", "0x10", fmt.Sprint(uint64(math.MaxUint64)), "9007199254740993GiB"} {
		if got, err := ParseBytes(in); err == nil {
			t.Errorf("%q is taken as %d", in, got)
		}
	}
}

func TestCauseOf(t *testing.T) {
	t.Parallel()
	inner := errors.New("x")
	for _, c := range []struct {
		err  error
		want Cause
	}{
		{&RecordError{Err: inner}, CauseRecord}, {&AwayError{Err: inner}, CauseAway}, {&WrongError{Err: inner}, CauseWrong}, {&GapError{Lost: "l"}, CauseGap},
		{&MismatchError{What: "w"}, CauseMismatch}, {inner, CauseOther}, {fmt.Errorf("doing: %w", &WrongError{Err: &AwayError{Err: inner}}), CauseWrong},
	} {
		if got := CauseOf(c.err); got != c.want {
			t.Errorf("%v: %s, want %s", c.err, got, c.want)
		}
	}
	if got := Brief(fmt.Errorf("doing: %w", &AwayError{Brief: "short", Err: inner})); got != "short" {
		t.Errorf("brief: %q", got)
	}
}

func TestListAndAccessors(t *testing.T) {
	t.Parallel()
	c := Config{"l": " a,, b ,c", "b": "TRUE", "n": " 12 ", "s": "1KiB", "bad": "x"}
	if got := c.List("l"); !reflect.DeepEqual(got, []string{"a", "b", "c"}) {
		t.Errorf("%q", got)
	}
	for text, want := range map[string][]string{"`a,b` , c": {"`a,b`", "c"}, "`a``,`,b": {"`a``,`", "b"}, "a,`b,c": {"a", "`b,c"}, "": nil} {
		if got := (Config{"l": text}).List("l"); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %q", text, got)
		}
	}
	if !c.Bool("b") || c.Int("n") != 12 || c.Bytes("s") != 1024 || c.Int("bad") != 0 || c.Millis("n").Milliseconds() != 12 {
		t.Error("accessors")
	}
}

// FuzzConfig: whatever stands in a configuration, resolving, validating, masking and
// hashing neither panic nor let a secret through.
func FuzzConfig(f *testing.F) {
	f.Add("name", "n", "shelf.secret", "top-secret-value")
	f.Add("flush.bytes", "64MiB", "shelf.region", "\xff")
	f.Add("topics", ",,,", "errors.tolerance", "ALL")
	s := shelf()
	f.Fuzz(func(t *testing.T, k1, v1, k2, v2 string) {
		given := good(k1, v1, k2, v2)
		resolved := s.Resolve(given, home)
		for _, p := range s.Problems(resolved, home) {
			if p.Field == "" || p.Message == "" {
				t.Errorf("a problem without field or message: %+v", p)
			}
		}
		if v := s.Mask(resolved)["shelf.secret"]; v != "" && v != Masked {
			t.Errorf("the mask lets %q through", v)
		}
		if s.Hash(resolved) != s.Hash(s.Resolve(resolved, home)) {
			t.Error("resolving again changes the hash")
		}
	})
}
