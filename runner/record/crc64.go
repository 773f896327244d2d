package record

import (
	"encoding/binary"
	"hash/crc64"
	"math/bits"
	"sync"
)

// CRC64 is CRC-64/XZ (ECMA-182, reflected), which OSS computes of every object
// (header x-oss-hash-crc64ecma). Update(0, b) is the sum of b, and sums are
// continued and combined as with hash/crc64, whose results these are. Long input is
// folded by carry-less multiplication where the processor can, and else read in four
// lanes at once, since one table lookup after the other leaves a core idle.
//
// The zero CRC64 is the sum of nothing.
type CRC64 uint64

const (
	// crcLane is how many bytes one lane reads at a time, a power of two.
	crcLane = 2 << 10
	crcStep = 4 * crcLane
	// crcFoldFrom is from how many bytes on folding is worth its last 64 bytes.
	crcFoldFrom = 256
)

// crcTables are made on first use and only read after that.
var crcTables = sync.OnceValue(newCRCTables)

type crcTableSet struct {
	fold   bool           // the processor can fold
	slice  [8][256]uint64 // slicing-by-8 tables
	shift  [8][256]uint64 // the state after crcLane zero bytes, byte by byte of the state before
	powers [63]matrix     // what 1, 2, 4, … zero bytes do to a state
}

func newCRCTables() *crcTableSet {
	t := &crcTableSet{fold: canFold()}
	base := crc64.MakeTable(crc64.ECMA)
	t.slice[0] = *base
	for i := range 256 {
		for k := 1; k < 8; k++ {
			c := t.slice[k-1][i]
			t.slice[k][i] = base[byte(c)] ^ c>>8
		}
	}
	t.powers = newPowers()
	lane := &t.powers[bits.TrailingZeros(crcLane)]
	for k := range 8 {
		for i := range 256 {
			t.shift[k][i] = lane.times(uint64(i) << (8 * k))
		}
	}
	return t
}

// Update is the sum of what c is the sum of, followed by b.
func (c CRC64) Update(b []byte) CRC64 {
	t := crcTables()
	state := ^uint64(c)
	if len(b) >= crcFoldFrom && t.fold {
		var rest [64]byte
		whole := len(b) &^ 63
		crcFold(&rest, state, b[:whole])
		state, b = t.tail(0, rest[:]), b[whole:]
	}
	for len(b) >= crcStep {
		state = t.lanes(state, b[:crcStep])
		b = b[crcStep:]
	}
	return CRC64(^t.tail(state, b))
}

// tail is the state after b, read word by word.
func (t *crcTableSet) tail(state uint64, b []byte) uint64 {
	for len(b) >= 8 {
		state = t.word(state ^ binary.LittleEndian.Uint64(b))
		b = b[8:]
	}
	for _, x := range b {
		state = t.slice[0][byte(state)^x] ^ state>>8
	}
	return state
}

// Append is the sum of what c is the sum of, followed by length (at least 0) bytes
// whose sum is next.
func (c CRC64) Append(next CRC64, length int64) CRC64 {
	v := uint64(c)
	powers := &crcTables().powers
	for k := 0; length > 0; k, length = k+1, length>>1 {
		if length&1 != 0 {
			v = powers[k].times(v)
		}
	}
	return CRC64(v) ^ next
}

// word is the state after eight bytes, which are folded into w already.
func (t *crcTableSet) word(w uint64) uint64 {
	return t.slice[7][byte(w)] ^ t.slice[6][byte(w>>8)] ^ t.slice[5][byte(w>>16)] ^ t.slice[4][byte(w>>24)] ^
		t.slice[3][byte(w>>32)] ^ t.slice[2][byte(w>>40)] ^ t.slice[1][byte(w>>48)] ^ t.slice[0][w>>56]
}

// lanes is the state after the crcStep bytes of b. The first lane goes on from
// state, the others start from nothing; as the sum is linear, each lane's result is
// moved past the next lane's bytes and added.
func (t *crcTableSet) lanes(s0 uint64, b []byte) uint64 {
	var s1, s2, s3 uint64
	b0, b1, b2, b3 := b[:crcLane], b[crcLane:2*crcLane], b[2*crcLane:3*crcLane], b[3*crcLane:crcStep]
	for i := 0; i <= crcLane-8; i += 8 {
		s0 = t.word(s0 ^ binary.LittleEndian.Uint64(b0[i:]))
		s1 = t.word(s1 ^ binary.LittleEndian.Uint64(b1[i:]))
		s2 = t.word(s2 ^ binary.LittleEndian.Uint64(b2[i:]))
		s3 = t.word(s3 ^ binary.LittleEndian.Uint64(b3[i:]))
	}
	return t.pass(t.pass(t.pass(s0)^s1)^s2) ^ s3
}

// pass is the state s after crcLane zero bytes.
func (t *crcTableSet) pass(s uint64) uint64 {
	return t.shift[0][byte(s)] ^ t.shift[1][byte(s>>8)] ^ t.shift[2][byte(s>>16)] ^ t.shift[3][byte(s>>24)] ^
		t.shift[4][byte(s>>32)] ^ t.shift[5][byte(s>>40)] ^ t.shift[6][byte(s>>48)] ^ t.shift[7][s>>56]
}

// matrix is a linear map of 64-bit states over GF(2): element i is where bit i goes.
type matrix [64]uint64

func (m *matrix) times(v uint64) (sum uint64) {
	for i := 0; v != 0; i, v = i+1, v>>1 {
		if v&1 != 0 {
			sum ^= m[i]
		}
	}
	return sum
}

// newPowers are the maps of 1, 2, 4, … zero bytes, each the square of the one before
// (the way of zlib's crc32_combine).
func newPowers() (powers [63]matrix) {
	var m matrix
	for i := range m {
		m[i] = 1 << i >> 1 // one zero bit shifts the state down …
	}
	m[0] = crc64.ECMA // … and adds the polynomial for the bit that leaves
	for range 3 {
		m = m.squared()
	}
	for k := range powers {
		powers[k] = m
		m = m.squared()
	}
	return powers
}

// squared is the map done twice.
func (m *matrix) squared() (out matrix) {
	for i := range out {
		out[i] = m.times(m[i])
	}
	return out
}
