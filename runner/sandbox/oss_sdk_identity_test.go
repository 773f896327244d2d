package sandbox

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"
)

func TestSDKIdentity(t *testing.T) {
	t.Parallel()
	o := startOSS(t, OSSOptions{})
	must(t, o.AddKey(AccessKey{ID: "STS.live", Secret: "s", Token: "token+/=", Expires: time.Now().Add(time.Hour)}))
	must(t, o.AddKey(AccessKey{ID: "STS.old", Secret: "s", Token: "t", Expires: time.Now().Add(-time.Second)}))
	for version, options := range map[string][]oss.ClientOption{"v1": nil, "v4": {oss.AuthVersion(oss.AuthV4), oss.Region("x")}} {
		for _, c := range []struct{ name, id, secret, token, code string }{
			{"good", DefaultKey, DefaultKey, "", ""},
			{"unknown key", "nobody", DefaultKey, "", "InvalidAccessKeyId"},
			{"wrong secret", DefaultKey, "wrong", "", "SignatureDoesNotMatch"},
			{"token", "STS.live", "s", "token+/=", ""},
			{"wrong token", "STS.live", "s", "other", "InvalidSecurityToken"},
			{"no token", "STS.live", "s", "", "InvalidAccessKeyId"},
			{"token for a long-term key", DefaultKey, DefaultKey, "t", "InvalidAccessKeyId"},
			{"expired token", "STS.old", "s", "t", "SecurityTokenExpired"},
		} {
			t.Run(version+" "+c.name, func(t *testing.T) {
				t.Parallel()
				client, err := oss.New(o.URL(), c.id, c.secret, append(slices.Clone(options), oss.SecurityToken(c.token))...)
				must(t, err)
				bucket, _ := client.Bucket(DefaultBucket)
				err = bucket.PutObject("who/"+version+c.name, strings.NewReader("x"))
				if c.code == "" {
					must(t, err)
					signed, err := bucket.SignURL("who/"+version+c.name, oss.HTTPGet, 60)
					must(t, err)
					r, err := bucket.GetObjectWithURL(signed)
					if got := string(readAll(t, r, err)); got != "x" {
						t.Errorf("by signed URL: %q", got)
					}
					_, err = bucket.GetObjectWithURL(signed + "&versionId=1")
					wantCode(t, err, 403, "SignatureDoesNotMatch")
					return
				}
				wantCode(t, err, 403, c.code)
				_, err = bucket.GetObjectDetailedMeta("who")
				wantCode(t, err, 403, c.code)
			})
		}
	}
}

func TestSDKClock(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		off  time.Duration
		code string
	}{{14 * time.Minute, ""}, {-14 * time.Minute, ""}, {16 * time.Minute, "RequestTimeTooSkewed"}, {-16 * time.Minute, "RequestTimeTooSkewed"}} {
		o := startOSS(t, OSSOptions{Now: func() time.Time { return time.Now().Add(c.off) }})
		for _, options := range [][]oss.ClientOption{nil, {oss.AuthVersion(oss.AuthV4), oss.Region("x")}} {
			err := sdkBucket(t, o, options...).PutObject("o", strings.NewReader("x"))
			if c.code == "" {
				must(t, err)
				continue
			}
			wantCode(t, err, 403, c.code)
		}
	}
	o := startOSS(t, OSSOptions{Region: "cn-hangzhou"})
	err := sdkBucket(t, o, oss.AuthVersion(oss.AuthV4), oss.Region("cn-beijing")).PutObject("o", strings.NewReader("x"))
	wantCode(t, err, 400, "InvalidArgument")
}

func TestVirtualHostStyle(t *testing.T) {
	t.Parallel()
	o := startOSS(t, OSSOptions{Domains: []string{"oss.example.test"}})
	dial := &http.Client{Transport: &http.Transport{Proxy: nil, DialContext: toAddr(o.listener.Addr().String())}}
	for _, endpoint := range []string{"http://oss.example.test", "http://localhost:1234", "http://oss-cn-hangzhou.aliyuncs.com"} {
		for _, options := range [][]oss.ClientOption{{oss.HTTPClient(dial)}, {oss.HTTPClient(dial), oss.AuthVersion(oss.AuthV4), oss.Region("x")}} {
			client, err := oss.New(endpoint, DefaultKey, DefaultKey, options...)
			must(t, err)
			bucket, _ := client.Bucket(DefaultBucket)
			must(t, bucket.PutObject("a/b c", strings.NewReader(endpoint)))
			r, err := bucket.GetObject("a/b c")
			if got := string(readAll(t, r, err)); got != endpoint {
				t.Errorf("%s: read %q", endpoint, got)
			}
		}
	}
}
