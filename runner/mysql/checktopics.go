package mysql

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/mysql/row"
)

// defaultMessageBytes is Kafka's own max.message.bytes, which a topic is made with.
const defaultMessageBytes = 1048588

// topics looks at the topics of the tables: those that exist and those to be made.
func (c *checking) topics(ctx context.Context) (found, error) {
	names := make([]string, len(c.tables))
	for i, t := range c.tables {
		names[i] = t.name
		if _, err := c.s.Topic(t.name); err != nil {
			return found{}, err
		}
	}
	if twice := c.s.Collisions(names); len(twice) > 0 {
		topic := slices.Sorted(maps.Keys(twice))[0]
		return found{}, &connector.WrongError{Field: keyTables, Err: fmt.Errorf("the tables %s would all be written to the topic %s", strings.Join(twice[topic], ", "), topic),
			Remedy: "Leave all but one of them out of " + keyTables + ", and make a connector with another prefix for each of the others."}
	}
	if c.deps.Cluster == nil {
		return found{detail: fmt.Sprintf("%s, from %s on.", plural(len(names), "topic", "topics"), c.tables[0].topic)}, nil
	}
	var there, spread, arrival []string
	made := 0
	for _, t := range c.tables {
		shape, exists, err := c.deps.Cluster.Topic(ctx, t.topic)
		if err != nil {
			return found{}, clusterAway(err)
		}
		if exists && shape.ArrivalTime {
			arrival = append(arrival, t.topic)
		}
		switch {
		case !exists:
			made += Partitions(len(t.key) > 0)
		case len(t.key) == 0 && shape.Partitions > 1:
			spread = append(spread, t.topic)
			fallthrough
		default:
			there = append(there, fmt.Sprintf("%s (%s)", t.topic, plural(shape.Partitions, "partition", "partitions")))
		}
	}
	detail := fmt.Sprintf("%s of %s will be made.", plural(len(names)-len(there), "topic", "topics"), plural(made, "partition", "partitions"))
	if len(there) > 0 {
		detail += " Taken as they are: " + list(there, 10) + "."
	}
	if len(spread) > 0 {
		detail += " Messages without a key go to partition 0 of " + list(spread, 5) + "."
	}
	if len(arrival) > 0 {
		detail += " Messages have the time of their arrival, not of the change (message.timestamp.type=LogAppendTime), in " + list(arrival, 5) + "."
	}
	return found{detail: detail}, nil
}

// cleanup looks at topics that are compacted: they refuse what has no key, and lose changes.
func (c *checking) cleanup(ctx context.Context) (found, error) {
	if c.deps.Cluster == nil {
		return found{detail: "Not known for this instance.", skipped: true}, nil
	}
	var compacted, keyless, statements []string
	for _, t := range c.tables {
		shape, exists, err := c.deps.Cluster.Topic(ctx, t.topic)
		if err != nil {
			return found{}, clusterAway(err)
		}
		if !exists || !shape.Compacted {
			continue
		}
		compacted = append(compacted, t.topic)
		switch {
		case len(t.key) == 0:
			keyless = append(keyless, t.topic)
		case c.s.Format == FormatDataWorks:
			statements = append(statements, t.topic)
		}
	}
	const remedy = "Let the topic delete by age: kafka-configs.sh --alter --entity-type topics --entity-name <topic> --add-config cleanup.policy=delete; or choose another " + keyPrefix + "."
	var why []string
	if len(keyless) > 0 {
		why = append(why, "the messages of a table without a primary key, which "+list(keyless, 5)+" would get")
	}
	if len(statements) > 0 {
		why = append(why, "the statements of the format "+FormatDataWorks+" (ALTER, TRUNCATE, …), which "+list(statements, 5)+" would get")
	}
	switch {
	case len(why) > 0:
		return found{}, &connector.WrongError{Field: keyPrefix, Remedy: remedy,
			Err: fmt.Errorf("a compacted topic refuses messages without a key: %s; and of each key it keeps the last message only, so that changes are lost", strings.Join(why, ", and "))}
	case len(compacted) > 0:
		return found{skipped: true, remedy: remedy,
			detail: "Compacted: " + list(compacted, 5) + ". Of each key they keep the last message only: a reader that comes late sees how rows are, not how they changed."}, nil
	}
	return found{detail: "No topic is compacted: every change stays until it is deleted by age."}, nil
}

// room looks whether the cluster takes the partitions that are to be made.
func (c *checking) room(ctx context.Context) (found, error) {
	if c.deps.Cluster == nil {
		return found{detail: "Not known for this instance.", skipped: true}, nil
	}
	need := 0
	for _, t := range c.tables {
		_, exists, err := c.deps.Cluster.Topic(ctx, t.topic)
		if err != nil {
			return found{}, clusterAway(err)
		}
		if !exists {
			need += Partitions(len(t.key) > 0)
		}
	}
	room, err := c.deps.Cluster.Room(ctx)
	if err != nil {
		return found{}, clusterAway(err)
	}
	switch {
	case need == 0:
		return found{detail: "None is to be made."}, nil
	case room < 0:
		return found{detail: fmt.Sprintf("%s to be made; the cluster does not say how many it takes.", plural(need, "is", "are"))}, nil
	case room < need:
		return found{}, &connector.WrongError{Field: keyTables, Err: fmt.Errorf("%s to be made, and the cluster takes %d more", plural(need, "partition is", "partitions are"), room),
			Remedy: "Choose fewer tables, make the topics by hand with fewer partitions, or raise the cluster's limit of partitions."}
	}
	return found{detail: fmt.Sprintf("%s to be made; the cluster takes %s more.", plural(need, "is", "are"), thousands(int64(room)))}, nil
}

