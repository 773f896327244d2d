package aliyun

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/sluice-io/sluice/runner/connector"
)

// Keys of the credential fields.
const (
	KeyAuth         = "aliyun.auth"
	KeyAccessKeyID  = "aliyun.access.key.id"
	KeyAccessSecret = "aliyun.access.key.secret"
	KeyRoleARN      = "aliyun.role.arn"
	KeyAccount      = "aliyun.account"
	KeyRoleName     = "aliyun.role.name"
	KeySTSEndpoint  = "aliyun.sts.endpoint"
)

// Values of aliyun.auth.
const (
	// AuthAccessKey signs with a pair of access key ID and secret.
	AuthAccessKey = "access_key"
	// AuthRAMRole assumes a role with such a pair, and signs with what STS issues.
	AuthRAMRole = "ram_role"
	// AuthECSRole signs with what the metadata service issues for the role of the ECS
	// instance that Sluice runs on.
	AuthECSRole = "ecs_ram_role"
)

// settingECSRole is the setting that lets a node ask the metadata service.
const settingECSRole = "SLUICE_ALLOW_ECS_RAM_ROLE"

// CredentialFields declares how a connector proves who it is. accountKey, when given,
// is a field of the connector's own that names the account which the role is in, where
// aliyun.account is left empty.
func CredentialFields(accountKey ...string) []connector.Field {
	keys := []connector.Cond{{Key: KeyAuth, In: []string{AuthAccessKey, AuthRAMRole}, Reason: "An access key signs, or assumes the role."}}
	role := []connector.Cond{{Key: KeyAuth, In: []string{AuthRAMRole}, Reason: "A role is assumed."}}
	return []connector.Field{
		{Key: KeyAuth, Label: "Authentication", Kind: connector.Enum, Default: connector.Const(AuthAccessKey),
			Options: []connector.Option{
				{Value: AuthAccessKey, Label: "AccessKey", Help: "The pair of a RAM user."},
				{Value: AuthRAMRole, Label: "RAM role", Help: "The pair of a RAM user that assumes a role, also of another account; what signs is renewed every hour."},
				{Value: AuthECSRole, Label: "ECS instance role", Help: "The role of the machine that Sluice runs on; only where an administrator allows it."}},
			Help: "How the destination learns who is writing."},
		{Key: KeyAccessKeyID, Label: "AccessKey ID", Kind: connector.String, Required: true, Max: 128, When: keys,
			Help: "Of a RAM user with no more rights than the destination, or assuming the role, needs."},
		{Key: KeyAccessSecret, Label: "AccessKey Secret", Kind: connector.Secret, Required: true, Max: 256, When: keys,
			Help: "Stored sealed, never shown again."},
		{Key: KeyRoleARN, Label: "ARN of the RAM role", Kind: connector.String, Max: 256, When: role, Validate: validRoleARN, Example: "acs:ram::1234567890123456:role/sluice-writer",
			Help: "The role to assume; leave it empty to give account and name instead."},
		{Key: KeyAccount, Label: "Alibaba Cloud Account ID", Kind: connector.String, Max: 20, When: role, Validate: validAccount, Default: sameAs(accountKey), Example: "1234567890123456",
			Help: "The account that the role is in, yours or another's."},
		{Key: KeyRoleName, Label: "RAM Role", Kind: connector.String, Max: 64, When: role, Validate: validRoleName, Example: "sluice-writer",
			Help: "The role's name in that account."},
		{Key: KeySTSEndpoint, Label: "STS endpoint", Kind: connector.String, Required: true, Advanced: true, When: role, Default: stsByRegion, Validate: validSTSEndpoint, Example: "sts-vpc.cn-hangzhou.aliyuncs.com",
			Help: "Where roles are assumed, always over HTTPS. The region's, inside its VPC network unless the connector has Internet access."},
	}
}

// sameAs is a Default that takes another field's value; nil where there is none.
func sameAs(key []string) func(connector.Config, connector.Env) string {
	if len(key) == 0 {
		return nil
	}
	return func(cfg connector.Config, _ connector.Env) string { return cfg.Get(key[0]) }
}

