package aliyun

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/egress"
)

// actionAssume is the action that the role's owner allows.
const actionAssume = "sts:AssumeRole"

const (
	codeTimeExpired = "InvalidTimeStamp.Expired"
	codeSignature   = "SignatureDoesNotMatch"
)

// stsRefusal is an answer other than 200.
type stsRefusal struct {
	status                 int
	code, message, request string
}

func (r *stsRefusal) Error() string {
	text := fmt.Sprintf("STS answered %d", r.status)
	switch {
	case r.code == codeSignature: // its message repeats the whole request
		return text + " " + r.code + r.id()
	case r.code != "":
		return text + " " + clip(r.code, 80) + ": " + clip(r.message, 300) + r.id()
	}
	return text + " " + http.StatusText(r.status)
}

func (r *stsRefusal) id() string {
	if r.request == "" {
		return ""
	}
	return " (request " + clip(r.request, 80) + ")"
}

// brief is the refusal without what differs from one attempt to the next.
func (r *stsRefusal) brief() string {
	text := *r
	text.request = ""
	return text.Error()
}

// classify gives what STS answered, or that it did not, a cause. Codes that are in none
// of the lists count by their status.
func (s *sts) classify(err error) error {
	full := fmt.Errorf("assuming role %s: %w", s.role, err)
	system := "STS endpoint " + s.host
	var barred *egress.Refused
	if errors.As(err, &barred) {
		return &connector.WrongError{Field: KeySTSEndpoint, Brief: barred.Error(), Err: full, Remedy: barred.Remedy}
	}
	var r *stsRefusal
	if !errors.As(err, &r) {
		return s.unreached(system, err, full)
	}
	if r.passes() {
		return &connector.AwayError{System: system, Brief: r.brief(), Err: full}
	}
	field, remedy := s.remedy(r)
	brief := r.brief()
	if field == KeyRoleARN {
		brief = "role " + s.role + ": " + brief
	}
	return &connector.WrongError{Field: field, Remedy: remedy, Brief: brief, Err: full}
}

// unreached gives it a cause that STS was not reached, or that what was reached cannot be
// trusted. A certificate that is not valid now may be in an hour, one of another name or
// authority not.
func (s *sts) unreached(system string, err, full error) error {
	var (
		unknown  x509.UnknownAuthorityError
		hostname x509.HostnameError
		invalid  x509.CertificateInvalidError
		plain    tls.RecordHeaderError
	)
	wrong := func(what, remedy string) error {
		return &connector.WrongError{Field: KeySTSEndpoint, Brief: system + what + ": " + err.Error(), Err: full, Remedy: remedy}
	}
	away := &connector.AwayError{System: system, Brief: system + " is away: " + err.Error(), Err: full,
		Remedy: "If it stays so, correct " + KeySTSEndpoint + ", and look whether this machine reaches it: without Internet access only private addresses are dialled, such as those of sts-vpc endpoints."}
	switch {
	case errors.As(err, &unknown):
		return wrong(" shows a certificate of an authority that is not known", "Correct "+KeySTSEndpoint+"; or, where it is right, make its authority known to this machine (its system roots, or SSL_CERT_FILE) and restart Sluice.")
	case errors.As(err, &hostname):
		return wrong(" shows a certificate for another name", "Correct "+KeySTSEndpoint+": write the name that the certificate is for.")
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		away.Remedy = "If it stays so, look whether the clock of this machine is right; otherwise the certificate of " + KeySTSEndpoint + " has to be renewed by its owner."
	case errors.As(err, &invalid):
		return wrong(" shows a certificate that is not valid", "Correct "+KeySTSEndpoint+"; its certificate is not one for a server.")
	case errors.As(err, &plain), errors.Is(err, http.ErrSchemeMismatch):
		return wrong(" does not speak TLS", "Correct "+KeySTSEndpoint+": STS is reached by HTTPS only.")
	}
	return away
}

// passes tells whether a refusal passes by itself.
func (r *stsRefusal) passes() bool {
	if r.status >= 500 || r.status == http.StatusTooManyRequests || r.status == http.StatusRequestTimeout {
		return true
	}
	for _, prefix := range []string{"Throttling", "ServiceUnavailable", "InternalError", "SignatureNonceUsed", "RequestTimeout"} {
		if r.code == prefix || strings.HasPrefix(r.code, prefix+".") {
			return true
		}
	}
	return false
}

// remedy is what to do about a refusal that does not pass, and the field to look at.
func (s *sts) remedy(r *stsRefusal) (field, remedy string) {
	code, _, _ := strings.Cut(r.code, ".")
	switch {
	case code == "InvalidAccessKeyId":
		return KeyAccessKeyID, "The access key " + s.id + " does not exist or is disabled; give another."
	case r.code == codeSignature || code == "IncompleteSignature":
		return KeyAccessSecret, "The secret of access key " + s.id + " is wrong; give the pair anew."
	case r.code == codeTimeExpired || code == "InvalidTimeStamp":
		return "", "The clock of this machine differs from STS's by more than 15 minutes; set it (NTP)."
	case code == "MissingSecurityToken":
		return KeyAccessKeyID, "The access key " + s.id + " is itself a temporary one; give that of a RAM user."
	case strings.Contains(r.message, "root account"):
		return KeyAccessKeyID, "The access key " + s.id + " is the account's own, which may not assume roles; give that of a RAM user."
	case r.code == "EntityNotExist.Role", r.code == "InvalidParameter.RoleArn":
		return KeyRoleARN, "The role " + s.role + " does not exist; correct " + KeyRoleARN + ", or " + KeyAccount + " and " + KeyRoleName + "."
	case code == "NoPermission", code == "AuthenticationFail", code == "Forbidden", code == "AccessDenied", code == "" && r.status == http.StatusForbidden:
		return KeyRoleARN, fmt.Sprintf("The RAM user of access key %s may not do %s on %s. Add this policy to the user: "+
			`{"Version":"1","Statement":[{"Effect":"Allow","Action":"%s","Resource":"%s"}]}. `+
			"And the role's trust policy must name that user or its account.", s.id, actionAssume, s.role, actionAssume, s.role)
	case r.status >= 300 && r.status < 400:
		return KeySTSEndpoint, "STS is at another address; correct " + KeySTSEndpoint + ". Redirects are not followed."
	}
	return KeySTSEndpoint, "STS refuses " + actionAssume + " on " + s.role + "; correct " + KeySTSEndpoint + " and the role."
}
