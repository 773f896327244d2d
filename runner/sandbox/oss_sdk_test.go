package sandbox

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"
)

// startOSS starts a stand-in on a free port and ends it with the test.
func startOSS(t testing.TB, options OSSOptions) *OSS {
	t.Helper()
	if options.Dir == "" && !options.Discard {
		options.Dir = t.TempDir()
	}
	options.Addr = "127.0.0.1:0"
	o, err := StartOSS(context.Background(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := o.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return o
}

func sdkClient(t testing.TB, o *OSS, options ...oss.ClientOption) *oss.Client {
	t.Helper()
	client, err := oss.New(o.URL(), DefaultKey, DefaultKey, options...)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func sdkBucket(t testing.TB, o *OSS, options ...oss.ClientOption) *oss.Bucket {
	t.Helper()
	bucket, err := sdkClient(t, o, options...).Bucket(DefaultBucket)
	if err != nil {
		t.Fatal(err)
	}
	return bucket
}

// wantCode fails unless err is the service's error of this status and code.
func wantCode(t testing.TB, err error, status int, code string) {
	t.Helper()
	var service oss.ServiceError
	if !errors.As(err, &service) || service.StatusCode != status || service.Code != code {
		t.Fatalf("error is %v, want %d %s", err, status, code)
	}
	if len(service.RequestID) != 24 {
		t.Errorf("request id %q is not of 24 characters", service.RequestID)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func readAll(t testing.TB, r io.ReadCloser, err error) []byte {
	t.Helper()
	must(t, err)
	defer r.Close()
	data, err := io.ReadAll(r)
	must(t, err)
	return data
}

var hardKeys = []string{"plain", "a b/c+d%20e.json", "ключ/键/🔑", "q?x=1&y#frag", "../../etc/passwd", "a//b", "..", "a/./b", `quo"te<xml>&amp;`, "tab\there", "star*~'()!", "con:nul|<>", strings.Repeat("k", 1023), "dt=2026-01-01/hh=00/t-0-00000000000000000000-00000000000000000009.json"}

func TestSDKRoundTrip(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]oss.ClientOption{
		"v1":            nil,
		"v4":            {oss.AuthVersion(oss.AuthV4), oss.Region("cn-hangzhou")},
		"v4 additional": {oss.AuthVersion(oss.AuthV4), oss.Region("cn-hangzhou"), oss.AdditionalHeaders([]string{"host", "user-agent"})},
		"v1 md5":        {oss.EnableMD5(true)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bucket := sdkBucket(t, startOSS(t, OSSOptions{}), options...)
			for i, key := range hardKeys {
				want := []byte(fmt.Sprintf("content %d of %s", i, key))
				must(t, bucket.PutObject(key, bytes.NewReader(want), oss.ContentType("application/json"), oss.Meta("Who", "me")))
				r, err := bucket.GetObject(key)
				if got := readAll(t, r, err); !bytes.Equal(got, want) {
					t.Errorf("%q: read %q, want %q", key, got, want)
				}
				h, err := bucket.GetObjectDetailedMeta(key)
				must(t, err)
				crc := strconv.FormatUint(crc64.Checksum(want, crc64.MakeTable(crc64.ECMA)), 10)
				if h.Get("Content-Length") != strconv.Itoa(len(want)) || h.Get("x-oss-hash-crc64ecma") != crc || h.Get("X-Oss-Meta-Who") != "me" || h.Get("Content-Type") != "application/json" {
					t.Errorf("%q: headers %v", key, h)
				}
				if etag := fmt.Sprintf("\"%X\"", md5.Sum(want)); h.Get("ETag") != etag {
					t.Errorf("%q: ETag %s, want %s", key, h.Get("ETag"), etag)
				}
			}
			var got []string
			for marker, more := "", true; more; {
				page, err := bucket.ListObjects(oss.MaxKeys(5), oss.Marker(marker))
				must(t, err)
				for _, object := range page.Objects {
					got = append(got, object.Key)
				}
				marker, more = page.NextMarker, page.IsTruncated
			}
			want := slices.Sorted(slices.Values(hardKeys))
			if !slices.Equal(got, want) {
				t.Errorf("listed %q, want %q", got, want)
			}
			deleted, err := bucket.DeleteObjects(hardKeys[:5])
			must(t, err)
			if !slices.Equal(deleted.DeletedObjects, hardKeys[:5]) {
				t.Errorf("deleted %q", deleted.DeletedObjects)
			}
			must(t, bucket.DeleteObject(hardKeys[5]))
			must(t, bucket.DeleteObject("never was there"))
			exists, err := bucket.IsObjectExist(hardKeys[5])
			must(t, err)
			if exists {
				t.Error("a deleted object exists")
			}
			_, err = bucket.GetObject(hardKeys[0])
			wantCode(t, err, 404, "NoSuchKey")
		})
	}
}

func TestSDKBuckets(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]oss.ClientOption{"v1": nil, "v4": {oss.AuthVersion(oss.AuthV4), oss.Region("x")}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := startOSS(t, OSSOptions{})
			client := sdkClient(t, o, options...)
			must(t, client.CreateBucket("second-bucket"))
			list, err := client.ListBuckets()
			must(t, err)
			if len(list.Buckets) != 2 || list.Buckets[0].Name != DefaultBucket || list.Buckets[1].Name != "second-bucket" {
				t.Errorf("buckets %+v", list.Buckets)
			}
			list, err = client.ListBuckets(oss.Prefix("sec"))
			must(t, err)
			if len(list.Buckets) != 1 {
				t.Errorf("buckets with prefix: %+v", list.Buckets)
			}
			info, err := client.GetBucketInfo("second-bucket")
			must(t, err)
			if info.BucketInfo.Name != "second-bucket" || info.BucketInfo.ACL != "private" || info.BucketInfo.CreationDate.IsZero() {
				t.Errorf("info %+v", info.BucketInfo)
			}
			location, err := client.GetBucketLocation("second-bucket")
			must(t, err)
			if location != ossLocation {
				t.Errorf("location %q", location)
			}
			versioning, err := client.GetBucketVersioning("second-bucket")
			must(t, err)
			if versioning.Status != "" {
				t.Errorf("versioning %q", versioning.Status)
			}
			exists, err := client.IsBucketExist("third-bucket")
			must(t, err)
			if exists {
				t.Error("a bucket exists that was never made")
			}
			b, _ := client.Bucket("second-bucket")
			must(t, b.PutObject("x", strings.NewReader("12345")))
			stat, err := client.GetBucketStat("second-bucket")
			must(t, err)
			if stat.ObjectCount != 1 || stat.Storage != 5 {
				t.Errorf("stat %+v", stat)
			}
			wantCode(t, client.DeleteBucket("second-bucket"), 409, "BucketNotEmpty")
			must(t, b.DeleteObject("x"))
			must(t, client.DeleteBucket("second-bucket"))
			_, err = client.GetBucketInfo("second-bucket")
			wantCode(t, err, 404, "NoSuchBucket")
			gone, _ := client.Bucket("second-bucket")
			wantCode(t, gone.PutObject("x", strings.NewReader("y")), 404, "NoSuchBucket")
		})
	}
}

