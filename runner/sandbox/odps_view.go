package sandbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// What a page shows of the stand-in, and what tests ask: these calls ask the store itself, not over HTTP, and need no
// key.

// Errors of the calls that look into the tables.
var (
	ErrNoTable     = errors.New("table does not exist")
	ErrNoPartition = errors.New("partition does not exist")
	ErrNoSession   = errors.New("session does not exist")
)

// ODPSColumn is a column of a table. Type is written as in DDL, "decimal(10,2)".
type ODPSColumn struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	NotNull bool   `json:"not_null,omitempty"`
	Comment string `json:"comment,omitempty"`
}

// ODPSTable is a table as a page shows it.
type ODPSTable struct {
	Project          string       `json:"project"`
	Schema           string       `json:"schema"`
	Name             string       `json:"name"`
	Columns          []ODPSColumn `json:"columns"`
	PartitionColumns []ODPSColumn `json:"partition_columns,omitempty"`
	Partitions       int          `json:"partitions"` // how many there are; 0 of a table without partition columns
	Rows             int64        `json:"rows"`
	Bytes            int64        `json:"bytes"` // as they were uploaded, compressed or not
	Created          time.Time    `json:"created"`
	Modified         time.Time    `json:"modified"` // when rows or columns last changed
}

// ODPSPartition is a partition as a page shows it. Spec is "pt=1/region=x".
type ODPSPartition struct {
	Spec     string    `json:"spec"`
	Values   []string  `json:"values"` // in the order of the partition columns
	Rows     int64     `json:"rows"`
	Bytes    int64     `json:"bytes"`
	Created  time.Time `json:"created"`
	Modified time.Time `json:"modified"`
}

// ODPSValue is one value of a row.
type ODPSValue struct {
	Null bool `json:"null,omitempty"`
	// Text is the value as the service prints it; DATETIME and TIMESTAMP are in UTC. Of BINARY, and of STRING as it was
	// uploaded, these are the bytes, which may be no text.
	Text string `json:"text"`
	// Cut tells that Rows left out the end of a long value.
	Cut bool `json:"cut,omitempty"`
}

// ODPSRow is a row: the partition it is in, and a value for each column.
type ODPSRow struct {
	Partition string      `json:"partition,omitempty"`
	Values    []ODPSValue `json:"values"`
}

// ODPSSession is an upload session as a page shows it.
type ODPSSession struct {
	ID        string    `json:"id"`
	Project   string    `json:"project"`
	Schema    string    `json:"schema"`
	Table     string    `json:"table"`
	Partition string    `json:"partition,omitempty"`
	Status    string    `json:"status"` // NORMAL, CLOSING, CLOSED, CANCELED, EXPIRED, CRITICAL
	Blocks    int       `json:"blocks"`
	Rows      int64     `json:"rows"`
	Created   time.Time `json:"created"`
}

// maxODPSCell is how many bytes of a value Rows shows.
const maxODPSCell = 4096

func viewColumns(columns []odpsColumn) []ODPSColumn {
	list := make([]ODPSColumn, len(columns))
	for i, c := range columns {
		list[i] = ODPSColumn{c.Name, c.Type, c.NotNull, c.Comment}
	}
	return list
}

// Tables lists the tables by project, schema and name.
func (o *ODPS) Tables() []ODPSTable {
	o.store.mu.RLock()
	defer o.store.mu.RUnlock()
	list := make([]ODPSTable, 0, len(o.store.tables))
	for _, t := range o.store.tables {
		v := ODPSTable{Project: t.Project, Schema: t.Schema, Name: t.Table, Columns: viewColumns(t.Columns), PartitionColumns: viewColumns(t.Partitions), Created: t.Created, Modified: t.Altered}
		if len(t.Partitions) > 0 {
			v.Partitions = len(t.parts)
		}
		for _, p := range t.parts {
			v.Rows += p.rows
			v.Bytes += p.bytes
			if p.modified.After(v.Modified) {
				v.Modified = p.modified
			}
		}
		list = append(list, v)
	}
	slices.SortFunc(list, func(a, b ODPSTable) int {
		return strings.Compare(a.Project+"."+a.Schema+"."+a.Name, b.Project+"."+b.Schema+"."+b.Name)
	})
	return list
}

// find returns the table of a name as people write it: table, project.table or project.schema.table.
func (o *ODPS) find(table string) (*odpsTable, error) {
	name, err := odpsName{Project: strings.ToLower(o.options.Projects[0]), Schema: odpsDefaultSchema}.resolve(strings.Split(strings.ToLower(table), "."))
	if err != nil {
		return nil, fmt.Errorf("%w: %s", ErrNoTable, table)
	}
	if t := o.store.table(name); t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("%w: %s", ErrNoTable, table)
}

func (p *odpsPart) view(t *odpsTable) ODPSPartition {
	return ODPSPartition{Spec: p.spec, Values: p.Values, Rows: p.rows, Bytes: p.bytes, Created: p.Created, Modified: p.modified}
}

