package sandbox

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Signatures of OSS, versions 1 and 4, in headers and in presigned URLs. The algorithms are those of the service's
// documentation ("Include a V1/V4 signature in the Authorization header", "… in a URL"); that they agree with the
// official Go SDK v3.0.2 and Python SDK 2.19 is tested against both.

const (
	v4Algorithm  = "OSS4-HMAC-SHA256"
	v4Terminator = "aliyun_v4_request"
	v4TimeFormat = "20060102T150405Z"
	maxSkew      = 15 * time.Minute
	unsignedBody = "UNSIGNED-PAYLOAD"
	// maxPresignV4 is how long a V4 presigned URL may hold.
	maxPresignV4 = 7 * 24 * time.Hour
)

// isV1Subresource tells whether a V1 signature covers a query parameter.
func isV1Subresource(name string) bool {
	switch name {
	case "acl", "append", "asyncFetch", "bucketInfo", "callback", "callback-var", "cname", "comp", "continuation-token",
		"cors", "delete", "encryption", "endTime", "img", "inventory", "inventoryId", "lifecycle", "live", "location",
		"logging", "metaQuery", "objectMeta", "partNumber", "policy", "position", "qos", "qosInfo", "referer",
		"regionList", "replication", "replicationLocation", "replicationProgress", "requestPayment", "resourceGroup",
		"response-cache-control", "response-content-disposition", "response-content-encoding",
		"response-content-language", "response-content-type", "response-expires", "restore", "security-token",
		"sequential", "startTime", "stat", "status", "style", "styleName", "symlink", "tagging",
		"transferAcceleration", "uploadId", "uploads", "versionId", "versioning", "versions", "vod", "website", "worm",
		"wormExtend", "wormId", "x-oss-ac-forward-allow", "x-oss-ac-source-ip", "x-oss-ac-subnet-mask",
		"x-oss-ac-vpc-id", "x-oss-async-process", "x-oss-process", "x-oss-request-payer", "x-oss-traffic-limit":
		return true
	}
	return false
}

// signedRequest is what a signature covers of a request.
type signedRequest struct {
	method      string
	bucket, key string
	query       url.Values
	header      http.Header
	host        string
}

// claim is a request's proof of identity, parsed but not yet checked.
type claim struct {
	version   int
	presigned bool
	keyID     string
	signature string
	token     string
	date      string    // as it goes into the string to sign
	at        time.Time // when the client signed
	expires   time.Time // of a presigned URL
	day       string    // V4: the credential's scope
	region    string
	product   string
	also      []string // V4: additional signed headers, lower case, sorted
}

func errAccessDenied(message string) *ossError {
	return ossErr(http.StatusForbidden, "AccessDenied", "%s", message)
}

func errBadAuthorization(message string) *ossError {
	return ossErr(http.StatusBadRequest, "InvalidArgument", "%s", message).with("ArgumentName", "Authorization")
}

// parseClaim finds a request's proof of identity in its headers or its query.
func parseClaim(s *signedRequest) (*claim, *ossError) {
	authorization := s.header.Get("Authorization")
	switch {
	case strings.HasPrefix(authorization, v4Algorithm+" "):
		return parseV4Header(s, authorization[len(v4Algorithm)+1:])
	case strings.HasPrefix(authorization, "OSS "):
		return parseV1Header(s, authorization[len("OSS "):])
	case authorization != "":
		return nil, errBadAuthorization("The authorization header is of a version that the stand-in does not know; it knows V1 and V4.")
	case s.query.Has("x-oss-signature-version"):
		return parseV4URL(s)
	case s.query.Has("OSSAccessKeyId"):
		return parseV1URL(s)
	}
	return nil, errAccessDenied("You have no right to access this object because of bucket acl.")
}

func parseV1Header(s *signedRequest, rest string) (*claim, *ossError) {
	id, signature, ok := strings.Cut(rest, ":")
	if !ok || id == "" || signature == "" {
		return nil, errBadAuthorization("The authorization header must be \"OSS AccessKeyId:Signature\".")
	}
	c := &claim{version: 1, keyID: id, signature: signature, date: s.header.Get("Date"), token: s.header.Get("x-oss-security-token")}
	var ok2 bool
	if c.at, ok2 = signingTime(s.header); !ok2 {
		return nil, errAccessDenied("OSS authentication requires a valid Date.")
	}
	return c, nil
}

// signingTime reads when the client signed: x-oss-date where it is given, else Date.
func signingTime(h http.Header) (time.Time, bool) {
	value := h.Get("x-oss-date")
	if value == "" {
		value = h.Get("Date")
	}
	if at, err := time.Parse(v4TimeFormat, value); err == nil {
		return at, true
	}
	at, err := http.ParseTime(value)
	return at, err == nil
}