func TestSDKLists(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]oss.ClientOption{"v1": nil, "v4": {oss.AuthVersion(oss.AuthV4), oss.Region("x")}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bucket := sdkBucket(t, startOSS(t, OSSOptions{}), options...)
			for _, key := range []string{"a/1", "a/2", "a/b/3", "b", "c/1", "c d/1", "z"} {
				must(t, bucket.PutObject(key, strings.NewReader(key)))
			}
			page, err := bucket.ListObjects(oss.Delimiter("/"))
			must(t, err)
			if fmt.Sprint(page.CommonPrefixes) != "[a/ c d/ c/]" || len(page.Objects) != 2 {
				t.Errorf("prefixes %q, %d objects", page.CommonPrefixes, len(page.Objects))
			}
			var seen []string
			for token, more := "", true; more; {
				page, err := bucket.ListObjectsV2(oss.Delimiter("/"), oss.MaxKeys(1), oss.ContinuationToken(token))
				must(t, err)
				for _, object := range page.Objects {
					seen = append(seen, object.Key)
				}
				seen = append(seen, page.CommonPrefixes...)
				token, more = page.NextContinuationToken, page.IsTruncated
			}
			if want := []string{"a/", "b", "c d/", "c/", "z"}; !slices.Equal(seen, want) {
				t.Errorf("page by page %q, want %q", seen, want)
			}
			v2, err := bucket.ListObjectsV2(oss.Prefix("a/"), oss.StartAfter("a/1"))
			must(t, err)
			if len(v2.Objects) != 2 || v2.Objects[0].Key != "a/2" {
				t.Errorf("start-after: %+v", v2.Objects)
			}
			_, err = bucket.ListObjects(oss.MaxKeys(1001))
			wantCode(t, err, 400, "InvalidArgument")
		})
	}
}

