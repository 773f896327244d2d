package sandbox

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// maxFrame is the largest request that is let through to the broker, in bytes.
const maxFrame = 128 << 20

// frameListener puts a check between clients and the broker. The broker allocates whatever size a client announces and
// fails the whole process on a request kind that it does not know: a browser or a port scanner would end the console.
type frameListener struct{ net.Listener }

func (l frameListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &frameConn{Conn: conn}, nil
}

// frameConn lets through only frames of the Kafka protocol: a size of 8 bytes to maxFrame, a known kind of request, a
// version that is not negative. It is read by one goroutine, as the broker does.
type frameConn struct {
	net.Conn
	head      [8]byte
	pending   []byte // of head, checked and not yet read
	remaining int    // bytes of the frame's body that follow head
}

func (c *frameConn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(c.pending) == 0 && c.remaining == 0 {
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	if len(c.pending) > 0 {
		n := copy(p, c.pending)
		c.pending = c.pending[n:]
		return n, nil
	}
	n, err := c.Conn.Read(p[:min(len(p), c.remaining)])
	c.remaining -= n
	return n, err
}

func (c *frameConn) next() error {
	if _, err := io.ReadFull(c.Conn, c.head[:]); err != nil {
		return err
	}
	size := binary.BigEndian.Uint32(c.head[:4])
	kind, version := int16(binary.BigEndian.Uint16(c.head[4:])), int16(binary.BigEndian.Uint16(c.head[6:]))
	if size < 8 || size > maxFrame || version < 0 || kmsg.RequestForKey(kind) == nil {
		return fmt.Errorf("not a Kafka request: %d bytes, kind %d, version %d", size, kind, version)
	}
	c.pending, c.remaining = c.head[:], int(size)-4
	return nil
}
