package oss

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"

	"github.com/sluice-io/sluice/runner/aliyun"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/egress"
)

// errExists: an object of the name is there; whose it is, is to be looked at.
var errExists = errors.New("an object of this name exists")

// errNoUpload: the multipart upload is gone; it may have been completed.
var errNoUpload = errors.New("the multipart upload does not exist any more")

// wrongCodes are OSS error codes of which the configuration is the cause, with the
// field to look at and the remedy. Codes that are not here are told by their status.
var wrongCodes = map[string]struct{ field, remedy string }{
	"NoSuchBucket":                    {keyBucket, "Create the bucket, or correct " + keyBucket + " and " + keyEndpoint + " (a bucket is only found at its own region's endpoint)."},
	"InvalidBucketName":               {keyBucket, "Correct " + keyBucket + "."},
	"AccessDenied":                    {aliyun.KeyAccessKeyID, "Allow the access key's user oss:PutObject and oss:GetObject on the bucket, or give another access key. A bucket of another region also answers like this."},
	"SignatureDoesNotMatch":           {aliyun.KeyAccessSecret, "The access key's secret is wrong; give the pair anew."},
	"InvalidAccessKeyId":              {aliyun.KeyAccessKeyID, "The access key does not exist or is disabled; give another."},
	"SecurityTokenExpired":            {aliyun.KeyAuth, "The token has expired; give other credentials."},
	"InvalidSecurityToken":            {aliyun.KeyAuth, "The token is not valid; give other credentials."},
	"SecondLevelDomainForbidden":      {keyEndpoint, "The endpoint does not take the bucket in the path; give the region's own endpoint name, not an IP address."},
	"InvalidObjectName":               {keyPath, "Correct " + keyPrefix + " and " + keyPath + "."},
	"EntityTooLarge":                  {connector.KeyFlushBytes, "Lower " + connector.KeyFlushBytes + "."},
	"UserDisable":                     {aliyun.KeyAccessKeyID, "The account is disabled (unpaid or locked); enable it."},
	"KmsServiceNotEnabled":            {keyBucket, "The bucket encrypts with KMS, which is not enabled for the account."},
	"InvalidEncryptionAlgorithmError": {keyBucket, "The bucket's encryption setting is not valid."},
}

// awayCodes are codes with a 4xx status that pass by themselves.
var awayCodes = map[string]bool{"RequestTimeout": true, "InvalidDigest": true, "RequestCanceled": true, "DownloadTrafficRateLimitExceeded": true, "UploadTrafficRateLimitExceeded": true, "QpsLimitExceeded": true, "TotalQpsLimitExceeded": true}

// skewLimit is how many answers in a row may say that the clocks differ before it
// counts as a wrong set-up rather than a passing one.
const skewLimit = 5

// tokenPatience is how long OSS may refuse temporary credentials that were issued anew,
// until that counts as a wrong set-up: what is issued takes a moment to be known.
const tokenPatience = time.Minute

// classifier turns what the SDK answers into the contract's error types.
type classifier struct {
	endpoint string
	bucket   string // "" when no single one is spoken to
	identity aliyun.Identity
	skewed   atomic.Int32
	// refused is since when temporary credentials are refused without a success between,
	// in Unix nanoseconds; 0: they are not.
	refused atomic.Int64
}

// succeeded forgets what was in a row.
func (k *classifier) succeeded() {
	k.skewed.Store(0)
	if k.refused.Load() != 0 {
		k.refused.Store(0)
	}
}

func (k *classifier) away(err error) error {
	return &connector.AwayError{System: "OSS endpoint " + k.endpoint, Err: err}
}

