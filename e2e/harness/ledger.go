package harness

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// place is where Kafka put a number.
type place struct {
	topic     string
	partition int32
	offset    int64
}

// Ledger knows every number that was acknowledged by Kafka, with its place.
type Ledger struct {
	mu   sync.Mutex
	sent map[int64]place
}

// NewLedger makes an empty one.
func NewLedger() *Ledger { return &Ledger{sent: map[int64]place{}} }

func (l *Ledger) enter(n int64, topic string, partition int32, offset int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent[n] = place{topic, partition, offset}
}

// place is where Kafka put a number, if it did.
func (l *Ledger) place(n int64) (place, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p, ok := l.sent[n]
	return p, ok
}

// Len is how many numbers were acknowledged.
func (l *Ledger) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.sent)
}

// Forget takes numbers out that a test knows to be lost on purpose: those of a partition with offsets in
// [from, to).
func (l *Ledger) Forget(topic string, partition int32, from, to int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for n, p := range l.sent {
		if p.topic == topic && p.partition == partition && p.offset >= from && p.offset < to {
			delete(l.sent, n)
		}
	}
}

// numberedValue is the value of record n, padded to so many bytes.
func numberedValue(n int64, size int) []byte {
	b := fmt.Appendf(nil, `{"n":%d`, n)
	if pad := size - len(b) - len(`,"pad":""}`); pad > 0 {
		b = append(b, `,"pad":"`...)
		b = append(b, bytes.Repeat([]byte("x"), pad)...)
		b = append(b, '"')
	}
	return append(b, '}')
}

// numberOf is the number in a value that numberedValue made.
func numberOf(value []byte) (int64, bool) {
	rest, ok := bytes.CutPrefix(value, []byte(`{"n":`))
	end := bytes.IndexAny(rest, ",}")
	if !ok || end < 0 {
		return 0, false
	}
	n, err := strconv.ParseInt(string(rest[:end]), 10, 64)
	return n, err == nil
}

// Seen is a record found at the destination.
type Seen struct {
	Object    string
	Topic     string
	Partition int32
	Offset    int64
	Value     []byte
}

// Verdict is what the judge found wrong; the zero value is a good one.
type Verdict struct {
	Records  int      // records read
	Missing  []int64  // numbers that are nowhere
	Doubled  []int64  // numbers that are there more than once
	Strange  []string // records that were never acknowledged, or are not where Kafka put them
	Problems []string // objects whose names, order or content do not fit
}

// Judge compares what is at the destination with the ledger.
func (l *Ledger) Judge(seen []Seen) Verdict {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := Verdict{Records: len(seen)}
	count := make(map[int64]int, len(l.sent))
	for _, s := range seen {
		n, ok := numberOf(s.Value)
		want, known := l.sent[n]
		switch {
		case !ok:
			v.Strange = append(v.Strange, fmt.Sprintf("%s: offset %d has no number: %.60q", s.Object, s.Offset, s.Value))
			continue
		case !known:
			v.Strange = append(v.Strange, fmt.Sprintf("%s: number %d was never acknowledged", s.Object, n))
		case want != place{s.Topic, s.Partition, s.Offset}:
			v.Strange = append(v.Strange, fmt.Sprintf("%s: number %d is at %s-%d@%d, Kafka has it at %s-%d@%d",
				s.Object, n, s.Topic, s.Partition, s.Offset, want.topic, want.partition, want.offset))
		}
		count[n]++
		if count[n] == 2 {
			v.Doubled = append(v.Doubled, n)
		}
	}
	for n := range l.sent {
		if count[n] == 0 {
			v.Missing = append(v.Missing, n)
		}
	}
	slices.Sort(v.Missing)
	slices.Sort(v.Doubled)
	return v
}

// OK tells whether nothing is wrong.
func (v Verdict) OK() bool {
	return len(v.Missing)+len(v.Doubled)+len(v.Strange)+len(v.Problems) == 0
}

// String is a short account: runs of numbers, and the first of each kind of problem.
func (v Verdict) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d records read", v.Records)
	if len(v.Missing) > 0 {
		fmt.Fprintf(&b, "; %d missing: %s", len(v.Missing), runs(v.Missing))
	}
	if len(v.Doubled) > 0 {
		fmt.Fprintf(&b, "; %d doubled: %s", len(v.Doubled), runs(v.Doubled))
	}
	for what, list := range map[string][]string{"strange": v.Strange, "problems": v.Problems} {
		if len(list) > 0 {
			fmt.Fprintf(&b, "\n%d %s:\n  %s", len(list), what, strings.Join(list[:min(8, len(list))], "\n  "))
		}
	}
	return b.String()
}

// runs writes sorted numbers as runs of a constant step: "0–594 step 6, 1200". At most eight runs.
func runs(numbers []int64) string {
	var parts []string
	for i := 0; i < len(numbers); {
		if len(parts) == 8 {
			return strings.Join(append(parts, "…"), ", ")
		}
		j, step := i+1, int64(1)
		if j < len(numbers) {
			step = numbers[j] - numbers[i]
			for j+1 < len(numbers) && numbers[j+1]-numbers[j] == step {
				j++
			}
		}
		if j >= len(numbers) || j == i+1 && step != 1 {
			parts = append(parts, strconv.FormatInt(numbers[i], 10))
			i++
			continue
		}
		part := fmt.Sprintf("%d–%d", numbers[i], numbers[j])
		if step != 1 {
			part += fmt.Sprintf(" step %d", step)
		}
		parts = append(parts, part)
		i = j + 1
	}
	return strings.Join(parts, ", ")
}
