package harness

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
)

// Kafka's number of a request that a test may want to lose the answer of.
const APIEndTxn = 26

// Proxy stands between clients and a broker or a database. It cuts connections when it is told to; of a broker it can
// also lose the answer of one kind of request, after the broker has carried it out.
type Proxy struct {
	t        T
	listener net.Listener
	target   string

	mu      sync.Mutex
	conns   map[net.Conn]bool
	refuse  bool
	lose    int16 // API whose answer is lost next; -1: none
	lost    int
	serving sync.WaitGroup
}

// StartProxiedKafka starts a cluster of one node with a second listener, which is reached through a proxy only: its
// address is the one that the broker tells clients. The harness's own clients are not touched by what it does.
func StartProxiedKafka(t T) (*Kafka, *Proxy) {
	t.Helper()
	p := listenProxy(t)
	k := StartKafka(t, KafkaOptions{proxy: p})
	p.serve(fmt.Sprintf("127.0.0.1:%d", k.nodes[0].ports[proxied]))
	return k, p
}

// proxied is the name of the listener behind a proxy.
const proxied = "PROXIED"

// StartProxy passes connections on to an address.
func StartProxy(t T, target string) *Proxy {
	t.Helper()
	p := listenProxy(t)
	p.serve(target)
	return p
}

func listenProxy(t T) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listening: %v", err)
	}
	p := &Proxy{t: t, listener: listener, conns: map[net.Conn]bool{}, lose: -1}
	t.Cleanup(func() {
		listener.Close()
		p.Cut()
		p.serving.Wait()
	})
	return p
}

// Addr is where clients connect.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

func (p *Proxy) serve(target string) {
	p.target = target
	p.serving.Go(func() {
		for {
			client, err := p.listener.Accept()
			if err != nil {
				return
			}
			p.serving.Go(func() { p.pass(client) })
		}
	})
}

// Cut closes all connections.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
}

// Refuse lets nobody in, or everybody again. What is connected stays so: Cut ends that.
func (p *Proxy) Refuse(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = on
}

// LoseAnswer closes the connection in place of the next answer to a request of the kind.
func (p *Proxy) LoseAnswer(api int16) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lose = api
}

// Lost is how many answers were lost.
func (p *Proxy) Lost() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lost
}

func (p *Proxy) enter(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuse {
		c.Close()
		return false
	}
	p.conns[c] = true
	return true
}

func (p *Proxy) leave(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
	c.Close()
}

// pass copies both ways until one side ends.
func (p *Proxy) pass(client net.Conn) {
	if !p.enter(client) {
		return
	}
	defer p.leave(client)
	server, err := net.Dial("tcp", p.target)
	if err != nil || !p.enter(server) {
		return
	}
	defer p.leave(server)
	asked := &frames{proxy: p, doomed: map[int32]bool{}}
	done := make(chan struct{}, 2)
	go func() {
		_, _ = io.Copy(&watcher{to: server, see: asked.request}, client)
		done <- struct{}{}
	}()
	go func() {
		_, _ = io.Copy(&watcher{to: client, see: asked.answer}, server)
		done <- struct{}{}
	}()
	<-done
}

// frames knows which answers of one connection are to be lost.
type frames struct {
	proxy *Proxy

	mu     sync.Mutex
	doomed map[int32]bool // by correlation number
}

// request looks at the beginning of one: API, version, correlation number.
func (f *frames) request(head []byte) error {
	api, correlation := int16(binary.BigEndian.Uint16(head)), int32(binary.BigEndian.Uint32(head[4:]))
	f.proxy.mu.Lock()
	chosen := f.proxy.lose >= 0 && f.proxy.lose == api
	if chosen {
		f.proxy.lose = -1
	}
	f.proxy.mu.Unlock()
	if chosen {
		f.mu.Lock()
		f.doomed[correlation] = true
		f.mu.Unlock()
	}
	return nil
}

// answer looks at the correlation number with which one begins.
func (f *frames) answer(head []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.doomed[int32(binary.BigEndian.Uint32(head))] {
		return nil
	}
	f.proxy.mu.Lock()
	f.proxy.lost++
	f.proxy.mu.Unlock()
	return fmt.Errorf("the answer is lost")
}

// watcher passes bytes on and shows the first eight of each frame behind its length, as Kafka frames them, before
// any of the frame is passed on. What is not framed so passes as it is, once a length makes no sense.
type watcher struct {
	to   io.Writer
	see  func(head []byte) error
	head []byte // of the frame that begins
	left int    // bytes of the frame that are still to come
	deaf bool
}

const (
	lengthBytes = 4
	headBytes   = 8
	saneFrame   = 256 << 20
)

func (w *watcher) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		if w.deaf || w.left > 0 {
			k := len(b)
			if !w.deaf {
				k = min(k, w.left)
				w.left -= k
			}
			if _, err := w.to.Write(b[:k]); err != nil {
				return 0, err
			}
			b = b[k:]
			continue
		}
		k := min(len(b), lengthBytes+headBytes-len(w.head))
		w.head = append(w.head, b[:k]...)
		b = b[k:]
		if err := w.begun(); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// begun passes the head of a frame on when it is whole.
func (w *watcher) begun() error {
	if len(w.head) < lengthBytes {
		return nil
	}
	size := int(int32(binary.BigEndian.Uint32(w.head)))
	if size < 0 || size > saneFrame {
		w.deaf = true
	} else if len(w.head) < lengthBytes+min(size, headBytes) {
		return nil
	} else if size >= headBytes {
		if err := w.see(w.head[lengthBytes:]); err != nil {
			return err
		}
		w.left = size - headBytes
	}
	_, err := w.to.Write(w.head)
	w.head = w.head[:0]
	return err
}
