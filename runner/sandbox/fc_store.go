package sandbox

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"
)

// The invocations on disk: files <first>.invocations under one folder, of frames one after the other: length of the
// description and of the body, 4 bytes each, the description in JSON, the body. The oldest file goes when they are too
// many. A frame that a kill cut off ends its file; it was not answered.

// FCInvocation is an event that the stand-in accepted.
type FCInvocation struct {
	// Sequence counts invocations from 1 over restarts; it is the cursor of lists.
	Sequence int64     `json:"sequence"`
	ID       string    `json:"id"` // the request's
	Time     time.Time `json:"time"`
	// API is the version of the API that was called, "2016-08-15" (2.0) or "2023-03-30" (3.0).
	API       string `json:"api"`
	Service   string `json:"service,omitempty"` // empty of 3.0
	Function  string `json:"function"`
	Qualifier string `json:"qualifier,omitempty"` // as it was given
	Async     bool   `json:"async,omitempty"`
	// InvocationID is the ID by which an asynchronous invocation happens once, empty when none was given or looked at.
	InvocationID string `json:"invocation_id,omitempty"`
	Bytes        int64  `json:"bytes"`   // of the body
	Records      int    `json:"records"` // of a Kafka connector that are in the body
	// Status is FCSucceeded or FCFailed; FCRunning until Took has passed.
	Status    string `json:"status"`
	ErrorType string `json:"error_type,omitempty"`
	Error     string `json:"error,omitempty"` // the function's message
	// Took is how long the function ran, or will.
	Took time.Duration `json:"took,omitempty"`
}

type fcStore struct {
	dir                string
	maxBytes, maxCount int64 // negative: none

	mu       sync.RWMutex
	segments []*fcSegment
	bytes    int64
	count    int64
	last     int64 // sequence of the newest
}

// fcSegment is one file.
type fcSegment struct {
	file    *os.File
	path    string
	size    int64
	entries []fcEntry
}

type fcEntry struct {
	FCInvocation
	body int64 // offset in the file
}

const (
	fcFrameHead = 8
	fcSuffix    = ".invocations"
	// maxFCHead bounds a frame's description, so that garbage is not taken for one.
	maxFCHead = 16 << 10
)

// openFCStore reads what there is and calls visit for each.
func openFCStore(dir string, maxBytes, maxCount int64, visit func(*FCInvocation)) (*fcStore, error) {
	s := &fcStore{dir: dir, maxBytes: maxBytes, maxCount: maxCount}
	paths, err := filepath.Glob(filepath.Join(dir, "*"+fcSuffix))
	if err != nil {
		return nil, fmt.Errorf("listing invocations: %w", err)
	}
	slices.Sort(paths)
	for _, path := range paths {
		g, err := openFCSegment(path)
		if err != nil {
			s.close()
			return nil, fmt.Errorf("reading invocations of %s: %w", path, err)
		}
		s.segments = append(s.segments, g)
		s.bytes += g.size
		s.count += int64(len(g.entries))
		for i := range g.entries {
			s.last = max(s.last, g.entries[i].Sequence)
			visit(&g.entries[i].FCInvocation)
		}
	}
	return s, nil
}

func openFCSegment(path string) (*fcSegment, error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	g := &fcSegment{file: file, path: path}
	info, err := file.Stat()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	r := bufio.NewReaderSize(file, 64<<10)
	for {
		var head [fcFrameHead]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			break
		}
		n, body := int64(binary.BigEndian.Uint32(head[:4])), int64(binary.BigEndian.Uint32(head[4:]))
		if n > maxFCHead || g.size+fcFrameHead+n+body > info.Size() {
			break
		}
		description := make([]byte, n)
		var entry fcEntry
		if _, err := io.ReadFull(r, description); err != nil || json.Unmarshal(description, &entry.FCInvocation) != nil {
			break
		}
		if _, err := r.Discard(int(body)); err != nil {
			break
		}
		entry.body = g.size + fcFrameHead + n
		g.entries = append(g.entries, entry)
		g.size = entry.body + body
	}
	if err := file.Truncate(g.size); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return g, nil
}

