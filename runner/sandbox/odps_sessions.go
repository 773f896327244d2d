package sandbox

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// States of sessions, as the service names them.
const (
	odpsNormal   = "NORMAL"
	odpsClosing  = "CLOSING"
	odpsClosed   = "CLOSED"
	odpsCanceled = "CANCELED"
	odpsExpired  = "EXPIRED"
	odpsCritical = "CRITICAL"
)

// odpsSession is an upload or download session.
type odpsSession struct {
	ID        string    `json:"id"`
	Name      odpsName  `json:"name"`
	TableID   string    `json:"table_id"`
	PartID    string    `json:"part_id"`
	Spec      string    `json:"spec,omitempty"`
	Overwrite bool      `json:"overwrite,omitempty"`
	Created   time.Time `json:"created"`

	table    *odpsTable
	part     *odpsPart
	columns  []odpsColumn
	snapshot odpsSnapshot // of a download

	mu      sync.Mutex
	status  string
	blocks  map[int]*odpsBlock
	version int // of the latest block
	rows    int64
}

// odpsBlock is an uploaded block that is whole and checked.
type odpsBlock struct {
	odpsFrameBlock
	version int
	path    string
	created time.Time
}

// state returns the session's status, which time may have changed. The caller holds mu.
func (u *odpsSession) state(now time.Time, life time.Duration) string {
	if u.status == odpsNormal && now.Sub(u.Created) >= life {
		u.status = odpsExpired
	}
	return u.status
}

// blockList returns the blocks by number. The caller holds mu.
func (u *odpsSession) blockList() []*odpsBlock {
	ids := slices.Sorted(maps.Keys(u.blocks))
	list := make([]*odpsBlock, len(ids))
	for i, id := range ids {
		list[i] = u.blocks[id]
	}
	return list
}

// odpsSessions are the sessions of both kinds that are remembered: twice as long as they live.
type odpsSessions struct {
	dir  string // empty: nothing is kept
	mu   sync.Mutex
	list map[string]*odpsSession
	next time.Time // when to look for what may be forgotten
}

func (s *odpsSessions) get(id string) *odpsSession {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.list[id]
}

