package mysql

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/sluice-io/sluice/runner/connector"
)

// setPositions: of the binary log "gtid", or "file" and "pos", may be given; of a table
// "state" "done" (no copy is made, or no more of it). A null offset removes:
//
//	a table's    it is copied again, whatever snapshot.mode says; the others go on
//	the log's    what is changed until the next start is read by nobody, so that every table that was
//	             read is copied again, also those that are not named. With no_data nothing is copied
//	             unasked: each has to be named, or it is refused
//
// A table that was read is not called done while the place in the log is not known.
func setPositions(cfg connector.Config, saved connector.Saved, to []connector.SourcePosition) ([]connector.Entry, error) {
	var out []connector.Entry
	_, known := saved[savedPosition]
	removed := -1             // the item that removes the place in the log
	named := map[string]int{} // tables, by the last item that names them
	for i, p := range to {
		table, isTable, err := partitionOf(cfg, p.Partition)
		if err != nil {
			return nil, refuse(i, err)
		}
		var entry connector.Entry
		switch {
		case isTable && p.Offset == nil:
			entry, err = forgetTable(saved, table)
		case isTable:
			entry, err = setTable(cfg, saved, table, p.Offset)
		case p.Offset == nil:
			entry, known, removed = connector.Entry{Key: savedPosition}, false, i
		default:
			entry, err = setLog(saved, p.Offset)
			known, removed = true, -1
		}
		if err != nil {
			return nil, refuse(i, err)
		}
		if isTable {
			named[table] = i
		}
		out = append(out, entry)
	}
	if known {
		return out, nil
	}
	unread, err := recopyUnread(cfg, saved, to, named, removed)
	return append(out, unread...), err
}

// refuse says what is wrong with an item.
func refuse(i int, err error) error {
	return connector.FieldError{Field: fmt.Sprintf("offsets[%d]", i), Message: err.Error() + "."}
}

// recopyUnread has the tables copied again that were read and that nobody names, when the place in the log is
// not known any more; removed is the item that removes it, -1 when that was done before.
func recopyUnread(cfg connector.Config, saved connector.Saved, to []connector.SourcePosition, named map[string]int, removed int) ([]connector.Entry, error) {
	read, err := tablesRead(saved)
	if err != nil {
		return nil, err
	}
	var out []connector.Entry
	var unasked []string
	for _, table := range read {
		i, is := named[table]
		switch {
		case is && to[i].Offset != nil && to[i].Offset["state"] != stateWaiting:
			return nil, refuse(i, fmt.Errorf(`the place in the binary log is removed, so that nobody would read what is changed in %s until the next start: give the log's "gtid", or "file" and "pos", or null here, and the table is copied again`, clip(table)))
		case is || removed < 0:
		case cfg.Get(keySnapshot) == string(SnapshotNoData):
			unasked = append(unasked, table)
		default:
			entry, err := recopy(saved, table, false)
			if err != nil {
				return nil, err
			}
			out = append(out, entry)
		}
	}
	if len(unasked) > 0 {
		return nil, refuse(removed, fmt.Errorf(`with %s=%s nothing is copied unasked, so that nobody would read what is changed in %s until the next start: give "gtid", or "file" and "pos", or name each table with null too, and it is copied again`,
			keySnapshot, SnapshotNoData, list(unasked, 5)))
	}
	return out, nil
}

// tablesRead are the tables of which rows or changes were read; those that the settings leave out, and
// that are copied again should they be named, are not among them.
func tablesRead(saved connector.Saved) ([]string, error) {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(saved)) {
		table, is := strings.CutPrefix(key, savedTable)
		if !is {
			continue
		}
		state, err := savedState(saved, table)
		if err != nil {
			return nil, err
		}
		if wasRead(saved, state) && !state.Out {
			out = append(out, table)
		}
	}
	return out, nil
}

// savedState is what is saved of a table; nil when nothing is.
func savedState(saved connector.Saved, table string) (*tableState, error) {
	text, ok := saved[savedTable+table]
	if !ok {
		return nil, nil
	}
	state := &tableState{}
	if err := json.Unmarshal(text, state); err != nil {
		return nil, fmt.Errorf("reading what is saved as %s: %w", savedTable+table, err)
	}
	return state, nil
}

// wasRead tells a table that was read from one whose state was set before the first start.
func wasRead(saved connector.Saved, state *tableState) bool {
	_, started := saved[savedPosition]
	return started || state.Run > 0
}

// isForgotten tells of what is saved of a table whether an operator has removed it.
func isForgotten(value []byte) bool {
	var state tableState
	return json.Unmarshal(value, &state) == nil && state.Forgotten
}

// forgetTable removes a table's state. Of one that was read it leaves how often it was copied, and that
// readers have rows of it.
func forgetTable(saved connector.Saved, table string) (connector.Entry, error) {
	state, err := savedState(saved, table)
	if err != nil || state == nil || !wasRead(saved, state) {
		return connector.Entry{Key: savedTable + table}, err
	}
	return recopy(saved, table, true)
}

// recopy has a table copied again at the next start.
func recopy(saved connector.Saved, table string, forgotten bool) (connector.Entry, error) {
	state, err := savedState(saved, table)
	if err != nil {
		return connector.Entry{}, err
	}
	state.copyAgain()
	state.Forgotten = state.Forgotten || forgotten
	return state.entry(table), nil
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
	state, err := savedState(saved, table)
	if err != nil {
		return connector.Entry{}, err
	}
	if state == nil {
		if tables, err := ParseTables(cfg.Get(keyTables)); err != nil || !tables.Fold().Match(table) {
			return connector.Entry{}, fmt.Errorf("%s does not name the table %q", keyTables, clip(table))
		}
		state = &tableState{}
	}
	if s, _ := offset["state"].(string); s != stateDone && s != state.State {
		return connector.Entry{}, fmt.Errorf(`a table's "state" may be set to %q; null removes it, and the table is copied again`, stateDone)
	} else if s == stateDone {
		state.State, state.Frontier, state.Key, state.Forgotten = stateDone, nil, "", false
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
		p = &position{Sequence: firstSequence(time.Now())} // of whichever flavor the server is
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
