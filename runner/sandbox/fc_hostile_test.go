package sandbox

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// signFC signs as the documentation of 2.0 says, with the sandbox's key; it shares no code with the stand-in.
func signFC(r *http.Request) {
	text := r.Method + "\n" + r.Header.Get("Content-MD5") + "\n" + r.Header.Get("Content-Type") + "\n" + r.Header.Get("Date") + "\n"
	for _, name := range []string{"x-fc-invocation-type", "x-fc-log-type", "x-fc-security-token", "x-fc-stateful-async-invocation-id"} { // in order
		if values := r.Header.Values(name); len(values) > 0 {
			text += name + ":" + values[0] + "\n"
		}
	}
	mac := hmac.New(sha256.New, []byte(DefaultKey))
	mac.Write([]byte(text + r.URL.EscapedPath()))
	r.Header.Set("Authorization", "FC "+DefaultKey+":"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}

func TestFCRefusesWhatIsWrong(t *testing.T) {
	t.Parallel()
	f := startFC(t, FCOptions{})
	const invoke = "/2016-08-15/services/sandbox/functions/echo/invocations"
	sum := md5.Sum([]byte("event"))
	for name, c := range map[string]struct {
		method, path string
		change       func(http.Header)
		unsigned     func(http.Header) // after signing
		status       int
		code         string
	}{
		"right":                      {status: 200},
		"MD5 in hexadecimal digits":  {change: func(h http.Header) { h.Set("Content-MD5", hex.EncodeToString(sum[:])) }, status: 200},
		"MD5 in base64":              {change: func(h http.Header) { h.Set("Content-MD5", base64.StdEncoding.EncodeToString(sum[:])) }, status: 200},
		"wrong MD5":                  {change: func(h http.Header) { h.Set("Content-MD5", strings.Repeat("0", 32)) }, status: 400, code: "InvalidArgument"},
		"no signature":               {unsigned: func(h http.Header) { h.Del("Authorization") }, status: 400, code: "MissingRequiredHeader"},
		"another scheme":             {unsigned: func(h http.Header) { h.Set("Authorization", "Basic eDp4") }, status: 400, code: "MissingRequiredHeader"},
		"no secret":                  {unsigned: func(h http.Header) { h.Set("Authorization", "FC sandbox:") }, status: 400, code: "MissingRequiredHeader"},
		"no date":                    {change: func(h http.Header) { h.Del("Date") }, status: 400, code: "MissingRequiredHeader"},
		"an old date":                {change: func(h http.Header) { h.Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat)) }, status: 403, code: "AccessDenied"},
		"a header after signing":     {unsigned: func(h http.Header) { h.Set("X-Fc-Invocation-Type", "Async") }, status: 403, code: "SignatureNotMatch"},
		"another content type":       {unsigned: func(h http.Header) { h.Set("Content-Type", "text/plain") }, status: 403, code: "SignatureNotMatch"},
		"an unknown path":            {path: "/2016-08-15/other", status: 400, code: "PathNotSupported"},
		"an unknown version":         {path: "/2015-01-01/services", status: 400, code: "PathNotSupported"},
		"the root":                   {path: "/", status: 400, code: "PathNotSupported"},
		"a path without end":         {path: "/2016-08-15" + strings.Repeat("/services", 2000), status: 400, code: "PathNotSupported"},
		"an unknown method":          {method: http.MethodPatch, status: 400, code: "PathNotSupported"},
		"a malformed query":          {path: invoke + "?%zz", status: 400, code: "InvalidArgument"},
		"a limit that is none":       {method: http.MethodGet, path: "/2016-08-15/services?limit=many", status: 400, code: "InvalidArgument"},
		"a service with no name":     {method: http.MethodGet, path: "/2016-08-15/services/.prod", status: 404, code: "ServiceNotFound"},
		"a name with a slash in it":  {method: http.MethodGet, path: "/2016-08-15/services/sandbox/functions/a%2Fb", status: 404, code: "FunctionNotFound"},
		"3.0 signed as 2.0":          {path: "/2023-03-30/functions/echo/invocations", status: 400, code: "MissingRequiredHeader"},
		"3.0 has no services":        {method: http.MethodGet, path: "/2023-03-30/services", status: 400, code: ""},
		"3.0 with half a credential": {path: "/2023-03-30/functions/echo/invocations", unsigned: func(h http.Header) { h.Set("Authorization", "ACS3-HMAC-SHA256 Credential=sandbox") }, status: 400, code: "MissingRequiredHeader"},
	} {
		method, path := c.method, c.path
		if method == "" {
			method = http.MethodPost
		}
		if path == "" {
			path = invoke
		}
		r, err := http.NewRequestWithContext(context.Background(), method, f.URL()+path, strings.NewReader("event"))
		must(t, err)
		r.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
		if c.change != nil {
			c.change(r.Header)
		}
		signFC(r)
		if c.unsigned != nil {
			c.unsigned(r.Header)
		}
		response, err := http.DefaultClient.Do(r)
		must(t, err)
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode != c.status || !strings.Contains(string(body), c.code) || response.Header.Get("X-Fc-Request-Id") == "" {
			t.Errorf("%s: %s %s, want %d %s", name, response.Status, body, c.status, c.code)
		}
	}
}

