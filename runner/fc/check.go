package fc

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-io/sluice/runner/aliyun"
	"github.com/sluice-io/sluice/runner/connector"
)

// checkTime bounds the test invocation: a page waits for it.
const checkTime = 2 * time.Minute

// skip is a check that has nothing to say; its text says why.
type skip struct{ detail, remedy string }

func (s *skip) Error() string { return s.detail }

// checker asks the service about one function.
type checker struct {
	cfg      connector.Config
	deps     connector.Deps
	client   *client
	classify *classifier
	suggest  map[string]string // of the step that runs
}

// checkStep is one named check.
type checkStep struct {
	name string
	run  func(context.Context) (string, error)
}

// check runs the live checks in order; after a failure those that depend on it are
// skipped.
func check(ctx context.Context, cfg connector.Config, deps connector.Deps, emit func(connector.Finding)) error {
	if _, err := settings(cfg); err != nil {
		return err
	}
	client, err := newClient(cfg, deps)
	if err != nil {
		return err
	}
	defer client.close()
	c := &checker{cfg: cfg, deps: deps, client: client, classify: client.classify}
	failed := false
	for _, st := range c.steps() {
		if failed {
			emit(connector.Finding{Name: st.name, Status: connector.FindingSkipped, Detail: "Not tried, because a check before it failed."})
			continue
		}
		began := time.Now()
		c.suggest = nil
		detail, err := st.run(ctx)
		f := connector.Finding{Name: st.name, Status: connector.FindingOK, Detail: detail, Millis: time.Since(began).Milliseconds(), Suggest: c.suggest}
		var s *skip
		switch {
		case errors.As(err, &s):
			f.Status, f.Detail, f.Remedy = connector.FindingSkipped, s.detail, s.remedy
		case err != nil:
			failed = true
			f.Status, f.Detail, f.Remedy = connector.FindingFailed, err.Error(), remedyOf(err)
		}
		emit(f)
	}
	return nil
}

func (c *checker) steps() []checkStep {
	u := c.client.base
	address := aliyun.HostPort(u)
	steps := []checkStep{
		{"Endpoint name", func(ctx context.Context) (string, error) { return resolve(ctx, u.Hostname()) }},
		{"Connection", func(ctx context.Context) (string, error) {
			if err := dialOnly(ctx, c.deps, address); err != nil {
				return "", c.classify.network("connecting to "+address, err)
			}
			return "Connected to " + address + ".", nil
		}},
		{"TLS", func(ctx context.Context) (string, error) {
			if u.Scheme == "http" {
				return "The endpoint is plain HTTP: records and access key signatures travel unencrypted.", nil
			}
			return handshake(ctx, c.deps, address, u.Hostname())
		}},
	}
	if aliyun.IdentityOf(c.cfg).Temporary {
		steps = append(steps, checkStep{aliyun.CheckName, func(ctx context.Context) (string, error) {
			ctx, cancel := context.WithTimeout(ctx, answerTime)
			defer cancel()
			return aliyun.CheckCredentials(ctx, c.cfg, c.client.creds)
		}})
	}
	if !c.client.v3() {
		steps = append(steps, checkStep{"Service", c.service})
	}
	steps = append(steps, checkStep{"Function", c.function})
	if c.cfg.Get(keyMode) == modeAsync {
		steps = append(steps, checkStep{"Deduplication", c.deduplication})
	}
	return append(steps, checkStep{"Test invocation", c.invocation})
}

func remedyOf(err error) string {
	if remedy := connector.Remedy(err); remedy != "" {
		return remedy
	}
	var re *connector.RecordError
	if errors.As(err, &re) {
		return "Mend the function: it fails on an empty array."
	}
	return "Check that the endpoint is right and can be reached from this machine; without Internet access only private addresses are dialled."
}

func resolve(ctx context.Context, host string) (string, error) {
	if ip := net.ParseIP(host); ip != nil {
		return host + " is an address.", nil
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return "", fmt.Errorf("the name %s cannot be resolved: %w", host, err)
	}
	return fmt.Sprintf("%s is %s.", host, addrs[0]), nil
}

func handshake(ctx context.Context, deps connector.Deps, address, name string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	raw, err := deps.Dial(ctx, "tcp", address)
	if err != nil {
		return "", fmt.Errorf("connecting: %w", err)
	}
	conn := tls.Client(raw, &tls.Config{ServerName: name, RootCAs: deps.Roots, MinVersion: tls.VersionTLS12})
	defer conn.Close()
	if err := conn.HandshakeContext(ctx); err != nil {
		return "", fmt.Errorf("TLS handshake with %s: %w", address, err)
	}
	return "The certificate is trusted.", nil
}

// get asks for something; what it is, is read into out.
func (c *client) get(ctx context.Context, path, query, action string, out any) (answer, error) {
	l := c.open(ctx)
	defer l.release()
	var body []byte
	a, err := l.do(call{method: http.MethodGet, path: path, query: query, action: action, want: &body}, answerTime, nil)
	if err == nil && a.ok() && out != nil {
		if err := json.Unmarshal(body, out); err != nil {
			return a, &networkError{fmt.Errorf("the answer is no JSON: %w", err)}
		}
	}
	return a, err
}

