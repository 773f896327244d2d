package fc

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	openapiutil "github.com/alibabacloud-go/darabonba-openapi/v2/utils"
	sdk3 "github.com/alibabacloud-go/fc-20230330/v4/client"
	"github.com/alibabacloud-go/tea/dara"
	sdk2 "github.com/aliyun/fc-go-sdk"

	"github.com/sluice-io/sluice/runner/aliyun"
	"github.com/sluice-io/sluice/runner/connector"
)

// seen is a request as a server gets it.
type seen struct {
	method, uri, host, body string
	header                  http.Header
}

// recorder is a server that notes the last request.
func recorder(t *testing.T) (url string, last func() seen) {
	t.Helper()
	var mu sync.Mutex
	var got seen
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		got = seen{r.Method, r.RequestURI, r.Host, string(body), r.Header.Clone()}
		mu.Unlock()
		_, _ = io.WriteString(w, `{"functionName":"f"}`)
	}))
	t.Cleanup(server.Close)
	return server.URL, func() seen { mu.Lock(); defer mu.Unlock(); return got }
}

// own makes our client's request with the SDK's date and nonce.
func own(t *testing.T, c *client, k call, cred aliyun.Credentials, theirs seen) http.Header {
	t.Helper()
	s := signer{account: c.account, host: c.base.Host, v3: c.v3()}
	into := newShot()
	if s.v3 {
		when, err := time.Parse(acsTime, theirs.header.Get("X-Acs-Date"))
		if err != nil {
			t.Fatal(err)
		}
		k.now = when
		s.into = into
		s.acs3With(&k, cred, theirs.header.Get("X-Acs-Signature-Nonce"))
		return into.header
	}
	when, err := http.ParseTime(theirs.header.Get("Date"))
	if err != nil {
		t.Fatal(err)
	}
	k.now = when
	s.sign(into, &k, cred)
	return into.header
}

// TestSignsAsTheSDKOf2 compares requests of fc-go-sdk with ours: the same URI, the same
// headers of the service's, the same signature.
func TestSignsAsTheSDKOf2(t *testing.T) {
	t.Parallel()
	url, last := recorder(t)
	cred := aliyun.Credentials{AccessKeyID: testKey, AccessKeySecret: testSecret}
	for _, c := range []struct {
		name, qualifier, account, token string
		make                            func(*sdk2.InvokeFunctionInput) *sdk2.InvokeFunctionInput
		kind, id                        string
		tail                            bool
	}{
		{"sync", "", "", "", (*sdk2.InvokeFunctionInput).WithSyncInvocation, "Sync", "", false},
		{"async with ID", "prod", "123", "", func(i *sdk2.InvokeFunctionInput) *sdk2.InvokeFunctionInput {
			return i.WithStatefulAsyncInvocationID("s_abc")
		}, "Async", "s_abc", false},
		{"token and log", "7", "123", "a-token", func(i *sdk2.InvokeFunctionInput) *sdk2.InvokeFunctionInput {
			return i.WithSyncInvocation().WithLogType("Tail")
		}, "Sync", "", true},
	} {
		theirs, err := sdk2.NewClient(url, "2016-08-15", testKey, testSecret, sdk2.WithAccountID(c.account), sdk2.WithSecurityToken(c.token))
		if err != nil {
			t.Fatal(err)
		}
		in := c.make(sdk2.NewInvokeFunctionInput("svc", "fn").WithPayload([]byte(`[{"a":1}]`)))
		if c.qualifier != "" {
			in = in.WithQualifier(c.qualifier)
		}
		if _, err := theirs.InvokeFunction(in); err != nil {
			t.Fatal(err)
		}
		got := last()
		ours := testClient(t, connector.Config{keyEndpoint: url, keyService: "svc", keyFunction: "fn", keyQualifier: c.qualifier, keyAccount: c.account})
		cred.SecurityToken = c.token
		k := ours.invocation([]byte(`[{"a":1}]`), c.kind)
		k.id, k.tail = c.id, c.tail
		h := own(t, ours, k, cred, got)
		if got.uri != k.path || got.body != string(k.body) || got.method != k.method {
			t.Errorf("%s: %s %s, want %s %s", c.name, k.method, k.path, got.method, got.uri)
		}
		compare(t, c.name, h, got.header, "X-Fc-", "Content-", "Authorization", "Date")

		if _, err := theirs.GetFunction(sdk2.NewGetFunctionInput("svc", "fn")); err != nil {
			t.Fatal(err)
		}
		got = last()
		ours.qualifier = ""
		h = own(t, ours, call{method: http.MethodGet, path: ours.functionPath("")}, cred, got)
		if got.uri != ours.functionPath("") {
			t.Errorf("%s: GET %s, want %s", c.name, ours.functionPath(""), got.uri)
		}
		compare(t, c.name+", GET", h, got.header, "X-Fc-", "Authorization", "Date")
	}
}

