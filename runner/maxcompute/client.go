package maxcompute

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/aliyun/aliyun-odps-go-sdk/odps/account"

	"github.com/sluice-io/sluice/runner/aliyun"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/egress"
)

const (
	// dialTimeout and headerTimeout bound what a dead endpoint can cost; a request's
	// body has time of its own by its size.
	dialTimeout   = 10 * time.Second
	headerTimeout = 60 * time.Second
	// commitTimeout is for the commit of a session, which the service carries out before
	// it answers.
	commitTimeout = 5 * time.Minute
	// slowest is the slowest upload that is waited for, in bytes per second.
	slowest = 256 << 10
	// idleTimeout is below the 120 s after which the service closes a connection.
	idleTimeout = 60 * time.Second
	// maxAnswer bounds what is read of an answer, in bytes: a table of 1,200 columns has
	// less.
	maxAnswer = 16 << 20
)

// client is one project at one endpoint. Requests are its own, so that every connection
// is opened by the connector's dialer and every request ends with its context; the SDK
// signs them.
type client struct {
	endpoint *url.URL // with /api
	project  string
	region   string // of signatures; "" is version 2
	creds    aliyun.Provider
	http     *http.Client
	classify *classifier

	mu     sync.Mutex
	tunnel *url.URL // nil until it was asked for
}

