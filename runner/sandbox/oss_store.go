package sandbox

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// The object store on disk, under one folder:
//
//	<bucket>/bucket.json                 when it was made
//	<bucket>/blobs/<2 hex>/<id>          contents, under random names
//	<bucket>/meta/<2 hex>/<62 hex>.json  an object: its name, headers, checksums and the blob that is its content
//	<bucket>/uploads/<id>/               an unfinished multipart upload: upload.json, and of each part N.part and N.json
//
// A metadata file's name is the SHA-256 of the object's name, so that any name is safe. Renaming the metadata file into
// place is the act that makes an object appear: a kill before it leaves a blob that nothing names, which the next start
// removes. The index is kept in memory and read anew at start.

type ossStore struct {
	dir     string
	discard bool

	mu      sync.RWMutex
	buckets map[string]*ossBucket
}

type ossBucket struct {
	name    string
	created time.Time
	objects map[string]*ossObject
	keys    []string // sorted names of objects
	uploads map[string]*ossUpload
	bytes   int64
}

// ossObject is an object's metadata. It is never changed once it is in the index.
type ossObject struct {
	Key      string            `json:"key"`
	Size     int64             `json:"size"`
	ETag     string            `json:"etag"` // without quotation marks
	CRC64    uint64            `json:"crc64"`
	HasCRC   bool              `json:"has_crc"`
	Type     string            `json:"type"` // Normal or Multipart
	Modified time.Time         `json:"modified"`
	Headers  map[string]string `json:"headers,omitempty"` // content headers and x-oss-meta-*, canonical names
	Blob     string            `json:"blob"`
}

type ossUpload struct {
	ID        string            `json:"id"`
	Key       string            `json:"key"`
	Initiated time.Time         `json:"initiated"`
	Headers   map[string]string `json:"headers,omitempty"`

	parts      map[int]*ossPart
	completing bool
}

type ossPart struct {
	Number   int       `json:"number"`
	Size     int64     `json:"size"`
	ETag     string    `json:"etag"`
	CRC64    uint64    `json:"crc64"`
	HasCRC   bool      `json:"has_crc"`
	Modified time.Time `json:"modified"`
}

// openOSSStore reads what is in dir, making it when it is missing. With discard nothing touches the disk: names, sizes
// and checksums are kept in memory, contents nowhere.
func openOSSStore(dir string, discard bool) (*ossStore, error) {
	s := &ossStore{dir: dir, discard: discard, buckets: make(map[string]*ossBucket)}
	if discard {
		return s, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the object store's folder: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("reading the object store's folder: %w", err)
	}
	for _, entry := range entries {
		if !entry.IsDir() || !validBucketName(entry.Name()) {
			continue
		}
		if err := s.loadBucket(entry.Name()); err != nil {
			return nil, fmt.Errorf("reading bucket %s: %w", entry.Name(), err)
		}
	}
	return s, nil
}

func newOSSBucket(name string, created time.Time) *ossBucket {
	return &ossBucket{name: name, created: created, objects: make(map[string]*ossObject), uploads: make(map[string]*ossUpload)}
}

