package sandbox

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
)

// mariaDBProgram is the MariaDB of this machine or of the test cache; without one the test is skipped, or fails where
// every judge is required.
func mariaDBProgram(t *testing.T) string {
	t.Helper()
	named := os.Getenv("SLUICE_MARIADBD")
	if _, err := findMariaDB(named); err != nil {
		if os.Getenv("SLUICE_REQUIRE_JUDGES") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return named
}

func startShop(t *testing.T, dir string, writer bool) *MySQL {
	t.Helper()
	m, err := StartMySQL(t.Context(), MySQLOptions{Addr: "127.0.0.1:0", Dir: dir, Program: mariaDBProgram(t), Writer: writer, WriteInterval: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func asConnector(t *testing.T, m *MySQL) *client.Conn {
	t.Helper()
	conn, err := client.Connect(m.Addr(), MySQLUser, MySQLPassword, MySQLDatabase)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func number(t *testing.T, conn *client.Conn, query string) int64 {
	t.Helper()
	r, err := conn.Execute(query)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	n, err := r.GetInt(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestMySQLShop: the shop is there, the writer changes it, a connector's account may read it and its binary log and
// nothing else, and all outlives a restart.
func TestMySQLShop(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	m := startShop(t, dir, true)
	conn := asConnector(t, m)
	if r, err := conn.Execute("SELECT VERSION()"); err != nil {
		t.Fatal(err)
	} else if want, _ := r.GetString(0, 0); m.Version() != want {
		t.Errorf("the version is said to be %s, and is %s", m.Version(), want)
	}
	for query, want := range map[string]int64{
		"SELECT COUNT(*) FROM customers": shopCustomers, "SELECT COUNT(*) FROM products": int64(len(catalogue())),
		"SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop'":                                      5,
		"SELECT COUNT(*) FROM information_schema.STATISTICS WHERE TABLE_NAME = 'page_views' AND INDEX_NAME = 'PRIMARY'":   0,
		"SELECT @@log_bin + (@@binlog_format = 'ROW') + (@@binlog_row_image = 'FULL') + (@@binlog_row_metadata = 'FULL')": 4,
	} {
		if got := number(t, conn, query); got != want {
			t.Errorf("%s: %d, want %d", query, got, want)
		}
	}
	if _, err := conn.Execute("SHOW MASTER STATUS"); err != nil {
		t.Errorf("the connector's account may not see the binary log: %v", err)
	}
	if _, err := conn.Execute("DELETE FROM orders"); err == nil {
		t.Error("the connector's account may delete rows")
	}
	deadline := time.After(20 * time.Second)
	for m.Changes() < 200 {
		select {
		case <-deadline:
			t.Fatalf("the writer has changed %d rows in 20 s", m.Changes())
		case <-time.After(10 * time.Millisecond):
		}
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if m.Running() {
		t.Error("the server runs on after Close")
	}
	before, err := os.ReadFile(m.logFile())
	if err != nil || !strings.Contains(string(before), "Shutdown complete") {
		t.Errorf("the server did not end in order: %s", before)
	}
	again := startShop(t, dir, false)
	if n := number(t, asConnector(t, again), "SELECT COUNT(*) FROM page_views"); n == 0 {
		t.Error("after a restart the page views are gone")
	}
}

// TestMySQLEndsWithItsProcess: a process that is killed leaves no server behind, and the next one finds its data.
func TestMySQLEndsWithItsProcess(t *testing.T) {
	t.Parallel()
	mariaDBProgram(t)
	dir := t.TempDir()
	addr, kill := startHelper(t, "mysql", dir)
	kill()
	m := startShop(t, dir, false)
	if n := number(t, asConnector(t, m), "SELECT COUNT(*) FROM customers"); n != shopCustomers {
		t.Errorf("after a kill there are %d customers", n)
	}
	if c, err := net.Dial("tcp", addr); err == nil {
		c.Close()
		t.Error("the killed process's server still listens")
	}
}

// TestMySQLAbsent: without the program, or with one that is none, the sandbox starts and says why; an address in use is
// an error as it is of every other part.
func TestMySQLAbsent(t *testing.T) {
	t.Parallel()
	broken := filepath.Join(t.TempDir(), "mariadbd")
	if err := os.WriteFile(broken, []byte("#!/bin/sh\necho no such thing\nexit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for program, want := range map[string]string{NoMySQL: "not installed", "/nowhere/mariadbd": "not installed", broken: "mariadb"} {
		box, err := Start(t.Context(), Options{DataDir: t.TempDir(), KafkaAddr: "127.0.0.1:0", OSSAddr: "127.0.0.1:0", FCAddr: "127.0.0.1:0", ODPSAddr: "127.0.0.1:0", STSAddr: "127.0.0.1:0",
			MySQLAddr: "127.0.0.1:0", MariaDB: program})
		if err != nil {
			t.Errorf("%s: %v", program, err)
			continue
		}
		if box.NoMySQL == nil || !strings.Contains(box.NoMySQL.Error(), want) || slices.ContainsFunc(box.Addresses(), func(a Address) bool { return a.Part == "mysql" }) {
			t.Errorf("%s: %v, %v", program, box.NoMySQL, box.Addresses())
		}
		if err := box.Close(); err != nil {
			t.Error(err)
		}
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, addr := range []string{taken.Addr().String(), "0.0.0.0:0"} {
		if _, err := StartMySQL(context.Background(), MySQLOptions{Addr: addr, Dir: t.TempDir(), Program: mariaDBProgram(t)}); !errors.Is(err, errAddress) {
			t.Errorf("address %s: %v", addr, err)
		}
	}
}
