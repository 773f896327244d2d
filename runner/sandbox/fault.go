package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"regexp"
	"strings"
	"sync"
	"time"
)

// Where a fault cuts the client's connection.
const (
	// CutBefore closes the connection before the operation is carried out: nothing is stored.
	CutBefore = "before"
	// CutAfter closes the connection after the operation was carried out: the object is stored, its answer is lost.
	CutAfter = "after"
)

// MaxFaults is how many faults one stand-in takes at a time.
const MaxFaults = 100

// Limits of a Fault's numbers, in the units of the fields.
const (
	maxFaultLatencyMS = 600_000
	maxFaultExpiresMS = 86_400_000
	maxFaultSkew      = 7 * 86_400
)

// Fault tells a stand-in to misbehave on some of its requests. At least one of Status, LatencyMS, Cut, SkewSeconds and
// WrongCRC is set; LatencyMS goes with any other. Of several faults the first whose dice fall on a request strikes it.
type Fault struct {
	// Operation is the operation's name as the service documents it ("PutObject"); "*" is any.
	Operation string `json:"operation"`
	// KeyPrefix limits the fault to resources (of OSS: object names) that begin with it; empty is any.
	KeyPrefix string `json:"key_prefix,omitempty"`
	// Rate is the share of matching requests that are struck, above 0 and at most 1. JSON without it means 1.
	Rate float64 `json:"rate"`
	// Status is the HTTP status to answer with instead of doing the operation, 400–599.
	Status int `json:"status,omitempty"`
	// Code is the service's error code that goes with Status ("ServiceUnavailable").
	Code string `json:"code,omitempty"`
	// Message is the sentence of the error; empty takes a plain one.
	Message string `json:"message,omitempty"`
	// AfterStoring makes Status the answer to an operation that was carried out nevertheless.
	AfterStoring bool `json:"after_storing,omitempty"`
	// LatencyMS delays the request by so many milliseconds, 0–600000, before anything else happens.
	LatencyMS int `json:"latency_ms,omitempty"`
	// Cut is CutBefore or CutAfter.
	Cut string `json:"cut,omitempty"`
	// SkewSeconds moves the stand-in's clock for the struck requests; more than 900 either way is refused as skewed.
	SkewSeconds int `json:"skew_seconds,omitempty"`
	// WrongCRC falsifies the checksum of the answer; the object is stored as it came.
	WrongCRC bool `json:"wrong_crc,omitempty"`
	// Max is after how many struck requests the fault is spent; 0 is never.
	Max int `json:"max,omitempty"`
	// ExpiresAfterMS is for how long the fault holds from the moment it is set, in milliseconds; 0 is for ever.
	ExpiresAfterMS int `json:"expires_after_ms,omitempty"`
	// Hits is how many requests the fault has struck. It is ignored when faults are set.
	Hits int `json:"hits"`
}

// UnmarshalJSON reads a fault strictly: unknown keys are refused, and a missing rate is 1, a missing operation "*".
func (f *Fault) UnmarshalJSON(data []byte) error {
	type plain Fault
	p := plain{Operation: "*", Rate: 1}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil {
		return err
	}
	*f = Fault(p)
	return nil
}

// FieldError is one wrong value of a request: which field, what is wrong, and how to put it right.
type FieldError struct {
	Field   string `json:"field"`
	Problem string `json:"problem"`
	Remedy  string `json:"remedy"`
}

func (e FieldError) Error() string { return fmt.Sprintf("%s: %s; %s", e.Field, e.Problem, e.Remedy) }

var faultCode = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// Validate returns what is wrong with the fault, one error a field, or nil.
func (f Fault) Validate() []FieldError {
	var errs []FieldError
	bad := func(field, problem, remedy string) { errs = append(errs, FieldError{field, problem, remedy}) }
	if f.Operation == "" || len(f.Operation) > 64 {
		bad("operation", "is empty or longer than 64 characters", `name an operation such as "PutObject", or "*" for any`)
	}
	if !(f.Rate > 0 && f.Rate <= 1) { // written so that NaN is refused
		bad("rate", fmt.Sprintf("%v is not above 0 and at most 1", f.Rate), "give a share such as 0.05; leave the fault out to switch it off")
	}
	if f.Status != 0 && (f.Status < 400 || f.Status > 599) {
		bad("status", fmt.Sprintf("%d is no error status", f.Status), "give 400 to 599, or leave it out")
	}
	if f.Status == 0 && (f.Code != "" || f.Message != "" || f.AfterStoring) {
		bad("status", "is missing although code, message or after_storing is given", "give the HTTP status that goes with them")
	}
	if f.Code != "" && !faultCode.MatchString(f.Code) {
		bad("code", "is no error code", "use 1 to 64 letters, digits, dots, hyphens, underscores")
	}
	if len(f.Message) > 512 || len(f.KeyPrefix) > 1024 {
		bad("message", "message or key_prefix is too long", "keep message under 512 and key_prefix under 1024 bytes")
	}
	if f.LatencyMS < 0 || f.LatencyMS > maxFaultLatencyMS {
		bad("latency_ms", fmt.Sprintf("%d is out of range", f.LatencyMS), "give 0 to 600000 milliseconds")
	}
	switch f.Cut {
	case "", CutBefore, CutAfter:
	default:
		bad("cut", fmt.Sprintf("%q is unknown", f.Cut), `give "before" or "after", or leave it out`)
	}
	if f.Cut != "" && f.Status != 0 {
		bad("cut", "goes together with status", "a cut connection has no status: give one of the two")
	}
	if f.SkewSeconds < -maxFaultSkew || f.SkewSeconds > maxFaultSkew {
		bad("skew_seconds", fmt.Sprintf("%d is out of range", f.SkewSeconds), "give at most a week, 604800, either way")
	}
	if f.Max < 0 {
		bad("max", "is negative", "give how many requests to strike, or 0 for no limit")
	}
	if f.ExpiresAfterMS < 0 || f.ExpiresAfterMS > maxFaultExpiresMS {
		bad("expires_after_ms", fmt.Sprintf("%d is out of range", f.ExpiresAfterMS), "give 0 (never) to 86400000 milliseconds")
	}
	if f.Status == 0 && f.LatencyMS == 0 && f.Cut == "" && f.SkewSeconds == 0 && !f.WrongCRC {
		bad("status", "the fault does nothing", "give one of status, latency_ms, cut, skew_seconds, wrong_crc")
	}
	return errs
}

