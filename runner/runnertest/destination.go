package runnertest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/sluice-io/sluice/runner/connector"
)

// Delivered is one record as it stands at a destination.
type Delivered struct {
	Topic     string
	Partition int32
	Offset    int64
	Value     string
}

// Destination is where a MemSink delivers to. It survives the sinks, as a bucket
// survives the processes that write to it, and notes whatever a good sink never does.
type Destination struct {
	mu      sync.Mutex
	objects map[string]object
	order   []string // names, in the order they became visible
	puts    int
	before  func(name string) error // fails an act before it takes place
	after   func(name string) error // loses the answer of an act that took place
	away    bool
}

type object struct {
	body    []byte
	records []Delivered
}

// NewDestination makes an empty destination.
func NewDestination() *Destination { return &Destination{objects: map[string]object{}} }

// Before and After set hooks that fail the act on an object before it takes place, or
// lose its answer afterwards; nil removes them.
func (d *Destination) Before(f func(name string) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.before, d.away = f, false
}

// After is described at Before.
func (d *Destination) After(f func(name string) error) { d.mu.Lock(); d.after = f; d.mu.Unlock() }

// Away makes every act and every look fail until it is called with false.
func (d *Destination) Away(on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.away, d.before = on, nil
	if on {
		d.before = func(string) error { return errSwitchedOff() }
	}
}

func errSwitchedOff() error {
	return &connector.AwayError{System: "the destination", Err: errors.New("switched off by the test")}
}

// put makes an object visible. What is there already is never replaced: the same
// content is fine, other content a mismatch.
func (d *Destination) put(name string, o object) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.before != nil {
		if err := d.before(name); err != nil {
			return err
		}
	}
	d.puts++
	if old, ok := d.objects[name]; ok {
		if !bytes.Equal(old.body, o.body) {
			return &connector.MismatchError{What: "object " + name + " exists with other content"}
		}
	} else {
		d.objects[name] = o
		d.order = append(d.order, name)
	}
	if d.after != nil {
		return d.after(name)
	}
	return nil
}

// head looks an object up.
func (d *Destination) head(name string) (body []byte, found bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.before != nil {
		if err := d.before(name); err != nil {
			return nil, false, err
		}
	}
	o, found := d.objects[name]
	return o.body, found, nil
}

// Plant puts an object there that nobody of ours wrote.
func (d *Destination) Plant(name string, body []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.objects[name] = object{body: body}
}

// Remove takes an object away.
func (d *Destination) Remove(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.objects, name)
}

// Puts is how many acts reached the destination.
func (d *Destination) Puts() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.puts
}

// Objects is the content of the destination by name.
func (d *Destination) Objects() map[string][]byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make(map[string][]byte, len(d.objects))
	for name, o := range d.objects {
		out[name] = o.body
	}
	return out
}

// Records is everything that is visible, in the order in which it became so.
func (d *Destination) Records() []Delivered {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []Delivered
	for _, name := range d.order {
		out = append(out, d.objects[name].records...)
	}
	return out
}

// Count is how many records are visible.
func (d *Destination) Count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for _, o := range d.objects {
		n += len(o.records)
	}
	return n
}

// Problems lists what is wrong with what is visible: records that are there twice, or
// out of order within their partition.
func (d *Destination) Problems() []string {
	type place struct {
		topic     string
		partition int32
	}
	last := map[place]int64{}
	seen := map[Delivered]bool{}
	var out []string
	for _, r := range d.Records() {
		key := Delivered{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}
		if seen[key] {
			out = append(out, fmt.Sprintf("%s/%d@%d is there twice", r.Topic, r.Partition, r.Offset))
		}
		seen[key] = true
		p := place{r.Topic, r.Partition}
		if before, ok := last[p]; ok && before > r.Offset {
			out = append(out, fmt.Sprintf("%s/%d@%d became visible after %d", r.Topic, r.Partition, r.Offset, before))
		}
		last[p] = max(last[p], r.Offset)
	}
	return out
}

// Missing lists the values of want that are not visible, sorted.
func (d *Destination) Missing(want []string) []string {
	left := map[string]int{}
	for _, v := range want {
		left[v]++
	}
	for _, r := range d.Records() {
		if left[r.Value]--; left[r.Value] <= 0 {
			delete(left, r.Value)
		}
	}
	return slices.Sorted(maps.Keys(left))
}
