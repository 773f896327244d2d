package mysql

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/sluice-io/sluice/runner/connector"
)

// positions are a connector's positions as Kafka Connect's REST API shows them: one of
// the binary log, {"server": <topic.prefix>}, and one of each table, which has "table" beside it.
func positions() *connector.Positions {
	return &connector.Positions{Show: showPositions, Set: setPositions}
}

func showPositions(cfg connector.Config, saved connector.Saved) ([]connector.SourcePosition, error) {
	var out []connector.SourcePosition
	for _, key := range slices.Sorted(maps.Keys(saved)) {
		partition := map[string]any{"server": cfg.Get(keyPrefix)}
		switch {
		case key == savedPosition:
		case strings.HasPrefix(key, savedTable):
			partition["table"] = strings.TrimPrefix(key, savedTable)
		default:
			continue
		}
		offset := map[string]any{}
		d := json.NewDecoder(strings.NewReader(string(saved[key])))
		d.UseNumber() // a sequence has more digits than a float64
		if err := d.Decode(&offset); err != nil {
			return nil, fmt.Errorf("reading what is saved as %s: %w", key, err)
		}
		shown := connector.SourcePosition{Partition: partition, Offset: offset}
		shown.Title, shown.Brief = told(key, saved[key])
		out = append(out, shown)
	}
	return out, nil
}

// told says of what is saved what it is the position of, and where that is.
func told(key string, value []byte) (title, brief string) {
	name, isTable := strings.CutPrefix(key, savedTable)
	if !isTable {
		var p position
		if json.Unmarshal(value, &p) != nil {
			return "Binary log", ""
		}
		var at []string
		if p.GTID != "" {
			at = append(at, "GTID "+clip(p.GTID))
		}
		if p.File != "" {
			at = append(at, fmt.Sprintf("%s at %d", p.File, p.Pos))
		}
		if p.Time > 0 {
			at = append(at, timeText(p.Time))
		}
		return "Binary log", strings.Join(at, ", ")
	}
	var t tableState
	if json.Unmarshal(value, &t) != nil {
		return "Table " + name, ""
	}
	rows := plural64(t.Rows, "row", "rows")
	switch {
	case t.State == stateDone && t.Rows > 0:
		brief = "copied, " + rows
	case t.State == stateDone:
		brief = "followed"
	case t.State == stateCopying:
		brief = "being copied, " + rows + " so far"
	default:
		brief = "waits to be copied"
	}
	if t.Topic != "" {
		brief += " → " + t.Topic
	}
	return "Table " + name, brief
}

// setPositions: of the binary log "gtid", or "file" and "pos", may be given; of a table
// "state" "done" (no copy is made, or no more of it). A null offset removes: the position
// (the connector then starts as at first), or a table's state (it is copied again).
func setPositions(cfg connector.Config, saved connector.Saved, to []connector.SourcePosition) ([]connector.Entry, error) {
	var out []connector.Entry
	for i, p := range to {
		refuse := func(format string, args ...any) error {
			return connector.FieldError{Field: fmt.Sprintf("offsets[%d]", i), Message: fmt.Sprintf(format, args...)}
		}
		table, isTable, err := partitionOf(cfg, p.Partition)
		if err != nil {
			return nil, refuse("%v.", err)
		}
		var entry connector.Entry
		switch {
		case isTable && p.Offset == nil:
			entry = connector.Entry{Key: savedTable + table}
		case isTable:
			entry, err = setTable(cfg, saved, table, p.Offset)
		case p.Offset == nil:
			entry = connector.Entry{Key: savedPosition}
		default:
			entry, err = setLog(saved, p.Offset)
		}
		if err != nil {
			return nil, refuse("%v.", err)
		}
		out = append(out, entry)
	}
	return out, nil
}

