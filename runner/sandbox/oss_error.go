package sandbox

import (
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"net/http"
)

// ossError is an error answer of OSS: an HTTP status and the XML document with code and message.
type ossError struct {
	status  int
	code    string
	message string
	ec      string // the service's finer error code, where known
	details []ossErrorDetail
}

type ossErrorDetail struct {
	XMLName xml.Name
	Value   string `xml:",chardata"`
}

func (e *ossError) Error() string { return fmt.Sprintf("%d %s: %s", e.status, e.code, e.message) }

func ossErr(status int, code, format string, args ...any) *ossError {
	return &ossError{status: status, code: code, message: fmt.Sprintf(format, args...)}
}

// with adds an element to the error's document, as OSS adds StringToSign to SignatureDoesNotMatch.
func (e *ossError) with(name, value string) *ossError {
	e.details = append(e.details, ossErrorDetail{XMLName: xml.Name{Local: name}, Value: value})
	return e
}

func (e *ossError) withEC(ec string) *ossError {
	e.ec = ec
	return e
}

func errNoSuchBucket(bucket string) *ossError {
	return ossErr(http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist.").with("BucketName", bucket)
}

func errNoSuchKey(key string) *ossError {
	return ossErr(http.StatusNotFound, "NoSuchKey", "The specified key does not exist.").with("Key", key)
}

func errNoSuchUpload(id string) *ossError {
	return ossErr(http.StatusNotFound, "NoSuchUpload", "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.").with("UploadId", id)
}

func errInvalidArgument(name, value, message string) *ossError {
	return ossErr(http.StatusBadRequest, "InvalidArgument", "%s", message).with("ArgumentName", name).with("ArgumentValue", clip(value, 256))
}

func errFileExists() *ossError {
	return ossErr(http.StatusConflict, "FileAlreadyExists", "The object you specified already exists and can not be overwritten.")
}

func errMalformedXML() *ossError {
	return ossErr(http.StatusBadRequest, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema.")
}

func errMethodNotAllowed(method, resource string) *ossError {
	return ossErr(http.StatusMethodNotAllowed, "MethodNotAllowed", "The specified method is not allowed against this resource.").
		with("Method", clip(method, 32)).with("ResourceType", resource)
}

func errNotImplemented(what string) *ossError {
	return ossErr(http.StatusNotImplemented, "NotImplemented", "The stand-in does not have %s.", what)
}

type ossErrorXML struct {
	XMLName   xml.Name `xml:"Error"`
	Code      string
	Message   string
	RequestID string `xml:"RequestId"`
	HostID    string `xml:"HostId"`
	EC        string `xml:",omitempty"`
	Details   []ossErrorDetail
}

// writeOSSError answers with the error. A HEAD has no body: the document goes base64-coded into x-oss-err, as OSS does.
func writeOSSError(w http.ResponseWriter, r *http.Request, requestID string, e *ossError) {
	body, err := xml.Marshal(ossErrorXML{Code: e.code, Message: e.message, RequestID: requestID, HostID: clip(r.Host, 256), EC: e.ec, Details: e.details})
	if err != nil { // only names and texts go in; kept so that a client never gets an empty document
		body = []byte("<Error><Code>InternalError</Code></Error>")
	}
	body = append([]byte(xml.Header), body...)
	if e.ec != "" {
		w.Header().Set("x-oss-ec", e.ec)
	}
	if r.Method == http.MethodHead {
		w.Header().Set("x-oss-err", base64.StdEncoding.EncodeToString(body))
		w.WriteHeader(e.status)
		return
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(e.status)
	_, _ = w.Write(body) // the client may be gone; there is nobody to tell
}

func clip(s string, limit int) string {
	if len(s) > limit {
		return s[:limit]
	}
	return s
}
