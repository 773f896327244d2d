package mysql

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"
)

// TestReadDeadline: a deadline that moves by little is not set again, and one that is due ends a read.
func TestReadDeadline(t *testing.T) {
	t.Parallel()
	near, far := net.Pipe()
	defer far.Close()
	counted := &countedDeadlines{Conn: near}
	g := &greeted{Conn: counted, greeting: &greeting{}}
	defer g.Close()
	now := time.Now()
	for i := range 1000 {
		if err := g.SetReadDeadline(now.Add(time.Minute + time.Duration(i)*time.Millisecond)); err != nil {
			t.Fatal(err)
		}
	}
	if counted.set != 1 {
		t.Errorf("set %d times within a second, want once", counted.set)
	}
	if err := g.SetReadDeadline(now.Add(2 * time.Minute)); err != nil || counted.set != 2 {
		t.Errorf("a later deadline: set %d times, %v", counted.set, err)
	}
	if err := g.SetReadDeadline(now.Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("reading past an earlier deadline: %v", err)
	}
	if err := g.SetReadDeadline(time.Time{}); err != nil || counted.set != 4 {
		t.Errorf("no deadline: set %d times, %v", counted.set, err)
	}
}

type countedDeadlines struct {
	net.Conn
	set int
}

func (c *countedDeadlines) SetReadDeadline(t time.Time) error {
	c.set++
	return c.Conn.SetReadDeadline(t)
}
