package sandbox

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
)

const (
	maxPartNumber = 10_000
	minPartBytes  = 100 << 10 // of every part but the last; looked at when the upload is completed
)

type initiateResult struct {
	XMLName      xml.Name `xml:"InitiateMultipartUploadResult"`
	EncodingType string   `xml:",omitempty"`
	Bucket       string
	Key          string
	UploadID     string `xml:"UploadId"`
}

func (o *OSS) initiateUpload(q *ossRequest) *ossError {
	encode, oerr := keyEncoder(q.query)
	if oerr != nil {
		return oerr
	}
	if oerr := o.checkOverwrite(q); oerr != nil {
		return oerr
	}
	upload := &ossUpload{ID: randomID(), Key: q.key, Initiated: q.now.UTC(), Headers: contentHeaders(q.r.Header)}
	if err := o.store.createUpload(q.bucket, upload); err != nil {
		return o.storeError(q, err)
	}
	return q.writeXML(initiateResult{EncodingType: q.query.Get("encoding-type"), Bucket: q.bucket, Key: encode(q.key), UploadID: upload.ID})
}

func (o *OSS) uploadPart(q *ossRequest) *ossError {
	number, err := strconv.Atoi(q.query.Get("partNumber"))
	if err != nil || number < 1 || number > maxPartNumber {
		return errInvalidArgument("partNumber", q.query.Get("partNumber"), "Part number must be an integer between 1 and 10000, inclusive.")
	}
	id := q.query.Get("uploadId")
	if o.store.upload(q.bucket, q.key, id) == nil {
		return errNoSuchUpload(clip(id, 64))
	}
	_, got, oerr := o.receiveBody(q)
	if oerr != nil {
		return oerr
	}
	part := &ossPart{Number: number, Size: got.size, ETag: got.etag(), CRC64: got.crc, HasCRC: got.hasCRC, Modified: q.now.UTC()}
	found, err := o.store.addPart(q.bucket, q.key, id, part, got.path)
	if (err != nil || !found) && got.path != "" {
		_ = os.Remove(got.path) // what stays is swept at the next start
	}
	if err != nil {
		return o.storeError(q, err)
	}
	if !found {
		return errNoSuchUpload(clip(id, 64))
	}
	o.setChecksums(q, part.ETag, part.CRC64, part.HasCRC)
	q.w.WriteHeader(http.StatusOK)
	return nil
}

func (o *OSS) abortUpload(q *ossRequest) *ossError {
	id := q.query.Get("uploadId")
	found, err := o.store.removeUpload(q.bucket, q.key, id)
	if err != nil {
		return o.storeError(q, err)
	}
	if !found {
		return errNoSuchUpload(clip(id, 64))
	}
	q.w.WriteHeader(http.StatusNoContent)
	return nil
}

type completeRequest struct {
	XMLName xml.Name        `xml:"CompleteMultipartUpload"`
	Parts   []completedPart `xml:"Part"`
}

type completedPart struct {
	PartNumber int
	ETag       string
}

type completeResult struct {
	XMLName      xml.Name `xml:"CompleteMultipartUploadResult"`
	EncodingType string   `xml:",omitempty"`
	Location     string
	Bucket       string
	Key          string
	ETag         string
}

func (o *OSS) completeUpload(q *ossRequest) *ossError {
	encode, oerr := keyEncoder(q.query)
	if oerr != nil {
		return oerr
	}
	all := strings.EqualFold(q.r.Header.Get("x-oss-complete-all"), "yes")
	var request completeRequest
	if !all {
		if oerr := o.readXML(q, &request); oerr != nil {
			return oerr
		}
	}
	id := q.query.Get("uploadId")
	upload, stored := o.store.beginCompletion(q.bucket, q.key, id)
	if upload == nil {
		return errNoSuchUpload(clip(id, 64))
	}
	chosen := stored
	if !all {
		chosen, oerr = chooseParts(request.Parts, stored)
	}
	var object *ossObject
	if oerr == nil {
		object, oerr = o.assemble(q, upload, chosen)
	}
	if err := o.store.endCompletion(q.bucket, id, oerr == nil); err != nil && oerr == nil {
		oerr = o.storeError(q, err)
	}
	if oerr != nil {
		return oerr
	}
	o.setChecksums(q, object.ETag, object.CRC64, object.HasCRC)
	return q.writeXML(completeResult{EncodingType: q.query.Get("encoding-type"), Location: o.URL() + "/" + q.bucket + "/" + escapeRFC3986(q.key),
		Bucket: q.bucket, Key: encode(q.key), ETag: `"` + object.ETag + `"`})
}

