package aliyun

import (
	"context"
	"fmt"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
)

// Identity is who a configuration signs as, in words for messages.
type Identity struct {
	// Who is "the user of access key LTAI…", "the role acs:ram::…:role/…", "the role of the ECS instance".
	Who string
	// Short begins a sentence: "The access key", "The role".
	Short string
	// Field is the key to look at when Who lacks a right.
	Field string
	// Temporary: what signs expires and is renewed, so that a refusal of a token passes.
	Temporary bool
}

// IdentityOf tells who a configuration signs as.
func IdentityOf(cfg connector.Config) Identity {
	switch cfg.Get(KeyAuth) {
	case AuthRAMRole:
		arn, err := roleARN(cfg)
		if err != nil {
			arn = "that is not complete"
		}
		return Identity{Who: "the role " + arn, Short: "The role", Field: KeyRoleARN, Temporary: true}
	case AuthECSRole:
		return Identity{Who: "the role of the ECS instance", Short: "The role", Field: KeyAuth, Temporary: true}
	}
	return Identity{Who: "the user of access key " + cfg.Get(KeyAccessKeyID), Short: "The access key", Field: KeyAccessKeyID}
}

// CheckName is the name of the live check that CheckCredentials makes; it is worth
// making where IdentityOf is Temporary.
const CheckName = "Role"

// CheckCredentials gets credentials for a connector's live checks and says what it got.
func CheckCredentials(ctx context.Context, cfg connector.Config, p Provider) (string, error) {
	c, err := p.Credentials(ctx)
	if err != nil {
		return "", err
	}
	who := IdentityOf(cfg)
	if c.Expiration.IsZero() {
		return "Requests are signed by " + who.Who + ".", nil
	}
	return fmt.Sprintf("Credentials of %s were issued; they hold until %s and are renewed before.", who.Who, c.Expiration.UTC().Format(time.RFC3339)), nil
}