// CredentialProblems checks the rules across the credential fields of a resolved
// configuration.
func CredentialProblems(cfg connector.Config, env connector.Env) []connector.FieldError {
	switch cfg.Get(KeyAuth) {
	case AuthECSRole:
		if !env.AllowECSRAMRole {
			return []connector.FieldError{{Field: KeyAuth, Message: "This node may not ask the machine's metadata service: an administrator can allow it with " + settingECSRole + "=on. Choose another way to authenticate until then."}}
		}
	case AuthRAMRole:
		if _, err := roleARN(cfg); err != nil {
			return []connector.FieldError{*err}
		}
	}
	return nil
}

// CredentialReach names what the credential fields make a connector dial.
func CredentialReach(cfg connector.Config) []connector.Endpoint {
	if cfg.Get(KeyAuth) != AuthRAMRole {
		return nil
	}
	u, err := EndpointURL(cfg.Get(KeySTSEndpoint))
	if err != nil {
		return nil
	}
	return []connector.Endpoint{{Key: KeySTSEndpoint, Address: HostPort(u)}}
}

// HasCredentials tells whether a configuration names enough to sign with, for lists
// that are offered while a form is still being filled.
func HasCredentials(cfg connector.Config) bool {
	pair := cfg.Get(KeyAccessKeyID) != "" && cfg.Get(KeyAccessSecret) != ""
	switch cfg.Get(KeyAuth) {
	case AuthECSRole:
		return true
	case AuthRAMRole:
		_, err := roleARN(cfg)
		return pair && err == nil
	}
	return pair
}

// roleARN is the role to assume: as given, or made of account and name. Where both are
// given they must agree.
func roleARN(cfg connector.Config) (string, *connector.FieldError) {
	arn, account, name := cfg.Get(KeyRoleARN), cfg.Get(KeyAccount), cfg.Get(KeyRoleName)
	if arn != "" {
		m := arnRule.FindStringSubmatch(arn)
		switch {
		case m == nil:
			return "", &connector.FieldError{Field: KeyRoleARN, Message: validRoleARN(arn).Error()}
		case name != "" && m[2] != name, name != "" && account != "" && m[1] != account:
			return "", &connector.FieldError{Field: KeyRoleARN, Message: fmt.Sprintf("The ARN names another role than %s %s of account %s: give either the ARN or account and name.", KeyRoleName, name, account)}
		}
		return arn, nil
	}
	if account == "" || name == "" {
		missing := KeyRoleARN
		if account != "" || name != "" {
			if missing = KeyAccount; account != "" {
				missing = KeyRoleName
			}
		}
		return "", &connector.FieldError{Field: missing, Message: "The role is not complete: give its ARN, or the account's ID and the role's name."}
	}
	return "acs:ram::" + account + ":role/" + name, nil
}

var (
	arnRule     = regexp.MustCompile(`^acs:ram::([0-9]{1,20}):role/([a-zA-Z0-9._-]{1,64})$`)
	accountRule = regexp.MustCompile(`^[0-9]{1,20}$`)
	roleRule    = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,64}$`)
)

func validRoleARN(s string) error {
	if !arnRule.MatchString(s) {
		return errors.New("an ARN of a role is written like acs:ram::1234567890123456:role/sluice-writer.")
	}
	return nil
}

func validAccount(s string) error {
	if !accountRule.MatchString(s) {
		return errors.New("an account's ID is a number of up to 20 digits, such as 1234567890123456.")
	}
	return nil
}

func validRoleName(s string) error {
	if !roleRule.MatchString(s) {
		return errors.New("a role's name has 1 to 64 letters, digits, dots, underscores and hyphens.")
	}
	return nil
}

// validSTSEndpoint: what signs AssumeRole, and what it answers, are secrets.
func validSTSEndpoint(s string) error {
	u, err := EndpointURL(s)
	if err != nil {
		return err
	}
	if u.Scheme != "https" {
		return errors.New("roles are assumed over HTTPS only; give a name, or an https:// address.")
	}
	return nil
}

// stsByRegion is the endpoint of the region that the instance is in. Any region's STS
// issues tokens for all; the one inside the VPC network is reached from that region only.
func stsByRegion(cfg connector.Config, env connector.Env) string {
	internet, known := cfg.Bool(connector.KeyInternetAccess), IsCloudRegion(env.Region)
	switch {
	case known && !internet:
		return "sts-vpc." + env.Region + ".aliyuncs.com"
	case known:
		return "sts." + env.Region + ".aliyuncs.com"
	case internet:
		return "sts.aliyuncs.com"
	}
	return ""
}
