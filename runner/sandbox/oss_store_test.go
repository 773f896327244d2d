package sandbox

import (
	"bytes"
	"context"
	"fmt"
	"hash/crc64"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"
)

func TestOSSRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := startOSS(t, OSSOptions{Dir: dir})
	bucket := sdkBucket(t, o)
	for _, key := range hardKeys {
		must(t, bucket.PutObject(key, strings.NewReader("old of "+key)))
		must(t, bucket.PutObject(key, strings.NewReader("content of "+key), oss.ContentType("text/plain")))
	}
	must(t, bucket.PutObject("deleted", strings.NewReader("x")))
	must(t, bucket.DeleteObject("deleted"))
	upload, err := bucket.InitiateMultipartUpload("multi", oss.ContentType("text/x"))
	must(t, err)
	first, err := bucket.UploadPart(upload, bytes.NewReader(make([]byte, minPartBytes)), minPartBytes, 1)
	must(t, err)
	before := o.Buckets()
	must(t, o.Close())

	o = startOSS(t, OSSOptions{Dir: dir})
	bucket = sdkBucket(t, o)
	if after := o.Buckets(); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("buckets %+v, before %+v", after, before)
	}
	for _, key := range hardKeys {
		r, err := bucket.GetObject(key)
		if got := string(readAll(t, r, err)); got != "content of "+key {
			t.Errorf("%q is %q", key, got)
		}
	}
	upload.Bucket = DefaultBucket
	second, err := bucket.UploadPart(upload, strings.NewReader("end"), 3, 2)
	must(t, err)
	_, err = bucket.CompleteMultipartUpload(upload, []oss.UploadPart{first, second})
	must(t, err)
	h, err := bucket.GetObjectDetailedMeta("multi")
	must(t, err)
	if h.Get("Content-Length") != fmt.Sprint(minPartBytes+3) || h.Get("Content-Type") != "text/x" {
		t.Errorf("headers %v", h)
	}
	if n := countFiles(t, dir, "blobs"); n != len(hardKeys)+1 {
		t.Errorf("%d files of contents for %d objects", n, len(hardKeys)+1)
	}
}

func countFiles(t *testing.T, dir, below string) (count int) {
	t.Helper()
	must(t, walkFiles(filepath.Join(dir, DefaultBucket, below), func(string) error { count++; return nil }))
	return count
}

// TestOSSKill: what was acknowledged before a kill is there after it, whole; what was not is there whole or not at all.
func TestOSSKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	url, kill := startHelper(t, "oss", dir)
	client, err := oss.New(url, DefaultKey, DefaultKey)
	must(t, err)
	bucket, _ := client.Bucket(DefaultBucket)
	content := func(key string) []byte { return bytes.Repeat([]byte(key), 20_000) }
	var acknowledged sync.Map
	var done sync.WaitGroup
	var count atomic.Int64
	for worker := range 4 {
		done.Go(func() {
			for i := 0; ; i++ {
				key := fmt.Sprintf("w%d/%05d", worker, i)
				if bucket.PutObject(key, bytes.NewReader(content(key))) != nil {
					return
				}
				acknowledged.Store(key, true)
				count.Add(1)
			}
		})
	}
	eventually(t, "200 objects", func() bool { return count.Load() > 200 })
	kill()
	done.Wait()

	o := startOSS(t, OSSOptions{Dir: dir})
	after := sdkBucket(t, o)
	acknowledged.Range(func(key, _ any) bool {
		if exists, err := after.IsObjectExist(key.(string)); err != nil || !exists {
			t.Errorf("%s is gone: %v", key, err)
		}
		return true
	})
	list, _, err := o.Objects(DefaultBucket, "", "", 100_000)
	must(t, err)
	for _, object := range list {
		r, err := after.GetObject(object.Key)
		if got := readAll(t, r, err); !bytes.Equal(got, content(object.Key)) {
			t.Errorf("%s is torn", object.Key)
		}
	}
	if files := countFiles(t, dir, "blobs"); files != len(list) {
		t.Errorf("%d files of contents for %d objects", files, len(list))
	}
}

// TestOSSForbidOverwriteRace: of many that put one name at once exactly one succeeds.
func TestOSSForbidOverwriteRace(t *testing.T) {
	t.Parallel()
	o := startOSS(t, OSSOptions{})
	var won atomic.Int64
	var done sync.WaitGroup
	for i := range 20 {
		done.Go(func() {
			bucket := sdkBucket(t, o)
			if bucket.PutObject("one", strings.NewReader(fmt.Sprint(i)), oss.ForbidOverWrite(true)) == nil {
				won.Add(1)
			}
		})
	}
	done.Wait()
	if won.Load() != 1 {
		t.Errorf("%d succeeded", won.Load())
	}
}

