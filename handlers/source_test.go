package handlers_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
)

func (s *supervisor) SourcePositions(_ context.Context, id int64) ([]connector.SourcePosition, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.saved[id], nil
}

func (s *supervisor) AlterSourcePositions(_ context.Context, id int64, to []connector.SourcePosition) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.saved == nil {
		s.saved = map[int64][]connector.SourcePosition{}
	}
	for i, p := range to {
		if p.Partition["server"] != "shop" {
			return connector.FieldError{Field: fmt.Sprintf("offsets[%d]", i), Message: "there is no such server."}
		}
		s.saved[id] = slices.DeleteFunc(s.saved[id], func(old connector.SourcePosition) bool { return fmt.Sprint(old.Partition) == fmt.Sprint(p.Partition) })
		if p.Offset != nil {
			s.saved[id] = append(s.saved[id], p)
		}
	}
	return nil
}

func (s *supervisor) Snapshot(_ context.Context, _ int64, parts []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.Contains(parts, "nothing") {
		return connector.FieldError{Field: "tables", Message: "nothing is none of the connector's tables."}
	}
	s.chosen = append(s.chosen, "snapshot "+strings.Join(parts, ","))
	return nil
}

// shop is a valid configuration of a source, as JSON members without braces.
const shop = `"connector.class":"mysql2kafka","mysql.host":"127.0.0.1","mysql.port":"19306","mysql.user":"sandbox","mysql.password":"s3cret","mysql.database":"shop","mysql.tables":"orders","topic.prefix":"shop"`

// TestSource: a source by REST has positions in words of its own, topics that it writes,
// progress, choices of the reader and snapshots.
func TestSource(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	const path, own = "/connect/sandbox/connectors/shop", "/api/v1/instances/sandbox/connectors/shop"
	a := s.must(201, "POST", "/connect/sandbox/connectors", `{"name":"shop","config":{`+shop+`}}`)
	if !strings.Contains(a.body, `"type":"source"`) || !strings.Contains(a.body, `"mysql.password":"******"`) || strings.Contains(a.body, "s3cret") {
		t.Errorf("created: %s", a.body)
	}
	c, err := s.store.Connector(t.Context(), "sandbox", "shop")
	if err != nil {
		t.Fatal(err)
	}
	if a := s.must(200, "GET", path+"/status", ""); !strings.Contains(a.body, `"type":"source"`) || strings.Count(a.body, `"id":`) != 1 {
		t.Errorf("status: %s", a.body)
	}
	s.sup.mu.Lock()
	s.sup.status[c.ID] = runner.ConnectorStatus{Status: connector.Status{State: connector.StateGap}, Tasks: []runner.TaskStatus{{
		Progress:   []connector.Progress{{Name: "shop.orders", Target: "shop_orders", Phase: "snapshot", Done: 5, Total: 10, Unit: "rows", Rate: 2, Left: 2500 * time.Millisecond}},
		Partitions: []runner.PartitionStatus{{Partition: -1, Lost: "binlog.000001 is gone", Choices: []connector.Choice{{Choice: "now", Title: "Go on from now", Risk: "changes are missing"}}}}}}}
	s.sup.mu.Unlock()
	for _, tt := range []struct {
		status             int
		method, path, body string
		want               string
	}{
		{200, "GET", path + "/topics", "", `{"shop":{"topics":["shop_orders"]}}`},
		{200, "GET", own + "/progress", "", `{"progress":[{"name":"shop.orders","target":"shop_orders","phase":"snapshot","done":5,"total":10,"unit":"rows","rate":2,"left_ms":2500}]}`},
		{200, "GET", own + "/choices", "", `{"choices":[{"topic":"","partition":-1,"lost":"binlog.000001 is gone","options":[{"choice":"now","title":"Go on from now","risk":"changes are missing"}]}]}`},
		{422, "POST", own + "/choose", `{"choice":"beginning"}`, `~not offered`},
		{202, "POST", own + "/choose", `{"choice":"now"}`, `{}`},
		{202, "POST", own + "/snapshot", `{"tables":["shop.orders","b"]}`, `{}`},
		{202, "POST", own + "/snapshot", `{}`, `{}`},
		{422, "POST", own + "/snapshot", `{"tables":["nothing"]}`, `~"field":"tables"`},
		{422, "POST", own + "/snapshot", `{"tables":[]}`, `~"field":"tables"`},
		{422, "POST", own + "/snapshot", `{"tables":[5]}`, `~"field":"tables"`},
		{422, "POST", own + "/snapshot", `{"tables":"orders"}`, `~"field":"tables"`},
		{404, "POST", "/api/v1/instances/sandbox/connectors/other/snapshot", `{}`, `~not found`},
		{200, "GET", path + "/offsets", "", `{"offsets":[]}`},
		{400, "PATCH", path + "/offsets", `{"offsets":[{"partition":{"server":"shop"},"offset":{"gtid":"0-1-5"}}]}`, `~must be in the STOPPED state`},
		{204, "PUT", path + "/stop", "", ""},
		{409, "POST", own + "/snapshot", `{}`, `~resume it first`},
		{200, "PATCH", path + "/offsets", `{"offsets":[{"partition":{"server":"shop"},"offset":{"gtid":"0-1-5","pos":18446744073709551615}}]}`, `~altered successfully`},
		{200, "GET", path + "/offsets", "", `{"offsets":[{"partition":{"server":"shop"},"offset":{"gtid":"0-1-5","pos":18446744073709551615}}]}`},
		{400, "PATCH", path + "/offsets", `{"offsets":[{"partition":{"server":"stop"},"offset":null}]}`, `~offsets\[0\]: there is no such server`},
		{400, "PATCH", path + "/offsets", `{"offsets":[{"partition":{},"offset":null}]}`, `~cannot be null, missing or empty`},
		{400, "PATCH", path + "/offsets", `{"offsets":[{"partition":{"server":"shop"},"offset":7}]}`, `~either be null or an object`},
		{200, "PATCH", path + "/offsets", `{"offsets":[{"partition":{"server":"shop"},"offset":null}]}`, `~altered successfully`},
		{200, "GET", path + "/offsets", "", `{"offsets":[]}`},
		{200, "DELETE", path + "/offsets", "", `~reset successfully`},
	} {
		if a := s.call(tt.method, tt.path, tt.body); a.status != tt.status || !fits(a.body, tt.want) {
			t.Errorf("%s %s %s\n got %d %s\nwant %d %s", tt.method, tt.path, tt.body, a.status, a.body, tt.status, tt.want)
		}
	}
	s.sup.mu.Lock()
	defer s.sup.mu.Unlock()
	if want := []string{" now", "snapshot shop.orders,b", "snapshot "}; !slices.Equal(s.sup.chosen, want) {
		t.Errorf("asked for %q instead of %q", s.sup.chosen, want)
	}
}

