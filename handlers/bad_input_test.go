package handlers_test

import (
	"fmt"
	"strings"
	"testing"
)

// badCase is one refusal: what is asked, which code, and a word that the answer must
// hold, the name of the field where there is one.
type badCase struct {
	request
	status int
	names  string
}

func bad(method, path, body string, status int, names string) badCase {
	return badCase{request{method: method, path: path, body: body}, status, names}
}

const (
	connectors = "/connect/sandbox/connectors"
	instances  = "/api/v1/instances"
	topics     = "/api/v1/instances/sandbox/topics"
	oneLogs    = "/api/v1/instances/sandbox/connectors/a/logs"
)

// create is the body of POST /connectors with one member of config replaced or added.
func with(key, value string) string {
	return `{"name":"bad","config":{` + config + `,"` + key + `":` + value + `}}`
}

func connectBodies() []badCase {
	long := strings.Repeat("x", 300)
	return []badCase{
		bad("POST", connectors, `{`, 400, "not JSON"),
		bad("POST", connectors, `[]`, 400, "an array"),
		bad("POST", connectors, `null`, 400, "null"),
		bad("POST", connectors, `"text"`, 400, "a string"),
		bad("POST", connectors, `42`, 400, "a number"),
		bad("POST", connectors, `{} {}`, 400, "more than one"),
		bad("POST", connectors, `{"name":"bad"}`, 400, "config"),
		bad("POST", connectors, `{"name":"bad","config":null}`, 400, "config"),
		bad("POST", connectors, `{"name":"bad","config":[]}`, 400, "config"),
		bad("POST", connectors, `{"name":"bad","config":"x"}`, 400, "config"),
		bad("POST", connectors, `{"name":["bad"],"config":{`+config+`}}`, 400, "name"),
		bad("POST", connectors, `{"name":{},"config":{`+config+`}}`, 400, "name"),
		bad("POST", connectors, `{"name":"bad","extra":1,"config":{`+config+`}}`, 400, "extra"),
		bad("POST", connectors, `{"name":"bad","initial_state":5,"config":{`+config+`}}`, 400, "initial_state"),
		bad("POST", connectors, `{"name":"bad","initial_state":"","config":{`+config+`}}`, 400, "initial_state"),
		bad("POST", connectors, "{\"name\":\"b\xff\",\"config\":{}}", 400, "UTF-8"),
		bad("POST", connectors, `{"name":"Bad","config":{`+config+`}}`, 400, "name"),
		bad("POST", connectors, `{"name":"-bad","config":{`+config+`}}`, 400, "name"),
		bad("POST", connectors, `{"name":"new","config":{`+config+`}}`, 400, "name"),
		bad("POST", connectors, `{"name":"a/b","config":{`+config+`}}`, 400, "name"),
		bad("POST", connectors, `{"name":"a%b","config":{`+config+`}}`, 400, "name"),
		bad("POST", connectors, `{"name":"../etc","config":{`+config+`}}`, 400, "name"),
		bad("POST", connectors, `{"name":"<script>","config":{`+config+`}}`, 400, "name"),
		bad("POST", connectors, `{"name":"名字","config":{`+config+`}}`, 400, "name"),
		bad("POST", connectors, `{"name":"`+long+`","config":{`+config+`}}`, 400, "name"),
		bad("POST", connectors, with("tasks.max", `"abc"`), 400, "tasks.max"),
		bad("POST", connectors, with("tasks.max", `0`), 400, "tasks.max"),
		bad("POST", connectors, with("tasks.max", `-1`), 400, "tasks.max"),
		bad("POST", connectors, with("tasks.max", `1.5`), 400, "tasks.max"),
		bad("POST", connectors, with("tasks.max", `1e99`), 400, "tasks.max"),
		bad("POST", connectors, with("tasks.max", `99999999999999999999999999`), 400, "tasks.max"),
		bad("POST", connectors, with("tasks.max", `[1]`), 400, "tasks.max"),
		bad("POST", connectors, with("tasks.max", `{"a":1}`), 400, "tasks.max"),
		bad("POST", connectors, with("tasks.max", `null`), 400, "tasks.max"),
		bad("POST", connectors, with("topics", `""`), 400, "topics"),
		bad("POST", connectors, with("topics", `"../etc/passwd"`), 400, "topics"),
		bad("POST", connectors, with("topics", `"a,,a"`), 400, "topics"),
		bad("POST", connectors, with("topics", `"<b>"`), 400, "topics"),
		bad("POST", connectors, with("topics", `"connect-error-bad"`), 400, "topics"),
		bad("POST", connectors, with("topics", `"`+long+`"`), 400, "topics"),
		bad("POST", connectors, with("description", `"`+long+`"`), 400, "description"),
		bad("POST", connectors, with("description", `"a\u0000b"`), 400, "description"),
		bad("POST", connectors, with("flush.size", `0`), 400, "flush.size"),
		bad("POST", connectors, with("flush.bytes", `"1TB"`), 400, "flush.bytes"),
		bad("POST", connectors, with("flush.bytes", `"9999999GiB"`), 400, "flush.bytes"),
		bad("POST", connectors, with("flush.interval.ms", `"1s"`), 400, "flush.interval.ms"),
		bad("POST", connectors, with("errors.tolerance", `"some"`), 400, "errors.tolerance"),
		bad("POST", connectors, with("errors.retry.limit", `101`), 400, "errors.retry.limit"),
		bad("POST", connectors, with("errors.outage", `"panic"`), 400, "errors.outage"),
		bad("POST", connectors, with("consumer.override.auto.offset.reset", `"none"`), 400, "consumer.override.auto.offset.reset"),
		bad("POST", connectors, with("internet.access", `"yes"`), 400, "internet.access"),
		bad("POST", connectors, with("oss.format", `"xml"`), 400, "oss.format"),
		bad("POST", connectors, with("oss.compression", `"rar"`), 400, "oss.compression"),
		bad("POST", connectors, with("oss.timezone", `"Moon/Base"`), 400, "oss.timezone"),
		bad("POST", connectors, with("oss.timezone", `"../../etc/passwd"`), 400, "oss.timezone"),
		bad("POST", connectors, with("oss.path", `"{unknown}"`), 400, "oss.path"),
		bad("POST", connectors, with("oss.path", `"{topic"`), 400, "oss.path"),
		bad("POST", connectors, with("oss.prefix", `"/abs"`), 400, "oss.prefix"),
		bad("POST", connectors, with("oss.prefix", `"a/../b"`), 400, "oss.prefix"),
		bad("POST", connectors, with("oss.bucket", `"Bucket"`), 400, "oss.bucket"),
		bad("POST", connectors, with("oss.bucket", `"a/b"`), 400, "oss.bucket"),
		bad("POST", connectors, with("oss.region", `"cn-nowhere/x"`), 400, "oss.region"),
		bad("POST", connectors, with("oss.region", `"cn-hangzhou"`), 400, "oss.region"),
		bad("POST", connectors, with("group.id", `"a b"`), 400, "group.id"),
		bad("POST", connectors, with("offset.storage.topic", `".."`), 400, "offset.storage.topic"),
		bad("POST", connectors, with("offset.storage.topic", `"connect-offset-a"`), 400, "offset.storage.topic"),
		bad("POST", connectors, with("resources.mode", `"magic"`), 400, "resources.mode"),
		bad("POST", connectors, with("aliyun.access.key.id", `""`), 400, "aliyun.access.key.id"),
		bad("POST", connectors, with("aliyun.access.key.secret", `"******"`), 400, "aliyun.access.key.secret"),
		bad("POST", connectors, with("aliyun.auth", `"magic"`), 400, "aliyun.auth"),
		bad("POST", connectors, with("aliyun.auth", `"ecs_ram_role"`), 400, "SLUICE_ALLOW_ECS_RAM_ROLE"),
		bad("POST", connectors, with("aliyun.auth", `"ram_role"`), 400, "aliyun.sts.endpoint"),
		bad("POST", connectors, with("aliyun.auth", `"ram_role","aliyun.sts.endpoint":"http://127.0.0.1:2"`), 400, "HTTPS"),
		bad("POST", connectors, with("aliyun.auth", `"ram_role","aliyun.sts.endpoint":"127.0.0.1:2"`), 400, "aliyun.role.arn"),
		bad("POST", connectors, with("aliyun.auth", `"ram_role","aliyun.sts.endpoint":"127.0.0.1:2","aliyun.role.name":"r"`), 400, "aliyun.account"),
		bad("POST", connectors, with("aliyun.auth", `"ram_role","aliyun.sts.endpoint":"127.0.0.1:2","aliyun.role.arn":"acs:ram::1:user/x"`), 400, "acs:ram::"),
		bad("POST", connectors, with("aliyun.auth", `"ram_role","aliyun.sts.endpoint":"169.254.169.254","aliyun.role.arn":"acs:ram::1:role/x"`), 400, "aliyun.sts.endpoint"),
		bad("POST", connectors, with(strings.Repeat("k", 300), `"1"`), 400, "kkkk"),
		bad("POST", connectors, with(`a\u0001b`, `"1"`), 400, "name has 1 to 256"),
		bad("PUT", connectors+"/bad/config", `{"connector.class":7}`, 400, "7"),
		bad("PUT", connectors+"/bad/config", `{"connector.class":["KAFKA2OSS"]}`, 400, "connector.class"),
		bad("PUT", connectors+"/bad/config", `[]`, 400, "an array"),
		bad("PUT", connectors+"/Bad/config", `{`+config+`}`, 400, "name"),
		bad("PATCH", connectors+"/a/config", `{"tasks.max":"many"}`, 400, "tasks.max"),
		bad("PATCH", connectors+"/a/config", `{"topics":null}`, 400, "topics"),
		bad("PATCH", connectors+"/a/config", `{"connector.class":null}`, 400, "no connector type"),
		bad("PATCH", connectors+"/a/config", `{"oss.bucket":[]}`, 400, "oss.bucket"),
		bad("PATCH", connectors+"/a/config", `null`, 400, "null"),
		bad("PATCH", connectors+"/a/config", ``, 400, "empty"),
		bad("PATCH", connectors+"/stopped/offsets", `{"offsets":{}}`, 400, "offsets"),
		bad("PATCH", connectors+"/stopped/offsets", `{"offsets":[1]}`, 400, "offsets"),
		bad("PATCH", connectors+"/stopped/offsets", `{"x":[]}`, 400, "x"),
		bad("PATCH", connectors+"/stopped/offsets", `{"offsets":[{"partition":{"kafka_topic":"orders","kafka_partition":99999999999}}]}`, 400, "partition"),
		bad("PATCH", connectors+"/stopped/offsets", `{"offsets":[{"partition":{"kafka_topic":"orders","kafka_partition":0},"offset":{"kafka_offset":1e30}}]}`, 400, "offset"),
		bad("PUT", "/connect/sandbox/connector-plugins/KAFKA2OSS/config/validate", `{"a":{}}`, 400, "a"),
		bad("PUT", "/connect/sandbox/connector-plugins/KAFKA2OSS/config/validate", `x`, 400, "not JSON"),
		bad("PUT", "/connect/sandbox/admin/loggers/root", `{"level":{}}`, 404, "level"),
	}
}

