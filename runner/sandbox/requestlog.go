package sandbox

import (
	"sync"
	"time"
)

// Request is one request that a stand-in received, for its page.
type Request struct {
	Time      time.Time     `json:"time"`
	Method    string        `json:"method"`
	Operation string        `json:"operation"`
	Bucket    string        `json:"bucket,omitempty"`
	Key       string        `json:"key,omitempty"`
	Status    int           `json:"status"` // 0: the connection was cut without an answer
	Code      string        `json:"code,omitempty"`
	Fault     string        `json:"fault,omitempty"`
	Bytes     int64         `json:"bytes"` // of the request's body
	Took      time.Duration `json:"took"`
	RequestID string        `json:"request_id"`
}

// requestLog keeps the latest requests in a ring.
type requestLog struct {
	mu   sync.Mutex
	ring []Request
	next int
	full bool
}

func newRequestLog(size int) *requestLog { return &requestLog{ring: make([]Request, size)} }

func (l *requestLog) add(r Request) {
	l.mu.Lock()
	l.ring[l.next] = r
	l.next++
	if l.next == len(l.ring) {
		l.next, l.full = 0, true
	}
	l.mu.Unlock()
}

// latest returns up to limit requests, newest first.
func (l *requestLog) latest(limit int) []Request {
	l.mu.Lock()
	defer l.mu.Unlock()
	count := l.next
	if l.full {
		count = len(l.ring)
	}
	if limit <= 0 || limit > count {
		limit = count
	}
	list := make([]Request, 0, limit)
	for i := 1; i <= limit; i++ {
		list = append(list, l.ring[(l.next-i+len(l.ring))%len(l.ring)])
	}
	return list
}
