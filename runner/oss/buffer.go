package oss

import (
	"math/bits"
	"sync"
)

// Buffers come in powers of two from minBuffer on, each class with a pool of its own,
// so that many small objects stay small and large ones are not allocated again for
// every chunk.
const (
	minBufferBits = 12 // 4 KiB
	maxBufferBits = 26 // 64 MiB; beyond it buffers are not pooled
	// keptBuffers is what a sink keeps, in bytes: two chunks of usual size.
	keptBuffers = 8 << 20
	// A part that has grown to growthKnown bytes gets at once the room that the one
	// before it needed; smaller ones, of which there may be thousands open, grow as
	// they are filled.
	growthKnown = 64 << 10
)

type buffers struct {
	classes [maxBufferBits + 1]sync.Pool

	mu   sync.Mutex
	kept [maxBufferBits + 1][][]byte
	size int // of all that is kept, in bytes
	last int // length of the newest finished text
}

// get returns an empty buffer of at least n bytes.
func (b *buffers) get(n int) []byte {
	class := max(bits.Len(uint(max(n-1, 0))), minBufferBits)
	if class > maxBufferBits {
		return make([]byte, 0, n)
	}
	if buf := b.take(class); buf != nil {
		return buf
	}
	if p, ok := b.classes[class].Get().(*[]byte); ok {
		return (*p)[:0]
	}
	return make([]byte, 0, 1<<class)
}

// put gives a buffer back; who put it has no use of it any more.
func (b *buffers) put(buf []byte) {
	class := bits.Len(uint(cap(buf))) - 1 // a buffer serves the class it can hold wholly
	if class < minBufferBits || class > maxBufferBits {
		return
	}
	buf = buf[:0]
	if !b.keep(class, buf) {
		b.classes[class].Put(&buf)
	}
}

func (b *buffers) take(class int) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := len(b.kept[class])
	if n == 0 {
		return nil
	}
	buf := b.kept[class][n-1]
	b.kept[class][n-1] = nil
	b.kept[class] = b.kept[class][:n-1]
	b.size -= cap(buf)
	return buf
}

func (b *buffers) keep(class int, buf []byte) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.size+cap(buf) > keptBuffers {
		return false
	}
	b.kept[class] = append(b.kept[class], buf)
	b.size += cap(buf)
	return true
}

// finished notes how long a text became.
func (b *buffers) finished(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last = n
}

// expected is how long a text of n bytes may become.
func (b *buffers) expected(n int) int {
	if n < growthKnown {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last
}

// grow returns buf with room for n more bytes, moved into a larger buffer if need be.
func (b *buffers) grow(buf []byte, n int) []byte {
	if cap(buf)-len(buf) >= n {
		return buf
	}
	bigger := b.get(max(2*cap(buf), len(buf)+n, b.expected(len(buf)+n)))
	bigger = append(bigger, buf...)
	b.put(buf)
	return bigger
}