func TestSDKConditionsRangesCopy(t *testing.T) {
	t.Parallel()
	bucket := sdkBucket(t, startOSS(t, OSSOptions{}))
	must(t, bucket.PutObject("o", strings.NewReader("0123456789")))
	wantCode(t, bucket.PutObject("o", strings.NewReader("other"), oss.ForbidOverWrite(true)), 409, "FileAlreadyExists")
	must(t, bucket.PutObject("new", strings.NewReader("other"), oss.ForbidOverWrite(true)))
	for spec, want := range map[string]string{"2-4": "234", "7-": "789", "-3": "789", "0-0": "0", "5-100": "0123456789", "20-30": "0123456789"} {
		r, err := bucket.GetObject("o", oss.NormalizedRange(spec))
		if got := string(readAll(t, r, err)); got != want {
			t.Errorf("range %s gives %q, want %q", spec, got, want)
		}
	}
	r, err := bucket.GetObject("o", oss.NormalizedRange("5-100"), oss.RangeBehavior("standard"))
	if got := string(readAll(t, r, err)); got != "56789" {
		t.Errorf("standard range gives %q", got)
	}
	_, err = bucket.GetObject("o", oss.NormalizedRange("20-30"), oss.RangeBehavior("standard"))
	wantCode(t, err, 416, "InvalidRange")
	_, err = bucket.CopyObject("o", "copy of o", oss.Meta("a", "b"), oss.MetadataDirective(oss.MetaReplace))
	must(t, err)
	h, err := bucket.GetObjectDetailedMeta("copy of o")
	must(t, err)
	if h.Get("X-Oss-Meta-A") != "b" {
		t.Errorf("copy's headers %v", h)
	}
	_, err = bucket.CopyObject("o", "new", oss.ForbidOverWrite(true))
	wantCode(t, err, 409, "FileAlreadyExists")
	_, err = bucket.GetObject("o", oss.IfMatch("wrong"))
	wantCode(t, err, 412, "PreconditionFailed")
	_, err = bucket.GetObjectDetailedMeta("gone")
	wantCode(t, err, 404, "NoSuchKey")
	wantCode(t, bucket.PutObject("o", strings.NewReader("x"), oss.ContentMD5(base64.StdEncoding.EncodeToString(make([]byte, 16)))), 400, "InvalidDigest")
	r, err = bucket.GetObject("o")
	if got := string(readAll(t, r, err)); got != "0123456789" {
		t.Errorf("a refused put changed the object to %q", got)
	}
}

