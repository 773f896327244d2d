//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

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
	for i := range 6 {
		db.Exec(fmt.Sprintf("CREATE TABLE %s.log_%d (id INT PRIMARY KEY)", database, i))
	}
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
	w.until("the tables are listed", fmt.Sprintf(`document.querySelectorAll(%q).length === 8 && document.querySelector("main").innerText.includes("no primary key, 1 partition")`, pick))
	w.until("the keyboard is at the first of them", fmt.Sprintf(`document.activeElement === document.querySelector(%q)`, pick))
	w.searched("ord", "orders")
	w.press(next)
	w.fill("topic.prefix", database)
	w.press(next)
	w.shows("Where messages go", database+"_orders", "6 partitions, key id")
	w.press(`#wizard-form button[value=deploy]`)
	w.state("Running")
	w.until("the table is followed", `[...document.querySelectorAll("#connector tbody tr")].some(r => r.innerText.includes(".orders") && r.innerText.includes("Following"))`)
	changesTables(w, "picked", database)

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

// searched narrows the list of tables and ticks the one that is left: the answer to that leaves the list narrow.
func (w *window) searched(words, table string) {
	w.t.Helper()
	eval[bool](w, `(e => { e.focus(); return true })(document.querySelector("[data-picker-search]"))`)
	w.do(chromedp.KeyEvent(words))
	shown := `[...document.querySelectorAll(".picker-item")].filter(e => e.checkVisibility()).map(e => e.querySelector("input").value).join()`
	w.until("the list is narrow", shown+" === "+fmt.Sprintf("%q", table))
	w.watch()
	w.choose("mysql.tables", table)
	w.kept("field-f-mysql-tables", 1)
	if got := eval[string](w, shown+` + " of " + document.querySelector("[data-picker-search]").value`); got != table+" of "+words {
		w.t.Errorf("after a table was ticked, the search for %q shows %s", words, got)
	}
}

// changesTables adds a table to a connector that runs, and takes one away, with and without scripts: what that does is
// said before it is saved.
func changesTables(w *window, connector, database string) {
	w.t.Helper()
	page := "/instances/sandbox/connectors/" + connector
	review := `#modify-form button.btn-primary`
	w.to(page + "/modify")
	w.until("the tables are listed, the one that is read is ticked", `document.querySelectorAll('main [type=checkbox][name="mysql.tables"]').length === 8 && document.querySelector('main [name="mysql.tables"][value=orders]').checked`)
	w.choose("mysql.tables", "views")
	w.press(review)
	w.until("what happens is said", has("#effects", "views", "copied, then followed: "+database+"_views, 1 partition, no key", "1 other table is read as before"))
	w.picture("modify-tables")
	w.press(`#modify-review [name=_confirm]`)
	w.to(page)
	w.until("the new table is followed", `[...document.querySelectorAll("#connector tbody tr")].some(r => r.innerText.includes(".views") && r.innerText.includes("Following"))`)

	plain := openWindow(w.t, w.n, harness.BrowserOptions{NoScript: true})
	plain.signIn(page + "/modify")
	plain.click(`main label:has([name="mysql.tables"][value=orders])`)
	plain.press(review)
	plain.until("what happens is said", has("#effects", "orders", "not read any more; the topic "+database+"_orders stays as it is"))
}
