package connector

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Masked stands for a stored secret in every answer; sent back, it keeps what is stored.
const Masked = "******"

// Config is a connector's configuration: a flat object of strings, as in Kafka
// Connect's REST API. Unknown keys are kept.
type Config map[string]string

// Get returns the value of key with surrounding blanks removed.
func (c Config) Get(key string) string { return strings.TrimSpace(c[key]) }

// Int returns an integer field; 0 when absent or malformed (validation tells that before).
func (c Config) Int(key string) int64 {
	n, _ := strconv.ParseInt(c.Get(key), 10, 64)
	return n
}

// Bytes returns a count of bytes; 0 when absent or malformed.
func (c Config) Bytes(key string) int64 {
	n, _ := ParseBytes(c.Get(key))
	return n
}

// Millis returns a Duration field, which is configured in milliseconds.
func (c Config) Millis(key string) time.Duration { return time.Duration(c.Int(key)) * time.Millisecond }

// Bool returns a Bool field; false when absent or malformed.
func (c Config) Bool(key string) bool { return strings.EqualFold(c.Get(key), "true") }

// List returns the items of a comma-separated field, as of SplitList.
func (c Config) List(key string) []string { return SplitList(c[key]) }

// SplitList returns the items of a comma-separated list that are not empty, without the blanks around them. Commas
// within backquotes divide nothing: an item may be a name of a database, which can have any character.
func SplitList(text string) []string {
	var out []string
	quoted, from := false, 0
	for i := 0; i <= len(text); i++ {
		switch {
		case i < len(text) && text[i] == '`':
			quoted = !quoted
		case i == len(text) || text[i] == ',' && !quoted:
			if item := strings.TrimSpace(text[from:i]); item != "" {
				out = append(out, item)
			}
			from = i + 1
		}
	}
	return out
}

// Clone returns a copy that may be changed.
func (c Config) Clone() Config { return maps.Clone(c) }

// JSON is the canonical text of the configuration: keys sorted.
func (c Config) JSON() []byte {
	b, err := json.Marshal(map[string]string(c))
	if err != nil { // a map of strings always marshals
		panic(err)
	}
	return b
}

