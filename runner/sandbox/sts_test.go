package sandbox

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"
)

func newSTS(t *testing.T, options STSOptions) *STS {
	t.Helper()
	options.Addr = "127.0.0.1:0"
	if options.Dir == "" {
		options.Dir = t.TempDir()
	}
	s, err := StartSTS(t.Context(), options)
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// stsClient trusts the stand-in's authority and nobody else.
func stsClient(t *testing.T, pem []byte) *http.Client {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		t.Fatal("no certificate")
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}, Timeout: 10 * time.Second}
	t.Cleanup(client.CloseIdleConnections)
	return client
}

// assume is a good request of now; change makes a bad one of it before it is signed; "-" leaves a parameter out.
func assume(change map[string]string) url.Values {
	p := url.Values{"Action": {"AssumeRole"}, "Version": {"2015-04-01"}, "Format": {"JSON"}, "AccessKeyId": {DefaultKey},
		"SignatureMethod": {"HMAC-SHA1"}, "SignatureVersion": {"1.0"}, "SignatureNonce": {randomID()}, "Timestamp": {time.Now().UTC().Format(stsTimeFormat)},
		"RoleArn": {Role{Name: DefaultRole, Account: DefaultAccount}.ARN()}, "RoleSessionName": {"test@1"}}
	for name, value := range change {
		if value == "-" {
			p.Del(name)
		} else {
			p.Set(name, value)
		}
	}
	return p
}

