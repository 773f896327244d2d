package fc

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/sluice-io/sluice/runner/aliyun"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/egress"
)

const (
	secretHint = "The access key's secret is wrong; give the pair anew."
	keyHint    = "The access key does not exist or is disabled; give another."
	tokenHint  = "The token is not valid or has expired; give other credentials."
)

// wrongCodes are the service's error codes of which the configuration is the cause,
// with the field to look at and the remedy. Codes that are not here are told by their
// status.
var wrongCodes = map[string]struct{ field, remedy string }{
	"ServiceNotFound":             {keyService, "Create the service, or correct " + keyService + ", " + keyRegion + " and " + keyEndpoint + "."},
	"FunctionNotFound":            {keyFunction, "Create the function, or correct " + keyFunction + ", " + keyRegion + " and " + keyEndpoint + "."},
	"VersionNotFound":             {keyQualifier, "Publish the version, or correct " + keyQualifier + "."},
	"AliasNotFound":               {keyQualifier, "Create the alias, or correct " + keyQualifier + "."},
	"QualifierNotFound":           {keyQualifier, "Publish the version or create the alias, or correct " + keyQualifier + "."},
	"AccountNotFound":             {keyAccount, "Correct " + keyAccount + " and " + keyEndpoint + "."},
	"SignatureNotMatch":           {aliyun.KeyAccessSecret, secretHint},
	"SignatureDoesNotMatch":       {aliyun.KeyAccessSecret, secretHint},
	"InvalidAccessKeyID":          {aliyun.KeyAccessKeyID, keyHint},
	"InvalidAccessKeyId":          {aliyun.KeyAccessKeyID, keyHint},
	"InvalidAccessKeyId.NotFound": {aliyun.KeyAccessKeyID, keyHint},
	"InvalidAccessKeyId.Inactive": {aliyun.KeyAccessKeyID, keyHint},
	"InvalidSecurityToken":        {aliyun.KeyAuth, tokenHint},
	"SecurityTokenExpired":        {aliyun.KeyAuth, tokenHint},
	"InvalidArgument":             {"", "Function Compute refuses the request as malformed; correct what its message names."},
	"CAExited":                    {keyFunction, "The function's own server exited when it was started; mend the function."},
	"CAFileNotFound":              {keyFunction, "The function's start file is missing; mend the function."},
	"HandlerNotFound":             {keyFunction, "The function's handler is missing; mend the function."},
	"InvalidUserStatus":           {aliyun.KeyAccessKeyID, "The account is disabled (unpaid or locked); enable it."},
}

// credentialCodes say that the credentials may have expired: others are tried once.
var credentialCodes = map[string]bool{
	"SecurityTokenExpired": true, "InvalidSecurityToken": true, "InvalidSecurityToken.Expired": true, "InvalidSecurityToken.NotFound": true,
	"InvalidAccessKeyID": true, "InvalidAccessKeyId": true, "InvalidAccessKeyId.NotFound": true,
}

// skewCodes say that the clocks differ; skewLimit is how many answers in a row may say
// so before it counts as a wrong set-up rather than a passing one.
var skewCodes = map[string]bool{"RequestTimeTooSkewed": true, "InvalidTimeStamp.Expired": true, "SignatureExpired": true}

const skewLimit = 5

// Pauses that a throttled request asks for, where the service names none.
const (
	firstThrottle = 200 * time.Millisecond
	mostThrottle  = 30 * time.Second
)

// mostSkew is how far the clocks may differ ("Signature authentication": 15 minutes).
const mostSkew = 15 * time.Minute

// skewed tells whether a request was refused because the clocks differ. The service
// has no code of its own for it everywhere: it denies access, and its Date tells why.
func (a *answer) skewed() bool {
	return skewCodes[a.code] || a.status == http.StatusForbidden && (a.skew > mostSkew || a.skew < -mostSkew)
}

// classifier turns answers into the contract's error types.
type classifier struct {
	endpoint  string
	identity  aliyun.Identity
	skewed    atomic.Int32
	throttles atomic.Int32 // answers 429 in a row
	// unknown is since when temporary credentials are refused without a success between,
	// in Unix nanoseconds; 0: they are not.
	unknown atomic.Int64
}

// tokenPatience is how long the service may refuse temporary credentials that were
// issued anew, until that counts as a wrong set-up: what is issued takes a moment to be
// known.
const tokenPatience = time.Minute

// refusing is for how long temporary credentials have been refused.
func (k *classifier) refusing() time.Duration {
	now := time.Now()
	if k.unknown.CompareAndSwap(0, now.UnixNano()) {
		return 0
	}
	return now.Sub(time.Unix(0, k.unknown.Load()))
}

// network is the cause of a request without an answer; doing says what was being done.
func (k *classifier) network(doing string, err error) error {
	var r *egress.Refused
	if errors.As(err, &r) {
		return &connector.WrongError{Field: keyEndpoint, Brief: r.Error(), Err: fmt.Errorf("%s: %w", doing, err), Remedy: r.Remedy}
	}
	return &connector.AwayError{System: k.system(), Brief: k.system() + " is away: " + err.Error(), Err: fmt.Errorf("%s: %w", doing, err)}
}

func (k *classifier) system() string { return "Function Compute at " + k.endpoint }

