package kafka

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/IBM/sarama"
)

// pipe is a connection to a leader on which produce requests follow one another
// without waiting for answers. sarama connects it and signs in; then it carries our own
// requests, because sarama encodes each record by itself and twice, and takes no
// records that are encoded already.
type pipe struct {
	owner   *sarama.Broker
	conn    net.Conn
	in      *bufio.Reader
	client  string
	version int16 // of Produce
	next    int32 // correlation id
	awaited int32
	used    time.Time
	buf     []byte // kept
}

// pipeIdle is how long a pipe may lie idle: brokers close connections after 10 minutes.
const pipeIdle = 5 * time.Minute

// errPipe is an answer that does not fit the question; the connection is of no more use.
var errPipe = errors.New("the broker's answer is not what was asked for")

// catcher is sarama's dialer for one connection. It does TLS itself, so that the
// connection is what sarama speaks on after it.
type catcher struct {
	under *dialer
	tls   *tls.Config
	conn  net.Conn
}

// Dial implements proxy.Dialer.
func (d *catcher) Dial(network, address string) (net.Conn, error) {
	c, err := d.under.Dial(network, address)
	if err != nil {
		return nil, err
	}
	if d.tls != nil {
		conf := d.tls.Clone()
		if conf.ServerName == "" {
			host, _, err := net.SplitHostPort(address)
			if err != nil {
				c.Close()
				return nil, err
			}
			conf.ServerName = host
		}
		secure := tls.Client(c, conf)
		ctx, stop := context.WithTimeout(d.under.ctx, dialTimeout)
		defer stop()
		if err := secure.HandshakeContext(ctx); err != nil {
			c.Close()
			return nil, fmt.Errorf("connecting to %s: %w", address, err)
		}
		c = secure
	}
	d.conn = c
	return c, nil
}

// openPipe connects to a broker.
func (k *conn) openPipe(ctx context.Context, b *sarama.Broker) (*pipe, error) {
	conf := *k.conf
	d := &catcher{under: k.dials}
	if conf.Net.TLS.Enable {
		d.tls, conf.Net.TLS.Enable = conf.Net.TLS.Config, false
	}
	conf.Net.Proxy.Dialer = d
	own := sarama.NewBroker(b.Addr())
	other := *k
	other.conf = &conf
	if err := other.ready(ctx, own); err != nil {
		go own.Close()
		return nil, err
	}
	return &pipe{
		owner: own, conn: d.conn, in: bufio.NewReader(d.conn), client: conf.ClientID,
		version: produceVersion(conf.Version), used: time.Now(),
	}, nil
}

func (p *pipe) close() { p.owner.Close() }

// shipment is what one produce request holds of a partition.
type shipment struct {
	shelf  *shelf
	number int // of the parcel on its shelf
	*parcel
}

// send writes a produce request. Those of the same topic stand together.
func (p *pipe) send(transactionalID string, deadline time.Time, load []shipment) error {
	b := append(p.buf[:0], 0, 0, 0, 0) // size
	b = binary.BigEndian.AppendUint16(b, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(p.version))
	b = binary.BigEndian.AppendUint32(b, uint32(p.next))
	b = appendString(b, p.client)
	b = appendString(b, transactionalID)
	b = binary.BigEndian.AppendUint16(b, 0xffff) // all in-sync replicas
	b = binary.BigEndian.AppendUint32(b, uint32(requestTimeout/2/time.Millisecond))
	topicsAt, topics := len(b), 0
	b = append(b, 0, 0, 0, 0)
	for i := 0; i < len(load); {
		topic := load[i].shelf.tp.Topic
		topics++
		b = appendString(b, topic)
		partitionsAt, partitions := len(b), 0
		b = append(b, 0, 0, 0, 0)
		for ; i < len(load) && load[i].shelf.tp.Topic == topic; i++ {
			partitions++
			b = binary.BigEndian.AppendUint32(b, uint32(load[i].shelf.tp.Partition))
			b = binary.BigEndian.AppendUint32(b, uint32(len(load[i].bytes)))
			b = append(b, load[i].bytes...)
		}
		binary.BigEndian.PutUint32(b[partitionsAt:], uint32(partitions))
	}
	binary.BigEndian.PutUint32(b[topicsAt:], uint32(topics))
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	p.buf, p.next, p.used = b, p.next+1, time.Now()
	if err := p.conn.SetWriteDeadline(deadline); err != nil {
		return err
	}
	_, err := p.conn.Write(b)
	if cap(b) > 2*requestBytes {
		p.buf = nil
	}
	return err
}

func appendString(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

// receive reads the answer to the oldest request that has none.
func (p *pipe) receive(deadline time.Time) (map[TP]sarama.KError, error) {
	if err := p.conn.SetReadDeadline(deadline); err != nil {
		return nil, err
	}
	var head [8]byte
	if _, err := io.ReadFull(p.in, head[:]); err != nil {
		return nil, err
	}
	size := int32(binary.BigEndian.Uint32(head[:]))
	if size < 4 || size > largestRequest || int32(binary.BigEndian.Uint32(head[4:])) != p.awaited {
		return nil, errPipe
	}
	p.awaited++
	body := make([]byte, size-4)
	if _, err := io.ReadFull(p.in, body); err != nil {
		return nil, err
	}
	p.used = time.Now()
	return produceAnswer(body, p.version)
}

// produceAnswer reads a produce response, see "Produce Response" in the Kafka protocol
// guide.
func produceAnswer(body []byte, version int16) (map[TP]sarama.KError, error) {
	r := wire{b: body}
	answers := make(map[TP]sarama.KError)
	for range r.count() {
		topic := r.text()
		for range r.count() {
			tp := TP{topic, r.int32()}
			answers[tp] = sarama.KError(r.int16())
			r.skip(8 + 8) // base offset, append time
			if version >= 5 {
				r.skip(8) // the log's start
			}
			if version >= 8 {
				for range r.count() { // records that are wrong by themselves
					r.skip(4)
					r.text()
				}
				r.text()
			}
		}
	}
	if r.bad {
		return nil, errPipe
	}
	return answers, nil
}

// wire reads the fixed parts of a response. After bytes were missing it is bad and
// yields zeros.
type wire struct {
	b   []byte
	bad bool
}

func (w *wire) skip(n int) []byte {
	if n < 0 || n > len(w.b) {
		w.b, w.bad = nil, true
		return nil
	}
	v := w.b[:n]
	w.b = w.b[n:]
	return v
}

func (w *wire) int16() int16 {
	if v := w.skip(2); v != nil {
		return int16(binary.BigEndian.Uint16(v))
	}
	return 0
}

func (w *wire) int32() int32 {
	if v := w.skip(4); v != nil {
		return int32(binary.BigEndian.Uint32(v))
	}
	return 0
}

// count is an array's length. No element takes less than a byte.
func (w *wire) count() int {
	n := int(w.int32())
	if n > len(w.b) {
		w.b, w.bad = nil, true
	}
	if w.bad {
		return 0
	}
	return max(n, 0)
}

// text is a string; null is "".
func (w *wire) text() string {
	n := w.int16()
	if n < 0 {
		return ""
	}
	return string(w.skip(int(n)))
}
