package aliyun

import (
	"context"
	"io"
	"net"
)

// DialFunc opens connections, as net.Dialer.DialContext does.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// BulkDial makes the connections of dial take a request's body that stands in memory
// in one write. The HTTP client copies bodies to the socket in pieces of 32 KiB; for
// objects of megabytes that is a copy and some hundred system calls more. It has no
// effect under TLS, whose records are 16 KiB.
func BulkDial(dial DialFunc) DialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return bulkConn{conn}, nil
	}
}

type bulkConn struct{ net.Conn }

// ReadFrom implements io.ReaderFrom, which the HTTP client's io.Copy looks for. What
// it hands over is a body limited to its announced length.
func (c bulkConn) ReadFrom(r io.Reader) (int64, error) {
	if limited, ok := r.(*io.LimitedReader); ok {
		if body, ok := limited.R.(io.WriterTo); ok {
			w := &atMost{w: c.Conn, left: limited.N}
			n, err := body.WriteTo(w)
			limited.N -= n
			if w.over {
				err = nil // the HTTP client finds what is left over, and says so
			}
			return n, err
		}
	}
	return io.Copy(struct{ io.Writer }{c.Conn}, r)
}

// atMost writes no more than a request announced.
type atMost struct {
	w    io.Writer
	left int64
	over bool
}

func (a *atMost) Write(b []byte) (int, error) {
	if int64(len(b)) > a.left {
		b, a.over = b[:a.left], true
	}
	n, err := a.w.Write(b)
	a.left -= int64(n)
	if err == nil && a.over {
		err = io.ErrShortWrite
	}
	return n, err
}