// TestSourceFate: a message of a topic that a source writes is delivered where it stands. What
// is said of it holds also while nothing runs; other topics are refused.
func TestSourceFate(t *testing.T) {
	t.Parallel()
	s := newServer(t, "shop_orders", "other")
	s.must(201, "POST", "/connect/sandbox/connectors", `{"name":"shop","config":{`+shop+`}}`)
	const records = "/api/v1/instances/sandbox/topics/shop_orders/records"
	s.must(201, "POST", records, `{"partition":1,"key":"k","value":"v"}`)
	c, err := s.store.Connector(t.Context(), "sandbox", "shop")
	if err != nil {
		t.Fatal(err)
	}
	fate := func(want int, path, says string) {
		t.Helper()
		if a := s.call("GET", path+"/fate?connector=shop", ""); a.status != want || !strings.Contains(a.body, says) {
			t.Errorf("%s: %d %s, want %d and %q", path, a.status, a.body, want, says)
		}
	}
	fate(422, records+"/1/0", "does not write the topic")
	s.sup.mu.Lock()
	s.sup.status[c.ID] = runner.ConnectorStatus{Tasks: []runner.TaskStatus{{Progress: []connector.Progress{{Name: "shop.orders", Target: "shop_orders"}}}}}
	s.sup.mu.Unlock()
	const delivered = `{"state":"delivered","connector":"shop","where":"shop_orders-1 at offset 0","reason":"The connector writes this topic from `
	fate(200, records+"/1/0", delivered+`shop.orders.`)
	fate(404, records+"/1/7", "no offset 7 yet")
	fate(422, "/api/v1/instances/sandbox/topics/other/records/0/0", "is a source and does not write the topic")
	s.sup.mu.Lock()
	s.sup.status[c.ID] = runner.ConnectorStatus{}
	s.sup.saved = map[int64][]connector.SourcePosition{c.ID: {{Partition: map[string]any{"server": "shop", "table": "orders"}, Offset: map[string]any{"topic": "shop_orders"}}}}
	s.sup.mu.Unlock()
	fate(200, records+"/1/0", delivered+`server shop, table orders.`)
}

