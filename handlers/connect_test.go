package handlers_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
)

// stored is the configuration of config as it is answered.
const stored = `{"aliyun.access.key.id":"sandbox","aliyun.access.key.secret":"******","connector.class":"KAFKA2OSS","name":"a","oss.bucket":"sandbox-bucket","oss.endpoint":"http://127.0.0.1:19100","topics":"orders"`

const running = `"state":"RUNNING","worker_id":"127.0.0.1:8080","version":"1.0.0","detail":{"state":"RUNNING","cause":"","remedy":"","since":"2026-01-31T08:00:00Z","stalled":false}`

const footer = "\\nYou can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`"

func failure(code, message string) string {
	return `{"error_code":` + code + `,"message":"` + message + `"}`
}

func refusal(n string, messages ...string) string {
	return failure("400", "Connector configuration is invalid and contains the following "+n+" error(s):\\n"+strings.Join(messages, "\\n")+footer)
}

// TestConnect asks one call after the other of one server, each with the exact body
// that Kafka Connect 4.3.1 gives, or that Sluice gives on purpose. body "" is an empty
// one; a body that begins with "~" is a pattern.
func TestConnect(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	const base = "/connect/sandbox"
	full := `{"name":"a","config":{` + config + `}}`
	for _, step := range []struct {
		what string
		request
		status int
		want   string
	}{
		{"root", request{method: "GET", path: base + "/"}, 200, `~^\{"version":"4\.3\.1","commit":"test","kafka_cluster_id":".*"\}$`},
		{"root without slash", request{method: "GET", path: base}, 200, `~^\{"version":"4\.3\.1",`},
		{"health", request{method: "GET", path: base + "/health"}, 200, `{"status":"healthy","message":"Worker has completed startup and is ready to handle requests."}`},
		{"no connectors", request{method: "GET", path: base + "/connectors"}, 200, `[]`},
		{"trailing slash", request{method: "GET", path: base + "/connectors/"}, 200, `[]`},
		{"unknown parameter", request{method: "GET", path: base + "/connectors?x=1"}, 200, `[]`},
		{"unknown path", request{method: "GET", path: base + "/nothing"}, 404, failure("404", "HTTP 404 Not Found")},
		{"unknown path without credentials", request{method: "GET", path: base + "/nothing", user: "-"}, 404, failure("404", "HTTP 404 Not Found")},
		{"no instance", request{method: "GET", path: "/connect/"}, 404, failure("404", "HTTP 404 Not Found")},
		{"unknown instance", request{method: "GET", path: "/connect/other/connectors"}, 404, `~"error_code":404,"message":"Instance .*other.* not found\."`},
		{"case matters", request{method: "GET", path: base + "/Connectors"}, 404, failure("404", "HTTP 404 Not Found")},
		{"wrong method", request{method: "PUT", path: base + "/connectors", body: "{}"}, 405, failure("405", "HTTP 405 Method Not Allowed")},
		{"odd method", request{method: "BREW", path: base + "/connectors"}, 405, failure("405", "HTTP 405 Method Not Allowed")},
		{"accept refused", request{method: "GET", path: base + "/connectors", accept: "text/plain"}, 406, failure("406", "HTTP 406 Not Acceptable")},
		{"accept refused by quality", request{method: "GET", path: base + "/connectors", accept: "application/json;q=0, */*"}, 406, failure("406", "HTTP 406 Not Acceptable")},
		{"a browser's accept", request{method: "GET", path: base + "/connectors", accept: "text/html,application/xhtml+xml,*/*;q=0.8"}, 200, `[]`},
		{"double slash", request{method: "GET", path: base + "//connectors"}, 400, `~^\{"error_code":400,"message":"The path is ambiguous`},
		{"escaped slash", request{method: "GET", path: base + "/connectors/a%2Fb"}, 400, `~^\{"error_code":400,"message":"The path is ambiguous`},
		{"escaped percent", request{method: "GET", path: base + "/connectors/a%25b"}, 400, `~^\{"error_code":400,"message":"The path is ambiguous`},
		{"escaped dots", request{method: "GET", path: base + "/connectors/%2E%2E"}, 400, `~^\{"error_code":400,"message":"The path is ambiguous`},
		{"no credentials", request{method: "GET", path: base + "/", user: "-"}, 401, failure("401", "User cannot access the resource.")},
		{"wrong credentials", request{method: "GET", path: base + "/health", password: "wrong"}, 401, failure("401", "User cannot access the resource.")},

		{"form type", request{method: "POST", path: base + "/connectors", body: full, kind: "application/x-www-form-urlencoded"}, 415, failure("415", "HTTP 415 Unsupported Media Type")},
		{"no type", request{method: "POST", path: base + "/connectors", body: full, kind: "-"}, 415, failure("415", "HTTP 415 Unsupported Media Type")},
		{"no body", request{method: "POST", path: base + "/connectors"}, 400, failure("400", "The body is empty; a JSON object is expected.")},
		{"no name", request{method: "POST", path: base + "/connectors", body: `{"config":{` + config + `}}`}, 400, refusal("1", "Invalid value  for configuration name: String may not be empty")},
		{"blank name", request{method: "POST", path: base + "/connectors", body: `{"name":"  ","config":{` + config + `}}`}, 400, refusal("1", "Invalid value  for configuration name: String may not be empty")},
		{"control character in name", request{method: "POST", path: base + "/connectors", body: `{"name":"a\nb","config":{` + config + `}}`}, 400, refusal("1", "Invalid value a b for configuration name: String may not contain control sequences but had the following ASCII chars: 10")},
		{"another name inside", request{method: "POST", path: base + "/connectors", body: `{"name":"x","config":{"name":"y",` + config + `}}`}, 400, failure("400", "Connector name configuration (y) doesn't match connector name in the URL (x)")},
		{"name only inside", request{method: "POST", path: base + "/connectors", body: `{"config":{"name":"y",` + config + `}}`}, 400, failure("400", "Connector name configuration (y) doesn't match connector name in the URL ()")},
		{"no class", request{method: "POST", path: base + "/connectors", body: `{"name":"a","config":{"topics":"t","my.password":"p"}}`}, 400, failure("400", "Connector config {my.password=******, topics=t} contains no connector type")},
		{"unknown class", request{method: "POST", path: base + "/connectors", body: `{"name":"a","config":{"connector.class":"X"}}`}, 400, `~^\{"error_code":400,"message":"Failed to find any class that implements Connector and which name matches X, available connectors are: ([A-Z0-9]+, )*KAFKA2OSS(, [A-Z0-9]+)*"\}$`},
		{"empty class", request{method: "POST", path: base + "/connectors", body: `{"name":"a","config":{"connector.class":""}}`}, 400, `~^\{"error_code":400,"message":"Failed to find any class that implements Connector and which name matches , available connectors are: ([A-Z0-9]+, )*KAFKA2OSS(, [A-Z0-9]+)*"\}$`},
		{"null value", request{method: "POST", path: base + "/connectors", body: `{"name":"a","config":{"tasks.max":null,` + config + `}}`}, 400, refusal("1", "Invalid value null for configuration tasks.max: Null value can not be supplied as the configuration value.")},
		{"unparsable number counts twice", request{method: "POST", path: base + "/connectors", body: `{"name":"a","config":{"tasks.max":"abc",` + config + `}}`}, 400, refusal("2", "Invalid value abc for configuration tasks.max: Not a number of type INT", "Invalid value null for configuration tasks.max: Value must be non-null")},
		{"number out of range", request{method: "POST", path: base + "/connectors", body: `{"name":"a","config":{"tasks.max":65,` + config + `}}`}, 400, refusal("1", "Invalid value 65 for configuration tasks.max: must be from 1 to 64 tasks.")},
		{"no boolean", request{method: "POST", path: base + "/connectors", body: `{"name":"a","config":{"internet.access":"maybe",` + config + `}}`}, 400, refusal("1", "Invalid value maybe for configuration internet.access: Expected value to be either true or false")},
		{"initial state", request{method: "POST", path: base + "/connectors", body: `{"name":"a","initial_state":"LOUD","config":{` + config + `}}`}, 400, failure("400", `initial_state must be RUNNING, PAUSED or STOPPED, not \"LOUD\".`)},
		{"viewer", request{method: "POST", path: base + "/connectors", body: full, user: "vera"}, 403, failure("403", "Your role does not allow this: it needs the role operator.")},
		{"created", request{method: "POST", path: base + "/connectors", body: full, kind: "application/json; charset=UTF-8", user: "otto"}, 201, `{"name":"a","config":` + stored + `},"tasks":[],"type":"sink"}`},
		{"again", request{method: "POST", path: base + "/connectors", body: full}, 409, failure("409", "Connector a already exists")},
		{"again and invalid", request{method: "POST", path: base + "/connectors", body: `{"name":"a","config":{"tasks.max":0,` + config + `}}`}, 400, refusal("1", "Invalid value 0 for configuration tasks.max: must be from 1 to 64 tasks.")},

		{"list", request{method: "GET", path: base + "/connectors"}, 200, `["a"]`},
		{"expand nothing", request{method: "GET", path: base + "/connectors?expand="}, 200, `{"a":{}}`},
		{"expand unknown", request{method: "GET", path: base + "/connectors?expand=STATUS"}, 200, `{"a":{}}`},
		{"expand two in one", request{method: "GET", path: base + "/connectors?expand=status,info"}, 200, `{"a":{}}`},
		{"expand status", request{method: "GET", path: base + "/connectors?expand=status"}, 200, `{"a":{"status":{"name":"a","connector":{` + running + `},"tasks":[{"id":0,` + running + `}],"type":"sink"}}}`},
		{"expand both", request{method: "GET", path: base + "/connectors?expand=info&expand=status"}, 200, `~^\{"a":\{"info":\{"name":"a",.*\},"status":\{"name":"a",.*\}\}\}$`},
		{"show", request{method: "GET", path: base + "/connectors/a"}, 200, `{"name":"a","config":` + stored + `},"tasks":[{"connector":"a","task":0}],"type":"sink"}`},
		{"show unknown", request{method: "GET", path: base + "/connectors/x"}, 404, failure("404", "Connector x not found")},
		{"config", request{method: "GET", path: base + "/connectors/a/config/"}, 200, stored + "}"},
		{"config unknown", request{method: "GET", path: base + "/connectors/x/config"}, 404, failure("404", "Connector x not found")},
		{"status", request{method: "GET", path: base + "/connectors/a/status"}, 200, `{"name":"a","connector":{` + running + `},"tasks":[{"id":0,` + running + `}],"type":"sink"}`},
		{"status unknown", request{method: "GET", path: base + "/connectors/x/status"}, 404, failure("404", "No status found for connector x")},
		{"tasks", request{method: "GET", path: base + "/connectors/a/tasks"}, 200, `[{"id":{"connector":"a","task":0},"config":{"aliyun.access.key.id":"sandbox","aliyun.access.key.secret":"******","connector.class":"KAFKA2OSS","name":"a","oss.bucket":"sandbox-bucket","oss.endpoint":"http://127.0.0.1:19100","task.class":"KAFKA2OSS","topics":"orders"}}]`},
		{"task status", request{method: "GET", path: base + "/connectors/a/tasks/0/status"}, 200, `{"id":0,` + running + `}`},
		{"task status unknown", request{method: "GET", path: base + "/connectors/a/tasks/99/status"}, 404, failure("404", "No status found for task a-99")},
		{"task that is no number", request{method: "GET", path: base + "/connectors/a/tasks/x/status"}, 404, failure("404", "HTTP 404 Not Found")},
		{"task alone", request{method: "GET", path: base + "/connectors/a/tasks/0"}, 404, failure("404", "HTTP 404 Not Found")},
		{"tasks-config", request{method: "GET", path: base + "/connectors/a/tasks-config"}, 404, failure("404", "HTTP 404 Not Found")},
		{"restart task", request{method: "POST", path: base + "/connectors/a/tasks/0/restart"}, 204, ``},
		{"restart unknown task", request{method: "POST", path: base + "/connectors/a/tasks/99/restart"}, 404, failure("404", "Unknown task: a-99")},
		{"restart task of unknown", request{method: "POST", path: base + "/connectors/x/tasks/0/restart"}, 404, failure("404", "Unknown connector: x")},
		{"between workers", request{method: "POST", path: base + "/connectors/a/tasks", body: "[]"}, 400, failure("400", "Internal request missing required signature")},
		{"fence", request{method: "PUT", path: base + "/connectors/a/fence"}, 400, failure("400", "Internal request missing required signature")},
		{"topics", request{method: "GET", path: base + "/connectors/a/topics"}, 200, `{"a":{"topics":["orders"]}}`},
		{"topics of unknown", request{method: "GET", path: base + "/connectors/x/topics"}, 200, `{"x":{"topics":[]}}`},
		{"topics reset", request{method: "PUT", path: base + "/connectors/x/topics/reset"}, 202, ``},

		{"restart", request{method: "POST", path: base + "/connectors/a/restart"}, 204, ``},
		{"restart odd flag", request{method: "POST", path: base + "/connectors/a/restart?includeTasks=yes"}, 204, ``},
		{"restart with tasks", request{method: "POST", path: base + "/connectors/a/restart?includeTasks=True"}, 202, `~^\{"name":"a","connector":\{"state":"RESTARTING","worker_id":.*"tasks":\[\{"id":0,"state":"RESTARTING",`},
		{"restart failed", request{method: "POST", path: base + "/connectors/a/restart?onlyFailed=true"}, 202, `~^\{"name":"a","connector":\{"state":"RUNNING".*"id":0,"state":"RUNNING"`},
		{"restart unknown", request{method: "POST", path: base + "/connectors/x/restart"}, 404, failure("404", "Unknown connector: x")},

		{"put config identical", request{method: "PUT", path: base + "/connectors/a/config", body: stored + "}"}, 200, `{"name":"a","config":` + stored + `},"tasks":[{"connector":"a","task":0}],"type":"sink"}`},
		{"put another name", request{method: "PUT", path: base + "/connectors/a/config", body: `{"name":"b",` + config + `}`}, 400, failure("400", "Connector name configuration (b) doesn't match connector name in the URL (a)")},
		{"put wrapped", request{method: "PUT", path: base + "/connectors/a/config", body: full}, 400, failure("400", "The value of configuration config must be a string, not an object: a configuration is a flat object of strings.")},
		{"put numbers, unknown keys kept", request{method: "PUT", path: base + "/connectors/a/config", body: `{` + config + `,"tasks.max":2,"internet.access":true,"my.key":"kept"}`}, 200, `{"name":"a","config":{"aliyun.access.key.id":"sandbox","aliyun.access.key.secret":"******","connector.class":"KAFKA2OSS","internet.access":"true","my.key":"kept","name":"a","oss.bucket":"sandbox-bucket","oss.endpoint":"http://127.0.0.1:19100","tasks.max":"2","topics":"orders"},"tasks":[{"connector":"a","task":0},{"connector":"a","task":1}],"type":"sink"}`},
		{"patch", request{method: "PATCH", path: base + "/connectors/a/config", body: `{"my.key":null,"absent":null,"internet.access":null,"tasks.max":null}`}, 200, `{"name":"a","config":` + stored + `},"tasks":[{"connector":"a","task":0}],"type":"sink"}`},
		{"patch nothing", request{method: "PATCH", path: base + "/connectors/a/config", body: `{}`}, 200, `{"name":"a","config":` + stored + `},"tasks":[{"connector":"a","task":0}],"type":"sink"}`},
		{"patch name", request{method: "PATCH", path: base + "/connectors/a/config", body: `{"name":"b"}`}, 400, `~^\{"error_code":400,"message":"Connector name configuration \(b\) doesn't match`},
		{"patch merge type", request{method: "PATCH", path: base + "/connectors/a/config", body: `{}`, kind: "application/merge-patch+json"}, 415, failure("415", "HTTP 415 Unsupported Media Type")},
		{"patch unknown", request{method: "PATCH", path: base + "/connectors/x/config", body: `{}`}, 404, failure("404", "Connector x not found")},
		{"patch invalid", request{method: "PATCH", path: base + "/connectors/a/config", body: `{"topics":null}`}, 400, refusal("1", `Missing required configuration \"topics\" which has no default value.`)},
		{"put creates", request{method: "PUT", path: base + "/connectors/b/config", body: `{` + config + `}`}, 201, `~^\{"name":"b",.*"tasks":\[\],"type":"sink"\}$`},

		{"pause with text", request{method: "PUT", path: base + "/connectors/a/pause", body: "x", kind: "text/plain"}, 415, failure("415", "HTTP 415 Unsupported Media Type")},
		{"pause with an empty form", request{method: "PUT", path: base + "/connectors/a/pause", kind: "application/x-www-form-urlencoded"}, 415, failure("415", "HTTP 415 Unsupported Media Type")},
		{"pause with JSON", request{method: "PUT", path: base + "/connectors/a/pause", body: "{}"}, 202, ``},
		{"paused", request{method: "GET", path: base + "/connectors/a/status"}, 200, `~^\{"name":"a","connector":\{"state":"PAUSED",.*"tasks":\[\{"id":0,"state":"PAUSED"`},
		{"pause again", request{method: "PUT", path: base + "/connectors/a/pause/"}, 202, ``},
		{"restart while paused", request{method: "POST", path: base + "/connectors/a/restart?includeTasks=true"}, 202, `~"connector":\{"state":"PAUSED"`},
		{"offsets while paused", request{method: "DELETE", path: base + "/connectors/a/offsets"}, 400, failure("400", "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the specified connector by issuing a 'PUT' request to the '/connectors/a/stop' endpoint")},
		{"change keeps paused", request{method: "PATCH", path: base + "/connectors/a/config", body: `{"flush.size":5}`}, 200, `~"flush.size":"5"`},
		{"still paused", request{method: "GET", path: base + "/connectors/a/status"}, 200, `~"connector":\{"state":"PAUSED"`},
		{"stop", request{method: "PUT", path: base + "/connectors/a/stop"}, 204, ``},
		{"stopped", request{method: "GET", path: base + "/connectors/a/status"}, 200, `~^\{"name":"a","connector":\{"state":"STOPPED",.*\},"tasks":\[\],"type":"sink"\}$`},
		{"stopped tasks", request{method: "GET", path: base + "/connectors/a/tasks"}, 200, `[]`},
		{"stopped task status", request{method: "GET", path: base + "/connectors/a/tasks/0/status"}, 404, failure("404", "No status found for task a-0")},
		{"stopped task restart", request{method: "POST", path: base + "/connectors/a/tasks/0/restart"}, 409, failure("409", "Cannot complete request momentarily due to no known leader URL, likely because a rebalance was underway.")},
		{"pause on stopped has no tasks", request{method: "PUT", path: base + "/connectors/a/pause"}, 202, ``},
		{"no tasks", request{method: "GET", path: base + "/connectors/a/status"}, 200, `~"connector":\{"state":"PAUSED",.*"tasks":\[\]`},
		{"resume", request{method: "PUT", path: base + "/connectors/a/resume"}, 202, ``},
		{"resumed", request{method: "GET", path: base + "/connectors/a/status"}, 200, `~"connector":\{"state":"RUNNING",.*"tasks":\[\{"id":0,"state":"RUNNING"`},
		{"pause unknown", request{method: "PUT", path: base + "/connectors/x/pause"}, 404, failure("404", "Unknown connector x")},
		{"resume unknown", request{method: "PUT", path: base + "/connectors/x/resume"}, 404, failure("404", "Unknown connector x")},
		{"stop unknown", request{method: "PUT", path: base + "/connectors/x/stop"}, 404, failure("404", "Unknown connector x")},

		{"offsets none", request{method: "GET", path: base + "/connectors/a/offsets"}, 200, `{"offsets":[]}`},
		{"offsets unknown", request{method: "GET", path: base + "/connectors/x/offsets"}, 404, failure("404", "Connector x not found")},
		{"offsets reset unknown", request{method: "DELETE", path: base + "/connectors/x/offsets"}, 404, failure("404", "Connector x not found")},
		{"offsets without list", request{method: "PATCH", path: base + "/connectors/a/offsets", body: `{}`}, 400, failure("400", "Partitions / offsets need to be provided for an alter offsets request")},
		{"offsets empty list", request{method: "PATCH", path: base + "/connectors/a/offsets", body: `{"offsets":[]}`}, 400, failure("400", "Partitions / offsets need to be provided for an alter offsets request")},

		{"plugins", request{method: "GET", path: base + "/connector-plugins"}, 200, `~^\[(.*\},)?\{"class":"KAFKA2OSS","type":"sink","version":"1.0.0"\}(,\{.*)?\]$`},
		{"all plugins", request{method: "GET", path: base + "/connector-plugins?connectorsOnly=false"}, 200, `~^\[(.*\},)?\{"class":"KAFKA2OSS","type":"sink","version":"1.0.0"\}(,\{.*)?\]$`},
		{"plugin config", request{method: "GET", path: base + "/connector-plugins/kafka2oss/config"}, 200, `~^\[\{"name":"name","type":"STRING","required":true,"default_value":null,"importance":"HIGH","documentation":"[^"]+","group":"Basic Information","order_in_group":1,"width":"MEDIUM","display_name":"Connector Name","dependents":\[\]\},`},
		{"plugin unknown", request{method: "GET", path: base + "/connector-plugins/X/config"}, 404, failure("404", "Unknown plugin X.")},
		{"plugin version", request{method: "GET", path: base + "/connector-plugins/KAFKA2OSS/config?version=0"}, 400, `~"error_code":400`},
		{"validate", request{method: "PUT", path: base + "/connector-plugins/Kafka2Oss/config/validate", body: `{"name":"z",` + config + `,"odd":"1"}`}, 200, `~^\{"name":"KAFKA2OSS","error_count":0,"groups":\["Basic Information","Configure Source","Configure Destination"\],"configs":\[\{"definition":\{"name":"name",.*"warnings":\[\{"field":"odd","message":"[^"]+"\}\]\}$`},
		{"validate hides secrets", request{method: "PUT", path: base + "/connector-plugins/KAFKA2OSS/config/validate", body: `{"name":"z",` + config + `}`}, 200, `~"value":\{"name":"aliyun.access.key.secret","value":"\*{6}"`},
		{"validate without name", request{method: "PUT", path: base + "/connector-plugins/KAFKA2OSS/config/validate", body: `{` + config + `}`}, 200, `~"error_count":1,.*"errors":\["Missing required configuration \\"name\\" which has no default value\."\]`},
		{"validate counts messages", request{method: "PUT", path: base + "/connector-plugins/KAFKA2OSS/config/validate", body: `{"name":"z","tasks.max":"abc",` + config + `}`}, 200, `~"error_count":2,.*"value":\{"name":"tasks.max","value":null,"recommended_values":\["6","12"\],"errors":\["Invalid value abc for configuration tasks.max: Not a number of type INT","Invalid value null for configuration tasks.max: Value must be non-null"\],"visible":true\}`},
		{"validate null of an unknown key", request{method: "PUT", path: base + "/connector-plugins/KAFKA2OSS/config/validate", body: `{"name":"z","odd":null,` + config + `}`}, 200, `~"definition":null,"value":\{"name":"odd","value":null`},
		{"validate another class", request{method: "PUT", path: base + "/connector-plugins/other/config/validate", body: `{"name":"z",` + config + `}`}, 400, failure("400", "Included connector type KAFKA2OSS does not match request type other")},
		{"validate without class", request{method: "PUT", path: base + "/connector-plugins/KAFKA2OSS/config/validate", body: `{"name":"z"}`}, 400, failure("400", "Connector config {name=z} contains no connector type")},

		{"loggers", request{method: "GET", path: base + "/admin/loggers"}, 200, `{"root":{"level":"INFO","last_modified":null}}`},
		{"logger", request{method: "GET", path: base + "/admin/loggers/root"}, 200, `{"level":"INFO","last_modified":null}`},
		{"logger unknown", request{method: "GET", path: base + "/admin/loggers/x"}, 404, failure("404", "Logger x not found.")},
		{"logger set", request{method: "PUT", path: base + "/admin/loggers/my.logger", body: `{"level":"debug"}`}, 200, `["my.logger"]`},
		{"logger set again", request{method: "PUT", path: base + "/admin/loggers/my.logger", body: `{"level":"DEBUG"}`}, 200, `[]`},
		{"logger cluster", request{method: "PUT", path: base + "/admin/loggers/my.logger?scope=cluster", body: `{"level":"INFO"}`}, 204, ``},
		{"logger bad level", request{method: "PUT", path: base + "/admin/loggers/root", body: `{"level":"LOUD"}`}, 404, failure("404", "invalid log level 'LOUD'.")},
		{"logger no level", request{method: "PUT", path: base + "/admin/loggers/root", body: `{}`}, 400, failure("400", "Desired 'level' parameter was not specified in request.")},

		{"delete oddly", request{method: "DELETE", path: base + "/connectors/b?resources=some"}, 400, `~resources must be keep or delete`},
		{"delete", request{method: "DELETE", path: base + "/connectors/b?resources=keep"}, 204, ``},
		{"delete again", request{method: "DELETE", path: base + "/connectors/b"}, 404, failure("404", "Connector b not found")},
	} {
		a := s.do(step.request)
		if a.status != step.status || !fits(a.body, step.want) {
			t.Errorf("%s: %s %s\n got %d %s\nwant %d %s", step.what, step.method, step.path, a.status, a.body, step.status, step.want)
		}
		if a.body != "" && a.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: content type %q", step.what, a.header.Get("Content-Type"))
		}
		if a.status == http.StatusUnauthorized && a.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: no WWW-Authenticate", step.what)
		}
		if step.status == http.StatusCreated && !strings.HasPrefix(a.header.Get("Location"), s.url+base+"/connectors/") {
			t.Errorf("%s: location %q", step.what, a.header.Get("Location"))
		}
		if strings.Contains(a.body, "s3cret") {
			t.Errorf("%s: a secret is answered: %s", step.what, a.body)
		}
	}
}

