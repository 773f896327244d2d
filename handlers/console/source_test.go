package console_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
)

// sourced is what a source of a test has saved, and what it was asked for.
type sourced struct {
	saved []connector.SourcePosition
	asked []string
}

func (s *told) SourcePositions(context.Context, int64) ([]connector.SourcePosition, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.source.saved), nil
}

func (s *told) AlterSourcePositions(_ context.Context, _ int64, to []connector.SourcePosition) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if to[0].Offset["gtid"] == "wrong" {
		return connector.FieldError{Field: "offsets[0]", Message: "this is no GTID."}
	}
	s.source.saved = to
	return nil
}

func (s *told) Snapshot(_ context.Context, _ int64, parts []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.source.asked = append(s.source.asked, strings.Join(parts, ","))
	return nil
}

// reading stores a source that is in a state, with two tables.
func (s *site) reading(name string, desired control.Desired, p runner.PartitionStatus) int64 {
	s.t.Helper()
	ctx := s.t.Context()
	c := runner.Connector{InstanceID: 1, Instance: "sandbox", Name: name, Class: "MYSQL2KAFKA", Desired: desired, Deployed: true,
		Config: connector.Config{"name": name, "connector.class": "MYSQL2KAFKA", "mysql.host": "127.0.0.1", "mysql.port": "1", "mysql.user": "u", "mysql.password": "s3cret", "mysql.database": "shop", "mysql.tables": "*", "topic.prefix": "shop"}}
	if err := s.store.CreateConnector(ctx, &c, "admin"); err != nil {
		s.t.Fatal(err)
	}
	if err := s.store.SetDeployed(ctx, c.ID, true); err != nil {
		s.t.Fatal(err)
	}
	p.Partition, p.Since, p.Position, p.End = -1, time.Now(), -1, -1
	st := runner.TaskStatus{ConnectorID: c.ID, Node: "n", Status: p.Status, Partitions: []runner.PartitionStatus{p}, UpdatedAt: time.Now(), Progress: []connector.Progress{
		{Name: "shop.customers", Target: "shop_customers", Phase: "streaming", Done: 500, Total: 500, Unit: "rows"},
		{Name: "shop.orders", Target: "shop_orders", Phase: "snapshot", Done: 250_000, Total: 1_000_000, Unit: "rows", Rate: 50_000, Left: 15 * time.Second, Detail: "<b>slow</b>"}}}
	s.told.mu.Lock()
	defer s.told.mu.Unlock()
	s.told.m[c.ID] = runner.ConnectorStatus{Status: p.Status, Worker: "n", Tasks: []runner.TaskStatus{st}, LagMillis: p.LagMillis}
	return c.ID
}

// TestSourcePage shows the reader and how far each table is in the place of tasks and
// partitions; what only sinks have is not there.
func TestSourcePage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.reading("one", control.DesiredRunning, runner.PartitionStatus{Status: connector.Status{State: connector.StateRunning}, LagMillis: 180_000, Delivered: 250_500})
	b := s.as("otto")
	page := b.get(one).want(http.StatusOK).says("shop.orders", "25 %", "250,000 of about 1,000,000 rows", "15 s", "Following", "Copying", "3 min behind", "1 of 2 copied", "50k rows/s", "About 15 s left", "<b>slow</b>").says("Time left")
	page.has(`a[href="/instances/sandbox/topics/shop_orders"]`).has(`a[href="` + one + `/snapshot"]`).hasNot(`a[href*="#send"]`)
	b.get("/").want(http.StatusOK).says("one", "MySQL")
	s.as("vera").get(one).want(http.StatusOK).says("shop.orders").hasNot(`a[href$="/snapshot"]`).hasNot("form[action$='/suspend']")
	for _, tab := range []string{"configuration", "logs", "position", "internet"} {
		if body := b.get(one + "/" + tab).want(http.StatusOK); strings.Contains(body.body, "s3cret") {
			t.Errorf("%s shows the password", tab)
		}
	}
}