// TestSourceTolerance: what only sinks read is kept with a warning, and nonsense is refused.
func TestSourceTolerance(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for value, want := range map[string]int{"x": 400, "all": 201} {
		a := s.call("POST", "/connect/sandbox/connectors", `{"name":"with-`+value+`","config":{`+shop+`,"errors.tolerance":"`+value+`"}}`)
		if a.status != want || want == 400 && !strings.Contains(a.body, "errors.tolerance") {
			t.Errorf("errors.tolerance=%s: %d %s", value, a.status, a.body)
		}
	}
	a := s.must(200, "PUT", "/connect/sandbox/connector-plugins/MYSQL2KAFKA/config/validate", `{"name":"v",`+shop+`,"errors.tolerance":"x"}`)
	if !strings.Contains(a.body, `"error_count":1`) || !strings.Contains(a.body, "Only sinks use this setting") {
		t.Errorf("validate: %s", a.body)
	}
}

// TestSourceHostIsFixed: after a delivery another host is refused, and the refusal names the ways to another server; the port may change.
func TestSourceHostIsFixed(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	const config = "/connect/sandbox/connectors/shop/config"
	s.must(201, "POST", "/connect/sandbox/connectors", `{"name":"shop","config":{`+shop+`}}`)
	c, err := s.store.Connector(t.Context(), "sandbox", "shop")
	if err != nil {
		t.Fatal(err)
	}
	other := strings.Replace(shop, "127.0.0.1", "127.0.0.2", 1)
	s.must(200, "PUT", config, `{`+other+`}`)
	if err := s.store.SetDelivered(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
	a := s.must(400, "PUT", config, `{`+shop+`}`)
	if !strings.Contains(a.body, "Host cannot be changed once the connector has delivered something. After a failover let its name lead to") || !strings.Contains(a.body, "keep its topics and groups") {
		t.Errorf("another host: %s", a.body)
	}
	s.must(200, "PUT", config, `{`+strings.Replace(other, "19306", "19307", 1)+`}`)
}

// TestSourceBesideAnother: a second source of the same topics is told by validating it who writes them, and is not refused.
func TestSourceBesideAnother(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.must(201, "POST", "/connect/sandbox/connectors", `{"name":"shop","config":{`+shop+`}}`)
	const validate = "/connect/sandbox/connector-plugins/MYSQL2KAFKA/config/validate"
	other := strings.Replace(shop, `"mysql.database":"shop"`, `"mysql.database":"archive"`, 1)
	a := s.must(200, "PUT", validate, `{"name":"other",`+other+`}`)
	if !strings.Contains(a.body, `"error_count":0`) || !strings.Contains(a.body, `"warnings":[{"field":"topic.prefix","message":"The connector \"shop\" writes to \"shop_orders\" too`) {
		t.Errorf("validate: %s", a.body)
	}
	if a := s.must(200, "PUT", validate, `{"name":"shop",`+shop+`}`); !strings.Contains(a.body, `"warnings":[]`) {
		t.Errorf("itself: %s", a.body)
	}
	s.must(201, "POST", "/connect/sandbox/connectors", `{"name":"other","config":{`+other+`}}`)
}

// TestSourceInAnotherRegion: the two regions are joined by a CEN, whose ID is asked for
// exactly then; Internet access is not what it takes.
func TestSourceInAnotherRegion(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	put := func(members string) answer {
		return s.call("PUT", "/connect/sandbox/connectors/far/config", `{`+shop+members+`}`)
	}
	if a := put(`,"mysql.region":"cn-hangzhou"`); a.status != 400 || !strings.Contains(a.body, `cen.id`) || !strings.Contains(a.body, "Cloud Enterprise Network") {
		t.Errorf("without a CEN: %d %s", a.status, a.body)
	}
	if a := put(`,"mysql.region":"cn-hangzhou","internet.access":"true"`); a.status != 400 || !strings.Contains(a.body, `cen.id`) {
		t.Errorf("with Internet access and no CEN: %d %s", a.status, a.body)
	}
	if a := put(`,"mysql.region":"cn-hangzhou","cen.id":"hangzhou"`); a.status != 400 || !strings.Contains(a.body, `cen.id`) {
		t.Errorf("with what is no CEN: %d %s", a.status, a.body)
	}
	if a := put(`,"mysql.region":"cn-hangzhou","cen.id":"cen-7qthudw0ll6jmc"`); a.status != 201 {
		t.Errorf("with a CEN: %d %s", a.status, a.body)
	}
	if a := s.call("PUT", "/connect/sandbox/connectors/public/config", `{`+strings.Replace(shop, "127.0.0.1", "8.8.8.8", 1)+`}`); a.status != 400 || !strings.Contains(a.body, "mysql.host") {
		t.Errorf("a public address without Internet access: %d %s", a.status, a.body)
	}
}
