package sandbox

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// What became of an invocation.
const (
	FCSucceeded = "Succeeded"
	FCFailed    = "Failed"
	FCRunning   = "Running"
)

// FCUnhandled is the X-Fc-Error-Type of a function that threw.
const FCUnhandled = "UnhandledInvocationError"

// fcCounts counts what became of the invocations of one function.
type fcCounts struct {
	invocations, failed, repeated, throttled, records, bytes atomic.Int64
}

// invokeFunction accepts an event: a synchronous one is answered by the function, an asynchronous one by 202.
func (f *FC) invokeFunction(q *fcRequest) *fcError {
	if ferr := q.checkFunction(); ferr != nil {
		return ferr
	}
	async, limit := false, int64(FCSyncLimit)
	switch kind := q.r.Header.Get("X-Fc-Invocation-Type"); kind {
	case "", "Sync":
	case "Async":
		async, limit = true, FCAsyncLimit
	default:
		return errFCArgument("X-Fc-Invocation-Type is '%s', neither Sync nor Async", clip(kind, 64))
	}
	id, ferr := q.invocationID(async)
	if ferr != nil {
		return ferr
	}
	buffer := f.buffers.Get().(*[]byte)
	defer func() {
		if cap(*buffer) <= 1<<20 {
			f.buffers.Put(buffer)
		}
	}()
	if ferr := f.readEvent(q, buffer, limit); ferr != nil {
		return ferr
	}
	event := *buffer
	counts := f.counts[q.api()][q.function]
	if q.function == FCThrottled && !f.throttle.take() {
		counts.throttled.Add(1)
		return fcErr(http.StatusTooManyRequests, "ResourceExhausted", "the function's concurrency is exhausted; it takes %v invocations a second", f.throttle.perSecond)
	}
	inv := q.invocation(async, id, event)
	outcome := f.run(inv, event)
	if async && id != "" && q.function != FCStateless {
		if !f.ids.add(fcKey(q.service, q.function, id), q.now) {
			counts.repeated.Add(1)
			return errFCRepeated(id)
		}
	} else {
		inv.InvocationID = ""
	}
	if err := f.keep(inv, event); err != nil { // the ID is new again: the client is told to come again
		f.log.Error("the Function Compute stand-in could not keep an invocation", slog.String("function", q.function), slog.Any("error", err))
		return fcErr(http.StatusInternalServerError, "InternalServerError", "an internal error has occurred. Please retry.")
	}
	counts.invocations.Add(1)
	counts.records.Add(int64(inv.Records))
	counts.bytes.Add(inv.Bytes)
	if inv.ErrorType != "" {
		counts.failed.Add(1)
	}
	if async {
		q.w.WriteHeader(http.StatusAccepted)
		return nil
	}
	return f.answer(q, inv, outcome)
}

func (q *fcRequest) invocation(async bool, id string, event []byte) *FCInvocation {
	inv := &FCInvocation{ID: q.id, Time: q.now, API: fcVersion2, Service: q.service, Function: q.function, Qualifier: q.qualifier, Async: async,
		InvocationID: id, Bytes: int64(len(event)), Records: fcRecords(event)}
	if q.v3 {
		inv.API = fcVersion3
	}
	return inv
}

func (q *fcRequest) api() int {
	if q.v3 {
		return 1
	}
	return 0
}

// invocationID reads the ID that makes an asynchronous invocation happen once.
func (q *fcRequest) invocationID(async bool) (string, *fcError) {
	header := "X-Fc-Stateful-Async-Invocation-Id"
	if q.v3 {
		header = "X-Fc-Async-Task-Id"
	}
	id := q.r.Header.Get(header)
	if id == "" || !async {
		return "", nil
	}
	if !validFCID(id) {
		return "", errFCArgument("%s '%s' does not match [A-Za-z_][A-Za-z0-9_-]{0,127}", header, clip(id, 256))
	}
	return id, nil
}