// ssrf are addresses that a connector must not be pointed at, by IP and odd spellings.
func ssrf() []badCase {
	var out []badCase
	for _, host := range []string{
		"169.254.169.254", "100.100.100.200", "[::ffff:169.254.169.254]", "[fe80::1]", "8.8.8.8", "[2001:4860:4860::8888]",
		"0x7f.0.0.1", "2852039166", "0251.0376.0251.0376", "169.254.43518", "0.0.0.0", "[::]", "[::1]", "[fd00:ec2::254%25eth0]", "224.0.0.1", "255.255.255.255",
	} {
		out = append(out, bad("POST", connectors, with("oss.endpoint", `"http://`+host+`:80"`), 400, "oss.endpoint"),
			bad("POST", connectors, with("aliyun.auth", `"ram_role","aliyun.role.arn":"acs:ram::1:role/x","aliyun.sts.endpoint":"`+host+`"`), 400, "aliyun.sts.endpoint"),
			bad("POST", instances, `{"name":"bad","bootstrap.servers":"`+host+`:9092"}`, 422, "bootstrap.servers"))
	}
	for _, endpoint := range []string{"file:///etc/passwd", "gopher://127.0.0.1", "http://user:pass@127.0.0.1", "http://127.0.0.1/path", "http://127.0.0.1:99999", "http://", "javascript:alert(1)", "http://127.0.0.1?x=1", "ht tp://x", "http://[::1"} {
		out = append(out, bad("POST", connectors, with("oss.endpoint", `"`+endpoint+`"`), 400, "oss.endpoint"))
	}
	return out
}