func TestOSSDiscard(t *testing.T) {
	t.Parallel()
	for _, skip := range []bool{false, true} {
		o := startOSS(t, OSSOptions{Discard: true, SkipCRC: skip})
		bucket := sdkBucket(t, o, oss.EnableMD5(true))
		must(t, bucket.PutObject("a", strings.NewReader("12345")))
		wantCode(t, bucket.PutObject("a", strings.NewReader("12345"), oss.ForbidOverWrite(true)), 409, "FileAlreadyExists")
		h, err := bucket.GetObjectDetailedMeta("a")
		must(t, err)
		if h.Get("Content-Length") != "5" || (h.Get("x-oss-hash-crc64ecma") == "") != skip {
			t.Errorf("headers %v", h)
		}
		_, err = bucket.GetObject("a")
		wantCode(t, err, 501, "NotImplemented")
		if _, err := o.Preview(context.Background(), DefaultBucket, "a", 10); err != ErrDiscarded {
			t.Errorf("preview: %v", err)
		}
		upload, err := bucket.InitiateMultipartUpload("m")
		must(t, err)
		part, err := bucket.UploadPart(upload, strings.NewReader("12"), 2, 1)
		must(t, err)
		_, err = bucket.CompleteMultipartUpload(upload, []oss.UploadPart{part})
		must(t, err)
		if stats := o.Stats(); stats.Objects != 2 || stats.Bytes != 7 {
			t.Errorf("stats %+v", stats)
		}
	}
}

func TestOSSOptionsRefused(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]OSSOptions{
		"no folder":     {Addr: "127.0.0.1:0"},
		"public":        {Addr: "0.0.0.0:0", Discard: true},
		"any interface": {Addr: ":0", Discard: true},
		"name":          {Addr: "example.org:0", Discard: true},
		"no port":       {Addr: "127.0.0.1", Discard: true},
		"bad port":      {Addr: "127.0.0.1:99999", Discard: true},
		"bad bucket":    {Addr: "127.0.0.1:0", Discard: true, Buckets: []string{"../x"}},
		"bad key":       {Addr: "127.0.0.1:0", Discard: true, Keys: []AccessKey{{}}},
	} {
		if o, err := StartOSS(context.Background(), options); err == nil {
			t.Errorf("%s: started", name)
			_ = o.Close()
		}
	}
	dir := t.TempDir()
	startOSS(t, OSSOptions{Dir: dir})
	if _, err := StartOSS(context.Background(), OSSOptions{Addr: "127.0.0.1:0", Dir: dir}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("two on one folder: %v", err)
	}
}

func TestCombineCRC64(t *testing.T) {
	t.Parallel()
	table := crc64.MakeTable(crc64.ECMA)
	for range 200 {
		a, b := make([]byte, rand.IntN(300)), make([]byte, rand.IntN(3000))
		for i := range a {
			a[i] = byte(rand.Uint32())
		}
		for i := range b {
			b[i] = byte(rand.Uint32())
		}
		want := crc64.Checksum(append(bytes.Clone(a), b...), table)
		if got := combineCRC64(crc64.Checksum(a, table), crc64.Checksum(b, table), int64(len(b))); got != want {
			t.Fatalf("combined %x, want %x (%d + %d bytes)", got, want, len(a), len(b))
		}
	}
}

// FuzzMetaPath: any name's file is inside the bucket's folder, and the names of two objects are never in one file.
func FuzzMetaPath(f *testing.F) {
	for _, key := range hardKeys {
		f.Add(key, "other")
	}
	f.Add("../../../x", "..\\..\\x")
	f.Fuzz(func(t *testing.T, a, b string) {
		s := &ossStore{dir: "/data"}
		root := filepath.Join("/data", DefaultBucket, "meta") + string(os.PathSeparator)
		pathA, pathB := s.metaPath(DefaultBucket, a), s.metaPath(DefaultBucket, b)
		if !strings.HasPrefix(filepath.Clean(pathA), root) || filepath.Clean(pathA) != pathA || len(filepath.Base(pathA)) != 67 {
			t.Errorf("%q is stored at %s", a, pathA)
		}
		if (a == b) != (pathA == pathB) {
			t.Errorf("%q and %q are stored at %s and %s", a, b, pathA, pathB)
		}
	})
}
