package sandbox

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"
)

const (
	maxObjectBytes = 5 << 30
	maxXMLBytes    = 4 << 20
	// drainBytes is how much of a refused body is read, so that the client sees the answer instead of a broken pipe.
	drainBytes = 256 << 20
	drainStall = 2 * time.Second
)

// ossRequest is one request under way.
type ossRequest struct {
	*ossTarget
	w     http.ResponseWriter
	r     *http.Request
	id    string
	now   time.Time // the stand-in's clock, skewed where a fault says so
	fault Fault
	body  *countingBody
}

// serve is the way of every request: what it is, whether a fault strikes it, who sent it, then the operation.
func (o *OSS) serve(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	body := &countingBody{ReadCloser: r.Body, deadline: http.NewResponseController(w)}
	r.Body = body
	answer := &answerWriter{ResponseWriter: w}
	q := &ossRequest{w: answer, r: r, id: randomID()[:24], body: body}
	var oerr *ossError
	q.ossTarget, oerr = o.parseTarget(r)
	var struck bool
	q.fault, struck = o.Faults.Take(q.operation, q.key)
	q.now = o.options.Now().Add(time.Duration(q.fault.SkewSeconds) * time.Second)
	answer.Header().Set("Server", "AliyunOSS")
	answer.Header().Set("x-oss-request-id", q.id)
	answer.Header().Set("Date", q.now.UTC().Format(http.TimeFormat))

	cut := false
	if struck {
		cut, oerr = o.strike(q, answer, oerr)
	} else if oerr == nil {
		oerr = o.perform(q)
	}
	if oerr != nil && !cut {
		o.refuse(q, answer, oerr)
	}
	o.note(q, answer, oerr, cut, began) // before the client can know the outcome of a cut
	if cut {
		cutConnection(w)
	}
}

// strike lets a fault happen to the request, and the request as far as the fault allows.
func (o *OSS) strike(q *ossRequest, answer *answerWriter, oerr *ossError) (cut bool, _ *ossError) {
	f := q.fault
	if f.LatencyMS > 0 {
		select {
		case <-time.After(time.Duration(f.LatencyMS) * time.Millisecond):
		case <-q.r.Context().Done():
			return true, nil
		}
	}
	injected := ossErr(f.Status, f.Code, "%s", f.Message)
	if f.Code == "" {
		injected.code = "InternalError"
	}
	if f.Message == "" {
		injected.message = "The sandbox was told to answer so."
	}
	switch {
	case f.Cut == CutBefore:
		return true, nil
	case f.Status != 0 && !f.AfterStoring:
		return false, injected
	case oerr != nil:
		return false, oerr
	case f.Cut == CutAfter || f.Status != 0:
		answer.lost = true
		if oerr = o.perform(q); oerr == nil && f.Status != 0 {
			oerr = injected
		}
		answer.reset()
		return f.Cut == CutAfter, oerr
	}
	return false, o.perform(q)
}

func (o *OSS) perform(q *ossRequest) *ossError {
	signed := &signedRequest{method: q.r.Method, bucket: q.bucket, key: q.key, query: q.query, header: q.r.Header, host: q.r.Host}
	if _, oerr := o.keys.authenticate(signed, q.now, o.options.Region); oerr != nil {
		return oerr
	}
	handle := o.handler(q.operation)
	if handle == nil {
		return errNotImplemented(q.operation)
	}
	if q.bucket != "" && q.operation != "PutBucket" && !o.store.hasBucket(q.bucket) {
		return errNoSuchBucket(q.bucket)
	}
	return handle(q)
}

// refuse answers with an error, after reading what the client still sends.
func (o *OSS) refuse(q *ossRequest, answer *answerWriter, oerr *ossError) {
	if !q.body.drain(drainBytes) {
		answer.Header().Set("Connection", "close")
	}
	if !answer.wrote {
		writeOSSError(answer, q.r, q.id, oerr)
	}
}

func (o *OSS) note(q *ossRequest, answer *answerWriter, oerr *ossError, cut bool, began time.Time) {
	o.nRequests.Add(1)
	o.nBytesIn.Add(q.body.read)
	o.nBytesOut.Add(answer.bytes)
	entry := Request{Time: began, Method: clip(q.r.Method, 16), Operation: q.operation, Bucket: clip(q.bucket, 64), Key: clip(q.key, maxKeyBytes),
		Status: answer.status, Fault: q.fault.String(), Bytes: q.body.read, Took: time.Since(began), RequestID: q.id}
	if oerr != nil {
		entry.Code = oerr.code
	}
	if cut {
		entry.Status, entry.Code = 0, ""
	}
	o.requests.add(entry)
}

