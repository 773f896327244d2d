package sandbox

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// odpsRequest is one request under way.
type odpsRequest struct {
	operation string
	tunnel    bool // called without /api
	name      odpsName
	instance  string
	query     url.Values
	w         *answerWriter
	r         *http.Request
	id        string
	now       time.Time // the stand-in's clock, skewed where a fault says so
	fault     Fault
	body      *odpsBody
}

// odpsBody is a request's body, which knows whether reading it failed.
type odpsBody struct {
	countingBody
	failed error
}

func (b *odpsBody) Read(p []byte) (int, error) {
	n, err := b.countingBody.Read(p)
	if err != nil && err != io.EOF {
		b.failed = err
	}
	b.moved()
	return n, err
}

// resource is what a fault's key is compared with: the table and its partition.
func (q *odpsRequest) resource() string {
	if spec := q.partition(); spec != "" {
		return q.name.Table + "/" + spec
	}
	return q.name.Table
}

// partition is the partition that the request names, without quotation marks.
func (q *odpsRequest) partition() string {
	return strings.NewReplacer("'", "", `"`, "", ",", "/").Replace(q.query.Get("partition"))
}

// serve is the way of every request: what it is, whether a fault strikes it, who sent it, then the operation.
func (o *ODPS) serve(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	body := &odpsBody{countingBody: countingBody{ReadCloser: r.Body, deadline: http.NewResponseController(w)}}
	r.Body = body
	q := &odpsRequest{operation: "Unknown", w: &answerWriter{ResponseWriter: w}, r: r, id: began.UTC().Format("20060102150405") + randomID()[:18], body: body}
	oerr := q.parse()
	var struck bool
	q.fault, struck = o.Faults.Take(q.operation, q.resource())
	q.now = o.options.Now().Add(time.Duration(q.fault.SkewSeconds) * time.Second)
	q.headers()
	cut := false
	if struck {
		cut, oerr = o.strike(q, oerr)
	} else if oerr == nil {
		oerr = o.perform(q)
	}
	if oerr != nil && !cut {
		if !q.body.drain(drainBytes) {
			q.w.Header().Set("Connection", "close")
		}
		if !q.w.wrote {
			writeODPSError(q, oerr)
		}
	}
	o.note(q, oerr, cut, began) // before the client can know the outcome of a cut
	if cut || oerr != nil && oerr.status == 0 {
		cutConnection(w)
	}
}

func (q *odpsRequest) headers() {
	q.w.Header().Set("Server", "ODPS-Sandbox")
	q.w.Header().Set("x-odps-request-id", q.id)
	q.w.Header().Set("Date", q.now.UTC().Format(http.TimeFormat))
}

// strike lets a fault happen to the request, and the request as far as the fault allows.
func (o *ODPS) strike(q *odpsRequest, oerr *odpsError) (cut bool, _ *odpsError) {
	f := q.fault
	if f.LatencyMS > 0 {
		select {
		case <-time.After(time.Duration(f.LatencyMS) * time.Millisecond):
		case <-q.r.Context().Done():
			return true, nil
		}
	}
	injected := odpsErr(f.Status, f.Code, "%s", f.Message)
	if f.Code == "" {
		injected.code = "InternalServerError"
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
		q.w.lost = true
		if oerr = o.perform(q); oerr == nil && f.Status != 0 {
			oerr = injected
		}
		q.w.reset()
		q.headers()
		return f.Cut == CutAfter, oerr
	}
	return false, o.perform(q)
}

func (o *ODPS) perform(q *odpsRequest) *odpsError {
	if oerr := o.keys.authenticateODPS(q, o.options.Region); oerr != nil {
		return oerr
	}
	if !slices.ContainsFunc(o.options.Projects, func(p string) bool { return strings.EqualFold(p, q.name.Project) }) {
		return odpsErr(http.StatusNotFound, "NoSuchProject", "The specified project name does not exist: %s", clip(q.name.Project, 128))
	}
	handle := o.handler(q.operation)
	if handle == nil {
		return odpsErr(http.StatusNotImplemented, "NotImplemented", "The stand-in does not have %s %s.", clip(q.r.Method, 16), clip(q.r.URL.Path, 256))
	}
	return handle(q)
}

func (o *ODPS) note(q *odpsRequest, oerr *odpsError, cut bool, began time.Time) {
	o.nRequests.Add(1)
	o.nBytesIn.Add(q.body.read)
	o.nBytesOut.Add(q.w.bytes)
	entry := Request{Time: began, Method: clip(q.r.Method, 16), Operation: q.operation, Bucket: clip(q.name.Project, 128), Key: clip(q.resource(), maxKeyBytes),
		Status: q.w.status, Fault: q.fault.String(), Bytes: q.body.read, Took: time.Since(began), RequestID: q.id}
	if oerr != nil {
		entry.Code = oerr.code
	}
	if cut {
		entry.Status, entry.Code = 0, ""
	}
	o.requests.add(entry)
}

// ODPSOperations lists the names of the operations that faults may strike, in the order in which a client meets them.
func ODPSOperations() []string {
	return []string{"GetProject", "GetTunnelEndpoint", "ListTables", "GetTable", "ListPartitions", "GetPartition", "CreateInstance", "GetInstance",
		"CreateUpload", "GetUpload", "UploadBlock", "CommitUpload", "CreateDownload", "GetDownload", "Download"}
}