func instanceBodies() []badCase {
	in := func(members string) string {
		return `{"name":"bad","bootstrap.servers":"127.0.0.1:9092",` + members + `}`
	}
	return []badCase{
		bad("POST", instances, `{`, 400, "not JSON"),
		bad("POST", instances, `[]`, 400, "an array"),
		bad("POST", instances, `null`, 400, "null"),
		bad("POST", instances, ``, 400, "empty"),
		bad("POST", instances, `{}`, 422, "bootstrap.servers"),
		bad("POST", instances, `{"name":"Bad Name","bootstrap.servers":"127.0.0.1:9092"}`, 422, "name"),
		bad("POST", instances, `{"name":5,"bootstrap.servers":"127.0.0.1:9092"}`, 422, "name"),
		bad("POST", instances, `{"name":"bad","bootstrap.servers":""}`, 422, "bootstrap.servers"),
		bad("POST", instances, `{"name":"bad","bootstrap.servers":"127.0.0.1"}`, 422, "bootstrap.servers"),
		bad("POST", instances, `{"name":"bad","bootstrap.servers":"127.0.0.1:0"}`, 422, "bootstrap.servers"),
		bad("POST", instances, `{"name":"bad","bootstrap.servers":"127.0.0.1:70000"}`, 422, "bootstrap.servers"),
		bad("POST", instances, `{"name":"bad","bootstrap.servers":"a b:9092"}`, 422, "bootstrap.servers"),
		bad("POST", instances, `{"name":"bad","bootstrap.servers":"http://k:9092"}`, 422, "bootstrap.servers"),
		bad("POST", instances, `{"name":"bad","bootstrap.servers":"k:9092,k:9092"}`, 422, "bootstrap.servers"),
		bad("POST", instances, `{"name":"bad","bootstrap.servers":["k:9092"]}`, 422, "bootstrap.servers"),
		bad("POST", instances, `{"name":"bad","bootstrap.servers":"`+strings.Repeat("k:1,", 1000)+`k:2"}`, 422, "bootstrap.servers"),
		bad("POST", instances, in(`"region":"atlantis"`), 422, "region"),
		bad("POST", instances, in(`"security.protocol":"HTTP"`), 422, "security.protocol"),
		bad("POST", instances, in(`"security.protocol":"SASL_SSL"`), 422, "sasl.username"),
		bad("POST", instances, in(`"security.protocol":"SASL_SSL","sasl.mechanism":"GSSAPI","sasl.username":"u","sasl.password":"p"`), 422, "sasl.mechanism"),
		bad("POST", instances, in(`"sasl.mechanism":"PLAIN"`), 422, "sasl.mechanism"),
		bad("POST", instances, in(`"sasl.password":"p"`), 422, "sasl.password"),
		bad("POST", instances, in(`"ssl.ca.pem":"x"`), 422, "ssl.ca.pem"),
		bad("POST", instances, in(`"security.protocol":"SSL","ssl.ca.pem":"no pem"`), 422, "ssl.ca.pem"),
		bad("POST", instances, in(`"security.protocol":"SSL","ssl.ca.pem":"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"`), 422, "ssl.ca.pem"),
		bad("POST", instances, in(`"security.protocol":"SSL","ssl.ca.pem":"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"`), 422, "ssl.ca.pem"),
		bad("POST", instances, in(`"internet.access":"maybe"`), 422, "internet.access"),
		bad("POST", instances, in(`"internet.access":1`), 422, "internet.access"),
		bad("POST", instances, in(`"connector.quota":"3"`), 422, "connector.quota"),
		bad("POST", instances, in(`"connector.quota":1.5`), 422, "connector.quota"),
		bad("POST", instances, in(`"connector.quota":-1`), 422, "connector.quota"),
		bad("POST", instances, in(`"connector.quota":99999999999`), 422, "connector.quota"),
		bad("POST", instances, in(`"vpc.id":{}`), 422, "vpc.id"),
		bad("POST", instances, in(`"vpc.id":"`+strings.Repeat("v", 200)+`"`), 422, "vpc.id"),
		bad("POST", instances, in(`"unknown":"x"`), 422, "unknown"),
		bad("POST", instances, in(`"enabled":true`), 422, "enabled"),
		bad("PATCH", instances+"/sandbox", `{"name":"other"}`, 422, "name"),
		bad("PATCH", instances+"/sandbox", `{"bootstrap.servers":null}`, 422, "bootstrap.servers"),
		bad("PATCH", instances+"/sandbox", `{"version":"4.0"}`, 422, "version"),
		bad("PATCH", instances+"/sandbox", `3`, 400, "a number"),
		bad("PATCH", instances+"/nothing", `{}`, 404, "nothing"),
		bad("DELETE", instances+"/nothing", ``, 404, "nothing"),
		bad("POST", instances+"/nothing/enable", ``, 404, "nothing"),
		bad("POST", instances+"/sandbox/quota-requests", `{"wanted":1}`, 422, "wanted"),
		bad("POST", instances+"/sandbox/quota-requests", `{"wanted":"many"}`, 422, "wanted"),
		bad("GET", instances+"?limit=0", ``, 422, "limit"),
		bad("GET", instances+"?limit=x", ``, 422, "limit"),
		bad("GET", instances+"?cursor=***", ``, 422, "cursor"),
	}
}

