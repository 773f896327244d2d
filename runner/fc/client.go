package fc

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-io/sluice/runner/aliyun"
	"github.com/sluice-io/sluice/runner/connector"
)

const (
	// dialTimeout bounds what a dead endpoint can cost, answerTime a request whose answer
	// does not wait for the function.
	dialTimeout = 10 * time.Second
	answerTime  = 60 * time.Second
	// functionTime is longer than any function may run (86,400 s); a connection that
	// died is noticed earlier, by TCP's keep-alive.
	functionTime = 24*time.Hour + 10*time.Minute
	// slowest is the slowest upload that is waited for, in bytes per second.
	slowest = 64 << 10
	// errorBody is what is read of an answer that tells of an error, mostAnswer what is
	// read of others so that the connection can be used again; in bytes.
	errorBody  = 64 << 10
	mostAnswer = 8 << 20
	// The service closes connections that are idle for 90 s.
	idleTime = 30 * time.Second
)

// errTime is the cause of a request that took too long.
var errTime = errors.New("no answer came in time")

// client invokes one function. It is small on purpose: the SDK of 2.0 has one HTTP
// client for the whole process, with one time limit and no context.
type client struct {
	base      *url.URL
	transport *http.Transport
	creds     aliyun.Provider
	classify  *classifier
	account   string
	service   string // "" of a 3.0 function
	function  string
	qualifier string // "" is LATEST
	invoke    string // path of invocations, escaped
	query     string // of requests about the function, canonical
	lanes     sync.Pool
}

func newClient(cfg connector.Config, deps connector.Deps) (*client, error) {
	u, err := aliyun.EndpointURL(cfg.Get(keyEndpoint))
	if err != nil {
		return nil, wrongField(keyEndpoint, err)
	}
	creds, err := aliyun.NewProvider(cfg, deps)
	if err != nil {
		return nil, err
	}
	c := &client{base: u, creds: creds, classify: &classifier{endpoint: u.Host, identity: aliyun.IdentityOf(cfg)}, account: cfg.Get(keyAccount), service: cfg.Get(keyService), function: cfg.Get(keyFunction), qualifier: cfg.Get(keyQualifier)}
	if c.qualifier == latest {
		c.qualifier = ""
	}
	c.invoke = c.functionPath("/invocations")
	if c.v3() && c.qualifier != "" { // 2.0 has it in the path
		c.query = "qualifier=" + escape(c.qualifier)
	}
	c.transport = &http.Transport{
		DialContext:         aliyun.BulkDial(deps.Dial),
		TLSClientConfig:     &tls.Config{RootCAs: deps.Roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: dialTimeout,
		MaxIdleConnsPerHost: 128,
		IdleConnTimeout:     idleTime,
		DisableCompression:  true,
		WriteBufferSize:     16 << 10, // a small batch is one write
	}
	return c, nil
}

func wrongField(key string, err error) error {
	return &connector.WrongError{Field: key, Err: err, Remedy: "Correct " + key + "."}
}

func (c *client) close() { c.transport.CloseIdleConnections() }

func (c *client) v3() bool { return c.service == "" }

// functionPath is the path of the function, followed by rest.
func (c *client) functionPath(rest string) string {
	if c.v3() {
		return "/" + version3 + "/functions/" + escape(c.function) + rest
	}
	return c.servicePath() + "/functions/" + url.PathEscape(c.function) + rest
}

func (c *client) servicePath() string {
	service := url.PathEscape(c.service)
	if c.qualifier != "" {
		service += "." + url.PathEscape(c.qualifier)
	}
	return "/" + version2 + "/services/" + service
}

// invocation is the request that carries a batch.
func (c *client) invocation(body []byte, kind string) call {
	return call{method: http.MethodPost, path: c.invoke, query: c.query, action: "InvokeFunction", body: body, kind: kind}
}

// name is the function as people write it.
func (c *client) name() string {
	name := c.function
	if c.service != "" {
		name = c.service + "/" + name
	}
	if c.qualifier != "" {
		name += " (" + c.qualifier + ")"
	}
	return name
}

// answer is what came back.
type answer struct {
	status    int
	errorType string // X-Fc-Error-Type: the function failed
	code      string // the service's error code
	message   string // of the service or the function
	log       string // the end of the function's log
	requestID string
	after     time.Duration // Retry-After
	skew      time.Duration // the service's clock (Date) less ours
}

// ok tells whether the service took the request, and a function that ran did not fail.
func (a *answer) ok() bool { return a.status >= 200 && a.status < 300 && a.errorType == "" }

// lane makes one request after the other; what it is made of is used again. A lane
// belongs to one goroutine.
type lane struct {
	c      *client
	signer signer
	shot   *shot
	trace  *httptrace.ClientTrace
	// writing counts requests that the HTTP client has not finished writing. It reads
	// bodies and headers in a goroutine of its own; while it does they are not touched.
	writing atomic.Int32

	parent context.Context
	ctx    context.Context // ends with parent, or when a request took too long
	traced context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

// shot is what the HTTP client reads of a request.
type shot struct {
	req    *http.Request
	ctx    context.Context // that req was made with
	url    url.URL
	header http.Header
	values [16]string // the headers' values, which header has slices of
	sent   []byte     // the body
	reader bytes.Reader
	body   io.ReadCloser // around reader
	again  func() (io.ReadCloser, error)
}

func newShot() *shot {
	s := &shot{header: make(http.Header, 16)}
	s.body = io.NopCloser(&s.reader)
	s.again = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(s.sent)), nil }
	return s
}

