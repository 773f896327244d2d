package record

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// PathError says what is wrong with a path pattern or an object prefix, and where.
type PathError struct {
	Pos int // the mistake's place, in characters, the first being 1
	Msg string
}

// Error gives the place and the mistake with its remedy.
func (e *PathError) Error() string { return fmt.Sprintf("position %d: %s", e.Pos, e.Msg) }

// token is what a part of a path is made of.
type token uint8

const (
	tokenLiteral token = iota
	tokenTopic
	tokenPartition
	tokenYear
	tokenMonth
	tokenDay
	tokenHour
	tokenMinute
)

// tokens are the names in braces, and the fewest bytes that each becomes.
var tokens = map[string]struct {
	kind  token
	bytes int
}{
	"topic": {tokenTopic, 1}, "partition": {tokenPartition, 1}, "yyyy": {tokenYear, 4}, "MM": {tokenMonth, 2},
	"dd": {tokenDay, 2}, "HH": {tokenHour, 2}, "mm": {tokenMinute, 2},
}

const tokenNames = "{topic}, {partition}, {yyyy}, {MM}, {dd}, {HH} or {mm}"

type part struct {
	kind token
	text string // of a literal
}

// Path is a parsed path pattern. It is not changed after [ParsePath] and may be used
// by many goroutines; for speed each takes a [PathCache] of its own.
type Path struct {
	parts []part
	zone  *time.Location
	unit  token // the smallest unit of time in it, tokenLiteral for none
}

// ParsePath reads a pattern: text and the tokens {topic}, {partition}, {yyyy}, {MM},
// {dd}, {HH}, {mm}, the last five of a record's time in zone (nil is UTC). The empty
// pattern is the empty path. An error is a [*PathError].
func ParsePath(pattern string, zone *time.Location) (*Path, error) {
	if zone == nil {
		zone = time.UTC
	}
	if err := checkName(pattern); err != nil {
		return nil, err
	}
	if strings.HasSuffix(pattern, "/") {
		return nil, &PathError{utf8.RuneCountInString(pattern), "a path does not end with a slash: leave it out, it is added"}
	}
	p := &Path{zone: zone}
	least := 0
	for i := 0; i < len(pattern); {
		if pattern[i] != '{' {
			n := strings.IndexAny(pattern[i:], "{}")
			if n < 0 {
				n = len(pattern) - i
			} else if pattern[i+n] == '}' {
				return nil, pathError(pattern, i+n, "this brace closes nothing: remove it, or open it before one of the tokens "+tokenNames)
			}
			p.parts = append(p.parts, part{text: pattern[i : i+n]})
			least += n
			i += n
			continue
		}
		n := strings.IndexAny(pattern[i+1:], "{}/")
		if n < 0 || pattern[i+1+n] != '}' {
			return nil, pathError(pattern, i, "this brace is not closed: write one of the tokens "+tokenNames)
		}
		name := pattern[i+1 : i+1+n]
		t, ok := tokens[name]
		if !ok {
			return nil, pathError(pattern, i, fmt.Sprintf("{%s} is no token: use %s", name, tokenNames))
		}
		p.parts = append(p.parts, part{kind: t.kind})
		if t.kind >= tokenYear {
			p.unit = max(p.unit, t.kind)
		}
		least += t.bytes
		i += n + 2
	}
	if least > MaxObjectName {
		return nil, pathError(pattern, len(pattern), fmt.Sprintf("the path is too long: the name of an object has at most %d bytes", MaxObjectName))
	}
	return p, nil
}

// CheckPrefix refuses a prefix that object names cannot begin with, with a [*PathError].
func CheckPrefix(prefix string) error {
	if err := checkName(prefix); err != nil {
		return err
	}
	if i := strings.IndexAny(prefix, "{}"); i >= 0 {
		return pathError(prefix, i, "a prefix has no tokens: write them in the path")
	}
	if len(prefix) > MaxObjectName {
		return pathError(prefix, len(prefix), fmt.Sprintf("the prefix is too long: the name of an object has at most %d bytes", MaxObjectName))
	}
	return nil
}

// checkName finds what no part of an object's name may have. A slash at the end is
// left to the caller.
func checkName(s string) error {
	segment := 0 // where the segment that i is in begins
	for i := 0; i <= len(s); {
		if i == len(s) || s[i] == '/' {
			if name := s[segment:i]; name == "." || name == ".." {
				return pathError(s, segment, "a segment of a path cannot be . or ..: name it otherwise")
			}
			if i == len(s) {
				return nil
			}
			if i == 0 {
				return pathError(s, 0, "it cannot begin with a slash: remove it")
			}
			if i == segment {
				return pathError(s, i, "two slashes in a row leave a segment empty: remove one")
			}
			i++
			segment = i
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			return pathError(s, i, "this byte is not UTF-8")
		case r == '\\':
			return pathError(s, i, "a backslash cannot be used: separate segments by /")
		case r < 0x20 || r >= 0x7f && r <= 0x9f:
			return pathError(s, i, fmt.Sprintf("control character %U cannot be used: remove it", r))
		}
		i += n
	}
	return nil
}

// pathError is an error at byte i of s.
func pathError(s string, i int, msg string) *PathError {
	return &PathError{utf8.RuneCountInString(s[:i]) + 1, msg}
}

