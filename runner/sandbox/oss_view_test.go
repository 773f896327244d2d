package sandbox

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

func TestOSSViews(t *testing.T) {
	t.Parallel()
	clock := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	o := startOSS(t, OSSOptions{Now: func() time.Time { return clock }})
	for i := range 5 {
		clock = clock.Add(time.Second)
		putDirect(t, o, fmt.Sprintf("p/%d", i), []byte(strings.Repeat("x", i)))
	}
	list, more, err := o.Objects(DefaultBucket, "p/", "p/0", 2)
	must(t, err)
	if len(list) != 2 || !more || list[0].Key != "p/1" || list[0].Size != 1 {
		t.Errorf("%+v, more %t", list, more)
	}
	latest, err := o.LatestObjects(DefaultBucket, 3)
	must(t, err)
	if len(latest) != 3 || latest[0].Key != "p/4" || latest[2].Key != "p/2" {
		t.Errorf("latest %+v", latest)
	}
	if b := o.Buckets(); len(b) != 1 || b[0].Objects != 5 || b[0].Bytes != 10 {
		t.Errorf("buckets %+v", b)
	}
	if _, _, err := o.Objects("none", "", "", 1); !errors.Is(err, ErrNoBucket) {
		t.Error(err)
	}
	if _, err := o.LatestObjects("none", 1); !errors.Is(err, ErrNoBucket) {
		t.Error(err)
	}
	if _, err := o.Preview(context.Background(), "none", "k", 1); !errors.Is(err, ErrNoBucket) {
		t.Error(err)
	}
	if _, err := o.Preview(context.Background(), DefaultBucket, "k", 1); !errors.Is(err, ErrNoObject) {
		t.Error(err)
	}
}

// putDirect stores an object as a request does, without one.
func putDirect(t *testing.T, o *OSS, key string, content []byte) {
	t.Helper()
	blob := randomID()
	got, err := o.receiver.receive(bytes.NewReader(content), o.store.blobPath(DefaultBucket, blob), "", maxObjectBytes, func() {})
	must(t, err)
	must(t, o.store.commit(DefaultBucket, &ossObject{Key: key, Size: got.size, ETag: got.etag(), Type: "Normal", Modified: o.options.Now(), Blob: blob}, false))
}

func compressed(t *testing.T, how string, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	switch how {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "zstd":
		z, err := zstd.NewWriter(&b)
		must(t, err)
		w = z
	case "snappy":
		w = s2.NewWriter(&b, s2.WriterSnappyCompat())
	default:
		return content
	}
	_, err := w.Write(content)
	must(t, err)
	must(t, w.Close())
	return b.Bytes()
}

func TestOSSPreview(t *testing.T) {
	t.Parallel()
	o := startOSS(t, OSSOptions{})
	text := []byte(strings.Repeat("{\"a\":\"ä\"}\n", 1000))
	for _, how := range []string{"", "gzip", "zstd", "snappy"} {
		putDirect(t, o, "text "+how, compressed(t, how, text))
		p, err := o.Preview(context.Background(), DefaultBucket, "text "+how, 1<<20)
		must(t, err)
		if !bytes.Equal(p.Data, text) || p.Compression != how || p.Truncated || !p.Text || p.Problem != "" {
			t.Errorf("%q: %d bytes, %+v", how, len(p.Data), p)
		}
		p, err = o.Preview(context.Background(), DefaultBucket, "text "+how, 7) // in the middle of ä
		must(t, err)
		if string(p.Data) != `{"a":"` || !p.Truncated || !p.Text {
			t.Errorf("%q: %q, truncated %t, text %t", how, p.Data, p.Truncated, p.Text)
		}
		broken := compressed(t, how, text)
		putDirect(t, o, "broken", broken[:len(broken)/2])
		p, err = o.Preview(context.Background(), DefaultBucket, "broken", 1<<20)
		must(t, err)
		if (p.Problem == "") != (how == "") {
			t.Errorf("half of %q: problem %q", how, p.Problem)
		}
		// A small object that becomes enormous is cut off.
		putDirect(t, o, "bomb", compressed(t, how, make([]byte, 3*maxPreview)))
		p, err = o.Preview(context.Background(), DefaultBucket, "bomb", 1<<30)
		must(t, err)
		if len(p.Data) > maxPreview || !p.Truncated || p.Text {
			t.Errorf("bomb of %q: %d bytes, truncated %t, text %t, problem %q", how, len(p.Data), p.Truncated, p.Text, p.Problem)
		}
	}
	putDirect(t, o, "binary", []byte{1, 2, 0xff})
	p, err := o.Preview(context.Background(), DefaultBucket, "binary", 100)
	must(t, err)
	if p.Text || len(p.Data) != 3 {
		t.Errorf("binary: %+v", p)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := o.Preview(ended, DefaultBucket, "text gzip", 100); !errors.Is(err, context.Canceled) {
		t.Errorf("after the page went away: %v", err)
	}
}