var byteUnits = []struct {
	suffix string
	factor int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

// ParseBytes reads a count of bytes: plain digits, or digits with KiB, MiB or GiB.
func ParseBytes(s string) (int64, error) {
	factor := int64(1)
	digits := s
	for _, u := range byteUnits {
		if d, ok := strings.CutSuffix(s, u.suffix); ok {
			digits, factor = strings.TrimSpace(d), u.factor
			break
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/factor {
		return 0, fmt.Errorf("%q is not a size: give a number of bytes, or a number with KiB, MiB or GiB", s)
	}
	return n * factor, nil
}

// Fields returns all fields of all steps, in order.
func (s *Spec) Fields() []Field {
	var out []Field
	for i := range s.Steps {
		out = append(out, s.Steps[i].Fields...)
	}
	return out
}

// Field finds a field by its key.
func (s *Spec) Field(key string) (Field, bool) {
	for i := range s.Steps {
		for j := range s.Steps[i].Fields {
			if s.Steps[i].Fields[j].Key == key {
				return s.Steps[i].Fields[j], true
			}
		}
	}
	return Field{}, false
}

// Resolve returns the effective configuration: what was given, trimmed, with the
// defaults of absent and empty fields filled in. Fields whose conditions do not hold
// are left out; unknown keys are kept.
func (s *Spec) Resolve(given Config, env Env) Config {
	out := Config{}
	for k, v := range given {
		if _, known := s.Field(k); !known {
			out[k] = v
		}
	}
	fields := s.Fields()
	for i := range fields {
		f := &fields[i]
		v := given[f.Key]
		if f.Kind != Secret && f.Kind != Text {
			v = strings.TrimSpace(v)
		}
		if v == "" && f.Default != nil {
			v = f.Default(merged(given, out), env)
		}
		if v != "" {
			out[f.Key] = v
		}
	}
	for i := range fields {
		if !fields[i].Shown(out, env) {
			delete(out, fields[i].Key)
		}
	}
	return out
}

func merged(given, resolved Config) Config {
	m := given.Clone()
	if m == nil {
		m = Config{}
	}
	maps.Copy(m, resolved)
	return m
}

// Shown tells whether the field's conditions hold in a configuration with defaults.
func (f *Field) Shown(cfg Config, env Env) bool {
	for _, c := range f.When {
		if !c.holds(cfg, env) {
			return false
		}
	}
	return true
}

func (c Cond) holds(cfg Config, env Env) bool {
	v := cfg.Get(c.Key)
	if len(c.In) > 0 && !slices.Contains(c.In, v) {
		return false
	}
	switch c.DiffersFrom {
	case "":
		return true
	case "instance.region":
		return v != "" && env.Region != "" && v != env.Region
	}
	return false
}

// Problems validates a resolved configuration: every shown field, then the rules
// across fields, common ones included. Nil means that it is valid.
func (s *Spec) Problems(cfg Config, env Env) []FieldError {
	var out []FieldError
	fields := s.Fields()
	for i := range fields {
		f := &fields[i]
		if !f.Shown(cfg, env) {
			continue
		}
		if msg := f.problem(cfg[f.Key]); msg != "" {
			out = append(out, FieldError{f.Key, msg})
		}
	}
	if len(out) > 0 || s.Validate == nil {
		return out
	}
	return s.Validate(cfg, env)
}

// Problem validates a single value, "" included; it returns "" when the value is fine.
func (f *Field) problem(v string) string {
	if strings.TrimSpace(v) == "" {
		if f.Required {
			return f.missing()
		}
		return ""
	}
	if msg := f.typeProblem(v); msg != "" {
		return msg
	}
	if f.Validate != nil {
		if err := f.Validate(v); err != nil {
			return err.Error()
		}
	}
	return ""
}

// missing says that a required value is not given, and why it is asked for where that
// depends on where things stand.
func (f *Field) missing() string {
	for _, c := range f.When {
		if c.DiffersFrom != "" {
			r, n := utf8.DecodeRuneInString(c.Reason)
			return f.Label + " is required: " + string(unicode.ToLower(r)) + c.Reason[n:]
		}
	}
	return f.Label + " is required."
}

func (f *Field) typeProblem(v string) string {
	switch f.Kind {
	case Int, Duration:
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return fmt.Sprintf("%q is not a whole number.", clip(v))
		}
		return f.bounds(n, f.Unit)
	case Bytes:
		n, err := ParseBytes(v)
		if err != nil {
			return err.Error() + "."
		}
		return f.bounds(n, "bytes")
	case Bool:
		if !strings.EqualFold(v, "true") && !strings.EqualFold(v, "false") {
			return fmt.Sprintf("%q is neither true nor false.", clip(v))
		}
	case Enum:
		if !f.Open && !slices.ContainsFunc(f.Options, func(o Option) bool { return o.Value == v }) {
			return fmt.Sprintf("%q is not one of %s.", clip(v), f.offered())
		}
	case String, Secret, List:
		if i := strings.IndexFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f }); i >= 0 {
			return "Control characters are not allowed."
		}
	}
	if f.Kind != Enum && (f.Min != 0 || f.Max != 0) {
		return f.bounds(int64(len([]rune(v))), "characters")
	}
	return ""
}

func (f *Field) bounds(n int64, unit string) string {
	if f.Min == 0 && f.Max == 0 {
		return ""
	}
	if n < f.Min || n > f.Max {
		return strings.TrimRight(fmt.Sprintf("must be from %d to %d %s", f.Min, f.Max, unit), " ") + "."
	}
	return ""
}

func (f *Field) offered() string {
	values := make([]string, len(f.Options))
	for i, o := range f.Options {
		values[i] = o.Value
	}
	return strings.Join(values, ", ")
}

// clip keeps hostile values short in messages.
func clip(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}

