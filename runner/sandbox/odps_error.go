package sandbox

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net"
	"net/http"
)

// odpsError is an error answer: an HTTP status, and code and message in XML (REST) or JSON (Tunnel). The codes are
// those of the service's documentation ("Tunnel error messages", "API errors"). Where it does not tell a code's
// status, the nearest meaning in HTTP was taken.
type odpsError struct {
	status  int
	code    string
	message string
}

func (e *odpsError) Error() string { return fmt.Sprintf("%d %s: %s", e.status, e.code, e.message) }

func odpsErr(status int, code, format string, args ...any) *odpsError {
	return &odpsError{status: status, code: code, message: fmt.Sprintf(format, args...)}
}

func errODPSNoTable(name string) *odpsError {
	return odpsErr(http.StatusNotFound, "NoSuchTable", "The specified table name does not exist: %s", name)
}

func errODPSNoPartition(spec string) *odpsError {
	return odpsErr(http.StatusNotFound, "NoSuchPartition", "The specified partition does not exist: %s", spec)
}

func errODPSArgument(format string, args ...any) *odpsError {
	return odpsErr(http.StatusBadRequest, "InvalidArgument", format, args...)
}

func errODPSConflict(kind, id, status string) *odpsError {
	if status == odpsExpired {
		return odpsErr(http.StatusConflict, "StatusConflict", "The %s session is expired: %s", kind, id)
	}
	return odpsErr(http.StatusConflict, "StatusConflict", "You cannot complete the specified operation under the current upload or download status: %s is %s", id, status)
}

func errODPSFlow(what string) *odpsError {
	return odpsErr(http.StatusTooManyRequests, "FlowExceeded", "Your flow quota is exceeded: %s", what)
}

// bodyProblem turns an error of reading a body into the service's.
func (o *ODPS) bodyProblem(q *odpsRequest, err error) *odpsError {
	var network net.Error
	var known *odpsError
	switch {
	case errors.As(err, &known):
		return known
	case q.body.failed != nil && errors.As(q.body.failed, &network) && network.Timeout():
		return odpsErr(http.StatusBadRequest, "RequestTimeout", "Your socket connection to the server was not read from within the timeout period")
	case q.body.failed != nil:
		return odpsErr(http.StatusBadRequest, "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header")
	case errors.Is(err, errODPSMalformed):
		return odpsErr(http.StatusBadRequest, "MalformedDataStream", "The data stream you provided was not well-formed or did not validate against schema: %s", err)
	case errors.Is(err, errODPSCorrupted):
		return odpsErr(http.StatusBadRequest, "CorruptedDataStream", "The data stream was corrupted, please try again later: %s", err)
	}
	return o.internal(q, err)
}

func (o *ODPS) internal(q *odpsRequest, err error) *odpsError {
	o.log.Error("the MaxCompute stand-in could not carry out a request", "operation", q.operation, "resource", q.resource(), "error", err)
	return odpsErr(http.StatusInternalServerError, "InternalServerError", "Service internal error, please try again later")
}

type odpsErrorXML struct {
	XMLName   xml.Name `xml:"Error" json:"-"`
	Code      string
	Message   string
	RequestID string `xml:"RequestId" json:"RequestId"`
	HostID    string `xml:"HostId" json:"HostId"`
}

// writeODPSError answers with the error as the called half of the service writes it.
func writeODPSError(q *odpsRequest, e *odpsError) {
	doc := odpsErrorXML{Code: e.code, Message: e.message, RequestID: q.id, HostID: clip(q.r.Host, 256)}
	var body []byte
	var err error
	if q.tunnel {
		q.w.Header().Set("Content-Type", "application/json")
		body, err = json.Marshal(doc)
	} else {
		q.w.Header().Set("Content-Type", "application/xml")
		body, err = xml.Marshal(doc)
		body = append([]byte(xml.Header), body...)
	}
	if err != nil { // only texts go in; kept so that a client never gets an empty document
		body = []byte(`{"Code":"InternalServerError","Message":"writing the error failed"}`)
	}
	if e.status == http.StatusTooManyRequests {
		q.w.Header().Set("Retry-After", "1")
	}
	q.w.WriteHeader(e.status)
	_, _ = q.w.Write(body) // the client may be gone; there is nobody to tell
}
