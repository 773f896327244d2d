package maxcompute

import (
	"io"
	"sync"
)

// keptSegments is how many large segments a sink keeps for its next streams.
const keptSegments = 16

// segments gives the memory of streams and takes it back. Of those that an HTTP
// transport may still read, after a request that failed, none is given back.
type segments struct {
	mu   sync.Mutex
	free [][]byte // of segmentBytes
}

func (p *segments) get(size int) []byte {
	if size == segmentBytes {
		p.mu.Lock()
		defer p.mu.Unlock()
		if n := len(p.free); n > 0 {
			s := p.free[n-1]
			p.free[n-1] = nil
			p.free = p.free[:n-1]
			return s[:0]
		}
	}
	return make([]byte, 0, size)
}

func (p *segments) put(b *body) {
	if b == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range b.segments {
		if cap(s) == segmentBytes && len(p.free) < keptSegments {
			p.free = append(p.free, s)
		}
	}
	b.segments = nil
}

// reader reads a body from its beginning; several may read one at a time.
func (b *body) reader() io.ReadCloser { return &bodyReader{rest: b.segments} }

// bodyReader is a request's body. It has WriteTo so that the connection takes segments
// whole.
type bodyReader struct {
	rest [][]byte
	at   int
}

func (r *bodyReader) Read(p []byte) (int, error) {
	for len(r.rest) > 0 {
		if n := copy(p, r.rest[0][r.at:]); n > 0 || len(p) == 0 {
			r.at += n
			return n, nil
		}
		r.rest, r.at = r.rest[1:], 0
	}
	return 0, io.EOF
}

// WriteTo implements io.WriterTo.
func (r *bodyReader) WriteTo(w io.Writer) (n int64, err error) {
	for len(r.rest) > 0 {
		if s := r.rest[0][r.at:]; len(s) > 0 {
			m, err := w.Write(s)
			n, r.at = n+int64(m), r.at+m
			if err != nil {
				return n, err
			}
		}
		r.rest, r.at = r.rest[1:], 0
	}
	return n, nil
}

// Close implements io.Closer.
func (r *bodyReader) Close() error { return nil }