// fits compares a body: exactly, or by the pattern that stands after "~".
func fits(body, want string) bool {
	if pattern, is := strings.CutPrefix(want, "~"); is {
		return regexp.MustCompile(pattern).MatchString(body)
	}
	return body == want
}

func TestConnectHeadAndOptions(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	head := s.call("HEAD", "/connect/sandbox/connectors/", "")
	if head.status != http.StatusOK || head.body != "" || head.header.Get("Content-Type") != "application/json" {
		t.Errorf("HEAD: %d %q %v", head.status, head.body, head.header)
	}
	options := s.call("OPTIONS", "/connect/sandbox/connectors", "")
	if options.status != http.StatusOK || options.header.Get("Allow") != "HEAD, POST, GET, OPTIONS" || options.header.Get("Content-Type") != "text/plain" {
		t.Errorf("OPTIONS: %d %v", options.status, options.header)
	}
}

func TestConnectInitialStates(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for _, c := range []struct{ given, word, detail string }{
		{`"STOPPED"`, "STOPPED", "NOT_DEPLOYED"}, {`"paused"`, "PAUSED", "SUSPENDED"}, {`"Running"`, "RUNNING", "RUNNING"}, {`null`, "RUNNING", "RUNNING"},
	} {
		name := "c-" + strings.ToLower(strings.Trim(c.given, `"`))
		s.must(http.StatusCreated, "POST", "/connect/sandbox/connectors", `{"name":"`+name+`","initial_state":`+c.given+`,"config":{`+config+`}}`)
		a := s.must(http.StatusOK, "GET", "/connect/sandbox/connectors/"+name+"/status", "")
		if !fits(a.body, `~"connector":\{"state":"`+c.word+`".*"detail":\{"state":"`+c.detail+`"`) {
			t.Errorf("%s: %s", c.given, a.body)
		}
	}
	s.must(http.StatusNoContent, "PUT", "/connect/sandbox/connectors/c-stopped/stop", "")
	s.must(http.StatusAccepted, "PUT", "/connect/sandbox/connectors/c-stopped/resume", "")
	a := s.must(http.StatusOK, "GET", "/connect/sandbox/connectors/c-stopped/status", "")
	if !strings.Contains(a.body, `"detail":{"state":"RUNNING"`) {
		t.Errorf("resume did not deploy: %s", a.body)
	}
}