// add keeps an invocation and numbers it.
func (s *fcStore) add(inv *FCInvocation, body []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	inv.Sequence = s.last + 1
	description, err := json.Marshal(inv)
	if err != nil {
		return fmt.Errorf("describing an invocation: %w", err)
	}
	g, err := s.segment(int64(fcFrameHead + len(description) + len(body)))
	if err != nil {
		return err
	}
	frame := make([]byte, fcFrameHead, fcFrameHead+len(description))
	binary.BigEndian.PutUint32(frame[:4], uint32(len(description)))
	binary.BigEndian.PutUint32(frame[4:], uint32(len(body)))
	frame = append(frame, description...)
	entry := fcEntry{FCInvocation: *inv, body: g.size + int64(len(frame))}
	if _, err = g.file.WriteAt(frame, g.size); err == nil {
		_, err = g.file.WriteAt(body, entry.body)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing an invocation: %w", err), g.file.Truncate(g.size))
	}
	s.last = inv.Sequence
	g.entries = append(g.entries, entry)
	size := int64(len(frame) + len(body))
	g.size += size
	s.bytes += size
	s.count++
	return s.trim()
}

// segment returns the file to write to, a new one when the last is full.
func (s *fcStore) segment(size int64) (*fcSegment, error) {
	maxSize, maxEntries := int64(64<<20), int64(1<<20)
	if s.maxBytes >= 0 {
		maxSize = min(maxSize, s.maxBytes/16)
	}
	if s.maxCount >= 0 {
		maxEntries = s.maxCount/16 + 1
	}
	if n := len(s.segments); n > 0 && s.segments[n-1].size+size <= maxSize && int64(len(s.segments[n-1].entries)) < maxEntries {
		return s.segments[n-1], nil
	}
	path := filepath.Join(s.dir, fmt.Sprintf("%020d", s.last+1)+fcSuffix)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("making a file of invocations: %w", err)
	}
	s.segments = append(s.segments, &fcSegment{file: file, path: path})
	return s.segments[len(s.segments)-1], nil
}

// trim removes the oldest files while there is too much.
func (s *fcStore) trim() error {
	for len(s.segments) > 1 && (s.maxBytes >= 0 && s.bytes > s.maxBytes || s.maxCount >= 0 && s.count > s.maxCount) {
		if err := s.dropOldest(); err != nil {
			return err
		}
	}
	return nil
}

func (s *fcStore) dropOldest() error {
	g := s.segments[0]
	s.segments = s.segments[1:]
	s.bytes -= g.size
	s.count -= int64(len(g.entries))
	if err := errors.Join(g.file.Close(), os.Remove(g.path)); err != nil {
		return fmt.Errorf("removing old invocations: %w", err)
	}
	return nil
}

// clear removes every invocation.
func (s *fcStore) clear() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.segments) > 0 {
		if err := s.dropOldest(); err != nil {
			return err
		}
	}
	return nil
}

// newest calls visit with each invocation before a sequence, newest first, until it returns false. 0 is from the end.
func (s *fcStore) newest(before int64, visit func(*fcSegment, *fcEntry) bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, g := range slices.Backward(s.segments) {
		for i := len(g.entries) - 1; i >= 0; i-- {
			if before > 0 && g.entries[i].Sequence >= before {
				continue
			}
			if !visit(g, &g.entries[i]) {
				return
			}
		}
	}
}

// get returns the oldest invocation of a sequence or behind it, and its body.
func (s *fcStore) get(sequence int64) (inv FCInvocation, body []byte, ok bool, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, g := range s.segments {
		if n := len(g.entries); n == 0 || g.entries[n-1].Sequence < sequence {
			continue
		}
		i, _ := slices.BinarySearchFunc(g.entries, sequence, func(e fcEntry, want int64) int { return int(e.Sequence - want) })
		body, err := g.read(&g.entries[i])
		return g.entries[i].FCInvocation, body, true, err
	}
	return inv, nil, false, nil
}

func (g *fcSegment) read(e *fcEntry) ([]byte, error) {
	body := make([]byte, e.Bytes)
	if _, err := g.file.ReadAt(body, e.body); err != nil {
		return nil, fmt.Errorf("reading invocation %s: %w", strconv.FormatInt(e.Sequence, 10), err)
	}
	return body, nil
}

func (s *fcStore) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.segments {
		_ = g.file.Close()
	}
	s.segments = nil
}
