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
)

// loadUploads reads the bucket's unfinished multipart uploads.
func (s *ossStore) loadUploads(b *ossBucket) error {
	entries, err := os.ReadDir(s.path(b.name, "uploads"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		dir := s.path(b.name, "uploads", entry.Name())
		upload := &ossUpload{parts: make(map[int]*ossPart)}
		if err := readJSON(filepath.Join(dir, "upload.json"), upload); err != nil {
			if err := os.RemoveAll(dir); err != nil { // killed while it was being made or removed
				return err
			}
			continue
		}
		if err := loadParts(dir, upload); err != nil {
			return err
		}
		b.uploads[upload.ID] = upload
	}
	return nil
}

func loadParts(dir string, upload *ossUpload) error {
	return walkFiles(dir, func(path string) error {
		name := filepath.Base(path)
		number, err := strconv.Atoi(strings.TrimSuffix(name, ".json"))
		if err != nil || !strings.HasSuffix(name, ".json") {
			return nil
		}
		var part ossPart
		if err := readJSON(path, &part); err != nil {
			return err
		}
		upload.parts[number] = &part
		return nil
	})
}

func (s *ossStore) createUpload(bucket string, upload *ossUpload) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[bucket]
	if b == nil {
		return errBucketGone
	}
	upload.parts = make(map[int]*ossPart)
	if !s.discard {
		if err := writeJSON(s.path(bucket, "uploads", upload.ID, "upload.json"), upload); err != nil {
			return fmt.Errorf("beginning a multipart upload: %w", err)
		}
	}
	b.uploads[upload.ID] = upload
	return nil
}

// upload returns an unfinished upload of this object, nil when there is none.
func (s *ossStore) upload(bucket, key, id string) *ossUpload {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.uploadLocked(bucket, key, id)
}

func (s *ossStore) uploadLocked(bucket, key, id string) *ossUpload {
	if b := s.buckets[bucket]; b != nil {
		if u := b.uploads[id]; u != nil && u.Key == key && !u.completing {
			return u
		}
	}
	return nil
}

// addPart makes a received part count. Its file is renamed into place before its description is, so that a kill between
// the two leaves a description whose checksums are of the part before: the description is therefore removed first.
func (s *ossStore) addPart(bucket, key, id string, part *ossPart, from string) (found bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.uploadLocked(bucket, key, id)
	if u == nil {
		return false, nil
	}
	if !s.discard {
		name := s.path(bucket, "uploads", id, strconv.Itoa(part.Number))
		if err := os.Remove(name + ".json"); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return true, fmt.Errorf("replacing a part: %w", err)
		}
		if err := os.Rename(from, name+".part"); err != nil {
			return true, fmt.Errorf("storing a part: %w", err)
		}
		if err := writeJSON(name+".json", part); err != nil {
			return true, fmt.Errorf("storing a part: %w", err)
		}
	}
	u.parts[part.Number] = part
	return true, nil
}

func (s *ossStore) removeUpload(bucket, key, id string) (found bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.uploadLocked(bucket, key, id) == nil {
		return false, nil
	}
	return true, s.dropUploadLocked(bucket, id)
}

func (s *ossStore) dropUploadLocked(bucket, id string) error {
	delete(s.buckets[bucket].uploads, id)
	if s.discard {
		return nil
	}
	if err := os.RemoveAll(s.path(bucket, "uploads", id)); err != nil {
		return fmt.Errorf("removing a multipart upload: %w", err)
	}
	return nil
}

// beginCompletion reserves an upload, so that nobody else completes, aborts or changes it, and returns its parts in
// order of their numbers. endCompletion gives it back or removes it.
func (s *ossStore) beginCompletion(bucket, key, id string) (*ossUpload, []*ossPart) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.uploadLocked(bucket, key, id)
	if u == nil {
		return nil, nil
	}
	u.completing = true
	parts := slices.SortedFunc(maps.Values(u.parts), func(a, b *ossPart) int { return a.Number - b.Number })
	return u, parts
}

func (s *ossStore) endCompletion(bucket, id string, done bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[bucket]
	if b == nil || b.uploads[id] == nil {
		return nil
	}
	if !done {
		b.uploads[id].completing = false
		return nil
	}
	return s.dropUploadLocked(bucket, id)
}

// joinParts writes the contents of parts, one after the other, into a new blob.
func (s *ossStore) joinParts(bucket, id, blob string, parts []*ossPart) (err error) {
	if s.discard {
		return nil
	}
	path := s.blobPath(bucket, blob)
	out, err := createFile(path)
	if err != nil {
		return fmt.Errorf("joining parts: %w", err)
	}
	defer func() {
		if closeErr := out.Close(); err == nil && closeErr != nil {
			err = fmt.Errorf("joining parts: %w", closeErr)
		}
		if err != nil {
			_ = os.Remove(path)
		}
	}()
	for _, part := range parts {
		if err := appendFile(out, s.path(bucket, "uploads", id, strconv.Itoa(part.Number)+".part")); err != nil {
			return fmt.Errorf("joining part %d: %w", part.Number, err)
		}
	}
	return nil
}

func appendFile(out *os.File, path string) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	_, err = io.Copy(out, in)
	return err
}