func otherBodies() []badCase {
	return []badCase{
		bad("POST", instances+"/sandbox/checks", `{}`, 422, "config"),
		bad("POST", instances+"/sandbox/checks", `{"config":[]}`, 422, "config"),
		bad("POST", instances+"/sandbox/checks", `{"config":{"a":[]}}`, 422, "config.a"),
		bad("POST", instances+"/sandbox/checks", `{"config":{}}`, 422, "connector.class"),
		bad("POST", instances+"/sandbox/checks", `{"config":{},"step":"last"}`, 422, "step"),
		bad("POST", instances+"/sandbox/checks", `{"config":{},"x":1}`, 422, "x"),
		bad("POST", instances+"/sandbox/preview", `{"config":{"connector.class":"X"}}`, 422, "connector.class"),
		bad("POST", instances+"/sandbox/preview", `{"config":{"name":"p",`+config+`,"oss.endpoint":"http://169.254.169.254"}}`, 422, "oss.endpoint"),
		bad("POST", topics, `{"name":"","partitions":1}`, 422, "name"),
		bad("POST", topics, `{"name":"a/b","partitions":1}`, 422, "name"),
		bad("POST", topics, `{"name":"..","partitions":1}`, 422, "name"),
		bad("POST", topics, `{"name":"t","partitions":0}`, 422, "partitions"),
		bad("POST", topics, `{"name":"t","partitions":1000000}`, 422, "partitions"),
		bad("POST", topics, `{"name":"t","partitions":"six"}`, 422, "partitions"),
		bad("POST", topics, `{"name":"t","replicas":-1}`, 422, "replicas"),
		bad("POST", topics, `{"name":"t","config":"x"}`, 422, "config"),
		bad("POST", topics, `{"name":"t","config":{"a":null}}`, 422, "config.a"),
		bad("POST", topics, `{"name":"t","owner":"me"}`, 422, "owner"),
		bad("GET", topics+"/nothing", ``, 404, "nothing"),
		bad("POST", topics+"/nothing/records", `{"value":"x"}`, 404, "nothing"),
		bad("POST", topics+"/orders/records", `{"partition":3,"value":"x"}`, 422, "partition"),
		bad("POST", topics+"/orders/records", `{"partition":-2,"value":"x"}`, 422, "partition"),
		bad("POST", topics+"/orders/records", `{"partition":"0","value":"x"}`, 422, "partition"),
		bad("POST", topics+"/orders/records", `{"value":5}`, 422, "value"),
		bad("POST", topics+"/orders/records", `{"key":{},"value":"x"}`, 422, "key"),
		bad("POST", topics+"/orders/records", `{"value":"@@","valueEncoding":"base64"}`, 422, "value"),
		bad("POST", topics+"/orders/records", `{"value":"x","valueEncoding":"hex"}`, 422, "valueEncoding"),
		bad("POST", topics+"/orders/records", `{"value":"x","headers":"h"}`, 422, "headers"),
		bad("POST", topics+"/orders/records", `{"value":"x","headers":{"a":1}}`, 422, "headers.a"),
		bad("POST", topics+"/orders/records", `{"value":"x","headers":[{"value":"1"}]}`, 422, "headers[0].key"),
		bad("POST", topics+"/orders/records", `{"value":"x","headers":{"":"1"}}`, 422, "headers[0].key"),
		bad("GET", topics+"/orders/records/x/0/fate?connector=a", ``, 422, "partition"),
		bad("GET", topics+"/orders/records/0/-1/fate?connector=a", ``, 422, "offset"),
		bad("GET", topics+"/orders/records/0/99999999999999999999/fate?connector=a", ``, 422, "offset"),
		bad("GET", topics+"/orders/records/0/0/fate", ``, 422, "connector"),
		bad("GET", topics+"/orders/records/0/0/fate?connector=nobody", ``, 404, "nobody"),
		bad("GET", topics+"/other/records/0/0/fate?connector=a", ``, 422, "connector"),
		bad("GET", oneLogs+"?level=LOUD", ``, 422, "level"),
		bad("GET", oneLogs+"?task=x", ``, 422, "task"),
		bad("GET", oneLogs+"?from=yesterday", ``, 422, "from"),
		bad("GET", oneLogs+"?to=2026-13-01T00:00:00Z", ``, 422, "to"),
		bad("GET", oneLogs+"?limit=1001", ``, 422, "limit"),
		bad("GET", oneLogs+"?follow=maybe", ``, 422, "follow"),
		bad("GET", oneLogs+"?q="+strings.Repeat("x", 1001), ``, 422, "q"),
		bad("PATCH", instances+"/sandbox", `{"foo":1}`, 422, "no member"),
		bad("GET", "/api/v1/instances/sandbox/connectors/nobody/logs", ``, 404, "nobody"),
		bad("GET", "/api/v1/instances/sandbox/connectors/nobody/versions", ``, 404, "nobody"),
		bad("POST", "/api/v1/instances/sandbox/connectors/a/choose", `{}`, 422, "choice"),
		bad("POST", "/api/v1/instances/sandbox/connectors/a/choose", `{"choice":1}`, 422, "choice"),
		bad("POST", "/api/v1/instances/sandbox/connectors/a/choose", `{"choice":"end","partition":"x"}`, 422, "partition"),
		bad("GET", "/api/v1/nothing", ``, 404, "nothing"),
		bad("DELETE", instances, ``, 405, "DELETE"),
		bad("GET", "/api/v2/instances", ``, 404, "nothing"),
		{request{method: "POST", path: instances, body: `name=bad`, kind: "application/x-www-form-urlencoded"}, 415, "JSON"},
		{request{method: "POST", path: instances, body: `{}`, kind: "application/json; charset=utf-16"}, 415, "JSON"},
		{request{method: "GET", path: instances, user: "-"}, 401, "Basic"},
		{request{method: "GET", path: instances, user: "nobody"}, 401, "Basic"},
		{request{method: "POST", path: instances, body: `{}`, user: "otto"}, 403, "admin"},
		{request{method: "DELETE", path: connectors + "/a", user: "vera"}, 403, "operator"},
		{request{method: "PUT", path: "/connect/sandbox/admin/loggers/root", body: `{"level":"INFO"}`, user: "otto"}, 403, "admin"},
	}
}

