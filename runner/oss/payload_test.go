package oss_test

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/record"
	"github.com/sluice-io/sluice/runner/sandbox"
)

// mixed are n records whose times go round through so many hours.
func mixed(n, hours int) []*record.Record {
	var out []*record.Record
	for i := range n {
		out = append(out, rec(int64(10+i), 60*(i*7%hours), fmt.Sprint("value ", i)))
	}
	return out
}

// TestRecordsOfManyHoursShareAChunk: late records make no storm of small objects. Each hour is one object of a
// chunk, however they alternate, and whatever a crash leaves is finished without doubles.
func TestRecordsOfManyHoursShareAChunk(t *testing.T) {
	t.Parallel()
	for _, hours := range []int{24, 80, 300} {
		t.Run(fmt.Sprint(hours), func(t *testing.T) {
			t.Parallel()
			b := newBed(t, nil)
			s := b.sink()
			records := mixed(3*hours, hours)
			c, err := s.Begin(t.Context(), orders, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i, r := range records {
				if err := c.Add(t.Context(), r); err != nil || c.Full() {
					t.Fatalf("record %d: %v, full: %v", i, err, c.Full())
				}
			}
			c.Discard()
			c, in := fill(t, s, nil, records...)
			if names := strings.Contains(string(in.Payload), `"e":`); names != (hours <= 80) {
				t.Errorf("the intent of %d objects names them: %v (%d bytes)", hours, names, len(in.Payload))
			}
			// Some objects are there when it is cut short.
			if errs := b.oss.Faults.Set(sandbox.Fault{Operation: "PutObject", Rate: 0.4, Status: 500, Code: "InternalError"}); errs != nil {
				t.Fatal(errs)
			}
			if _, err := c.Publish(t.Context(), free); err == nil {
				t.Fatal("nothing failed")
			}
			if errs := b.oss.Faults.Set(); errs != nil {
				t.Fatal(errs)
			}
			out, err := s.Resolve(t.Context(), in, free)
			if err != nil || out.Kind != connector.Redo {
				t.Fatalf("%+v, %v", out, err)
			}
			again, _ := fill(t, s, &in, records...)
			if _, err := again.Publish(t.Context(), free); err != nil {
				t.Fatal(err)
			}
			seen := map[int64]bool{}
			objects := b.objects()
			for name, body := range objects {
				var got []struct{ Offset int64 }
				if err := json.Unmarshal([]byte(body), &got); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				for _, r := range got {
					if seen[r.Offset] {
						t.Errorf("offset %d is there twice", r.Offset)
					}
					seen[r.Offset] = true
				}
			}
			if len(objects) != hours || len(seen) != len(records) {
				t.Errorf("%d objects with %d records, want %d with %d", len(objects), len(seen), hours, len(records))
			}
		})
	}
}

// TestChunkIsFull: the number of objects that one crash leaves to look at is bounded.
func TestChunkIsFull(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	c, err := b.sink().Begin(t.Context(), orders, nil)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for ; !c.Full(); n++ {
		if err := c.Add(t.Context(), rec(int64(10+n), 60*n, "v")); err != nil {
			t.Fatal(err)
		}
	}
	if n != 1000 {
		t.Errorf("full with %d objects", n)
	}
}

// TestPayloads: what an intent may hold, that of an earlier release too, and what is not taken for one.
func TestPayloads(t *testing.T) {
	t.Parallel()
	b := newBed(t, connector.Config{"oss.path": `é"<{HH}`, "oss.timezone": "UTC"})
	s := b.sink()
	c, in := fill(t, s, nil, rec(10, 0, "a"), rec(500, 60, "b"), rec(501, 2, "c"))
	if _, err := c.Publish(t.Context(), free); err != nil {
		t.Fatal(err)
	}
	expect(t, s, in, connector.Done)
	stored, _, err := b.oss.Objects(sandbox.DefaultBucket, "", "", 10)
	if err != nil || len(stored) != 2 {
		t.Fatalf("%+v, %v", stored, err)
	}
	var before []string
	for i, path := range []string{`é"<03`, `é"<04`} {
		first, last := int64(10), int64(501)
		if i == 1 {
			first, last = 500, 500
		}
		quoted, err := json.Marshal(path)
		if err != nil {
			t.Fatal(err)
		}
		before = append(before, fmt.Sprintf(`{"p":%s,"f":%d,"l":%d,"n":%d,"c":"%d"}`, quoted, first, last, stored[i].Size, crcOf(t, in.Payload, i)))
	}
	in.Payload = fmt.Appendf(nil, `{"o":[%s]}`, strings.Join(before, ","))
	expect(t, s, in, connector.Done)
	for _, bad := range []string{``, `{}`, `[]`, `{"e":[]}`, `{"e":["0,0,0,5"]}`, `{"e":["1,0,0,5,AAAAAAAAAAA,x"]}`, `{"e":["0,-1,0,5,AAAAAAAAAAA,x"]}`,
		`{"e":["0,0,0,?,AAAAAAAAAAA,x"]}`, `{"e":["0,0,0,5,AAAA,x"]}`, `{"e":["0,0,0,5,***********,x"]}`} {
		in.Payload = []byte(bad)
		var mismatch *connector.MismatchError
		if out, err := s.Resolve(t.Context(), in, free); !errors.As(err, &mismatch) {
			t.Errorf("%s: %+v, %v", bad, out, err)
		}
	}
}

// crcOf is the checksum of the i-th object that a payload names.
func crcOf(t *testing.T, payload []byte, i int) uint64 {
	t.Helper()
	var p struct{ E []string }
	if err := json.Unmarshal(payload, &p); err != nil || i >= len(p.E) {
		t.Fatalf("%v: %s", err, payload)
	}
	b, err := base64.RawURLEncoding.DecodeString(strings.Split(p.E[i], ",")[4])
	if err != nil {
		t.Fatal(err)
	}
	return binary.BigEndian.Uint64(b)
}

// TestPayloadOfLongOffsets: where offsets are large a chunk still names its objects, as they count from its first.
func TestPayloadOfLongOffsets(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	far := orders
	far.First = 1 << 60
	c, err := b.sink().Begin(t.Context(), far, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		r := rec(far.First+int64(i), 60*i, strconv.Itoa(i))
		r.Timestamp = at(0) + int64(i)*time.Hour.Milliseconds()
		if err := c.Add(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	payload, err := c.Prepare(t.Context())
	if err != nil || len(payload) > connector.MaxPayload || !strings.Contains(string(payload), `"e":`) {
		t.Errorf("%d bytes, %v: %s", len(payload), err, payload)
	}
}
