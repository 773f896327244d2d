//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/e2e/beds"
	"github.com/sluice-io/sluice/e2e/harness"
)

// TestBrowserWizardLists: the tables of a database can be picked as soon as its server can be reached, without another
// press, and the keyboard stays where it was; a list that comes late takes nothing away that is being typed.
func TestBrowserWizardLists(t *testing.T) {
	t.Parallel()
	db := sharedDatabase(t, beds.MariaDB)
	database := strings.ReplaceAll(own("lists"), "-", "_")
	db.Exec("CREATE DATABASE "+database, "CREATE TABLE "+database+".orders (id INT PRIMARY KEY)", "CREATE TABLE "+database+".views (at DATETIME)")
	n := startSandbox(t)
	const pick = `main [type=checkbox][name="mysql.tables"]`
	const next = `#wizard-form button[value=next]`
	w := openWindow(t, n, harness.BrowserOptions{})
	w.signIn("/instances/sandbox/connectors/new")
	begin := func(name string) {
		w.to("/instances/sandbox/connectors/new")
		w.choose("connector.class", "MYSQL2KAFKA")
		w.press(`#wizard-start button.btn-primary`)
		w.fill("name", name)
		w.press(next)
		for _, f := range [][2]string{{"mysql.host", db.Host}, {"mysql.port", fmt.Sprint(db.Port)}, {"mysql.user", dbUser}, {"mysql.password", dbPassword}} {
			w.fill(f[0], f[1])
		}
	}

	focus := func(name string) {
		eval[bool](w, fmt.Sprintf(`(e => { e.focus(); return true })(document.querySelector(%q))`, named(name)))
	}

	begin("picked")
	focus("mysql.database")
	w.until("databases are listed", `[...document.querySelectorAll("main datalist option")].some(o => o.value === "`+database+`")`)
	w.fill("mysql.database", database)
	focus("mysql.tables")
	w.until("the tables are listed", fmt.Sprintf(`document.querySelectorAll(%q).length === 2 && document.querySelector("main").innerText.includes("no primary key, 1 partition")`, pick))
	w.until("the keyboard is at the first of them", fmt.Sprintf(`document.activeElement === document.querySelector(%q)`, pick))
	w.choose("mysql.tables", "orders")
	w.press(next)
	w.fill("topic.prefix", database)
	w.press(next)
	w.shows("Where messages go", database+"_orders", "6 partitions, key id")

	begin("typed")
	eval[bool](w, `(() => { const real = fetch; window.answered = 0; window.fetch = (...a) => real(...a).then(r => new Promise(done => setTimeout(() => { window.answered++; done(r) }, 900))); return true })()`)
	w.fill("mysql.database", database)
	w.fill("mysql.tables", "ord*")
	w.until("the list's answer is there", `window.answered > 0 && !document.querySelector(".htmx-request")`)
	if got := eval[string](w, `document.activeElement.name + "=" + document.activeElement.value`); got != "mysql.tables=ord*" {
		t.Errorf("while a list arrived, what was typed became %q", got)
	}
	w.press(next)
	w.until("the next step", `location.pathname.endsWith("/destination")`)
}
