package sandbox

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// What a page shows of a stand-in: these calls ask the store itself, not over HTTP, and need no key.

// Errors of the calls that look into the store.
var (
	ErrNoBucket  = errors.New("bucket does not exist")
	ErrNoObject  = errors.New("object does not exist")
	ErrDiscarded = errors.New("the stand-in discards contents")
)

// Bucket is a bucket as a page shows it.
type Bucket struct {
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	Objects int       `json:"objects"`
	Bytes   int64     `json:"bytes"`
	Uploads int       `json:"uploads"` // unfinished multipart uploads
}

// Object is an object as a page shows it.
type Object struct {
	Key         string    `json:"key"`
	Size        int64     `json:"size"`
	Modified    time.Time `json:"modified"`
	ETag        string    `json:"etag"`
	CRC64       uint64    `json:"crc64,string"`
	Type        string    `json:"type"` // Normal or Multipart
	ContentType string    `json:"content_type"`
	Encoding    string    `json:"encoding,omitempty"` // the Content-Encoding it was put with
}

// Buckets lists the buckets by name.
func (o *OSS) Buckets() []Bucket {
	o.store.mu.RLock()
	defer o.store.mu.RUnlock()
	list := make([]Bucket, 0, len(o.store.buckets))
	for _, b := range o.store.buckets {
		list = append(list, Bucket{b.name, b.created, len(b.objects), b.bytes, len(b.uploads)})
	}
	slices.SortFunc(list, func(a, b Bucket) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// Objects lists up to limit objects of a bucket by name, beginning behind after; more tells whether there are others.
func (o *OSS) Objects(bucket, prefix, after string, limit int) (list []Object, more bool, err error) {
	page, ok := o.store.list(bucket, prefix, after, "", max(limit, 1))
	if !ok {
		return nil, false, ErrNoBucket
	}
	list = make([]Object, len(page.objects))
	for i, object := range page.objects {
		list[i] = object.view()
	}
	return list, page.more, nil
}

// LatestObjects lists up to limit objects of a bucket, the one modified last first.
func (o *OSS) LatestObjects(bucket string, limit int) ([]Object, error) {
	o.store.mu.RLock()
	b := o.store.buckets[bucket]
	if b == nil {
		o.store.mu.RUnlock()
		return nil, ErrNoBucket
	}
	all := make([]*ossObject, 0, len(b.objects))
	for _, object := range b.objects {
		all = append(all, object)
	}
	o.store.mu.RUnlock()
	slices.SortFunc(all, func(a, b *ossObject) int {
		if c := b.Modified.Compare(a.Modified); c != 0 {
			return c
		}
		return strings.Compare(a.Key, b.Key)
	})
	list := make([]Object, 0, min(limit, len(all)))
	for _, object := range all[:min(max(limit, 0), len(all))] {
		list = append(list, object.view())
	}
	return list, nil
}

func (m *ossObject) view() Object {
	return Object{m.Key, m.Size, m.Modified, m.ETag, m.CRC64, m.Type, m.Headers["Content-Type"], m.Headers["Content-Encoding"]}
}

// Requests returns up to limit of the latest requests, newest first; 0 is all that are remembered.
func (o *OSS) Requests(limit int) []Request { return o.requests.latest(limit) }

// Preview is the beginning of an object's content, decompressed where its name or first bytes say how.
type Preview struct {
	Object
	// Data is at most as many bytes as were asked for; of text it ends at a whole character.
	Data []byte
	// Compression is what was undone to get Data: gzip, zstd, snappy (framing format), or empty.
	Compression string
	// Truncated tells that there is more.
	Truncated bool
	// Text tells that Data is UTF-8 without control characters but line ends and tabs.
	Text bool
	// Problem says why decompression ended early, if it did.
	Problem string
}

// maxPreview bounds what Preview returns, in bytes, and the memory that decompression may take.
const maxPreview = 8 << 20

// Preview reads at most limit bytes (up to 8 MiB) of an object's content.
func (o *OSS) Preview(ctx context.Context, bucket, key string, limit int) (*Preview, error) {
	object, ok := o.store.object(bucket, key)
	if !ok {
		return nil, ErrNoBucket
	}
	if object == nil {
		return nil, ErrNoObject
	}
	content, err := o.openContent(bucket, object)
	if errors.Is(err, errDiscarded) {
		return nil, ErrDiscarded
	}
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", key, err)
	}
	defer content.Close()
	head := make([]byte, 16)
	n, err := io.ReadFull(content, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, fmt.Errorf("reading %s: %w", key, err)
	}
	if _, err := content.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("reading %s: %w", key, err)
	}
	p := &Preview{Object: object.view(), Compression: compressionOf(head[:n])}
	reader, done, err := decompress(content, p.Compression)
	if err != nil {
		p.Problem = err.Error()
		return p, nil
	}
	defer done()
	limit = min(max(limit, 0), maxPreview)
	p.Data, err = io.ReadAll(io.LimitReader(contextReader{ctx, reader}, int64(limit)+1))
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		p.Problem = err.Error()
	}
	if len(p.Data) > limit {
		p.Data, p.Truncated = p.Data[:limit], true
	}
	p.Data, p.Text = textOf(p.Data, p.Truncated)
	return p, nil
}

// compressionOf tells a compression by its first bytes.
func compressionOf(head []byte) string {
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b, 8}):
		return "gzip"
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return "zstd"
	case bytes.HasPrefix(head, []byte("\xff\x06\x00\x00sNaPpY")):
		return "snappy"
	}
	return ""
}

func decompress(r io.Reader, compression string) (io.Reader, func(), error) {
	switch compression {
	case "gzip":
		z, err := gzip.NewReader(r)
		return z, func() {}, err
	case "zstd":
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxPreview))
		if err != nil {
			return nil, nil, err
		}
		return z, z.Close, nil
	case "snappy":
		return s2.NewReader(r), func() {}, nil
	}
	return r, func() {}, nil
}

// textOf tells whether data is text; a character that truncation has split is left out then.
func textOf(data []byte, truncated bool) ([]byte, bool) {
	cut := data
	if truncated {
		for i := 0; i < utf8.UTFMax && len(cut) > 0 && !utf8.Valid(cut); i++ {
			cut = cut[:len(cut)-1]
		}
	}
	if !utf8.Valid(cut) {
		return data, false
	}
	for _, c := range cut {
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' {
			return data, false
		}
	}
	return cut, true
}

// contextReader ends reading when its context does.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