// handler maps each operation that the stand-in has to what does it.
func (o *ODPS) handler(operation string) func(*odpsRequest) *odpsError {
	switch operation {
	case "GetProject":
		return o.getProject
	case "GetTunnelEndpoint":
		return o.getTunnelEndpoint
	case "ListTables":
		return o.listTables
	case "GetTable":
		return o.getTable
	case "ListPartitions":
		return o.listPartitions
	case "GetPartition":
		return o.getPartition
	case "CreateInstance":
		return o.createInstance
	case "GetInstance":
		return o.getInstance
	case "CreateUpload":
		return o.createUpload
	case "GetUpload":
		return o.getUpload
	case "UploadBlock":
		return o.uploadBlock
	case "CommitUpload":
		return o.commitUpload
	case "CreateDownload":
		return o.createDownload
	case "GetDownload":
		return o.getDownload
	case "Download":
		return o.download
	}
	return nil
}

// parse reads path and query.
func (q *odpsRequest) parse() *odpsError {
	path, rest := odpsPath(q.r)
	q.tunnel = !rest
	var err error
	if q.query, err = url.ParseQuery(q.r.URL.RawQuery); err != nil {
		q.query = url.Values{}
		return errODPSArgument("The query string is malformed")
	}
	parts := strings.Split(strings.Trim(path, "/"), "/")
	if len(parts) < 2 || parts[0] != "projects" {
		return odpsErr(http.StatusNotFound, "NoSuchObject", "There is nothing at %s; paths begin with /projects/<project>", clip(path, 256))
	}
	q.name = odpsName{Project: strings.ToLower(parts[1]), Schema: odpsDefaultSchema}
	if parts = parts[2:]; len(parts) >= 2 && parts[0] == "schemas" {
		q.name.Schema, parts = strings.ToLower(parts[1]), parts[2:]
	}
	if schema := q.query.Get("curr_schema"); schema != "" {
		q.name.Schema = strings.ToLower(schema)
	}
	q.operation = q.operationOf(parts)
	return nil
}

func (q *odpsRequest) operationOf(parts []string) string {
	get := q.r.Method == http.MethodGet
	switch {
	case len(parts) == 0 && get:
		return "GetProject"
	case len(parts) == 1 && parts[0] == "tunnel" && get && q.query.Has("service"):
		return "GetTunnelEndpoint"
	case len(parts) == 1 && parts[0] == "tables" && get:
		return "ListTables"
	case len(parts) == 1 && parts[0] == "instances" && q.r.Method == http.MethodPost:
		return "CreateInstance"
	case len(parts) == 2 && parts[0] == "instances" && get:
		q.instance = parts[1]
		return "GetInstance"
	case len(parts) == 2 && parts[0] == "tables":
		q.name.Table = strings.ToLower(parts[1])
		return q.tableOperation()
	}
	return "Unknown"
}

func (q *odpsRequest) tableOperation() string {
	switch q.r.Method {
	case http.MethodPost:
		switch {
		case q.query.Has("uploads"):
			return "CreateUpload"
		case q.query.Has("uploadid"):
			return "CommitUpload"
		case q.query.Has("downloads"):
			return "CreateDownload"
		}
	case http.MethodPut:
		if q.query.Has("uploadid") && q.query.Has("blockid") {
			return "UploadBlock"
		}
	case http.MethodGet:
		switch {
		case q.query.Has("uploadid"):
			return "GetUpload"
		case q.query.Has("downloadid") && q.query.Has("data"):
			return "Download"
		case q.query.Has("downloadid"):
			return "GetDownload"
		case q.query.Has("partitions"):
			return "ListPartitions"
		case q.query.Has("partition"):
			return "GetPartition"
		}
		return "GetTable"
	}
	return "Unknown"
}

// writeXML answers with a document.
func (q *odpsRequest) writeXML(status int, v any) *odpsError {
	data, err := xml.Marshal(v)
	if err != nil {
		return odpsErr(http.StatusInternalServerError, "InternalServerError", "Writing the answer: %s", err)
	}
	q.w.Header().Set("Content-Type", "application/xml")
	q.w.WriteHeader(status)
	_, _ = q.w.Write(append([]byte(xml.Header), data...)) // the client may be gone; there is nobody to tell
	return nil
}

// readBody reads a small body, checking Content-MD5 where it is given.
func (o *ODPS) readBody(q *odpsRequest) ([]byte, *odpsError) {
	data, err := io.ReadAll(io.LimitReader(q.body, maxXMLBytes+1))
	if err != nil {
		return nil, o.bodyProblem(q, err)
	}
	if len(data) > maxXMLBytes {
		return nil, odpsErr(http.StatusRequestEntityTooLarge, "RequestTooLarge", "The request's document is larger than %d bytes", maxXMLBytes)
	}
	sum := md5.Sum(data)
	return data, q.checkMD5(sum[:])
}

// checkMD5 compares a body's MD5 with Content-MD5, which clients write in hexadecimal digits or in base64.
func (q *odpsRequest) checkMD5(sum []byte) *odpsError {
	given := q.r.Header.Get("Content-MD5")
	if given == "" || strings.EqualFold(given, hex.EncodeToString(sum)) {
		return nil
	}
	if raw, err := base64.StdEncoding.DecodeString(given); err == nil && bytes.Equal(raw, sum) {
		return nil
	}
	return odpsErr(http.StatusBadRequest, "InvalidDigest", "The Content-MD5 you specified was invalid: the body's is %s", hex.EncodeToString(sum))
}