// open takes a lane for requests under ctx.
func (c *client) open(ctx context.Context) *lane {
	l, ok := c.lanes.Get().(*lane)
	if !ok {
		l = &lane{c: c, shot: newShot(), signer: signer{account: c.account, host: c.base.Host, v3: c.v3()}}
		l.trace = &httptrace.ClientTrace{
			GotConn:      func(httptrace.GotConnInfo) { l.writing.Add(1) },
			WroteRequest: func(httptrace.WroteRequestInfo) { l.writing.Add(-1) },
		}
	}
	l.parent = ctx
	l.ctx, l.cancel = context.WithCancelCause(ctx)
	l.traced = httptrace.WithClientTrace(l.ctx, l.trace)
	cancel := l.cancel
	l.timer = time.AfterFunc(functionTime, func() { cancel(errTime) })
	return l
}

// quiet tells that nobody reads the bodies of its requests any more.
func (l *lane) quiet() bool { return l.writing.Load() == 0 }

// release gives the lane back.
func (l *lane) release() {
	l.timer.Stop()
	l.cancel(nil)
	l.parent, l.ctx, l.traced, l.cancel, l.timer = nil, nil, nil, nil, nil
	if l.quiet() {
		l.shot.req, l.shot.ctx, l.shot.sent = nil, nil, nil
		l.shot.reader.Reset(nil)
		l.c.lanes.Put(l)
	}
}

// do makes one request within limit, once more where the credentials had expired and
// there are others. guard, where there is one, is asked right before each.
func (l *lane) do(k call, limit time.Duration, guard connector.Guard) (answer, error) {
	for attempt := 0; ; attempt++ {
		cred, err := l.c.creds.Credentials(l.parent)
		if err != nil {
			return answer{}, err
		}
		if guard != nil {
			if err := guard(); err != nil {
				return answer{}, err
			}
		}
		k.now = time.Now()
		a, err := l.once(&k, cred, limit)
		if err == nil && attempt == 0 && credentialCodes[a.code] && l.c.creds.Refused(cred) {
			continue
		}
		return a, err
	}
}

func (l *lane) once(k *call, cred aliyun.Credentials, limit time.Duration) (answer, error) {
	l.load(k)
	s := l.shot
	l.signer.sign(s, k, cred)
	l.timer.Reset(limit)
	res, err := l.c.transport.RoundTrip(s.req)
	if err == nil {
		defer res.Body.Close()
		var a answer
		if a, err = readAnswer(res, k.want); err == nil {
			l.timer.Stop()
			return a, nil
		}
	}
	if l.parent.Err() != nil {
		return answer{}, context.Cause(l.parent)
	}
	if errors.Is(context.Cause(l.ctx), errTime) {
		err = fmt.Errorf("%w (%s)", errTime, limit)
	}
	return answer{}, &networkError{err}
}