func TestConnectOffsets(t *testing.T) {
	t.Parallel()
	s := newServer(t, "orders")
	s.create("a", "STOPPED")
	const path = "/connect/sandbox/connectors/a/offsets"
	row := func(partition, offset string) string {
		return `{"offsets":[{"partition":` + partition + `,"offset":` + offset + `}]}`
	}
	const p0 = `{"kafka_topic":"orders","kafka_partition":0}`
	for _, c := range []struct {
		body   string
		status int
		want   string
	}{
		{row(p0, `{"kafka_offset":20}`), 200, `{"message":"The offsets for this connector have been altered successfully"}`},
		{row(`{"kafka_topic":"orders","kafka_partition":"1"}`, `{"kafka_offset":"7"}`), 200, `{"message":"The offsets for this connector have been altered successfully"}`},
		{row(`null`, `{"kafka_offset":1}`), 400, failure("400", "The partition for a sink connector offset cannot be null or missing")},
		{`{"offsets":[{"offset":{"kafka_offset":1}}]}`, 400, failure("400", "The partition for a sink connector offset cannot be null or missing")},
		{row(`{"kafka_topic":"orders"}`, `null`), 400, failure("400", "The partition for a sink connector offset must contain the keys 'kafka_topic' and 'kafka_partition'")},
		{row(`{"kafka_topic":"orders","kafka_partition":"zero"}`, `null`), 400, failure("400", "Failed to parse the following Kafka partition value in the provided offsets: 'zero'. Partition values for sink connectors need to be integers.")},
		{row(p0, `{"kafka_offset":"x"}`), 400, failure("400", "Failed to parse the following Kafka offset value in the provided offsets: 'x'. Offset values for sink connectors need to be integers.")},
		{row(p0, `{}`), 400, failure("400", "The offset for a sink connector should either be null or contain the key 'kafka_offset'")},
		{row(p0, `{"kafka_offset":-1}`), 400, `~offsets\[0\]: An offset is 0 or more\.`},
		{row(`{"kafka_topic":"other","kafka_partition":0}`, `{"kafka_offset":1}`), 400, `~does not read the topic`},
		{row(`{"kafka_topic":"orders","kafka_partition":3}`, `{"kafka_offset":1}`), 400, `~has the partitions 0 to 2`},
	} {
		if a := s.call("PATCH", path, c.body); a.status != c.status || !fits(a.body, c.want) {
			t.Errorf("%s\n got %d %s\nwant %d %s", c.body, a.status, a.body, c.status, c.want)
		}
	}
	a := s.must(200, "GET", path, "")
	if !fits(a.body, `~\{"partition":\{"kafka_partition":0,"kafka_topic":"orders"\},"offset":\{"kafka_offset":20\}\}`) || !strings.Contains(a.body, `"kafka_offset":7`) {
		t.Errorf("offsets: %s", a.body)
	}
	s.must(200, "PATCH", path, row(p0, "null"))
	if a := s.must(200, "GET", path, ""); strings.Contains(a.body, `"kafka_partition":0`) {
		t.Errorf("not removed: %s", a.body)
	}
	for range 2 {
		if a := s.must(200, "DELETE", path, ""); a.body != `{"message":"The offsets for this connector have been reset successfully"}` {
			t.Errorf("reset: %s", a.body)
		}
	}
}

