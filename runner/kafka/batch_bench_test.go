package kafka

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"
)

// rows are messages as a source writes them: numbers and names differ, the words around
// them do not.
func rows(size int) [][]byte {
	all := make([][]byte, 4096)
	rest := `"schema":{"dataColumn":[` + strings.Repeat(`{"name":"column","type":"STRING"},`, size/30) + `]}}`
	for i := range all {
		b := fmt.Appendf(nil, `{"op":"INSERT","sequence":%d,"id":%d,"customer":"%x","amount":"%d.%02d","note":"%x",`,
			1_000_000+i, rand.Int64N(1<<40), rand.Uint32(), rand.IntN(10000), rand.IntN(100), rand.Uint64())
		all[i] = append(b, rest...)[:size]
	}
	return all
}

// BenchmarkBatch fills batches of 12 MiB. The bytes are those of the values.
func BenchmarkBatch(b *testing.B) {
	for _, size := range []int{200, 1200} {
		values := rows(size)
		for _, partitions := range []int{1, 6} {
			for _, name := range Compressions() {
				b.Run(fmt.Sprintf("%d/%d/%s", size, partitions, name), func(b *testing.B) {
					codec, err := codecOf(name)
					if err != nil {
						b.Fatal(err)
					}
					x := newBatch(func(string) int { return parcelBytes }, squeezer{codec: codec})
					key := []byte(`{"id":123456}`)
					b.SetBytes(int64(size))
					b.ReportAllocs()
					before := cpu()
					for i := range b.N {
						x.Append(TP{"topic", int32(i % partitions)}, key, values[i%len(values)], nil, 1)
						x.Mark()
						if i%(12<<20/size) == 0 {
							if err := x.Seal(); err != nil {
								b.Fatal(err)
							}
							if i > 0 {
								b.ReportMetric(float64(x.records*size)/float64(x.bytes), "ratio")
							}
							x.Reset()
						}
					}
					b.ReportMetric(float64((cpu()-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
				})
			}
		}
	}
}

// cpu is the processor time of this process: it tells more than the clock on a machine
// that others use too.
func cpu() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