// load makes the shot of a request.
func (l *lane) load(k *call) {
	if !l.quiet() { // an answer came before its request was written
		l.shot = newShot()
	}
	s := l.shot
	if s.req == nil || s.ctx != l.traced {
		s.ctx = l.traced
		s.req = (&http.Request{URL: &s.url, Host: l.c.base.Host, Header: s.header, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}).WithContext(l.traced)
	}
	s.url = url.URL{Scheme: l.c.base.Scheme, Host: l.c.base.Host, Path: k.path, RawQuery: k.query}
	if strings.Contains(k.path, "%") {
		if plain, err := url.PathUnescape(k.path); err == nil {
			s.url.Path, s.url.RawPath = plain, k.path
		}
	}
	r := s.req
	r.Method, r.Body, r.GetBody, r.ContentLength = k.method, nil, nil, int64(len(k.body))
	if k.body != nil {
		s.sent = k.body
		s.reader.Reset(k.body)
		r.Body, r.GetBody = s.body, s.again
	}
}

// networkError: no answer came, or not all of it.
type networkError struct{ err error }

func (e *networkError) Error() string { return e.err.Error() }
func (e *networkError) Unwrap() error { return e.err }

// readAnswer reads what is needed of an answer, and its body to the end so that the
// connection is used again. want takes a good answer's body, where it is not nil.
func readAnswer(res *http.Response, want *[]byte) (answer, error) {
	a := answer{status: res.StatusCode, errorType: first(res.Header, headerErrorType)}
	if a.ok() && want != nil {
		var err error
		*want, err = io.ReadAll(io.LimitReader(res.Body, mostAnswer))
		return a, err
	}
	if a.ok() {
		_, err := io.CopyN(io.Discard, res.Body, mostAnswer)
		if err == io.EOF {
			err = nil
		}
		return a, err
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, errorBody))
	if err != nil {
		return a, err
	}
	_, _ = io.CopyN(io.Discard, res.Body, mostAnswer)
	a.requestID = first(res.Header, headerRequestID)
	if a.requestID == "" {
		a.requestID = first(res.Header, "X-Acs-Request-Id")
	}
	now := time.Now()
	a.after = retryAfter(first(res.Header, "Retry-After"), now)
	if at, err := http.ParseTime(first(res.Header, "Date")); err == nil {
		a.skew = at.Sub(now)
	}
	if log, err := base64.StdEncoding.DecodeString(first(res.Header, headerLogResult)); err == nil {
		a.log = strings.TrimSpace(string(log))
	}
	if a.errorType != "" && a.status < 300 {
		a.message = functionMessage(body)
		return a, nil
	}
	a.code, a.message = serviceMessage(body)
	return a, nil
}

func first(h http.Header, key string) string {
	if v := h[key]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// serviceMessage reads an error of the service: 2.0 and 3.0 name the members differently.
func serviceMessage(body []byte) (code, message string) {
	var e struct{ ErrorCode, ErrorMessage, Code, Message string }
	if json.Unmarshal(body, &e) != nil {
		return "", "" // a proxy's page
	}
	code, message = e.ErrorCode, e.ErrorMessage
	if code == "" {
		code = e.Code
	}
	if message == "" {
		message = e.Message
	}
	return code, strings.TrimSpace(message)
}

// functionMessage reads what a function that failed answered: usually an object with
// errorMessage and errorType.
func functionMessage(body []byte) string {
	var e struct {
		ErrorMessage string `json:"errorMessage"`
		ErrorType    string `json:"errorType"`
	}
	if json.Unmarshal(body, &e) == nil && e.ErrorMessage != "" {
		if e.ErrorType != "" {
			return e.ErrorType + ": " + e.ErrorMessage
		}
		return e.ErrorMessage
	}
	return strings.TrimSpace(strings.ToValidUTF8(string(body), "\uFFFD"))
}

// retryAfter reads the header of that name: seconds or a date (RFC 9110, 10.2.3).
func retryAfter(text string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(text); err == nil && n > 0 {
		return time.Duration(min(n, 3600)) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil && at.After(now) {
		return min(at.Sub(now), time.Hour)
	}
	return 0
}

// requestTime bounds a request with n bytes of body whose answer does not wait for the
// function.
func requestTime(n int) time.Duration {
	return answerTime + time.Duration(n/slowest)*time.Second
}

// dialOnly opens and closes a connection, for the checks.
func dialOnly(ctx context.Context, deps connector.Deps, address string) error {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	var conn net.Conn
	conn, err := deps.Dial(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}
