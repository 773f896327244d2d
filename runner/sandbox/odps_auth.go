package sandbox

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Signatures of MaxCompute, as its Go SDK v0.4.26 and pyodps 0.13 make them: "ODPS ID:signature" (called V2) and, when
// the client names a region, "ODPS ID/day/region/odps/aliyun_v4_request:signature" (V4). Both are HMAC-SHA1 over method,
// Content-MD5, Content-Type, Date, the x-odps-* headers, and path with query; V4 derives its key by HMAC-SHA256.
// Temporary credentials add the header authorization-sts-token, which is not signed.

const odpsTokenHeader = "authorization-sts-token"

type odpsClaim struct {
	keyID, signature string
	day, region      string // V4
}

func parseODPSClaim(authorization string) (odpsClaim, bool) {
	rest, ok := strings.CutPrefix(authorization, "ODPS ")
	if !ok {
		return odpsClaim{}, false
	}
	credential, signature, ok := strings.Cut(rest, ":")
	c := odpsClaim{keyID: credential, signature: signature}
	if parts := strings.Split(credential, "/"); len(parts) > 1 {
		if len(parts) != 5 || len(parts[1]) != 8 || parts[2] == "" || parts[3] != "odps" || parts[4] != v4Terminator {
			return c, false
		}
		c.keyID, c.day, c.region = parts[0], parts[1], parts[2]
	}
	return c, ok && c.keyID != "" && signature != ""
}

// errODPSAuth is a refusal of the sender: the Tunnel half has one code for all, REST one for each cause.
func errODPSAuth(q *odpsRequest, status int, code, message string) *odpsError {
	if q.tunnel {
		return odpsErr(http.StatusUnauthorized, "Unauthorized", "The request authorization header is invalid or missing: %s", message)
	}
	return odpsErr(status, code, "%s: %s", code, message)
}

// authenticate checks a request's signature, token and time. A non-empty region is the only one that V4 may name.
func (k *accessKeys) authenticateODPS(q *odpsRequest, region string) *odpsError {
	authorization := q.r.Header.Get("Authorization")
	if authorization == "" {
		return errODPSAuth(q, http.StatusBadRequest, "ODPS-0410001", "Missing authentication parameters - the Authorization header is missing")
	}
	c, ok := parseODPSClaim(authorization)
	if !ok {
		return errODPSAuth(q, http.StatusBadRequest, "ODPS-0410011", `Invalid authentication parameters - write "ODPS AccessKeyId:Signature"`)
	}
	key, known := k.get(c.keyID)
	token := q.r.Header.Get(odpsTokenHeader)
	switch {
	case !known:
		return errODPSAuth(q, http.StatusUnauthorized, "ODPS-0410051", "Invalid credentials - accessKeyId not found")
	case !hmac.Equal([]byte(key.Token), []byte(token)):
		return errODPSAuth(q, http.StatusUnauthorized, "ODPS-0410051", "Invalid credentials - the security token does not belong to the access key")
	case !key.Expires.IsZero() && !q.now.Before(key.Expires):
		return errODPSAuth(q, http.StatusUnauthorized, "ODPS-0410051", "Invalid credentials - the security token has expired")
	}
	at, err := http.ParseTime(q.r.Header.Get("Date"))
	if err != nil {
		return errODPSAuth(q, http.StatusBadRequest, "ODPS-0410011", "Invalid authentication parameters - the Date header is missing or malformed")
	}
	if skew := q.now.Sub(at); skew > maxSkew || skew < -maxSkew {
		return errODPSAuth(q, http.StatusBadRequest, "ODPS-0410031", "Authentication request expired - the request's date is "+at.UTC().Format(time.RFC3339)+" and now it is "+q.now.UTC().Format(time.RFC3339))
	}
	if c.region != "" {
		// The day is the client's own, taken a moment before or after Date.
		if day := at.UTC(); c.day != day.Format("20060102") && c.day != day.Add(time.Second).Format("20060102") && c.day != day.Add(-time.Second).Format("20060102") {
			return errODPSAuth(q, http.StatusBadRequest, "ODPS-0410011", "Invalid authentication parameters - the credential's day is not that of Date")
		}
		if region != "" && c.region != region {
			return errODPSAuth(q, http.StatusUnauthorized, "ODPS-0410051", "Invalid credentials - the credential's region is not "+region)
		}
	}
	toSign := odpsStringToSign(q.r)
	if !hmac.Equal([]byte(c.sign(key.Secret, toSign)), []byte(c.signature)) {
		return errODPSAuth(q, http.StatusUnauthorized, "ODPS-0410042", "Invalid signature value - User signature dose not match. String to sign: "+clip(toSign, 4096))
	}
	return nil
}

func (c odpsClaim) sign(secret, toSign string) string {
	key := []byte(secret)
	if c.region != "" {
		key = []byte("aliyun_v4" + secret)
		for _, part := range []string{c.day, c.region, "odps", v4Terminator} {
			mac := hmac.New(sha256.New, key)
			mac.Write([]byte(part))
			key = mac.Sum(nil)
		}
	}
	mac := hmac.New(sha1.New, key)
	mac.Write([]byte(toSign))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// odpsStringToSign is what a signature covers. The path is that behind the endpoint's own, which is /api for REST.
func odpsStringToSign(r *http.Request) string {
	var b strings.Builder
	for _, part := range []string{r.Method, r.Header.Get("Content-MD5"), r.Header.Get("Content-Type"), r.Header.Get("Date")} {
		b.WriteString(part + "\n")
	}
	var names []string
	for name := range r.Header {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "x-odps-") {
			names = append(names, lower)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		b.WriteString(name + ":" + strings.Join(r.Header.Values(name), ",") + "\n")
	}
	path, _ := odpsPath(r)
	b.WriteString(path)
	query, _ := url.ParseQuery(r.URL.RawQuery) // what cannot be read is refused before this
	names = names[:0]
	for name := range query {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, name := range names {
		b.WriteByte("?&"[min(i, 1)])
		b.WriteString(name)
		if value := query.Get(name); value != "" {
			b.WriteString("=" + value)
		}
	}
	return b.String()
}

// odpsPath is a request's path behind /api, and whether it had that.
func odpsPath(r *http.Request) (string, bool) {
	if path, ok := strings.CutPrefix(r.URL.Path, "/api"); ok && strings.HasPrefix(path, "/") {
		return path, true
	}
	return r.URL.Path, false
}