// asked gives the answer to a question its cause. Not to be allowed to ask is no
// failure: delivery asks nothing.
func (c *checker) asked(doing, right string, a *answer, err error) error {
	switch {
	case err != nil:
		return c.classify.failed(doing, err)
	case a.ok():
		return nil
	case a.status == http.StatusForbidden && !certain[a.code]:
		return &skip{c.classify.identity.Short + " may not ask: " + a.text() + ".", "Nothing to do if the function is there and may be invoked; allow " + right + " to have it checked."}
	}
	return c.classify.refused(doing, a)
}

// certain are codes with the status 403 that every request gets, whatever it asks for.
var certain = map[string]bool{
	"SignatureNotMatch": true, "SignatureDoesNotMatch": true, "InvalidAccessKeyID": true, "InvalidAccessKeyId": true,
	"InvalidAccessKeyId.NotFound": true, "InvalidAccessKeyId.Inactive": true, "InvalidSecurityToken": true, "SecurityTokenExpired": true,
	"InvalidUserStatus": true, "RequestTimeTooSkewed": true, "InvalidTimeStamp.Expired": true, "SignatureExpired": true,
}

func (c *checker) service(ctx context.Context) (string, error) {
	var got struct {
		ServiceName string `json:"serviceName"`
	}
	a, err := c.client.get(ctx, c.client.servicePath(), "", "", &got)
	if err := c.asked("reading service "+c.client.service, "fc:GetService", &a, err); err != nil {
		return "", err
	}
	return "The service " + c.client.service + " exists.", nil
}

// functionInfo is what is needed of a function's description, alike in 2.0 and 3.0.
type functionInfo struct {
	Runtime     string `json:"runtime"`
	Timeout     int    `json:"timeout"` // seconds
	State       string `json:"state"`   // 3.0
	StateReason string `json:"stateReason"`
}

func (c *client) describe(ctx context.Context) (functionInfo, answer, error) {
	var got functionInfo
	a, err := c.get(ctx, c.functionPath(""), c.query, "GetFunction", &got)
	return got, a, err
}

func (c *checker) function(ctx context.Context) (string, error) {
	got, a, err := c.client.describe(ctx)
	if err := c.asked("reading function "+c.client.name(), "fc:GetFunction", &a, err); err != nil {
		return "", err
	}
	if got.State != "" && got.State != "Active" && got.State != "Inactive" && got.State != "Pending" {
		return "", &connector.WrongError{Field: keyFunction, Remedy: "Mend the function in Function Compute.", Err: fmt.Errorf("the function %s is in state %s: %s", c.client.name(), got.State, got.StateReason)}
	}
	detail := "The function " + c.client.name() + " exists"
	if got.Runtime != "" {
		detail += ", runtime " + got.Runtime
	}
	if got.Timeout > 0 {
		detail += fmt.Sprintf(", time limit %d s", got.Timeout)
	}
	return detail + ".", nil
}

// deduplication asks whether the function takes invocation IDs.
func (c *checker) deduplication(ctx context.Context) (string, error) {
	var got struct {
		Stateful  bool `json:"statefulInvocation"` // 2.0
		AsyncTask bool `json:"asyncTask"`          // 3.0
	}
	wanted := c.cfg.Bool(keyAsyncID)
	a, err := c.client.get(ctx, c.client.functionPath("/async-invoke-config"), c.client.query, "GetAsyncInvokeConfig", &got)
	if err == nil && a.status == http.StatusNotFound {
		err, a.status, a.code = nil, http.StatusOK, "" // there is none
	}
	if err := c.asked("reading the asynchronous settings of "+c.client.name(), "fc:GetAsyncInvokeConfig", &a, err); err != nil {
		return "", err
	}
	enabled := got.Stateful || got.AsyncTask
	c.suggest = map[string]string{keyAsyncID: strconv.FormatBool(enabled)}
	switch {
	case wanted && !enabled:
		return "", &connector.WrongError{Field: keyAsyncID, Err: errors.New("stateful asynchronous invocation (asynchronous tasks) is not enabled on the function, so invocation IDs do nothing: a crash may submit a batch twice"),
			Remedy: "Enable it on the function, or set " + keyAsyncID + " to false and let the function bear a batch that comes twice."}
	case wanted:
		return "Stateful asynchronous invocation is enabled: each batch is accepted once, within seven days.", nil
	case enabled:
		return "", &skip{"Stateful asynchronous invocation is enabled on the function and not used: a crash may submit a batch twice.", "Set " + keyAsyncID + " to true."}
	}
	return "", &skip{keyAsyncID + " is false: a crash may submit a batch twice.", "Enable stateful asynchronous invocation on the function, and set " + keyAsyncID + " to true."}
}

func (c *checker) invocation(ctx context.Context) (string, error) {
	if !c.cfg.Bool(keyTest) {
		return "", &skip{"Not asked for: the function is not invoked, so the right to invoke it is not proven.", "Set " + keyTest + " to true to have the function invoked once with an empty array."}
	}
	l := c.client.open(ctx)
	defer l.release()
	k := c.client.invocation([]byte("[]"), "Sync")
	var body []byte
	k.tail, k.want = true, &body
	doing := "invoking function " + c.client.name() + " with an empty array"
	a, err := l.do(k, checkTime, nil)
	if err != nil {
		return "", c.classify.failed(doing, err)
	}
	if err := c.classify.invoked(doing, &a, false); err != nil {
		return "", err
	}
	text := strings.TrimSpace(strings.ToValidUTF8(string(body[:min(len(body), 2*mostMessage)]), "\uFFFD"))
	if text == "" {
		return "The function took an empty array and answered nothing.", nil
	}
	return "The function took an empty array and answered " + clip(text, 200), nil
}
