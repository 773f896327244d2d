package mysql

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// interval is the transactions first … last of one source.
type interval struct{ first, last int64 }

// gtidSet is a set of MySQL's GTIDs: by "uuid", or "uuid:tag" for tagged ones, what is in it.
type gtidSet struct {
	by map[string][]interval
	// text is kept for the case of every transaction: the number behind it grows by one.
	head string // the text up to the last number
	grow string // whose last interval ends the text
}

// parseGTIDSet reads MySQL's text, which may have blanks, line ends and tags.
func parseGTIDSet(text string) (*gtidSet, error) {
	s := &gtidSet{by: map[string][]interval{}}
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		items := strings.Split(part, ":")
		id, err := uuid.Parse(strings.TrimSpace(items[0]))
		if err != nil || len(items) < 2 {
			return nil, fmt.Errorf("%q is not a GTID set: write uuid:1-5", clip(part))
		}
		key := id.String()
		for _, item := range items[1:] {
			item = strings.ToLower(strings.TrimSpace(item))
			if item == "" {
				return nil, fmt.Errorf("%q is not a GTID set: write uuid:1-5", clip(part))
			}
			if item[0] < '0' || item[0] > '9' {
				key = id.String() + ":" + item
				continue
			}
			from, to, ranged := strings.Cut(item, "-")
			if !ranged {
				to = from
			}
			a, err1 := strconv.ParseInt(strings.TrimSpace(from), 10, 64)
			b, err2 := strconv.ParseInt(strings.TrimSpace(to), 10, 64)
			if err1 != nil || err2 != nil || a < 1 || b < a {
				return nil, fmt.Errorf("%q is not a range of GTIDs", clip(item))
			}
			s.addRange(key, a, b)
		}
	}
	return s, nil
}

// sidKey names a source in a set.
func sidKey(sid []byte, tag string) (string, error) {
	id, err := uuid.FromBytes(sid)
	if err != nil {
		return "", fmt.Errorf("a GTID's source: %w", err)
	}
	if tag != "" {
		return id.String() + ":" + tag, nil
	}
	return id.String(), nil
}

func (s *gtidSet) add(key string, n int64) {
	list := s.by[key]
	if l := len(list); l > 0 && list[l-1].last+1 == n {
		list[l-1].last = n
		if s.grow != key {
			s.grow = ""
		}
		return
	}
	s.addRange(key, n, n)
}

func (s *gtidSet) addRange(key string, first, last int64) {
	s.grow = ""
	list := s.by[key]
	i, _ := slices.BinarySearchFunc(list, first, func(v interval, n int64) int { return order(uint64(v.last+1), uint64(n)) })
	j := i
	for j < len(list) && list[j].first <= last+1 {
		first, last = min(first, list[j].first), max(last, list[j].last)
		j++
	}
	s.by[key] = slices.Replace(list, i, j, interval{first, last})
}

func (s *gtidSet) has(key string, n int64) bool {
	list := s.by[key]
	if l := len(list); l > 0 && n > list[l-1].last {
		return false
	}
	i, _ := slices.BinarySearchFunc(list, n, func(v interval, n int64) int { return order(uint64(v.last), uint64(n)) })
	return i < len(list) && list[i].first <= n
}

// minus is what is in s and not in o.
func (s *gtidSet) minus(o *gtidSet) *gtidSet {
	out := &gtidSet{by: map[string][]interval{}}
	for key, list := range s.by {
		for _, v := range list {
			at := v.first
			for _, w := range o.by[key] {
				if w.last < at {
					continue
				}
				if w.first > v.last {
					break
				}
				if w.first > at {
					out.addRange(key, at, w.first-1)
				}
				at = w.last + 1
			}
			if at <= v.last {
				out.addRange(key, at, v.last)
			}
		}
	}
	return out
}

