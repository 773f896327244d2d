package fc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner/aliyun"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/egress"
)

// TestCauses has a row for each documented answer: its cause, what became of the
// records, and what a page shows.
func TestCauses(t *testing.T) {
	t.Parallel()
	const (
		kept      = "kept"      // the position waits, or the connector fails: nothing is refused, nothing delivered
		refused   = "refused"   // every record of the batch goes to the abnormal data topic
		delivered = "delivered" // the batch counts as taken
	)
	access, secret, auth := aliyun.KeyAccessKeyID, aliyun.KeyAccessSecret, aliyun.KeyAuth
	for _, c := range []struct {
		mode    string
		status  int
		code    string
		errType string
		cause   connector.Cause // "" of what is taken
		became  string
		field   string
		shown   string
	}{
		{"sync", 200, "", "", "", delivered, "", ""},
		{"async", 202, "", "", "", delivered, "", ""},
		{"sync", 200, "", "UnhandledInvocationError", connector.CauseRecord, refused, "", "the function failed (UnhandledInvocationError)"},
		{"sync", 200, "", "HandledInvocationError", connector.CauseRecord, refused, "", "the function failed (HandledInvocationError)"},
		{"sync", 413, "EntityTooLarge", "", connector.CauseRecord, refused, "", "413 EntityTooLarge: why"},
		{"async", 400, "EntityTooLarge", "", connector.CauseRecord, refused, "", "400 EntityTooLarge: why"},
		{"async", 413, "RequestEntityTooLarge", "", connector.CauseRecord, refused, "", "413 RequestEntityTooLarge"},
		{"async", 409, "StatefulAsyncInvocationAlreadyExists", "", "", delivered, "", ""},
		{"async", 409, "", "", "", delivered, "", ""},
		{"async", 409, "ConcurrentUpdateError", "", connector.CauseAway, kept, "", "409 ConcurrentUpdateError"},
		{"sync", 409, "StatefulAsyncInvocationAlreadyExists", "", connector.CauseAway, kept, "", "409 "},
		{"async", 429, "ResourceThrottled", "", connector.CauseAway, kept, "", "429 ResourceThrottled: why"},
		{"sync", 429, "ResourceExhausted", "", connector.CauseAway, kept, "", "429 ResourceExhausted"},
		{"sync", 499, "ClientClosedRequest", "", connector.CauseAway, kept, "", "499 ClientClosedRequest"},
		{"sync", 408, "", "", connector.CauseAway, kept, "", "408 Request Timeout"},
		{"sync", 500, "InternalServerError", "", connector.CauseAway, kept, "", "500 InternalServerError: why"},
		{"async", 502, "", "", connector.CauseAway, kept, "", "502 Bad Gateway"},
		{"async", 503, "ServiceUnavailable", "", connector.CauseAway, kept, "", "503 ServiceUnavailable"},
		{"sync", 504, "", "", connector.CauseAway, kept, "", "504 Gateway Timeout"},
		{"async", 301, "", "", connector.CauseWrong, kept, keyEndpoint, "301 Moved Permanently"},
		{"sync", 307, "", "", connector.CauseWrong, kept, keyEndpoint, "307 Temporary Redirect"},
		{"sync", 308, "", "", connector.CauseWrong, kept, keyEndpoint, "308 Permanent Redirect"},
		{"async", 400, "InvalidArgument", "", connector.CauseWrong, kept, "", "400 InvalidArgument: why"},
		{"async", 400, "MissingRequiredHeader", "", connector.CauseWrong, kept, "", "400 MissingRequiredHeader"},
		{"sync", 401, "", "", connector.CauseWrong, kept, access, "401 Unauthorized"},
		{"sync", 403, "AccessDenied", "", connector.CauseWrong, kept, access, "403 AccessDenied: why"},
		{"sync", 403, "SignatureNotMatch", "", connector.CauseWrong, kept, secret, "403 SignatureNotMatch"},
		{"sync", 400, "SignatureDoesNotMatch", "", connector.CauseWrong, kept, secret, "400 SignatureDoesNotMatch"},
		{"sync", 403, "InvalidAccessKeyID", "", connector.CauseWrong, kept, access, "403 InvalidAccessKeyID"},
		{"async", 404, "InvalidAccessKeyId.NotFound", "", connector.CauseWrong, kept, access, "404 InvalidAccessKeyId.NotFound"},
		{"sync", 403, "InvalidSecurityToken", "", connector.CauseWrong, kept, auth, "403 InvalidSecurityToken"},
		{"sync", 403, "SecurityTokenExpired", "", connector.CauseWrong, kept, auth, "403 SecurityTokenExpired"},
		{"sync", 403, "RequestTimeTooSkewed", "", connector.CauseAway, kept, "", "403 RequestTimeTooSkewed"},
		{"async", 404, "ServiceNotFound", "", connector.CauseWrong, kept, keyService, "404 ServiceNotFound: why"},
		{"async", 404, "FunctionNotFound", "", connector.CauseWrong, kept, keyFunction, "404 FunctionNotFound"},
		{"async", 404, "VersionNotFound", "", connector.CauseWrong, kept, keyQualifier, "404 VersionNotFound"},
		{"async", 404, "AliasNotFound", "", connector.CauseWrong, kept, keyQualifier, "404 AliasNotFound"},
		{"async", 404, "", "", connector.CauseWrong, kept, keyFunction, "404 Not Found"},
		{"sync", 412, "CAExited", "", connector.CauseWrong, kept, keyFunction, "412 CAExited"},
		{"sync", 412, "CAFileNotFound", "", connector.CauseWrong, kept, keyFunction, "412 CAFileNotFound"},
		{"sync", 418, "", "", connector.CauseWrong, kept, "", "418 I'm a teapot"},
	} {
		for _, version := range []string{"2.0", "3.0"} {
			t.Run(fmt.Sprint(version, c.mode, c.status, c.code, c.errType), func(t *testing.T) {
				t.Parallel()
				change := connector.Config{keyMode: c.mode}
				if version == "3.0" {
					change[keyService] = ""
				}
				b := newBed(t, change)
				b.hook = func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
					if c.status >= 300 && c.status < 400 {
						w.Header().Set("Location", "http://127.0.0.1:1/elsewhere")
					}
					if c.errType != "" {
						w.Header().Set("X-Fc-Error-Type", c.errType)
					}
					w.WriteHeader(c.status)
					if c.code != "" {
						form := `{"ErrorCode":%q,"ErrorMessage":"why"}`
						if version == "3.0" {
							form = `{"RequestId":"r","Code":%q,"Message":"why"}`
						}
						_, _ = fmt.Fprintf(w, form, c.code)
					}
					return true
				}
				chunk, _ := fill(t, b.sink(t), nil, records(10, 5)...)
				got, err := chunk.Publish(t.Context(), free)
				became := delivered
				cause := connector.Cause("")
				switch {
				case err != nil:
					became, cause = kept, connector.CauseOf(err)
				case len(got) == 5:
					became, cause, err = refused, connector.CauseRecord, got[0].Err
				case len(got) > 0:
					t.Fatalf("refused %v", offsetsOf(got))
				}
				if cause != c.cause || became != c.became {
					t.Fatalf("cause %q, %s; want %q, %s (%v)", cause, became, c.cause, c.became, err)
				}
				if err == nil {
					return
				}
				if shown := connector.Brief(err); !strings.Contains(shown, c.shown) {
					t.Errorf("shown %q, want %q in it", shown, c.shown)
				}
				var w *connector.WrongError
				if errors.As(err, &w) && (w.Field != c.field || w.Remedy == "") {
					t.Errorf("field %q, want %q; remedy %q", w.Field, c.field, w.Remedy)
				}
			})
		}
	}
}