// The times that a path can name, in milliseconds: years of four digits in every
// zone. Earlier and later ones count as the first and the last of these.
const (
	minPathTime = -62135510400000 // 0001-01-02T00:00:00Z
	maxPathTime = 253402214399999 // 9999-12-30T23:59:59.999Z
)

// pathTime is the time by which a path is rendered: a record without a time (-1)
// counts as one of 1970-01-01T00:00:00Z.
func pathTime(timestamp int64) int64 {
	if timestamp == -1 {
		return 0
	}
	return min(max(timestamp, minPathTime), maxPathTime)
}

// Render appends the path of r.
func (p *Path) Render(dst []byte, r *Record) []byte {
	t := time.UnixMilli(pathTime(r.Timestamp)).In(p.zone)
	for _, part := range p.parts {
		switch part.kind {
		case tokenLiteral:
			dst = append(dst, part.text...)
		case tokenTopic:
			dst = append(dst, r.Topic...)
		case tokenPartition:
			dst = strconv.AppendInt(dst, int64(r.Partition), 10)
		case tokenYear:
			dst = appendDigits(dst, t.Year(), 4)
		case tokenMonth:
			dst = appendDigits(dst, int(t.Month()), 2)
		case tokenDay:
			dst = appendDigits(dst, t.Day(), 2)
		case tokenHour:
			dst = appendDigits(dst, t.Hour(), 2)
		case tokenMinute:
			dst = appendDigits(dst, t.Minute(), 2)
		}
	}
	return dst
}

// appendDigits appends n, which is not negative, with leading zeros to width.
func appendDigits(dst []byte, n, width int) []byte {
	for limit := 10; width > 1; width-- {
		if n < limit {
			dst = append(dst, "000"[:width-1]...)
			break
		}
		limit *= 10
	}
	return strconv.AppendInt(dst, int64(n), 10)
}

// span is the times [from, to), in milliseconds as pathTime gives them, around
// timestamp in which the path stays the same. It may be shorter than it could be: it
// ends where the zone's offset changes.
func (p *Path) span(timestamp int64) (from, to int64) {
	from, to = minPathTime, maxPathTime+1
	if p.unit == tokenLiteral {
		return from, to
	}
	ms := pathTime(timestamp)
	t := time.UnixMilli(ms).In(p.zone)
	_, offset := t.Zone()
	start, end := t.ZoneBounds()
	if !start.IsZero() {
		from = max(from, start.UnixMilli())
	}
	switch {
	case end.IsZero():
	case end.After(t):
		to = min(to, end.UnixMilli())
	default:
		// The time package takes every year to have 365 days where it goes by a zone's
		// rule, and gives an end that is past on the 31st of December of a leap year.
		// Rules change offsets at whole minutes.
		to = min(to, (t.Unix()-mod(t.Unix(), 60)+60)*1000)
	}
	first, next := p.unitBounds(t, t.Unix()+int64(offset))
	return max(from, (first-int64(offset))*1000), min(to, (next-int64(offset))*1000)
}

// unitBounds is the unit of time that t is in, in seconds of wall time since 1970;
// wall is t so.
func (p *Path) unitBounds(t time.Time, wall int64) (first, next int64) {
	size := int64(0)
	switch p.unit {
	case tokenYear:
		return time.Date(t.Year(), 1, 1, 0, 0, 0, 0, time.UTC).Unix(), time.Date(t.Year()+1, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	case tokenMonth:
		return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC).Unix(), time.Date(t.Year(), t.Month()+1, 1, 0, 0, 0, 0, time.UTC).Unix()
	case tokenDay:
		size = 24 * 3600
	case tokenHour:
		size = 3600
	default:
		size = 60
	}
	first = wall - mod(wall, size)
	return first, first + size
}

// mod is the remainder of a by m, which is positive, from 0 to m-1.
func mod(a, m int64) int64 { return ((a % m) + m) % m }

// PathCache renders the paths of the records of one partition, and remembers the
// last few: while records stay in one unit of time, or alternate between some, none
// is rendered. It is for one goroutine.
type PathCache struct {
	path    *Path
	last    int // index of the entry that was hit last
	oldest  int // index of the entry that is given up next
	entries [cachedPaths]cachedPath
	scratch []byte
}

// cachedPaths is how many units of time are remembered at once.
const cachedPaths = 8

type cachedPath struct {
	from, to  int64
	partition int32
	topic     string
	rendered  string
}

// NewCache is an empty cache for the path.
func (p *Path) NewCache() *PathCache { return &PathCache{path: p} }

// Of is the path of r. While it is remembered, the same string is given again.
func (c *PathCache) Of(r *Record) string {
	ms := pathTime(r.Timestamp)
	if e := &c.entries[c.last]; e.covers(ms, r) {
		return e.rendered
	}
	for i := range c.entries {
		if e := &c.entries[i]; e.covers(ms, r) {
			c.last = i
			return e.rendered
		}
	}
	c.scratch = c.path.Render(c.scratch[:0], r)
	from, to := c.path.span(r.Timestamp)
	e := cachedPath{from: from, to: to, partition: r.Partition, topic: r.Topic, rendered: string(c.scratch)}
	c.last, c.oldest = c.oldest, (c.oldest+1)%cachedPaths
	c.entries[c.last] = e
	return e.rendered
}

func (e *cachedPath) covers(ms int64, r *Record) bool {
	return ms >= e.from && ms < e.to && e.partition == r.Partition && e.topic == r.Topic
}
