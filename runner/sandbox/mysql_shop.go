package sandbox

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
)

// writerUser is the account that fills and changes the shop. Its password is made at each start.
const writerUser = "shopkeeper"

// ConnectorGrants are what an account needs for MySQL → Kafka from MariaDB, as GRANT takes it.
const ConnectorGrants = "SELECT, LOCK TABLES, RELOAD, REPLICATION SLAVE, REPLICATION CLIENT, REPLICATION MASTER ADMIN"

// startScript holds the statements that the server runs at each start, one a line. They are not in the binary log:
// those who read it begin with the shop as it is.
func startScript(writerPassword string) string {
	statements := []string{
		"SET sql_log_bin = 0",
		"CREATE DATABASE IF NOT EXISTS " + MySQLDatabase + " CHARACTER SET utf8mb4",
		"CREATE OR REPLACE USER " + MySQLUser + "@'%' IDENTIFIED BY '" + MySQLPassword + "'",
		"GRANT " + ConnectorGrants + " ON *.* TO " + MySQLUser + "@'%'",
		"CREATE OR REPLACE USER " + writerUser + "@'%' IDENTIFIED BY '" + writerPassword + "'",
		"GRANT ALL ON " + MySQLDatabase + ".* TO " + writerUser + "@'%'",
	}
	for _, table := range shopTables() {
		statements = append(statements, "CREATE TABLE IF NOT EXISTS "+MySQLDatabase+"."+strings.Join(strings.Fields(table), " "))
	}
	return strings.Join(statements, ";\n") + ";\n"
}

// shopTables are the tables of the shop: with keys of one column and of two, and one without.
func shopTables() []string {
	return []string{
		`customers (id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(100) NOT NULL, email VARCHAR(190) NOT NULL UNIQUE,
			country CHAR(2) NOT NULL, birthday DATE, credit DECIMAL(12,2) NOT NULL DEFAULT 0, tags SET('newsletter','vip','staff') NOT NULL DEFAULT '',
			created_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3))`,
		`products (sku VARCHAR(16) NOT NULL PRIMARY KEY, name VARCHAR(100) NOT NULL, price DECIMAL(10,2) NOT NULL, stock INT NOT NULL,
			active BIT(1) NOT NULL DEFAULT b'1', attributes JSON, picture BLOB)`,
		`orders (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, customer_id INT UNSIGNED NOT NULL, status ENUM('created','paid','shipped','cancelled') NOT NULL,
			total DECIMAL(12,2) NOT NULL, currency CHAR(3) NOT NULL, note TEXT, ordered_at DATETIME(3) NOT NULL, KEY (customer_id))`,
		`order_items (order_id BIGINT UNSIGNED NOT NULL, line SMALLINT NOT NULL, sku VARCHAR(16) NOT NULL, quantity INT NOT NULL, price DECIMAL(10,2) NOT NULL,
			PRIMARY KEY (order_id, line))`,
		`page_views (at DATETIME(6) NOT NULL, customer_id INT UNSIGNED, path VARCHAR(200) NOT NULL, took_ms FLOAT NOT NULL, KEY (at))`,
	}
}

// MySQLTables are the names of the shop's tables.
func MySQLTables() []string {
	var out []string
	for _, table := range shopTables() {
		name, _, _ := strings.Cut(table, " ")
		out = append(out, name)
	}
	return out
}

// Size of the shop when it opens.
const (
	shopCustomers = 500
	shopOrders    = 1000
)

// fillShop makes customers, products and orders where there are none.
func fillShop(conn *client.Conn) error {
	r, err := conn.Execute("SELECT COUNT(*) FROM products")
	if err != nil {
		return err
	}
	n, err := r.GetInt(0, 0)
	r.Close()
	if err != nil || n > 0 {
		return err
	}
	dice := rand.New(rand.NewPCG(1, 1))
	if err := conn.Begin(); err != nil {
		return err
	}
	// Products come last: they tell that the rest is there.
	for _, fill := range []func(*client.Conn, *rand.Rand) error{fillCustomers, fillOrders, fillProducts} {
		if err := fill(conn, dice); err != nil {
			_ = conn.Rollback()
			return err
		}
	}
	return conn.Commit()
}