func signSTS(method, secret string, p url.Values) url.Values {
	var pairs []string
	for name := range p {
		pairs = append(pairs, strings.ReplaceAll(url.QueryEscape(name)+"="+url.QueryEscape(p.Get(name)), "+", "%20"))
	}
	slices.Sort(pairs)
	mac := hmac.New(sha1.New, []byte(secret+"&"))
	mac.Write([]byte(method + "&%2F&" + url.QueryEscape(strings.Join(pairs, "&"))))
	p.Set("Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return p
}

type stsGot struct {
	stsAnswer
	Code, Message string
	status        int
}

func (s *STS) call(t *testing.T, client *http.Client, p url.Values) stsGot {
	t.Helper()
	resp, err := client.PostForm(s.URL()+"/", p)
	must(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	got := stsGot{status: resp.StatusCode}
	if err := json.Unmarshal(body, &got); err != nil || got.RequestID == "" {
		t.Fatalf("%v: %s", err, body)
	}
	return got
}

func TestSTSRefusals(t *testing.T) {
	t.Parallel()
	s := newSTS(t, STSOptions{})
	client := stsClient(t, s.CAPEM())
	used := signSTS("POST", DefaultKey, assume(nil))
	if got := s.call(t, client, used); got.status != http.StatusOK || got.AssumedRoleUser.ARN != "acs:ram::1000000000000001:role/sandbox/test@1" {
		t.Fatalf("%+v", got)
	}
	if got := s.call(t, client, used); got.status != 400 || got.Code != "SignatureNonceUsed" {
		t.Errorf("the same request again: %+v", got)
	}
	for _, c := range []struct {
		change map[string]string
		status int
		code   string
	}{
		{map[string]string{"Action": "GetSessionToken"}, 404, "InvalidAction.NotFound"},
		{map[string]string{"Version": "2014-01-01"}, 400, "InvalidVersion"},
		{map[string]string{"AccessKeyId": "-"}, 400, "MissingAccessKeyId"},
		{map[string]string{"AccessKeyId": "nobody"}, 404, "InvalidAccessKeyId.NotFound"},
		{map[string]string{"SignatureNonce": "-"}, 400, "MissingSignatureNonce"},
		{map[string]string{"SignatureMethod": "HMAC-SHA256"}, 400, "InvalidParameter.SignatureMethod"},
		{map[string]string{"SecurityToken": "what"}, 400, "InvalidSecurityToken.MismatchWithAccessKey"},
		{map[string]string{"Timestamp": "yesterday"}, 400, "InvalidTimeStamp.Format"},
		{map[string]string{"Timestamp": time.Now().UTC().Add(-16 * time.Minute).Format(stsTimeFormat)}, 400, "InvalidTimeStamp.Expired"},
		{map[string]string{"Timestamp": time.Now().UTC().Add(16 * time.Minute).Format(stsTimeFormat)}, 400, "InvalidTimeStamp.Expired"},
		{map[string]string{"RoleArn": "-"}, 400, "MissingRoleArn"},
		{map[string]string{"RoleArn": "role/sandbox"}, 400, "InvalidParameter.RoleArn"},
		{map[string]string{"RoleArn": "acs:ram::1000000000000001:role/nobody"}, 404, "EntityNotExist.Role"},
		{map[string]string{"RoleArn": "acs:ram::1000000000000001:role/denied"}, 403, "NoPermission"},
		{map[string]string{"RoleSessionName": "-"}, 400, "MissingRoleSessionName"},
		{map[string]string{"RoleSessionName": "x"}, 400, "InvalidParameter.RoleSessionName"},
		{map[string]string{"RoleSessionName": "a b"}, 400, "InvalidParameter.RoleSessionName"},
		{map[string]string{"DurationSeconds": "899"}, 400, "InvalidParameter.DurationSeconds"},
		{map[string]string{"DurationSeconds": "3601"}, 400, "InvalidParameter.DurationSeconds"},
		{map[string]string{"DurationSeconds": "an hour"}, 400, "InvalidParameter.DurationSeconds"},
		{map[string]string{"Policy": "{}"}, 501, "NotImplemented"},
	} {
		if got := s.call(t, client, signSTS("POST", DefaultKey, assume(c.change))); got.status != c.status || got.Code != c.code || got.Message == "" || got.Credentials.SecurityToken != "" {
			t.Errorf("%v: %+v", c.change, got)
		}
	}
	for _, name := range []string{"Signature", "RoleArn", "DurationSeconds"} { // changed or added after signing
		p := signSTS("POST", DefaultKey, assume(nil))
		p.Set(name, "acs:ram::1000000000000001:role/brief")
		if got := s.call(t, client, p); got.status != 400 || got.Code != "SignatureDoesNotMatch" {
			t.Errorf("%s changed: %+v", name, got)
		}
	}
	if n := len(s.Issued(0)); n != 1 {
		t.Errorf("%d issued", n)
	}
	if log := s.Requests(1); len(log) != 1 || log[0].Code != "SignatureDoesNotMatch" || log[0].Operation != "AssumeRole" {
		t.Errorf("%+v", log)
	}
}

// TestSTSByGetAndXML: the API takes GET too, and writes XML unless it is asked for JSON.
func TestSTSByGetAndXML(t *testing.T) {
	t.Parallel()
	s := newSTS(t, STSOptions{})
	client := stsClient(t, s.CAPEM())
	for role, want := range map[string]string{DefaultRole: "AssumeRoleResponse", DeniedRole: "Error"} {
		p := signSTS("GET", DefaultKey, assume(map[string]string{"Format": "-", "RoleArn": Role{Name: role, Account: DefaultAccount}.ARN()}))
		resp, err := client.Get(s.URL() + "?" + p.Encode())
		must(t, err)
		var got struct {
			XMLName   xml.Name
			RequestId string
		}
		must(t, xml.NewDecoder(resp.Body).Decode(&got))
		resp.Body.Close()
		if got.XMLName.Local != want || got.RequestId == "" {
			t.Errorf("%s: %+v", role, got)
		}
	}
}

// TestTokensAtOSS follows a token through its life at a stand-in that shares the registry.
func TestTokensAtOSS(t *testing.T) {
	t.Parallel()
	s := newSTS(t, STSOptions{Roles: []Role{{Name: DefaultRole, Life: 1500 * time.Millisecond}}})
	o, err := StartOSS(t.Context(), OSSOptions{Addr: "127.0.0.1:0", Dir: t.TempDir(), Tokens: s.Tokens()})
	must(t, err)
	t.Cleanup(func() { _ = o.Close() })
	stranger, err := StartOSS(t.Context(), OSSOptions{Addr: "127.0.0.1:0", Dir: t.TempDir()})
	must(t, err)
	t.Cleanup(func() { _ = stranger.Close() })
	client := stsClient(t, s.CAPEM())
	issue := func() stsCredentials { return s.call(t, client, signSTS("POST", DefaultKey, assume(nil))).Credentials }
	put := func(url string, c stsCredentials) string {
		sdk, err := oss.New(url, c.AccessKeyID, c.AccessKeySecret, oss.SecurityToken(c.SecurityToken), oss.ForcePathStyle(true))
		must(t, err)
		bucket, err := sdk.Bucket(DefaultBucket)
		must(t, err)
		var se oss.ServiceError
		if err := bucket.PutObject("k", strings.NewReader("v")); err != nil {
			se, _ = err.(oss.ServiceError)
			return se.Code
		}
		return "ok"
	}
	c := issue()
	if got := put(o.URL(), c); got != "ok" {
		t.Errorf("new: %s", got)
	}
	if got := put(stranger.URL(), c); got != "InvalidAccessKeyId" {
		t.Errorf("at another cloud's: %s", got)
	}
	wrong := c
	wrong.SecurityToken += "x"
	if got := put(o.URL(), wrong); got != "InvalidSecurityToken" {
		t.Errorf("another token: %s", got)
	}
	eventually(t, "the token expires", func() bool { return put(o.URL(), c) == "SecurityTokenExpired" })
	c = issue()
	if got := put(o.URL(), c); got != "ok" {
		t.Errorf("renewed: %s", got)
	}
	s.Tokens().Expire()
	if got := put(o.URL(), c); got != "SecurityTokenExpired" {
		t.Errorf("ended: %s", got)
	}
	s.Tokens().Forget()
	if got := put(o.URL(), c); got != "InvalidAccessKeyId" {
		t.Errorf("forgotten: %s", got)
	}
}

func TestTokensAreForgottenInTheEnd(t *testing.T) {
	t.Parallel()
	var tokens Tokens
	tokens.Add(AccessKey{ID: "old", Secret: "s", Token: "t", Expires: time.Now().Add(-2 * tokenRemembered)})
	for range maxTokens + 5 {
		tokens.Add(AccessKey{ID: randomID(), Secret: "s", Token: "t", Expires: time.Now().Add(time.Hour)})
	}
	if _, known := tokens.get("old"); known || len(tokens.byID) != maxTokens || len(tokens.all) != maxTokens {
		t.Errorf("%d tokens", len(tokens.byID))
	}
}

// TestSTSAuthority: the authority is the folder's, signs for loopback only, and is made anew where it cannot be read.
func TestSTSAuthority(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := newSTS(t, STSOptions{Dir: dir})
	if _, err := StartSTS(t.Context(), STSOptions{Addr: "127.0.0.1:0", Dir: dir}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("two on one folder: %v", err)
	}
	must(t, first.Close())
	second := newSTS(t, STSOptions{Dir: dir})
	if got := second.call(t, stsClient(t, first.CAPEM()), signSTS("POST", DefaultKey, assume(nil))); got.status != 200 {
		t.Errorf("after a restart: %+v", got)
	}
	file := filepath.Join(dir, "ca.pem")
	info, err := os.Stat(file)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("its key is readable: %v", info.Mode())
	}
	a, err := openAuthority(dir, second.log)
	must(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(a.certified)
	for name, ok := range map[string]bool{"127.0.0.1": true, "::1": true, "localhost": true, "10.0.0.1": false, "oss-cn-hangzhou.aliyuncs.com": false} {
		if _, err := newLeaf(t, a, name).Verify(x509.VerifyOptions{Roots: roots}); (err == nil) != ok {
			t.Errorf("a certificate of %s: %v", name, err)
		}
	}
	must(t, second.Close())
	must(t, os.WriteFile(file, []byte("nonsense"), 0o600))
	third := newSTS(t, STSOptions{Dir: dir})
	if got := third.call(t, stsClient(t, third.CAPEM()), signSTS("POST", DefaultKey, assume(nil))); got.status != 200 || string(third.CAPEM()) == string(first.CAPEM()) {
		t.Errorf("after the file was spoilt: %+v", got)
	}
	pool, err := third.Roots()
	must(t, err)
	if system, err := x509.SystemCertPool(); err != nil || pool.Equal(system) {
		t.Errorf("the roots hold no more than the system's (%v)", err)
	}
}

func TestSTSFaults(t *testing.T) {
	t.Parallel()
	s := newSTS(t, STSOptions{})
	client := stsClient(t, s.CAPEM())
	must(t, s.Faults.Set(Fault{Operation: "AssumeRole", KeyPrefix: DefaultRole, Rate: 1, Status: 503, Code: "ServiceUnavailable", Max: 1},
		Fault{Operation: "*", Rate: 1, Status: 500, AfterStoring: true, Max: 1},
		Fault{Operation: "*", Rate: 1, SkewSeconds: 3600, Max: 1}))
	for i, want := range []string{"ServiceUnavailable", "InternalError", "InvalidTimeStamp.Expired", ""} {
		if got := s.call(t, client, signSTS("POST", DefaultKey, assume(nil))); got.Code != want {
			t.Errorf("request %d: %+v", i, got)
		}
	}
	if n := s.Stats().Issued; n != 2 {
		t.Errorf("%d issued; an answer that is lost was issued all the same", n)
	}
	for _, cut := range []string{CutBefore, CutAfter} {
		must(t, s.Faults.Set(Fault{Operation: "*", Rate: 1, Cut: cut, Max: 1}))
		if resp, err := client.PostForm(s.URL(), signSTS("POST", DefaultKey, assume(nil))); err == nil {
			resp.Body.Close()
			t.Errorf("cut %s: answered %d", cut, resp.StatusCode)
		}
	}
	if n := s.Stats().Issued; n != 3 {
		t.Errorf("%d issued", n)
	}
}

// newLeaf signs a certificate of any name, as one who has the authority's key could.
func newLeaf(t *testing.T, a *authority, name string) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	if ip := net.ParseIP(name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certified, &key.PublicKey, a.key)
	must(t, err)
	leaf, err := x509.ParseCertificate(der)
	must(t, err)
	return leaf
}
