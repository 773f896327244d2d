package harness

import (
	"fmt"
	"strings"
	"testing"
)

// TestJudgeInvocations: the judge of requests sees what it is there to see.
func TestJudgeInvocations(t *testing.T) {
	t.Parallel()
	ledger := NewLedger()
	for n := range int64(8) {
		ledger.enter(n, "t", int32(n%2), n/2)
	}
	body := func(partition int32, offsets ...int64) string {
		var records []string
		for _, o := range offsets {
			records = append(records, fmt.Sprintf(`{"offset":%d,"partition":%d,"topic":"t","value":"{\"n\":%d}"}`, o, partition, 2*o+int64(partition)))
		}
		return "[" + strings.Join(records, ",") + "]"
	}
	ones := []string{body(1, 0, 1), body(1, 2, 3)}
	tests := []struct {
		name    string
		bodies  []string
		failed  int // index+1 of an invocation that the function failed
		missing int
		doubled int
		problem string
	}{
		{name: "all once", bodies: append(ones, body(0, 0), body(0, 1, 2, 3))},
		{name: "a batch twice", bodies: append(ones, body(0, 0, 1), body(0, 0, 1), body(0, 2, 3)), doubled: 2},
		{name: "one missing", bodies: append(ones, body(0, 0, 1), body(0, 3)), missing: 1},
		{name: "a failed one does not count", bodies: append(ones, body(0, 0, 1), body(0, 2, 3)), failed: 3, missing: 2},
		{name: "batches in the wrong order", bodies: append(ones, body(0, 2, 3), body(0, 0, 1)), problem: "comes after 3"},
		{name: "records in the wrong order", bodies: append(ones, body(0, 1, 0), body(0, 2, 3)), missing: 2, problem: "stands behind"},
		{name: "no JSON", bodies: append(ones, body(0, 0, 1, 2, 3), "{"), problem: "unexpected end"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var invocations []Invocation
			for i, b := range tt.bodies {
				inv := Invocation{Sequence: int64(i + 1), Status: "Succeeded", Body: b, Records: strings.Count(b, "offset")}
				if i+1 == tt.failed {
					inv.Status = "Failed"
				}
				invocations = append(invocations, inv)
			}
			v := JudgeThese(ledger, invocations)
			if len(v.Missing) != tt.missing || len(v.Doubled) != tt.doubled || len(v.Strange) != 0 {
				t.Errorf("%s", v)
			}
			if said := strings.Join(v.Problems, "; "); (said == "") != (tt.problem == "") || !strings.Contains(said, tt.problem) {
				t.Errorf("problems %q, want %q", said, tt.problem)
			}
		})
	}
}

// TestGroupPartition: Java's String.hashCode, with values that java.lang.String gives.
func TestGroupPartition(t *testing.T) {
	t.Parallel()
	for group, hash := range map[string]int32{"": 0, "a": 97, "hello": 99162322, "polygenelubricants": 0} {
		if got := groupPartition(group, 50); got != hash%50 {
			t.Errorf("%q is in partition %d, want %d", group, got, hash%50)
		}
	}
}
