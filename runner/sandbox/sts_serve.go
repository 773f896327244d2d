package sandbox

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// stsRequest is one request under way.
type stsRequest struct {
	operation string
	w         *answerWriter
	r         *http.Request
	id        string
	now       time.Time // the stand-in's clock, skewed where a fault says so
	fault     Fault
	params    url.Values // of query and body
	bytes     int64      // of the body
}

// stsError is a refusal as the RPC style of the service's API writes it.
type stsError struct {
	XMLName   xml.Name `json:"-" xml:"Error"`
	RequestID string   `json:"RequestId" xml:"RequestId"`
	HostID    string   `json:"HostId" xml:"HostId"`
	Code      string   `json:"Code" xml:"Code"`
	Message   string   `json:"Message" xml:"Message"`
	status    int
}

func stsErr(status int, code, format string, args ...any) *stsError {
	return &stsError{status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

// serve is the way of every request: what it is, whether a fault strikes it, who sent it, then the operation.
func (s *STS) serve(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	q := &stsRequest{operation: "Unknown", w: &answerWriter{ResponseWriter: w}, r: r, id: stsRequestID()}
	serr := q.parse()
	var struck bool
	q.fault, struck = s.Faults.Take(q.operation, q.roleName())
	q.now = s.options.Now().Add(time.Duration(q.fault.SkewSeconds) * time.Second)
	q.headers()
	cut := false
	if struck {
		cut, serr = s.strike(q, serr)
	} else if serr == nil {
		serr = s.perform(q)
	}
	if serr != nil && !cut {
		serr.RequestID, serr.HostID = q.id, clip(r.Host, 256)
		q.answer(serr.status, serr)
	}
	s.note(q, serr, cut, began) // before the client can know the outcome of a cut
	if cut {
		cutConnection(w)
	}
}

func (q *stsRequest) headers() {
	q.w.Header().Set("Server", "STS-Sandbox")
	q.w.Header().Set("x-acs-request-id", q.id)
	q.w.Header().Set("Date", q.now.UTC().Format(http.TimeFormat))
}

// parse reads the parameters, which may stand in the query and in the body.
func (q *stsRequest) parse() *stsError {
	body, err := io.ReadAll(io.LimitReader(q.r.Body, maxSTSBody+1))
	q.bytes = int64(len(body))
	if err != nil || len(body) > maxSTSBody {
		return stsErr(http.StatusBadRequest, "InvalidParameter", "The body cannot be read, or is longer than %d bytes.", maxSTSBody)
	}
	query, err := url.ParseQuery(q.r.URL.RawQuery)
	if err != nil {
		return stsErr(http.StatusBadRequest, "InvalidParameter", "The query cannot be read.")
	}
	q.params = query
	if strings.HasPrefix(q.r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return stsErr(http.StatusBadRequest, "InvalidParameter", "The body is no form.")
		}
		for name, values := range form {
			q.params[name] = append(q.params[name], values...)
		}
	}
	for name, values := range q.params {
		if len(values) > 1 {
			return stsErr(http.StatusBadRequest, "InvalidParameter", "The parameter %s is given twice.", clip(name, 64))
		}
	}
	if q.params.Get("Action") == "AssumeRole" {
		q.operation = "AssumeRole"
	}
	return nil
}

// roleName is what a fault's key is compared with.
func (q *stsRequest) roleName() string {
	_, name, _ := strings.Cut(q.params.Get("RoleArn"), ":role/")
	return name
}

// strike lets a fault happen to the request, and the request as far as the fault allows.
func (s *STS) strike(q *stsRequest, serr *stsError) (cut bool, _ *stsError) {
	f := q.fault
	if f.LatencyMS > 0 {
		select {
		case <-time.After(time.Duration(f.LatencyMS) * time.Millisecond):
		case <-q.r.Context().Done():
			return true, nil
		}
	}
	injected := stsErr(f.Status, f.Code, "%s", f.Message)
	if f.Code == "" {
		injected.Code = "InternalError"
	}
	if f.Message == "" {
		injected.Message = "The sandbox was told to answer so."
	}
	switch {
	case f.Cut == CutBefore:
		return true, nil
	case f.Status != 0 && !f.AfterStoring:
		return false, injected
	case serr != nil:
		return false, serr
	case f.Cut == CutAfter || f.Status != 0:
		q.w.lost = true
		if serr = s.perform(q); serr == nil && f.Status != 0 {
			serr = injected
		}
		q.w.reset()
		q.headers()
		return f.Cut == CutAfter, serr
	}
	return false, s.perform(q)
}

func (s *STS) perform(q *stsRequest) *stsError {
	if q.r.URL.Path != "/" && q.r.URL.Path != "" || q.r.Method != http.MethodPost && q.r.Method != http.MethodGet {
		return stsErr(http.StatusNotFound, "InvalidAction.NotFound", "Calls are made by GET or POST to /.")
	}
	if v := q.params.Get("Version"); v != "2015-04-01" {
		return stsErr(http.StatusBadRequest, "InvalidVersion", "Specified parameter Version is not valid.")
	}
	if q.operation != "AssumeRole" {
		return stsErr(http.StatusNotFound, "InvalidAction.NotFound", "Specified api is not found, please check your url and method.")
	}
	key, serr := s.authenticate(q)
	if serr != nil {
		return serr
	}
	return s.assumeRole(q, key)
}

// answer writes JSON, or XML where the request asks for that or says nothing.
func (q *stsRequest) answer(status int, body any) {
	var out bytes.Buffer
	kind := "application/json;charset=utf-8"
	if strings.EqualFold(q.params.Get("Format"), "JSON") {
		_ = json.NewEncoder(&out).Encode(body) // strings only
	} else {
		kind = "text/xml;charset=utf-8"
		out.WriteString(xml.Header)
		_ = xml.NewEncoder(&out).Encode(body)
	}
	q.w.Header().Set("Content-Type", kind)
	q.w.WriteHeader(status)
	_, _ = q.w.Write(out.Bytes())
}

func (s *STS) note(q *stsRequest, serr *stsError, cut bool, began time.Time) {
	s.nRequests.Add(1)
	entry := Request{Time: began, Method: clip(q.r.Method, 16), Operation: q.operation, Key: clip(q.roleName(), 128),
		Status: q.w.status, Fault: q.fault.String(), Bytes: q.bytes, Took: time.Since(began), RequestID: q.id}
	if serr != nil {
		entry.Code = serr.Code
	}
	if cut {
		entry.Status, entry.Code = 0, ""
	}
	s.requests.add(entry)
}

// STSOperations lists the names of the operations that faults may strike.
func STSOperations() []string { return []string{"AssumeRole"} }

// stsRequestID has the shape of the service's: 8-4-4-4-12 digits.
func stsRequestID() string {
	id := randomID()
	return id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:]
}