// Unknown lists the keys no field declares, sorted.
func (s *Spec) Unknown(cfg Config) []string {
	var out []string
	for k := range cfg {
		if _, ok := s.Field(k); !ok {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}

// SecretKeys lists the keys of write-only fields.
func (s *Spec) SecretKeys() []string {
	var out []string
	for _, f := range s.Fields() {
		if f.Kind == Secret {
			out = append(out, f.Key)
		}
	}
	return out
}

// Mask returns a copy in which every stored secret reads Masked. Unknown keys that
// look like secrets are masked too.
func (s *Spec) Mask(cfg Config) Config {
	out := cfg.Clone()
	for k, v := range out {
		if v == "" {
			continue
		}
		if f, known := s.Field(k); known && f.Kind == Secret || !known && looksSecret(k) {
			out[k] = Masked
		}
	}
	return out
}

func looksSecret(key string) bool {
	k := strings.ToLower(key)
	for _, word := range []string{"password", "secret", "token", "private.key", "credential"} {
		if strings.Contains(k, word) {
			return true
		}
	}
	return false
}

// Keep returns incoming with every Masked value of a secret replaced by what is
// stored; a Masked secret with nothing stored is dropped.
func (s *Spec) Keep(incoming, stored Config) Config {
	out := incoming.Clone()
	for k, v := range out {
		if v != Masked {
			continue
		}
		if f, known := s.Field(k); known && f.Kind != Secret {
			continue
		}
		if old, ok := stored[k]; ok {
			out[k] = old
		} else {
			delete(out, k)
		}
	}
	return out
}

// Hash names a resolved configuration by its content: the first 16 bytes of the
// SHA-256 of its canonical JSON without secrets and description, in hex.
func (s *Spec) Hash(resolved Config) string {
	c := resolved.Clone()
	for k := range c {
		if f, known := s.Field(k); known && f.Kind == Secret || !known && looksSecret(k) || k == KeyDescription {
			delete(c, k)
		}
	}
	sum := sha256.Sum256(c.JSON())
	return hex.EncodeToString(sum[:16])
}

// Pin joins the shape settings of old with everything else of current: what an
// intent of old is resolved and redone with.
func (s *Spec) Pin(old, current Config) Config {
	out := current.Clone()
	for _, f := range s.Fields() {
		if !f.Shapes {
			continue
		}
		if v, ok := old[f.Key]; ok {
			out[f.Key] = v
		} else {
			delete(out, f.Key)
		}
	}
	return out
}

// SameShape tells whether two resolved configurations agree in every shape setting.
func (s *Spec) SameShape(a, b Config) bool {
	for _, f := range s.Fields() {
		if f.Shapes && a[f.Key] != b[f.Key] {
			return false
		}
	}
	return true
}

// FixedProblems names the fixed fields that differ between two resolved configurations.
func (s *Spec) FixedProblems(old, changed Config, delivered bool) []FieldError {
	var out []FieldError
	for _, f := range s.Fields() {
		if old[f.Key] == changed[f.Key] {
			continue
		}
		switch {
		case f.Fixed == FixedAlways:
			out = append(out, FieldError{f.Key, f.Label + " cannot be changed after the connector was created; create another connector instead."})
		case f.Fixed == FixedAfterDelivery && delivered:
			out = append(out, FieldError{f.Key, f.Label + " cannot be changed once the connector has delivered something. " + cmp.Or(f.Instead, "Create another connector instead.")})
		}
	}
	return out
}

// Change is one key that differs between two configurations; secrets are masked.
type Change struct {
	Key  string `json:"key"`
	From string `json:"from"`
	To   string `json:"to"`
}

// Diff lists what differs, sorted by key, secrets masked.
func (s *Spec) Diff(old, changed Config) []Change {
	keys := map[string]bool{}
	for k := range old {
		keys[k] = true
	}
	for k := range changed {
		keys[k] = true
	}
	var out []Change
	mo, mc := s.Mask(old), s.Mask(changed)
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		if old[k] != changed[k] {
			out = append(out, Change{k, mo[k], mc[k]})
		}
	}
	return out
}

// ErrNoSuchClass: connector.class names no task type of the catalogue.
var ErrNoSuchClass = errors.New("unknown connector.class")

// Find returns the spec of a class, whatever its case.
func Find(specs []Spec, class string) (*Spec, error) {
	for i := range specs {
		if strings.EqualFold(specs[i].Class, strings.TrimSpace(class)) {
			return &specs[i], nil
		}
	}
	return nil, ErrNoSuchClass
}