func validFCID(id string) bool {
	if len(id) > 128 || id[0] >= '0' && id[0] <= '9' || id[0] == '-' {
		return false
	}
	return strings.Trim(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") == ""
}

// readEvent reads the body, which is in full or refused, and compares it with the sum that the request names.
func (f *FC) readEvent(q *fcRequest, buffer *[]byte, limit int64) *fcError {
	if q.r.ContentLength > limit {
		return errFCTooLarge(limit)
	}
	event := (*buffer)[:0]
	if n := int(q.r.ContentLength); n > cap(event) {
		event = make([]byte, 0, n+n/4)
	}
	for {
		if len(event) == cap(event) {
			if int64(len(event)) == q.r.ContentLength {
				break
			}
			event = append(event, 0)[:len(event)]
		}
		q.body.moved()
		n, err := q.body.Read(event[len(event):cap(event)])
		event = event[:len(event)+n]
		if int64(len(event)) > limit {
			return errFCTooLarge(limit)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fcBodyProblem(err)
		}
	}
	q.body.ended()
	*buffer = event
	if f.options.SkipChecks {
		return nil
	}
	return q.checkSum(event)
}

func fcBodyProblem(err error) *fcError {
	var network net.Error
	if errors.As(err, &network) && network.Timeout() {
		return fcErr(http.StatusRequestTimeout, "RequestTimeout", "the body was not received within the time limit")
	}
	return errFCArgument("the body is shorter than Content-Length says")
}

// checkSum compares the event with Content-MD5, which the SDK writes in hexadecimal digits, or x-acs-content-sha256.
func (q *fcRequest) checkSum(event []byte) *fcError {
	if q.v3 {
		sum := sha256.Sum256(event)
		if !strings.EqualFold(q.r.Header.Get("X-Acs-Content-Sha256"), hex.EncodeToString(sum[:])) {
			return errFCSignature("x-acs-content-sha256 is not that of the body")
		}
		return nil
	}
	given := q.r.Header.Get("Content-Md5")
	if given == "" {
		return nil
	}
	sum := md5.Sum(event)
	if raw, err := base64.StdEncoding.DecodeString(given); strings.EqualFold(given, hex.EncodeToString(sum[:])) || err == nil && bytes.Equal(raw, sum[:]) {
		return nil
	}
	return errFCArgument("Content-MD5 is not that of the body")
}

// fcRecords counts the records of a Kafka connector's event: each has the member overflowFlag. Within a string the
// quotation mark before the colon would be escaped.
func fcRecords(event []byte) int {
	return bytes.Count(event, []byte(`,"overflowFlag":`))
}

// run is the function itself; it notes what became of the event and returns the function's answer.
func (f *FC) run(inv *FCInvocation, event []byte) []byte {
	inv.Status = FCSucceeded
	var message string
	switch inv.Function {
	case FCSlow:
		inv.Took = time.Duration(f.slow.Load())
		return event
	case FCFails:
		message = "the function fails for every event, as the sandbox's function of this name does"
	case FCPoison:
		if !bytes.Contains(event, []byte(f.options.PoisonWord)) {
			return event
		}
		message = "the event contains " + strconv.Quote(f.options.PoisonWord)
	default:
		return event
	}
	inv.Status, inv.ErrorType, inv.Error = FCFailed, FCUnhandled, message
	answer, err := json.Marshal(map[string]any{"errorMessage": message, "errorType": "Exception", "stackTrace": []string{"index.js:1 handler"}})
	if err != nil { // only texts go in
		return []byte(`{"errorMessage":"","errorType":"Exception"}`)
	}
	return answer
}

// answer gives the function's answer to a synchronous invocation once the function is done.
func (f *FC) answer(q *fcRequest, inv *FCInvocation, outcome []byte) *fcError {
	if inv.Took > 0 {
		timer := time.NewTimer(inv.Took)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-q.r.Context().Done(): // the client is gone, or the stand-in ends
		}
	}
	if f.options.Discard && inv.ErrorType == "" {
		outcome = nil
	}
	h := q.w.Header()
	h["Content-Type"] = []string{"application/octet-stream"}
	h["X-Fc-Invocation-Duration"] = []string{strconv.FormatInt(inv.Took.Milliseconds(), 10)}
	if !q.v3 {
		version, _ := q.version(q.qualifier)
		h["X-Fc-Invocation-Service-Version"] = []string{version}
	}
	h["Content-Length"] = []string{strconv.Itoa(len(outcome))}
	if inv.ErrorType != "" {
		h["X-Fc-Error-Type"] = []string{inv.ErrorType}
		h["Content-Type"] = []string{"application/json"}
	}
	if strings.EqualFold(q.r.Header.Get("X-Fc-Log-Type"), "Tail") {
		h["X-Fc-Log-Result"] = []string{base64.StdEncoding.EncodeToString([]byte(fcLog(inv)))}
	}
	_, _ = q.w.Write(outcome) // the client may be gone; there is nobody to tell
	return nil
}

// fcLog is the end of an invocation's log.
func fcLog(inv *FCInvocation) string {
	at := inv.Time.UTC().Format("2006-01-02T15:04:05.000Z")
	log := "FC Invoke Start RequestId: " + inv.ID + "\n"
	if inv.ErrorType != "" {
		log += at + " " + inv.ID + " [ERROR] Exception: " + inv.Error + "\n    at handler (index.js:1)\n"
	}
	return log + "FC Invoke End RequestId: " + inv.ID + "\n"
}

// getAsyncInvocation tells what became of an asynchronous invocation.
func (f *FC) getAsyncInvocation(q *fcRequest) *fcError {
	if ferr := q.checkFunction(); ferr != nil {
		return ferr
	}
	at, known := f.ids.when(fcKey(q.service, q.function, q.name), q.now)
	if !known {
		return fcErr(http.StatusNotFound, "StatefulAsyncInvocationNotFound", "the stateful async invocation '%s' does not exist", clip(q.name, 128))
	}
	inv := FCInvocation{Function: q.function, Time: at, Status: FCSucceeded}
	if found, ok := f.find(q.service, q.function, q.name); ok {
		inv = found
	}
	doc := map[string]any{"status": inv.Status, "startedTime": inv.Time.UnixMilli(), "requestId": inv.ID, "alreadyRetriedTimes": 0, "qualifier": inv.Qualifier}
	if end := inv.Time.Add(inv.Took); q.now.Before(end) {
		doc["status"] = FCRunning
	} else {
		doc["endTime"] = end.UnixMilli()
	}
	if q.v3 {
		doc["taskId"], doc["functionArn"], doc["taskErrorMessage"] = q.name, fcArn(q.function), inv.Error
	} else {
		doc["invocationId"], doc["serviceName"], doc["functionName"], doc["invocationErrorMessage"] = q.name, q.service, q.function, inv.Error
	}
	return q.writeJSON(doc)
}