// TestFCRefusesUnsignedHeadersOf3: a header of the API that the signature leaves out is refused.
func TestFCRefusesUnsignedHeadersOf3(t *testing.T) {
	t.Parallel()
	f := startFC(t, FCOptions{})
	send := func(signed, body string, also ...string) int {
		sum := sha256.Sum256([]byte(body))
		at := time.Now().UTC().Format(time.RFC3339)
		host := strings.TrimPrefix(f.URL(), "http://")
		headers := map[string]string{"host": host, "x-acs-action": "InvokeFunction", "x-acs-version": fcVersion3, "x-acs-date": at, "x-acs-content-sha256": hex.EncodeToString(sum[:])}
		canonical := "POST\n/2023-03-30/functions/echo/invocations\n\n"
		for name := range strings.SplitSeq(signed, ";") {
			canonical += name + ":" + headers[name] + "\n"
		}
		hash := sha256.Sum256([]byte(canonical + "\n" + signed + "\n" + headers["x-acs-content-sha256"]))
		mac := hmac.New(sha256.New, []byte(DefaultKey))
		mac.Write([]byte("ACS3-HMAC-SHA256\n" + hex.EncodeToString(hash[:])))
		r, err := http.NewRequest(http.MethodPost, f.URL()+"/2023-03-30/functions/echo/invocations", strings.NewReader("event"))
		must(t, err)
		for name, value := range headers {
			if name != "host" {
				r.Header.Set(name, value)
			}
		}
		for _, name := range also {
			r.Header.Set(name, "x")
		}
		r.Header.Set("Authorization", fmt.Sprintf("ACS3-HMAC-SHA256 Credential=%s,SignedHeaders=%s,Signature=%s", DefaultKey, signed, hex.EncodeToString(mac.Sum(nil))))
		response, err := http.DefaultClient.Do(r)
		must(t, err)
		defer response.Body.Close()
		return response.StatusCode
	}
	const all = "host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-version"
	for name, got := range map[string][2]int{
		"right":               {send(all, "event"), 200},
		"an x-fc-* header":    {send(all, "event", "X-Fc-Log-Type"), 200}, // those are not signed in 3.0
		"another body":        {send(all, "other"), 403},
		"an unsigned x-acs-*": {send(all, "event", "X-Acs-Other"), 403},
		"without the host":    {send("x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-version", "event"), 400},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: answered %d, want %d", name, got[0], got[1])
		}
	}
}

// TestFCBodiesThatEnd: a body that is shorter than announced is refused and kept nowhere.
func TestFCBodiesThatEnd(t *testing.T) {
	t.Parallel()
	f := startFC(t, FCOptions{})
	r, err := http.NewRequest(http.MethodPost, f.URL()+"/2016-08-15/services/sandbox/functions/echo/invocations", strings.NewReader(strings.Repeat("x", 1000)))
	must(t, err)
	r.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	signFC(r)
	var wire strings.Builder
	must(t, r.Write(&wire))
	conn, err := net.Dial("tcp", strings.TrimPrefix(f.URL(), "http://"))
	must(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, wire.String()[:wire.Len()-10])
	must(t, err)
	must(t, conn.(*net.TCPConn).CloseWrite())
	answer, err := http.ReadResponse(bufio.NewReader(conn), r)
	if err == nil {
		defer answer.Body.Close()
		if answer.StatusCode != 400 {
			t.Errorf("answered %s", answer.Status)
		}
	}
	eventually(t, "the request is noted", func() bool { return f.Stats().Requests == 1 })
	if n := f.Stats().Invocations; n != 0 {
		t.Errorf("%d invocations", n)
	}
}
