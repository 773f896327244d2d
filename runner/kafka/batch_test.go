package kafka

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"net"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-io/sluice/runner/record"
)

// plain is a record as the model of a Batch keeps it.
type plain struct {
	key, value []byte
	headers    []record.Header
	timestamp  int64
}

// model is what a Batch must hold, in the simplest form.
type model struct {
	marked, open map[TP][]plain
}

func (m *model) mark() {
	for tp, ps := range m.open {
		m.marked[tp] = append(m.marked[tp], ps...)
	}
	clear(m.open)
}

// script turns bytes into calls of a Batch and a model.
func script(b *Batch, text []byte) *model {
	m := &model{marked: map[TP][]plain{}, open: map[TP][]plain{}}
	next := func() int {
		if len(text) == 0 {
			return 0
		}
		v := text[0]
		text = text[1:]
		return int(v)
	}
	for len(text) > 0 {
		switch op := next(); {
		case op < 200:
			tp := TP{[]string{"orders", "items"}[op%2], int32(op % 3)}
			p := plain{timestamp: 1_700_000_000_000 + int64(next()-128)*int64(next()), value: []byte{}}
			if n := next(); n > 0 {
				p.key = bytes.Repeat([]byte{byte(n)}, n-1)
			}
			if n := next(); n < 250 {
				p.value = bytes.Repeat(fmt.Appendf(nil, "%d-%d,", n, len(text)), n)
			} else if n > 252 {
				p.value = nil
			}
			for i := range next() % 4 {
				h := record.Header{Key: fmt.Sprint("h", i)}
				if i != 1 {
					h.Value = bytes.Repeat([]byte{'v'}, next())
				}
				p.headers = append(p.headers, h)
			}
			b.Append(tp, p.key, p.value, p.headers, p.timestamp)
			m.open[tp] = append(m.open[tp], p)
		case op < 230:
			b.Mark()
			m.mark()
		case op < 240:
			more := []record.Header{{Key: "sluice.tx.part", Value: fmt.Append(nil, next())}, {Key: "n"}}[:1+op%2]
			b.Tag(more)
			for _, ps := range m.open {
				for i := range ps {
					ps[i].headers = append(slices.Clone(ps[i].headers), more...)
				}
			}
		case op < 245:
			b.Drop()
			clear(m.open)
		}
	}
	return m
}

// sink is a connection that keeps what is written to it.
type sink struct {
	net.Conn
	bytes.Buffer
}

func (s *sink) Write(b []byte) (int, error)      { return s.Buffer.Write(b) }
func (s *sink) Read(b []byte) (int, error)       { return s.Buffer.Read(b) }
func (s *sink) SetWriteDeadline(time.Time) error { return nil }

// sent is what a broker of another library understands of a Batch on the wire.
func sent(t *testing.T, b *Batch, limit int) map[TP][]plain {
	t.Helper()
	if err := b.Seal(); err != nil {
		t.Fatal(err)
	}
	held := 0
	for _, s := range b.used {
		s.sending = sending{}
		sequence := int32(math.MaxInt32 - 3) // so that it begins again
		for _, p := range s.done {
			signBatch(p.bytes, crc32.MakeTable(crc32.Castagnoli), 7, 3, sequence)
			p.sequence = sequence
			for range p.count { // the definition of the sum
				if sequence++; sequence < 0 {
					sequence = 0
				}
			}
			held += len(p.bytes)
			if p.count > 1 && len(p.bytes) > limit {
				t.Errorf("a batch of %d records has %d bytes, limit %d", p.count, len(p.bytes), limit)
			}
		}
	}
	if b.Bytes() != int64(held) {
		t.Errorf("Bytes is %d, batches have %d", b.Bytes(), held)
	}
	got := map[TP][]plain{}
	next := map[TP]int32{}
	conn := &sink{}
	p := &pipe{conn: conn, client: "sluice", version: 8}
	for {
		load := nextLoad(b.used)
		if len(load) == 0 {
			break
		}
		if err := p.send("id", time.Time{}, load); err != nil {
			t.Fatal(err)
		}
		req := bytes.Clone(conn.Bytes())
		if n := binary.BigEndian.Uint32(req); int(n) != len(req)-4 || binary.BigEndian.Uint32(req[8:]) != uint32(p.next-1) {
			t.Fatalf("frame of %d bytes: % x", len(req), req[:12])
		}
		var r kmsg.ProduceRequest
		r.SetVersion(8)
		if err := r.ReadFrom(req[4+2+2+4+2+len("sluice"):]); err != nil {
			t.Fatal(err)
		}
		if r.Acks != -1 || r.TransactionID == nil || *r.TransactionID != "id" || r.TimeoutMillis != 15000 {
			t.Errorf("request %+v", r)
		}
		for _, topic := range r.Topics {
			for _, part := range topic.Partitions {
				tp := TP{topic.Topic, part.Partition}
				rs, sequence := decoded(t, part.Records)
				if want, ok := next[tp]; ok && want != sequence {
					t.Errorf("%v: sequence %d, want %d", tp, sequence, want)
				}
				next[tp] = addSequence(sequence, int32(len(rs)))
				got[tp] = append(got[tp], rs...)
			}
		}
		conn.Reset()
		for _, x := range load {
			if !x.settle(map[TP]sarama.KError{x.shelf.tp: sarama.ErrNoError}) {
				t.Error("a good answer is not taken")
			}
		}
	}
	return got
}

