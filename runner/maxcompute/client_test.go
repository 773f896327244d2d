package maxcompute

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/sluice-io/sluice/runner/aliyun"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/egress"
)

// issuer gives another pair after each refusal, as long as there are some.
type issuer struct {
	mu    sync.Mutex
	pairs []aliyun.Credentials
}

func (i *issuer) Credentials(context.Context) (aliyun.Credentials, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.pairs[0], nil
}

func (i *issuer) Refused(aliyun.Credentials) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.pairs) == 1 {
		return false
	}
	i.pairs = i.pairs[1:]
	return true
}

// TestRefusedCredentials: a request whose token is refused is made once more with another,
// body and all, and not a third time.
func TestRefusedCredentials(t *testing.T) {
	t.Parallel()
	for tokens, want := range map[string]string{"new": "200", "old new": "401 200", "old old new": "401 401", "old": "401"} {
		var answers, bodies []string
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var body strings.Builder
			buffer := make([]byte, 100)
			for {
				n, err := r.Body.Read(buffer)
				body.Write(buffer[:n])
				if err != nil {
					break
				}
			}
			bodies = append(bodies, body.String())
			if r.Header.Get("authorization-sts-token") != "new" {
				answers = append(answers, "401")
				w.WriteHeader(http.StatusUnauthorized)
				_, _ = w.Write([]byte(`{"Code":"Unauthorized","Message":"expired"}`)) // the client tells
				return
			}
			answers = append(answers, "200")
		}))
		cfg := connector.Config{keyEndpoint: server.URL, keyTunnel: server.URL, keyProject: "p", keyTable: "t"}
		c, err := newClient(cfg, connector.Deps{Dial: (&net.Dialer{}).DialContext})
		if err != nil {
			t.Fatal(err)
		}
		provider := &issuer{}
		for token := range strings.FieldsSeq(tokens) {
			provider.pairs = append(provider.pairs, aliyun.Credentials{AccessKeyID: "id", AccessKeySecret: "secret", SecurityToken: token})
		}
		c.creds = provider
		err = c.putBlock(t.Context(), place{"p", "", "t"}, "pt", "id", 0, &body{segments: [][]byte{[]byte("some"), nil, []byte("thing")}, length: 9})
		c.close()
		server.Close()
		if got := strings.Join(answers, " "); got != want || (err == nil) != strings.HasSuffix(want, "200") {
			t.Errorf("%s: answers %s, want %s; %v", tokens, got, want, err)
		}
		for _, b := range bodies {
			if b != "something" {
				t.Errorf("%s: a body of %q", tokens, b)
			}
		}
	}
}

// TestRefusedAddressNamesItsField: the address of the Tunnel half is another field's than
// that of the REST half.
func TestRefusedAddressNamesItsField(t *testing.T) {
	t.Parallel()
	cfg := connector.Config{keyEndpoint: "http://127.0.0.1:1/api", keyTunnel: "http://127.0.0.1:2", keyProject: "p", keyTable: "t", aliyun.KeyAccessKeyID: "id", aliyun.KeyAccessSecret: "secret"}
	c, err := newClient(cfg, connector.Deps{Dial: func(_ context.Context, _, address string) (net.Conn, error) {
		return nil, &egress.Refused{Address: address}
	}})
	if err != nil {
		t.Fatal(err)
	}
	for tunnel, want := range map[bool]string{false: keyEndpoint, true: keyTunnel} {
		_, err := c.do(t.Context(), call{doing: "asking", method: http.MethodGet, tunnel: tunnel, path: "/"})
		var wrong *connector.WrongError
		if !errors.As(err, &wrong) || wrong.Field != want {
			t.Errorf("tunnel %v: %v, want field %s", tunnel, err, want)
		}
	}
}

// TestEndpoints is the table of endpoints and of the regions that signatures name.
func TestEndpoints(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"https://service.cn-hangzhou.maxcompute.aliyun.com/api": "https://service.cn-hangzhou.maxcompute.aliyun.com/api", "service.cn-hangzhou.maxcompute.aliyun.com": "https://service.cn-hangzhou.maxcompute.aliyun.com/api",
		"http://127.0.0.1:19102/api/": "http://127.0.0.1:19102/api", "http://127.0.0.1:19102": "http://127.0.0.1:19102/api",
		"": "", "http://h/other": "", "http://h/api?x=1": "", "ftp://h/api": "", "http://u:p@h/api": "",
	} {
		u, err := parseEndpoint(given)
		if (err == nil) != (want != "") || err == nil && u.String() != want {
			t.Errorf("%q: %v, %v; want %q", given, u, err, want)
		}
	}
	for host, want := range map[string]string{"service.cn-hangzhou.maxcompute.aliyun.com": "cn-hangzhou", "service.cn-beijing-vpc.maxcompute.aliyun-inc.com": "cn-beijing", "127.0.0.1": "", "service.example.com": ""} {
		if got := signingRegion(connector.Config{keyRegion: "self-hosted"}, host); got != want {
			t.Errorf("%s: region %q, want %q", host, got, want)
		}
	}
	if got := signingRegion(connector.Config{keyRegion: "cn-shanghai"}, "127.0.0.1"); got != "cn-shanghai" {
		t.Errorf("region %q", got)
	}
}
