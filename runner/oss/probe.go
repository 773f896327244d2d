package oss

import (
	"context"
	"errors"
	"net/http"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"

	"github.com/sluice-io/sluice/runner/connector"
)

// certain are the answers that every request to the bucket gets, whatever it asks for
// and whatever the access key may do: OSS looks at the clock, the key, the signature and
// the bucket before it looks at permissions.
var certain = map[string]bool{
	"NoSuchBucket": true, "InvalidBucketName": true, "InvalidAccessKeyId": true, "SignatureDoesNotMatch": true, "UserDisable": true,
	"SecurityTokenExpired": true, "InvalidSecurityToken": true, "SecondLevelDomainForbidden": true, "RequestTimeTooSkewed": true,
}

// Probe reads the ACL of an object that does not exist. Of the requests that change
// nothing it is the one that tells most: HEAD answers without a body and so without a
// code; GET could make a bucket with a back-to-origin rule fetch the object; what is
// asked of the bucket itself goes to other policies. A key that may only put objects is
// answered AccessDenied, which proves nothing here: only what certain names does.
func (s *sink) Probe(ctx context.Context) error {
	ctx, cancel := within(ctx, 0)
	defer cancel()
	err := s.client.do(ctx, func() error {
		_, err := s.client.bucket.GetObjectACL(checkName, oss.WithContext(ctx))
		return err
	})
	code, status := "", 0
	if err != nil {
		code, status = codeOf(err)
	}
	if err == nil || status == http.StatusNotImplemented { // a gateway without ACLs
		return nil
	}
	err = s.classify.classify("asking for bucket "+s.client.bucket.BucketName, err)
	var away *connector.AwayError
	switch {
	case errors.As(err, &away), status == 0, certain[code]:
		return err
	}
	return nil
}
