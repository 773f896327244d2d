package fc

import (
	"maps"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/runner/aliyun"
	"github.com/sluice-io/sluice/runner/connector"
)

func resolved(change connector.Config, env connector.Env) (connector.Config, []connector.FieldError) {
	s := Spec()
	given := connector.Config{"name": "n", "connector.class": Class, "topics": "orders", keyFunction: "f", "aliyun.access.key.id": "a", "aliyun.access.key.secret": "b"}
	maps.Copy(given, change)
	cfg := s.Resolve(given, env)
	return cfg, s.Problems(cfg, env)
}

var hangzhou = connector.Env{Instance: "i", Region: "cn-hangzhou"}

func TestEndpointFollows(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		change connector.Config
		env    connector.Env
		want   string
	}{
		{connector.Config{keyService: "s", keyAccount: "123"}, hangzhou, "123.cn-hangzhou-internal.fc.aliyuncs.com"},
		{connector.Config{keyService: "s", keyAccount: "123", "internet.access": "true"}, hangzhou, "123.cn-hangzhou.fc.aliyuncs.com"},
		{connector.Config{keyAccount: "123"}, hangzhou, "123.cn-hangzhou-internal.fc.aliyuncs.com"},
		{connector.Config{}, hangzhou, "fcv3-vpc.cn-hangzhou.aliyuncs.com"},
		{connector.Config{"internet.access": "true"}, hangzhou, "fcv3.cn-hangzhou.aliyuncs.com"},
		{connector.Config{"internet.access": "true", keyAccount: "123", keyCross: "true", keyRegion: "cn-beijing", keyService: "s"}, hangzhou, "123.cn-beijing.fc.aliyuncs.com"},
		{connector.Config{"internet.access": "true", keyRegion: "cn-beijing"}, hangzhou, "fcv3.cn-hangzhou.aliyuncs.com"}, // not asked for without fc.cross
		{connector.Config{keyService: "s"}, hangzhou, ""},
		{connector.Config{keyService: "s", keyAccount: "123"}, connector.Env{Region: "self-hosted"}, ""},
		{connector.Config{keyEndpoint: "http://10.0.0.1:9000", keyAccount: "123"}, hangzhou, "http://10.0.0.1:9000"},
	} {
		cfg, problems := resolved(c.change, c.env)
		if got := cfg.Get(keyEndpoint); got != c.want {
			t.Errorf("%v: endpoint %q, want %q", c.change, got, c.want)
		}
		if (len(problems) > 0) != (c.want == "") {
			t.Errorf("%v: %v", c.change, problems)
		}
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	cfg, problems := resolved(nil, hangzhou)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for k, want := range map[string]string{
		keyCross: "false", keyRegion: "", keyQualifier: "LATEST", keyMode: "async", keyBatchSize: "20", keyBatchBytes: "131072", keyAsyncID: "true",
		keyOrdering: "partition", keyInflight: "", keyOnError: "whole", keyBinary: "base64", "tasks.max": "3", "flush.interval.ms": "1000", "flush.size": "", "errors.retry.limit": "2",
	} {
		if cfg.Get(k) != want {
			t.Errorf("%s is %q, want %q", k, cfg.Get(k), want)
		}
	}
	cfg, _ = resolved(connector.Config{keyMode: "sync", keyOrdering: "none", keyCross: "true"}, hangzhou)
	for k, want := range map[string]string{keyBatchBytes: "6291456", keyAsyncID: "", keyInflight: "8", keyRegion: "cn-hangzhou"} {
		if cfg.Get(k) != want {
			t.Errorf("%s is %q, want %q", k, cfg.Get(k), want)
		}
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change connector.Config
		field  string // "" = fine
		says   string
	}{
		"another region":      {connector.Config{keyCross: "true", keyRegion: "cn-beijing", keyEndpoint: "10.0.0.1:443"}, keyRegion, "needs Internet access"},
		"with access":         {connector.Config{keyCross: "true", keyRegion: "cn-beijing", "internet.access": "true"}, "", ""},
		"no account":          {connector.Config{keyService: "s"}, keyEndpoint, keyAccount},
		"async over limit":    {connector.Config{keyBatchBytes: "131073"}, keyBatchBytes, "131072"},
		"sync 32 MiB":         {connector.Config{keyMode: "sync", keyBatchBytes: "32MiB"}, "", ""},
		"sync over limit":     {connector.Config{keyMode: "sync", keyBatchBytes: "33MiB"}, keyBatchBytes, "33554432"},
		"batch of none":       {connector.Config{keyBatchSize: "0"}, keyBatchSize, "10000"},
		"batch too large":     {connector.Config{keyBatchSize: "10001"}, keyBatchSize, "10000"},
		"account":             {connector.Config{keyAccount: "me", keyEndpoint: "10.0.0.1:443"}, keyAccount, "number"},
		"service":             {connector.Config{keyService: "a b", keyEndpoint: "10.0.0.1:443"}, keyService, "letters"},
		"function":            {connector.Config{keyFunction: "a/b"}, keyFunction, "letters"},
		"no function":         {connector.Config{keyFunction: ""}, keyFunction, "required"},
		"function of 2.0":     {connector.Config{keyFunction: "svc$fn"}, "", ""},
		"qualifier":           {connector.Config{keyQualifier: "a.b"}, keyQualifier, "version"},
		"role without a name": {connector.Config{"aliyun.auth": "ram_role", keyAccount: "123"}, aliyun.KeyRoleName, "role"},
		"role of fc.account":  {connector.Config{"aliyun.auth": "ram_role", keyAccount: "123", aliyun.KeyRoleName: "r"}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, problems := resolved(c.change, hangzhou)
			switch {
			case c.field == "" && len(problems) > 0:
				t.Error(problems)
			case c.field != "" && (len(problems) != 1 || problems[0].Field != c.field || !strings.Contains(problems[0].Message, c.says)):
				t.Errorf("%v, want %s: … %s …", problems, c.field, c.says)
			}
		})
	}
}

func TestFixedAndShapes(t *testing.T) {
	t.Parallel()
	s := Spec()
	fixed := map[string]bool{keyService: true, keyFunction: true}
	shapes := map[string]bool{keyMode: true, keyBatchSize: true, keyBatchBytes: true, keyBinary: true}
	for _, f := range s.Fields() {
		if !strings.HasPrefix(f.Key, "fc.") {
			continue
		}
		if (f.Fixed == connector.FixedAfterDelivery) != fixed[f.Key] {
			t.Errorf("%s is fixed %q", f.Key, f.Fixed)
		}
		if f.Shapes != shapes[f.Key] {
			t.Errorf("%s shapes: %v", f.Key, f.Shapes)
		}
	}
	cfg, _ := resolved(connector.Config{keyEndpoint: "http://10.0.0.1:9000"}, hangzhou)
	if at := s.Reach(cfg, hangzhou); len(at) != 1 || at[0].Key != keyEndpoint || at[0].Address != "10.0.0.1:9000" {
		t.Errorf("reach %v", at)
	}
}
