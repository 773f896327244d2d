package main

import (
	"net/http"
	"net/url"
	"time"
)

// targets lists every page and the main calls.
func targets(m manifest, live string) []target {
	var out []target
	out = append(out, listTargets(m)...)
	out = append(out, connectorTargets(m)...)
	out = append(out, logTargets(m)...)
	out = append(out, liveTargets(m, live)...)
	return append(out, restTargets(m)...)
}

func listTargets(m manifest) []target {
	in := "/instances/" + m.Instance
	return []target{
		{name: "home", path: "/"},
		{name: "home, live part", path: "/", part: true},
		{name: "home, page 5", path: "/?from=400"},
		{name: "home, by text", path: "/?q=shop+77"},
		{name: "home, by absent text", path: "/?q=nowhere"},
		{name: "home, by state", path: "/?state=SUSPENDED"},
		{name: "home, failed", path: "/?state=FAILED"},
		{name: "home, by type and instance", path: "/?type=KAFKA2OSS&instance=" + m.Instance},
		{name: "connectors, choose an instance", path: "/connectors/new"},
		{name: "instances", path: "/instances"},
		{name: "instance, new", path: "/instances/new"},
		{name: "instance with 100 connectors", path: in},
		{name: "instance, live part", path: in, part: true},
		{name: "instance, settings", path: in + "/settings"},
		{name: "wizard, begin", path: in + "/connectors/new"},
		{name: "wizard, basic", path: in + "/connectors/new/" + m.Draft + "/basic"},
		{name: "help", path: "/help"},
		{name: "help, reference", path: "/help/connectors/KAFKA2OSS"},
		{name: "admin, quota", path: "/admin"},
		{name: "admin, sessions", path: "/admin/sessions"},
		{name: "admin, audit", path: "/admin/audit"},
		{name: "admin, audit by text", path: "/admin/audit?q=suspend"},
		{name: "admin, audit by absent text", path: "/admin/audit?q=nowhere"},
		{name: "page not found", path: "/nowhere", status: http.StatusNotFound},
	}
}

func connectorTargets(m manifest) []target {
	one := "/instances/" + m.Instance + "/connectors/" + m.Suspended
	return []target{
		{name: "connector, suspended", path: one},
		{name: "connector, live head", path: one + "?part=head", part: true},
		{name: "connector, live body", path: one + "?part=body", part: true},
		{name: "connector, configuration", path: one + "/configuration"},
		{name: "connector, modify", path: one + "/modify"},
		{name: "connector, Internet access", path: one + "/internet"},
	}
}

// logTargets ask for the log of the connector that has half of all lines. Times are those of the filled
// lines, in the middle of which a range lies.
func logTargets(m manifest) []target {
	logs := "/instances/" + m.Instance + "/connectors/" + m.Loud + "/logs"
	middle := m.Oldest.Add(m.Newest.Sub(m.Oldest) / 2)
	span := func(d time.Duration, also ...string) string {
		v := url.Values{"from": {middle.Format(time.RFC3339)}, "to": {middle.Add(d).Format(time.RFC3339)}}
		for i := 0; i+1 < len(also); i += 2 {
			v.Set(also[i], also[i+1])
		}
		return logs + "?" + v.Encode()
	}
	return []target{
		{name: "logs, newest", path: logs},
		{name: "logs, warnings", path: logs + "?level=WARN"},
		{name: "logs, errors", path: logs + "?level=ERROR"},
		{name: "logs, info", path: logs + "?level=INFO"},
		{name: "logs, of a task", path: logs + "?task=3"},
		{name: "logs, of an absent task", path: logs + "?task=63"},
		{name: "logs, text in most lines", path: logs + "?q=delivered"},
		{name: "logs, text in few lines", path: logs + "?q=AccessDenied"},
		{name: "logs, text far back", path: logs + "?q=needle"},
		{name: "logs, absent text", path: logs + "?q=nowhere"},
		{name: "logs, a minute", path: span(time.Minute)},
		{name: "logs, a day", path: span(24 * time.Hour)},
		{name: "logs, a day, errors", path: span(24*time.Hour, "level", "ERROR")},
		{name: "logs, a day, absent text", path: span(24*time.Hour, "q", "nowhere")},
		{name: "logs, a day, errors, task, text", path: span(24*time.Hour, "level", "ERROR", "task", "2", "q", "403")},
		{name: "logs of a quiet connector", path: "/instances/" + m.Instance + "/connectors/" + m.Suspended + "/logs"},
	}
}

// liveTargets are pages of the connector that runs, and those that ask its cluster; the last ask one that
// refuses connections.
func liveTargets(m manifest, live string) []target {
	in := "/instances/" + liveInstance
	one := in + "/connectors/" + live
	gone := "/instances/" + m.Instance
	return []target{
		{name: "connector, running", path: one},
		{name: "connector, running, live body", path: one + "?part=body", part: true},
		{name: "connector, running, configuration", path: one + "/configuration"},
		{name: "connector, resources", path: one + "/resources", asks: true},
		{name: "connector, positions", path: one + "/position", asks: true},
		{name: "connector, delete", path: one + "/delete", asks: true},
		{name: "instance, topics", path: in + "/topics", asks: true},
		{name: "instance, enable", path: in + "/enable", asks: true},
		{name: "topic", path: in + "/topics/" + liveTopic, asks: true},
		{name: "topics of an instance that is away", path: gone + "/topics", asks: true},
		{name: "sandbox", path: "/sandbox"},
	}
}

func restTargets(m manifest) []target {
	connect := "/connect/" + m.Instance
	one := connect + "/connectors/" + m.Loud
	api := "/api/v1/instances/" + m.Instance
	logs := api + "/connectors/" + m.Loud + "/logs"
	return []target{
		{name: "REST, connectors", path: connect + "/connectors", rest: true},
		{name: "REST, connectors, status and info", path: connect + "/connectors?expand=status&expand=info", rest: true},
		{name: "REST, connector", path: one, rest: true},
		{name: "REST, config", path: one + "/config", rest: true},
		{name: "REST, status", path: one + "/status", rest: true},
		{name: "REST, status, running", path: "/connect/" + liveInstance + "/connectors/" + liveName + "/status", rest: true},
		{name: "REST, tasks", path: one + "/tasks", rest: true},
		{name: "REST, connector-plugins", path: connect + "/connector-plugins", rest: true},
		{name: "REST, instances", path: "/api/v1/instances?limit=1000", rest: true},
		{name: "REST, instance", path: api, rest: true},
		{name: "REST, versions", path: api + "/connectors/" + m.Loud + "/versions", rest: true},
		{name: "REST, logs", path: logs, rest: true},
		{name: "REST, logs, 1000 errors", path: logs + "?level=ERROR&limit=1000", rest: true},
		{name: "REST, logs, absent text", path: logs + "?q=nowhere", rest: true},
		{name: "/healthz", path: "/healthz"},
	}
}
