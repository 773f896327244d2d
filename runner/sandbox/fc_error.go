package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// fcError is an error answer: an HTTP status, code and message. The codes are those of the service's documentation
// ("Error codes" of Function Compute). What it does not tell, among that the codes of wrong tokens and of a clock that
// is off, is the nearest that it has.
type fcError struct {
	status  int
	code    string
	message string
}

func (e *fcError) Error() string { return fmt.Sprintf("%d %s: %s", e.status, e.code, e.message) }

func fcErr(status int, code, format string, args ...any) *fcError {
	return &fcError{status: status, code: code, message: fmt.Sprintf(format, args...)}
}

func errFCHeader(name string) *fcError {
	return fcErr(http.StatusBadRequest, "MissingRequiredHeader", "required HTTP header %s was not specified", name)
}

func errFCArgument(format string, args ...any) *fcError {
	return fcErr(http.StatusBadRequest, "InvalidArgument", format, args...)
}

func errFCSignature(toSign string) *fcError {
	return fcErr(http.StatusForbidden, "SignatureNotMatch", "The request signature we calculated does not match the signature you provided. Check your access key and signing method. String to sign: %q", clip(toSign, 4096))
}

func errFCTooLarge(limit int64) *fcError {
	return fcErr(http.StatusRequestEntityTooLarge, "EntityTooLarge", "payload size exceeds maximum allowed size (%d bytes)", limit)
}

func errFCRepeated(id string) *fcError {
	return fcErr(http.StatusConflict, "StatefulAsyncInvocationAlreadyExists", "the stateful async invocation '%s' already exists", id)
}

// writeFCError answers with the error as the called version of the API writes it.
func writeFCError(q *fcRequest, e *fcError) {
	var doc any = struct{ ErrorCode, ErrorMessage string }{e.code, e.message}
	if q.v3 {
		doc = struct{ RequestId, Code, Message string }{q.id, e.code, e.message}
	}
	body, err := json.Marshal(doc)
	if err != nil { // only texts go in; kept so that a client never gets an empty document
		body = []byte(`{"ErrorCode":"InternalServerError","ErrorMessage":"writing the error failed"}`)
	}
	q.w.Header().Set("Content-Type", "application/json")
	q.w.WriteHeader(e.status)
	_, _ = q.w.Write(body) // the client may be gone; there is nobody to tell
}
