package maxcompute_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner/aliyun"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/sandbox"
)

// TestErrorsHaveTheirCause is the table of what MaxCompute may answer: to which request,
// which cause it is, where a person is told to look, and what becomes of the rows.
func TestErrorsHaveTheirCause(t *testing.T) {
	t.Parallel()
	const (
		load, open, block, commit = "GetTable", "CreateUpload", "UploadBlock", "CommitUpload"
		look                      = "GetUpload"
	)
	for _, c := range []struct {
		operation string
		status    int
		code      string
		want      connector.Cause
		field     string
	}{
		{open, 500, "InternalServerError", connector.CauseAway, ""},
		{open, 502, "", connector.CauseAway, ""},
		{open, 503, "ServiceUnavailable", connector.CauseAway, ""},
		{open, 504, "", connector.CauseAway, ""},
		{open, 429, "FlowExceeded", connector.CauseAway, ""},
		{open, 429, "", connector.CauseAway, ""},
		{open, 429, "SlotExceeded", connector.CauseAway, ""},
		{open, 400, "QuotaExceeded", connector.CauseAway, ""},
		{open, 408, "", connector.CauseAway, ""},
		{open, 404, "NoSuchProject", connector.CauseWrong, "odps.project"},
		{open, 404, "NoSuchTable", connector.CauseWrong, "odps.table"},
		{open, 404, "NoSuchSchema", connector.CauseWrong, "odps.schema"},
		{open, 400, "InvalidProjectTable", connector.CauseWrong, "odps.table"},
		{open, 404, "NoSuchPartition", connector.CauseAway, ""},
		{open, 400, "MissingPartitionSpec", connector.CauseWrong, "odps.table"},
		{open, 400, "InvalidPartitionSpec", connector.CauseWrong, "odps.table"},
		{open, 401, "Unauthorized", connector.CauseWrong, "aliyun.access.key.id"},
		{open, 403, "NoPermission", connector.CauseWrong, "aliyun.access.key.id"},
		{open, 403, "AccessDenied", connector.CauseWrong, "aliyun.access.key.id"},
		{open, 400, "InvalidArgument", connector.CauseWrong, ""},
		{open, 405, "MethodNotAllowed", connector.CauseWrong, ""},
		{open, 418, "SomethingNew", connector.CauseWrong, ""},
		{block, 400, "IncompleteBody", connector.CauseAway, ""},
		{block, 400, "RequestTimeOut", connector.CauseAway, ""},
		{block, 400, "CorruptedDataStream", connector.CauseAway, ""},
		{block, 400, "InvalidDigest", connector.CauseAway, ""},
		{block, 400, "MalformedDataStream", connector.CauseWrong, "odps.table"},
		{block, 400, "InvalidColumnSpec", connector.CauseWrong, "odps.table"},
		{block, 409, "StatusConflict", connector.CauseAway, ""},
		{block, 404, "NoSuchUpload", connector.CauseAway, ""},
		{block, 400, "InvalidResourceSpec", connector.CauseWrong, "odps.table"},
		{block, 400, "InvalidBlockID", connector.CauseWrong, ""},
		{commit, 500, "InternalServerError", connector.CauseAway, ""},
		{commit, 429, "FlowExceeded", connector.CauseAway, ""},
		{commit, 400, "DataUnderReplication", connector.CauseAway, ""},
		{commit, 409, "DataVersionConflict", connector.CauseAway, ""},
		{commit, 400, "TableModified", connector.CauseRepeat, ""},
		{commit, 400, "ObjectModified", connector.CauseRepeat, ""},
		{commit, 404, "NoSuchPartition", connector.CauseRepeat, ""},
		{commit, 403, "NoPermission", connector.CauseWrong, "aliyun.access.key.id"},
		{look, 404, "NoSuchUpload", connector.CauseRepeat, ""},
		{look, 404, "NoSuchPartition", connector.CauseRepeat, ""},
		{look, 409, "StatusConflict", connector.CauseAway, ""},
		{look, 503, "ServiceUnavailable", connector.CauseAway, ""},
		{load, 401, "ODPS-0410051", connector.CauseWrong, "aliyun.access.key.id"},
		{load, 401, "ODPS-0410042", connector.CauseWrong, "aliyun.access.key.secret"},
		{load, 400, "ODPS-0410031", connector.CauseAway, ""},
		{load, 400, "ODPS-0420061", connector.CauseWrong, ""},
		{load, 403, "ODPS-0420095", connector.CauseWrong, "aliyun.access.key.id"},
		{load, 404, "NoSuchTable", connector.CauseWrong, "odps.table"},
		{load, 500, "ODPS-0010000", connector.CauseAway, ""},
	} {
		t.Run(c.operation+c.code+http.StatusText(c.status), func(t *testing.T) {
			t.Parallel()
			b := newBed(t, nil)
			b.fault(sandbox.Fault{Operation: c.operation, Rate: 1, Status: c.status, Code: c.code})
			s := b.sink()
			err := deliverOnce(t, s)
			if got := connector.CauseOf(err); got != c.want {
				t.Fatalf("%s: %v", got, err)
			}
			var we *connector.WrongError
			if errors.As(err, &we) && (we.Field != c.field || we.Remedy == "") {
				t.Errorf("field %q, remedy %q", we.Field, we.Remedy)
			}
			if !strings.Contains(err.Error(), c.code) || connector.Brief(err) == "" {
				t.Errorf("the code is not named: %v; in brief %q", err, connector.Brief(err))
			}
			if brief := connector.Brief(err); c.want != connector.CauseRepeat && strings.Contains(brief, "request ") {
				t.Errorf("the brief differs between attempts: %q", brief)
			}
			b.noFault()
			if n := b.count(); n != 0 {
				t.Errorf("%d rows are visible", n)
			}
			// When it has passed the same sink delivers.
			if err := deliverOnce(t, s); err != nil {
				t.Errorf("afterwards: %v", err)
			}
			if n := b.count(); n != 1 {
				t.Errorf("%d rows afterwards", n)
			}
		})
	}
}