func (s *ossStore) loadBucket(name string) error {
	var made struct {
		Created time.Time `json:"created"`
	}
	if err := readJSON(s.path(name, "bucket.json"), &made); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // killed while it was being made or removed: there is no bucket
		}
		return err
	}
	b := newOSSBucket(name, made.Created)
	blobs := make(map[string]bool)
	err := walkFiles(s.path(name, "meta"), func(path string) error {
		if filepath.Ext(path) != ".json" {
			return os.Remove(path) // the temporary file of a kill
		}
		var object ossObject
		if err := readJSON(path, &object); err != nil {
			return err
		}
		b.objects[object.Key] = &object
		b.keys = append(b.keys, object.Key)
		b.bytes += object.Size
		blobs[object.Blob] = true
		return nil
	})
	if err != nil {
		return err
	}
	slices.Sort(b.keys)
	err = walkFiles(s.path(name, "blobs"), func(path string) error {
		if !blobs[filepath.Base(path)] {
			return os.Remove(path)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := s.loadUploads(b); err != nil {
		return err
	}
	s.buckets[name] = b
	return nil
}

func (s *ossStore) path(bucket string, parts ...string) string {
	return filepath.Join(append([]string{s.dir, bucket}, parts...)...)
}

// metaPath is where an object's metadata is: a path made of hexadecimal digits only, whatever the name.
func (s *ossStore) metaPath(bucket, key string) string {
	sum := sha256.Sum256([]byte(key))
	name := hex.EncodeToString(sum[:])
	return s.path(bucket, "meta", name[:2], name[2:]+".json")
}

func (s *ossStore) blobPath(bucket, id string) string { return s.path(bucket, "blobs", id[:2], id) }

func (s *ossStore) createBucket(name string, now time.Time) error {
	now = now.UTC().Round(0)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buckets[name] != nil {
		return nil
	}
	if !s.discard {
		if err := os.MkdirAll(s.path(name), 0o700); err != nil {
			return fmt.Errorf("making bucket %s: %w", name, err)
		}
		if err := writeJSON(s.path(name, "bucket.json"), map[string]any{"created": now}); err != nil {
			return fmt.Errorf("making bucket %s: %w", name, err)
		}
	}
	s.buckets[name] = newOSSBucket(name, now)
	return nil
}

// deleteBucket removes an empty bucket.
func (s *ossStore) deleteBucket(name string) (existed, empty bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[name]
	if b == nil {
		return false, false, nil
	}
	if len(b.objects) > 0 || len(b.uploads) > 0 {
		return true, false, nil
	}
	delete(s.buckets, name)
	if s.discard {
		return true, true, nil
	}
	if err := os.Remove(s.path(name, "bucket.json")); err != nil {
		return true, true, fmt.Errorf("removing bucket %s: %w", name, err)
	}
	return true, true, os.RemoveAll(s.path(name))
}

func (s *ossStore) hasBucket(name string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.buckets[name] != nil
}

// object returns an object's metadata, nil when there is none.
func (s *ossStore) object(bucket, key string) (o *ossObject, bucketExists bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b := s.buckets[bucket]
	if b == nil {
		return nil, false
	}
	return b.objects[key], true
}

var errObjectExists = errors.New("object exists already")
var errBucketGone = errors.New("bucket does not exist")

// commit makes an object appear, in place of one of the same name unless keepOld: then errObjectExists.
func (s *ossStore) commit(bucket string, object *ossObject, keepOld bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[bucket]
	if b == nil {
		return errBucketGone
	}
	old := b.objects[object.Key]
	if old != nil && keepOld {
		return errObjectExists
	}
	if !s.discard {
		if err := writeJSON(s.metaPath(bucket, object.Key), object); err != nil {
			return fmt.Errorf("writing metadata: %w", err)
		}
		if old != nil {
			_ = os.Remove(s.blobPath(bucket, old.Blob)) // what stays is swept at the next start
		}
	}
	if old == nil {
		at, _ := slices.BinarySearch(b.keys, object.Key)
		b.keys = slices.Insert(b.keys, at, object.Key)
	} else {
		b.bytes -= old.Size
	}
	b.objects[object.Key] = object
	b.bytes += object.Size
	return nil
}

// remove deletes an object; one that is not there is no error.
func (s *ossStore) remove(bucket, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[bucket]
	if b == nil {
		return errBucketGone
	}
	object := b.objects[key]
	if object == nil {
		return nil
	}
	if !s.discard {
		if err := os.Remove(s.metaPath(bucket, key)); err != nil {
			return fmt.Errorf("removing metadata: %w", err)
		}
		_ = os.Remove(s.blobPath(bucket, object.Blob)) // what stays is swept at the next start
	}
	delete(b.objects, key)
	b.bytes -= object.Size
	at, _ := slices.BinarySearch(b.keys, key)
	b.keys = slices.Delete(b.keys, at, at+1)
	return nil
}

// validBucketName is the service's rule: 3 to 63 lower-case letters, digits and hyphens, no hyphen at either end.
func validBucketName(name string) bool {
	if len(name) < 3 || len(name) > 63 || strings.HasPrefix(name, "-") || strings.HasSuffix(name, "-") {
		return false
	}
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

func randomID() string {
	var raw [16]byte
	_, _ = rand.Read(raw[:]) // never fails
	return strings.ToUpper(hex.EncodeToString(raw[:]))
}

func readJSON(path string, v any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	return nil
}

// writeJSON writes v beside path and renames it into place, making the folder when it is missing.
func writeJSON(path string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	temporary := path + ".tmp"
	err = os.WriteFile(temporary, data, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(path), 0o700); err == nil {
			err = os.WriteFile(temporary, data, 0o600)
		}
	}
	if err != nil {
		return err
	}
	return os.Rename(temporary, path)
}

// walkFiles calls visit for each file below dir, which may be missing.
func walkFiles(dir string, visit func(path string) error) error {
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		return visit(path)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