// chooseParts checks the client's list of parts against what is stored.
func chooseParts(wanted []completedPart, stored []*ossPart) ([]*ossPart, *ossError) {
	byNumber := make(map[int]*ossPart, len(stored))
	for _, part := range stored {
		byNumber[part.Number] = part
	}
	if len(wanted) == 0 || len(wanted) > maxPartNumber {
		return nil, errMalformedXML()
	}
	chosen := make([]*ossPart, 0, len(wanted))
	last := 0
	for _, want := range wanted {
		if want.PartNumber <= last {
			return nil, ossErr(http.StatusBadRequest, "InvalidPartOrder", "The list of parts was not in ascending order. Parts list must specified in order by part number.")
		}
		last = want.PartNumber
		part := byNumber[want.PartNumber]
		if part == nil || !strings.EqualFold(strings.Trim(want.ETag, `"`), part.ETag) {
			return nil, ossErr(http.StatusBadRequest, "InvalidPart", "One or more of the specified parts could not be found or the specified entity tag might not have matched the part's entity tag.").
				with("PartNumber", strconv.Itoa(want.PartNumber))
		}
		chosen = append(chosen, part)
	}
	return chosen, nil
}

// assemble joins parts into the object and makes it appear.
func (o *OSS) assemble(q *ossRequest, upload *ossUpload, parts []*ossPart) (*ossObject, *ossError) {
	object := &ossObject{Key: q.key, HasCRC: true, Type: "Multipart", Modified: q.now.UTC(), Headers: upload.Headers, Blob: randomID()}
	digest := md5.New()
	for i, part := range parts {
		if part.Size < minPartBytes && i < len(parts)-1 {
			return nil, ossErr(http.StatusBadRequest, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size.").
				with("ProposedSize", strconv.FormatInt(part.Size, 10)).with("MinSizeAllowed", strconv.Itoa(minPartBytes)).with("PartNumber", strconv.Itoa(part.Number))
		}
		object.CRC64 = combineCRC64(object.CRC64, part.CRC64, part.Size)
		object.HasCRC = object.HasCRC && part.HasCRC
		object.Size += part.Size
		sum, _ := hex.DecodeString(part.ETag) // our own
		digest.Write(sum)
	}
	if len(parts) == 0 {
		return nil, errMalformedXML()
	}
	object.ETag = fmt.Sprintf("%X-%d", digest.Sum(nil), len(parts))
	if oerr := o.checkOverwrite(q); oerr != nil {
		return nil, oerr
	}
	if err := o.store.joinParts(q.bucket, upload.ID, object.Blob, parts); err != nil {
		return nil, o.storeError(q, err)
	}
	path := ""
	if !o.options.Discard {
		path = o.store.blobPath(q.bucket, object.Blob)
	}
	return object, o.commitOr(q, object, path)
}

type listPartsResult struct {
	XMLName              xml.Name `xml:"ListPartsResult"`
	EncodingType         string   `xml:",omitempty"`
	Bucket, Key          string
	UploadID             string `xml:"UploadId"`
	NextPartNumberMarker int
	MaxParts             int
	IsTruncated          bool
	Part                 []listedPart
}

type listedPart struct {
	PartNumber    int
	LastModified  string
	ETag          string
	HashCrc64ecma string
	Size          int64
}

func (o *OSS) listParts(q *ossRequest) *ossError {
	encode, oerr := keyEncoder(q.query)
	if oerr != nil {
		return oerr
	}
	limit, oerr := maxItems(q.query, "max-parts", 1000, 1000)
	if oerr != nil {
		return oerr
	}
	marker, _ := strconv.Atoi(q.query.Get("part-number-marker")) // anything else begins at the first
	id := q.query.Get("uploadId")
	result := listPartsResult{EncodingType: q.query.Get("encoding-type"), Bucket: q.bucket, Key: encode(q.key), UploadID: id, MaxParts: limit}
	if !o.fillParts(q, &result, marker) {
		return errNoSuchUpload(clip(id, 64))
	}
	return q.writeXML(result)
}

// fillParts looks at the index; false means that there is no such upload.
func (o *OSS) fillParts(q *ossRequest, result *listPartsResult, marker int) bool {
	o.store.mu.RLock()
	defer o.store.mu.RUnlock()
	upload := o.store.uploadLocked(q.bucket, q.key, result.UploadID)
	if upload == nil {
		return false
	}
	for _, number := range slices.Sorted(maps.Keys(upload.parts)) {
		if number <= marker {
			continue
		}
		if len(result.Part) == result.MaxParts {
			result.IsTruncated = true
			break
		}
		part := upload.parts[number]
		result.Part = append(result.Part, listedPart{number, ossTime(part.Modified), `"` + part.ETag + `"`, strconv.FormatUint(part.CRC64, 10), part.Size})
		result.NextPartNumberMarker = number
	}
	return true
}

type listUploadsResult struct {
	XMLName            xml.Name `xml:"ListMultipartUploadsResult"`
	EncodingType       string   `xml:",omitempty"`
	Bucket             string
	KeyMarker          string
	UploadIDMarker     string `xml:"UploadIdMarker"`
	NextKeyMarker      string
	NextUploadIDMarker string `xml:"NextUploadIdMarker"`
	Delimiter, Prefix  string
	MaxUploads         int
	IsTruncated        bool
	Upload             []listedUpload
}

type listedUpload struct {
	Key          string
	UploadID     string `xml:"UploadId"`
	Initiated    string
	StorageClass string
}

// listUploads lists unfinished uploads by name and then ID. A delimiter is taken but gathers nothing.
func (o *OSS) listUploads(q *ossRequest) *ossError {
	encode, oerr := keyEncoder(q.query)
	if oerr != nil {
		return oerr
	}
	limit, oerr := maxItems(q.query, "max-uploads", 1000, 1000)
	if oerr != nil {
		return oerr
	}
	prefix, keyMarker, idMarker := q.query.Get("prefix"), q.query.Get("key-marker"), q.query.Get("upload-id-marker")
	result := listUploadsResult{EncodingType: q.query.Get("encoding-type"), Bucket: q.bucket, KeyMarker: encode(keyMarker), UploadIDMarker: idMarker,
		Delimiter: encode(q.query.Get("delimiter")), Prefix: encode(prefix), MaxUploads: limit}
	if !o.fillUploads(q, &result, encode) {
		return errNoSuchBucket(q.bucket)
	}
	return q.writeXML(result)
}

// fillUploads looks at the index; false means that there is no such bucket.
func (o *OSS) fillUploads(q *ossRequest, result *listUploadsResult, encode func(string) string) bool {
	prefix, keyMarker, idMarker := q.query.Get("prefix"), q.query.Get("key-marker"), q.query.Get("upload-id-marker")
	o.store.mu.RLock()
	defer o.store.mu.RUnlock()
	b := o.store.buckets[q.bucket]
	if b == nil {
		return false
	}
	uploads := slices.SortedFunc(maps.Values(b.uploads), func(x, y *ossUpload) int {
		return strings.Compare(x.Key+"\x00"+x.ID, y.Key+"\x00"+y.ID)
	})
	for _, u := range uploads {
		if !strings.HasPrefix(u.Key, prefix) || u.Key < keyMarker || (u.Key == keyMarker && (idMarker == "" || u.ID <= idMarker)) {
			continue
		}
		if len(result.Upload) == result.MaxUploads {
			result.IsTruncated = true
			break
		}
		result.Upload = append(result.Upload, listedUpload{encode(u.Key), u.ID, ossTime(u.Initiated), "Standard"})
		result.NextKeyMarker, result.NextUploadIDMarker = encode(u.Key), u.ID
	}
	return true
}
