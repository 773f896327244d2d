package record

import (
	"bytes"
	"fmt"
	"hash/crc64"
	"math/rand/v2"
	"testing"

	"github.com/minio/crc64nvme"
)

func noise(n int) []byte {
	rng := rand.New(rand.NewPCG(9, uint64(n)))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func TestCRC64IsTheStandardLibrarys(t *testing.T) {
	t.Parallel()
	if got := CRC64(0).Update([]byte("123456789")); got != 0x995dc9bbdf1939fa { // the check value of CRC-64/XZ
		t.Fatalf("check value: %x", uint64(got))
	}
	table := crc64.MakeTable(crc64.ECMA)
	b := noise(5*crcStep + 77)
	for _, n := range []int{0, 1, 7, 8, 9, 200, crcFoldFrom - 1, crcFoldFrom, crcFoldFrom + 63, crcFoldFrom + 64, crcLane, crcStep - 1, crcStep, crcStep + 1, 3*crcStep + 13, len(b)} {
		if got, want := uint64(CRC64(0).Update(b[:n])), crc64.Checksum(b[:n], table); got != want {
			t.Errorf("%d bytes: %x, want %x", n, got, want)
		}
		for _, cut := range []int{0, min(1, n), n / 3, n} {
			want := crc64.Checksum(b[:n], table)
			if got := CRC64(0).Update(b[:cut]).Update(b[cut:n]); uint64(got) != want {
				t.Errorf("%d bytes continued at %d: %x, want %x", n, cut, uint64(got), want)
			}
			head, tail := CRC64(0).Update(b[:cut]), CRC64(0).Update(b[cut:n])
			if got := head.Append(tail, int64(n-cut)); uint64(got) != want {
				t.Errorf("%d bytes combined at %d: %x, want %x", n, cut, uint64(got), want)
			}
		}
	}
}

// TestCRC64Lanes: processors that cannot fold get the same sums.
func TestCRC64Lanes(t *testing.T) {
	t.Parallel()
	tables, state := *crcTables(), ^uint64(0)
	b := noise(3 * crcStep)
	for rest := b; len(rest) > 0; rest = rest[crcStep:] {
		state = tables.lanes(state, rest[:crcStep])
	}
	if got, want := ^state, crc64.Checksum(b, crc64.MakeTable(crc64.ECMA)); got != want {
		t.Errorf("lanes: %x, want %x", got, want)
	}
}

// TestFoldConstants derives the numbers that crc64_amd64.s multiplies by. A reflected
// product comes out one bit higher, hence one power less: 575 and 511 move the first
// and the second half of 16 bytes by 512 bits.
func TestFoldConstants(t *testing.T) {
	t.Parallel()
	power := func(n int) uint64 {
		v := uint64(1) << 63
		for range n {
			v = v>>1 ^ -(v&1)&crc64.ECMA
		}
		return v
	}
	if a, b := power(575), power(511); a != 0x6ae3efbb9dd441f3 || b != 0x081f6054a7842df4 {
		t.Errorf("x^575 = %#x, x^511 = %#x", a, b)
	}
}

func FuzzCRC64(f *testing.F) {
	f.Add([]byte("hello"), uint16(3), uint16(2))
	f.Fuzz(func(t *testing.T, seed []byte, repeat, cut uint16) {
		b := bytes.Repeat(seed, int(repeat%64)+1)
		at := int(cut) % (len(b) + 1)
		want := crc64.Checksum(b, crc64.MakeTable(crc64.ECMA))
		head, tail := CRC64(0).Update(b[:at]), CRC64(0).Update(b[at:])
		if uint64(CRC64(0).Update(b)) != want || uint64(head.Update(b[at:])) != want || uint64(head.Append(tail, int64(len(b)-at))) != want {
			t.Fatalf("%d bytes cut at %d", len(b), at)
		}
	})
}

// TestSumsTellRecordsApart changes each part of a record, and moves bytes from one
// part to the next.
func TestSumsTellRecordsApart(t *testing.T) {
	t.Parallel()
	long := bytes.Repeat([]byte("k"), 500)
	records := []Record{
		{}, {Offset: 1}, {Timestamp: 1}, {Key: []byte{}}, {Value: []byte{}}, {Key: []byte{}, Value: []byte{}},
		{Key: []byte("ab")}, {Value: []byte("ab")}, {Key: []byte("a"), Value: []byte("b")}, {Key: long}, {Value: long}, {Key: long[:88]}, {Key: long[:89]},
		{Headers: []Header{{}}}, {Headers: []Header{{}, {}}}, {Headers: []Header{{Key: "a"}}}, {Headers: []Header{{Value: []byte("a")}}},
		{Headers: []Header{{Value: []byte{}}}}, {Headers: []Header{{Key: "a", Value: []byte("b")}}}, {Headers: []Header{{Key: "ab"}}},
	}
	sums := map[uint64]string{}
	for i := range records {
		var s Sum
		s.Add(&records[i])
		name := fmt.Sprintf("%.60v", records[i])
		if other, ok := sums[s.Sum64()]; ok {
			t.Errorf("%s and %s have one sum", name, other)
		}
		sums[s.Sum64()] = name
	}
	crcs := map[uint32]int{}
	for i, r := range records[3:13] {
		if other, ok := crcs[LastCRC(&r)]; ok {
			t.Errorf("records %d and %d have one LastCRC", i+3, other+3)
		}
		crcs[LastCRC(&r)] = i
	}
}

// TestSumsAreStable pins the values: positions that an older program committed are
// compared with them.
func TestSumsAreStable(t *testing.T) {
	t.Parallel()
	if got := crc64nvme.Checksum([]byte("123456789")); got != 0xae8b14860a799888 { // the check value of CRC-64/NVME
		t.Fatalf("check value: %x", got)
	}
	var s Sum
	for _, r := range corner() {
		s.Add(&r)
	}
	r := Record{Key: []byte("key"), Value: []byte("value")}
	if got := fmt.Sprintf("%016x %08x %08x", s.Sum64(), LastCRC(&r), LastCRC(&Record{})); got != "747cd0112743177d 10761a03 ef2f4c10" {
		t.Fatalf("sums changed: %s", got)
	}
}

func BenchmarkCRC64(b *testing.B) {
	in := noise(1 << 20)
	table := crc64.MakeTable(crc64.ECMA)
	b.Run("ours", func(b *testing.B) {
		b.SetBytes(int64(len(in)))
		for b.Loop() {
			CRC64(0).Update(in)
		}
	})
	b.Run("standard library", func(b *testing.B) {
		b.SetBytes(int64(len(in)))
		for b.Loop() {
			crc64.Checksum(in, table)
		}
	})
	b.Run("append", func(b *testing.B) {
		c := CRC64(1)
		for b.Loop() {
			c = c.Append(7, 64<<20)
		}
	})
}

func BenchmarkSum(b *testing.B) {
	rs := plenty(100)
	b.SetBytes(200)
	var s Sum
	for i := 0; b.Loop(); i++ {
		s.Add(&rs[i%100])
	}
}
