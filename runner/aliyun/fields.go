// Package aliyun is what the connectors to Alibaba Cloud share: the credential
// fields and providers, endpoints by region, and the classes of service errors.
package aliyun

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

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
	AuthAccessKey  = "access_key"
	AuthRAMRole    = "ram_role"
	AuthECSRAMRole = "ecs_ram_role"
)

var (
	digits  = regexp.MustCompile(`^[0-9]{1,20}$`)
	roleARN = regexp.MustCompile(`^acs:ram::[0-9]{1,20}:role/[A-Za-z0-9._-]{1,64}$`)
)

// CredentialFields declares how a connector proves who it is.
func CredentialFields() []connector.Field {
	key := []connector.Cond{{Key: KeyAuth, In: []string{AuthAccessKey, AuthRAMRole}}}
	role := []connector.Cond{{Key: KeyAuth, In: []string{AuthRAMRole}, Reason: "The role is assumed with the access key."}}
	named := []connector.Cond{{Key: KeyAuth, In: []string{AuthRAMRole, AuthECSRAMRole}}}
	return []connector.Field{
		{Key: KeyAuth, Label: "Authentication", Kind: connector.Enum, Default: connector.Const(AuthAccessKey),
			Options: []connector.Option{
				{Value: AuthAccessKey, Label: "AccessKey"},
				{Value: AuthRAMRole, Label: "RAM role", Help: "An access key that may assume the role."},
				{Value: AuthECSRAMRole, Label: "ECS RAM role", Help: "The role of the server Sluice runs on; an administrator must allow it."}},
			Help: "How the destination learns who is writing."},
		{Key: KeyAccessKeyID, Label: "AccessKey ID", Kind: connector.String, Required: true, Max: 128, When: key,
			Help: "Of a RAM user with no more rights than the destination needs."},
		{Key: KeyAccessSecret, Label: "AccessKey Secret", Kind: connector.Secret, Required: true, Max: 256, When: key,
			Help: "Stored sealed, never shown again."},
		{Key: KeyRoleARN, Label: "RAM Role ARN", Kind: connector.String, When: role, Example: "acs:ram::1234567890123456:role/sluice-writer",
			Help: "Or give account and role name.", Validate: pattern(roleARN, "an ARN such as acs:ram::1234567890123456:role/sluice-writer")},
		{Key: KeyAccount, Label: "Alibaba Cloud Account ID", Kind: connector.String, When: role,
			Help: "The account that owns the role; with the role name it makes the ARN.", Validate: pattern(digits, "an account ID of digits only")},
		{Key: KeyRoleName, Label: "RAM Role", Kind: connector.String, Max: 64, When: named,
			Help: "Name of the role. For an ECS RAM role it may be left empty: the server's own role is used."},
		{Key: KeySTSEndpoint, Label: "STS Endpoint", Kind: connector.String, Advanced: true, When: role, Validate: ValidEndpoint,
			Default: func(c connector.Config, e connector.Env) string { return STSEndpoint(e.Region, c.Bool(connector.KeyInternetAccess)) },
			Help:    "HTTPS endpoint that hands out the role's tokens."},
	}
}

func pattern(re *regexp.Regexp, want string) func(string) error {
	return func(s string) error {
		if !re.MatchString(strings.TrimSpace(s)) {
			return fmt.Errorf("give %s.", want)
		}
		return nil
	}
}

// CredentialProblems are the rules across the credential fields.
func CredentialProblems(cfg connector.Config, env connector.Env) []connector.FieldError {
	switch cfg.Get(KeyAuth) {
	case AuthRAMRole:
		if cfg.Get(KeyRoleARN) == "" && (cfg.Get(KeyAccount) == "" || cfg.Get(KeyRoleName) == "") {
			return []connector.FieldError{{Field: KeyRoleARN, Message: "Give the role's ARN, or the account ID and the role's name."}}
		}
		if cfg.Get(KeySTSEndpoint) == "" {
			return []connector.FieldError{{Field: KeySTSEndpoint, Message: "The instance's region has no STS endpoint of its own; give one."}}
		}
	case AuthECSRAMRole:
		if !env.AllowECSRAMRole {
			return []connector.FieldError{{Field: KeyAuth, Message: "The ECS RAM role is not allowed on this server; an administrator sets SLUICE_ALLOW_ECS_RAM_ROLE=on."}}
		}
	}
	return nil
}

// cloudRegions are the regions that have endpoints of the usual names.
var cloudRegions = []string{"cn-hangzhou", "cn-shanghai", "cn-beijing", "cn-zhangjiakou", "cn-huhehaote", "cn-shenzhen", "cn-chengdu", "cn-hongkong", "ap-southeast-1", "ap-northeast-1"}

// IsCloudRegion tells whether a region has Alibaba Cloud's endpoints. Regions that an
// administrator added count when they look like one ("eu-central-1").
func IsCloudRegion(region string) bool {
	return slices.Contains(cloudRegions, region) || regionLike.MatchString(region)
}

var regionLike = regexp.MustCompile(`^[a-z]{2}-[a-z]+(-[0-9])?$`)

// STSEndpoint is the address of the token service of a region; "" for a region
// without one.
func STSEndpoint(region string, internet bool) string {
	if region == "self-hosted" || !IsCloudRegion(region) {
		return ""
	}
	if internet {
		return "sts." + region + ".aliyuncs.com"
	}
	return "sts-vpc." + region + ".aliyuncs.com"
}

// ValidEndpoint checks a service endpoint: host, host:port, or an http or https URL
// without path, query and user.
func ValidEndpoint(s string) error {
	_, err := EndpointURL(s)
	return err
}

// EndpointURL reads an endpoint; without a scheme it is https for names and http is
// never assumed.
func EndpointURL(s string) (*url.URL, error) {
	s = strings.TrimSpace(s)
	if !strings.Contains(s, "://") {
		s = "https://" + s
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("give an address such as https://service.example.com or http://10.0.0.8:9000.")
	}
	switch {
	case u.Hostname() == "" || strings.ContainsAny(u.Host, " \\\"'<>"):
		return nil, errors.New("the host is missing or malformed.")
	case u.User != nil:
		return nil, errors.New("user and password do not belong into the address.")
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("give the address without path, query and fragment.")
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.Atoi(p); err != nil || n < 1 || n > 65535 {
			return nil, errors.New("the port must be from 1 to 65535.")
		}
	}
	u.Path = ""
	return u, nil
}

// HostPort is what dialling the endpoint opens.
func HostPort(u *url.URL) string {
	if p := u.Port(); p != "" {
		return net.JoinHostPort(u.Hostname(), p)
	}
	if u.Scheme == "http" {
		return net.JoinHostPort(u.Hostname(), "80")
	}
	return net.JoinHostPort(u.Hostname(), "443")
}
