package oss

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"

	"github.com/sluice-io/sluice/runner/aliyun"
	"github.com/sluice-io/sluice/runner/connector"
)

// checkName is the object whose upload is begun and given up to prove the right to
// write; it never becomes visible.
const checkName = "sluice-write-check"

// check runs the live checks in order; after a failure those that depend on it are
// skipped.
func check(ctx context.Context, cfg connector.Config, deps connector.Deps, emit func(connector.Finding)) error {
	u, err := aliyun.EndpointURL(cfg.Get(keyEndpoint))
	if err != nil {
		return wrongField(keyEndpoint, err)
	}
	c, err := newClient(cfg, deps)
	if err != nil {
		return err
	}
	defer c.close()
	s := &sink{client: c, classify: c.classify}
	steps := []step{
		{"Endpoint name", func(ctx context.Context) (string, error) { return resolve(ctx, u.Hostname()) }},
		{"Connection", func(ctx context.Context) (string, error) {
			address := aliyun.HostPort(u)
			return "Connected to " + address + ".", s.classify.classify("connecting to "+address, dialOnly(ctx, deps, address))
		}},
		{"TLS", func(ctx context.Context) (string, error) {
			if u.Scheme == "http" {
				return "The endpoint is plain HTTP: objects and access key signatures travel unencrypted.", nil
			}
			return handshake(ctx, deps, aliyun.HostPort(u), u.Hostname())
		}},
		{aliyun.CheckName, func(ctx context.Context) (string, error) { return aliyun.CheckCredentials(ctx, cfg, c.provider) }},
		{"Bucket", s.checkBucket},
		{"Permission to write", s.checkWrite},
		{"Partition path", func(context.Context) (string, error) {
			_, err := newLayout(cfg)
			return "The pattern and the time zone are valid.", err
		}},
	}
	if !aliyun.IdentityOf(cfg).Temporary { // nothing to ask for
		steps = slices.DeleteFunc(steps, func(st step) bool { return st.name == aliyun.CheckName })
	}
	failed := false
	for _, st := range steps {
		if failed {
			emit(connector.Finding{Name: st.name, Status: connector.FindingSkipped, Detail: "Not tried, because a check before it failed."})
			continue
		}
		began := time.Now()
		detail, err := st.run(ctx)
		f := connector.Finding{Name: st.name, Status: connector.FindingOK, Detail: detail, Millis: time.Since(began).Milliseconds()}
		if err != nil {
			failed = true
			f.Status, f.Detail, f.Remedy = connector.FindingFailed, err.Error(), remedyOf(err)
		}
		emit(f)
	}
	return nil
}

// step is one live check; what it returns is what was found.
type step struct {
	name string
	run  func(context.Context) (string, error)
}

func remedyOf(err error) string {
	if remedy := connector.Remedy(err); remedy != "" {
		return remedy
	}
	return "Check that the endpoint is right and can be reached from this machine; without Internet access only private addresses are dialled."
}

func resolve(ctx context.Context, host string) (string, error) {
	if ip := net.ParseIP(host); ip != nil {
		return host + " is an address.", nil
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return "", fmt.Errorf("the name %s cannot be resolved: %w", host, err)
	}
	return fmt.Sprintf("%s is %s.", host, addrs[0]), nil
}

func handshake(ctx context.Context, deps connector.Deps, address, name string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	raw, err := deps.Dial(ctx, "tcp", address)
	if err != nil {
		return "", fmt.Errorf("connecting: %w", err)
	}
	conn := tls.Client(raw, &tls.Config{ServerName: name, RootCAs: deps.Roots, MinVersion: tls.VersionTLS12})
	defer conn.Close()
	if err := conn.HandshakeContext(ctx); err != nil {
		return "", fmt.Errorf("TLS handshake with %s: %w", address, err)
	}
	return "The certificate is trusted.", nil
}

func (s *sink) checkBucket(ctx context.Context) (string, error) {
	ctx, cancel := within(ctx, 0)
	defer cancel()
	var info oss.GetBucketInfoResult
	err := s.client.do(ctx, func() (err error) {
		info, err = s.client.sdk.GetBucketInfo(s.client.bucket.BucketName, oss.WithContext(ctx))
		return err
	})
	if err != nil {
		return "", s.classify.classify("reading bucket "+s.client.bucket.BucketName, err)
	}
	detail := fmt.Sprintf("The bucket %s exists", s.client.bucket.BucketName)
	if l := info.BucketInfo.Location; l != "" {
		detail += " in " + l
	}
	if info.BucketInfo.Versioning == "Enabled" {
		detail += "; versioning is on, so the bucket itself does not refuse overwriting (Sluice looks before it writes again)"
	}
	return detail + ".", nil
}

// checkWrite begins an upload and gives it up: it needs the same right as writing an
// object and leaves nothing.
func (s *sink) checkWrite(ctx context.Context) (string, error) {
	ctx, cancel := within(ctx, 0)
	defer cancel()
	var up oss.InitiateMultipartUploadResult
	err := s.client.do(ctx, func() (err error) {
		up, err = s.client.bucket.InitiateMultipartUpload(checkName, oss.WithContext(ctx))
		return err
	})
	if err != nil {
		return "", s.classify.classify("beginning an upload", err)
	}
	if err := s.client.do(ctx, func() error { return s.client.bucket.AbortMultipartUpload(up, oss.WithContext(ctx)) }); err != nil {
		return "", s.classify.classify("giving the upload up again", err)
	}
	return s.classify.identity.Short + " may write; an upload was begun and given up, nothing was written.", nil
}

func lookupBuckets(ctx context.Context, cfg connector.Config, deps connector.Deps) ([]connector.Option, error) {
	if cfg.Get(keyEndpoint) == "" || !aliyun.HasCredentials(cfg) {
		return nil, nil
	}
	asked := cfg.Clone()
	delete(asked, keyBucket)
	c, err := newClient(asked, deps)
	if err != nil {
		return nil, err
	}
	defer c.close()
	ctx, cancel := within(ctx, 0)
	defer cancel()
	var list oss.ListBucketsResult
	err = c.do(ctx, func() (err error) {
		list, err = c.sdk.ListBuckets(oss.MaxKeys(1000), oss.WithContext(ctx))
		return err
	})
	if err != nil {
		return nil, c.classify.classify("listing buckets", err)
	}
	var out []connector.Option
	for _, b := range list.Buckets {
		out = append(out, connector.Option{Value: b.Name, Label: b.Name, Help: b.Location})
	}
	slices.SortFunc(out, func(a, b connector.Option) int {
		if a.Value < b.Value {
			return -1
		}
		return 1
	})
	return out, nil
}