// TestSourceBegins: a source that has read nothing yet, because its server is away, none of its tables is there, or it
// was not deployed, is not said to be up to date, to be about to start, or to have lost its topics.
func TestSourceBegins(t *testing.T) {
	t.Parallel()
	s := newSite(t, "orders")
	b := s.as("otto")
	at := func(name string, state connector.State) string {
		id := s.reading(name, control.DesiredRunning, runner.PartitionStatus{Status: connector.Status{State: state}})
		s.told.mu.Lock()
		defer s.told.mu.Unlock()
		s.told.m[id].Tasks[0].Progress = nil
		return sandbox + "/connectors/" + name
	}
	away := at("away", connector.StateRecovering)
	if page := b.get(away).want(http.StatusOK).says("No tables yet", "when the reader has started").text(); strings.Contains(page, "up to date") {
		t.Error("a reader whose server is away is said to be up to date")
	}
	b.get(away+"/position").want(http.StatusOK).says("No positions yet", "begins to read").hasNot(`button[formaction$="/stop"]:contains("Stop connector")`)
	idle := at("idle", connector.StateRunning)
	b.get(idle).want(http.StatusOK).says("No tables yet", "no table of the database matches yet", "up to date").has(`#connector a[href="` + idle + `/modify"]`)
	s.connector("fresh", control.DesiredNotDeployed)
	fresh := b.get(sandbox + "/connectors/fresh/resources").want(http.StatusOK).says("made when the connector is deployed")
	if strings.Contains(fresh.text(), "does not exist") {
		t.Error("topics of a connector that was not deployed are said to be missing")
	}
}

// TestSnapshotAgain asks which tables, and asks for those.
func TestSnapshotAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.reading("one", control.DesiredRunning, runner.PartitionStatus{Status: connector.Status{State: connector.StateRunning}})
	b := s.as("otto")
	page := b.get(one+"/snapshot").want(http.StatusOK).says("shop.customers", "sluice.snapshot")
	b.fill(page, "#snapshot-form").want(http.StatusUnprocessableEntity).says("Choose at least one table")
	b.follow(b.fill(page, "#snapshot-form", "tables", "shop.orders")).says("The copy of shop.orders was asked for")
	s.told.mu.Lock()
	asked := slices.Clone(s.told.source.asked)
	s.told.mu.Unlock()
	if !slices.Equal(asked, []string{"shop.orders"}) {
		t.Errorf("asked for %q", asked)
	}
	s.as("vera").get(one + "/snapshot").want(http.StatusForbidden)
	s.connector("sink", control.DesiredRunning)
	b.get(sandbox + "/connectors/sink/snapshot").want(http.StatusNotFound)
	b.post(one + "/stop").to(one)
	b.get(one + "/snapshot").want(http.StatusOK).says("The reader does not run").hasNot("#snapshot-form")
}

// TestSourceGap: the reader waits for a choice without a topic or a partition.
func TestSourceGap(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.reading("one", control.DesiredRunning, runner.PartitionStatus{Status: connector.Status{State: connector.StateGap, Cause: "Changes are lost."}, Lost: "The server removed binlog.000001.",
		Choices: []connector.Choice{{Choice: "snapshot", Title: "Copy again", Risk: "Every row comes once more."}, {Choice: "stay", Title: "Stay", Risk: "Nothing moves."}}})
	b := s.as("otto")
	page := b.get(one).want(http.StatusOK).says("The reader waits for your choice", "The server removed binlog.000001.", "Every row comes once more.", "Not read now")
	if strings.Contains(page.text(), "Following") || strings.Contains(page.text(), "Copying") {
		t.Error("a reader that waits for a choice is shown to copy or follow")
	}
	page.hasNot(`section a[href$="/snapshot"]`)
	b.get(one + "/snapshot").want(http.StatusOK).says("The reader does not run").hasNot("#snapshot-form")
	form := `form[action="` + one + `/choose"]`
	b.fill(page, form).want(http.StatusUnprocessableEntity).says("Choose one of the ways on")
	b.fill(page, form, "choice-0.choice", "explode").want(http.StatusUnprocessableEntity).says("not offered")
}

// TestSourceToldOnce: what is lost stands in the page's head, and not again above the choices.
func TestSourceToldOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.reading("one", control.DesiredRunning, runner.PartitionStatus{Status: connector.Status{State: connector.StateGap, Cause: "Changes after noon are lost."}, Lost: "changes after noon are lost",
		Choices: []connector.Choice{{Choice: "stay", Title: "Stay", Risk: "Nothing moves."}}})
	if n := strings.Count(s.as("otto").get(one).want(http.StatusOK).text(), "Changes after noon are lost."); n != 1 {
		t.Errorf("the loss is told %d times", n)
	}
}

