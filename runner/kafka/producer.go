package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/IBM/sarama"
)

// Producer writes records and waits for all in-sync replicas to have them, with
// sequence numbers where the brokers (≥ 0.11) and the user's rights allow it. It has a
// client of its own. Its methods may be called at the same time.
type Producer struct {
	mu    sync.Mutex
	w     *writer
	stale bool // the producer id must be asked for anew
}

// OpenProducer connects.
func OpenProducer(ctx context.Context, c Cluster) (*Producer, error) {
	k, err := open(ctx, c, nil)
	if err != nil {
		return nil, err
	}
	return &Producer{w: &writer{conn: k, id: -1}, stale: true}, nil
}

// Close ends the client.
func (p *Producer) Close() error { return p.w.close() }

// Send writes one record and returns where it is. offset is -1 when the broker had it
// already from an attempt whose answer was lost.
func (p *Producer) Send(ctx context.Context, o Out) (partition int32, offset int64, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	placed, order, err := p.prepare(ctx, []Out{o})
	if err != nil {
		return 0, 0, err
	}
	tp := order[0]
	offset, err = p.w.write(ctx, tp, placed[tp])
	p.after(err)
	return tp.Partition, offset, err
}

// SendAll writes records, in order within each partition. It stops at the first
// error; records before it may be there.
func (p *Producer) SendAll(ctx context.Context, outs []Out) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	placed, order, err := p.prepare(ctx, outs)
	if err != nil {
		return err
	}
	for _, tp := range order {
		if _, err := p.w.write(ctx, tp, placed[tp]); err != nil {
			p.after(err)
			return err
		}
	}
	return nil
}

// prepare has a producer id and the records' partitions.
func (p *Producer) prepare(ctx context.Context, outs []Out) (map[TP][]Out, []TP, error) {
	if p.stale && p.w.conf.Version.IsAtLeast(sarama.V0_11_0_0) {
		err := p.w.initProducer(ctx, 0)
		switch {
		case errors.Is(err, ErrDenied) || errors.Is(err, ErrUnsupported):
			p.w.id = -1 // without IdempotentWrite on the cluster (brokers < 2.8) plain writing is left
		case err != nil:
			return nil, nil, fmt.Errorf("asking for a producer id: %w", err)
		}
	}
	p.stale = false
	return p.w.place(ctx, outs)
}

// after an error the sequence that the broker expects is not known.
func (p *Producer) after(err error) {
	if err != nil && !errors.Is(err, ErrMessageTooLarge) {
		p.stale = true
	}
}