func parseV1URL(s *signedRequest) (*claim, *ossError) {
	c := &claim{version: 1, presigned: true, keyID: s.query.Get("OSSAccessKeyId"), signature: s.query.Get("Signature"),
		token: s.query.Get("security-token"), date: s.query.Get("Expires")}
	seconds, err := strconv.ParseInt(c.date, 10, 64)
	if err != nil || seconds < 0 || c.keyID == "" || c.signature == "" {
		return nil, errAccessDenied("A signed URL needs OSSAccessKeyId, Expires and Signature.")
	}
	c.expires = time.Unix(seconds, 0)
	return c, nil
}

// parseV4Header reads Credential=…, AdditionalHeaders=…, Signature=…, which come in any order, with or without a space.
func parseV4Header(s *signedRequest, rest string) (*claim, *ossError) {
	c := &claim{version: 4, token: s.header.Get("x-oss-security-token")}
	var credential string
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "Credential":
			credential = value
		case "AdditionalHeaders":
			c.also = additionalHeaders(value)
		case "Signature":
			c.signature = value
		default:
			return nil, errBadAuthorization("The authorization header has an unknown part.")
		}
	}
	if err := c.setCredential(credential); err != nil {
		return nil, err
	}
	if c.signature == "" {
		return nil, errBadAuthorization("The authorization header has no Signature.")
	}
	var ok bool
	if c.at, ok = signingTime(s.header); !ok {
		return nil, errAccessDenied("OSS authentication requires a valid Date.")
	}
	if c.date = s.header.Get("x-oss-date"); c.date == "" {
		c.date = s.header.Get("Date")
	}
	return c, nil
}

func parseV4URL(s *signedRequest) (*claim, *ossError) {
	q := s.query
	if q.Get("x-oss-signature-version") != v4Algorithm {
		return nil, errBadAuthorization("x-oss-signature-version is not " + v4Algorithm + ".")
	}
	c := &claim{version: 4, presigned: true, signature: q.Get("x-oss-signature"), token: q.Get("x-oss-security-token"),
		date: q.Get("x-oss-date"), also: additionalHeaders(q.Get("x-oss-additional-headers"))}
	if err := c.setCredential(q.Get("x-oss-credential")); err != nil {
		return nil, err
	}
	at, err := time.Parse(v4TimeFormat, c.date)
	seconds, err2 := strconv.ParseInt(q.Get("x-oss-expires"), 10, 64)
	if err != nil || err2 != nil || seconds < 1 || seconds > int64(maxPresignV4/time.Second) || c.signature == "" {
		return nil, errBadAuthorization("A signed URL needs x-oss-date, x-oss-expires of 1 to 604800 seconds, and x-oss-signature.")
	}
	c.at, c.expires = at, at.Add(time.Duration(seconds)*time.Second)
	return c, nil
}

