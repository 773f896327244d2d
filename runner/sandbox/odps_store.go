package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// The tables on disk, under one folder:
//
//	tables/<id>/table.json       a table: its names and columns
//	tables/<id>/<part>.json      a partition and its values; a table without partitions has one without values
//	tables/<id>/<part>.rows      its rows: a frame a commit, see odps_frames.go
//	sessions/<id>/session.json   an upload session that is not committed
//	sessions/<id>/<block>.<version>.<rows>.<encoding>   a block of it, as it came
//
// The IDs are random, so that any name is safe and a table made anew is another. All is in the index, read at start.

type odpsStore struct {
	dir     string
	discard bool
	log     *slog.Logger

	mu     sync.RWMutex
	tables map[odpsName]*odpsTable
}

// odpsName names a table. The schema of a project without schemas is "default".
type odpsName struct {
	Project string `json:"project"`
	Schema  string `json:"schema"`
	Table   string `json:"table"`
}

func (n odpsName) String() string {
	if n.Schema == odpsDefaultSchema {
		return n.Project + "." + n.Table
	}
	return n.Project + "." + n.Schema + "." + n.Table
}

const odpsDefaultSchema = "default"

// odpsTable is a table. Its columns are never changed in place: one more column makes another slice.
type odpsTable struct {
	odpsName
	ID         string       `json:"id"`
	Columns    []odpsColumn `json:"columns"`
	Partitions []odpsColumn `json:"partition_columns,omitempty"`
	Comment    string       `json:"comment,omitempty"`
	Lifecycle  int          `json:"lifecycle,omitempty"`
	Created    time.Time    `json:"created"`
	Altered    time.Time    `json:"altered"`

	parts map[string]*odpsPart
	specs []string // sorted keys of parts

	sessions, blocks, commits odpsWindowed
	committing                int
}

// odpsPart is a partition of a table, or the whole of one that has none.
type odpsPart struct {
	ID      string    `json:"id"`
	Values  []string  `json:"values,omitempty"`
	Created time.Time `json:"created"`

	spec     string
	path     string // of its rows
	modified time.Time
	segments []odpsSegment
	rows     int64
	bytes    int64

	appending sync.Mutex // held by what writes to path
	size      int64      // of path, up to its last whole frame
}

// odpsSegment is a block of rows in a partition's file.
type odpsSegment struct {
	offset, length int64
	rows           int64
	encoding       string
}

func openODPSStore(dir string, discard bool, log *slog.Logger) (*odpsStore, error) {
	s := &odpsStore{dir: dir, discard: discard, log: log, tables: make(map[odpsName]*odpsTable)}
	if discard {
		return s, nil
	}
	root := filepath.Join(dir, "tables")
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, fmt.Errorf("making the tables' folder: %w", err)
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, fmt.Errorf("reading the tables' folder: %w", err)
	}
	for _, entry := range entries {
		if err := s.loadTable(filepath.Join(root, entry.Name())); err != nil {
			return nil, fmt.Errorf("reading table %s: %w", entry.Name(), err)
		}
	}
	return s, nil
}

func (s *odpsStore) loadTable(dir string) error {
	t := &odpsTable{parts: make(map[string]*odpsPart)}
	if err := readJSON(filepath.Join(dir, "table.json"), t); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return os.RemoveAll(dir) // killed while it was being made or dropped: there is no table
		}
		return err
	}
	for _, list := range [][]odpsColumn{t.Columns, t.Partitions} {
		for i := range list {
			if err := list[i].resolve(); err != nil {
				return err
			}
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	known := make(map[string]bool)
	for _, entry := range entries {
		name := entry.Name()
		if name == "table.json" || filepath.Ext(name) != ".json" {
			continue
		}
		p := &odpsPart{}
		if err := readJSON(filepath.Join(dir, name), p); err != nil {
			return err
		}
		if len(p.Values) != len(t.Partitions) {
			return fmt.Errorf("partition %s has %d values and the table %d partition columns", name, len(p.Values), len(t.Partitions))
		}
		p.spec, p.path, p.modified = t.spec(p.Values), filepath.Join(dir, p.ID+".rows"), p.Created
		t.parts[p.spec] = p
		t.specs = append(t.specs, p.spec)
		known[p.ID] = true
	}
	for _, entry := range entries { // what a kill left of a dropped partition or of a file being written
		if id, ok := strings.CutSuffix(entry.Name(), ".rows"); filepath.Ext(entry.Name()) == ".tmp" || ok && !known[id] {
			if err := os.Remove(filepath.Join(dir, entry.Name())); err != nil {
				return err
			}
		}
	}
	slices.Sort(t.specs)
	s.tables[t.odpsName] = t
	return nil
}

// spec writes partition values as "pt=1/region=x", the form that names a partition in the index.
func (t *odpsTable) spec(values []string) string {
	var b strings.Builder
	for i, value := range values {
		if i > 0 {
			b.WriteByte('/')
		}
		b.WriteString(t.Partitions[i].Name + "=" + value)
	}
	return b.String()
}

func (t *odpsTable) dir(s *odpsStore) string { return filepath.Join(s.dir, "tables", t.ID) }

func (s *odpsStore) table(name odpsName) *odpsTable {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.tables[name]
}

// part returns a partition, nil when there is none.
func (s *odpsStore) part(t *odpsTable, spec string) *odpsPart {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return t.parts[spec]
}

// columns returns a table's columns as they are now.
func (s *odpsStore) columns(t *odpsTable) []odpsColumn {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return t.Columns
}

// createTable makes a table and tells whether there was none of its name.
func (s *odpsStore) createTable(t *odpsTable, now time.Time) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tables[t.odpsName] != nil {
		return false, nil
	}
	t.ID, t.Created, t.Altered, t.parts = randomID(), now.UTC().Round(0), now.UTC().Round(0), make(map[string]*odpsPart)
	if !s.discard {
		if err := writeJSON(filepath.Join(t.dir(s), "table.json"), t); err != nil {
			return false, fmt.Errorf("making table %s: %w", t.odpsName, err)
		}
	}
	if len(t.Partitions) == 0 {
		if _, err := s.addPart(t, nil, now); err != nil {
			return false, err
		}
	}
	s.tables[t.odpsName] = t
	return true, nil
}

