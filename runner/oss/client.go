package oss

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"

	"github.com/sluice-io/sluice/runner/aliyun"
	"github.com/sluice-io/sluice/runner/connector"
)

const (
	// dialTimeout and headerTimeout bound what a dead endpoint can cost; a request's
	// body has time of its own by its size (requestTime).
	dialTimeout   = 10 * time.Second
	headerTimeout = 60 * time.Second
	// slowest is the slowest upload that is waited for, in bytes per second.
	slowest = 256 << 10
)

// client is one bucket at one endpoint, for one who signs.
type client struct {
	sdk      *oss.Client
	bucket   *oss.Bucket
	http     *http.Client
	endpoint string // as shown in messages
	provider aliyun.Provider
	signer   *signer
	classify *classifier
}

func newClient(cfg connector.Config, deps connector.Deps) (*client, error) {
	u, err := aliyun.EndpointURL(cfg.Get(keyEndpoint))
	if err != nil {
		return nil, &connector.WrongError{Field: keyEndpoint, Err: err, Remedy: "Correct " + keyEndpoint + "."}
	}
	hc := &http.Client{
		Transport: &http.Transport{
			DialContext:           aliyun.BulkDial(deps.Dial),
			TLSClientConfig:       &tls.Config{RootCAs: deps.Roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:   dialTimeout,
			ResponseHeaderTimeout: headerTimeout,
			MaxIdleConnsPerHost:   64,
			IdleConnTimeout:       30 * time.Second,
			DisableCompression:    true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	options := []oss.ClientOption{oss.HTTPClient(hc), oss.EnableCRC(false), oss.RedirectEnabled(false), oss.ForcePathStyle(pathStyle(u.Hostname()))}
	if region := signingRegion(cfg, u.Hostname()); region != "" {
		options = append(options, oss.AuthVersion(oss.AuthV4), oss.Region(region))
	}
	provider, err := aliyun.NewProvider(cfg, deps)
	if err != nil {
		return nil, err
	}
	sign := &signer{}
	sdk, err := oss.New(u.String(), "", "", append(options, oss.SetCredentialsProvider(sign))...)
	if err != nil {
		return nil, &connector.WrongError{Field: keyEndpoint, Err: fmt.Errorf("making the OSS client: %w", err), Remedy: "Correct " + keyEndpoint + "."}
	}
	c := &client{sdk: sdk, http: hc, endpoint: u.Host, provider: provider, signer: sign,
		classify: &classifier{endpoint: u.Host, bucket: cfg.Get(keyBucket), identity: aliyun.IdentityOf(cfg)}}
	if name := cfg.Get(keyBucket); name != "" {
		if c.bucket, err = sdk.Bucket(name); err != nil {
			return nil, &connector.WrongError{Field: keyBucket, Err: err, Remedy: "Correct " + keyBucket + "."}
		}
	}
	return c, nil
}

// pathStyle: OSS itself wants the bucket in the host name and refuses it in the path;
// an IP address or a host of one's own has no such names.
func pathStyle(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return !strings.HasSuffix(strings.ToLower(host), ".aliyuncs.com")
}

// signingRegion is the region that version 4 signatures name; "" means version 1.
func signingRegion(cfg connector.Config, host string) string {
	if r := cfg.Get(keyRegion); r != "self-hosted" && aliyun.IsCloudRegion(r) {
		return r
	}
	r, ok := strings.CutSuffix(strings.ToLower(host), ".aliyuncs.com")
	if !ok {
		return ""
	}
	r = strings.TrimSuffix(strings.TrimPrefix(r, "oss-"), "-internal")
	if aliyun.IsCloudRegion(r) {
		return r
	}
	return ""
}

func (c *client) close() { c.http.CloseIdleConnections() }

// requestTime bounds one request that sends n bytes.
func requestTime(n int64) time.Duration {
	return headerTimeout + time.Duration(n/slowest)*time.Second
}

// within gives a request its time.
func within(ctx context.Context, n int64) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, requestTime(n))
}

// dialOnly opens and closes a connection, for the checks.
func dialOnly(ctx context.Context, deps connector.Deps, address string) error {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	var conn net.Conn
	conn, err := deps.Dial(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}
