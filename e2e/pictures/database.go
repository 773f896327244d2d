package main

import (
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sluice-io/sluice/e2e/beds"
	"github.com/sluice-io/sluice/e2e/harness"
)

// The connectors from databases that the pictures show: the sandbox's shop, and databases of a server of their own.
const (
	shopped  = "shop-to-kafka"
	copying  = "warehouse-to-kafka"
	gapped   = "billing-to-kafka"
	locked   = "crm-to-kafka"
	overfull = "catalogue-to-kafka"
)

// Rows of the table that is seen being copied, and how fast the connection to its server is meanwhile, in bytes a
// second: slow enough for a picture.
const (
	movements = 600_000
	slow      = 1_500_000
)

// databases is what connectors of MySQL → Kafka read in the pictures.
type databases struct {
	m     *harness.Main
	n     *harness.Sluice
	db    *beds.Server
	shop  string // host:port of the sandbox's server
	valve *valve
}

// dbUser reads every database of the server.
const dbUser, dbPassword = "sluice", "sluice-secret"

// newDatabases finds the sandbox's server.
func newDatabases(m *harness.Main, n *harness.Sluice) *databases {
	d := &databases{m: m, n: n}
	for line := range strings.Lines(n.Log()) {
		if at, ok := strings.CutPrefix(line, "sandbox mysql: "); ok {
			d.shop = strings.TrimSpace(at)
		}
	}
	if d.shop == "" {
		m.Fatalf("the sandbox has no database server, whose program SLUICE_MARIADBD names:\n%s", n.Log())
	}
	return d
}

// front makes the connector that the first page is photographed with.
func (d *databases) front() {
	d.create(shopped, d.ofShop(), map[string]string{"description": "Every change of the shop"}).AwaitState(60*time.Second, "RUNNING")
}

// serve starts a server beside the sandbox's and fills it.
func (d *databases) serve() {
	d.db = beds.StartMariaDB(d.m)
	d.db.Account(dbUser, dbPassword)
	d.valve = openValve(d.m, d.db.Addr())
	d.db.Exec("CREATE DATABASE billing", "USE billing", "CREATE TABLE billing.invoices (id INT PRIMARY KEY, customer VARCHAR(60) NOT NULL, total DECIMAL(12,2) NOT NULL)",
		"INSERT INTO billing.invoices SELECT seq, CONCAT('Customer ', seq), seq * 1.19 FROM seq_1_to_400",
		"CREATE DATABASE crm", "CREATE TABLE crm.contacts (id INT PRIMARY KEY, name VARCHAR(60))",
		"CREATE DATABASE catalogue", "CREATE TABLE catalogue.articles (id INT PRIMARY KEY, title VARCHAR(60) NOT NULL, description LONGTEXT)",
		"INSERT INTO catalogue.articles SELECT seq, CONCAT('Article ', seq), 'A line' FROM seq_1_to_300",
		"CREATE DATABASE warehouse",
		"CREATE TABLE warehouse.movements (id BIGINT PRIMARY KEY, article INT NOT NULL, quantity SMALLINT NOT NULL)",
		"CREATE TABLE warehouse.prices (article INT, valid_from DATE, price DECIMAL(10,2) NOT NULL, PRIMARY KEY (article, valid_from))",
		"CREATE TABLE warehouse.suppliers (id INT PRIMARY KEY, name VARCHAR(60) NOT NULL)",
		"CREATE TABLE warehouse.scans (at DATETIME(3), shelf CHAR(8), code VARCHAR(32))",
		fmt.Sprintf("INSERT INTO warehouse.movements SELECT seq, seq %% 4000, seq %% 90 FROM seq_1_to_%d", movements),
		"INSERT INTO warehouse.prices SELECT seq % 4000, '2025-01-01' + INTERVAL seq DIV 4000 DAY, seq % 900 FROM seq_1_to_120000",
		"INSERT INTO warehouse.suppliers SELECT seq, CONCAT('Supplier ', seq) FROM seq_1_to_1800",
		"INSERT INTO warehouse.scans SELECT '2026-03-14 09:00:00' + INTERVAL seq SECOND, CONCAT('A-', seq % 80), seq FROM seq_1_to_9000",
		"ANALYZE TABLE warehouse.movements, warehouse.prices, warehouse.suppliers, warehouse.scans")
}