// deliverOnce tries to bring one record to the table.
func deliverOnce(t *testing.T, s connector.Sink) error {
	t.Helper()
	c, err := s.Begin(t.Context(), orders, nil)
	if err != nil {
		return err
	}
	defer c.Discard()
	if err := c.Add(t.Context(), rec(10, 0, "a")); err != nil {
		return err
	}
	if _, err := c.Prepare(t.Context()); err != nil {
		return err
	}
	_, err = c.Publish(t.Context(), free)
	return err
}

// TestSkewBecomesWrong: clocks that differ pass at first; the Tunnel half says so only by
// its Date.
func TestSkewBecomesWrong(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{"GetTable", "CreateUpload"} {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, nil)
			b.fault(sandbox.Fault{Operation: operation, Rate: 1, SkewSeconds: 7200})
			s := b.sink()
			var causes []connector.Cause
			for range 7 {
				causes = append(causes, connector.CauseOf(deliverOnce(t, s)))
			}
			if operation == "GetTable" && (causes[0] != connector.CauseAway || causes[6] != connector.CauseWrong) {
				t.Errorf("causes: %v", causes)
			}
			if operation == "CreateUpload" && causes[6] != connector.CauseWrong {
				t.Errorf("causes: %v", causes)
			}
		})
	}
}

// TestForeignAnswers: what answers is not MaxCompute, or something between.
func TestForeignAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		want    connector.Cause
	}{
		"a page":  {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>hello</html>")) }, connector.CauseAway},
		"nothing": {func(http.ResponseWriter, *http.Request) {}, connector.CauseAway},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		}, connector.CauseWrong},
		"308":            {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusPermanentRedirect) }, connector.CauseAway},
		"a proxy's page": {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<h1>Bad gateway", http.StatusBadGateway) }, connector.CauseAway},
		"another's 404":  {http.NotFound, connector.CauseWrong},
		"a bare 403":     {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, connector.CauseWrong},
		"too late": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusTooManyRequests)
		}, connector.CauseAway},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(c.handler)
			t.Cleanup(server.Close)
			b := newBed(t, connector.Config{"odps.endpoint": server.URL})
			err := deliverOnce(t, b.sink())
			if got := connector.CauseOf(err); got != c.want {
				t.Fatalf("%s: %v", got, err)
			}
			var away *connector.AwayError
			if name == "too late" && (!errors.As(err, &away) || away.After != 7*time.Second) {
				t.Errorf("%+v", away)
			}
		})
	}
}

// TestCredentials: a wrong secret is named, and a region signs with version 4.
func TestCredentials(t *testing.T) {
	t.Parallel()
	b := newBed(t, connector.Config{aliyun.KeyAccessSecret: "wrong"})
	err := deliverOnce(t, b.sink())
	var we *connector.WrongError
	if !errors.As(err, &we) || we.Field != aliyun.KeyAccessSecret {
		t.Errorf("%v", err)
	}
	b = newBed(t, connector.Config{"odps.region": "cn-hangzhou", "internet.access": "true"}, func(o *sandbox.ODPSOptions) { o.Region = "cn-hangzhou" })
	if err := deliverOnce(t, b.sink()); err != nil || b.count() != 1 {
		t.Errorf("signed with version 4: %v", err)
	}
}

// TestBriefSaysTheCodeOnce: the REST half begins its message with the code that it tells beside it.
func TestBriefSaysTheCodeOnce(t *testing.T) {
	t.Parallel()
	b := newBed(t, connector.Config{"aliyun.access.key.secret": "wrong"})
	brief := connector.Brief(deliverOnce(t, b.sink()))
	if strings.Count(brief, "ODPS-0410042") != 1 {
		t.Errorf("the cause is %q", brief)
	}
}
