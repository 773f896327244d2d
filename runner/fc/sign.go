package fc

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sluice-io/sluice/runner/aliyun"
)

const (
	version2 = "2016-08-15" // Function Compute 2.0
	version3 = "2023-03-30" // Function Compute 3.0

	// octets is the media type that the SDKs send a function's event with.
	octets = "application/octet-stream"
	// acsTime is the form of x-acs-date.
	acsTime = "2006-01-02T15:04:05Z"
	acsAlgo = "ACS3-HMAC-SHA256"
)

// Canonical keys of the headers, as http.Header has them.
const (
	headerAccount   = "X-Fc-Account-Id"
	headerType      = "X-Fc-Invocation-Type"
	headerLogType   = "X-Fc-Log-Type"
	headerToken     = "X-Fc-Security-Token"
	headerAsyncID   = "X-Fc-Stateful-Async-Invocation-Id"
	headerTaskID    = "X-Fc-Async-Task-Id" // 3.0's name of the same
	headerErrorType = "X-Fc-Error-Type"
	headerLogResult = "X-Fc-Log-Result"
	headerRequestID = "X-Fc-Request-Id"
	headerMD5       = "Content-Md5"
)

// call is one request as far as its signature is concerned.
type call struct {
	method string
	path   string  // escaped
	query  string  // canonical: sorted by key and escaped
	action string  // 3.0's x-acs-action
	body   []byte  // nil: the request has none
	kind   string  // X-Fc-Invocation-Type, "" leaves it out
	id     string  // of an asynchronous invocation, "" leaves it out
	tail   bool    // asks for the end of the function's log
	want   *[]byte // takes the body of a good answer
	now    time.Time
}

// signer makes the headers of requests. One serves one request at a time; what it
// works with is kept for the next.
type signer struct {
	account string
	host    string
	v3      bool

	secret string // of mac
	mac    hash.Hash
	text   []byte
	sum    [sha256.Size]byte
	into   *shot
	used   int // of into's values
}

// sign sets every header of the request, Authorization among them.
func (s *signer) sign(into *shot, c *call, cred aliyun.Credentials) {
	clear(into.header)
	s.into, s.used = into, 0
	s.set("Accept", "application/json")
	s.set("User-Agent", "sluice")
	if c.kind != "" {
		s.set(headerType, c.kind)
	}
	if c.tail {
		s.set(headerLogType, "Tail")
	}
	if s.v3 {
		s.acs3(c, cred)
	} else {
		s.fc2(c, cred)
	}
}

func (s *signer) set(key, value string) {
	v := s.into.values[s.used : s.used+1 : s.used+1]
	v[0] = value
	s.into.header[key] = v
	s.used++
}

// fc2 signs as Function Compute 2.0 asks for ("Signature authentication"; fc-go-sdk,
// signature.go): method, MD5 of the body in hex, content type and date, a line each,
// the x-fc-* headers sorted, and the escaped path without the query.
func (s *signer) fc2(c *call, cred aliyun.Credentials) {
	date := c.now.UTC().Format(http.TimeFormat)
	s.set("Date", date)
	s.set(headerAccount, s.account)
	if cred.SecurityToken != "" {
		s.set(headerToken, cred.SecurityToken)
	}
	if c.id != "" {
		s.set(headerAsyncID, c.id)
	}
	t := append(append(s.text[:0], c.method...), '\n')
	if c.body != nil {
		sum := md5.Sum(c.body)
		var digits [2 * md5.Size]byte
		hex.Encode(digits[:], sum[:])
		s.set(headerMD5, string(digits[:]))
		s.set("Content-Type", octets)
		t = append(t, digits[:]...)
		t = append(append(t, '\n'), octets...)
	} else {
		t = append(t, '\n')
	}
	t = append(append(append(t, '\n'), date...), '\n')
	t = append(append(append(t, "x-fc-account-id:"...), s.account...), '\n')
	if c.kind != "" {
		t = append(append(append(t, "x-fc-invocation-type:"...), c.kind...), '\n')
	}
	if c.tail {
		t = append(t, "x-fc-log-type:Tail\n"...)
	}
	if cred.SecurityToken != "" {
		t = append(append(append(t, "x-fc-security-token:"...), cred.SecurityToken...), '\n')
	}
	if c.id != "" {
		t = append(append(append(t, "x-fc-stateful-async-invocation-id:"...), c.id...), '\n')
	}
	t = append(t, c.path...)
	s.text = t
	sum := s.hmac(cred.AccessKeySecret, t)
	t = append(append(append(s.text[:0], "FC "...), cred.AccessKeyID...), ':')
	t = base64.StdEncoding.AppendEncode(t, sum)
	s.text = t
	s.set("Authorization", string(t))
}

