package oss

import (
	"context"
	"net/http"
	"sync/atomic"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"

	"github.com/sluice-io/sluice/runner/aliyun"
)

// signer hands the SDK the credentials that do asked for last. The SDK asks it at each
// request and without a context, so that it must not wait.
type signer struct {
	current atomic.Pointer[aliyun.Credentials]
}

var _ oss.CredentialsProviderE = (*signer)(nil)

// GetCredentialsE implements oss.CredentialsProviderE.
func (s *signer) GetCredentialsE() (oss.Credentials, error) { return s.GetCredentials(), nil }

// GetCredentials implements oss.CredentialsProvider.
func (s *signer) GetCredentials() oss.Credentials {
	if c := s.current.Load(); c != nil {
		return signing{c}
	}
	return signing{&aliyun.Credentials{}}
}

// signing are credentials as the SDK reads them.
type signing struct{ c *aliyun.Credentials }

func (s signing) GetAccessKeyID() string     { return s.c.AccessKeyID }
func (s signing) GetAccessKeySecret() string { return s.c.AccessKeySecret }
func (s signing) GetSecurityToken() string   { return s.c.SecurityToken }

// do makes one request. Credentials are asked for before it, so that what it asks the
// guard is asked when nothing is waited for any more. Where OSS says that they are
// expired or unknown, and others can be had, it is made once more.
func (c *client) do(ctx context.Context, request func() error) error {
	for again := false; ; again = true {
		credentials, err := c.provider.Credentials(ctx)
		if err != nil {
			return err
		}
		c.signer.current.Store(&credentials)
		err = request()
		if err == nil {
			c.classify.succeeded()
			return nil
		}
		if again || credentials.SecurityToken == "" || !tokenRefused(err) || !c.provider.Refused(credentials) {
			return err
		}
	}
}

// tokenCodes are the answers to credentials that have expired, or that OSS does not
// know (any more, or yet).
var tokenCodes = map[string]bool{"SecurityTokenExpired": true, "InvalidSecurityToken": true, "InvalidAccessKeyId": true}

// tokenRefused tells whether other temporary credentials may be taken where these were
// not. A bare 403 is what a HEAD request may get for any reason.
func tokenRefused(err error) bool {
	code, status := codeOf(err)
	return tokenCodes[code] || code == "" && status == http.StatusForbidden
}
