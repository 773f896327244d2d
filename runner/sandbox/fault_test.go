package sandbox

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestFaultValidate(t *testing.T) {
	t.Parallel()
	good := Fault{Operation: "PutObject", Rate: 1, Status: 503, Code: "ServiceUnavailable"}
	for _, c := range []struct {
		field string
		edit  func(*Fault)
	}{
		{"", func(f *Fault) {}},
		{"", func(f *Fault) { f.Status, f.Code, f.LatencyMS = 0, "", 5 }},
		{"", func(f *Fault) { f.Status, f.Code, f.Cut = 0, "", CutAfter }},
		{"", func(f *Fault) { f.Status, f.Code, f.WrongCRC = 0, "", true }},
		{"operation", func(f *Fault) { f.Operation = "" }},
		{"operation", func(f *Fault) { f.Operation = strings.Repeat("x", 65) }},
		{"rate", func(f *Fault) { f.Rate = 0 }},
		{"rate", func(f *Fault) { f.Rate = 1.01 }},
		{"rate", func(f *Fault) { f.Rate = -1 }},
		{"rate", func(f *Fault) { f.Rate = math.NaN() }},
		{"status", func(f *Fault) { f.Status = 200 }},
		{"status", func(f *Fault) { f.Status = 600 }},
		{"status", func(f *Fault) { f.Status = 0 }},
		{"status", func(f *Fault) { f.Status, f.Code = 0, "" }},
		{"code", func(f *Fault) { f.Code = "<x>" }},
		{"message", func(f *Fault) { f.Message = strings.Repeat("x", 513) }},
		{"latency_ms", func(f *Fault) { f.LatencyMS = -1 }},
		{"latency_ms", func(f *Fault) { f.LatencyMS = 600_001 }},
		{"cut", func(f *Fault) { f.Status, f.Code, f.Cut = 0, "", "sometimes" }},
		{"cut", func(f *Fault) { f.Cut = CutBefore }},
		{"skew_seconds", func(f *Fault) { f.SkewSeconds = 1 << 30 }},
		{"max", func(f *Fault) { f.Max = -1 }},
		{"expires_after_ms", func(f *Fault) { f.ExpiresAfterMS = -1 }},
	} {
		f := good
		c.edit(&f)
		errs := f.Validate()
		if (c.field == "") != (len(errs) == 0) || (c.field != "" && errs[0].Field != c.field) {
			t.Errorf("%+v: %v, want an error of %q", f, errs, c.field)
		}
	}
}

func TestParseFaults(t *testing.T) {
	t.Parallel()
	faults, err := ParseFaults([]byte(`[{"status":503,"code":"SlowDown"},{"operation":"PutObject","rate":0.05,"cut":"after","max":3,"hits":99}]`))
	must(t, err)
	if len(faults) != 2 || faults[0].Operation != "*" || faults[0].Rate != 1 || faults[1].Rate != 0.05 {
		t.Errorf("faults %+v", faults)
	}
	if faults, err = ParseFaults([]byte(`[]`)); err != nil || len(faults) != 0 {
		t.Errorf("none: %v %v", faults, err)
	}
	for body, want := range map[string]string{
		``:                                      "faults:",
		`{}`:                                    "faults:",
		`null x`:                                "faults:",
		`[] []`:                                 "faults:",
		`[{"status":503},{"rate":2,"cut":"x"}]`: "faults[1].rate",
		`[{"status":503,"rat":1}]`:              `unknown field "rat"`,
		`[{"status":"503"}]`:                    "faults[0]",
		`[{"rate":null,"cut":"after","max":1e99}]`:                             "faults[0]",
		`[` + strings.Repeat(`{"status":503},`, MaxFaults) + `{"status":503}]`: "too many",
	} {
		if _, err := ParseFaults([]byte(body)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: error %v, want it to name %q", body, err, want)
		}
	}
}

func TestFaultsTake(t *testing.T) {
	t.Parallel()
	clock := time.Unix(1_000_000, 0)
	s := NewFaults(1)
	s.now = func() time.Time { return clock }
	must(t, s.Set(
		Fault{Operation: "putobject", KeyPrefix: "a/", Rate: 1, Status: 500, Max: 2},
		Fault{Operation: "*", Rate: 1, Status: 503, ExpiresAfterMS: 1000}))
	take := func(operation, key string) int { f, _ := s.Take(operation, key); return f.Status }
	for i, want := range []int{500, 500, 503} {
		if got := take("PutObject", "a/1"); got != want {
			t.Errorf("request %d: %d, want %d", i, got, want)
		}
	}
	if got := take("GetObject", "a/1"); got != 503 {
		t.Errorf("another operation: %d", got)
	}
	if list := s.List(); len(list) != 1 || list[0].Hits != 2 {
		t.Errorf("in force: %+v", list)
	}
	clock = clock.Add(time.Second)
	if got := take("GetObject", "a/1"); got != 0 {
		t.Errorf("after it expired: %d", got)
	}
	if err := s.Set(Fault{Operation: "*", Rate: 1, Status: 503}, Fault{}); err == nil {
		t.Error("a wrong list was taken")
	}
	s.Clear()
	if len(s.List()) != 0 {
		t.Error("not cleared")
	}
	// The rate is kept, and the same seed gives the same dice.
	counts := [2]int{}
	for i := range counts {
		dice := NewFaults(42)
		must(t, dice.Set(Fault{Operation: "*", Rate: 0.05, Status: 503}))
		for range 10_000 {
			if _, hit := dice.Take("x", ""); hit {
				counts[i]++
			}
		}
	}
	if counts[0] != counts[1] || counts[0] < 400 || counts[0] > 600 {
		t.Errorf("of 10000 requests %v were struck, want about 500", counts)
	}
}