// TestClocksThatDiffer: once passes, again and again does not.
func TestClocksThatDiffer(t *testing.T) {
	t.Parallel()
	for _, a := range []*answer{
		{status: 403, code: "RequestTimeTooSkewed"},
		{status: 403, code: "AccessDenied", skew: time.Hour},
		{status: 403, code: "AccessDenied", skew: -time.Hour},
	} {
		k := &classifier{}
		for range skewLimit {
			if err := k.refused("x", a); connector.CauseOf(err) != connector.CauseAway {
				t.Fatal(err)
			}
		}
		var wrong *connector.WrongError
		if err := k.refused("x", a); !errors.As(err, &wrong) || !strings.Contains(wrong.Remedy, "clock") {
			t.Errorf("%+v: %v", a, err)
		}
	}
}

// TestNoAnswer: what the network does is away, a rule of ours is wrong.
func TestNoAnswer(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	for want, dial := range map[connector.Cause]error{
		connector.CauseAway:  errors.New("connection refused"),
		connector.CauseWrong: &egress.Refused{Address: "8.8.8.8:443", Rule: "public", Remedy: "Enable Internet access."},
	} {
		b.deps.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, dial }
		c, _ := fill(t, b.sink(t), nil, records(10, 5)...)
		_, err := c.Publish(t.Context(), free)
		if connector.CauseOf(err) != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// provider renews what is refused, once.
type provider struct {
	now, next aliyun.Credentials
	asked     int
}

func (p *provider) Credentials(context.Context) (aliyun.Credentials, error) {
	p.asked++
	return p.now, nil
}

func (p *provider) Refused(c aliyun.Credentials) bool {
	if c != p.now || p.next == p.now {
		return false
	}
	p.now = p.next
	return true
}

// TestExpiredTokenIsRenewed: an expiry in the middle of a run costs one more request,
// before which the guard is asked again.
func TestExpiredTokenIsRenewed(t *testing.T) {
	t.Parallel()
	for _, version := range []connector.Config{{}, {keyService: ""}} {
		b := newBed(t, version)
		b.hook = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
			if r.Header.Get("X-Fc-Security-Token")+r.Header.Get("X-Acs-Security-Token") == "fresh" {
				return false
			}
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"ErrorCode":"SecurityTokenExpired","Code":"SecurityTokenExpired"}`)
			return true
		}
		s := b.sink(t)
		old := aliyun.Credentials{AccessKeyID: testKey, AccessKeySecret: testSecret, SecurityToken: "stale"}
		fresh := old
		fresh.SecurityToken = "fresh"
		s.client.creds = &provider{now: old, next: fresh}
		c, _ := fill(t, s, nil, records(10, 30)...)
		asked := 0
		if _, err := c.Publish(t.Context(), func() error { asked++; return nil }); err != nil {
			t.Fatal(err)
		}
		if len(b.offsets("orders", 1, false)) != 30 || asked != 3 {
			t.Errorf("%d delivered, the guard was asked %d times", len(b.offsets("orders", 1, false)), asked)
		}
	}
}

// TestUnknownTokenPassesForAWhile: what a role was issued takes a moment to be known.
func TestUnknownTokenPassesForAWhile(t *testing.T) {
	t.Parallel()
	k := &classifier{identity: aliyun.Identity{Who: "the role r", Temporary: true, Field: aliyun.KeyRoleARN}}
	a := &answer{status: 403, code: "InvalidSecurityToken"}
	if err := k.refused("x", a); connector.CauseOf(err) != connector.CauseAway {
		t.Error(err)
	}
	k.unknown.Store(1)
	var w *connector.WrongError
	if err := k.refused("x", a); !errors.As(err, &w) || !strings.Contains(w.Remedy, "the role r") {
		t.Error(err)
	}
	if err := k.refused("x", &answer{status: 403, code: "AccessDenied"}); !errors.As(err, &w) || w.Field != aliyun.KeyRoleARN || !strings.Contains(w.Remedy, "fc:InvokeFunction") {
		t.Error(err)
	}
}