func clusterAway(err error) error {
	return &connector.WrongError{Err: fmt.Errorf("the instance does not answer: %w", err), Remedy: "Look at the instance's page: it says whether the cluster answers."}
}

// sizes compares what rows take as messages with what their topics take.
func (c *checking) sizes(ctx context.Context) (found, error) {
	if len(c.looked) == 0 {
		return found{detail: "No table was looked at.", skipped: true}, nil
	}
	var over, open []string
	largest, of := int64(0), ""
	for _, t := range c.looked {
		limit := int64(defaultMessageBytes)
		if c.deps.Cluster != nil {
			shape, exists, err := c.deps.Cluster.Topic(ctx, t.topic)
			if err != nil {
				return found{}, clusterAway(err)
			}
			if exists && shape.MaxMessageBytes > 0 {
				limit = int64(shape.MaxMessageBytes)
			}
		}
		n, bounded, err := c.messageBytes(ctx, t)
		if err != nil {
			return found{}, err
		}
		if n > largest {
			largest, of = n, t.name
		}
		switch {
		case n > limit:
			over = append(over, fmt.Sprintf("%s (about %s, %s takes %s)", t.name, size(n), t.topic, size(limit)))
		case !bounded:
			open = append(open, t.name)
		}
	}
	const raise = "Make the topic with a larger max.message.bytes, or raise it: kafka-configs.sh --alter --entity-type topics --entity-name <topic> --add-config max.message.bytes=…; or set " + keyOversize + " to dlq."
	if len(over) > 0 && c.s.Oversize != OversizeDLQ {
		return found{}, &connector.WrongError{Field: keyOversize, Err: fmt.Errorf("rows that are larger than their topic takes: %s", list(over, 5)), Remedy: raise}
	}
	f := found{detail: fmt.Sprintf("The largest message is about %s (%s).", size(largest), of)}
	if len(over) > 0 {
		f.detail = "Larger than their topics take, and sent to the dead-letter topic: " + list(over, 5) + "."
	}
	if len(open) > 0 {
		f.detail += " Not bounded by their columns, seen in a sample of rows only: " + list(open, 10) + "."
		f.remedy = raise
	}
	return f, nil
}

// sampledRows is how many rows of a table with unbounded columns are measured.
const sampledRows = 500

// messageBytes estimates the largest message of a table's rows; bounded is false when
// only a sample of rows speaks for it.
func (c *checking) messageBytes(ctx context.Context, t looked) (n int64, bounded bool, err error) {
	n = 600 + int64(len(t.topic))
	var long []string
	for i := range t.table.Columns {
		col := &t.table.Columns[i]
		n += 2*int64(len(col.Name)) + 60
		switch {
		case unbounded(col):
			name := quoteName(col.Name)
			factor := ""
			if col.Kind == row.Bytes || col.Kind == row.Geometry || col.Kind == row.Vector {
				factor = " * 4 / 3"
			}
			long = append(long, "COALESCE(LENGTH("+name+"), 0)"+factor)
		case col.Kind == row.Bytes:
			n += int64(col.Length) * 4 / 3
		case col.Kind == row.Text:
			n += int64(col.Length)
		default:
			n += 32
		}
	}
	if len(long) == 0 {
		return n, true, nil
	}
	order := ""
	if len(t.key) > 0 {
		desc := make([]string, len(t.key))
		for i, k := range t.key {
			desc[i] = quoteName(k) + " DESC"
		}
		order = " ORDER BY " + strings.Join(desc, ", ")
	}
	if err := ctx.Err(); err != nil {
		return 0, false, err
	}
	got, err := c.x.rows(fmt.Sprintf("SELECT COALESCE(MAX(n), 0) FROM (SELECT %s AS n FROM %s.%s%s LIMIT %d) AS sampled",
		strings.Join(long, " + "), quoteName(c.s.Database), quoteName(t.name), order, sampledRows))
	if err != nil {
		return 0, false, c.s.classify("measuring rows of "+t.name, err)
	}
	if len(got) != 1 {
		return 0, false, errors.New("measuring rows gave nothing")
	}
	var most float64
	if _, err := fmt.Sscan(got[0][0], &most); err != nil {
		return 0, false, fmt.Errorf("measuring rows of %s: %w", t.name, err)
	}
	return n + int64(most), false, nil
}

// unbounded columns can hold more than any message.
func unbounded(c *row.Column) bool {
	switch c.Kind {
	case row.JSON, row.Geometry, row.Vector:
		return true
	case row.Text, row.Bytes:
		return strings.Contains(c.Type, "TEXT") || strings.Contains(c.Type, "BLOB")
	}
	return false
}
