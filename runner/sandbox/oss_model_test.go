package sandbox

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"
)

// TestOSSModel compares the stand-in with a map over random operations and restarts.
func TestOSSModel(t *testing.T) {
	t.Parallel()
	dir, dice := t.TempDir(), rand.New(rand.NewPCG(1, 2))
	model := make(map[string][]byte)
	keys := []string{"a", "a/b", "a/b/c", "a-b", "b/1", "b/2", "b/é", "c//d", "z z"}
	for round := range 3 {
		o := startOSS(t, OSSOptions{Dir: dir})
		bucket := sdkBucket(t, o)
		for step := range 80 {
			key := keys[dice.IntN(len(keys))]
			content := bytes.Repeat([]byte(fmt.Sprintf("%d.%d,", round, step)), dice.IntN(2000))
			_, known := model[key]
			switch dice.IntN(6) {
			case 0, 1:
				must(t, bucket.PutObject(key, bytes.NewReader(content)))
				model[key] = content
			case 2:
				err := bucket.PutObject(key, bytes.NewReader(content), oss.ForbidOverWrite(true))
				if known != (err != nil) {
					t.Fatalf("%s exists: %t, but forbidding to overwrite it gives %v", key, known, err)
				}
				if !known {
					model[key] = content
				}
			case 3:
				must(t, bucket.DeleteObject(key))
				delete(model, key)
			case 4:
				upload, err := bucket.InitiateMultipartUpload(key)
				must(t, err)
				part, err := bucket.UploadPart(upload, bytes.NewReader(content), int64(len(content)), 1+dice.IntN(100))
				must(t, err)
				if dice.IntN(2) == 0 {
					must(t, bucket.AbortMultipartUpload(upload))
					continue
				}
				_, err = bucket.CompleteMultipartUpload(upload, []oss.UploadPart{part})
				must(t, err)
				model[key] = content
			case 5:
				compareStore(t, o, bucket, model)
			}
		}
		compareStore(t, o, bucket, model)
		must(t, o.Close())
		if files := countFiles(t, dir, "blobs"); files != len(model) {
			t.Errorf("%d files of contents for %d objects", files, len(model))
		}
	}
}

func compareStore(t *testing.T, o *OSS, bucket *oss.Bucket, model map[string][]byte) {
	t.Helper()
	var total int64
	page, err := bucket.ListObjectsV2(oss.MaxKeys(1000))
	must(t, err)
	var listed []string
	for _, object := range page.Objects {
		listed = append(listed, object.Key)
		total += object.Size
	}
	if want := slices.Sorted(maps.Keys(model)); !slices.Equal(listed, want) {
		t.Fatalf("listed %q, want %q", listed, want)
	}
	for key, want := range model {
		r, err := bucket.GetObject(key)
		if got := readAll(t, r, err); !bytes.Equal(got, want) {
			t.Fatalf("%s differs", key)
		}
	}
	if stats := o.Stats(); stats.Objects != int64(len(model)) || stats.Bytes != total {
		t.Errorf("stats %+v, want %d objects of %d bytes", stats, len(model), total)
	}
}

// TestOSSDiskFails: what cannot be written is refused as the service's own fault, and nothing of it stays.
func TestOSSDiskFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := startOSS(t, OSSOptions{Dir: dir})
	bucket := sdkBucket(t, o)
	for _, below := range []string{"blobs", "meta"} {
		folder := o.store.path(DefaultBucket, below)
		must(t, os.RemoveAll(folder))
		must(t, os.WriteFile(folder, nil, 0o600)) // a file where a folder is needed
		wantCode(t, bucket.PutObject("k", strings.NewReader("x")), 500, "InternalError")
		must(t, os.Remove(folder))
	}
	if exists, err := bucket.IsObjectExist("k"); err != nil || exists {
		t.Errorf("exists %t, %v", exists, err)
	}
	if files := countFiles(t, dir, "blobs"); files != 0 {
		t.Errorf("%d files are left", files)
	}
	must(t, bucket.PutObject("k", strings.NewReader("x")))
}
