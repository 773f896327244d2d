package sandbox

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Signatures of Function Compute. 2.0: "FC id:signature", HMAC-SHA256 over method, Content-MD5, Content-Type, Date, the
// x-fc-* headers and the escaped path, as fc-go-sdk makes them. 3.0: ACS3-HMAC-SHA256, the common one of Alibaba
// Cloud's APIs ("Request structure and signature V3"), over the headers that the request itself names.

const (
	fcScheme   = "FC "
	acs3Scheme = "ACS3-HMAC-SHA256"
)

// authenticate checks a request's signature, token and time.
func (f *FC) authenticate(q *fcRequest) *fcError {
	if q.v3 {
		return f.authenticate3(q)
	}
	id, signature, ok := strings.Cut(strings.TrimPrefix(q.r.Header.Get("Authorization"), fcScheme), ":")
	if !ok || id == "" || signature == "" || !strings.HasPrefix(q.r.Header.Get("Authorization"), fcScheme) {
		return errFCHeader("Authorization")
	}
	key, ferr := f.keyOf(q, id, q.r.Header.Get("X-Fc-Security-Token"))
	if ferr != nil {
		return ferr
	}
	at, err := http.ParseTime(q.r.Header.Get("Date"))
	if err != nil {
		return errFCHeader("Date")
	}
	if ferr := fcInTime(q, at); ferr != nil {
		return ferr
	}
	toSign := fcStringToSign(q.r)
	mac := hmac.New(sha256.New, []byte(key.Secret))
	mac.Write(toSign)
	if given, err := base64.StdEncoding.DecodeString(signature); err != nil || !hmac.Equal(mac.Sum(nil), given) {
		return errFCSignature(string(toSign))
	}
	return nil
}

// keyOf returns the access key of an ID once its token is right.
func (f *FC) keyOf(q *fcRequest, id, token string) (AccessKey, *fcError) {
	key, known := f.keys.get(id)
	switch {
	case !known || key.Token == "" && token != "":
		return key, fcErr(http.StatusForbidden, "InvalidAccessKeyID", "invalid access key ID '%s'", clip(id, 128))
	case !hmac.Equal([]byte(key.Token), []byte(token)):
		return key, fcErr(http.StatusForbidden, "InvalidSecurityToken", "the security token does not belong to the access key")
	case !key.Expires.IsZero() && !q.now.Before(key.Expires):
		return key, fcErr(http.StatusForbidden, "SecurityTokenExpired", "the security token has expired")
	}
	return key, nil
}

func fcInTime(q *fcRequest, at time.Time) *fcError {
	if skew := q.now.Sub(at); skew > maxSkew || skew < -maxSkew {
		return fcErr(http.StatusForbidden, "AccessDenied", "the request's date is %s and now it is %s", at.UTC().Format(time.RFC3339), q.now.UTC().Format(time.RFC3339))
	}
	return nil
}

// fcStringToSign is what a 2.0 signature covers. An empty x-fc-* header counts, too: the SDK sends and signs one.
func fcStringToSign(r *http.Request) []byte {
	b := make([]byte, 0, 512)
	for _, part := range []string{r.Method, r.Header.Get("Content-Md5"), r.Header.Get("Content-Type"), r.Header.Get("Date")} {
		b = append(append(b, part...), '\n')
	}
	var buffer [8]string
	names := buffer[:0]
	for name := range r.Header {
		if len(name) > 5 && strings.EqualFold(name[:5], "x-fc-") {
			names = append(names, name)
		}
	}
	slices.Sort(names) // canonical names sort as their lower-case forms do, for letters and hyphens
	for _, name := range names {
		b = append(append(b, strings.ToLower(name)...), ':')
		b = append(append(b, strings.Join(r.Header[name], ",")...), '\n')
	}
	return append(b, r.URL.EscapedPath()...)
}

// acs3Claim is a 3.0 request's proof of identity.
type acs3Claim struct{ keyID, headers, signature string }

func parseACS3(authorization string) (c acs3Claim, ok bool) {
	rest, ok := strings.CutPrefix(authorization, acs3Scheme+" ")
	if !ok {
		return c, false
	}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "Credential":
			c.keyID = value
		case "SignedHeaders":
			c.headers = value
		case "Signature":
			c.signature = value
		}
	}
	return c, c.keyID != "" && c.headers != "" && c.signature != ""
}

func (f *FC) authenticate3(q *fcRequest) *fcError {
	c, ok := parseACS3(q.r.Header.Get("Authorization"))
	if !ok {
		return errFCHeader("Authorization")
	}
	key, ferr := f.keyOf(q, c.keyID, q.r.Header.Get("X-Acs-Security-Token"))
	if ferr != nil {
		return ferr
	}
	at, err := time.Parse(time.RFC3339, q.r.Header.Get("X-Acs-Date"))
	if err != nil {
		return errFCHeader("x-acs-date")
	}
	if ferr := fcInTime(q, at); ferr != nil {
		return ferr
	}
	signed := strings.Split(c.headers, ";")
	for _, name := range []string{"host", "x-acs-action", "x-acs-version", "x-acs-date", "x-acs-content-sha256"} {
		if !slices.Contains(signed, name) {
			return errFCHeader(name + " (signed)")
		}
	}
	for name := range q.r.Header { // a header of the API that the signature leaves out could be anybody's
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "x-acs-") && !slices.Contains(signed, lower) {
			return errFCSignature("the header " + lower + " is not signed")
		}
	}
	toSign := acs3StringToSign(q, signed)
	mac := hmac.New(sha256.New, []byte(key.Secret))
	mac.Write([]byte(toSign))
	if given, err := hex.DecodeString(c.signature); err != nil || !hmac.Equal(mac.Sum(nil), given) {
		return errFCSignature(toSign)
	}
	return nil
}

func acs3StringToSign(q *fcRequest, signed []string) string {
	b := make([]byte, 0, 1024)
	b = append(append(b, q.r.Method...), '\n')
	b = append(append(b, acs3Escape(q.r.URL.EscapedPath())...), '\n')
	b = append(acs3Query(b, q.query), '\n')
	for _, name := range signed {
		b = append(append(b, name...), ':')
		if name == "host" {
			b = append(b, q.r.Host...)
		} else {
			values := slices.Clone(q.r.Header.Values(name))
			for i := range values {
				values[i] = strings.TrimSpace(values[i])
			}
			slices.Sort(values)
			b = append(b, strings.Join(values, ",")...)
		}
		b = append(b, '\n')
	}
	b = append(append(append(b, '\n'), strings.Join(signed, ";")...), '\n')
	b = append(b, q.r.Header.Get("X-Acs-Content-Sha256")...)
	sum := sha256.Sum256(b)
	return acs3Scheme + "\n" + hex.EncodeToString(sum[:])
}

// acs3Query appends the canonical query string: sorted, escaped as RFC 3986 says.
func acs3Query(b []byte, query url.Values) []byte {
	names := make([]string, 0, len(query))
	for name := range query {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, name := range names {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(append(b, name...), '=')
		b = append(b, acs3Escape(url.QueryEscape(query.Get(name)))...)
	}
	return b
}

func acs3Escape(s string) string {
	return strings.NewReplacer("+", "%20", "*", "%2A", "%7E", "~").Replace(s)
}
