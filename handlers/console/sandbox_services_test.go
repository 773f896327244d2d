package console_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/handlers/console"
	"github.com/sluice-io/sluice/runner/catalog"
	"github.com/sluice-io/sluice/runner/control"
)

// event is an invocation of the box with its body.
type event struct {
	console.SandboxInvocation
	body string
}

// invoke adds an event, the newest.
func (b *box) invoke(service, function, status, body string) {
	b.events = append(b.events, event{console.SandboxInvocation{Sequence: int64(len(b.events) + 1), ID: "request-" + function, Time: time.Now(), API: "2016-08-15", Service: service,
		Function: function, Async: true, InvocationID: "s_" + function, Bytes: int64(len(body)), Records: strings.Count(body, "offset"), Status: status}, body})
}

func (b *box) Functions() []console.SandboxFunction {
	return []console.SandboxFunction{{Service: "sandbox", Name: "echo", Description: "Answers with the event", Invocations: int64(len(b.events)), Repeated: 3}, {Name: "echo"}}
}

func (b *box) Invocations(_ context.Context, c console.SandboxChoice, limit int) (list []console.SandboxInvocation, more bool, err error) {
	for i := len(b.events) - 1; i >= 0; i-- {
		e := b.events[i]
		service := c.Service == "" || c.Service == e.Service || c.Service == "-" && e.Service == ""
		if !service || c.Function != "" && c.Function != e.Function || c.Failed && e.Status != "Failed" || c.Before > 0 && e.Sequence >= c.Before || !strings.Contains(e.body, c.Contains) {
			continue
		}
		if len(list) == limit {
			return list, true, nil
		}
		list = append(list, e.SandboxInvocation)
	}
	return list, false, nil
}

func (b *box) Invocation(sequence int64, limit int) (console.SandboxInvocation, []byte, error) {
	if sequence > int64(len(b.events)) {
		return console.SandboxInvocation{}, nil, console.ErrSandboxNotFound
	}
	e := b.events[sequence-1]
	return e.SandboxInvocation, []byte(e.body[:min(limit, len(e.body))]), nil
}

func (b *box) Tables() []console.SandboxTable {
	t := console.SandboxTable{Name: "sandbox.kafka_messages", Partitioned: true, Columns: []console.SandboxColumn{{Name: "topic", Type: "string"}, {Name: "offset", Type: "bigint"}}, Partitions: len(b.rows)}
	for _, rows := range b.rows {
		t.Rows += int64(len(rows))
	}
	return []console.SandboxTable{t, {Name: "sandbox.plain", Columns: []console.SandboxColumn{{Name: "a", Type: "binary"}}}}
}

func (b *box) Partitions(table, after string, limit int) (list []console.SandboxPartition, more bool, err error) {
	if table == "sandbox.plain" {
		return nil, false, nil
	}
	for _, spec := range []string{"pt=1", "pt=2"} {
		if rows, ok := b.rows[spec]; ok && spec > after {
			list = append(list, console.SandboxPartition{Spec: spec, Rows: int64(len(rows)), Modified: time.Now()})
		}
	}
	return list, false, nil
}

func (b *box) Rows(_ context.Context, table, partition string, first int64, limit int) ([][]console.SandboxValue, error) {
	if table == "sandbox.plain" {
		return [][]console.SandboxValue{{{Text: "\x00\xff"}}, {{Null: true}}, {{Text: strings.Repeat("é", 300), Cut: true}}}, nil
	}
	rows, ok := b.rows[partition]
	if !ok {
		return nil, console.ErrSandboxNotFound
	}
	first = min(first, int64(len(rows)))
	return rows[first:min(first+int64(limit), int64(len(rows)))], nil
}