// partitionOf reads which position is meant. A member that is not known is refused: a
// misspelt "table" would otherwise name the position in the binary log.
func partitionOf(cfg connector.Config, partition map[string]any) (table string, isTable bool, err error) {
	if s, _ := partition["server"].(string); s != cfg.Get(keyPrefix) {
		return "", false, fmt.Errorf(`the partition's "server" has to be %q`, cfg.Get(keyPrefix))
	}
	for _, member := range slices.Sorted(maps.Keys(partition)) {
		switch member {
		case "server":
		case "table":
			if table, isTable = partition["table"].(string); !isTable || table == "" {
				return "", false, errors.New(`the partition's "table" has to be the name of a table`)
			}
		default:
			return "", false, fmt.Errorf(`a partition has the members "server" and "table", not %q`, clip(member))
		}
	}
	return table, isTable, nil
}

func setTable(cfg connector.Config, saved connector.Saved, table string, offset map[string]any) (connector.Entry, error) {
	key := savedTable + table
	state := &tableState{}
	if text, ok := saved[key]; ok {
		if err := json.Unmarshal(text, state); err != nil {
			return connector.Entry{}, fmt.Errorf("reading what is saved as %s: %w", key, err)
		}
	} else if tables, err := ParseTables(cfg.Get(keyTables)); err != nil || !tables.Fold().Match(table) {
		return connector.Entry{}, fmt.Errorf("%s does not name the table %q", keyTables, clip(table))
	}
	if s, _ := offset["state"].(string); s != stateDone && s != state.State {
		return connector.Entry{}, fmt.Errorf(`a table's "state" may be set to %q; null removes it, and the table is copied again`, stateDone)
	} else if s == stateDone {
		state.State, state.Frontier, state.Key = stateDone, nil, ""
	}
	return state.entry(table), nil
}

func setLog(saved connector.Saved, offset map[string]any) (connector.Entry, error) {
	p, err := readPosition(saved)
	if err != nil {
		return connector.Entry{}, err
	}
	known := p != nil
	if !known {
		p = &position{} // of whichever flavor the server is
	}
	gtid, _ := offset["gtid"].(string)
	file, _ := offset["file"].(string)
	pos, posGiven, err := wholeNumber(offset["pos"])
	if err != nil {
		return connector.Entry{}, err
	}
	switch {
	case gtid != "":
		my, errMy := parseGTIDSet(gtid)
		maria, errMaria := parseMariaSet(gtid)
		switch {
		case errMy == nil:
			p.Flavor, p.GTID = mysql.MySQLFlavor, my.String()
		case errMaria == nil:
			p.Flavor, p.GTID = mysql.MariaDBFlavor, maria.String()
		case p.Flavor == mysql.MariaDBFlavor:
			return connector.Entry{}, errMaria
		case known:
			return connector.Entry{}, errMy
		default:
			return connector.Entry{}, fmt.Errorf("%q is no GTID set: write uuid:1-5 for MySQL, 0-1-5 for MariaDB", clip(gtid))
		}
		p.Mode, p.File, p.Pos = modeGTID, file, pos
	case file != "" && posGiven:
		if _, ok := fileNumber(file); !ok {
			return connector.Entry{}, fmt.Errorf("%q is no name of a binary log: they end in a number", clip(file))
		}
		p.Mode, p.GTID, p.File, p.Pos = modeFile, "", file, max(pos, 4)
	default:
		return connector.Entry{}, fmt.Errorf(`give "gtid", or "file" and "pos"`)
	}
	p.From, p.Open, p.Partial = nil, nil, nil
	return connector.Entry{Key: savedPosition, Value: appendJSON(nil, p)}, nil
}

func wholeNumber(v any) (n uint64, given bool, err error) {
	switch v := v.(type) {
	case nil:
		return 0, false, nil
	case float64:
		if v < 0 || v != float64(uint64(v)) {
			return 0, true, fmt.Errorf(`"pos" is a whole number`)
		}
		return uint64(v), true, nil
	case string, json.Number:
		i, err := strconv.ParseUint(fmt.Sprint(v), 10, 64)
		if err != nil {
			return 0, true, fmt.Errorf(`"pos" is a whole number`)
		}
		return i, true, nil
	}
	return 0, true, fmt.Errorf(`"pos" is a whole number`)
}