// decoded reads a record batch with another library.
func decoded(t *testing.T, raw []byte) ([]plain, int32) {
	t.Helper()
	var batch kmsg.RecordBatch
	if err := batch.ReadFrom(raw); err != nil {
		t.Fatal(err)
	}
	if batch.Attributes&^batchCodecBits != batchTransactional || batch.ProducerID != 7 || batch.ProducerEpoch != 3 || batch.LastOffsetDelta != batch.NumRecords-1 {
		t.Errorf("batch %+v", batch)
	}
	rp := kmsg.NewFetchResponseTopicPartition()
	rp.RecordBatches = raw
	fetched, _ := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{}, &rp, kgo.DefaultDecompressor(), nil)
	if fetched.Err != nil || len(fetched.Records) != int(batch.NumRecords) {
		t.Fatalf("%d of %d records: %v", len(fetched.Records), batch.NumRecords, fetched.Err)
	}
	var all []plain
	newest := int64(math.MinInt64)
	for i, r := range fetched.Records {
		if r.Offset != int64(i) {
			t.Errorf("record %d has offset %d", i, r.Offset)
		}
		p := plain{key: r.Key, value: r.Value, timestamp: r.Timestamp.UnixMilli()}
		for _, h := range r.Headers {
			p.headers = append(p.headers, record.Header{Key: h.Key, Value: h.Value})
		}
		newest = max(newest, p.timestamp)
		all = append(all, p)
	}
	if newest != batch.MaxTimestamp || all[0].timestamp != batch.FirstTimestamp {
		t.Errorf("times %d to %d, header says %d to %d", all[0].timestamp, newest, batch.FirstTimestamp, batch.MaxTimestamp)
	}
	return all, batch.FirstSequence
}