func TestConnectFailedTaskAndPending(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	id := s.create("a", "RUNNING")
	failed := connector.Status{State: connector.StateFailed, Cause: "The bucket is gone.", Remedy: "Make it again.", Since: since}
	s.sup.status[id] = runner.ConnectorStatus{Status: connector.Status{State: connector.StateDegraded, Since: since}, Worker: worker,
		Tasks: []runner.TaskStatus{{Task: 0, Status: failed}, {Task: 1, Status: connector.Status{State: connector.StateRunning, Since: since}}}}
	a := s.must(200, "GET", "/connect/sandbox/connectors/a/status", "")
	if !fits(a.body, `~"connector":\{"state":"RUNNING",.*"detail":\{"state":"DEGRADED".*"id":0,"state":"FAILED",.*"trace":"The bucket is gone\.\\nMake it again\."\},\{"id":1,"state":"RUNNING"`) || strings.Count(a.body, `"trace"`) != 1 {
		t.Errorf("status: %s", a.body)
	}
	a = s.must(202, "POST", "/connect/sandbox/connectors/a/restart?onlyFailed=true&includeTasks=true", "")
	if !fits(a.body, `~"connector":\{"state":"RUNNING".*"id":0,"state":"RESTARTING".*"trace":".*"id":1,"state":"RUNNING"`) {
		t.Errorf("restart: %s", a.body)
	}
	s.sup.pending[id] = []string{"orders-0: offsets 10 to 20 may or may not be visible"}
	a = s.must(409, "DELETE", "/connect/sandbox/connectors/a", "")
	if !strings.Contains(a.body, "orders-0: offsets 10 to 20") || !strings.Contains(a.body, "force") {
		t.Errorf("pending: %s", a.body)
	}
	s.must(200, "GET", "/connect/sandbox/connectors/a", "") // the deletion was taken back
	s.must(204, "DELETE", "/connect/sandbox/connectors/a?force=true", "")
	s.must(404, "GET", "/connect/sandbox/connectors/a", "")
}

