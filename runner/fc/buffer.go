package fc

import (
	"math/bits"
	"sync"
)

// Buffers come in powers of two, each class with a pool of its own.
const (
	minBufferBits = 12 // 4 KiB
	maxBufferBits = 26 // 64 MiB; beyond it buffers are not pooled
)

type buffers struct {
	classes [maxBufferBits + 1]sync.Pool
}

// get returns an empty buffer of at least n bytes.
func (b *buffers) get(n int) []byte {
	class := max(bits.Len(uint(max(n-1, 0))), minBufferBits)
	if class > maxBufferBits {
		return make([]byte, 0, n)
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
	b.classes[class].Put(&buf)
}
