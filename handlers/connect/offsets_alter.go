package connect

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
)

// offsetsAlter answers PATCH /connectors/{c}/offsets.
func offsetsAlter(s *Server, c *call) error {
	body, err := c.object()
	if err != nil {
		return err
	}
	for _, k := range slices.Sorted(maps.Keys(body)) {
		if k != "offsets" {
			return bad("Unrecognized field %q; the body has offsets.", plain(k))
		}
	}
	list, ok := body["offsets"].([]any)
	if body["offsets"] != nil && !ok {
		return bad("offsets must be an array.")
	}
	if len(list) == 0 {
		return bad("Partitions / offsets need to be provided for an alter offsets request")
	}
	x, err := s.stopped(c)
	if err != nil {
		return err
	}
	if x.Kind() == string(connector.KindSource) {
		return s.alterSource(c, list)
	}
	changes := make([]control.PositionChange, len(list))
	for i, item := range list {
		if changes[i], err = positionChange(item); err != nil {
			return err
		}
	}
	forced, err := force(c.r.URL.Query())
	if err != nil {
		return err
	}
	if err := s.o.Control.AlterPositions(c.ctx, c.instance, c.name(), changes, forced); err != nil {
		return notStopped(lost(err, "Connector %s not found", plain(c.name())), c.name())
	}
	return c.json(http.StatusOK, map[string]string{"message": "The offsets for this connector have been altered successfully"})
}

// offsetsReset answers DELETE /connectors/{c}/offsets.
func offsetsReset(s *Server, c *call) error {
	if _, err := s.stopped(c); err != nil {
		return err
	}
	forced, err := force(c.r.URL.Query())
	if err != nil {
		return err
	}
	if err := s.o.Control.ResetPositions(c.ctx, c.instance, c.name(), forced); err != nil {
		return notStopped(lost(err, "Connector %s not found", plain(c.name())), c.name())
	}
	return c.json(http.StatusOK, map[string]string{"message": "The offsets for this connector have been reset successfully"})
}

// stopped refuses before the rows are looked at, in the real worker's order.
func (s *Server) stopped(c *call) (control.Connector, error) {
	x, err := s.o.Control.Connector(c.ctx, c.instance, c.name())
	if err != nil {
		return x, lost(err, "Connector %s not found", plain(c.name()))
	}
	if x.Desired != control.DesiredStopped && x.Desired != control.DesiredNotDeployed {
		return x, notStopped(control.ErrNotStopped, c.name())
	}
	return x, nil
}

// alterSource sets positions of a source, in the maps of its own.
func (s *Server) alterSource(c *call, list []any) error {
	to := make([]connector.SourcePosition, len(list))
	for i, item := range list {
		var err error
		if to[i], err = sourcePosition(item); err != nil {
			return err
		}
	}
	if err := s.o.Control.AlterSourcePositions(c.ctx, c.instance, c.name(), to); err != nil {
		return notStopped(lost(err, "Connector %s not found", plain(c.name())), c.name())
	}
	return c.json(http.StatusOK, map[string]string{"message": "The offsets for this connector have been altered successfully"})
}

// offsetItem takes one row {"partition":{…},"offset":{…}|null}.
func offsetItem(item any) (map[string]any, error) {
	row, ok := item.(map[string]any)
	if !ok {
		return nil, bad("offsets must be an array of objects with partition and offset.")
	}
	for _, k := range slices.Sorted(maps.Keys(row)) {
		if k != "partition" && k != "offset" {
			return nil, bad("Unrecognized field %q; an item has partition and offset.", plain(k))
		}
	}
	return row, nil
}

// sourcePosition reads a row of a source.
func sourcePosition(item any) (connector.SourcePosition, error) {
	var out connector.SourcePosition
	row, err := offsetItem(item)
	if err != nil {
		return out, err
	}
	if out.Partition, _ = row["partition"].(map[string]any); len(out.Partition) == 0 {
		return out, bad("The partition for a source connector offset cannot be null, missing or empty")
	}
	if row["offset"] == nil {
		return out, nil
	}
	if out.Offset, _ = row["offset"].(map[string]any); out.Offset == nil {
		return out, bad("The offset for a source connector should either be null or an object")
	}
	return out, nil
}

func notStopped(err error, name string) error {
	if !errors.Is(err, control.ErrNotStopped) {
		return err
	}
	return bad("Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the specified connector by issuing a 'PUT' request to the '/connectors/%s/stop' endpoint", name)
}

// positionChange reads a row of a sink.
func positionChange(item any) (control.PositionChange, error) {
	var out control.PositionChange
	row, err := offsetItem(item)
	if err != nil {
		return out, err
	}
	partition, ok := row["partition"].(map[string]any)
	if !ok {
		return out, bad("The partition for a sink connector offset cannot be null or missing")
	}
	topic, number := partition["kafka_topic"], partition["kafka_partition"]
	name, isText := topic.(string)
	if topic == nil || number == nil || !isText {
		return out, bad("The partition for a sink connector offset must contain the keys 'kafka_topic' and 'kafka_partition'")
	}
	n, err := integer(number, 32)
	if err != nil {
		return out, bad("Failed to parse the following Kafka partition value in the provided offsets: '%s'. Partition values for sink connectors need to be integers.", shown(number))
	}
	out.Topic, out.Partition = name, int32(n)
	if row["offset"] == nil {
		return out, nil
	}
	object, _ := row["offset"].(map[string]any)
	value, present := object["kafka_offset"]
	if !present || value == nil {
		return out, bad("The offset for a sink connector should either be null or contain the key 'kafka_offset'")
	}
	at, err := integer(value, 64)
	if err != nil {
		return out, bad("Failed to parse the following Kafka offset value in the provided offsets: '%s'. Offset values for sink connectors need to be integers.", shown(value))
	}
	out.Offset = &at
	return out, nil
}

// integer reads a whole number, also one written as a string.
func integer(v any, bits int) (int64, error) {
	switch x := v.(type) {
	case json.Number:
		return strconv.ParseInt(x.String(), 10, bits)
	case string:
		return strconv.ParseInt(x, 10, bits)
	}
	return 0, errors.New("no number")
}

func shown(v any) string { return plain(fmt.Sprint(v)) }
