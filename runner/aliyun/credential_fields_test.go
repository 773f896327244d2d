package aliyun_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/runner/aliyun"
	"github.com/sluice-io/sluice/runner/connector"
)

// fieldsSpec is a connector with the credential fields and an account of its own.
func fieldsSpec() connector.Spec {
	return connector.Spec{Class: "X", Validate: aliyun.CredentialProblems, Steps: []connector.Step{{Fields: append([]connector.Field{
		{Key: "x.account", Kind: connector.String}, {Key: connector.KeyInternetAccess, Kind: connector.Bool, Default: connector.Const("false")}}, aliyun.CredentialFields("x.account")...)}}}
}

var pair = connector.Config{aliyun.KeyAccessKeyID: "LTAI", aliyun.KeyAccessSecret: "s"}

func with(change connector.Config) connector.Config {
	out := pair.Clone()
	maps.Copy(out, change)
	return out
}

func TestFieldsFollowTheAuthentication(t *testing.T) {
	t.Parallel()
	spec := fieldsSpec()
	all := with(connector.Config{aliyun.KeyRoleARN: "acs:ram::1:role/r", aliyun.KeyAccount: "1", aliyun.KeyRoleName: "r", aliyun.KeySTSEndpoint: "sts.example.com"})
	for auth, want := range map[string][]string{
		"":                   {aliyun.KeyAuth, aliyun.KeyAccessKeyID, aliyun.KeyAccessSecret},
		aliyun.AuthAccessKey: {aliyun.KeyAuth, aliyun.KeyAccessKeyID, aliyun.KeyAccessSecret},
		aliyun.AuthRAMRole:   {aliyun.KeyAuth, aliyun.KeyAccessKeyID, aliyun.KeyAccessSecret, aliyun.KeyRoleARN, aliyun.KeyAccount, aliyun.KeyRoleName, aliyun.KeySTSEndpoint},
		aliyun.AuthECSRole:   {aliyun.KeyAuth},
	} {
		given := all.Clone()
		given[aliyun.KeyAuth] = auth
		got := spec.Resolve(given, connector.Env{})
		delete(got, connector.KeyInternetAccess)
		if keys := slices.Sorted(maps.Keys(got)); !slices.Equal(keys, slices.Sorted(slices.Values(want))) {
			t.Errorf("%q: %v", auth, keys)
		}
	}
}