func additionalHeaders(list string) []string {
	var names []string
	for name := range strings.SplitSeq(strings.ToLower(list), ";") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// setCredential reads <access key ID>/<day>/<region>/<product>/aliyun_v4_request.
func (c *claim) setCredential(credential string) *ossError {
	parts := strings.Split(credential, "/")
	if len(parts) != 5 || parts[4] != v4Terminator || parts[0] == "" || len(parts[1]) != 8 || parts[2] == "" || (parts[3] != "oss" && parts[3] != "oss-cloudbox") {
		return errBadAuthorization("Credential must be AccessKeyId/date/region/oss/aliyun_v4_request.")
	}
	c.keyID, c.day, c.region, c.product = parts[0], parts[1], parts[2], parts[3]
	return nil
}

// authenticate checks a request's signature, token and time, and returns the key that signed it. now is the stand-in's
// clock; a non-empty region is the only one that V4 credentials may name.
func (k *accessKeys) authenticate(s *signedRequest, now time.Time, region string) (AccessKey, *ossError) {
	c, oerr := parseClaim(s)
	if oerr != nil {
		return AccessKey{}, oerr
	}
	key, known := k.get(c.keyID)
	if !known || (key.Token == "") != (c.token == "") {
		return AccessKey{}, ossErr(http.StatusForbidden, "InvalidAccessKeyId", "The OSS Access Key Id you provided does not exist in our records.").
			with("OSSAccessKeyId", clip(c.keyID, 128)).withEC("0002-00000902")
	}
	if key.Token != "" && !hmac.Equal([]byte(key.Token), []byte(c.token)) {
		return AccessKey{}, ossErr(http.StatusForbidden, "InvalidSecurityToken", "The security token you provided is invalid.").withEC("0002-00000006")
	}
	if !key.Expires.IsZero() && !now.Before(key.Expires) {
		return AccessKey{}, ossErr(http.StatusForbidden, "SecurityTokenExpired", "The security token you provided has expired.").withEC("0002-00000007")
	}
	if oerr := c.checkTime(now); oerr != nil {
		return AccessKey{}, oerr
	}
	if c.version == 4 {
		if c.day != c.at.UTC().Format("20060102") {
			return AccessKey{}, errBadAuthorization("The day of Credential is not that of the request's date.")
		}
		if region != "" && c.region != region {
			return AccessKey{}, errBadAuthorization("Invalid signing region in Authorization header.").with("Region", region)
		}
	}
	toSign, want := c.sign(s, key.Secret)
	if !hmac.Equal([]byte(want), []byte(c.signature)) {
		return AccessKey{}, ossErr(http.StatusForbidden, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your key and signing method.").
			with("OSSAccessKeyId", clip(c.keyID, 128)).with("SignatureProvided", clip(c.signature, 256)).with("StringToSign", clip(toSign, 4096)).withEC("0002-00000040")
	}
	return key, nil
}

func (c *claim) checkTime(now time.Time) *ossError {
	if c.presigned {
		if now.After(c.expires) {
			return errAccessDenied("Request has expired.").with("Expires", c.expires.UTC().Format(time.RFC3339)).with("ServerTime", now.UTC().Format(time.RFC3339))
		}
		return nil
	}
	if skew := now.Sub(c.at); skew > maxSkew || skew < -maxSkew {
		return ossErr(http.StatusForbidden, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.").
			with("MaxAllowedSkewMilliseconds", strconv.FormatInt(maxSkew.Milliseconds(), 10)).
			with("RequestTime", c.at.UTC().Format(time.RFC3339)).with("ServerTime", now.UTC().Format(time.RFC3339))
	}
	return nil
}

// sign computes the string to sign and the signature that the secret gives it.
func (c *claim) sign(s *signedRequest, secret string) (toSign, signature string) {
	if c.version == 1 {
		toSign = c.v1StringToSign(s)
		mac := hmac.New(sha1.New, []byte(secret))
		mac.Write([]byte(toSign))
		return toSign, base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	scope := c.day + "/" + c.region + "/" + c.product + "/" + v4Terminator
	hashed := sha256.Sum256([]byte(c.v4CanonicalRequest(s)))
	toSign = v4Algorithm + "\n" + c.date + "\n" + scope + "\n" + hex.EncodeToString(hashed[:])
	derived := []byte("aliyun_v4" + secret)
	for _, part := range []string{c.day, c.region, c.product, v4Terminator, toSign} {
		mac := hmac.New(sha256.New, derived)
		mac.Write([]byte(part))
		derived = mac.Sum(nil)
	}
	return toSign, hex.EncodeToString(derived)
}

func (c *claim) v1StringToSign(s *signedRequest) string {
	var b strings.Builder
	b.WriteString(s.method + "\n" + s.header.Get("Content-MD5") + "\n" + s.header.Get("Content-Type") + "\n" + c.date + "\n")
	writeHeaders(&b, s, func(name string) bool { return strings.HasPrefix(name, "x-oss-") })
	b.WriteString("/")
	if s.bucket != "" {
		b.WriteString(s.bucket + "/" + s.key)
	}
	var names []string
	for name := range s.query {
		if isV1Subresource(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for i, name := range names {
		b.WriteByte("?&"[min(i, 1)])
		b.WriteString(name)
		if value := s.query.Get(name); value != "" {
			b.WriteString("=" + value)
		}
	}
	return b.String()
}

func (c *claim) v4CanonicalRequest(s *signedRequest) string {
	var b strings.Builder
	b.WriteString(s.method + "\n/")
	if s.bucket != "" {
		b.WriteString(s.bucket + "/" + strings.ReplaceAll(escapeRFC3986(s.key), "%2F", "/"))
	}
	b.WriteString("\n" + v4CanonicalQuery(s.query) + "\n")
	writeHeaders(&b, s, func(name string) bool {
		return strings.HasPrefix(name, "x-oss-") || name == "content-md5" || name == "content-type" || slices.Contains(c.also, name)
	})
	payload := s.header.Get("x-oss-content-sha256")
	if payload == "" {
		payload = unsignedBody
	}
	b.WriteString("\n" + strings.Join(c.also, ";") + "\n" + payload)
	return b.String()
}

func v4CanonicalQuery(query url.Values) string {
	pairs := make([][2]string, 0, len(query))
	for name, values := range query {
		if name != "x-oss-signature" && len(values) > 0 {
			pairs = append(pairs, [2]string{escapeRFC3986(name), escapeRFC3986(values[0])})
		}
	}
	slices.SortFunc(pairs, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	var b strings.Builder
	for i, pair := range pairs {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(pair[0])
		if pair[1] != "" {
			b.WriteString("=" + pair[1])
		}
	}
	return b.String()
}

// writeHeaders writes the headers that are signed, sorted, as "name:value\n". Host is kept apart by net/http.
func writeHeaders(b *strings.Builder, s *signedRequest, signed func(lowerName string) bool) {
	names := make([]string, 0, 8)
	values := make(map[string]string, 8)
	for name, list := range s.header {
		if name = strings.ToLower(name); len(list) > 0 && signed(name) {
			names = append(names, name)
			values[name] = strings.TrimSpace(list[0])
		}
	}
	if _, given := values["host"]; !given && signed("host") {
		names = append(names, "host")
		values["host"] = s.host
	}
	slices.Sort(names)
	for _, name := range names {
		b.WriteString(name + ":" + values[name] + "\n")
	}
}

// escapeRFC3986 percent-encodes all but letters, digits, hyphen, underscore, dot and tilde.
func escapeRFC3986(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
