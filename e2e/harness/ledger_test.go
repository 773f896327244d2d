package harness

import (
	"fmt"
	"strings"
	"testing"
)

// seenOf makes what a correct destination holds for numbers of one partition.
func seenOf(numbers ...int64) []Seen {
	var seen []Seen
	for _, n := range numbers {
		seen = append(seen, Seen{Object: "o", Topic: "t", Partition: 0, Offset: 10 + n, Value: numberedValue(n, 40)})
	}
	return seen
}

func TestLedgerJudge(t *testing.T) {
	t.Parallel()
	moved := seenOf(0, 1, 2, 3)
	moved[2].Offset = 99
	foreign := append(seenOf(0, 1, 2, 3), Seen{Object: "o", Value: []byte("hello")})
	tests := []struct {
		name string
		seen []Seen
		want string // part of the verdict; "" is a good one
	}{
		{"all once", seenOf(0, 1, 2, 3), ""},
		{"one missing", seenOf(0, 1, 3), "1 missing: 2"},
		{"all missing", nil, "4 missing: 0–3"},
		{"one doubled", seenOf(0, 1, 1, 2, 3), "1 doubled: 1"},
		{"tripled counts once", seenOf(0, 1, 1, 1, 2, 3), "1 doubled: 1"},
		{"never sent", seenOf(0, 1, 2, 3, 7), "number 7 was never acknowledged"},
		{"at another offset", moved, "number 2 is at t-0@99, Kafka has it at t-0@12"},
		{"no number", foreign, "has no number"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ledger := NewLedger()
			for n := range int64(4) {
				ledger.enter(n, "t", 0, 10+n)
			}
			v := ledger.Judge(tt.seen)
			if v.OK() != (tt.want == "") || !strings.Contains(v.String(), tt.want) {
				t.Errorf("verdict = %v %q, want %q", v.OK(), v, tt.want)
			}
		})
	}
}

func TestLedgerForget(t *testing.T) {
	t.Parallel()
	ledger := NewLedger()
	for n := range int64(4) {
		ledger.enter(n, "t", 0, 10+n)
	}
	ledger.Forget("t", 0, 11, 13)
	if v := ledger.Judge(seenOf(0, 3)); !v.OK() {
		t.Errorf("verdict after forgetting 1 and 2: %s", v)
	}
}

func TestNumberedValue(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 10, 20, 200} {
		value := numberedValue(123456, size)
		if n, ok := numberOf(value); !ok || n != 123456 {
			t.Errorf("numberOf(%s) = %d, %v", value, n, ok)
		}
		if size >= 30 && len(value) != size {
			t.Errorf("a value of %d bytes was asked for, got %d", size, len(value))
		}
	}
	for _, bad := range []string{"", "x", `{"n":`, `{"n":x}`, `{"m":1}`} {
		if n, ok := numberOf([]byte(bad)); ok {
			t.Errorf("numberOf(%q) = %d", bad, n)
		}
	}
}

func TestRuns(t *testing.T) {
	t.Parallel()
	tests := []struct {
		numbers []int64
		want    string
	}{
		{nil, ""},
		{[]int64{5}, "5"},
		{[]int64{5, 6, 7}, "5–7"},
		{[]int64{0, 6, 12, 18, 100}, "0–18 step 6, 100"},
		{[]int64{1, 2, 3, 9}, "1–3, 9"},
		{[]int64{1, 9}, "1, 9"},
	}
	for _, tt := range tests {
		if got := runs(tt.numbers); got != tt.want {
			t.Errorf("runs(%v) = %q, want %q", tt.numbers, got, tt.want)
		}
	}
}

func TestCheckName(t *testing.T) {
	t.Parallel()
	const name = "c/t/dt=2026-01-01/hh=00/t-0-%020d-%020d.json"
	tests := []struct {
		name string
		key  string
		seen []Seen
		want string
	}{
		{"fits", fmt.Sprintf(name, 10, 12), seenOf(0, 1, 2), ""},
		{"a topic with hyphens", "a-b-3-00000000000000000001-00000000000000000001.json",
			[]Seen{{Topic: "a-b", Partition: 3, Offset: 1}}, ""},
		{"starts later", fmt.Sprintf(name, 9, 12), seenOf(0, 1, 2), "holds offsets 10 to 12"},
		{"not in order", fmt.Sprintf(name, 10, 12), seenOf(0, 1, 1, 2), "offset 11 stands after 11"},
		{"another partition", fmt.Sprintf(name, 10, 10), []Seen{{Topic: "t", Partition: 1, Offset: 10}}, "holds a record of t-1"},
		{"empty", fmt.Sprintf(name, 10, 12), nil, "without records"},
		{"short offsets", "t-0-10-12.json", seenOf(0, 1, 2), "the name does not end"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := checkName(tt.key, tt.seen)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("checkName = %v, want %q", err, tt.want)
			}
		})
	}
}

func TestReadObject(t *testing.T) {
	t.Parallel()
	const record = `{"key":"k","offset":5,"overflowFlag":false,"partition":2,"timestamp":1,"topic":"t","value":"{\"n\":7}","valueSize":7}`
	tests := []struct{ name, key, content, problem string }{
		{"json", "a.json", "[" + record + "]", ""},
		{"jsonl", "a.jsonl", record + "\n", ""},
		{"jsonl without end", "a.jsonl", record, "no end"},
		{"csv", "a.csv", "topic,partition,offset,timestamp,key,value\r\nt,2,5,1,k,\"{\"\"n\"\":7}\"\r\n", ""},
		{"csv without header", "a.csv", "t,2,5,1,k,v\r\n", "header line"},
		{"cut json", "a.json", "[" + record, "unexpected end"},
		{"unknown", "a.txt", "", "no reader"},
		{"no gzip", "a.json.gz", "[]", "gzip"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			seen, err := ReadObject(Object{Key: tt.key, Content: []byte(tt.content)})
			if tt.problem != "" {
				if err == nil || !strings.Contains(err.Error(), tt.problem) {
					t.Errorf("error = %v, want %q", err, tt.problem)
				}
				return
			}
			if err != nil || len(seen) != 1 {
				t.Fatalf("ReadObject = %v, %v", seen, err)
			}
			s := seen[0]
			if n, _ := numberOf(s.Value); s.Topic != "t" || s.Partition != 2 || s.Offset != 5 || n != 7 {
				t.Errorf("ReadObject = %+v", s)
			}
		})
	}
}