func TestCredentialProblems(t *testing.T) {
	t.Parallel()
	spec := fieldsSpec()
	role := func(change connector.Config) connector.Config {
		c := with(connector.Config{aliyun.KeyAuth: aliyun.AuthRAMRole, aliyun.KeySTSEndpoint: "sts.example.com"})
		maps.Copy(c, change)
		return c
	}
	for _, c := range []struct {
		name  string
		given connector.Config
		env   connector.Env
		field string // "" is none
		says  string
	}{
		{"a pair", with(nil), connector.Env{}, "", ""},
		{"no pair", connector.Config{}, connector.Env{}, aliyun.KeyAccessKeyID, "required"},
		{"another kind", with(connector.Config{aliyun.KeyAuth: "oidc"}), connector.Env{}, aliyun.KeyAuth, "access_key, ram_role, ecs_ram_role"},
		{"ECS not allowed", connector.Config{aliyun.KeyAuth: aliyun.AuthECSRole}, connector.Env{}, aliyun.KeyAuth, "SLUICE_ALLOW_ECS_RAM_ROLE=on"},
		{"ECS allowed", connector.Config{aliyun.KeyAuth: aliyun.AuthECSRole}, connector.Env{AllowECSRAMRole: true}, "", ""},
		{"role without a pair", connector.Config{aliyun.KeyAuth: aliyun.AuthRAMRole, aliyun.KeySTSEndpoint: "sts.example.com", aliyun.KeyRoleARN: "acs:ram::1:role/r"}, connector.Env{}, aliyun.KeyAccessKeyID, "required"},
		{"by ARN", role(connector.Config{aliyun.KeyRoleARN: "acs:ram::1:role/r"}), connector.Env{}, "", ""},
		{"by account and name", role(connector.Config{aliyun.KeyAccount: "1", aliyun.KeyRoleName: "r"}), connector.Env{}, "", ""},
		{"by the connector's own account", role(connector.Config{"x.account": "1", aliyun.KeyRoleName: "r"}), connector.Env{}, "", ""},
		{"neither", role(nil), connector.Env{}, aliyun.KeyRoleARN, "its ARN, or the account's ID and the role's name"},
		{"no name", role(connector.Config{aliyun.KeyAccount: "1"}), connector.Env{}, aliyun.KeyRoleName, "the role's name"},
		{"no account", role(connector.Config{aliyun.KeyRoleName: "r"}), connector.Env{}, aliyun.KeyAccount, "the account's ID"},
		{"both, agreeing", role(connector.Config{aliyun.KeyRoleARN: "acs:ram::1:role/r", aliyun.KeyAccount: "1", aliyun.KeyRoleName: "r"}), connector.Env{}, "", ""},
		{"both, another account", role(connector.Config{aliyun.KeyRoleARN: "acs:ram::1:role/r", aliyun.KeyAccount: "2", aliyun.KeyRoleName: "r"}), connector.Env{}, aliyun.KeyRoleARN, "another role"},
		{"both, another name", role(connector.Config{aliyun.KeyRoleARN: "acs:ram::1:role/r", aliyun.KeyRoleName: "s"}), connector.Env{}, aliyun.KeyRoleARN, "another role"},
		{"the connector's account is not the role's", role(connector.Config{aliyun.KeyRoleARN: "acs:ram::1:role/r", "x.account": "2"}), connector.Env{}, "", ""},
		{"an ARN of a user", role(connector.Config{aliyun.KeyRoleARN: "acs:ram::1:user/r"}), connector.Env{}, aliyun.KeyRoleARN, "acs:ram::"},
		{"an account that is a name", role(connector.Config{aliyun.KeyAccount: "me", aliyun.KeyRoleName: "r"}), connector.Env{}, aliyun.KeyAccount, "digits"},
		{"a name with a slash", role(connector.Config{aliyun.KeyAccount: "1", aliyun.KeyRoleName: "a/b"}), connector.Env{}, aliyun.KeyRoleName, "letters"},
		{"STS over HTTP", role(connector.Config{aliyun.KeyRoleARN: "acs:ram::1:role/r", aliyun.KeySTSEndpoint: "http://sts.example.com"}), connector.Env{}, aliyun.KeySTSEndpoint, "HTTPS only"},
		{"no STS known", connector.Config{aliyun.KeyAuth: aliyun.AuthRAMRole, aliyun.KeyAccessKeyID: "L", aliyun.KeyAccessSecret: "s", aliyun.KeyRoleARN: "acs:ram::1:role/r"}, connector.Env{Region: "self-hosted"}, aliyun.KeySTSEndpoint, "required"},
	} {
		got := spec.Problems(spec.Resolve(c.given, c.env), c.env)
		switch {
		case c.field == "" && len(got) == 0:
		case c.field == "" || len(got) == 0 || got[0].Field != c.field || !strings.Contains(got[0].Message, c.says):
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestSTSByRegion(t *testing.T) {
	t.Parallel()
	spec := fieldsSpec()
	for _, c := range []struct{ region, internet, endpoint, reach string }{
		{"cn-hangzhou", "false", "sts-vpc.cn-hangzhou.aliyuncs.com", "sts-vpc.cn-hangzhou.aliyuncs.com:443"},
		{"cn-hangzhou", "true", "sts.cn-hangzhou.aliyuncs.com", "sts.cn-hangzhou.aliyuncs.com:443"},
		{"eu-central-1", "false", "sts-vpc.eu-central-1.aliyuncs.com", "sts-vpc.eu-central-1.aliyuncs.com:443"},
		{"self-hosted", "true", "sts.aliyuncs.com", "sts.aliyuncs.com:443"},
		{"self-hosted", "false", "", ""},
	} {
		cfg := spec.Resolve(with(connector.Config{aliyun.KeyAuth: aliyun.AuthRAMRole, connector.KeyInternetAccess: c.internet}), connector.Env{Region: c.region})
		reach := aliyun.CredentialReach(cfg)
		if cfg.Get(aliyun.KeySTSEndpoint) != c.endpoint || (c.reach == "") != (len(reach) == 0) || c.reach != "" && (reach[0].Address != c.reach || reach[0].Key != aliyun.KeySTSEndpoint) {
			t.Errorf("%+v: %q, %v", c, cfg.Get(aliyun.KeySTSEndpoint), reach)
		}
	}
	if got := aliyun.CredentialReach(with(connector.Config{aliyun.KeySTSEndpoint: "sts.example.com"})); got != nil {
		t.Errorf("an access key reaches %v", got)
	}
}

func TestHasCredentials(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		cfg  connector.Config
		want bool
	}{
		{connector.Config{}, false},
		{pair, true},
		{connector.Config{aliyun.KeyAccessKeyID: "L"}, false},
		{with(connector.Config{aliyun.KeyAuth: aliyun.AuthRAMRole}), false},
		{with(connector.Config{aliyun.KeyAuth: aliyun.AuthRAMRole, aliyun.KeyRoleARN: "acs:ram::1:role/r"}), true},
		{connector.Config{aliyun.KeyAuth: aliyun.AuthRAMRole, aliyun.KeyRoleARN: "acs:ram::1:role/r"}, false},
		{connector.Config{aliyun.KeyAuth: aliyun.AuthECSRole}, true},
	} {
		if aliyun.HasCredentials(c.cfg) != c.want {
			t.Errorf("%v: %v", c.cfg, !c.want)
		}
	}
}