// ParseFaults reads a JSON array of faults, as a request body holds it, and validates each. An empty array is no
// fault. The error joins FieldErrors whose fields are written faults[2].rate.
func ParseFaults(body []byte) ([]Fault, error) {
	var raw []json.RawMessage
	dec := json.NewDecoder(bytes.NewReader(body))
	if err := dec.Decode(&raw); err != nil {
		return nil, FieldError{"faults", "is not a JSON array: " + err.Error(), "send a list of faults, [] for none"}
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, FieldError{"faults", "something follows the array", "send one list of faults"}
	}
	if len(raw) > MaxFaults {
		return nil, FieldError{"faults", fmt.Sprintf("%d are too many", len(raw)), fmt.Sprintf("send at most %d", MaxFaults)}
	}
	faults := make([]Fault, len(raw))
	var errs []error
	for i, one := range raw {
		if err := json.Unmarshal(one, &faults[i]); err != nil {
			errs = append(errs, FieldError{fmt.Sprintf("faults[%d]", i), err.Error(), "see the fields of a fault in the documentation"})
			continue
		}
		for _, fe := range faults[i].Validate() {
			fe.Field = fmt.Sprintf("faults[%d].%s", i, fe.Field)
			errs = append(errs, fe)
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return faults, nil
}

// Faults is the list of faults of one stand-in. It is safe for concurrent use.
type Faults struct {
	mu    sync.Mutex
	rules []faultRule
	dice  *rand.Rand
	now   func() time.Time
}

type faultRule struct {
	Fault
	until time.Time // zero: for ever
}

// NewFaults returns an empty list. With a seed other than 0 the dice fall the same in every run.
func NewFaults(seed uint64) *Faults {
	if seed == 0 {
		seed = rand.Uint64()
	}
	return &Faults{dice: rand.New(rand.NewPCG(seed, seed)), now: time.Now}
}

// Set replaces the list; with none it clears it. When one of them is wrong nothing changes and the error joins
// FieldErrors.
func (s *Faults) Set(faults ...Fault) error {
	if len(faults) > MaxFaults {
		return FieldError{"faults", fmt.Sprintf("%d are too many", len(faults)), fmt.Sprintf("send at most %d", MaxFaults)}
	}
	var errs []error
	rules := make([]faultRule, len(faults))
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range faults {
		for _, fe := range f.Validate() {
			fe.Field = fmt.Sprintf("faults[%d].%s", i, fe.Field)
			errs = append(errs, fe)
		}
		f.Hits = 0
		rules[i] = faultRule{Fault: f}
		if f.ExpiresAfterMS > 0 {
			rules[i].until = s.now().Add(time.Duration(f.ExpiresAfterMS) * time.Millisecond)
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	s.rules = rules
	return nil
}

// Clear removes every fault.
func (s *Faults) Clear() { _ = s.Set() }

// List returns the faults that still hold, with their hits.
func (s *Faults) List() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Fault, 0, len(s.rules))
	for i := range s.rules {
		if s.holds(&s.rules[i]) {
			list = append(list, s.rules[i].Fault)
		}
	}
	return list
}

func (s *Faults) holds(r *faultRule) bool {
	return (r.Max == 0 || r.Hits < r.Max) && (r.until.IsZero() || s.now().Before(r.until))
}

// Take throws the dice for a request and returns the fault that strikes it, if one does.
func (s *Faults) Take(operation, key string) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.rules {
		r := &s.rules[i]
		if (r.Operation != "*" && !strings.EqualFold(r.Operation, operation)) || !strings.HasPrefix(key, r.KeyPrefix) || !s.holds(r) {
			continue
		}
		if r.Rate < 1 && s.dice.Float64() >= r.Rate {
			continue
		}
		r.Hits++
		return r.Fault, true
	}
	return Fault{}, false
}

// String names the fault in a few words, for the list of requests.
func (f Fault) String() string {
	var parts []string
	if f.LatencyMS > 0 {
		parts = append(parts, fmt.Sprintf("latency %d ms", f.LatencyMS))
	}
	switch {
	case f.Cut != "":
		parts = append(parts, "connection cut "+f.Cut+" storing")
	case f.Status != 0 && f.AfterStoring:
		parts = append(parts, fmt.Sprintf("%d %s after storing", f.Status, f.Code))
	case f.Status != 0:
		parts = append(parts, fmt.Sprintf("%d %s", f.Status, f.Code))
	}
	if f.SkewSeconds != 0 {
		parts = append(parts, fmt.Sprintf("clock off by %d s", f.SkewSeconds))
	}
	if f.WrongCRC {
		parts = append(parts, "wrong CRC")
	}
	return strings.Join(parts, ", ")
}
