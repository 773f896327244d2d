package fc

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/record"
)

func newCutter(size, limit int) *cutter {
	return &cutter{shape: shape{size: size, limit: limit}, buffers: &buffers{}}
}

// sizes lists "records:bytes" of each batch.
func (c *cutter) sizes() []string {
	var out []string
	for i := range c.batches {
		out = append(out, fmt.Sprintf("%d:%d", c.batches[i].count, len(c.batches[i].body())))
	}
	return out
}

// sized is a record whose JSON takes n bytes.
func sized(t *testing.T, offset int64, n int) *record.Record {
	t.Helper()
	r := rec(offset, "")
	b, err := record.AppendJSON(nil, r, record.BinaryBase64)
	if err != nil {
		t.Fatal(err)
	}
	fill := n - len(b)
	for ; ; fill-- { // valueSize has digits of its own
		r.Value = []byte(strings.Repeat("x", fill))
		if b, _ = record.AppendJSON(nil, r, record.BinaryBase64); len(b) <= n {
			break
		}
	}
	if len(b) != n {
		t.Fatalf("no record of %d bytes", n)
	}
	return r
}

// TestTwoRequests is the example of the documentation: 17 records of 127 KB in all,
// followed by one of 200 KB, asynchronously, make two requests.
func TestTwoRequests(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	var rs []*record.Record
	for i := range int64(17) {
		rs = append(rs, sized(t, 10+i, 127*1024/17))
	}
	rs = append(rs, rec(27, strings.Repeat("V", 200*1024)))
	c, _ := fill(t, b.sink(t), nil, rs...)
	if _, err := c.Publish(t.Context(), free); err != nil {
		t.Fatal(err)
	}
	bodies := b.bodies()
	if len(bodies) != 2 {
		t.Fatalf("%d requests", len(bodies))
	}
	var first, second []wireRecord
	if json.Unmarshal([]byte(bodies[0]), &first) != nil || json.Unmarshal([]byte(bodies[1]), &second) != nil {
		t.Fatal("not JSON")
	}
	if len(first) != 17 || len(bodies[0]) > 128*1024 {
		t.Errorf("the first request has %d records in %d bytes", len(first), len(bodies[0]))
	}
	want := `[{"key":"k","offset":27,"overflowFlag":true,"partition":1,"timestamp":1700000000027,"topic":"orders","valueSize":204800}]`
	if bodies[1] != want {
		t.Errorf("the second request is %s, want %s", bodies[1], want)
	}
}

// TestByteLimitIsExact: the limit is on the whole body, brackets and commas among them.
func TestByteLimitIsExact(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		limit int
		sizes []int
		want  []string
	}{
		{"two fill it", 2 + 500 + 1 + 523, []int{500, 523}, []string{"2:1026"}},
		{"one byte too many", 2 + 500 + 1 + 523 - 1, []int{500, 523}, []string{"1:502", "1:525"}},
		{"one fills it", 2 + 1100, []int{1100}, []string{"1:1102"}},
		{"one alone is too large", 2 + 1100 - 1, []int{500, 1100, 500}, []string{"1:502", "overflow", "1:502"}},
		{"the third begins a batch", 2 + 400 + 1 + 400 + 1 + 399, []int{400, 400, 400, 400}, []string{"2:803", "2:803"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			k := newCutter(100, c.limit)
			for i, n := range c.sizes {
				if err := k.add(sized(t, int64(100+i), n)); err != nil {
					t.Fatal(err)
				}
			}
			k.closeOpen()
			got := k.sizes()
			for i := range k.batches {
				if strings.Contains(string(k.batches[i].body()), `"overflowFlag":true`) {
					got[i] = "overflow"
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("batches %v, want %v", got, c.want)
			}
		})
	}
}

func TestCountCutsBatches(t *testing.T) {
	t.Parallel()
	k := newCutter(20, mostAsyncBytes)
	for i := range int64(45) {
		if err := k.add(rec(i, "v")); err != nil {
			t.Fatal(err)
		}
	}
	if len(k.batches) != 2 || k.open.count != 5 {
		t.Errorf("%v and %d open", k.sizes(), k.open.count)
	}
}