// classify gives every error a cause; doing says what was being done.
func (k *classifier) classify(doing string, err error) error {
	if err == nil {
		k.succeeded()
		return nil
	}
	if cause := connector.CauseOf(err); cause == connector.CauseAway || cause == connector.CauseWrong {
		return fmt.Errorf("%s: %w", doing, err) // of who issues the credentials
	}
	var r *egress.Refused
	if errors.As(err, &r) {
		return &connector.WrongError{Field: keyEndpoint, Brief: r.Error(), Err: fmt.Errorf("%s: %w", doing, err), Remedy: r.Remedy}
	}
	code, status := codeOf(err)
	full := fmt.Errorf("%s: %w", doing, shorten(err))
	brief := k.brief(err, code)
	away := &connector.AwayError{System: "OSS endpoint " + k.endpoint, Brief: brief, Err: full}
	if status == 0 {
		return away
	}
	if code != "RequestTimeTooSkewed" {
		k.skewed.Store(0)
	}
	switch {
	case code == "FileAlreadyExists" || code == "FileImmutable":
		return fmt.Errorf("%s: %w", doing, errExists)
	case code == "NoSuchUpload":
		return fmt.Errorf("%s: %w", doing, errNoUpload)
	case code == "RequestTimeTooSkewed":
		if k.skewed.Add(1) <= skewLimit {
			return away
		}
		return &connector.WrongError{Brief: brief, Err: full, Remedy: "The clock of this machine differs from OSS's by more than 15 minutes; set it (NTP)."}
	case k.identity.Temporary && tokenCodes[code] && k.refusing() < tokenPatience:
		return away
	case awayCodes[code] || status >= 500 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout || strings.HasSuffix(code, "LimitExceeded"):
		return away
	}
	field, remedy := k.remedyFor(code, status)
	return &connector.WrongError{Field: field, Remedy: remedy, Brief: brief, Err: full}
}

// refusing is for how long temporary credentials have been refused.
func (k *classifier) refusing() time.Duration {
	now := time.Now()
	if k.refused.CompareAndSwap(0, now.UnixNano()) {
		return 0
	}
	return now.Sub(time.Unix(0, k.refused.Load()))
}

// remedyFor is what to do about an answer of which the configuration is the cause.
func (k *classifier) remedyFor(code string, status int) (field, remedy string) {
	switch {
	case !k.identity.Temporary:
	case tokenCodes[code]:
		return aliyun.KeyAuth, "OSS refuses what was issued for " + k.identity.Who + ": it must be issued by the cloud that " + keyEndpoint + " belongs to; correct " + aliyun.KeyAuth + " and what goes with it."
	case code == "AccessDenied" || code == "" && status == http.StatusForbidden:
		return k.identity.Field, "Allow " + k.identity.Who + " oss:PutObject and oss:GetObject on the bucket. A bucket of another region also answers like this."
	}
	if w, ok := wrongCodes[code]; ok {
		return w.field, w.remedy
	}
	switch {
	case status >= 300 && status < 400:
		return keyEndpoint, "The bucket is at another endpoint; correct " + keyEndpoint + ". Redirects are not followed."
	case status == http.StatusForbidden:
		return aliyun.KeyAccessKeyID, wrongCodes["AccessDenied"].remedy
	}
	return "", "OSS refuses the request (" + code + "); correct the destination's settings."
}

// brief says what happened without the names of objects and requests.
func (k *classifier) brief(err error, code string) string {
	var se oss.ServiceError
	if errors.As(err, &se) && se.Code != "" {
		text := fmt.Sprintf("OSS answered %d %s: %s", se.StatusCode, se.Code, strings.TrimSpace(se.Message))
		if k.bucket != "" && wrongCodes[code].field == keyBucket {
			text = "bucket " + k.bucket + ": " + text
		}
		return text
	}
	if _, status := codeOf(err); status != 0 {
		return fmt.Sprintf("OSS endpoint %s answered %d %s", k.endpoint, status, http.StatusText(status))
	}
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	return "OSS endpoint " + k.endpoint + " is away: " + err.Error()
}

// codeOf reads the service's code and the HTTP status; 0 when no answer came.
func codeOf(err error) (code string, status int) {
	var se oss.ServiceError
	if errors.As(err, &se) {
		return se.Code, se.StatusCode
	}
	var ue oss.UnexpectedStatusCodeError
	if errors.As(err, &ue) {
		return "", ue.Got()
	}
	// The SDK answers a body that is no XML (a proxy's page, HEAD's empty one) with a
	// plain error that names the status.
	if _, rest, ok := strings.Cut(err.Error(), "status code"); ok && strings.HasPrefix(err.Error(), "unknown response body") {
		rest = strings.TrimLeft(rest, " =")
		if n, convErr := strconv.Atoi(rest[:min(3, len(rest))]); convErr == nil {
			return "", n
		}
	}
	// A redirect without a body is a plain error too.
	if rest, ok := strings.CutPrefix(err.Error(), "oss: service returned "); ok {
		if n, convErr := strconv.Atoi(rest[:min(3, len(rest))]); convErr == nil {
			return "", n
		}
	}
	return "", 0
}

// shorten keeps what people need of a service error.
func shorten(err error) error {
	var se oss.ServiceError
	if errors.As(err, &se) && se.Code != "" {
		return fmt.Errorf("OSS answered %d %s: %s (request %s)", se.StatusCode, se.Code, strings.TrimSpace(se.Message), se.RequestID)
	}
	return err
}
