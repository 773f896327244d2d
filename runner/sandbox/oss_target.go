package sandbox

import (
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// ossTarget is what a request is about: its bucket, its object and the operation, named as the service documents it.
type ossTarget struct {
	operation   string
	bucket, key string
	query       url.Values
}

// maxKeyBytes is the longest object name, in bytes of UTF-8.
const maxKeyBytes = 1023

// parseTarget reads path, query and Host. The operation is "Unknown" where the error is not nil.
func (o *OSS) parseTarget(r *http.Request) (*ossTarget, *ossError) {
	t := &ossTarget{operation: "Unknown", query: url.Values{}}
	path, ok := strings.CutPrefix(r.URL.EscapedPath(), "/")
	if !ok {
		return t, ossErr(http.StatusBadRequest, "InvalidURI", "Couldn't parse the specified URI.")
	}
	t.bucket = o.bucketOfHost(r.Host)
	rawKey := path
	if t.bucket == "" {
		var rawBucket string
		rawBucket, rawKey, _ = strings.Cut(path, "/")
		bucket, err := url.PathUnescape(rawBucket)
		if err != nil {
			return t, ossErr(http.StatusBadRequest, "InvalidURI", "Couldn't parse the specified URI.")
		}
		t.bucket = bucket
	}
	key, err := url.PathUnescape(rawKey)
	if err != nil {
		return t, ossErr(http.StatusBadRequest, "InvalidURI", "Couldn't parse the specified URI.")
	}
	t.key = key
	if t.query, err = url.ParseQuery(r.URL.RawQuery); err != nil {
		t.query = url.Values{}
		return t, errInvalidArgument("query", r.URL.RawQuery, "The query string is malformed.")
	}
	if t.bucket != "" && !validBucketName(t.bucket) {
		return t, ossErr(http.StatusBadRequest, "InvalidBucketName", "The specified bucket is not valid.").with("BucketName", clip(t.bucket, 128))
	}
	if t.key != "" && !validKey(t.key) {
		return t, ossErr(http.StatusBadRequest, "InvalidObjectName", "The specified object is not valid.").with("ObjectName", clip(strings.ToValidUTF8(t.key, "?"), 128))
	}
	var oerr *ossError
	t.operation, oerr = operationOf(r, t)
	return t, oerr
}

// validKey is the service's rule: at most 1023 bytes of UTF-8 that begin with neither slash nor backslash. XML 1.0,
// which lists are written in, has no other control characters than tab and line ends; the stand-in refuses NUL only and
// lists such names URL-encoded.
func validKey(key string) bool {
	return len(key) <= maxKeyBytes && utf8.ValidString(key) && key[0] != '/' && key[0] != '\\' && !strings.ContainsRune(key, 0)
}

func operationOf(r *http.Request, t *ossTarget) (string, *ossError) {
	var name string
	switch {
	case t.bucket == "":
		if r.Method == http.MethodGet {
			name = "ListBuckets"
		}
	case t.key == "":
		name = bucketOperation(r.Method, t.query)
	default:
		name = objectOperation(r, t.query)
	}
	if name == "" {
		resource := "Object"
		if t.key == "" {
			resource = "Bucket"
		}
		return "Unknown", errMethodNotAllowed(r.Method, resource)
	}
	return name, nil
}

func bucketOperation(method string, q url.Values) string {
	switch method {
	case http.MethodGet:
		switch {
		case q.Has("bucketInfo"):
			return "GetBucketInfo"
		case q.Has("location"):
			return "GetBucketLocation"
		case q.Has("stat"):
			return "GetBucketStat"
		case q.Has("acl"):
			return "GetBucketAcl"
		case q.Has("versioning"):
			return "GetBucketVersioning"
		case q.Has("uploads"):
			return "ListMultipartUploads"
		case q.Get("list-type") == "2":
			return "ListObjectsV2"
		}
		return "ListObjects"
	case http.MethodPut:
		return "PutBucket"
	case http.MethodDelete:
		return "DeleteBucket"
	case http.MethodPost:
		if q.Has("delete") {
			return "DeleteMultipleObjects"
		}
	}
	return ""
}

func objectOperation(r *http.Request, q url.Values) string {
	switch r.Method {
	case http.MethodPut:
		switch {
		case q.Has("partNumber") || q.Has("uploadId"):
			if r.Header.Get("x-oss-copy-source") != "" {
				return "UploadPartCopy"
			}
			return "UploadPart"
		case r.Header.Get("x-oss-copy-source") != "":
			return "CopyObject"
		}
		return "PutObject"
	case http.MethodGet:
		if q.Has("uploadId") {
			return "ListParts"
		}
		return "GetObject"
	case http.MethodHead:
		if q.Has("objectMeta") {
			return "GetObjectMeta"
		}
		return "HeadObject"
	case http.MethodDelete:
		if q.Has("uploadId") {
			return "AbortMultipartUpload"
		}
		return "DeleteObject"
	case http.MethodPost:
		switch {
		case q.Has("uploads"):
			return "InitiateMultipartUpload"
		case q.Has("uploadId"):
			return "CompleteMultipartUpload"
		case q.Has("append"):
			return "AppendObject"
		}
	}
	return ""
}

// handlers maps each operation that the stand-in has to what does it.
func (o *OSS) handler(operation string) func(*ossRequest) *ossError {
	switch operation {
	case "ListBuckets":
		return o.listBuckets
	case "PutBucket":
		return o.putBucket
	case "DeleteBucket":
		return o.deleteBucket
	case "GetBucketInfo", "GetBucketLocation", "GetBucketStat", "GetBucketAcl", "GetBucketVersioning":
		return o.describeBucket
	case "ListObjects", "ListObjectsV2":
		return o.listObjects
	case "DeleteMultipleObjects":
		return o.deleteObjects
	case "PutObject":
		return o.putObject
	case "CopyObject":
		return o.copyObject
	case "GetObject", "HeadObject", "GetObjectMeta":
		return o.getObject
	case "DeleteObject":
		return o.deleteObject
	case "InitiateMultipartUpload":
		return o.initiateUpload
	case "UploadPart":
		return o.uploadPart
	case "ListParts":
		return o.listParts
	case "ListMultipartUploads":
		return o.listUploads
	case "CompleteMultipartUpload":
		return o.completeUpload
	case "AbortMultipartUpload":
		return o.abortUpload
	}
	return nil
}
