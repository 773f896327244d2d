package sandbox

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Signatures of version 1.0 in the RPC style, as the service's documentation gives them ("RPC signature") and the
// official credentials-go v1.4.14 makes them: HMAC-SHA1 over the method, the path and all parameters but the signature.

const stsTimeFormat = "2006-01-02T15:04:05Z"

// stsNonces remembers the nonces of requests that were let in, for as long as their times would.
type stsNonces struct {
	mu   sync.Mutex
	seen map[string]time.Time
}

// use tells whether the nonce is new.
func (n *stsNonces) use(nonce string, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.seen == nil {
		n.seen = make(map[string]time.Time)
	}
	for old, at := range n.seen {
		if now.Sub(at) > 2*maxSkew {
			delete(n.seen, old)
		}
	}
	if _, used := n.seen[nonce]; used {
		return false
	}
	n.seen[nonce] = now
	return true
}

// authenticate checks a request's signature, time and nonce, and returns the key that signed it.
func (s *STS) authenticate(q *stsRequest) (AccessKey, *stsError) {
	p := q.params
	for _, name := range []string{"AccessKeyId", "Signature", "SignatureMethod", "SignatureVersion", "SignatureNonce", "Timestamp"} {
		if p.Get(name) == "" {
			return AccessKey{}, stsErr(http.StatusBadRequest, "Missing"+name, "%s is mandatory for this action.", name)
		}
	}
	if m, v := p.Get("SignatureMethod"), p.Get("SignatureVersion"); m != "HMAC-SHA1" || v != "1.0" {
		return AccessKey{}, stsErr(http.StatusBadRequest, "InvalidParameter.SignatureMethod", "The stand-in knows HMAC-SHA1 of version 1.0.")
	}
	at, err := time.Parse(stsTimeFormat, p.Get("Timestamp"))
	if err != nil {
		return AccessKey{}, stsErr(http.StatusBadRequest, "InvalidTimeStamp.Format", "Specified time stamp or date value is not well formatted.")
	}
	if skew := q.now.Sub(at); skew > maxSkew || skew < -maxSkew {
		return AccessKey{}, stsErr(http.StatusBadRequest, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.")
	}
	key, known := s.keys.get(p.Get("AccessKeyId"))
	token := p.Get("SecurityToken")
	switch {
	case !known:
		return AccessKey{}, stsErr(http.StatusNotFound, "InvalidAccessKeyId.NotFound", "Specified access key is not found.")
	case key.Token != "" && token == "":
		return AccessKey{}, stsErr(http.StatusBadRequest, "MissingSecurityToken", "SecurityToken is mandatory for this action.")
	case !hmac.Equal([]byte(key.Token), []byte(token)):
		return AccessKey{}, stsErr(http.StatusBadRequest, "InvalidSecurityToken.MismatchWithAccessKey", "Specified SecurityToken mismatch with the AccessKey.")
	case !key.Expires.IsZero() && !q.now.Before(key.Expires):
		return AccessKey{}, stsErr(http.StatusBadRequest, "InvalidSecurityToken.Expired", "Specified SecurityToken is expired.")
	}
	toSign := stsStringToSign(q)
	mac := hmac.New(sha1.New, []byte(key.Secret+"&"))
	mac.Write([]byte(toSign))
	if !hmac.Equal([]byte(base64.StdEncoding.EncodeToString(mac.Sum(nil))), []byte(p.Get("Signature"))) {
		return AccessKey{}, stsErr(http.StatusBadRequest, "SignatureDoesNotMatch", "Specified signature is not matched with our calculation. server string to sign is:%s", clip(toSign, 4096))
	}
	if !s.nonces.use(key.ID+"\x00"+p.Get("SignatureNonce"), q.now) {
		return AccessKey{}, stsErr(http.StatusBadRequest, "SignatureNonceUsed", "Specified signature nonce was used already.")
	}
	return key, nil
}

func stsStringToSign(q *stsRequest) string {
	names := make([]string, 0, len(q.params))
	for name := range q.params {
		if name != "Signature" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var canonical strings.Builder
	for i, name := range names {
		if i > 0 {
			canonical.WriteByte('&')
		}
		canonical.WriteString(escapeRFC3986(name) + "=" + escapeRFC3986(q.params.Get(name)))
	}
	return q.r.Method + "&%2F&" + escapeRFC3986(canonical.String())
}