// settings are those of a connector for a database behind an address.
func (d *databases) settings(addr, user, password, database string) map[string]string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		d.m.Fatalf("the address of a database: %v", err)
	}
	return map[string]string{"connector.class": "MYSQL2KAFKA", "mysql.host": host, "mysql.port": port, "mysql.user": user, "mysql.password": password,
		"mysql.database": database, "mysql.tables": "*", "topic.prefix": database}
}

// ofShop are the settings for the sandbox's shop.
func (d *databases) ofShop() map[string]string {
	return d.settings(d.shop, "sandbox", "sandbox", "shop")
}

func (d *databases) create(name string, config map[string]string, extra map[string]string) *harness.Connector {
	maps.Copy(config, extra)
	return d.n.CreateConnector(instance, name, config)
}

// fill makes the other connectors, each in its state.
func (d *databases) fill() {
	d.serve()
	d.n.Must(http.StatusOK, http.MethodPatch, "/api/v1/instances/"+instance, map[string]any{"connector.quota": 17}, nil)
	gap := d.create(gapped, d.settings(d.db.Addr(), dbUser, dbPassword, "billing"), map[string]string{"description": "Invoices for the ledger"})
	full := d.create(overfull, d.settings(d.db.Addr(), dbUser, dbPassword, "catalogue"), map[string]string{"description": "Articles for the search index"})
	for _, c := range []*harness.Connector{gap, full} {
		c.AwaitState(60*time.Second, "RUNNING")
		d.copied(c)
	}
	gap.Pause()
	gap.AwaitState(30*time.Second, "SUSPENDED")
	d.db.Exec("UPDATE billing.invoices SET total = total + 1", "INSERT INTO catalogue.articles VALUES (901, 'The whole manual', REPEAT('All about it. ', 200000))")
	full.AwaitState(60*time.Second, "FAILED")
	d.db.PurgeAll()
	d.db.Exec("UPDATE billing.invoices SET total = total - 1") // a purge of what follows is lost too
	d.db.PurgeAll()
	gap.Resume()
	gap.AwaitState(60*time.Second, "GAP")
	d.create(locked, d.settings(d.db.Addr(), dbUser, "an old password", "crm"), map[string]string{"description": "Contacts for the call centre"}).AwaitState(60*time.Second, "FAILED")
	c := d.create(copying, d.settings(d.valve.addr, dbUser, dbPassword, "warehouse"), map[string]string{"description": "What goes in and out", "snapshot.chunk.size": "2000", "mysql.tables": "movements,prices,scans"})
	c.AwaitState(60*time.Second, "RUNNING")
	d.copied(c)
}

// copied waits until the first copy of every table is done.
func (d *databases) copied(c *harness.Connector) {
	harness.Eventually(d.m, 2*time.Minute, c.Name+" has copied every table", func() (bool, string) {
		tables, missing := 0, ""
		for _, p := range c.SourcePositions() {
			if name, ok := p.Partition["table"]; ok {
				tables++
				if p.Offset["state"] != "done" {
					missing += fmt.Sprintf(" %v: %v", name, p.Offset["state"])
				}
			}
		}
		return tables > 0 && missing == "", fmt.Sprintf("%d tables,%s", tables, missing)
	})
}

// again lets large tables be copied over a slow connection until the function is done.
func (d *databases) again(during func()) {
	c := d.n.Connector(instance, copying)
	d.copied(c)
	d.valve.speed.Store(slow)
	c.SnapshotAgain("warehouse.movements", "warehouse.prices")
	during()
	d.valve.speed.Store(0)
}

// valve passes connections on to an address, as fast as it is told to.
type valve struct {
	addr  string
	speed atomic.Int64 // bytes a second that come back over each connection; 0: no limit
}

func openValve(m *harness.Main, target string) *valve {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		m.Fatalf("listening: %v", err)
	}
	m.Cleanup(func() { listener.Close() })
	v := &valve{addr: listener.Addr().String()}
	go func() { // both ends of each connection end with the programs
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go v.pass(client, target)
		}
	}()
	return v
}

func (v *valve) pass(client net.Conn, target string) {
	defer client.Close()
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	go func() {
		defer server.Close()
		_, _ = io.Copy(server, client)
	}()
	buf := make([]byte, 16<<10)
	for {
		n, err := server.Read(buf)
		if speed := v.speed.Load(); speed > 0 {
			time.Sleep(time.Duration(n) * time.Second / time.Duration(speed))
		}
		if _, failed := client.Write(buf[:n]); err != nil || failed != nil {
			return
		}
	}
}