// acs3 signs as the cloud's API gateway asks for ("Signature V3"; darabonba-openapi,
// GetAuthorization): a canonical request over host, content type and the x-acs-*
// headers, whose SHA-256 is signed. The x-fc-* headers are not part of it.
func (s *signer) acs3(c *call, cred aliyun.Credentials) {
	if c.id != "" {
		s.set(headerTaskID, c.id)
	}
	var nonce [16]byte
	_, _ = rand.Read(nonce[:]) // never fails: it ends the program instead
	s.acs3With(c, cred, hex.EncodeToString(nonce[:]))
}

func (s *signer) acs3With(c *call, cred aliyun.Credentials, nonce string) {
	date := c.now.UTC().Format(acsTime)
	sum := sha256.Sum256(c.body)
	var digits [2 * sha256.Size]byte
	hex.Encode(digits[:], sum[:])
	digest := string(digits[:])
	token := cred.SecurityToken

	t := append(append(append(s.text[:0], c.method...), '\n'), c.path...)
	t = append(append(append(t, '\n'), c.query...), '\n')
	sign := func(key, name, value string) {
		if key != "" {
			s.set(key, value)
		}
		t = append(append(append(append(t, name...), ':'), value...), '\n')
	}
	if c.body != nil {
		sign("Content-Type", "content-type", octets)
	}
	sign("", "host", s.host)
	if token != "" {
		sign("X-Acs-Accesskey-Id", "x-acs-accesskey-id", cred.AccessKeyID)
	}
	sign("X-Acs-Action", "x-acs-action", c.action)
	sign("X-Acs-Content-Sha256", "x-acs-content-sha256", digest)
	sign("X-Acs-Date", "x-acs-date", date)
	if token != "" {
		sign("X-Acs-Security-Token", "x-acs-security-token", token)
	}
	sign("X-Acs-Signature-Nonce", "x-acs-signature-nonce", nonce)
	sign("X-Acs-Version", "x-acs-version", version3)
	t = append(t, '\n')
	signed := signedNames(c.body != nil, token != "")
	t = append(append(append(t, signed...), '\n'), digest...)
	request := sha256.Sum256(t)
	t = append(append(t[:0], acsAlgo...), '\n')
	t = hex.AppendEncode(t, request[:])
	s.text = t
	mac := s.hmac(cred.AccessKeySecret, t)
	t = append(append(append(t[:0], acsAlgo+" Credential="...), cred.AccessKeyID...), ",SignedHeaders="...)
	t = append(append(t, signed...), ",Signature="...)
	t = hex.AppendEncode(t, mac)
	s.text = t
	s.set("Authorization", string(t))
}

// signedNames lists the headers of acs3 in their order.
func signedNames(body, token bool) string {
	switch {
	case body && token:
		return "content-type;host;x-acs-accesskey-id;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-security-token;x-acs-signature-nonce;x-acs-version"
	case token:
		return "host;x-acs-accesskey-id;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-security-token;x-acs-signature-nonce;x-acs-version"
	case body:
		return "content-type;host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version"
	}
	return "host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version"
}

func (s *signer) hmac(secret string, text []byte) []byte {
	if s.mac == nil || s.secret != secret {
		s.secret, s.mac = secret, hmac.New(sha256.New, []byte(secret))
	}
	s.mac.Reset()
	s.mac.Write(text)
	return s.mac.Sum(s.sum[:0])
}

// escape writes a path segment or a query value as the cloud's signatures do
// (RFC 3986: everything but letters, digits and -_.~).
func escape(s string) string {
	return strings.NewReplacer("+", "%20", "*", "%2A", "%7E", "~").Replace(url.QueryEscape(s))
}