func (s *gtidSet) clone() *gtidSet {
	out := &gtidSet{by: make(map[string][]interval, len(s.by))}
	for k, v := range s.by {
		out.by[k] = slices.Clone(v)
	}
	return out
}

// appendText appends the set as MySQL reads it: sources in order, but the one that grew
// last at the end.
func (s *gtidSet) appendText(dst []byte, last string) []byte {
	if s.grow == "" || s.grow != last {
		s.render(last)
	}
	if s.grow == "" {
		return append(dst, s.head...)
	}
	list := s.by[s.grow]
	end := list[len(list)-1]
	dst = append(dst, s.head...)
	if end.first != end.last {
		dst = append(dst, '-')
		dst = strconv.AppendInt(dst, end.last, 10)
	}
	return dst
}

// render prepares head: everything but what follows the first number of last's last interval.
func (s *gtidSet) render(last string) {
	keys := make([]string, 0, len(s.by))
	for k := range s.by {
		if k != last {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	if _, ok := s.by[last]; ok {
		keys = append(keys, last)
	}
	var b []byte
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, k...)
		list := s.by[k]
		for j, v := range list {
			b = append(b, ':')
			b = strconv.AppendInt(b, v.first, 10)
			if v.last != v.first && (k != last || j < len(list)-1) {
				b = append(b, '-')
				b = strconv.AppendInt(b, v.last, 10)
			}
		}
	}
	s.head, s.grow = string(b), ""
	if len(s.by[last]) > 0 {
		s.grow = last
	}
}

func (s *gtidSet) String() string { return string(s.clone().appendText(nil, "")) }

// mariaPoint is the last transaction of a domain.
type mariaPoint struct {
	server uint32
	seq    uint64
}

// mariaSet is a position of MariaDB: by domain, the last transaction that is done.
type mariaSet map[uint32]mariaPoint

// parseMariaSet reads "0-1-100,1-1-7".
func parseMariaSet(text string) (mariaSet, error) {
	s := mariaSet{}
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		items := strings.Split(part, "-")
		if len(items) != 3 {
			return nil, fmt.Errorf("%q is not a GTID of MariaDB: write domain-server-sequence, like 0-1-5", clip(part))
		}
		domain, err1 := strconv.ParseUint(items[0], 10, 32)
		srv, err2 := strconv.ParseUint(items[1], 10, 32)
		seq, err3 := strconv.ParseUint(items[2], 10, 64)
		if err1 != nil || err2 != nil || err3 != nil {
			return nil, fmt.Errorf("%q is not a GTID of MariaDB: write domain-server-sequence, like 0-1-5", clip(part))
		}
		if have := s[uint32(domain)]; have.seq <= seq {
			s[uint32(domain)] = mariaPoint{uint32(srv), seq}
		}
	}
	return s, nil
}

// has tells whether a transaction lies at or before the position.
func (s mariaSet) has(domain uint32, seq uint64) bool { return s[domain].seq >= seq }

// contains tells whether o lies at or before s in every domain.
func (s mariaSet) contains(o mariaSet) bool {
	for d, p := range o {
		if s[d].seq < p.seq {
			return false
		}
	}
	return true
}

func (s mariaSet) appendText(dst []byte) []byte {
	if len(s) == 1 { // no need to sort
		for d, p := range s {
			return appendMaria(dst, d, p)
		}
	}
	domains := make([]uint32, 0, len(s))
	for d := range s {
		domains = append(domains, d)
	}
	slices.Sort(domains)
	for i, d := range domains {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendMaria(dst, d, s[d])
	}
	return dst
}

func appendMaria(dst []byte, domain uint32, p mariaPoint) []byte {
	dst = strconv.AppendUint(dst, uint64(domain), 10)
	dst = append(dst, '-')
	dst = strconv.AppendUint(dst, uint64(p.server), 10)
	dst = append(dst, '-')
	return strconv.AppendUint(dst, p.seq, 10)
}

func (s mariaSet) String() string { return string(s.appendText(nil)) }
