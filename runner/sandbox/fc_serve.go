package sandbox

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	fcVersion2 = "2016-08-15"
	fcVersion3 = "2023-03-30"
)

// fcRequest is one request under way.
type fcRequest struct {
	w     *answerWriter
	r     *http.Request
	id    string
	now   time.Time // the stand-in's clock, skewed where a fault says so
	fault Fault
	body  *countingBody
	query url.Values

	v3        bool
	operation string
	service   string // empty of 3.0
	qualifier string // as it was given: a version, an alias, LATEST or nothing
	function  string
	name      string // of what else the path names: an alias, an invocation
}

// resource is what faults and pages call the request's object.
func (q *fcRequest) resource() string {
	if q.service == "" || q.function == "" {
		return q.service + q.function
	}
	return q.service + "/" + q.function
}

// serve is the way of every request: what it is, whether a fault strikes it, who sent it, then the operation.
func (f *FC) serve(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	body := &countingBody{ReadCloser: r.Body, deadline: http.NewResponseController(w)}
	r.Body = body
	q := &fcRequest{operation: "Unknown", w: &answerWriter{ResponseWriter: w}, r: r, id: fcRequestID(), body: body}
	ferr := q.parse()
	var struck bool
	q.fault, struck = f.Faults.Take(q.operation, q.resource())
	q.now = f.options.Now().Add(time.Duration(q.fault.SkewSeconds) * time.Second)
	q.headers()
	cut := false
	if struck {
		cut, ferr = f.strike(q, ferr)
	} else if ferr == nil {
		ferr = f.perform(q)
	}
	if ferr != nil && !cut {
		if !q.body.drain(drainBytes) {
			q.w.Header().Set("Connection", "close")
		}
		if !q.w.wrote {
			writeFCError(q, ferr)
		}
	}
	f.note(q, ferr, cut, began) // before the client can know the outcome of a cut
	if cut {
		cutConnection(w)
	}
}

func fcRequestID() string {
	id := strings.ToLower(randomID())
	return id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:]
}

func (q *fcRequest) headers() {
	q.w.Header()["X-Fc-Request-Id"] = []string{q.id}
	if q.v3 {
		q.w.Header()["X-Acs-Request-Id"] = []string{q.id}
	}
	q.w.Header().Set("Date", q.now.UTC().Format(http.TimeFormat))
}

// strike lets a fault happen to the request, and the request as far as the fault allows.
func (f *FC) strike(q *fcRequest, ferr *fcError) (cut bool, _ *fcError) {
	if q.fault.LatencyMS > 0 {
		select {
		case <-time.After(time.Duration(q.fault.LatencyMS) * time.Millisecond):
		case <-q.r.Context().Done():
			return true, nil
		}
	}
	injected := fcErr(q.fault.Status, q.fault.Code, "%s", q.fault.Message)
	if q.fault.Code == "" {
		injected.code = "InternalServerError"
	}
	if q.fault.Message == "" {
		injected.message = "The sandbox was told to answer so."
	}
	switch {
	case q.fault.Cut == CutBefore:
		return true, nil
	case q.fault.Status != 0 && !q.fault.AfterStoring:
		return false, injected
	case ferr != nil:
		return false, ferr
	case q.fault.Cut == CutAfter || q.fault.Status != 0:
		q.w.lost = true
		if ferr = f.perform(q); ferr == nil && q.fault.Status != 0 {
			ferr = injected
		}
		q.w.reset()
		q.headers()
		return q.fault.Cut == CutAfter, ferr
	}
	return false, f.perform(q)
}

func (f *FC) perform(q *fcRequest) *fcError {
	if ferr := f.authenticate(q); ferr != nil {
		return ferr
	}
	handle := f.handler(q.operation)
	if handle == nil {
		return fcErr(http.StatusBadRequest, "PathNotSupported", "'%s' against '%s' is not supported", clip(q.r.Method, 16), clip(q.r.URL.Path, 256))
	}
	return handle(q)
}

func (f *FC) note(q *fcRequest, ferr *fcError, cut bool, began time.Time) {
	f.nRequests.Add(1)
	f.nBytesIn.Add(q.body.read)
	f.nBytesOut.Add(q.w.bytes)
	entry := Request{Time: began, Method: clip(q.r.Method, 16), Operation: q.operation, Bucket: clip(q.service, 128), Key: clip(q.function, 128),
		Status: q.w.status, Bytes: q.body.read, Took: time.Since(began), RequestID: q.id}
	if q.fault.Operation != "" {
		entry.Fault = q.fault.String()
	}
	if ferr != nil {
		entry.Code = ferr.code
	}
	if cut {
		entry.Status, entry.Code = 0, ""
	}
	f.requests.add(entry)
}