// tooLarge are bodies over 1 MiB, with and without a length that tells it.
func tooLarge() []badCase {
	big := `{"name":"bad","config":{"description":"` + strings.Repeat("x", 1<<20) + `"}}`
	var out []badCase
	for _, path := range []string{connectors, instances, topics, topics + "/orders/records", instances + "/sandbox/checks", "/api/v1/sandbox/oss/faults"} {
		for _, chunked := range []bool{false, true} {
			out = append(out, badCase{request{method: "POST", path: path, body: big, chunked: chunked}, 413, "1 MiB"})
		}
	}
	return append(out, bad("POST", connectors, with("my.key", `"`+strings.Repeat("y", 300<<10)+`"`), 400, "my.key"))
}

// TestBadInput: each refusal is a 4xx in the surface's own shape that names the
// field, nothing is made, and the server is well afterwards.
func TestBadInput(t *testing.T) {
	t.Parallel()
	s := newServer(t, "orders")
	s.create("a", "RUNNING")
	s.create("stopped", "STOPPED")
	cases := connectBodies()
	for _, more := range [][]badCase{ssrf(), instanceBodies(), otherBodies(), tooLarge()} {
		cases = append(cases, more...)
	}
	if len(cases) < 100 {
		t.Fatalf("only %d cases", len(cases))
	}
	for _, c := range cases {
		a := s.do(c.request)
		label := fmt.Sprintf("%s %s %.120s", c.method, c.path, c.body)
		if a.status != c.status || !strings.Contains(a.body, c.names) {
			t.Errorf("%s\n got %d %.400s\nwant %d naming %q", label, a.status, a.body, c.status, c.names)
		}
		kind := "application/json"
		if strings.HasPrefix(c.path, "/api/") {
			kind = "application/problem+json"
		}
		if a.header.Get("Content-Type") != kind {
			t.Errorf("%s: content type %q", label, a.header.Get("Content-Type"))
		}
		if len(a.body) > 8<<10 {
			t.Errorf("%s: an answer of %d bytes", label, len(a.body))
		}
	}
	if a := s.must(200, "GET", connectors, ""); a.body != `["a","stopped"]` {
		t.Errorf("connectors: %s", a.body)
	}
	if a := s.must(200, "GET", instances, ""); strings.Count(a.body, `"region":`) != 1 {
		t.Errorf("instances: %s", a.body)
	}
}