// TestRefusedRecordsLeaveNoTrace: what cannot be sent changes neither bytes nor cuts.
func TestRefusedRecordsLeaveNoTrace(t *testing.T) {
	t.Parallel()
	bigKey := rec(12, "v")
	bigKey.Key = []byte(strings.Repeat("k", 3000))
	for name, c := range map[string]struct {
		bad    *record.Record
		binary record.Binary
		code   string
		stage  connector.Stage
		dead   bool
	}{
		"value":          {rec(12, "\xff"), record.BinaryDLQ, "binary", connector.StageValueConverter, true},
		"key":            {&record.Record{Topic: "orders", Offset: 12, Key: []byte{0xff}}, record.BinaryDLQ, "binary", connector.StageKeyConverter, true},
		"key too large":  {bigKey, record.BinaryBase64, "oversize", connector.StageTaskPut, false},
		"key, then some": {&record.Record{Topic: "orders", Offset: 12, Key: []byte(strings.Repeat("\x01", 1000))}, record.BinaryBase64, "oversize", connector.StageTaskPut, false},
		"key and value":  {&record.Record{Topic: "orders", Offset: 12, Key: []byte{0xff}, Value: make([]byte, 9000)}, record.BinaryDLQ, "binary", connector.StageKeyConverter, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			with, without := newCutter(3, 2048), newCutter(3, 2048)
			with.shape.binary, without.shape.binary = c.binary, c.binary
			for _, r := range []*record.Record{rec(10, "a"), rec(11, "b"), c.bad, rec(13, "c"), rec(14, "d")} {
				err := with.add(r)
				if r == c.bad {
					var re *connector.RecordError
					if !errors.As(err, &re) || re.Code != c.code || re.Stage != c.stage || re.DeadLetter != c.dead || re.Retry {
						t.Fatalf("got %#v", err)
					}
					continue
				}
				if err != nil || without.add(r) != nil {
					t.Fatal(err)
				}
			}
			with.closeOpen()
			without.closeOpen()
			for i := range without.batches {
				if string(with.batches[i].body()) != string(without.batches[i].body()) {
					t.Errorf("batch %d is %s, want %s", i, with.batches[i].body(), without.batches[i].body())
				}
			}
		})
	}
}

