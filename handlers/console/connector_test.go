package console_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
)

const one = sandbox + "/connectors/one"

// told is a supervisor whose connectors are in the states that a test says.
type told struct {
	*runner.Supervisor
	mu     sync.Mutex
	m      map[int64]runner.ConnectorStatus
	claims claims
	source sourced
}

func (s *told) Status(ctx context.Context, id int64) (runner.ConnectorStatus, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st, ok := s.m[id]; ok {
		return st, nil
	}
	return s.Supervisor.Status(ctx, id)
}

func (s *told) Statuses(ctx context.Context) (map[int64]runner.ConnectorStatus, error) {
	out, err := s.Supervisor.Statuses(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, st := range s.m {
		out[id] = st
	}
	return out, err
}

// partition gives a connector's only task a partition in a state.
func (s *site) partition(id int64, p runner.PartitionStatus) {
	s.t.Helper()
	p.Topic, p.Since = "orders", time.Now()
	st := runner.TaskStatus{ConnectorID: id, Node: "n", Status: p.Status, Partitions: []runner.PartitionStatus{p}, UpdatedAt: time.Now()}
	s.told.mu.Lock()
	defer s.told.mu.Unlock()
	s.told.m[id] = runner.ConnectorStatus{Status: p.Status, Worker: "n", Tasks: []runner.TaskStatus{st}, Waiting: p.Lag, LagMillis: p.LagMillis}
}

// TestConnectorPagesAreWhole: every page of a connector and of topics renders, for each
// role that may see it, without secrets and within the content policy.
func TestConnectorPagesAreWhole(t *testing.T) {
	t.Parallel()
	s := newSite(t, "orders")
	id := s.connector("one", control.DesiredRunning)
	s.partition(id, runner.PartitionStatus{Status: connector.Status{State: connector.StateFailed, Cause: "The access key was refused.", Remedy: "Enter a valid one."}, Position: 7, End: 9, Lag: 2, LagMillis: 61_000})
	ways := map[string]bool{"": true, "/configuration": true, "/logs": true, "/resources": true, "/position": true, "/internet": true, "/modify": false, "/delete": false}
	for _, user := range []string{"admin", "otto", "vera"} {
		b := s.as(user)
		for path, viewer := range ways {
			a := b.get(one + path)
			if user == "vera" && !viewer {
				a.want(http.StatusForbidden)
				continue
			}
			whole(t, one+path, a.want(http.StatusOK))
			if user == "vera" {
				a.hasNot(`button[formaction$="/suspend"]`).hasNot(`a[href$="/modify"]`).hasNot(`#send`)
			}
		}
		topic := b.get(sandbox + "/topics/orders").want(http.StatusOK)
		whole(t, "topic", topic)
		if user == "vera" {
			topic.hasNot("form#send").says("needs the role operator")
			b.get(sandbox + "/create-topic").want(http.StatusForbidden)
			for _, act := range []string{"suspend", "resume", "stop", "restart", "delete", "modify", "choose", "position", "internet", "internet/check", "tasks/0/restart"} {
				b.post(one + "/" + act).want(http.StatusForbidden)
			}
			b.post(sandbox+"/topics/orders/records", "value", "x").want(http.StatusForbidden)
		} else {
			whole(t, "create-topic", b.get(sandbox+"/create-topic").want(http.StatusOK))
		}
	}
	otto := s.as("otto")
	page := otto.get(one).says("The access key was refused.", "Enter a valid one.", "orders-0", "61 s behind")
	page.has(`button[formaction="` + one + `/resume"]`).has(`button[formaction="` + one + `/tasks/0/restart"]`)
	for path, id := range map[string]string{one + "?part=head&tab=logs": "connector-head", one + "?part=body": "connector", sandbox + "/topics/orders?part=partitions": "partitions"} {
		a := otto.get(path, "HX-Request", "true").want(http.StatusOK)
		if a.doc.Find("body > #"+id).Length() != 1 || strings.Contains(a.body, "<html") {
			t.Errorf("%s: not the element %s alone", path, id)
		}
	}
	for _, path := range []string{sandbox + "/connectors/none", sandbox + "/connectors/none/logs", "/instances/none/connectors/one", sandbox + "/topics/none", sandbox + "/topics/..%2f..%2fetc", one + "/nothing", sandbox + "/topics/orders/records/x/1", sandbox + "/topics/orders/records/0/-1"} {
		otto.get(path).want(http.StatusNotFound)
	}
}

// TestModify changes a configuration over the review of its changes; a secret that is
// typed goes along sealed.
func TestModify(t *testing.T) {
	t.Parallel()
	s := newSite(t, "orders")
	id := s.connector("one", control.DesiredNotDeployed)
	if err := s.store.SetDelivered(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	b := s.as("otto")
	form := b.get(one+"/modify").want(http.StatusOK).says("Fixed since the connector was created", "Fixed, because the connector has delivered something")
	form.has(`#f-oss-bucket[disabled]`).has(`#f-name[disabled]`).has(`input[name="flush.bytes"][value="64MiB"]`)
	b.follow(b.fill(form, "#modify-form")).says("Nothing was changed")
	bad := b.fill(form, "#modify-form", "flush.size", "0", "oss.path", "{nope}").want(http.StatusUnprocessableEntity)
	bad.has(`#f-flush-size[aria-invalid=true][value="0"]`).has(`#f-oss-path[aria-invalid=true]`).has(`details[open] #f-flush-size`)
	review := b.fill(bad, "#modify-form", "flush.size", "10000", "oss.path", "{topic}", "oss.format", "jsonl", "description", "Now <i>lines</i>", "aliyun.access.key.secret", secret).want(http.StatusOK).hidesSecrets()
	review.says("4 changes", "json", "jsonl", "Now <i>lines</i>").hasNot("main i").has(`input[type=hidden][name=_sealed]`)
	again := b.fill(review, "#modify-review", "_edit", "1").want(http.StatusOK).hidesSecrets().has(`input[name=description][value="Now <i>lines</i>"]`).has(`input[name="oss.format"][value=jsonl][checked]`)
	s.as("admin").fill(again, "#modify-form", "_csrf", "x").want(http.StatusForbidden)
	other := s.as("admin")
	other.fill(again, "#modify-form", "_csrf", other.token).want(http.StatusUnprocessableEntity).says("Enter them again") // sealed for another session
	review = b.fill(again, "#modify-form").want(http.StatusOK).hidesSecrets()
	saved := b.follow(b.fill(review, "#modify-review", "_confirm", "1")).says("Version 2 is in force", "JSON lines", "default: JSON").hidesSecrets()
	saved.has("table.diff")
	stored, err := s.store.Connector(t.Context(), "sandbox", "one")
	if err != nil || stored.Config["aliyun.access.key.secret"] != secret || stored.Config["flush.size"] != "" || stored.Config["oss.format"] != "jsonl" {
		t.Errorf("stored: %v, flush.size %q, format %q, the secret is the typed one: %v", err, stored.Config["flush.size"], stored.Config["oss.format"], stored.Config["aliyun.access.key.secret"] == secret)
	}
	b.fill(again, "#modify-form", "oss.format", "csv", "-_sealed", "").want(http.StatusConflict).says("Somebody else changed the configuration")
	b.post(one+"/modify", "_version", "2", "oss.bucket", "another", "_confirm", "1").to(one + "/configuration") // a fixed field is not read
	if stored, _ = s.store.Connector(t.Context(), "sandbox", "one"); stored.Config["oss.bucket"] != "sandbox-bucket" {
		t.Error("a fixed field was changed")
	}
	back := b.follow(b.fill(b.fill(b.get(one+"/modify"), "#modify-form", "oss.format", "json").want(http.StatusOK), "#modify-review", "_confirm", "1"))
	if back.says("Version 3"); strings.Contains(back.doc.Find("#config-json").Text(), "oss.format") {
		t.Error("a value that is the default again is kept")
	}
}

// TestChoose asks a person and carries out nothing that was not offered.
func TestChoose(t *testing.T) {
	t.Parallel()
	s := newSite(t, "orders")
	s.partition(s.connector("one", control.DesiredRunning), runner.PartitionStatus{Partition: 2, Status: connector.Status{State: connector.StateGap, Cause: "Records are lost."}, Lost: "Offsets 5 to 90 were removed <by retention>.",
		Choices: []connector.Choice{{Choice: "beginning", Title: "Go on at the first record there is", Risk: "85 records are not delivered."}, {Choice: "position", Title: "Go on at an offset", Risk: "What is before it is not delivered."}, {Choice: "stay", Title: "Stay stopped", Risk: "Nothing moves."}}})
	b := s.as("otto")
	page := b.get(one).want(http.StatusOK).says("orders-2 waits for your choice", "Offsets 5 to 90 were removed <by retention>.", "85 records are not delivered.")
	page.hasNot(`form[action$="/choose"] input[type=radio][checked]`)
	form := `form[action="` + one + `/choose"]`
	b.fill(page, form).want(http.StatusUnprocessableEntity).says("Choose one of the ways on")
	b.fill(page, form, "choice-0.choice", "explode").want(http.StatusUnprocessableEntity).says("not offered")
	for _, offset := range []string{"", "-1", "x", "1e3", "99999999999999999999"} {
		b.fill(page, form, "choice-0.choice", "position", "choice-0.offset", offset).want(http.StatusUnprocessableEntity).has(`#f-choice-0-offset[aria-invalid=true]`).has(`input[value=position][checked]`)
	}
	b.post(one+"/choose", "topic", "orders", "partition", "9", "choice", "stay").want(http.StatusSeeOther) // it does not wait: a message on the page
	b.get(one).says("does not wait for a choice")
	s.as("vera").get(one).says("An operator has to choose").hasNot(form)
}

// TestDelete lists what goes, and asks for the name.
func TestDelete(t *testing.T) {
	t.Parallel()
	s := newSite(t, "orders")
	s.connector("one", control.DesiredNotDeployed)
	b := s.as("otto")
	page := b.get(one+"/delete").want(http.StatusOK).says("Type one to confirm", "orders", "kept")
	for _, typed := range []string{"", "One", "on", "<one>"} {
		b.fill(page, `form[action$="/delete"]`, "confirm", typed).want(http.StatusUnprocessableEntity).has(`#f-confirm[aria-invalid=true]`)
	}
	b.get(one).want(http.StatusOK)
	b.follow(b.fill(page, `form[action$="/delete"]`, "confirm", "one")).says("one is deleted")
	b.get(one).want(http.StatusNotFound)
	b.post(one + "/suspend").want(http.StatusNotFound)
}

// TestPosition changes positions only while the connector is stopped.
func TestPosition(t *testing.T) {
	t.Parallel()
	s := newSite(t, "orders")
	s.connector("one", control.DesiredRunning)
	b := s.as("otto")
	b.get(one + "/position").want(http.StatusOK).says("only while the connector is stopped").has(`button[formaction="` + one + `/stop"]`)
	b.post(one+"/position", "reset", "1").want(http.StatusSeeOther)
	b.get(one + "/position").says("stop it first")
	b.post(one + "/stop").to(one)
	page := b.get(one + "/position").want(http.StatusOK).has(`input[name="offset.orders/0"]`).has(`input[name="offset.orders/2"]`)
	b.fill(page, "#position-form").want(http.StatusUnprocessableEntity).says("Enter a position")
	for _, offset := range []string{"-1", "x", "1.5", "0x10", "99999999999999999999"} {
		b.fill(page, "#position-form", "offset.orders/0", offset).want(http.StatusUnprocessableEntity).has(`#f-offset-orders-0[aria-invalid=true]`)
	}
	b.fill(page, "#position-form", "offset.orders/99", "1").want(http.StatusUnprocessableEntity).says("no partition orders/99")
	b.fill(page, "#position-form", "offset.other/0", "1").want(http.StatusUnprocessableEntity).says("no partition other/0")
}

// TestLogs filters by the address, pages without a script, streams with one, and is
// downloaded whole.
func TestLogs(t *testing.T) {
	t.Parallel()
	s := newSite(t, "orders")
	id := s.connector("one", control.DesiredRunning)
	begin := time.Date(2026, 3, 14, 17, 0, 0, 0, time.UTC)
	var lines []runner.LogLine
	for i := range 450 {
		l := runner.LogLine{ConnectorID: id, Time: begin.Add(time.Duration(i) * time.Second), Level: runner.LogInfo, Task: i%3 - 1, Message: fmt.Sprintf("line %03d", i)}
		if i%100 == 7 {
			l.Level, l.Message, l.Fields = runner.LogError, fmt.Sprintf("broke <b>%03d</b>\nsecond line", i), map[string]string{"object": "a<script>", "attempt": "2"}
		}
		lines = append(lines, l)
	}
	if err := s.store.AppendLogs(t.Context(), lines); err != nil {
		t.Fatal(err)
	}
	b := s.as("vera")
	newest := b.get(one+"/logs").want(http.StatusOK).says("line 449", "line 250").has(`.log[data-follow]`)
	if strings.Contains(newest.text(), "line 249") {
		t.Error("the first page has more than its lines")
	}
	older := func(a answer) answer {
		return b.get(a.has(`a:contains("Older")`).doc.Find(`a:contains("Older")`).AttrOr("href", "")).want(http.StatusOK)
	}
	second := older(newest).says("line 249", "line 050").hasNot(`.log[data-follow]`)
	third := older(second).says("line 049", "line 000").hasNot(`a:contains("Older")`)
	b.get(third.doc.Find(`a:contains("Newer")`).AttrOr("href", "")).says("line 050", "line 249")
	errors := b.get(one+"/logs?level=ERROR").want(http.StatusOK).says("broke <b>407</b>", "a<script>", "attempt").hasNot("main b").hasNot("main script")
	if n := errors.doc.Find(".log-line").Length(); n != 5 {
		t.Errorf("%d errors, want 5", n)
	}
	if n := b.get(one + "/logs?task=1&q=line+00").doc.Find(".log-line").Length(); n != 3 {
		t.Errorf("%d lines of task 1 with \"line 00\", want 3", n)
	}
	if n := b.get(one + "/logs?from=2026-03-14T17:01:00&to=2026-03-14T17:01:10").doc.Find(".log-line").Length(); n < 10 || n > 11 {
		t.Errorf("%d lines in ten seconds", n)
	}
	for _, query := range []string{"level=LOUD", "task=x", "task=-9", "from=yesterday", "to=2026-13-40T00:00", "from=2026-03-14T18:00&to=2026-03-14T17:00", "from=%3Cscript%3E"} {
		b.get(one + "/logs?" + query).want(http.StatusUnprocessableEntity).has("#errors").hasNot("main script")
		b.get(one + "/logs/download?" + query).want(http.StatusUnprocessableEntity)
	}
	file := b.get(one + "/logs/download").want(http.StatusOK)
	if n := strings.Count(file.body, "\n"); n != 450 || !strings.HasPrefix(file.header.Get("Content-Disposition"), "attachment") || !strings.Contains(file.body, `broke <b>007</b>\nsecond line attempt="2" object="a<script>"`) {
		t.Errorf("the download has %d lines, disposition %q: %.300s", n, file.header.Get("Content-Disposition"), file.body)
	}
	s.stream(b, id)
}

// stream reads two events: the one after Last-Event-ID, and one that comes later.
func (s *site) stream(b *browser, id int64) {
	s.t.Helper()
	last := b.get(one+"/logs").doc.Find(".log-line").Last().AttrOr("data-id", "")
	before := b.get(one+"/logs").doc.Find(".log-line").Eq(198).AttrOr("data-id", "")
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, b.url+one+"/logs/stream?after=1", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Last-Event-ID", before)
	res, err := b.client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		s.t.Fatalf("status %d, %s", res.StatusCode, res.Header.Get("Content-Type"))
	}
	read := bufio.NewScanner(res.Body)
	next := func() (id, data string) {
		for read.Scan() {
			switch line := read.Text(); {
			case strings.HasPrefix(line, "id: "):
				id = strings.TrimPrefix(line, "id: ")
			case strings.HasPrefix(line, "data: "):
				data += strings.TrimPrefix(line, "data: ")
			case line == "" && id != "":
				return id, data
			}
		}
		s.t.Fatalf("the stream ended: %v", read.Err())
		return "", ""
	}
	if got, data := next(); got != last || !strings.Contains(data, "line 449") {
		s.t.Errorf("the first event is %s (%.200s), want %s", got, data, last)
	}
	if err := s.store.AppendLogs(s.t.Context(), []runner.LogLine{{ConnectorID: id, Time: time.Now(), Level: runner.LogWarn, Message: "new\nin two lines <b>"}}); err != nil {
		s.t.Fatal(err)
	}
	if _, data := next(); !strings.Contains(data, "in two lines &lt;b&gt;") || !strings.Contains(data, "log-line") {
		s.t.Errorf("the second event is %.300s", data)
	}
}

// TestSendAndFate sends messages and follows what becomes of them.
func TestSendAndFate(t *testing.T) {
	t.Parallel()
	s := newSite(t, "orders")
	id := s.connector("one", control.DesiredRunning)
	b := s.as("otto")
	topic := b.get(sandbox+"/topics/orders?connector=one").want(http.StatusOK).says("3 partitions", "one").has(`#send option[value=one][selected]`)
	b.get(one).has(`a[href="` + sandbox + `/topics/orders?connector=one#send"]`)
	to := b.fill(topic, "#send", "key", "k", "value", "hello", "headers", "trace: 7\r\nempty:", "partition", "2").want(http.StatusSeeOther).header.Get("Location")
	if to != sandbox+"/topics/orders/records/2/0?connector=one" {
		t.Fatalf("sent to %s", to)
	}
	s.partition(id, runner.PartitionStatus{Partition: 2, Status: connector.Status{State: connector.StateRunning}, Position: 0, End: 1})
	b.get(to).want(http.StatusOK).says("Waiting", "0 records stand before it").has(`#fates[hx-get="` + to + `"]`).has(`noscript`)
	s.partition(id, runner.PartitionStatus{Partition: 2, Status: connector.Status{State: connector.StateRunning}, Position: 1, End: 1})
	b.get(to).want(http.StatusOK).says("Delivered", "Bucket Name sandbox-bucket").hasNot(`#fates[hx-get]`)
	b.get(to, "HX-Request", "true").has("body > #fates")
	b.get(sandbox + "/topics/orders/records/2/1").want(http.StatusNotFound)
	b.fill(topic, "#send", "value", "AAEC/w==", "encoding", "base64", "null", "false", "connector", "").want(http.StatusSeeOther)
	made := b.fill(b.get(sandbox+"/create-topic"), "#topic-form", "name", "fresh", "partitions", "4", "replicas", "1", "cleanup", "compact", "retention", "24")
	made.to(sandbox + "/topics/fresh")
	b.follow(made).says("Topic fresh is created", "4 partitions")
	b.fill(b.get(sandbox+"/topics/fresh"), "#send", "value", "x", "null", "true").want(http.StatusSeeOther)
	b.get(sandbox + "/topics/fresh/records/0/99").want(http.StatusOK).says("No connector reads this topic")
	b.fill(b.get(sandbox+"/create-topic"), "#topic-form", "name", "orders", "partitions", "1").want(http.StatusUnprocessableEntity).has(`#f-name[aria-invalid=true]`)
}

// TestInternetAccess is its own page with its own act.
func TestInternetAccess(t *testing.T) {
	t.Parallel()
	s := newSite(t, "orders")
	s.connector("one", control.DesiredNotDeployed)
	b := s.as("otto")
	page := b.get(one+"/internet").want(http.StatusOK).says("Private addresses only", "127.0.0.1:19100", "metadata addresses")
	b.post(one+"/internet", "enable", "maybe").want(http.StatusUnprocessableEntity).says("enable: must be true or false")
	b.follow(b.fill(page, `form[action$="/internet"]`)).says("Internet access is enabled for one", "Disable Internet access")
	b.follow(b.post(one + "/internet/check")).has("#findings .finding")
	b.follow(b.post(one+"/internet", "enable", "false")).says("Internet access is disabled for one")
}