func (s *odpsSessions) all() []*odpsSession {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := slices.Collect(maps.Values(s.list))
	slices.SortFunc(list, func(a, b *odpsSession) int {
		if c := b.Created.Compare(a.Created); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return list
}

// add remembers a session, on disk too unless it is a download, and forgets old ones.
func (s *odpsSessions) add(u *odpsSession, keep bool, now time.Time, life time.Duration) error {
	if keep && s.dir != "" {
		if err := writeJSON(filepath.Join(s.dir, u.ID, "session.json"), u); err != nil {
			return fmt.Errorf("keeping session: %w", err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list[u.ID] = u
	if now.Before(s.next) {
		return nil
	}
	s.next = now.Add(life / 100)
	for id, old := range s.list {
		if now.Sub(old.Created) > 2*life {
			delete(s.list, id)
			s.remove(id)
		}
	}
	return nil
}

// remove forgets what is on disk of a session. What stays is looked at by the next start.
func (s *odpsSessions) remove(id string) {
	if s.dir != "" {
		_ = os.RemoveAll(filepath.Join(s.dir, id))
	}
}

// load reads the sessions that were not committed. closed are those that were, from the partitions' files.
func (s *odpsSessions) load(store *odpsStore, closed map[string]*odpsSession, now time.Time, life time.Duration) error {
	for id, u := range closed {
		if now.Sub(u.Created) <= 2*life {
			s.list[id] = u
		}
	}
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		u := &odpsSession{status: odpsNormal, blocks: make(map[int]*odpsBlock)}
		err := readJSON(filepath.Join(s.dir, entry.Name(), "session.json"), u)
		if closed[entry.Name()] != nil || errors.Is(err, fs.ErrNotExist) || err == nil && now.Sub(u.Created) > 2*life {
			s.remove(entry.Name())
			continue
		}
		if err != nil {
			return err
		}
		if u.table = store.table(u.Name); u.table != nil {
			u.part, u.columns = store.part(u.table, u.Spec), store.columns(u.table)
		}
		if u.part == nil || u.table.ID != u.TableID || u.part.ID != u.PartID {
			u.status = odpsCritical // what it was about is gone
		}
		if err := u.loadBlocks(filepath.Join(s.dir, u.ID)); err != nil {
			return err
		}
		s.list[u.ID] = u
	}
	return nil
}

// loadBlocks reads the names of the blocks that were whole; of a number the latest counts.
func (u *odpsSession) loadBlocks(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		if strings.HasSuffix(entry.Name(), ".tmp") {
			if err := os.Remove(path); err != nil {
				return err
			}
			continue
		}
		b, ok := parseBlockName(entry.Name())
		if !ok {
			continue
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		b.path, b.Length, b.created = path, info.Size(), info.ModTime()
		if old := u.blocks[b.ID]; old == nil || old.version < b.version {
			u.blocks[b.ID] = b
		}
		u.version = max(u.version, b.version)
	}
	return nil
}

func (b *odpsBlock) name() string {
	return fmt.Sprintf("%d.%d.%d.%s", b.ID, b.version, b.Rows, b.Encoding)
}

func parseBlockName(name string) (*odpsBlock, bool) {
	parts := strings.SplitN(name, ".", 4)
	if len(parts) != 4 {
		return nil, false
	}
	id, err1 := strconv.Atoi(parts[0])
	version, err2 := strconv.Atoi(parts[1])
	rows, err3 := strconv.ParseInt(parts[2], 10, 64)
	if err1 != nil || err2 != nil || err3 != nil {
		return nil, false
	}
	return &odpsBlock{odpsFrameBlock: odpsFrameBlock{ID: id, Rows: rows, Encoding: parts[3]}, version: version}, true
}

// commit makes the rows of the session's blocks visible, all at once. The session is CLOSING, so that nobody else
// touches its blocks.
func (s *odpsStore) commit(u *odpsSession, now time.Time) error {
	frame := &odpsFrame{Session: u.ID, Created: u.Created, Committed: now.UTC().Round(0), Overwrite: u.Overwrite}
	blocks := u.blockList()
	for _, b := range blocks {
		frame.Blocks = append(frame.Blocks, b.odpsFrameBlock)
	}
	p := u.part
	p.appending.Lock()
	defer p.appending.Unlock()
	var data, end int64
	if !s.discard {
		s.mu.RLock()
		there := u.table.parts[u.Spec] == p
		s.mu.RUnlock()
		if !there {
			return errODPSGone
		}
		var err error
		data, end, err = p.append(frame, func(b odpsFrameBlock) (io.ReadCloser, error) { return os.Open(u.blocks[b.ID].path) })
		if err != nil {
			return fmt.Errorf("committing session %s: %w", u.ID, err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if u.table.parts[u.Spec] != p || s.tables[u.Name] != u.table {
		return errODPSGone
	}
	p.add(frame, data, end)
	for _, b := range blocks {
		u.rows += b.Rows
	}
	return nil
}

// errODPSGone says that the table or partition of a session was dropped, or made anew.
var errODPSGone = errors.New("table or partition was dropped")

// odpsWindowed counts events of the latest while.
type odpsWindowed struct {
	mu    sync.Mutex
	times []time.Time
}

// take counts one more event unless that would make more than limit within the period; a negative limit is none.
func (w *odpsWindowed) take(now time.Time, period time.Duration, limit int) bool {
	if limit < 0 {
		return true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	old := 0
	for old < len(w.times) && now.Sub(w.times[old]) >= period {
		old++
	}
	w.times = slices.Delete(w.times, 0, old)
	if len(w.times) >= limit {
		return false
	}
	w.times = append(w.times, now)
	return true
}