// Partitions lists up to limit partitions of a table by name, beginning behind after; more tells whether there are
// others. A table without partition columns has none. table is a name, with project or project and schema before it.
func (o *ODPS) Partitions(table, after string, limit int) (list []ODPSPartition, more bool, err error) {
	t, err := o.find(table)
	if err != nil || len(t.Partitions) == 0 {
		return nil, false, err
	}
	list, more = o.store.list(t, after, max(limit, 1))
	return list, more, nil
}

// Rows returns up to limit rows of a partition from the first on, in the order in which they were committed. partition
// is a Spec; of a table without partition columns it is empty. Values over 4 KiB are cut.
func (o *ODPS) Rows(ctx context.Context, table, partition string, first int64, limit int) (list []ODPSRow, err error) {
	if limit <= 0 {
		return nil, nil
	}
	err = o.each(ctx, table, partition, max(first, 0), func(row ODPSRow) (bool, error) {
		for i, v := range row.Values {
			if len(v.Text) > maxODPSCell {
				row.Values[i].Text, row.Values[i].Cut = strings.Clone(v.Text[:maxODPSCell]), true
			}
		}
		list = append(list, row)
		return len(list) < limit, nil
	})
	return list, err
}

// EachRow calls visit with every row of every partition of a table; an error of visit ends it and is returned.
func (o *ODPS) EachRow(ctx context.Context, table string, visit func(ODPSRow) error) error {
	t, err := o.find(table)
	if err != nil {
		return err
	}
	o.store.mu.RLock()
	specs := slices.Clone(t.specs)
	o.store.mu.RUnlock()
	for _, spec := range specs {
		err := o.each(ctx, table, spec, 0, func(row ODPSRow) (bool, error) { return true, visit(row) })
		if err != nil && !errors.Is(err, ErrNoPartition) { // dropped meanwhile
			return err
		}
	}
	return nil
}

func (o *ODPS) each(ctx context.Context, table, partition string, first int64, visit func(ODPSRow) (bool, error)) error {
	t, err := o.find(table)
	if err != nil {
		return err
	}
	if o.options.Discard {
		return ErrDiscarded
	}
	snapshot, ok := o.store.snapshot(t, partition)
	if !ok {
		return fmt.Errorf("%w: %s of %s", ErrNoPartition, partition, table)
	}
	return snapshot.each(first, func(r *odpsRecords) (bool, error) {
		if r.rows%1024 == 0 && ctx.Err() != nil {
			return false, ctx.Err()
		}
		row := ODPSRow{Partition: partition, Values: make([]ODPSValue, len(snapshot.columns))}
		for i := range snapshot.columns {
			if row.Values[i].Null = !r.cells[i].set; r.cells[i].set {
				row.Values[i].Text = snapshot.columns[i].t.text(&r.cells[i], time.UTC)
			}
		}
		return visit(row)
	})
}

// Requests returns up to limit of the latest requests, newest first; 0 is all that are remembered. A request's Bucket
// is the project and its Key the table with the partition.
func (o *ODPS) Requests(limit int) []Request { return o.requests.latest(limit) }

// Sessions lists the upload sessions that are remembered, newest first.
func (o *ODPS) Sessions() []ODPSSession {
	now := o.options.Now()
	var list []ODPSSession
	for _, u := range o.sessions.all() {
		if u.snapshot.part != nil {
			continue
		}
		u.mu.Lock()
		v := ODPSSession{ID: u.ID, Project: u.Name.Project, Schema: u.Name.Schema, Table: u.Name.Table, Partition: u.Spec, Status: u.state(now, o.options.SessionLife),
			Blocks: len(u.blocks), Created: u.Created}
		for _, b := range u.blocks {
			v.Rows += b.Rows
		}
		u.mu.Unlock()
		list = append(list, v)
	}
	return list
}

// SetSession gives an upload session another status, which holds until the process ends: CANCELED, EXPIRED, CRITICAL or
// CLOSING as if the service had found so, NORMAL to undo that. A session that is CLOSED stays so.
func (o *ODPS) SetSession(id, status string) error {
	switch status {
	case odpsNormal, odpsClosing, odpsCanceled, odpsExpired, odpsCritical:
	default:
		return FieldError{"status", fmt.Sprintf("%q is no status to set", clip(status, 32)), "give NORMAL, CLOSING, CANCELED, EXPIRED or CRITICAL"}
	}
	u := o.sessions.get(id)
	if u == nil {
		return fmt.Errorf("%w: %s", ErrNoSession, clip(id, 128))
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.status == odpsClosed {
		return FieldError{"status", "the session is CLOSED: its rows are in the table", "make another session"}
	}
	u.status = status
	return nil
}

// ForgetSession makes a session unknown, as the service does some time after it expired. Rows that it committed stay.
func (o *ODPS) ForgetSession(id string) {
	o.sessions.mu.Lock()
	delete(o.sessions.list, id)
	o.sessions.mu.Unlock()
	o.sessions.remove(id)
}
