package sandbox

import (
	"encoding/xml"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// contentHeaders are the headers of a request that are kept with the object and given back with it.
func contentHeaders(h http.Header) map[string]string {
	kept := make(map[string]string)
	for _, name := range []string{"Content-Type", "Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Expires"} {
		if value := h.Get(name); value != "" {
			kept[name] = value
		}
	}
	for name, values := range h {
		if strings.HasPrefix(strings.ToLower(name), "x-oss-meta-") && len(values) > 0 {
			kept[textproto.CanonicalMIMEHeaderKey(name)] = values[0]
		}
	}
	if kept["Content-Type"] == "" {
		kept["Content-Type"] = "application/octet-stream"
	}
	return kept
}

// receiveBody stores the request's body under a new name and returns what it is.
func (o *OSS) receiveBody(q *ossRequest) (blob string, got received, oerr *ossError) {
	contentMD5, oerr := q.contentMD5()
	if oerr != nil {
		return "", got, oerr
	}
	switch {
	case q.r.ContentLength < 0 && len(q.r.TransferEncoding) == 0:
		return "", got, ossErr(http.StatusLengthRequired, "MissingContentLength", "You must provide the Content-Length HTTP header.")
	case q.r.ContentLength > maxObjectBytes:
		return "", got, o.storeError(q, errTooLarge)
	}
	blob = randomID()
	q.body.moved()
	got, err := o.receiver.receive(q.r.Body, o.store.blobPath(q.bucket, blob), contentMD5, maxObjectBytes, q.body.moved)
	q.body.ended()
	if err != nil {
		return "", got, o.storeError(q, err)
	}
	return blob, got, nil
}

func (q *ossRequest) forbidsOverwrite() bool {
	return strings.EqualFold(q.r.Header.Get("x-oss-forbid-overwrite"), "true")
}

// checkOverwrite refuses early what commit would refuse after the body was read.
func (o *OSS) checkOverwrite(q *ossRequest) *ossError {
	if q.forbidsOverwrite() {
		if old, _ := o.store.object(q.bucket, q.key); old != nil {
			return errFileExists()
		}
	}
	return nil
}

func (o *OSS) putObject(q *ossRequest) *ossError {
	if oerr := o.checkOverwrite(q); oerr != nil {
		return oerr
	}
	blob, got, oerr := o.receiveBody(q)
	if oerr != nil {
		return oerr
	}
	object := &ossObject{Key: q.key, Size: got.size, ETag: got.etag(), CRC64: got.crc, HasCRC: got.hasCRC, Type: "Normal", Modified: q.now.UTC(), Headers: contentHeaders(q.r.Header), Blob: blob}
	if oerr := o.commitOr(q, object, got.path); oerr != nil {
		return oerr
	}
	o.setChecksums(q, object.ETag, object.CRC64, object.HasCRC)
	if got.md5 != nil {
		q.w.Header().Set("Content-MD5", md5Header(got.md5))
	}
	q.w.WriteHeader(http.StatusOK)
	return nil
}

// commitOr makes the object appear, or removes the file with its content.
func (o *OSS) commitOr(q *ossRequest, object *ossObject, path string) *ossError {
	err := o.store.commit(q.bucket, object, q.forbidsOverwrite())
	if err == nil {
		return nil
	}
	if path != "" {
		_ = os.Remove(path) // what stays is swept at the next start
	}
	return o.storeError(q, err)
}

func (o *OSS) setChecksums(q *ossRequest, etag string, crc uint64, hasCRC bool) {
	q.w.Header().Set("ETag", `"`+etag+`"`)
	if hasCRC {
		if q.fault.WrongCRC {
			crc = ^crc
		}
		q.w.Header().Set("x-oss-hash-crc64ecma", strconv.FormatUint(crc, 10))
	}
}

func (o *OSS) deleteObject(q *ossRequest) *ossError {
	if err := o.store.remove(q.bucket, q.key); err != nil {
		return o.storeError(q, err)
	}
	q.w.WriteHeader(http.StatusNoContent)
	return nil
}

type deleteRequest struct {
	XMLName xml.Name `xml:"Delete"`
	Quiet   bool
	Objects []struct{ Key string } `xml:"Object"`
}

type deleteResult struct {
	XMLName      xml.Name `xml:"DeleteResult"`
	EncodingType string   `xml:",omitempty"`
	Deleted      []deletedObject
}

type deletedObject struct{ Key string }

func (o *OSS) deleteObjects(q *ossRequest) *ossError {
	var request deleteRequest
	if oerr := o.readXML(q, &request); oerr != nil {
		return oerr
	}
	if len(request.Objects) == 0 || len(request.Objects) > 1000 {
		return errMalformedXML()
	}
	encode, oerr := keyEncoder(q.query)
	if oerr != nil {
		return oerr
	}
	result := deleteResult{EncodingType: q.query.Get("encoding-type")}
	for _, object := range request.Objects {
		if object.Key == "" || !validKey(object.Key) {
			return ossErr(http.StatusBadRequest, "InvalidObjectName", "The specified object is not valid.")
		}
	}
	for _, object := range request.Objects {
		if err := o.store.remove(q.bucket, object.Key); err != nil {
			return o.storeError(q, err)
		}
		if !request.Quiet {
			result.Deleted = append(result.Deleted, deletedObject{encode(object.Key)})
		}
	}
	return q.writeXML(result)
}

type copyResult struct {
	XMLName      xml.Name `xml:"CopyObjectResult"`
	LastModified string
	ETag         string
}

// copyObject copies within the store. Conditions on the source are not looked at.
func (o *OSS) copyObject(q *ossRequest) *ossError {
	source, err := url.PathUnescape(q.r.Header.Get("x-oss-copy-source"))
	bucket, key, ok := strings.Cut(strings.TrimPrefix(source, "/"), "/")
	if err != nil || !ok || key == "" || !validKey(key) {
		return errInvalidArgument("x-oss-copy-source", source, "Copy Source must mention the source bucket and key: /sourcebucket/sourcekey.")
	}
	from, exists := o.store.object(bucket, key)
	if !exists {
		return errNoSuchBucket(clip(bucket, 64))
	}
	if from == nil {
		return errNoSuchKey(key)
	}
	if o.options.Discard {
		return errNotImplemented("CopyObject while it discards contents")
	}
	in, err := os.Open(o.store.blobPath(bucket, from.Blob))
	if err != nil {
		return o.storeError(q, err)
	}
	defer in.Close()
	blob := randomID()
	got, err := o.receiver.receive(in, o.store.blobPath(q.bucket, blob), "", maxObjectBytes, func() {})
	if err != nil {
		return o.storeError(q, err)
	}
	headers := from.Headers
	if strings.EqualFold(q.r.Header.Get("x-oss-metadata-directive"), "REPLACE") {
		headers = contentHeaders(q.r.Header)
	}
	object := &ossObject{Key: q.key, Size: got.size, ETag: got.etag(), CRC64: got.crc, HasCRC: got.hasCRC, Type: "Normal", Modified: q.now.UTC(), Headers: headers, Blob: blob}
	if oerr := o.commitOr(q, object, got.path); oerr != nil {
		return oerr
	}
	o.setChecksums(q, object.ETag, object.CRC64, object.HasCRC)
	return q.writeXML(copyResult{LastModified: ossTime(object.Modified), ETag: `"` + object.ETag + `"`})
}

// getObject answers GetObject, HeadObject and GetObjectMeta.
func (o *OSS) getObject(q *ossRequest) *ossError {
	object, _ := o.store.object(q.bucket, q.key)
	if object == nil {
		return errNoSuchKey(q.key)
	}
	if status := precondition(q.r.Header, object); status == http.StatusNotModified {
		q.w.WriteHeader(status)
		return nil
	} else if status != 0 {
		return ossErr(status, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold.")
	}
	header := q.w.Header()
	for name, value := range object.Headers {
		header.Set(name, value)
	}
	for name, values := range q.query {
		if real, ok := strings.CutPrefix(name, "response-"); ok && len(values) > 0 {
			header.Set(textproto.CanonicalMIMEHeaderKey(real), values[0])
		}
	}
	o.setChecksums(q, object.ETag, object.CRC64, object.HasCRC)
	header.Set("Last-Modified", object.Modified.UTC().Format(http.TimeFormat))
	header.Set("x-oss-object-type", object.Type)
	header.Set("x-oss-storage-class", "Standard")
	header.Set("Accept-Ranges", "bytes")
	if q.r.Method == http.MethodHead {
		header.Set("Content-Length", strconv.FormatInt(object.Size, 10))
		q.w.WriteHeader(http.StatusOK)
		return nil
	}
	return o.sendContent(q, object)
}

func (o *OSS) sendContent(q *ossRequest, object *ossObject) *ossError {
	first, length, status := byteRange(q.r.Header.Get("Range"), object.Size, q.r.Header.Get("x-oss-range-behavior") == "standard")
	if status == http.StatusRequestedRangeNotSatisfiable {
		return ossErr(status, "InvalidRange", "The requested range cannot be satisfied.").with("ActualObjectSize", strconv.FormatInt(object.Size, 10))
	}
	content, err := o.openContent(q.bucket, object)
	if errors.Is(err, fs.ErrNotExist) { // overwritten between the look at the index and here
		if object, _ = o.store.object(q.bucket, q.key); object == nil {
			return errNoSuchKey(q.key)
		}
		content, err = o.openContent(q.bucket, object)
	}
	if errors.Is(err, errDiscarded) {
		return errNotImplemented("GetObject while it discards contents")
	}
	if err != nil {
		return o.storeError(q, err)
	}
	defer content.Close()
	if _, err := content.Seek(first, io.SeekStart); err != nil {
		return o.storeError(q, err)
	}
	if status == http.StatusPartialContent {
		q.w.Header().Set("Content-Range", "bytes "+strconv.FormatInt(first, 10)+"-"+strconv.FormatInt(first+length-1, 10)+"/"+strconv.FormatInt(object.Size, 10))
	}
	q.w.Header().Set("Content-Length", strconv.FormatInt(length, 10))
	q.w.WriteHeader(status)
	_, _ = io.CopyN(q.w, content, length) // the status is sent; a short answer shows in its length
	return nil
}

var errDiscarded = errors.New("content was discarded")

func (o *OSS) openContent(bucket string, object *ossObject) (*os.File, error) {
	if o.options.Discard {
		return nil, errDiscarded
	}
	return os.Open(o.store.blobPath(bucket, object.Blob))
}

// precondition returns 304 or 412 where a condition of the request does not hold, else 0.
func precondition(h http.Header, object *ossObject) int {
	modified := object.Modified.Truncate(time.Second)
	if match := h.Get("If-Match"); match != "" && strings.Trim(match, `"`) != object.ETag {
		return http.StatusPreconditionFailed
	}
	if since, err := http.ParseTime(h.Get("If-Unmodified-Since")); err == nil && modified.After(since) {
		return http.StatusPreconditionFailed
	}
	if match := h.Get("If-None-Match"); match != "" && strings.Trim(match, `"`) == object.ETag {
		return http.StatusNotModified
	}
	if since, err := http.ParseTime(h.Get("If-Modified-Since")); err == nil && !modified.After(since) {
		return http.StatusNotModified
	}
	return 0
}

// byteRange reads a Range header. OSS gives the whole object, 200, for a range that is malformed or reaches beyond the
// object, unless x-oss-range-behavior: standard asks for HTTP's rules.
func byteRange(header string, size int64, standard bool) (first, length int64, status int) {
	whole := func() (int64, int64, int) { return 0, size, http.StatusOK }
	spec, ok := strings.CutPrefix(header, "bytes=")
	from, to, dash := strings.Cut(spec, "-")
	if !ok || !dash || strings.Contains(spec, ",") {
		return whole()
	}
	end, endErr := strconv.ParseInt(to, 10, 64)
	if from == "" { // the last so many bytes
		if endErr != nil || end <= 0 || (end > size && !standard) {
			return whole()
		}
		end = min(end, size)
		return size - end, end, http.StatusPartialContent
	}
	start, err := strconv.ParseInt(from, 10, 64)
	if err != nil || start < 0 || (to != "" && (endErr != nil || end < start)) {
		return whole()
	}
	if start >= size {
		if standard {
			return 0, 0, http.StatusRequestedRangeNotSatisfiable
		}
		return whole()
	}
	if to == "" {
		end = size - 1
	} else if end >= size {
		if !standard {
			return whole()
		}
		end = size - 1
	}
	return start, end - start + 1, http.StatusPartialContent
}
