package sandbox

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/xml"
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"time"
)

// Bounds of the duration that a request may ask for, in seconds; the longest is what a role allows unless its owner
// changed it.
const (
	minSTSDuration     = 900
	maxSTSDuration     = 3600
	defaultSTSDuration = 3600
)

var (
	stsRoleARN     = regexp.MustCompile(`^acs:ram::[0-9]{1,20}:role/[a-zA-Z0-9._-]{1,64}$`)
	stsSessionName = regexp.MustCompile(`^[a-zA-Z0-9.@_-]{2,64}$`)
)

// stsAnswer is the answer to AssumeRole.
type stsAnswer struct {
	XMLName         xml.Name       `json:"-" xml:"AssumeRoleResponse"`
	RequestID       string         `json:"RequestId" xml:"RequestId"`
	AssumedRoleUser stsUser        `json:"AssumedRoleUser" xml:"AssumedRoleUser"`
	Credentials     stsCredentials `json:"Credentials" xml:"Credentials"`
}

type stsUser struct {
	ARN string `json:"Arn" xml:"Arn"`
	ID  string `json:"AssumedRoleId" xml:"AssumedRoleId"`
}

type stsCredentials struct {
	AccessKeyID     string `json:"AccessKeyId" xml:"AccessKeyId"`
	AccessKeySecret string `json:"AccessKeySecret" xml:"AccessKeySecret"`
	SecurityToken   string `json:"SecurityToken" xml:"SecurityToken"`
	Expiration      string `json:"Expiration" xml:"Expiration"`
}

// IssuedToken is one answer to AssumeRole, without what is secret in it.
type IssuedToken struct {
	Time        time.Time `json:"time"`
	Role        string    `json:"role"` // ARN
	SessionName string    `json:"session_name"`
	By          string    `json:"by"` // ID of the access key that asked
	AccessKeyID string    `json:"access_key_id"`
	Expires     time.Time `json:"expires"`
}

// stsIssued keeps what was issued last.
type stsIssued struct {
	mu   sync.Mutex
	list []IssuedToken // oldest first
}

func (i *stsIssued) add(t IssuedToken) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.list = append(i.list, t); len(i.list) > stsRequestLog {
		i.list = append([]IssuedToken(nil), i.list[len(i.list)-stsRequestLog:]...)
	}
}

// Issued returns up to limit of the latest credentials that were issued, newest first; 0 is all that are remembered.
func (s *STS) Issued(limit int) []IssuedToken {
	s.issued.mu.Lock()
	defer s.issued.mu.Unlock()
	n := len(s.issued.list)
	if limit <= 0 || limit > n {
		limit = n
	}
	out := make([]IssuedToken, 0, limit)
	for i := range limit {
		out = append(out, s.issued.list[n-1-i])
	}
	return out
}

// Requests returns up to limit of the latest requests, newest first; 0 is all that are remembered.
func (s *STS) Requests(limit int) []Request { return s.requests.latest(limit) }

func (s *STS) assumeRole(q *stsRequest, by AccessKey) *stsError {
	p := q.params
	for _, name := range []string{"RoleArn", "RoleSessionName"} {
		if p.Get(name) == "" {
			return stsErr(http.StatusBadRequest, "Missing"+name, "%s is mandatory for this action.", name)
		}
	}
	if !stsRoleARN.MatchString(p.Get("RoleArn")) {
		return stsErr(http.StatusBadRequest, "InvalidParameter.RoleArn", "The parameter RoleArn is wrongly formed.")
	}
	if !stsSessionName.MatchString(p.Get("RoleSessionName")) {
		return stsErr(http.StatusBadRequest, "InvalidParameter.RoleSessionName", "The parameter RoleSessionName is wrongly formed.")
	}
	seconds := defaultSTSDuration
	if text := p.Get("DurationSeconds"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < minSTSDuration || n > maxSTSDuration {
			return stsErr(http.StatusBadRequest, "InvalidParameter.DurationSeconds", "The Min/Max value of DurationSeconds is %d/%d.", minSTSDuration, maxSTSDuration)
		}
		seconds = n
	}
	if p.Has("Policy") {
		return stsErr(http.StatusNotImplemented, "NotImplemented", "The stand-in has no policies; leave Policy out.")
	}
	role, known := s.role(p.Get("RoleArn"))
	switch {
	case !known:
		return stsErr(http.StatusNotFound, "EntityNotExist.Role", "The role not exists: %s.", p.Get("RoleArn"))
	case role.Denied:
		return stsErr(http.StatusForbidden, "NoPermission", "You are not authorized to do this action. You should be authorized by RAM.")
	}
	life := role.Life
	if life == 0 {
		life = time.Duration(seconds) * time.Second
	}
	key := AccessKey{ID: "STS.N" + rand.Text()[:23], Secret: rand.Text() + rand.Text()[:18], Token: stsToken(), Expires: q.now.Add(life)}
	s.options.Tokens.Add(key)
	s.nIssued.Add(1)
	session := p.Get("RoleSessionName")
	s.issued.add(IssuedToken{Time: q.now, Role: role.ARN(), SessionName: session, By: by.ID, AccessKeyID: key.ID, Expires: key.Expires})
	q.answer(http.StatusOK, stsAnswer{RequestID: q.id, AssumedRoleUser: stsUser{role.ARN() + "/" + session, "3" + role.Account + ":" + session},
		Credentials: stsCredentials{key.ID, key.Secret, key.Token, key.Expires.UTC().Format(stsTimeFormat)}})
	return nil
}

// stsToken is as long as the service's are, with characters that must be escaped where they are signed.
func stsToken() string {
	raw := make([]byte, 384)
	_, _ = rand.Read(raw) // never fails
	return "CAIS" + base64.StdEncoding.EncodeToString(raw)
}
