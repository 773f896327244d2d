package handlers

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/sluice-io/sluice/handlers/api"
	"github.com/sluice-io/sluice/handlers/connect"
)

// A request that net/http cannot read (a path with a bad escape, as /a%zz) never reaches
// a handler: the server answers in plain text by itself. speaking puts the answer of the
// API that was asked in place of that. It is for connections without TLS: above TLS the
// server has to see the connection itself.
type speaking struct{ net.Listener }

func (l speaking) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if tcp, ok := c.(*net.TCPConn); ok {
		return &speakingConn{TCPConn: tcp}, nil
	}
	return c, err
}

// speakingConn remembers how the latest request begins.
type speakingConn struct {
	*net.TCPConn
	line [256]byte
	n    int
}

// Read remembers what a read begins with. The server reads one byte ahead while a handler
// runs: what follows such a byte belongs behind it.
func (c *speakingConn) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	if n > 0 {
		if c.n != 1 {
			c.n = 0
		}
		c.n += copy(c.line[c.n:], p[:n])
	}
	return n, err
}

// unread is how net/http begins its own answer to what it cannot read: without a date,
// which every handler's answer has.
var unread = []byte("HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n")

func (c *speakingConn) Write(p []byte) (int, error) {
	if !bytes.HasPrefix(p, unread) {
		return c.TCPConn.Write(p)
	}
	if answer := malformed(c.line[:c.n]); answer != nil {
		if _, err := c.TCPConn.Write(answer); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	return c.TCPConn.Write(p)
}

// malformed is the answer to a request line that cannot be read, nil where it is nobody's.
func malformed(begin []byte) []byte {
	line, _, _ := strings.Cut(string(begin), "\r\n")
	method, rest, _ := strings.Cut(line, " ")
	path, _, _ := strings.Cut(rest, " ")
	path, _, _ = strings.Cut(path, "?")
	out := &response{head: http.Header{}}
	switch {
	case strings.HasPrefix(path, api.Prefix+"/"):
		api.WriteProblem(out, http.StatusBadRequest, "The request cannot be read: its address or a header is malformed. In an address, write % as %25.", nil)
	case strings.HasPrefix(path, connect.Prefix+"/"):
		connect.WriteError(out, http.StatusBadRequest, "The request cannot be read: its address or a header is malformed")
	default:
		return nil
	}
	var b bytes.Buffer
	out.head.Set("Connection", "close")
	out.head.Set("Content-Length", fmt.Sprint(out.body.Len()))
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", out.status, http.StatusText(out.status))
	_ = out.head.Write(&b) // a buffer takes everything
	b.WriteString("\r\n")
	if method != http.MethodHead {
		b.Write(out.body.Bytes())
	}
	return b.Bytes()
}

// response gathers what an API answers.
type response struct {
	head   http.Header
	status int
	body   bytes.Buffer
}

func (r *response) Header() http.Header         { return r.head }
func (r *response) WriteHeader(status int)      { r.status = status }
func (r *response) Write(p []byte) (int, error) { return r.body.Write(p) }
