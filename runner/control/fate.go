package control

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
)

const (
	// fateWindow is how far back from its end an error topic's partition is searched,
	// in offsets, and fateFetch how much is read at once, in bytes.
	fateWindow  = 20_000
	fateFetch   = 1 << 20
	fateTimeout = 20 * time.Second
)

// Fate says what became of a record for one connector: delivered, diverted or waiting. Of a
// source it is about the topics that it writes.
func (s *Service) Fate(ctx context.Context, instance, topic string, partition int32, offset int64, name string) (Fate, error) {
	if err := need(ctx, Viewer); err != nil {
		return Fate{}, err
	}
	c, err := s.Connector(ctx, instance, name)
	if err != nil {
		return Fate{}, err
	}
	cfg := c.Effective()
	if c.Kind() == string(connector.KindSource) {
		if partition < 0 || offset < 0 {
			return Fate{}, fieldError("offset", "Partition and offset are 0 or more.")
		}
		ctx, cancel := context.WithTimeout(ctx, fateTimeout)
		defer cancel()
		return s.written(ctx, c, instance, kafka.TP{Topic: topic, Partition: partition}, offset)
	}
	if !contains(cfg.List(connector.KeyTopics), topic) {
		return Fate{}, fieldError("connector", "The connector %s does not read the topic %s.", quoted(name), quoted(topic))
	}
	if partition < 0 || offset < 0 {
		return Fate{}, fieldError("offset", "Partition and offset are 0 or more.")
	}
	ctx, cancel := context.WithTimeout(ctx, fateTimeout)
	defer cancel()
	in, cluster, err := s.cluster(ctx, instance)
	if err != nil {
		return Fate{}, err
	}
	tp := kafka.TP{Topic: topic, Partition: partition}
	if err := s.recordExists(ctx, in, cluster, tp, offset); err != nil {
		return Fate{}, err
	}
	passed, detail, err := s.passed(ctx, c, tp, offset)
	if err != nil {
		return Fate{}, err
	}
	// A diverted record is written before the position moves over it, so it is looked
	// for either way.
	why, where, err := s.diverted(ctx, in, cluster, cfg, tp, offset)
	if err != nil {
		return Fate{}, err
	}
	switch {
	case where != "":
		return Fate{State: FateDiverted, Connector: name, Where: where, Reason: why}, nil
	case passed:
		return s.delivered(ctx, c, tp, offset), nil
	}
	return Fate{State: FateWaiting, Connector: name, Reason: detail}, nil
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

func (s *Service) recordExists(ctx context.Context, in runner.Instance, cluster kafka.Cluster, tp kafka.TP, offset int64) error {
	t, err := s.topic(ctx, in, cluster, tp.Topic)
	if err != nil {
		return err
	}
	if int(tp.Partition) >= len(t.Partitions) {
		return notFound("The topic %s has the partitions 0 to %d.", quoted(tp.Topic), len(t.Partitions)-1)
	}
	marks, err := s.kafka.Watermarks(ctx, cluster, tp)
	if err != nil {
		return notAnswering(in, err)
	}
	if offset >= marks[tp].End {
		return notFound("There is no offset %d yet: the partition ends at %d.", offset, marks[tp].End)
	}
	return nil
}

// passed tells whether the connector's position is beyond the offset.
func (s *Service) passed(ctx context.Context, c Connector, tp kafka.TP, offset int64) (bool, string, error) {
	st, err := s.sup.Status(ctx, c.ID)
	if err != nil {
		return false, "", fromSupervisor(err)
	}
	for _, t := range st.Tasks {
		for _, p := range t.Partitions {
			if p.Topic != tp.Topic || p.Partition != tp.Partition {
				continue
			}
			if p.Position > offset {
				return true, "", nil
			}
			if p.Cause != "" {
				return false, sentence(p.Cause), nil
			}
			if p.Position >= 0 {
				return false, fmt.Sprintf("%d records stand before it.", offset-p.Position), nil
			}
		}
	}
	rows, err := s.sup.Positions(ctx, c.ID)
	if err != nil {
		return false, "", fromSupervisor(err)
	}
	for _, p := range rows {
		if p.Topic == tp.Topic && p.Partition == tp.Partition && p.Offset > offset {
			return true, "", nil
		}
	}
	return false, fmt.Sprintf("The connector is %s.", st.State), nil
}

// destination names where the records of a connector go, as far as its fields say.
func destination(c Connector) string {
	if c.Spec == nil {
		return c.Class
	}
	cfg := c.Effective()
	where := ""
	for _, st := range c.Spec.Steps {
		if st.ID != connector.StepDestination {
			continue
		}
		for _, f := range st.Fields {
			// The destination object is what is fixed after the first delivery.
			if v := cfg.Get(f.Key); f.Fixed == connector.FixedAfterDelivery && v != "" {
				where += ", " + f.Label + " " + v
			}
		}
	}
	if where == "" {
		return c.Spec.Title
	}
	return where[2:]
}

// Names of the headers that a diverted record gains; Kafka Connect's.
const (
	headerTopic     = "__connect.errors.topic"
	headerPartition = "__connect.errors.partition"
	headerOffset    = "__connect.errors.offset"
	headerConnector = "__connect.errors.connector.name"
	headerMessage   = "__connect.errors.exception.message"
)

// diverted searches the connector's error topics, newest first within a bounded
// window of each partition, for a record that came from tp and offset.
func (s *Service) diverted(ctx context.Context, in runner.Instance, cluster kafka.Cluster, cfg connector.Config, tp kafka.TP, offset int64) (why, where string, err error) {
	seen := map[string]bool{"": true}
	var r Reader
	defer func() {
		if r != nil {
			r.Close()
		}
	}()
	for _, key := range []string{connector.KeyAbnormal, connector.KeyDeadLetter} {
		name := cfg.Get(key)
		if seen[name] {
			continue
		}
		seen[name] = true
		t, err := s.kafka.Topic(ctx, cluster, name)
		if errors.Is(err, kafka.ErrNoTopic) {
			continue
		}
		if err != nil {
			return "", "", notAnswering(in, err)
		}
		tps := make([]kafka.TP, len(t.Partitions))
		for i, p := range t.Partitions {
			tps[i] = kafka.TP{Topic: name, Partition: p}
		}
		marks, err := s.kafka.Watermarks(ctx, cluster, tps...)
		if err != nil {
			return "", "", notAnswering(in, err)
		}
		if r == nil {
			if r, err = s.kafka.Read(ctx, cluster); err != nil {
				return "", "", notAnswering(in, err)
			}
		}
		want := origin{tp: tp, offset: offset, connector: cfg.Get(connector.KeyName)}
		for _, at := range tps {
			why, where, err := searchBack(ctx, r, at, marks[at], want)
			if err != nil {
				return "", "", notAnswering(in, err)
			}
			if where != "" {
				return why, where, nil
			}
		}
	}
	return "", "", nil
}

// origin is what the headers of the wanted diverted record say.
type origin struct {
	tp        kafka.TP
	offset    int64
	connector string
}

// searchBack reads a partition in windows that double, from its end backwards.
func searchBack(ctx context.Context, r Reader, at kafka.TP, m kafka.Watermarks, want origin) (why, where string, err error) {
	floor := max(m.Start, m.LSO-fateWindow)
	end := m.LSO
	for size := int64(500); end > floor; size *= 2 {
		begin := max(floor, end-size)
		for next := begin; next < end; {
			page, err := r.Fetch(ctx, at, next, fateFetch, time.Second)
			if errors.Is(err, kafka.ErrOutOfRange) {
				break
			}
			if err != nil {
				return "", "", err
			}
			for i := range page.Records {
				h := headers{}
				for _, x := range page.Records[i].Headers {
					h[x.Key] = string(x.Value)
				}
				if h.are(want) {
					return h[headerMessage], fmt.Sprintf("%s-%d at offset %d", at.Topic, at.Partition, page.Records[i].Offset), nil
				}
			}
			if page.Next <= next {
				break
			}
			next = page.Next
		}
		end = begin
	}
	return "", "", nil
}

type headers map[string]string

func (h headers) are(o origin) bool {
	return h[headerTopic] == o.tp.Topic && h[headerPartition] == strconv.Itoa(int(o.tp.Partition)) &&
		h[headerOffset] == strconv.FormatInt(o.offset, 10) && (h[headerConnector] == "" || h[headerConnector] == o.connector)
}
