package mysql

import (
	"log/slog"
	"slices"
)

// Tables of which changes were not read: the settings left them out for a while, or had them copied
// and not followed. They are copied again before they are followed.

// letGo lets the tables go that the settings do not name, and returns the states of those that
// they name again.
func (r *reader) letGo() (left map[string]tableState) {
	left = map[string]tableState{}
	r.names = slices.DeleteFunc(r.names, func(name string) bool {
		t := r.tables[name]
		switch {
		case r.set.Tables.Match(name) && !t.state.Out:
			return false
		case r.set.Tables.Match(name):
			left[name] = t.state
		case !t.state.Out:
			t.state.Out = true
			r.touch(t)
			r.out.Log(slog.LevelInfo, "A table is not read any more: the settings do not name it.", map[string]string{"table": name, "topic": t.state.Topic})
		}
		delete(r.tables, name)
		return true
	})
	return left
}

// followed has the tables copied again that were copied and not followed, when the mode is another now.
func (r *reader) followed() {
	only := r.set.Snapshot == SnapshotInitialOnly
	for _, name := range r.names {
		t := r.tables[name]
		if t.state.Only == only {
			continue
		}
		t.state.Only = only
		r.touch(t)
		if !only {
			r.out.Log(slog.LevelInfo, "A table was copied and not followed; now it is followed, and copied again for what was changed between.", map[string]string{"table": name, "topic": t.state.Topic})
			r.copyAgain(t)
		}
	}
}

// comesBack goes on with a table that was let go once: readers have rows of it.
func (r *reader) comesBack(t *table, old tableState) {
	t.state.Run = old.Run + 1
	t.state.Again = t.state.State != stateDone
	if old.Partitions > 0 && old.Topic == t.state.Topic {
		t.state.Partitions = old.Partitions
	}
	t.header()
	r.touch(t)
}