func fillCustomers(conn *client.Conn, dice *rand.Rand) error {
	var rows []string
	for range shopCustomers {
		rows = append(rows, newCustomer(dice))
	}
	_, err := conn.Execute("INSERT INTO customers (name, email, country, birthday, credit, tags) VALUES " + strings.Join(rows, ", "))
	return err
}

// newCustomer makes the values of one up.
func newCustomer(dice *rand.Rand) string {
	given := []string{"Ada", "Jürgen", "Mei", "Noor", "Olu", "Paulo", "Sakura", "小明", "Zoë", "Ivan"}
	family := []string{"Lovelace", "Weiß", "Chen", "O''Brien", "Adeyemi", "Souza", "Tanaka", "王", "García", "Petrov"}
	countries := []string{"CN", "JP", "SG", "DE", "BR", "US"}
	tags := []string{"", "newsletter", "newsletter,vip", "staff"}
	birthday := "NULL"
	if dice.IntN(3) > 0 {
		birthday = fmt.Sprintf("'%04d-%02d-%02d'", 1950+dice.IntN(55), 1+dice.IntN(12), 1+dice.IntN(28))
	}
	return fmt.Sprintf("('%s %s', 'c%016x@example.com', '%s', %s, %d.%02d, '%s')", given[dice.IntN(len(given))], family[dice.IntN(len(family))], dice.Uint64(),
		countries[dice.IntN(len(countries))], birthday, dice.IntN(500), dice.IntN(100), tags[dice.IntN(len(tags))])
}

func fillProducts(conn *client.Conn, dice *rand.Rand) error {
	var rows []string
	for _, p := range catalogue() {
		rows = append(rows, fmt.Sprintf("('%s', '%s', %d.%02d, %d, b'1', '{\"weight_g\": %d, \"colours\": [\"green\", \"white\"]}', x'89504e470d0a1a0a%08x')",
			p.sku, p.name, p.cents/100, p.cents%100, 100+dice.IntN(400), 50+dice.IntN(900), dice.Uint32()))
	}
	_, err := conn.Execute("INSERT INTO products (sku, name, price, stock, active, attributes, picture) VALUES " + strings.Join(rows, ", "))
	return err
}

func fillOrders(conn *client.Conn, dice *rand.Rand) error {
	at := time.Now().UTC().Add(-shopOrders * 10 * time.Minute)
	for range shopOrders {
		if _, err := placeOrder(conn, dice, 1+dice.IntN(shopCustomers), at); err != nil {
			return err
		}
		at = at.Add(10 * time.Minute)
	}
	return nil
}

// placeOrder writes an order with its items and tells how many rows that were.
func placeOrder(conn *client.Conn, dice *rand.Rand, customer int, at time.Time) (int64, error) {
	o := makeOrder(dice, "", at)
	note := "NULL"
	if o.Note != nil {
		note = "'" + strings.ReplaceAll(*o.Note, "'", "''") + "'"
	}
	r, err := conn.Execute(fmt.Sprintf("INSERT INTO orders (customer_id, status, total, currency, note, ordered_at) VALUES (%d, 'created', %.2f, '%s', %s, '%s')",
		customer, o.Total, o.Currency, note, at.Format("2006-01-02 15:04:05.000")))
	if err != nil {
		return 0, err
	}
	var rows []string
	for line, item := range o.Items {
		rows = append(rows, fmt.Sprintf("(%d, %d, '%s', %d, %.2f)", r.InsertId, line+1, item.SKU, item.Quantity, item.Price))
	}
	if _, err := conn.Execute("INSERT INTO order_items VALUES " + strings.Join(rows, ", ")); err != nil {
		return 0, err
	}
	return int64(1 + len(rows)), nil
}