// FCOperations lists the names of the operations that faults may strike, the most frequent first. Where 2.0 and 3.0
// name one differently, it is 2.0's.
func FCOperations() []string {
	return []string{"InvokeFunction", "GetFunction", "GetService", "GetFunctionAsyncInvokeConfig", "ListFunctions", "ListServices", "GetStatefulAsyncInvocation",
		"GetAlias", "ListAliases", "ListServiceVersions"}
}

// handler maps each operation that the stand-in has to what does it.
func (f *FC) handler(operation string) func(*fcRequest) *fcError {
	switch operation {
	case "InvokeFunction":
		return f.invokeFunction
	case "GetFunction":
		return f.getFunction
	case "GetService":
		return f.getService
	case "GetFunctionAsyncInvokeConfig":
		return f.getAsyncConfig
	case "ListFunctions":
		return f.listFunctions
	case "ListServices":
		return f.listServices
	case "GetStatefulAsyncInvocation":
		return f.getAsyncInvocation
	case "GetAlias":
		return f.getAlias
	case "ListAliases":
		return f.listAliases
	case "ListServiceVersions":
		return f.listVersions
	}
	return nil
}

// parse reads path and query.
func (q *fcRequest) parse() *fcError {
	unsupported := fcErr(http.StatusBadRequest, "PathNotSupported", "'%s' against '%s' is not supported", clip(q.r.Method, 16), clip(q.r.URL.Path, 256))
	if q.r.URL.RawQuery != "" {
		var err error
		if q.query, err = url.ParseQuery(q.r.URL.RawQuery); err != nil {
			return errFCArgument("the query string is malformed")
		}
	}
	var parts []string
	for part := range strings.SplitSeq(strings.Trim(q.r.URL.EscapedPath(), "/"), "/") {
		part, err := url.PathUnescape(part)
		if err != nil || len(parts) == 8 {
			return unsupported
		}
		parts = append(parts, part)
	}
	q.v3 = parts[0] == fcVersion3
	if parts[0] != fcVersion2 && !q.v3 {
		return unsupported
	}
	if q.v3 {
		q.qualifier = q.query.Get("qualifier")
		q.operation = q.functionOperation(parts[1:])
	} else {
		q.operation = q.serviceOperation(parts[1:])
	}
	return nil
}

// serviceOperation is that of /services… of 2.0.
func (q *fcRequest) serviceOperation(parts []string) string {
	get := q.r.Method == http.MethodGet
	if len(parts) == 0 || parts[0] != "services" {
		return "Unknown"
	}
	if len(parts) == 1 && get {
		return "ListServices"
	}
	if len(parts) == 1 {
		return "Unknown"
	}
	q.service, q.qualifier, _ = strings.Cut(parts[1], ".")
	switch {
	case len(parts) == 2 && get:
		if q.qualifier == "" {
			q.qualifier = q.query.Get("qualifier")
		}
		return "GetService"
	case len(parts) == 3 && parts[2] == "versions" && get:
		return "ListServiceVersions"
	case len(parts) == 3 && parts[2] == "aliases" && get:
		return "ListAliases"
	case len(parts) == 4 && parts[2] == "aliases" && get:
		q.name = parts[3]
		return "GetAlias"
	}
	return q.functionOperation(parts[2:])
}

// functionOperation is that of functions…, which both versions have.
func (q *fcRequest) functionOperation(parts []string) string {
	get := q.r.Method == http.MethodGet
	if len(parts) == 0 || parts[0] != "functions" {
		return "Unknown"
	}
	if len(parts) == 1 && get {
		return "ListFunctions"
	}
	if len(parts) < 2 {
		return "Unknown"
	}
	q.function = parts[1]
	rest := strings.Join(parts[2:min(3, len(parts))], "")
	switch {
	case len(parts) == 2 && get:
		return "GetFunction"
	case len(parts) == 3 && rest == "invocations" && q.r.Method == http.MethodPost:
		return "InvokeFunction"
	case len(parts) == 3 && rest == "async-invoke-config" && get:
		return "GetFunctionAsyncInvokeConfig"
	case len(parts) == 4 && (rest == "stateful-async-invocations" || rest == "async-tasks") && get:
		q.name = parts[3]
		return "GetStatefulAsyncInvocation"
	case !q.v3:
		return "Unknown"
	case len(parts) == 3 && rest == "versions" && get:
		return "ListServiceVersions"
	case len(parts) == 3 && rest == "aliases" && get:
		return "ListAliases"
	case len(parts) == 4 && rest == "aliases" && get:
		q.name = parts[3]
		return "GetAlias"
	}
	return "Unknown"
}

// writeJSON answers 200 with a document.
func (q *fcRequest) writeJSON(v any) *fcError {
	data, err := json.Marshal(v)
	if err != nil {
		return fcErr(http.StatusInternalServerError, "InternalServerError", "writing the answer: %s", err)
	}
	q.w.Header().Set("Content-Type", "application/json")
	_, _ = q.w.Write(data) // the client may be gone; there is nobody to tell
	return nil
}
