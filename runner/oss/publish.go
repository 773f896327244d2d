package oss

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"
	"golang.org/x/sync/errgroup"

	"github.com/sluice-io/sluice/runner/connector"
)

const (
	// multipartAbove is the size from which an object is uploaded in parts, partSize a
	// part's size, in bytes. 10,000 parts are allowed: 160 GB, far above any chunk.
	multipartAbove = 64 << 20
	partSize       = 16 << 20
	// uploading is how many objects of a chunk are uploaded at once, uploadingAll how
	// many of a task: hundreds of partitions would else have thousands of connections.
	uploading    = 4
	uploadingAll = 24

	headerCRC = "X-Oss-Hash-Crc64ecma"
)

// upload is a multipart upload in progress.
type upload struct {
	id    string
	parts []oss.UploadPart
}

// object is what HEAD tells.
type object struct {
	length int64
	crc    uint64
}

// errAbsent: there is no such object.
var errAbsent = errors.New("no such object")

// Publish writes the objects that are not there yet.
func (c *chunk) Publish(ctx context.Context, guard connector.Guard) ([]connector.Refusal, error) {
	defer c.recount()
	if len(c.parts) == 1 {
		return nil, c.publishPart(ctx, c.parts[0], guard)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(uploading)
	for _, p := range c.parts {
		if !p.done {
			g.Go(func() error { return c.publishPart(ctx, p, guard) })
		}
	}
	return nil, g.Wait()
}

// recount makes Held true again after objects have been published and let go of.
func (c *chunk) recount() {
	c.held = 0
	for _, p := range c.parts {
		c.held += int64(cap(p.body))
	}
}

func (c *chunk) publishPart(ctx context.Context, p *part, guard connector.Guard) error {
	if p.done {
		return nil
	}
	if c.redo {
		there, err := c.alreadyThere(ctx, p)
		if err != nil || there {
			return err
		}
	}
	select {
	case c.s.uploads <- struct{}{}:
		defer func() { <-c.s.uploads }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	var err error
	if len(p.body) > multipartAbove {
		err = c.s.putParts(ctx, p, guard)
	} else {
		err = c.s.put(ctx, p, guard)
	}
	if errors.Is(err, errExists) || errors.Is(err, errNoUpload) {
		there, lookErr := c.alreadyThere(ctx, p)
		switch {
		case lookErr != nil:
			return lookErr
		case there:
			return nil
		case errors.Is(err, errNoUpload):
			p.up = upload{} // begun anew at the next attempt
		}
		return c.s.classify.away(err)
	}
	if err == nil {
		c.finish(p)
	}
	return err
}

// finish lets go of an object that is in the bucket.
func (c *chunk) finish(p *part) {
	p.done = true
	c.s.buffers.put(p.body)
	p.body = nil
}

// alreadyThere looks whether the object exists: equal to what this part is, or to
// what the intent promised of it, is done; anything else is a mismatch.
func (c *chunk) alreadyThere(ctx context.Context, p *part) (bool, error) {
	got, err := c.s.head(ctx, p.name)
	if errors.Is(err, errAbsent) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	promised, known := c.promised[p.Path]
	if got.length == p.Length && got.crc == p.CRC || known && got.length == promised.Length && got.crc == promised.CRC {
		c.finish(p)
		return true, nil
	}
	return false, &connector.MismatchError{What: different(p.name, got, p.Length, p.CRC)}
}

func (s *sink) head(ctx context.Context, name string) (object, error) {
	ctx, cancel := within(ctx, 0)
	defer cancel()
	var h http.Header
	err := s.client.do(ctx, func() (err error) {
		h, err = s.client.bucket.GetObjectMeta(name, oss.WithContext(ctx))
		return err
	})
	if err != nil {
		if code, status := codeOf(err); status == http.StatusNotFound && code != "NoSuchBucket" {
			return object{}, errAbsent
		}
		return object{}, s.classify.classify("looking at object "+name, err)
	}
	length, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64)
	if err != nil {
		return object{}, s.classify.away(fmt.Errorf("looking at object %s: the answer has no Content-Length", name))
	}
	got := object{length: length}
	text := h.Get(headerCRC)
	if text == "" { // GetObjectMeta leaves it out on some servers, the full HEAD has it
		err := s.client.do(ctx, func() (err error) {
			h, err = s.client.bucket.GetObjectDetailedMeta(name, oss.WithContext(ctx))
			return err
		})
		if err != nil {
			return object{}, s.classify.classify("looking at object "+name, err)
		}
		text = h.Get(headerCRC)
	}
	if got.crc, err = strconv.ParseUint(text, 10, 64); err != nil {
		return object{}, &connector.MismatchError{What: fmt.Sprintf("the object %s exists, and the server tells no CRC64 of it: it cannot be known whether it is this range's", name)}
	}
	return got, nil
}

// put uploads a part in one request. It never overwrites, but for one case: this very
// request arrived damaged, and what is visible is this request's.
func (s *sink) put(ctx context.Context, p *part, guard connector.Guard) error {
	crc, err := s.putOnce(ctx, p, guard, true)
	if err != nil || crc == p.CRC {
		return err
	}
	if crc, err = s.putOnce(ctx, p, guard, false); err != nil {
		return err
	}
	if crc != p.CRC {
		return s.classify.away(fmt.Errorf("writing object %s: it arrives damaged (CRC64 %d, sent %d)", p.name, crc, p.CRC))
	}
	return nil
}

func (s *sink) putOnce(ctx context.Context, p *part, guard connector.Guard, forbid bool) (uint64, error) {
	ctx, cancel := within(ctx, p.Length)
	defer cancel()
	var header http.Header
	err := s.visibly(ctx, "writing object "+p.name, guard, func() error {
		return s.client.bucket.PutObject(p.name, bytes.NewReader(p.body), oss.WithContext(ctx), oss.ForbidOverWrite(forbid),
			oss.ContentType(s.layout.format.ContentType(s.layout.compression)), oss.GetResponseHeader(&header))
	})
	if err != nil {
		return 0, err
	}
	return p.answeredCRC(header), nil
}

// visibly makes a request that makes something visible; the guard is asked directly
// before it, also when it is made once more.
func (s *sink) visibly(ctx context.Context, doing string, guard connector.Guard, request func() error) error {
	var late error
	err := s.client.do(ctx, func() error {
		if late = guard(); late != nil {
			return late
		}
		return request()
	})
	if late != nil {
		return late
	}
	return s.classify.classify(doing, err)
}

// answeredCRC is the checksum the server answered; a server that tells none is believed.
func (p *part) answeredCRC(h http.Header) uint64 {
	if crc, err := strconv.ParseUint(h.Get(headerCRC), 10, 64); err == nil {
		return crc
	}
	return p.CRC
}

// putParts uploads a part in pieces; called again it goes on with what has arrived.
// Nothing is visible before the upload is completed.
func (s *sink) putParts(ctx context.Context, p *part, guard connector.Guard) error {
	if p.up.id == "" {
		ctx, cancel := within(ctx, 0)
		defer cancel()
		var res oss.InitiateMultipartUploadResult
		err := s.client.do(ctx, func() (err error) {
			res, err = s.client.bucket.InitiateMultipartUpload(p.name, oss.WithContext(ctx), oss.ContentType(s.layout.format.ContentType(s.layout.compression)))
			return err
		})
		if err != nil {
			return s.classify.classify("beginning the upload of "+p.name, err)
		}
		p.up = upload{id: res.UploadID}
	}
	imur := s.imur(p)
	for n := len(p.up.parts); int64(n)*partSize < p.Length; n++ {
		piece := p.body[n*partSize : min((n+1)*partSize, len(p.body))]
		pieceCtx, cancel := within(ctx, int64(len(piece)))
		var got oss.UploadPart
		err := s.client.do(pieceCtx, func() (err error) {
			got, err = s.client.bucket.UploadPart(imur, bytes.NewReader(piece), int64(len(piece)), n+1, oss.WithContext(pieceCtx))
			return err
		})
		cancel()
		if err != nil {
			return s.classify.classify(fmt.Sprintf("uploading part %d of %s", n+1, p.name), err)
		}
		p.up.parts = append(p.up.parts, got)
	}
	ctx, cancel := within(ctx, 0)
	defer cancel()
	var header http.Header
	err := s.visibly(ctx, "completing the upload of "+p.name, guard, func() error {
		_, err := s.client.bucket.CompleteMultipartUpload(imur, p.up.parts, oss.WithContext(ctx), oss.ForbidOverWrite(true), oss.GetResponseHeader(&header))
		return err
	})
	if err != nil {
		return err
	}
	if crc := p.answeredCRC(header); crc != p.CRC {
		return &connector.MismatchError{What: fmt.Sprintf("the object %s arrived damaged (CRC64 %d, sent %d)", p.name, crc, p.CRC)}
	}
	return nil
}

func (s *sink) imur(p *part) oss.InitiateMultipartUploadResult {
	return oss.InitiateMultipartUploadResult{Bucket: s.client.bucket.BucketName, Key: p.name, UploadID: p.up.id}
}

// abort gives up a multipart upload; that it may fail is no loss: nothing is visible,
// and a bucket rule removes what is left.
func (s *sink) abort(p *part) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	_ = s.client.do(ctx, func() error { return s.client.bucket.AbortMultipartUpload(s.imur(p), oss.WithContext(ctx)) })
}
