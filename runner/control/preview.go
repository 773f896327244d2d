package control

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
)

const (
	previewTimeout = 30 * time.Second
	// previewRecords is how many real records a preview takes in all.
	previewRecords = 5
	// previewBack is how far before the end of a partition it begins to read.
	previewBack = 5
	// previewFetch bounds one read, in bytes; a single larger record still comes whole.
	previewFetch = 1 << 20
	// previewBody bounds what is shown of one sample, in bytes.
	previewBody = 64 << 10
)

// Preview shows what a few recent real records would become. Nothing is written.
func (s *Service) Preview(ctx context.Context, instance string, t Trial) ([]connector.Sample, error) {
	c, row, err := s.trial(ctx, instance, t)
	if err != nil {
		return nil, err
	}
	if c.spec.Preview == nil {
		return []connector.Sample{}, nil
	}
	if err := s.live.take(ActorFrom(ctx).Name, s.now()); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, previewTimeout)
	defer cancel()
	var page kafka.Page
	if c.spec.Kind == connector.KindSink {
		if page, err = s.recent(ctx, c); err != nil {
			return nil, err
		}
	}
	samples, err := c.spec.Preview(ctx, c.resolved, s.sup.Deps(c.instance, row.Name, row.UUID, c.resolved), page.Records)
	if err != nil {
		return nil, fromSupervisor(err)
	}
	var writers []writer
	if c.spec.Kind == connector.KindSource {
		if writers, err = s.writersBeside(ctx, c, row.ID); err != nil {
			return nil, err
		}
	}
	out := make([]connector.Sample, len(samples))
	for i, sm := range samples {
		sm.Body = clipBody(sm.Body)
		if also := alsoBy(writers, sm.Source.Topic); len(also) > 0 {
			sm.Warning = "Written to by " + strings.Join(also, ", ") + " too."
		}
		out[i] = sm
	}
	return out, nil
}

// SourceTopics lists the topics that a source would write to. Nothing is written.
func (s *Service) SourceTopics(ctx context.Context, instance string, t Trial) ([]connector.SourceTopic, error) {
	c, row, err := s.trial(ctx, instance, t)
	if err != nil || c.spec.Topics == nil {
		return nil, err
	}
	if err := s.live.take(ActorFrom(ctx).Name, s.now()); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, previewTimeout)
	defer cancel()
	out, err := c.spec.Topics(ctx, c.resolved, s.sup.Deps(c.instance, row.Name, row.UUID, c.resolved))
	if err != nil {
		return nil, fromSupervisor(err)
	}
	writers, err := s.writersBeside(ctx, c, row.ID)
	for i := range out {
		out[i].Also = alsoBy(writers, out[i].Name)
	}
	return out, err
}

// clipBody keeps a sample readable and the answer small; bytes that are no text are
// shown escaped.
func clipBody(body string) string {
	if !utf8.ValidString(body) {
		body = strconv.QuoteToASCII(body[:min(len(body), previewBody)])
	}
	if len(body) <= previewBody {
		return body
	}
	cut := previewBody
	for cut > 0 && !utf8.RuneStart(body[cut]) {
		cut--
	}
	return body[:cut] + fmt.Sprintf("\n… (%d bytes in all)", len(body))
}

// recent reads the newest few records of the connector's topics, in a page whose
// records are in the order of topic, partition and offset.
func (s *Service) recent(ctx context.Context, c *candidate) (kafka.Page, error) {
	var out kafka.Page
	cluster := s.sup.Cluster(c.instance)
	tps, err := s.partitionsOf(ctx, c, cluster)
	if err != nil {
		return out, err
	}
	marks, err := s.kafka.Watermarks(ctx, cluster, tps...)
	if err != nil {
		return out, unavailable(err, "Instance %s does not answer: %s", quoted(c.instance.Name), reason(err))
	}
	r, err := s.kafka.Read(ctx, cluster)
	if err != nil {
		return out, unavailable(err, "Instance %s does not answer: %s", quoted(c.instance.Name), reason(err))
	}
	defer r.Close()
	for _, tp := range tps {
		m := marks[tp]
		from := max(m.Start, m.LSO-previewBack)
		if from >= m.LSO {
			continue
		}
		page, err := r.Fetch(ctx, tp, from, previewFetch, time.Second)
		if errors.Is(err, kafka.ErrOutOfRange) { // retention passed by meanwhile
			continue
		}
		if err != nil {
			return out, unavailable(err, "Reading %s failed: %s", quoted(tp.Topic), reason(err))
		}
		out.Records = append(out.Records, page.Records...)
		if len(out.Records) >= previewRecords*4 {
			break
		}
	}
	// The newest by time, shown in the order of their partitions.
	rs := out.Records
	sort.SliceStable(rs, func(i, j int) bool { return rs[i].Timestamp > rs[j].Timestamp })
	rs = rs[:min(len(rs), previewRecords)]
	sort.SliceStable(rs, func(i, j int) bool {
		a, b := &rs[i], &rs[j]
		if a.Topic != b.Topic {
			return a.Topic < b.Topic
		}
		if a.Partition != b.Partition {
			return a.Partition < b.Partition
		}
		return a.Offset < b.Offset
	})
	out.Records = rs
	return out, nil
}

func (s *Service) partitionsOf(ctx context.Context, c *candidate, cluster kafka.Cluster) ([]kafka.TP, error) {
	var tps []kafka.TP
	for _, name := range c.resolved.List(connector.KeyTopics) {
		t, err := s.kafka.Topic(ctx, cluster, name)
		if errors.Is(err, kafka.ErrNoTopic) {
			return nil, fieldError(connector.KeyTopics, "The topic %s does not exist on the instance.", quoted(name))
		}
		if err != nil {
			return nil, unavailable(err, "Instance %s does not answer: %s", quoted(c.instance.Name), reason(err))
		}
		for _, p := range t.Partitions {
			tps = append(tps, kafka.TP{Topic: name, Partition: p})
		}
	}
	return tps, nil
}
