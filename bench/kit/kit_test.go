package kit

import (
	"strings"
	"testing"
)

func TestValueMaker(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"log", "json", "plain"} {
		for _, size := range []int{1, 40, 200, 1000} {
			value, err := ValueMaker(kind, size)
			if err != nil {
				t.Fatal(err)
			}
			a, b := value(1), value(2)
			if len(a) != size || len(b) != size {
				t.Errorf("%s of %d bytes has %d and %d", kind, size, len(a), len(b))
			}
			if size >= 40 && string(a) == string(b) {
				t.Errorf("%s of %d bytes: records 1 and 2 are equal", kind, size)
			}
		}
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	o := Options{Records: 1_000_000, Bytes: 200, Partitions: 6}
	Table(&b, o, "it", []Result{{Name: "bare", Records: 1_000_000, Seconds: 1, CPU: 0.5, Peak: 10 << 20}, {Name: "json", Records: 1_000_000, Seconds: 2, CPU: 1.3, Peak: 200 << 20}, {Name: "bare, again", Records: 1_000_000, Seconds: 1}})
	for _, want := range []string{"| bare | 1000000 | 200 | 100 % | 0.50 | 10 |", "| json | 500000 | 100 | 50 % | 1.30 | 200 |"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, b.String())
		}
	}
}