func same(t *testing.T, got, want map[TP][]plain) {
	t.Helper()
	for tp, ps := range want {
		if len(got[tp]) != len(ps) {
			t.Fatalf("%v: %d records, want %d", tp, len(got[tp]), len(ps))
		}
		for i := range ps {
			if !reflect.DeepEqual(got[tp][i], ps[i]) {
				t.Fatalf("%v: record %d is\n%.300s, want\n%.300s", tp, i, fmt.Sprintf("%+v", got[tp][i]), fmt.Sprintf("%+v", ps[i]))
			}
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d partitions, want %d", len(got), len(want))
	}
}

func checkBatch(t *testing.T, codec sarama.CompressionCodec, limit int, texts ...[]byte) {
	t.Helper()
	b := newBatch(func(string) int { return limit }, squeezer{codec: codec})
	for _, text := range texts { // kept buffers
		m := script(b, text)
		m.mark()
		records := 0
		for tp, ps := range m.marked {
			if records += len(ps); len(ps) == 0 {
				delete(m.marked, tp)
			}
		}
		if b.Records() != records {
			t.Errorf("Records is %d, want %d", b.Records(), records)
		}
		same(t, sent(t, b, limit), m.marked)
		same(t, sent(t, b, limit), m.marked) // it can be sent again
		if b.Unmarked() != 0 {
			t.Errorf("%d bytes are not marked", b.Unmarked())
		}
		b.Reset()
		if b.Bytes() != 0 || b.Records() != 0 {
			t.Errorf("after Reset: %d bytes, %d records", b.Bytes(), b.Records())
		}
	}
}

func TestBatch(t *testing.T) {
	t.Parallel()
	for _, name := range Compressions() {
		codec, err := codecOf(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, limit := range []int{300, 5000, 300_000} {
			t.Run(fmt.Sprint(name, limit), func(t *testing.T) {
				t.Parallel()
				random := rand.New(rand.NewPCG(uint64(limit), uint64(codec)))
				for _, size := range []int{0, 10, 300, 3000, 20000} {
					texts := make([][]byte, 2)
					for i := range texts {
						texts[i] = make([]byte, size)
						for j := range texts[i] {
							texts[i][j] = byte(random.Uint32())
						}
					}
					checkBatch(t, codec, limit, texts...)
				}
			})
		}
	}
}

func FuzzBatch(f *testing.F) {
	f.Add(uint8(3), uint16(300), []byte("some records, all marked \xe0 and some \xea that are not \xf1"))
	f.Add(uint8(0), uint16(5000), bytes.Repeat([]byte("0123456789abcdef\xd0\xe8\xf0"), 100))
	f.Fuzz(func(t *testing.T, codec uint8, limit uint16, text []byte) {
		checkBatch(t, sarama.CompressionCodec(codec%5), max(int(limit), 100), text)
	})
}

// FuzzParseRecord: damaged records give an error or what fits into them.
func FuzzParseRecord(f *testing.F) {
	whole := &fields{key: []byte("k"), value: []byte("v"), headers: appendHeaders(nil, []record.Header{{Key: "h"}}), count: 1, timestamp: 5}
	f.Add(whole.append(nil, whole.bodySize(3, 7), 3, 7))
	f.Fuzz(func(t *testing.T, b []byte) {
		var x fields
		rest, err := x.parse(b, 1)
		if err == nil && len(x.key)+len(x.value)+len(x.headers)+len(rest) > len(b) {
			t.Errorf("%d bytes became more", len(b))
		}
	})
}

func TestBatchSize(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 60, 70, 5000, 70000} {
		b := newBatch(func(string) int { return 1000 }, squeezer{})
		hs := []record.Header{{Key: "a", Value: make([]byte, n)}, {Key: "b"}}
		b.Append(TP{Topic: "t"}, nil, make([]byte, n), hs, 1)
		if err := b.Seal(); err != nil {
			t.Fatal(err)
		}
		if got, want := BatchSize(nil, make([]byte, n), hs), len(b.used[0].done[0].bytes); got != want {
			t.Errorf("%d: %d, want %d", n, got, want)
		}
	}
	b := newBatch(func(string) int { return 1000 }, squeezer{})
	b.Append(TP{"t", -1}, nil, nil, nil, 1)
	if b.Seal() == nil {
		t.Error("partition -1 was taken")
	}
}

// Batches that a topic does not take are cut, and hold the same records.
func TestSplitParcel(t *testing.T) {
	t.Parallel()
	for _, name := range Compressions() {
		codec, err := codecOf(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, count := range []int{2, 3, 1000} {
			b := newBatch(func(string) int { return 1 << 20 }, squeezer{codec: codec})
			var want []plain
			for i := range count {
				p := plain{key: fmt.Append(nil, i), value: bytes.Repeat([]byte{'x'}, i), timestamp: 1000 + int64(i%7)}
				b.Append(TP{Topic: "t"}, p.key, p.value, nil, p.timestamp)
				b.Mark()
				want = append(want, p)
			}
			if err := b.Seal(); err != nil {
				t.Fatal(err)
			}
			s := &Stream{w: &writer{id: 7, epoch: 3}, codec: codec, castagnoli: crc32.MakeTable(crc32.Castagnoli)}
			shelf := b.used[0]
			shelf.done[0].sequence = 40
			if err := s.halve(shelf); err != nil {
				t.Fatal(err)
			}
			if len(shelf.done) != 2 {
				t.Fatalf("%d batches", len(shelf.done))
			}
			first, sequence := decoded(t, shelf.done[0].bytes)
			second, behind := decoded(t, shelf.done[1].bytes)
			if sequence != 40 || behind != 40+int32(len(first)) || len(first) != count/2 {
				t.Errorf("sequences %d and %d, %d records", sequence, behind, len(first))
			}
			same(t, map[TP][]plain{{}: append(first, second...)}, map[TP][]plain{{}: want})
		}
	}
}