func TestSandboxFunctionPages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin, vera := s.as("admin"), s.as("vera")
	admin.get("/sandbox/functions").want(200).says("No invocations", "Function Compute", "0 invocations with 0 records")
	s.box.invoke("sandbox", "echo", "Succeeded", `[{"key":"<script>","offset":1},{"offset":2}]`)
	s.box.invoke("sandbox", "fails", "Failed", `not json`)
	s.box.invoke("", "echo", "Running", "\x00\xff")
	page := admin.get("/sandbox/functions").want(200).says("3 invocations", "00 ff", "Running", "2 records", "synchronous")
	page.has(`a[href="/sandbox/functions?invocation=1"]`).has(`a[href="/sandbox/functions?invocation=3"][aria-current]`).has(`a[href="/sandbox/body?invocation=3"]`)
	body := admin.get("/sandbox/functions?invocation=1").want(200).says("Succeeded", "s_echo", "request-echo").doc.Find("#body").Text()
	if want := "[\n  {\n    \"key\": \"<script>\",\n    \"offset\": 1\n  },\n  {\n    \"offset\": 2\n  }\n]"; body != want {
		t.Errorf("the body is shown as %q, want %q", body, want)
	}
	admin.get("/sandbox/functions?function=sandbox/echo").want(200).has(`a[href="/sandbox/functions?function=sandbox%2Fecho&invocation=1"][aria-current]`).
		says("Answers with the event. Since the start:", "3 repetitions refused").hasNot(`nav a[href*="invocation=3"]`)
	admin.get("/sandbox/functions?function=echo").want(200).has(`a[href*="invocation=3"][aria-current]`).hasNot(`nav a[href*="invocation=1"]`)
	admin.get("/sandbox/functions?failed=on&contains=json").want(200).has(`a[href="/sandbox/functions?contains=json&failed=on&invocation=2"]`).has(`input[name="failed"][checked]`).says("not json")
	admin.get("/sandbox/functions?contains=nothing-of-it").want(200).says("No invocations")
	for _, wrong := range []string{"invocation=9", "invocation=x", "invocation=0", "before=-1"} {
		admin.get("/sandbox/functions?" + wrong).want(404)
	}

	// A viewer sees what happened and no payload, whatever is asked for.
	vera.get("/sandbox/functions?invocation=1&contains=json").want(200).says("s_echo", "Contents are shown to operators").hasNot(`input[name="contains"]`).hasNot(`a[href^="/sandbox/body"]`).
		has(`nav a[href*="invocation=1"]`)
	vera.get("/sandbox/body?invocation=1").want(http.StatusForbidden)
	download := admin.get("/sandbox/body?invocation=1").want(200)
	if download.body != s.box.events[0].body || !strings.Contains(download.header.Get("Content-Disposition"), "invocation-1.json") {
		t.Errorf("the download is %q with %v", download.body, download.header)
	}
	admin.get("/sandbox/body?invocation=9").want(404)
	admin.get("/sandbox/body").want(404)
}

func TestSandboxFunctionPagesOfMany(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.as("admin")
	var long strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&long, `,{"offset":%d,"value":"%s"}`, i, strings.Repeat("x", 50))
	}
	for range 60 {
		s.box.invoke("sandbox", "echo", "Succeeded", "["+long.String()[1:]+"]")
	}
	page := admin.get("/sandbox/functions").want(200).has(`a[href="/sandbox/functions?before=11"]`).says("Only the first part is shown")
	if shown := page.doc.Find("#body").Text(); !strings.HasPrefix(shown, "[\n  {\n    \"offset\": 0") || !strings.HasSuffix(shown, "}\n]") {
		t.Errorf("a body that is cut off is shown as %.40q … %q", shown, shown[len(shown)-40:])
	}
	older := admin.get("/sandbox/functions?before=11").want(200).has(`a[href="/sandbox/functions"]`).has(`a[href="/sandbox/functions?before=11&invocation=10"][aria-current]`)
	if n := older.doc.Find(".browser nav a[href*='invocation=']").Length(); n != 10 {
		t.Errorf("the last page has %d invocations, want 10", n)
	}
}

func TestSandboxTablePages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin, vera := s.as("admin"), s.as("vera")
	admin.get("/sandbox/tables").want(200).says("The table has no partitions yet", "MaxCompute", "0 rows in 0 partitions")
	row := func(topic, offset string) []console.SandboxValue {
		return []console.SandboxValue{{Text: topic}, {Text: offset}}
	}
	s.box.rows = map[string][][]console.SandboxValue{"pt=1": {}, "pt=2": {row("<b>orders</b>", "0"), {{Null: true}, {Text: "1"}}}}
	page := admin.get("/sandbox/tables").want(200).says("topic", "bigint", "2 rows in 2 partitions", "pt=1", "<b>orders</b>", "NULL")
	page.has(`a[href="/sandbox/tables?partition=pt%3D2&table=sandbox.kafka_messages"][aria-current]`) // the first that has rows
	if n := page.doc.Find(".table-cells tbody tr").Length(); n != 2 {
		t.Errorf("%d rows, want 2", n)
	}
	admin.get("/sandbox/tables?partition=pt%3D1").want(200).says("There are no rows here").has(`a[aria-current][href*="pt%3D1"]`)
	admin.get("/sandbox/tables?table=sandbox.plain").want(200).says("hex", "00ff", "NULL", "…").hasNot(".browser")
	for i := range 100 {
		s.box.rows["pt=1"] = append(s.box.rows["pt=1"], row("t", fmt.Sprint(i)))
	}
	admin.get("/sandbox/tables").want(200).has(`a[href="/sandbox/tables?partition=pt%3D1&row=50&table=sandbox.kafka_messages"]`)
	admin.get("/sandbox/tables?partition=pt%3D1&row=50").want(200).says("100").has(`a[href="/sandbox/tables?partition=pt%3D1&table=sandbox.kafka_messages"]`).hasNot(`a[href*="row=100"]`)
	for _, wrong := range []string{"table=other", "partition=pt%3D9", "row=-1", "row=x"} {
		admin.get("/sandbox/tables?" + wrong).want(404)
	}
	vera.get("/sandbox/tables").want(200).says("pt=1", "Contents are shown to operators").hasNot(".table-cells")
}