// TestNulls: a null key or value leaves its field out, an empty one does not.
func TestNulls(t *testing.T) {
	t.Parallel()
	k := newCutter(10, mostAsyncBytes)
	for i, r := range []record.Record{{}, {Key: []byte{}, Value: []byte{}}} {
		r.Topic, r.Offset = "t", int64(i)
		if err := k.add(&r); err != nil {
			t.Fatal(err)
		}
	}
	k.closeOpen()
	want := `[{"offset":0,"overflowFlag":false,"partition":0,"timestamp":0,"topic":"t","valueSize":0},{"key":"","offset":1,"overflowFlag":false,"partition":0,"timestamp":0,"topic":"t","value":"","valueSize":0}]`
	if got := string(k.batches[0].body()); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// FuzzCutter cuts records of any content: every body is JSON within its limits, all
// records are there once and in order, no batch is closed that could have taken the
// next record, and the cuts of the intent give the same bodies again.
func FuzzCutter(f *testing.F) {
	f.Add([]byte("a\x00bb\x01ccc"), uint16(3), uint16(1100), uint8(0))
	f.Add([]byte(strings.Repeat("\xff\xfe\"\\\n", 400)), uint16(20), uint16(1024), uint8(1))
	f.Add([]byte(strings.Repeat("long value ", 300)), uint16(7), uint16(5000), uint8(2))
	f.Fuzz(func(t *testing.T, data []byte, size, limit uint16, binary uint8) {
		s := shape{size: int(size%64) + 1, limit: int(limit) + leastBatchBytes, binary: record.Binary(binary % 3)}
		c := &cutter{shape: s, buffers: &buffers{}}
		w := cutWriter{next: 5}
		var taken []*record.Record
		offset := int64(5)
		for i := 0; len(data) > 0; i++ {
			n := min(int(data[0])*(i%5*i%7+1), len(data)) // some longer than the limit
			r := &record.Record{Topic: "t", Partition: 2, Offset: offset, Timestamp: int64(i), Value: data[:n]}
			if i%3 == 1 {
				r.Key = data[:n/2]
			}
			data = data[max(n, 1):]
			offset += 1 + int64(i%4) // holes
			if err := c.add(r); err == nil {
				taken = append(taken, r)
			} else if connector.CauseOf(err) != connector.CauseRecord {
				t.Fatal(err)
			}
		}
		c.closeOpen()
		at := 0
		for i := range c.batches {
			b := &c.batches[i]
			w.add(b.first, b.last)
			checkBatch(t, c, i, taken[at:at+b.count])
			at += b.count
		}
		if at != len(taken) {
			t.Fatalf("%d records in the batches, %d were taken", at, len(taken))
		}
		text, err := json.Marshal(payload{Cuts: string(w.text), Made: 1})
		if err != nil {
			t.Fatal(err)
		}
		cuts, _, err := parsePayload(text, 5)
		if err != nil {
			t.Fatal(err)
		}
		again := &cutter{shape: s, buffers: &buffers{}, cuts: cuts}
		for _, r := range taken {
			if err := again.add(r); err != nil {
				t.Fatalf("again: %v", err)
			}
		}
		again.closeOpen()
		if len(again.batches) != len(c.batches) {
			t.Fatalf("%d batches, then %d", len(c.batches), len(again.batches))
		}
		for i := range c.batches {
			if string(again.batches[i].body()) != string(c.batches[i].body()) {
				t.Fatalf("batch %d differs", i)
			}
		}
	})
}

func checkBatch(t *testing.T, c *cutter, i int, want []*record.Record) {
	t.Helper()
	b := &c.batches[i]
	body := b.body()
	if len(body) > c.shape.limit || b.count > c.shape.size || b.count == 0 {
		t.Fatalf("batch %d has %d records in %d bytes", i, b.count, len(body))
	}
	var got []wireRecord
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatalf("batch %d: %v: %s", i, err, body)
	}
	if len(got) != len(want) || got[0].Offset != b.first || got[len(got)-1].Offset != b.last {
		t.Fatalf("batch %d has %d records from %d to %d, want %d", i, len(got), b.first, b.last, len(want))
	}
	for j, r := range got {
		if r.Offset != want[j].Offset || r.ValueSize != len(want[j].Value) || r.Overflow && (len(got) > 1 || r.Value != nil) {
			t.Fatalf("batch %d, record %d: %+v", i, j, r)
		}
	}
	if i+1 < len(c.batches) && b.count < c.shape.size && !got[0].Overflow {
		next := c.batches[i+1].body()
		var first []json.RawMessage
		if json.Unmarshal(next, &first) == nil && !strings.Contains(string(first[0]), `"overflowFlag":true`) && len(body)+1+len(first[0]) <= c.shape.limit {
			t.Fatalf("batch %d was closed although the next record fits", i)
		}
	}
}

// BenchmarkCutter encodes records of 200 bytes into batches.
func BenchmarkCutter(b *testing.B) {
	for _, size := range []int{20, 500} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			pool := &buffers{}
			r := rec(0, strings.Repeat("some text, ", 18))
			b.ReportAllocs()
			b.SetBytes(int64(len(r.Value)))
			for n := 0; n < b.N; {
				c := &chunk{s: &sink{buffers: pool}, cutter: cutter{shape: shape{size: size, limit: usualSyncBytes}, buffers: pool}, allowed: 1 << 20}
				for ; n < b.N && !c.Full(); n++ {
					r.Offset = int64(n)
					if err := c.Add(b.Context(), r); err != nil {
						b.Fatal(err)
					}
				}
				if _, err := c.Prepare(b.Context()); err != nil {
					b.Fatal(err)
				}
				c.Discard()
			}
		})
	}
}
