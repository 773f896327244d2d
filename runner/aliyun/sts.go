package aliyun

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
)

const (
	stsVersion  = "2015-04-01"
	stsDuration = time.Hour // what a role allows unless its owner changed it
	// lifeUnknown is after how long credentials are asked for anew that cannot be told
	// how long they live.
	lifeUnknown = 5 * time.Minute
	// answerLimit bounds what is read of an answer, in bytes.
	answerLimit = 64 << 10
)

// sts assumes one role over and over. It is a client of its own for the one call that
// is needed, because every connection has to go through the connector's dialer.
type sts struct {
	endpoint    *url.URL
	host        string // as shown in messages
	client      *http.Client
	id, secret  string
	role        string // ARN
	sessionName string
	now         func() time.Time
}

// answer is what STS answers, well or not.
type answer struct {
	RequestID string `json:"RequestId"`
	Code      string
	Message   string

	Credentials struct {
		AccessKeyID     string `json:"AccessKeyId"`
		AccessKeySecret string
		SecurityToken   string
		Expiration      string
	}
}

func newSTS(cfg connector.Config, deps connector.Deps) (*sts, error) {
	arn, problem := roleARN(cfg)
	if problem != nil {
		return nil, &connector.WrongError{Field: problem.Field, Err: errors.New(problem.Message), Remedy: "Correct " + problem.Field + "."}
	}
	if err := validSTSEndpoint(cfg.Get(KeySTSEndpoint)); err != nil {
		return nil, &connector.WrongError{Field: KeySTSEndpoint, Err: err, Remedy: "Correct " + KeySTSEndpoint + "."}
	}
	pair := fixed{AccessKeyID: cfg.Get(KeyAccessKeyID), AccessKeySecret: cfg.Get(KeyAccessSecret)}
	if err := pair.missing(); err != nil {
		return nil, err
	}
	u, err := EndpointURL(cfg.Get(KeySTSEndpoint))
	if err != nil {
		return nil, &connector.WrongError{Field: KeySTSEndpoint, Err: err, Remedy: "Correct " + KeySTSEndpoint + "."}
	}
	return &sts{endpoint: u, host: u.Host, id: pair.AccessKeyID, secret: pair.AccessKeySecret, role: arn, sessionName: sessionName(deps.Connector), now: time.Now,
		client: &http.Client{
			Transport: &http.Transport{
				DialContext:         deps.Dial,
				TLSClientConfig:     &tls.Config{RootCAs: deps.Roots, MinVersion: tls.VersionTLS12},
				TLSHandshakeTimeout: 10 * time.Second,
				DisableKeepAlives:   true, // one request an hour
				DisableCompression:  true,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}}, nil
}

var notInSessionName = regexp.MustCompile(`[^a-zA-Z0-9.@_-]`)

// sessionName names the connector in the account's audit trail: 2 to 64 letters,
// digits, dots, at signs, hyphens and underscores.
func sessionName(name string) string {
	if name == "" {
		return "sluice"
	}
	name = "sluice-" + notInSessionName.ReplaceAllString(name, "-")
	return name[:min(len(name), 64)]
}

// assume asks for credentials of the role. When STS says that this machine's clock is
// wrong it is asked once more by the clock that its answer tells.
func (s *sts) assume(ctx context.Context) (issued, error) {
	now := s.now()
	got, theirs, err := s.ask(ctx, now)
	var refused *stsRefusal
	if errors.As(err, &refused) && refused.code == codeTimeExpired && !theirs.IsZero() {
		got, _, err = s.ask(ctx, theirs)
	}
	if err != nil {
		return issued{}, s.classify(err)
	}
	return got, nil
}

// ask makes one request that is signed at the given time, and tells the time of the answer.
func (s *sts) ask(ctx context.Context, at time.Time) (issued, time.Time, error) {
	query, form := s.request(at)
	u := *s.endpoint
	u.Path, u.RawQuery = "/", query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(form.Encode()))
	if err != nil {
		return issued{}, time.Time{}, errors.New("making the request failed")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := s.client.Do(req)
	if err != nil {
		return issued{}, time.Time{}, withoutURL(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	if err != nil {
		return issued{}, time.Time{}, fmt.Errorf("reading the answer: %w", err)
	}
	theirs, _ := http.ParseTime(resp.Header.Get("Date")) // zero where it tells none
	var a answer
	if err := json.Unmarshal(body, &a); err != nil {
		a = answer{} // the page of a proxy; never shown, it may be anything
	}
	if resp.StatusCode != http.StatusOK {
		return issued{}, theirs, &stsRefusal{status: resp.StatusCode, code: a.Code, message: a.Message, request: a.RequestID}
	}
	got, err := credentialsOf(a.Credentials.AccessKeyID, a.Credentials.AccessKeySecret, a.Credentials.SecurityToken, a.Credentials.Expiration, theirs, s.now())
	return got, theirs, err
}

// request is AssumeRole as the RPC style of Alibaba Cloud's APIs writes it: common
// parameters in the query, the action's own in the body, an HMAC-SHA1 over all of them.
func (s *sts) request(at time.Time) (query, form url.Values) {
	query = url.Values{
		"Action": {"AssumeRole"}, "Version": {stsVersion}, "Format": {"JSON"}, "AccessKeyId": {s.id},
		"SignatureMethod": {"HMAC-SHA1"}, "SignatureVersion": {"1.0"}, "SignatureNonce": {rand.Text()},
		"Timestamp": {at.UTC().Format("2006-01-02T15:04:05Z")},
	}
	form = url.Values{"RoleArn": {s.role}, "RoleSessionName": {s.sessionName}, "DurationSeconds": {strconv.Itoa(int(stsDuration / time.Second))}}
	query.Set("Signature", signRPC(http.MethodPost, s.secret, query, form))
	return query, form
}

// signRPC is signature version 1.0 of Alibaba Cloud's RPC style: all parameters sorted,
// escaped by RFC 3986, and escaped once more as one.
func signRPC(method, secret string, parameters ...url.Values) string {
	var pairs []string
	for _, p := range parameters {
		for name, values := range p {
			pairs = append(pairs, escape3986(name)+"="+escape3986(values[0]))
		}
	}
	slices.Sort(pairs)
	mac := hmac.New(sha1.New, []byte(secret+"&"))
	mac.Write([]byte(method + "&%2F&" + escape3986(strings.Join(pairs, "&"))))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func escape3986(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// credentialsOf reads issued credentials. Their life is told by the issuer's own clock,
// so that one of this machine that is wrong neither shortens nor stretches it.
func credentialsOf(id, secret, token, expiration string, theirs, ours time.Time) (issued, error) {
	if id == "" || secret == "" || token == "" {
		return issued{}, errors.New("the answer holds no credentials")
	}
	ends, err := time.Parse(time.RFC3339, expiration)
	if err != nil {
		return issued{}, errors.New("the answer tells no expiration of the credentials")
	}
	life := ends.Sub(theirs)
	if theirs.IsZero() {
		if life = ends.Sub(ours); life <= 0 { // issued as valid: this machine's clock is wrong
			life = lifeUnknown
		}
	}
	if life <= 0 {
		return issued{}, errors.New("the answer holds credentials that have expired")
	}
	return issued{Credentials: Credentials{AccessKeyID: id, AccessKeySecret: secret, SecurityToken: token, Expiration: ends}, life: life}, nil
}

// withoutURL leaves out of a client's error the URL, which holds the signature.
func withoutURL(err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		return ue.Err
	}
	return err
}

// clip keeps what services write short and on one line.
func clip(s string, n int) string {
	s = string(bytes.ToValidUTF8([]byte(strings.Join(strings.Fields(s), " ")), []byte("?")))
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}