// TestSignsAsTheSDKOf3 does the same with the SDK of Function Compute 3.0.
func TestSignsAsTheSDKOf3(t *testing.T) {
	t.Parallel()
	url, last := recorder(t)
	host := strings.TrimPrefix(url, "http://")
	for _, c := range []struct {
		name, function, qualifier, token, kind, id string
	}{
		{"sync", "fn", "", "", "Sync", ""},
		{"async with ID", "svc$fn", "prod", "", "Async", "s_abc"},
		{"token", "fn", "7", "a-token", "Sync", ""},
	} {
		theirs, err := sdk3.NewClient(&openapiutil.Config{AccessKeyId: dara.String(testKey), AccessKeySecret: dara.String(testSecret), SecurityToken: token(c.token),
			Endpoint: dara.String(host), Protocol: dara.String("http")})
		if err != nil {
			t.Fatal(err)
		}
		request := &sdk3.InvokeFunctionRequest{Body: strings.NewReader(`[{"a":1}]`)}
		if c.qualifier != "" {
			request.Qualifier = dara.String(c.qualifier)
		}
		headers := &sdk3.InvokeFunctionHeaders{XFcInvocationType: dara.String(c.kind)}
		if c.id != "" {
			headers.XFcAsyncTaskId = dara.String(c.id)
		}
		if _, err := theirs.InvokeFunctionWithOptions(dara.String(c.function), request, headers, &dara.RuntimeOptions{}); err != nil {
			t.Fatal(err)
		}
		got := last()
		ours := testClient(t, connector.Config{keyEndpoint: url, keyFunction: c.function, keyQualifier: c.qualifier})
		k := ours.invocation([]byte(`[{"a":1}]`), c.kind)
		k.id = c.id
		uri := k.path
		if k.query != "" {
			uri += "?" + k.query
		}
		if got.uri != uri || got.body != string(k.body) || got.method != k.method {
			t.Errorf("%s: %s %s, want %s %s", c.name, k.method, uri, got.method, got.uri)
		}
		// The SDK also signs where its credentials come from; the server goes by what is listed.
		provider := got.header.Get("X-Acs-Credentials-Provider")
		got.header.Del("X-Acs-Credentials-Provider")
		h := own(t, ours, k, aliyun.Credentials{AccessKeyID: testKey, AccessKeySecret: testSecret, SecurityToken: c.token}, got)
		if provider == "" {
			compare(t, c.name, h, got.header, "X-Acs-", "Content-Type", "Authorization")
		} else {
			compare(t, c.name, h, got.header, "X-Acs-", "Content-Type")
		}
		if got.header.Get("X-Fc-Invocation-Type") != k.kind || got.header.Get("X-Fc-Async-Task-Id") != k.id {
			t.Errorf("%s: the SDK sends other x-fc-* headers: %v", c.name, got.header)
		}
	}
}

func token(s string) *string {
	if s == "" {
		return nil
	}
	return dara.String(s)
}

func testClient(t *testing.T, cfg connector.Config) *client {
	t.Helper()
	c, err := newClient(cfg, connector.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// compare wants the headers that begin so to be the same in both.
func compare(t *testing.T, name string, ours, theirs http.Header, prefixes ...string) {
	t.Helper()
	for _, pair := range []struct {
		who  string
		a, b http.Header
	}{{"we", ours, theirs}, {"the SDK", theirs, ours}} {
		for k := range pair.a {
			for _, p := range prefixes {
				if strings.HasPrefix(k, p) && k != "Content-Length" && pair.a.Get(k) != pair.b.Get(k) {
					t.Errorf("%s: %s send %s: %q, the other %q", name, pair.who, k, pair.a.Get(k), pair.b.Get(k))
				}
			}
		}
	}
}