// TestConnectParallelCreates: eight creations of one name give exactly one 201.
func TestConnectParallelCreates(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	statuses := make(chan int, 8)
	for range 8 {
		go func() {
			statuses <- s.call("POST", "/connect/sandbox/connectors", `{"name":"a","config":{`+config+`}}`).status
		}()
	}
	created := 0
	for range 8 {
		switch st := <-statuses; st {
		case http.StatusCreated:
			created++
		case http.StatusConflict:
		default:
			t.Errorf("status %d", st)
		}
	}
	if created != 1 {
		t.Errorf("%d were created", created)
	}
}

func TestConnectFixedAndQuota(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	id := s.create("a", "RUNNING")
	s.must(200, "PATCH", "/connect/sandbox/connectors/a/config", `{"oss.bucket":"corrected-bucket"}`)
	if err := s.store.SetDelivered(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	a := s.must(400, "PATCH", "/connect/sandbox/connectors/a/config", `{"oss.bucket":"third-bucket"}`)
	if !strings.Contains(a.body, "Invalid value third-bucket for configuration oss.bucket: Bucket Name cannot be changed once") {
		t.Errorf("fixed: %s", a.body)
	}
	a = s.must(400, "PATCH", "/connect/sandbox/connectors/a/config", `{"connector.class":"OTHER"}`)
	if !strings.Contains(a.body, "OTHER") {
		t.Errorf("class: %s", a.body)
	}
	s.must(200, "PATCH", "/connect/sandbox/connectors/a/config", `{"connector.class":"kafka2oss","aliyun.access.key.secret":"new","oss.prefix":"p/"}`)
	c, err := s.store.Connector(t.Context(), "sandbox", "a")
	if err != nil || c.Config["aliyun.access.key.secret"] != "new" || c.Class != "KAFKA2OSS" || c.Config[connector.KeyClass] != "KAFKA2OSS" {
		t.Errorf("stored %v %v", c.Config, err)
	}
	s.must(200, "PATCH", "/connect/sandbox/connectors/a/config", `{"aliyun.access.key.secret":"******","oss.prefix":"q/"}`)
	if c, _ := s.store.Connector(t.Context(), "sandbox", "a"); c.Config["aliyun.access.key.secret"] != "new" {
		t.Error("the mask did not keep the secret")
	}
	s.must(200, "PATCH", "/api/v1/instances/sandbox", `{"connector.quota":1}`)
	a = s.must(403, "POST", "/connect/sandbox/connectors", `{"name":"b","config":{`+config+`}}`)
	var e struct{ Message string }
	if err := json.Unmarshal([]byte(a.body), &e); err != nil || !strings.Contains(e.Message, "quota") || !strings.Contains(e.Message, "administrator") {
		t.Errorf("quota: %s", a.body)
	}
}
