package sandbox

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// maxFCIDs is how many invocation IDs are remembered at most; beyond it the oldest are forgotten.
const maxFCIDs = 1 << 20

// fcID names an invocation ID of a function: the beginning of its SHA-256.
type fcID [16]byte

func fcKey(service, function, id string) fcID {
	sum := sha256.Sum256([]byte(service + "/" + function + "/" + id))
	return fcID(sum[:16])
}

// fcIDs are the invocation IDs that were accepted, in memory and, when opened, in the file "ids" of a folder: a line
// each of hash and time in milliseconds. The file may lack the last ones, which are in the store then.
type fcIDs struct {
	life time.Duration

	mu    sync.Mutex
	seen  map[fcID]int64 // when, in milliseconds
	order []fcID         // oldest first, as far as times did not go back
	file  *os.File
	path  string
	lines int // of file
}

func newFCIDs(life time.Duration) *fcIDs { return &fcIDs{life: life, seen: make(map[fcID]int64)} }

// known notes an ID that was accepted at a time, unless that is too long ago.
func (s *fcIDs) known(id fcID, at, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(at) < s.life {
		s.note(id, at.UnixMilli())
	}
}

func (s *fcIDs) note(id fcID, at int64) {
	if _, ok := s.seen[id]; !ok {
		s.order = append(s.order, id)
	}
	s.seen[id] = at
}

// open reads the file of a folder, adds what it knows already, and writes the file anew.
func (s *fcIDs) open(dir string, now time.Time) error {
	s.path = filepath.Join(dir, "ids")
	data, err := os.ReadFile(s.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading invocation IDs: %w", err)
	}
	for line := range bytes.Lines(data) {
		var id fcID
		if len(line) < 34 || line[len(line)-1] != '\n' {
			continue // cut off by a kill
		}
		if _, err := hex.Decode(id[:], line[:32]); err != nil {
			continue
		}
		at, err := strconv.ParseInt(string(line[33:len(line)-1]), 10, 64)
		if err != nil {
			continue
		}
		s.known(id, time.UnixMilli(at), now)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rewrite()
}

// rewrite writes the file anew with what is remembered.
func (s *fcIDs) rewrite() error {
	file, err := os.OpenFile(s.path+".tmp", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("writing invocation IDs: %w", err)
	}
	w := bufio.NewWriter(file)
	for _, id := range s.order {
		_, _ = w.Write(appendFCID(nil, id, s.seen[id])) // Flush tells
	}
	err = errors.Join(w.Flush(), os.Rename(s.path+".tmp", s.path))
	if err != nil {
		return errors.Join(fmt.Errorf("writing invocation IDs: %w", err), file.Close())
	}
	if s.file != nil {
		_ = s.file.Close()
	}
	s.file, s.lines = file, len(s.order)
	return nil
}

func appendFCID(b []byte, id fcID, at int64) []byte {
	b = append(hex.AppendEncode(b, id[:]), ' ')
	return append(strconv.AppendInt(b, at, 10), '\n')
}

// add remembers an ID and tells whether it is new.
func (s *fcIDs) add(id fcID, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, ok := s.seen[id]; ok && now.UnixMilli()-at < s.life.Milliseconds() {
		return false
	}
	s.expire(now)
	s.note(id, now.UnixMilli())
	return true
}

// expire forgets what is too old or too much.
func (s *fcIDs) expire(now time.Time) {
	drop := 0
	for drop < len(s.order) && (len(s.order)-drop >= maxFCIDs || now.UnixMilli()-s.seen[s.order[drop]] >= s.life.Milliseconds()) {
		delete(s.seen, s.order[drop])
		drop++
	}
	s.order = s.order[drop:]
}

// written puts an ID into the file, once its invocation is kept; what is new in memory only dies with the process.
func (s *fcIDs) written(id fcID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return nil
	}
	if s.lines > 4096 && s.lines > 2*len(s.order) {
		return s.rewrite()
	}
	s.lines++
	var line [64]byte
	if _, err := s.file.Write(appendFCID(line[:0], id, s.seen[id])); err != nil {
		return fmt.Errorf("writing an invocation ID: %w", err)
	}
	return nil
}

// forget takes an ID back whose invocation could not be kept.
func (s *fcIDs) forget(id fcID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.order); n > 0 && s.order[n-1] == id {
		s.order = s.order[:n-1]
		delete(s.seen, id)
		return
	}
	s.seen[id] = 0 // stands in order still; too old for anybody
}

// when tells whether an ID was accepted, and when.
func (s *fcIDs) when(id fcID, now time.Time) (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.seen[id]
	return time.UnixMilli(at), ok && now.UnixMilli()-at < s.life.Milliseconds()
}

func (s *fcIDs) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.seen)
}

func (s *fcIDs) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file != nil {
		_ = s.file.Close()
		s.file = nil
	}
}
