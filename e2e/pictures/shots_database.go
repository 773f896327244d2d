package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/sluice-io/sluice/e2e/harness"
)

// database photographs the pages of connectors from databases.
func (c *camera) database(d *databases) {
	c.to(of(shopped, ""))
	harness.Eventually(c.m, 3*time.Minute, "the charts have something to show", func() (bool, string) {
		text := c.script("document.querySelector('main').innerText")
		return !strings.Contains(text, "Nothing measured"), ""
	})
	for _, page := range []struct{ name, path string }{
		{"mysql-connector", of(shopped, "")},
		{"mysql-gap", of(gapped, "")},
		{"mysql-failed", of(overfull, "")},
		{"mysql-position", of(shopped, "position")},
	} {
		c.to(page.path)
		c.take(page.name)
	}
	c.snapshot()
	c.modifyTables()
	c.copy(d)
	c.databaseWizard(d)
}

// snapshot asks which tables shall be copied anew, with some chosen; nothing is begun.
func (c *camera) snapshot() {
	c.to(of(shopped, "snapshot"))
	c.set("tables", "shop.orders")
	c.set("tables", "shop.order_items")
	c.take("mysql-snapshot")
}

// modifyTables shows what would become of the tables of a connector; nothing is saved.
func (c *camera) modifyTables() {
	c.to(of(copying, "modify"))
	for _, table := range []string{"scans", "suppliers"} {
		c.script(fmt.Sprintf(`(document.querySelector('main [type=checkbox][name="mysql.tables"][value=%s]').click(), '')`, table))
		c.until("the page after "+table, `!document.querySelector('.htmx-request')`)
	}
	c.press(`#modify-form button.btn-primary`)
	c.until("what becomes of the tables", `document.querySelectorAll('#effects li').length === 2`)
	c.take("mysql-modify")
}

// copy photographs a copy of tables on its way.
func (c *camera) copy(d *databases) {
	if !c.wants("mysql-copying") {
		return
	}
	d.again(func() {
		c.to(of(copying, ""))
		c.until("a good part to be copied", `(() => {
			const row = [...document.querySelectorAll('main tbody tr')].find(r => r.textContent.includes('warehouse.movements'));
			const done = row && /(\d+) %/.exec(row.textContent);
			return !!done && Number(done[1]) > 30 && Number(done[1]) < 90;
		})()`)
		c.take("mysql-copying")
	})
}

// databaseWizard goes through the steps; nothing is created.
func (c *camera) databaseWizard(d *databases) {
	next := `#wizard-form button[name=_go][value=next]`
	c.to("/instances/" + instance + "/connectors/new")
	c.set("connector.class", "MYSQL2KAFKA")
	c.press("#wizard-start button[type=submit]")
	c.set("name", "shop-"+c.look)
	c.set("description", "Every change of the shop")
	c.press(next)
	shop := d.ofShop()
	for _, key := range []string{"mysql.host", "mysql.port", "mysql.user", "mysql.password", "mysql.database"} {
		c.fill(key, shop[key])
	}
	c.until("the tables to be listed", `document.querySelectorAll('main [type=checkbox][name="mysql.tables"]').length > 3`)
	for _, table := range []string{"customers", "orders", "order_items", "page_views"} {
		c.set("mysql.tables", table)
		c.until("the page after "+table, `!document.querySelector('.htmx-request')`)
	}
	c.script(`(document.getElementById('field-f-mysql-database').scrollIntoView(), '')`)
	c.take("mysql-wizard-tables")
	c.press(next)
	c.fill("topic.prefix", "store")
	c.press(`#wizard-form button[name=_go][value=test]`)
	c.until("the checks to end", `!!document.querySelector('#checks') && !document.querySelector('#checks [hx-get]')`)
	c.take("mysql-wizard-checks")
	c.press(next)
	if !strings.HasSuffix(c.script("location.pathname"), "/preview") {
		c.m.Errorf("the wizard does not reach the preview: %s", c.script("document.querySelector('main').innerText.slice(0, 600)"))
		return
	}
	c.until("the samples to arrive", fmt.Sprintf("document.body.innerText.includes(%q)", "store_orders, partition"))
	c.take("mysql-wizard-preview")
	c.script(`([...document.querySelectorAll('main h2')].find(h => h.textContent === 'Where messages go').scrollIntoView(), scrollBy(0, -80), '')`)
	c.take("mysql-wizard-topics")
}