// storeError turns an error of the store into the service's.
func (o *OSS) storeError(q *ossRequest, err error) *ossError {
	var stalled net.Error
	var unread *bodyError
	switch {
	case errors.Is(err, errObjectExists):
		return errFileExists()
	case errors.Is(err, errBucketGone):
		return errNoSuchBucket(q.bucket)
	case errors.Is(err, errTooLarge):
		return ossErr(http.StatusBadRequest, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed object size.")
	case errors.Is(err, errBadDigest):
		return ossErr(http.StatusBadRequest, "InvalidDigest", "The Content-MD5 you specified was invalid.")
	case errors.As(err, &unread) && errors.As(err, &stalled) && stalled.Timeout():
		return ossErr(http.StatusBadRequest, "RequestTimeout", "Your socket connection to the server was not read from or written to within the timeout period.")
	case errors.As(err, &unread):
		return ossErr(http.StatusBadRequest, "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header.")
	}
	o.log.Error("the OSS stand-in could not carry out a request", slog.String("operation", q.operation), slog.String("key", q.key), slog.Any("error", err))
	return ossErr(http.StatusInternalServerError, "InternalError", "We encountered an internal error. Please try again.")
}

// writeXML answers 200 with a document.
func (q *ossRequest) writeXML(v any) *ossError {
	data, err := xml.Marshal(v)
	if err != nil {
		return ossErr(http.StatusInternalServerError, "InternalError", "Writing the answer: %s", err)
	}
	q.w.Header().Set("Content-Type", "application/xml")
	_, _ = q.w.Write(append([]byte(xml.Header), data...)) // the client may be gone; there is nobody to tell
	return nil
}

// readXML reads a request's document, checking Content-MD5 where it is given.
func (o *OSS) readXML(q *ossRequest, v any) *ossError {
	contentMD5, oerr := q.contentMD5()
	if oerr != nil {
		return oerr
	}
	data, err := io.ReadAll(io.LimitReader(q.r.Body, maxXMLBytes+1))
	if err != nil {
		return o.storeError(q, &bodyError{err})
	}
	if len(data) > maxXMLBytes {
		return ossErr(http.StatusBadRequest, "EntityTooLarge", "The request's document is too large.")
	}
	if contentMD5 != "" && contentMD5 != md5Base64(data) {
		return o.storeError(q, errBadDigest)
	}
	if err := xml.Unmarshal(data, v); err != nil {
		return errMalformedXML()
	}
	return nil
}

// contentMD5 returns the header's value, empty when there is none, once it is known to be an MD5.
func (q *ossRequest) contentMD5() (string, *ossError) {
	value := q.r.Header.Get("Content-MD5")
	if value == "" {
		return "", nil
	}
	if sum, err := base64.StdEncoding.DecodeString(value); err != nil || len(sum) != 16 {
		return "", ossErr(http.StatusBadRequest, "InvalidDigest", "The Content-MD5 you specified was invalid.")
	}
	return value, nil
}

func md5Base64(data []byte) string {
	sum := md5.Sum(data)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// cutConnection closes the client's connection without an answer.
func cutConnection(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // the documented way to end a connection that cannot be hijacked
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// countingBody counts a body's bytes and gives up on one that stands still.
type countingBody struct {
	io.ReadCloser
	deadline *http.ResponseController
	read     int64
	extended int64
}

func (b *countingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	return n, err
}

// moved gives the body more time now and then, as bytes arrive. On a connection that knows no deadlines it does nothing.
func (b *countingBody) moved() {
	if b.extended == 0 || b.read-b.extended > 8<<20 {
		b.extended = max(b.read, 1)
		_ = b.deadline.SetReadDeadline(time.Now().Add(ossBodyStall))
	}
}

// drain reads what is left of the body, up to limit and as long as it keeps coming, and tells whether that was all.
func (b *countingBody) drain(limit int64) bool {
	defer b.ended()
	for start := b.read; b.read-start < limit; {
		_ = b.deadline.SetReadDeadline(time.Now().Add(drainStall))
		if _, err := io.CopyN(io.Discard, b, 1<<20); err != nil {
			return err == io.EOF
		}
	}
	return false
}

// ended takes the deadline away again.
func (b *countingBody) ended() { _ = b.deadline.SetReadDeadline(time.Time{}) }

// answerWriter notes the status, and with lost swallows an answer that a fault takes away.
type answerWriter struct {
	http.ResponseWriter
	lost   bool
	wrote  bool
	status int
	bytes  int64
}

func (a *answerWriter) WriteHeader(status int) {
	a.status, a.wrote = status, true
	if !a.lost {
		a.ResponseWriter.WriteHeader(status)
	}
}

func (a *answerWriter) Write(p []byte) (int, error) {
	if !a.wrote {
		a.WriteHeader(http.StatusOK)
	}
	if a.lost {
		return len(p), nil
	}
	n, err := a.ResponseWriter.Write(p)
	a.bytes += int64(n)
	return n, err
}

// reset forgets an answer that was swallowed, so that another can be given.
func (a *answerWriter) reset() {
	for name := range a.Header() {
		if lower := strings.ToLower(name); lower != "server" && lower != "date" && lower != "x-oss-request-id" {
			a.Header().Del(name)
		}
	}
	a.lost, a.wrote, a.status = false, false, 0
}
