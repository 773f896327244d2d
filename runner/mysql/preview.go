package mysql

import (
	"context"
	"fmt"
	"time"

	gomysql "github.com/go-mysql-org/go-mysql/mysql"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
	"github.com/sluice-io/sluice/runner/mysql/format"
	"github.com/sluice-io/sluice/runner/mysql/row"
	"github.com/sluice-io/sluice/runner/record"
)

const (
	// previewTables and previewRows bound how many tables are shown, and how many rows of each.
	previewTables = 10
	previewRows   = 2
)

// preview shows the messages that a few rows of each table would become.
func preview(ctx context.Context, cfg connector.Config, deps connector.Deps, _ []record.Record) ([]connector.Sample, error) {
	s, err := Decode(cfg, deps.Env)
	if err != nil {
		return nil, err
	}
	x, sv, tables, err := openNamed(ctx, &s, deps)
	if err != nil {
		return nil, err
	}
	defer x.Close()
	for _, statement := range row.SnapshotSession {
		if _, err := x.Execute(statement); err != nil {
			return nil, s.classify("preparing to read rows", err)
		}
	}
	p := &previewing{s: &s, deps: deps, x: x, sv: sv}
	if p.encoder, err = format.New(s.Format, s.formatOptions(sv)); err != nil {
		return nil, err
	}
	for _, t := range tables[:min(len(tables), previewTables)] {
		if err := p.table(ctx, t); err != nil {
			return nil, err
		}
	}
	return append(p.out, p.refused...), nil
}

// formatOptions are the settings as the encoder of messages takes them.
func (s *Settings) formatOptions(sv *facts) format.Options {
	return format.Options{
		Zone: s.Zone, ZeroDate: format.Policy(s.ZeroDate), InvalidText: format.Policy(s.InvalidText), TinyInt1Boolean: s.TinyInt1 == TinyInt1Boolean,
		Version: sv.Version, MariaDB: sv.MariaDB, Name: s.Prefix,
	}
}

// previewing makes samples of rows, table after table.
type previewing struct {
	s            *Settings
	deps         connector.Deps
	x            *session
	sv           *facts
	encoder      format.Encoder
	sequence     uint64
	out, refused []connector.Sample
}

// table shows the first rows of one table, in the order of its key.
func (p *previewing) table(ctx context.Context, t listed) error {
	topic, err := p.s.Topic(t.name)
	if err != nil {
		p.refuse(t.name, "", err.Error())
		return nil
	}
	shape := connector.TopicShape{Name: topic, Partitions: Partitions(len(t.key) > 0), MaxMessageBytes: defaultMessageBytes}
	if p.deps.Cluster != nil {
		if there, exists, err := p.deps.Cluster.Topic(ctx, topic); err == nil && exists { // otherwise as it would be made
			shape = there
		}
	}
	table, err := row.Describe(ctx, p.x, p.s.Database, t.name)
	if err != nil {
		if serverCode(err) != 0 {
			return p.s.classify("reading the columns of "+t.name, err)
		}
		p.refuse(t.name, topic, err.Error())
		return nil
	}
	st, err := p.x.Prepare(fmt.Sprintf("SELECT %s FROM %s.%s LIMIT %d", table.SelectList(), quoteName(p.s.Database), quoteName(t.name), previewRows))
	if err != nil {
		return p.s.classify("reading rows of "+t.name, err)
	}
	defer st.Close()
	decoder := &row.Decoder{}
	var each row.Row
	now := time.Now().UnixMilli()
	var result gomysql.Result
	return p.s.classify("reading rows of "+t.name, st.ExecuteSelectStreaming(&result, func(fields []gomysql.FieldValue) error {
		if each, err = decoder.Fields(table, fields, each); err != nil {
			p.refuse(t.name, topic, err.Error())
			return nil
		}
		p.row(t.name, shape, table, each, now)
		return nil
	}, nil))
}

// row shows one row's messages.
func (p *previewing) row(name string, shape connector.TopicShape, table *row.Table, r row.Row, now int64) {
	c := &format.Change{Table: table, Op: format.Insert, After: r, Snapshot: true,
		Origin:   format.Origin{EventTime: now, ReadTime: now},
		Sequence: func() uint64 { p.sequence++; return p.sequence }}
	err := p.encoder.Encode(c, func(m *format.Message) error {
		partition := kafka.PartitionOf(m.Key, int32(shape.Partitions))
		sample := connector.Sample{Source: connector.SampleSource{Topic: shape.Name, Partition: partition, Offset: -1},
			Title: fmt.Sprintf("%s, partition %d", shape.Name, partition), MediaType: "application/json", Key: string(m.Key), Body: string(m.Value)}
		if n := len(m.Key) + len(m.Value); n > shape.MaxMessageBytes {
			sample.Refused = fmt.Sprintf("A message of %s is larger than the topic takes (%s): %s.", size(int64(n)), size(int64(shape.MaxMessageBytes)), p.s.oversizeWords())
			p.refused = append(p.refused, sample)
			return nil
		}
		if shape.Compacted && m.Key == nil {
			sample.Refused = "The topic is compacted and takes no message without a key: the reader would stop here."
			p.refused = append(p.refused, sample)
			return nil
		}
		p.out = append(p.out, sample)
		return nil
	})
	if err != nil {
		p.refuse(name, shape.Name, err.Error())
	}
}

func (s *Settings) oversizeWords() string {
	if s.Oversize == OversizeDLQ {
		return "it goes to the dead-letter topic"
	}
	return "the reader would stop here"
}

// refuse shows a row, or a table, that cannot be told.
func (p *previewing) refuse(table, topic, why string) {
	p.refused = append(p.refused, connector.Sample{Source: connector.SampleSource{Topic: topic, Partition: -1, Offset: -1}, Title: p.s.Database + "." + table, MediaType: "text/plain", Refused: why})
}