// failed gives the error of a lane its cause: what is no network error has one already.
func (k *classifier) failed(doing string, err error) error {
	var n *networkError
	if errors.As(err, &n) {
		return k.network(doing, n.err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// accepted tells whether a refused invocation ID was one that is known: the batch had
// been submitted before. A conflict of another kind is none.
func (a *answer) accepted() bool {
	if a.status != http.StatusConflict {
		return false
	}
	code := strings.ToLower(a.code)
	return code == "" || strings.Contains(code, "already") || strings.Contains(code, "exist") || strings.Contains(code, "duplicate")
}

// invoked is what became of an invocation: nil when it was taken, with an ID also when
// it had been before.
func (k *classifier) invoked(doing string, a *answer, id bool) error {
	if a.ok() || id && a.accepted() {
		k.fine()
		return nil
	}
	if a.status >= 200 && a.status < 300 {
		return &connector.RecordError{Stage: connector.StageTaskPut, Code: "function", Retry: true, Err: errors.New(a.functionText()), Detail: a.logText()}
	}
	return k.refused(doing, a)
}

// fine notes that the service took a request.
func (k *classifier) fine() {
	k.skewed.Store(0)
	k.throttles.Store(0)
	k.unknown.Store(0)
}

// refused gives an answer of the service its cause.
func (k *classifier) refused(doing string, a *answer) error {
	brief := a.text()
	full := fmt.Errorf("%s: %s", doing, brief)
	if a.requestID != "" {
		full = fmt.Errorf("%w (request %s)", full, a.requestID)
	}
	away := &connector.AwayError{System: k.system(), Brief: brief, Err: full, After: a.after}
	skewed := a.skewed()
	if !skewed {
		k.skewed.Store(0)
	}
	if a.status == http.StatusTooManyRequests {
		away.After = max(a.after, k.throttle())
		return away
	}
	k.throttles.Store(0)
	switch {
	case skewed:
		if k.skewed.Add(1) <= skewLimit {
			return away
		}
		return &connector.WrongError{Brief: brief, Err: full, Remedy: "The clock of this machine differs from Function Compute's by more than 15 minutes; set it (NTP)."}
	case k.identity.Temporary && credentialCodes[a.code] && k.refusing() < tokenPatience:
		return away
	case a.status >= 500, a.status == 499, a.status == http.StatusRequestTimeout, a.status < 200:
		return away
	case a.status == http.StatusConflict:
		return away // another change of the function is under way
	case a.status == http.StatusRequestEntityTooLarge, a.status == http.StatusBadRequest && a.code == "EntityTooLarge":
		return &connector.RecordError{Stage: connector.StageTaskPut, Code: "oversize", Retry: true, Err: errors.New(brief)}
	}
	field, remedy := k.remedyFor(a)
	return &connector.WrongError{Field: field, Remedy: remedy, Brief: brief, Err: full}
}

// throttle is the pause after a request that was throttled: doubling, so that the
// service is asked ever less.
func (k *classifier) throttle() time.Duration {
	n := min(k.throttles.Add(1)-1, 10)
	return min(firstThrottle<<n, mostThrottle)
}

// remedyFor is what to do about an answer of which the configuration is the cause.
func (k *classifier) remedyFor(a *answer) (field, remedy string) {
	if k.identity.Temporary && credentialCodes[a.code] {
		return aliyun.KeyAuth, "Function Compute refuses what was issued for " + k.identity.Who + "; correct " + aliyun.KeySTSEndpoint + ", which must be of the same cloud as " + keyEndpoint + "."
	}
	if w, ok := wrongCodes[a.code]; ok {
		return w.field, w.remedy
	}
	switch {
	case a.status >= 300 && a.status < 400:
		return keyEndpoint, "Function Compute is at another endpoint; correct " + keyEndpoint + ". Redirects are not followed."
	case a.status == http.StatusForbidden, a.status == http.StatusUnauthorized:
		return k.identity.Field, "Allow " + k.identity.Who + " fc:InvokeFunction on the function, or sign as somebody else."
	case a.status == http.StatusNotFound:
		return keyFunction, "Correct " + keyService + ", " + keyFunction + ", " + keyQualifier + " and " + keyEndpoint + "."
	}
	return "", "Function Compute refuses the request (" + a.name() + "); correct the destination's settings."
}

func (a *answer) name() string {
	if a.code != "" {
		return a.code
	}
	return fmt.Sprintf("HTTP %d", a.status)
}

// text says what the service answered.
func (a *answer) text() string {
	what := a.code
	if what == "" {
		what = http.StatusText(a.status)
	}
	text := strings.TrimSpace(fmt.Sprintf("Function Compute answered %d %s", a.status, what))
	if a.message != "" {
		text += ": " + clip(a.message, mostMessage)
	}
	return text
}

// What is shown of a function's message and of the end of its log, in bytes.
const (
	mostMessage = 1000
	mostLog     = 1500
)

// functionText says how the function failed.
func (a *answer) functionText() string {
	text := "the function failed (" + clip(a.errorType, 100) + ")"
	if a.message != "" {
		text += ": " + clip(a.message, mostMessage)
	}
	if a.requestID != "" {
		text += " (request " + clip(a.requestID, 100) + ")"
	}
	return text
}

// logText is the end of the function's log; "" without one.
func (a *answer) logText() string {
	if a.log == "" {
		return ""
	}
	return "the end of its log: " + tail(strings.ToValidUTF8(a.log, "\uFFFD"), mostLog)
}

// clip shortens to at most n bytes without cutting a character.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// tail keeps the last n bytes without cutting a character.
func tail(s string, n int) string {
	if len(s) <= n {
		return s
	}
	at := len(s) - n
	for at < len(s) && !utf8.RuneStart(s[at]) {
		at++
	}
	return "…" + s[at:]
}