func TestSDKMultipart(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]oss.ClientOption{"v1": nil, "v4": {oss.AuthVersion(oss.AuthV4), oss.Region("x")}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bucket := sdkBucket(t, startOSS(t, OSSOptions{}), options...)
			content := make([]byte, 350<<10)
			for i := range content {
				content[i] = byte(rand.IntN(256))
			}
			upload, err := bucket.InitiateMultipartUpload("big one", oss.ContentType("text/x"))
			must(t, err)
			var parts []oss.UploadPart
			for i, cut := range [][]byte{content[:100<<10], content[100<<10 : 250<<10], content[250<<10:]} {
				part, err := bucket.UploadPart(upload, bytes.NewReader(cut), int64(len(cut)), i+1)
				must(t, err)
				parts = append(parts, part)
			}
			listed, err := bucket.ListUploadedParts(upload, oss.MaxParts(2))
			must(t, err)
			if len(listed.UploadedParts) != 2 || !listed.IsTruncated || listed.UploadedParts[1].Size != 150<<10 {
				t.Errorf("parts %+v", listed)
			}
			uploads, err := bucket.ListMultipartUploads()
			must(t, err)
			if len(uploads.Uploads) != 1 || uploads.Uploads[0].Key != "big one" || uploads.Uploads[0].UploadID != upload.UploadID {
				t.Errorf("uploads %+v", uploads.Uploads)
			}
			if exists, _ := bucket.IsObjectExist("big one"); exists {
				t.Error("an unfinished upload is visible")
			}
			wrong := slices.Clone(parts)
			wrong[1].ETag = wrong[0].ETag
			_, err = bucket.CompleteMultipartUpload(upload, wrong)
			wantCode(t, err, 400, "InvalidPart")
			_, err = bucket.CompleteMultipartUpload(upload, parts)
			must(t, err)
			r, err := bucket.GetObject("big one")
			if got := readAll(t, r, err); !bytes.Equal(got, content) {
				t.Error("content differs from its parts")
			}
			h, err := bucket.GetObjectDetailedMeta("big one")
			must(t, err)
			if want := strconv.FormatUint(crc64.Checksum(content, crc64.MakeTable(crc64.ECMA)), 10); h.Get("x-oss-hash-crc64ecma") != want || h.Get("x-oss-object-type") != "Multipart" || h.Get("Content-Type") != "text/x" {
				t.Errorf("headers %v, want CRC %s", h, want)
			}
			_, err = bucket.CompleteMultipartUpload(upload, parts)
			wantCode(t, err, 404, "NoSuchUpload")
		})
	}
}

func TestSDKMultipartLimits(t *testing.T) {
	t.Parallel()
	bucket := sdkBucket(t, startOSS(t, OSSOptions{}))
	upload, err := bucket.InitiateMultipartUpload("k")
	must(t, err)
	put := func(number, size int) oss.UploadPart {
		t.Helper()
		part, err := bucket.UploadPart(upload, bytes.NewReader(make([]byte, size)), int64(size), number)
		must(t, err)
		return part
	}
	small, last := put(1, minPartBytes-1), put(10000, 1)
	_, err = bucket.CompleteMultipartUpload(upload, []oss.UploadPart{small, last})
	wantCode(t, err, 400, "EntityTooSmall")
	for _, number := range []int{0, 10001} {
		_, err := bucket.UploadPart(upload, strings.NewReader("x"), 1, number)
		if err == nil {
			t.Errorf("part number %d was taken", number)
		}
	}
	big := put(1, minPartBytes)
	must(t, bucket.PutObject("k", strings.NewReader("before")))
	_, err = bucket.CompleteMultipartUpload(upload, []oss.UploadPart{big, last}, oss.ForbidOverWrite(true))
	wantCode(t, err, 409, "FileAlreadyExists")
	must(t, bucket.AbortMultipartUpload(upload))
	wantCode(t, bucket.AbortMultipartUpload(upload), 404, "NoSuchUpload")
	_, err = bucket.UploadPart(upload, strings.NewReader("x"), 1, 1)
	wantCode(t, err, 404, "NoSuchUpload")
	r, err := bucket.GetObject("k")
	if got := string(readAll(t, r, err)); got != "before" {
		t.Errorf("object is %q", got)
	}
}