func TestSandboxFaultsByPart(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.as("admin")
	admin.get("/sandbox/faults?part=fc").want(200).has(`option[value="InvokeFunction"]`).hasNot(`option[value="PutObject"]`).hasNot(`input[value="crc"]`).has(`input[name="part"][value="fc"]`).
		says("such as sandbox/echo").has(`a[href="/sandbox/faults?part=fc"][aria-current]`)
	admin.get("/sandbox/faults").want(200).has(`input[value="crc"]`).has(`input[name="part"][value="oss"]`)
	admin.post("/sandbox/faults", "part", "fc", "kind", "before", "operation", "InvokeFunction", "percent", "5").to("/sandbox/faults?part=fc")
	if len(s.box.Faults("fc")) != 1 || len(s.box.Faults("oss")) != 0 {
		t.Errorf("faults of fc %v, of oss %v", s.box.Faults("fc"), s.box.Faults("oss"))
	}
	admin.get("/sandbox/faults?part=fc").says("cuts the connection before carrying out: 5 % of InvokeFunction").has(`button[formaction="/sandbox/faults/0/off?part=fc"]`)
	admin.get("/sandbox/faults").says("None. Every request is answered honestly.", "1 fault")
	admin.post("/sandbox/faults/update", "part", "odps", "kind", "slow").want(200).has(`option[value="UploadBlock"]`)
	admin.post("/sandbox/faults", "part", "fc", "kind", "status", "status", "7", "operation", "*", "percent", "5").want(422).has(`input[name="part"][value="fc"]`)
	admin.post("/sandbox/faults/0/off?part=fc").to("/sandbox/faults?part=fc")
	if left := s.box.Faults("fc"); len(left) != 0 {
		t.Errorf("faults of fc that are left: %v", left)
	}
	admin.get("/sandbox/faults?part=kafka").want(404)
	admin.get("/sandbox/requests?part=other").want(404)
	admin.post("/sandbox/faults", "part", "kafka", "kind", "before", "percent", "5").want(404)
	admin.get("/sandbox/requests?part=fc").want(200).says("InvokeFunction", "429 ResourceExhausted").hasNot(`strong:contains("PutObject")`)
}

// TestSandboxExamples: an example is offered for each part whose task type the program has, and for no other.
func TestSandboxExamples(t *testing.T) {
	t.Parallel()
	s := newSite(t, "orders")
	otto, vera := s.as("otto"), s.as("vera")
	classes := map[string]string{"oss": "KAFKA2OSS", "fc": "KAFKA2FC", "odps": "KAFKA2ODPS", "mysql": "MYSQL2KAFKA"}
	names := map[string]string{"oss": "orders-to-oss", "fc": "orders-to-fc", "odps": "orders-to-odps", "mysql": "shop-to-kafka"}
	s.box.mysql = "127.0.0.1:19306"
	s.box.database = console.SandboxDatabase{Version: "10.11.19-MariaDB", Database: "shop", User: "sandbox", Password: "secret", Tables: []string{"orders", "page_views"}, Changes: 7}
	have := map[string]bool{}
	for _, spec := range catalog.All() {
		have[spec.Class] = true
	}
	vera.get("/sandbox").hasNot(`button[formaction^="/sandbox/example"]`)
	for part, class := range classes {
		button := fmt.Sprintf(`button[formaction="/sandbox/example?to=%s"]`, part)
		if !have[class] {
			otto.get("/sandbox").hasNot(button)
			otto.post("/sandbox/example?to=" + part).want(404)
			continue
		}
		on := "/instances/sandbox/connectors/" + names[part]
		otto.get("/sandbox").has(button)
		otto.post("/sandbox/example?to=" + part).to(on)
		otto.get("/sandbox").hasNot(button).has(fmt.Sprintf(`a[href="%s"]`, on))
		otto.post("/sandbox/example?to=" + part).to(on) // again: it is there
	}
	otto.post("/sandbox/example?to=kafka").want(404)
	in, err := s.svc.Connector(control.WithActor(t.Context(), control.System()), "sandbox", "shop-to-kafka")
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"mysql.host": "127.0.0.1", "mysql.port": "19306", "mysql.database": "shop", "mysql.user": "sandbox", "mysql.tables": "*", "topics": ""} {
		if got := in.Config[key]; got != want {
			t.Errorf("%s of the example is %q, want %q", key, got, want)
		}
	}
}

// TestSandboxDatabase: the card says what the server holds, or plainly why there is none, and then offers no example.
func TestSandboxDatabase(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	otto := s.as("otto")
	button := `button[formaction="/sandbox/example?to=mysql"]`
	s.box.database = console.SandboxDatabase{Missing: true}
	otto.get("/sandbox").says("mariadbd was not found on this machine", "mariadb-server").hasNot(button)
	s.box.database = console.SandboxDatabase{Problem: "no space left"}
	otto.get("/sandbox").says("did not start: no space left").hasNot(button)
	s.box.mysql = "127.0.0.1:19306"
	s.box.database = console.SandboxDatabase{Version: "10.11.19-MariaDB", Database: "shop", User: "sandbox", Password: "secret", Tables: []string{"orders", "page_views"}, Changes: 7}
	otto.get("/sandbox").says("127.0.0.1:19306", "10.11.19-MariaDB; database shop with orders, page_views; account sandbox, password secret; 7 rows changed").has(button)
}