func newClient(cfg connector.Config, deps connector.Deps) (*client, error) {
	u, err := parseEndpoint(cfg.Get(keyEndpoint))
	if err != nil {
		return nil, wrongField(keyEndpoint, err)
	}
	creds, err := aliyun.NewProvider(cfg, deps)
	if err != nil {
		return nil, err
	}
	c := &client{endpoint: u, project: cfg.Get(keyProject), region: signingRegion(cfg, u.Hostname()), creds: creds,
		classify: &classifier{endpoint: u.Host, place: cfg.Get(keyProject) + "." + cfg.Get(keyTable), identity: aliyun.IdentityOf(cfg)}}
	if t := cfg.Get(keyTunnel); t != "" {
		if c.tunnel, err = aliyun.EndpointURL(t); err != nil {
			return nil, wrongField(keyTunnel, err)
		}
	}
	c.http = &http.Client{
		Transport: &http.Transport{
			DialContext:         aliyun.BulkDial(deps.Dial),
			TLSClientConfig:     &tls.Config{RootCAs: deps.Roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout: dialTimeout,
			MaxIdleConnsPerHost: 32,
			IdleConnTimeout:     idleTimeout,
			DisableCompression:  true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

func (c *client) close() { c.http.CloseIdleConnections() }

// call is one request.
type call struct {
	doing   string // for messages: "opening an upload session"
	method  string
	tunnel  bool // goes to the Tunnel half
	path    string
	query   url.Values
	header  http.Header
	body    func() io.ReadCloser // nil: none; called for every attempt
	length  int64
	timeout time.Duration // 0: headerTimeout
}

// answer is what came back of a request that the service carried out.
type answer struct {
	header http.Header
	body   []byte
}

// do sends a request, with other credentials a second time where the first were refused.
func (c *client) do(ctx context.Context, r call) (answer, error) {
	timeout := r.timeout
	if timeout == 0 {
		timeout = headerTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout+time.Duration(r.length/slowest)*time.Second)
	defer cancel()
	base := c.endpoint
	if r.tunnel {
		var err error
		if base, err = c.tunnelURL(ctx); err != nil {
			return answer{}, fmt.Errorf("%s: %w", r.doing, err)
		}
	}
	for second := false; ; second = true {
		creds, err := c.creds.Credentials(ctx)
		if err != nil {
			return answer{}, fmt.Errorf("%s: %w", r.doing, err)
		}
		a, err := c.once(ctx, &r, base, creds)
		var refused *serviceError
		if errors.As(err, &refused) && refused.credentials() && !second && c.creds.Refused(creds) {
			continue
		}
		if err = c.classify.classify(r.doing, err); r.tunnel {
			err = atTunnel(err)
		}
		return a, err
	}
}

// atTunnel names the field of the Tunnel endpoint where its address is refused, also one
// that the service told: giving another is the remedy.
func atTunnel(err error) error {
	var refused *egress.Refused
	var wrong *connector.WrongError
	if errors.As(err, &refused) && errors.As(err, &wrong) {
		wrong.Field = keyTunnel
	}
	return err
}

func (c *client) once(ctx context.Context, r *call, base *url.URL, creds aliyun.Credentials) (answer, error) {
	u := *base
	u.Path += r.path
	u.RawQuery = r.query.Encode()
	req, err := http.NewRequestWithContext(ctx, r.method, u.String(), nil)
	if err != nil {
		return answer{}, err
	}
	for k, v := range r.header {
		req.Header[k] = v
	}
	if r.body != nil {
		req.Body, req.ContentLength = r.body(), r.length
		req.GetBody = func() (io.ReadCloser, error) { return r.body(), nil }
	}
	if err := c.sign(req, base, creds); err != nil {
		return answer{}, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	got, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if res.StatusCode/100 != 2 {
		return answer{}, newServiceError(res, got, time.Now())
	}
	if err != nil {
		return answer{}, fmt.Errorf("reading the answer: %w", err)
	}
	return answer{res.Header, got}, nil
}

// sign adds date and signature. The SDK signs for the endpoint that the request goes to,
// whose path is not part of what is signed.
func (c *client) sign(req *http.Request, base *url.URL, creds aliyun.Credentials) error {
	req.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	req.Header.Set("User-Agent", "sluice")
	var region []string
	if c.region != "" {
		region = []string{c.region}
	}
	var by account.Account = account.NewAliyunAccount(creds.AccessKeyID, creds.AccessKeySecret, region...)
	if creds.SecurityToken != "" {
		by = account.NewStsAccount(creds.AccessKeyID, creds.AccessKeySecret, creds.SecurityToken, region...)
	}
	if err := by.SignRequest(req, base.String()); err != nil {
		return fmt.Errorf("signing: %w", err)
	}
	return nil
}

// tunnelURL is where rows are uploaded to: configured, or what the service answers, a
// bare host and port that is spoken to as the endpoint is.
func (c *client) tunnelURL(ctx context.Context) (*url.URL, error) {
	c.mu.Lock()
	known := c.tunnel
	c.mu.Unlock()
	if known != nil {
		return known, nil
	}
	a, err := c.do(ctx, call{doing: "asking for the Tunnel endpoint", method: http.MethodGet, path: "/projects/" + url.PathEscape(c.project) + "/tunnel", query: url.Values{"service": {""}}})
	if err != nil {
		return nil, err
	}
	host := strings.TrimSpace(string(a.body))
	if host != "" && !strings.Contains(host, "://") {
		host = c.endpoint.Scheme + "://" + host
	}
	u, err := aliyun.EndpointURL(host)
	if err != nil || host == "" {
		return nil, &connector.WrongError{Field: keyTunnel, Err: fmt.Errorf("the service names %q as its Tunnel endpoint, which is no address", clip(string(a.body), 100)), Remedy: "Give " + keyTunnel + "."}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tunnel = u
	return u, nil
}

// serviceError is an answer that is no success.
type serviceError struct {
	status    int
	code      string
	message   string
	requestID string
	skew      time.Duration // how far the service's clock is from ours
	after     time.Duration // Retry-After
}

func (e *serviceError) Error() string {
	text := fmt.Sprintf("MaxCompute answered %d", e.status)
	if e.code == "" {
		return text + " " + http.StatusText(e.status)
	}
	text += " " + e.code + ": " + strings.TrimSpace(e.message)
	if e.requestID != "" {
		text += " (request " + e.requestID + ")"
	}
	return text
}

// credentials tells that who sent the request was refused.
func (e *serviceError) credentials() bool {
	return e.status == http.StatusUnauthorized || e.code == "Unauthorized" || strings.HasPrefix(e.code, "ODPS-0410") || strings.HasPrefix(e.code, "ODPS-0411")
}

// newServiceError reads an error: XML of the REST half, JSON of Tunnel, or anything that
// something between writes.
func newServiceError(res *http.Response, text []byte, now time.Time) *serviceError {
	e := &serviceError{status: res.StatusCode, requestID: res.Header.Get("x-odps-request-id")}
	var doc struct {
		Code    string `xml:"Code"`
		Message string `xml:"Message"`
	}
	if trimmed := bytes.TrimSpace(text); len(trimmed) > 0 {
		if trimmed[0] == '{' {
			_ = json.Unmarshal(trimmed, &doc) // what cannot be read is told by the status
		} else {
			_ = xml.Unmarshal(trimmed, &doc)
		}
	}
	e.code, e.message = clip(doc.Code, 100), clip(doc.Message, 1000)
	if at, err := http.ParseTime(res.Header.Get("Date")); err == nil {
		e.skew = at.Sub(now)
	}
	if d, err := time.ParseDuration(res.Header.Get("Retry-After") + "s"); err == nil && d > 0 {
		e.after = min(d, time.Minute)
	}
	return e
}

// clip keeps foreign texts short.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
