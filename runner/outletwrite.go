package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
	"github.com/sluice-io/sluice/runner/record"
)

const (
	// tagRoom is kept for the headers that Tag adds, in bytes.
	tagRoom = 192
	// shapePatience bounds the look at a topic that is written to for the first time.
	shapePatience = 30 * time.Second
)

// outTopic is what must be known of a topic that is written to.
type outTopic struct {
	name       string
	partitions int32 // that keys are spread over
	exist      int32
	limit      int // of a record batch, in bytes
}

// Write implements connector.Outlet.
func (o *outlet) Write(r *connector.Outgoing) error {
	if !o.open {
		if err := o.begin(); err != nil {
			return err
		}
	}
	t := o.recent
	if t == nil || t.name != r.Topic {
		if t = o.topics[r.Topic]; t == nil {
			var err error
			if t, err = o.look(r.Topic, true); err != nil {
				return err
			}
		}
		o.recent = t
	}
	return o.append(t, r, r.Headers)
}

func (o *outlet) append(t *outTopic, r *connector.Outgoing, headers []record.Header) error {
	if size := kafka.BatchSize(r.Key, r.Value, headers); size+tagRoom > t.limit {
		return &connector.RecordError{Stage: connector.StageTaskPut, Code: "oversize", DeadLetter: true,
			Err: fmt.Errorf("the record has %d bytes and the topic %s takes at most %d (max.message.bytes)", size, t.name, t.limit)}
	}
	tp := kafka.TP{Topic: t.name, Partition: r.Partition}
	switch {
	case r.Partition < 0:
		tp.Partition = o.stream.Partition(r.Key, t.partitions)
	case r.Partition >= t.exist:
		return &connector.WrongError{Err: fmt.Errorf("the topic %s has %d partitions and no partition %d", t.name, t.exist, r.Partition),
			Remedy: "Add partitions to the topic, or let the source choose them."}
	}
	o.fill.Append(tp, r.Key, r.Value, headers, r.Timestamp)
	return nil
}

// Tag implements connector.Outlet.
func (o *outlet) Tag(headers ...record.Header) {
	if o.open && len(headers) > 0 {
		o.fill.Tag(headers)
	}
}

// Divert implements connector.Outlet.
func (o *outlet) Divert(r *connector.Outgoing, why *connector.RecordError) error {
	if !o.open {
		if err := o.begin(); err != nil {
			return err
		}
	}
	name := o.t.o.AbnormalTopic
	if why.DeadLetter {
		name = o.t.o.DeadLetterTopic
	}
	t := o.topics[name]
	if t == nil {
		var err error
		if t, err = o.look(name, false); err != nil {
			return err
		}
	}
	headers := make([]record.Header, 0, len(r.Headers)+7)
	headers = append(headers, r.Headers...)
	for _, h := range [...][2]string{
		{headTopic, r.Topic}, {headConnector, o.t.o.Connector.Name}, {headTask, strconv.Itoa(0)}, {headStage, string(why.Stage)},
		{headClass, o.t.o.Spec.Class}, {headException, "RecordError/" + why.Code}, {headMessage, clipText(why.Error(), maxReason)},
	} {
		headers = append(headers, record.Header{Key: h[0], Value: []byte(h[1])})
	}
	aside := *r
	aside.Partition = -1
	if err := o.append(t, &aside, headers); err != nil {
		var refused *connector.RecordError
		if errors.As(err, &refused) { // there is no third place
			return &connector.WrongError{Err: fmt.Errorf("diverting a record: %w", refused.Err), Remedy: "Raise max.message.bytes of the topic " + name + ", then resume."}
		}
		return err
	}
	o.mu.Lock()
	o.pending.open++
	o.mu.Unlock()
	o.t.o.Log(LogWarn, "A record was diverted to "+name+": "+clipText(why.Error(), maxReason), map[string]string{"topic": r.Topic, "code": why.Code})
	return nil
}

// look asks for the shape of a topic. With fixed, the number of partitions over which
// keys are spread stays what it was when the topic was written to first: one that grows
// would break the order of a key's records.
func (o *outlet) look(name string, fixed bool) (*outTopic, error) {
	ctx, cancel := context.WithTimeout(o.ctx, shapePatience)
	defer cancel()
	var exist int32
	err := untilKnown(ctx, func() (err error) { exist, err = o.stream.Partitions(ctx, name); return err })
	if errors.Is(err, kafka.ErrNoTopic) {
		return nil, &connector.WrongError{Err: fmt.Errorf("the topic %s does not exist", name), Remedy: "Create the topic " + name + ", then resume the connector."}
	}
	if err != nil {
		return nil, fmt.Errorf("looking up topic %s: %w", name, err)
	}
	t := &outTopic{name: name, partitions: exist, exist: exist}
	if t.limit, err = o.stream.MaxMessageBytes(ctx, name); err != nil {
		return nil, fmt.Errorf("reading the size limit of %s: %w", name, err)
	}
	if fixed {
		o.fix(t)
	}
	o.topics[name] = t
	return t, nil
}

// fix keeps a topic's number of partitions.
func (o *outlet) fix(t *outTopic) {
	o.mu.Lock()
	defer o.mu.Unlock()
	was := o.state.partitionsOf(t.name)
	switch {
	case was == t.exist:
		return
	case was > 0 && was < t.exist:
		t.partitions = was
		o.t.o.Log(LogWarn, fmt.Sprintf("The topic %s has %d partitions now, and had %d when it was written to first. Keys stay in the first %d, so that their order is kept; the others stay empty.", t.name, t.exist, was, was), nil)
		return
	case was > t.exist:
		o.t.o.Log(LogWarn, fmt.Sprintf("The topic %s has %d partitions and had %d: it was made anew. What was written to it before is gone, and keys may be in other partitions.", t.name, t.exist, was), nil)
	}
	b, _ := json.Marshal(topicState{Partitions: t.exist}) // a number always marshals
	o.pending.set(connector.Entry{Key: topicKey + t.name, Value: b})
}
