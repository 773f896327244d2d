package aliyun

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
)

// Credentials sign requests for a while.
type Credentials struct {
	AccessKeyID     string
	AccessKeySecret string
	// SecurityToken goes with the two where they are temporary; else it is "".
	SecurityToken string
	// Expiration is when they end to be valid; zero means never.
	Expiration time.Time
}

// String keeps secret and token out of everything that prints.
func (c Credentials) String() string { return "credentials of " + c.AccessKeyID }

// GoString is String.
func (c Credentials) GoString() string { return c.String() }

// LogValue is String.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// same tells whether two are one and the same issue.
func (c Credentials) same(o Credentials) bool {
	return c.AccessKeyID == o.AccessKeyID && c.AccessKeySecret == o.AccessKeySecret && c.SecurityToken == o.SecurityToken
}

// Provider gives the credentials that are valid now. It is safe for concurrent use,
// and cheap to ask before every request: temporary ones are kept until shortly before
// they expire.
type Provider interface {
	// Credentials returns an *connector.AwayError where the service that issues them
	// is away, and a *connector.WrongError naming role and action where it refuses.
	Credentials(ctx context.Context) (Credentials, error)
	// Refused says that a service refused these credentials as expired or unknown: the
	// next call gets others, where others can be had. It tells whether that is so, that
	// is, whether trying the request again makes sense.
	Refused(c Credentials) bool
}

// NewProvider makes the provider that a connector's configuration asks for. It asks
// nobody: the first call of Credentials does.
func NewProvider(cfg connector.Config, deps connector.Deps) (Provider, error) {
	switch auth := cfg.Get(KeyAuth); auth {
	case AuthAccessKey, "":
		return fixed{AccessKeyID: cfg.Get(KeyAccessKeyID), AccessKeySecret: cfg.Get(KeyAccessSecret)}, nil
	case AuthRAMRole:
		s, err := newSTS(cfg, deps)
		if err != nil {
			return nil, err
		}
		return newTemporary(s.assume, deps.Logger), nil
	case AuthECSRole:
		m, err := newMetadata(deps)
		if err != nil {
			return nil, err
		}
		return newTemporary(m.issue, deps.Logger), nil
	default:
		return nil, &connector.WrongError{Field: KeyAuth, Err: fmt.Errorf("%s is not known: %q", KeyAuth, auth), Remedy: "Correct " + KeyAuth + "."}
	}
}

// fixed is an access key pair.
type fixed Credentials

// Credentials implements Provider.
func (f fixed) Credentials(context.Context) (Credentials, error) {
	return Credentials(f), f.missing()
}

func (f fixed) missing() error {
	if f.AccessKeyID == "" || f.AccessKeySecret == "" {
		return &connector.WrongError{Field: KeyAccessKeyID, Err: errors.New("the access key is missing"), Remedy: "Give " + KeyAccessKeyID + " and " + KeyAccessSecret + "."}
	}
	return nil
}

// Refused implements Provider: there is no other key.
func (fixed) Refused(Credentials) bool { return false }