// dropTable removes a table with its rows and tells whether there was one.
func (s *odpsStore) dropTable(name odpsName) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tables[name]
	if t == nil {
		return false, nil
	}
	delete(s.tables, name)
	t.parts, t.specs = map[string]*odpsPart{}, nil
	if s.discard {
		return true, nil
	}
	if err := os.Remove(filepath.Join(t.dir(s), "table.json")); err != nil {
		return true, fmt.Errorf("dropping table %s: %w", name, err)
	}
	return true, os.RemoveAll(t.dir(s))
}

// addColumns appends columns, which are null in the rows that are there.
func (s *odpsStore) addColumns(t *odpsTable, columns []odpsColumn, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := &odpsTable{odpsName: t.odpsName, ID: t.ID, Columns: slices.Concat(t.Columns, columns), Partitions: t.Partitions,
		Comment: t.Comment, Lifecycle: t.Lifecycle, Created: t.Created, Altered: now.UTC().Round(0)}
	if !s.discard {
		if err := writeJSON(filepath.Join(t.dir(s), "table.json"), changed); err != nil {
			return fmt.Errorf("changing table %s: %w", t.odpsName, err)
		}
	}
	t.Columns, t.Altered = changed.Columns, changed.Altered
	return nil
}

// createPart makes a partition and tells whether there was none.
func (s *odpsStore) createPart(t *odpsTable, values []string, now time.Time) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.parts[t.spec(values)] != nil {
		return false, nil
	}
	return s.addPart(t, values, now)
}

// addPart does so with the lock held.
func (s *odpsStore) addPart(t *odpsTable, values []string, now time.Time) (bool, error) {
	p := &odpsPart{ID: randomID(), Values: values, Created: now.UTC().Round(0), spec: t.spec(values), modified: now}
	p.path = filepath.Join(t.dir(s), p.ID+".rows")
	if !s.discard {
		if err := writeJSON(filepath.Join(t.dir(s), p.ID+".json"), p); err != nil {
			return false, fmt.Errorf("making partition %s: %w", p.spec, err)
		}
	}
	t.parts[p.spec] = p
	at, _ := slices.BinarySearch(t.specs, p.spec)
	t.specs = slices.Insert(t.specs, at, p.spec)
	return true, nil
}

// dropPart removes a partition and tells whether there was one.
func (s *odpsStore) dropPart(t *odpsTable, spec string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := t.parts[spec]
	if p == nil {
		return false, nil
	}
	delete(t.parts, spec)
	at, _ := slices.BinarySearch(t.specs, spec)
	t.specs = slices.Delete(t.specs, at, at+1)
	if s.discard {
		return true, nil
	}
	if err := os.Remove(filepath.Join(t.dir(s), p.ID+".json")); err != nil {
		return true, fmt.Errorf("dropping partition %s: %w", spec, err)
	}
	_ = os.Remove(p.path) // what stays is swept at the next start
	return true, nil
}

// odpsSnapshot is what a reader sees of a partition, whatever is committed afterwards.
type odpsSnapshot struct {
	part     *odpsPart
	columns  []odpsColumn
	segments []odpsSegment
	rows     int64
}

func (s *odpsStore) snapshot(t *odpsTable, spec string) (odpsSnapshot, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p := t.parts[spec]
	if p == nil {
		return odpsSnapshot{}, false
	}
	// Segments are only ever appended, or replaced by another slice.
	return odpsSnapshot{part: p, columns: t.Columns, segments: p.segments[:len(p.segments):len(p.segments)], rows: p.rows}, true
}

// list returns the partitions of a table by name, beginning behind after.
func (s *odpsStore) list(t *odpsTable, after string, limit int) (parts []ODPSPartition, more bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	at, found := slices.BinarySearch(t.specs, after)
	if found {
		at++
	}
	for _, spec := range t.specs[at:] {
		if len(parts) == limit {
			return parts, true
		}
		parts = append(parts, t.parts[spec].view(t))
	}
	return parts, false
}