// TestWizardLists: what is picked from a server's list can be picked as soon as the server can be reached, without
// another press; a list that cannot be had says why.
func TestWizardLists(t *testing.T) {
	t.Parallel()
	b := newSite(t).as("otto")
	page := b.follow(b.fill(b.get(wizardPath).want(http.StatusOK), "#wizard-start", "connector.class", "MYSQL2KAFKA"))
	page = b.follow(b.fill(page, "#wizard-form", "name", "lists", "_go", "next"))
	at := page.doc.Find("#wizard-form").AttrOr("action", "")
	leave := func(key, value string) answer {
		form := url.Values{"_field": {key}, key: {value}}
		return b.do(http.MethodPost, at, form.Encode(), "Content-Type", "application/x-www-form-urlencoded", "HX-Request", "true", "X-CSRF-Token", b.token).want(http.StatusOK)
	}
	const tables, databases = `template[type=partial][hx-target="#field-f-mysql-tables"]`, `template[type=partial][hx-target="#field-f-mysql-database"]`
	leave("mysql.host", "127.0.0.1").hasNot("template")
	leave("mysql.port", "1").hasNot("template")
	leave("mysql.user", "sluice").hasNot("template") // who has no password yet is not told that it is wrong
	leave("mysql.password", "secret").has(databases).hasNot(tables).says("The list could not be had")
	leave("mysql.database", "shop").has(tables + " #field-f-mysql-tables").hasNot(databases)
	leave("mysql.user", "other").has(tables).has(databases)
	leave("snapshot.mode", "no_data").hasNot("template") // nothing is reached by it
	leave("mysql.tables", "orders,  customers").hasNot(tables).says("orders, customers")
}

// TestModifySource: the fields of a source's server can be corrected while the server is away, which both the form and
// the review of the change say.
func TestModifySource(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.reading("one", control.DesiredRunning, runner.PartitionStatus{Status: connector.Status{State: connector.StateRunning}})
	b := s.as("otto")
	form := b.get(one + "/modify").want(http.StatusOK).says("The list could not be had").has(`input[type=text][name="mysql.tables"][value="*"]`)
	review := b.fill(form, "#modify-form", "description", "Only words").want(http.StatusOK).says("1 change").hasNot("#effects")
	form = b.fill(review, "#modify-review", "_edit", "1").want(http.StatusOK)
	review = b.fill(form, "#modify-form", "mysql.tables", "orders, customers").want(http.StatusOK).has("#effects").says("What becomes of the tables", "It cannot be told now", "can be saved all the same")
	b.follow(b.fill(review, "#modify-review", "_confirm", "1")).says("Version 2 is in force")
	b.follow(b.fill(b.get(one+"/modify"), "#modify-form", "mysql.tables", "orders,customers")).says("Nothing was changed")
	left := b.do(http.MethodPost, one+"/modify", url.Values{"_field": {"mysql.password"}, "mysql.password": {"other"}}.Encode(), "Content-Type", "application/x-www-form-urlencoded", "HX-Request", "true", "X-CSRF-Token", b.token)
	left.want(http.StatusOK).has("#field-f-mysql-password").has(`template[type=partial][hx-target="#field-f-mysql-tables"]`)
}

// TestSourceHostIsFixed: the form says how to come to another server when the host is fixed.
func TestSourceHostIsFixed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id := s.reading("one", control.DesiredRunning, runner.PartitionStatus{Status: connector.Status{State: connector.StateRunning}})
	if err := s.store.SetDelivered(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	page := s.as("otto").get(one + "/modify").want(http.StatusOK)
	page.has(`#f-mysql-host[disabled]`).hasNot(`#f-mysql-port[disabled]`).says("let its name lead to the server that took over", "keep its topics and groups")
}

// TestSourcePosition shows what a source has saved, and sets it while it is stopped.
func TestSourcePosition(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.reading("one", control.DesiredRunning, runner.PartitionStatus{Status: connector.Status{State: connector.StateRunning}})
	s.told.source.saved = []connector.SourcePosition{{Partition: map[string]any{"server": "shop"}, Offset: map[string]any{"gtid": "0-1-77", "pos": 4}}}
	b := s.as("otto")
	b.get(one+"/position").want(http.StatusOK).says("only while the connector is stopped", "server: shop", "0-1-77").hasNot("textarea")
	b.post(one + "/stop").to(one)
	page := b.get(one + "/position").want(http.StatusOK).has("textarea")
	const field = `offset.{"server":"shop"}`
	b.fill(page, "#position-form").want(http.StatusUnprocessableEntity).says("Enter a position")
	for _, bad := range []string{"{", "[]", "7", "null", `{"gtid":"0-1-5"} x`} {
		b.fill(page, "#position-form", field, bad).want(http.StatusUnprocessableEntity).says("This is no JSON object").has(`textarea[aria-invalid=true]`)
	}
	b.fill(page, "#position-form", field, `{"gtid":"wrong"}`).want(http.StatusUnprocessableEntity).says("This is no GTID")
	b.follow(b.fill(page, "#position-form", field, `{"gtid":"0-1-5"}`)).says("The positions of one were changed", "0-1-5")
}
