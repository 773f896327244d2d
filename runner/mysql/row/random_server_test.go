package row_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/e2e/beds"
	"github.com/sluice-io/sluice/runner/mysql/row"
)

// randomDouble takes one of all magnitudes, many of them with few digits.
func randomDouble(r *rand.Rand) float64 {
	switch r.IntN(4) {
	case 0:
		return math.Round(r.NormFloat64()*1e6) / math.Pow10(r.IntN(7))
	case 1:
		return r.NormFloat64() * math.Pow10(r.IntN(40)-20)
	case 2:
		return float64(r.Int64N(1<<62)) * float64(r.IntN(3)-1)
	}
	for {
		if f := math.Float64frombits(r.Uint64()); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return f
		}
	}
}

// randomINET6 takes addresses with runs of zero words.
func randomINET6(r *rand.Rand) string {
	var words []string
	for range 8 {
		w := 0
		if r.IntN(3) == 0 {
			w = r.IntN(1 << (1 + r.IntN(16)))
		}
		words = append(words, strconv.FormatInt(int64(w), 16))
	}
	if r.IntN(8) == 0 {
		words[5] = "ffff"
	}
	return strings.Join(words, ":")
}

// TestRandomValues compares many values of the types that are printed by rules of the server's own: stream and
// snapshot to each other and to the server's text.
func TestRandomValues(t *testing.T) {
	t.Parallel()
	flavors(t, func(t *testing.T, s *server) {
		r := rand.New(rand.NewPCG(1, 2))
		column, value := "JSON", func() string {
			var list []string
			for range 40 {
				list = append(list, strconv.FormatFloat(randomDouble(r), 'g', -1, 64))
			}
			return "'[" + strings.Join(list, ", ") + "]'"
		}
		if s.Flavor == beds.MariaDB {
			column, value = "INET6", func() string { return "'" + randomINET6(r) + "'" }
		}
		s.Exec("CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, v " + column + ", d DOUBLE, f FLOAT, n DECIMAL(40,12), tm TIME(4))")
		for range 20 {
			var rows []string
			for range 100 {
				f := randomDouble(r)
				single := float32(f)
				if math.Abs(f) > 3e38 || math.Abs(f) < 1e-37 {
					single = float32(r.NormFloat64())
				}
				rows = append(rows, fmt.Sprintf("(%s, %s, %s, %d.%012d, '%d:%02d:%02d.%04d')", value(), strconv.FormatFloat(f, 'e', -1, 64), strconv.FormatFloat(float64(single), 'e', -1, 32),
					r.Int64()-math.MaxInt64/2, r.Int64N(1e12), r.IntN(1676)-838, r.IntN(60), r.IntN(59), r.IntN(10000)))
			}
			s.Exec("SET SESSION sql_mode = ''", "INSERT IGNORE INTO t (v, d, f, n, tm) VALUES "+strings.Join(rows, ", "))
		}
		log, conn := readLog(t, s), session(t, s)
		table, err := row.Describe(context.Background(), conn, s.Database, "t")
		if err != nil {
			t.Fatal(err)
		}
		stream := readLogAs(t, s, map[string]*row.Table{"t": log.tables["t"].Refine(table)}).rows["t"]
		text, binary := snapshot(t, conn, table, false), snapshot(t, conn, table, true)
		printed := s.Query("SELECT CAST(v AS CHAR), n, tm, CAST(d AS CHAR) FROM t ORDER BY id")
		if len(stream) != 2000 || len(text) != 2000 || len(binary) != 2000 {
			t.Fatalf("%d, %d and %d rows", len(stream), len(text), len(binary))
		}
		for i := range stream {
			if !stream[i].Equal(text[i]) || !stream[i].Equal(binary[i]) {
				t.Fatalf("row %d\nlog    %s\ntext   %s\nbinary %s", i, show(table, stream[i]), show(table, text[i]), show(table, binary[i]))
			}
			for at, c := range []int{1, 4, 5, 2} {
				got := string(table.Columns[c].AppendText(nil, stream[i][c]))
				if c == 2 { // CAST has a width that JSON does not have: the number counts
					a, _ := strconv.ParseFloat(got, 64)
					b, err := strconv.ParseFloat(*printed[i][at], 64)
					if err != nil || a != b {
						t.Fatalf("row %d: %s, the server prints %s", i, got, *printed[i][at])
					}
					continue
				}
				if got != *printed[i][at] {
					t.Fatalf("row %d, column %s: %s, the server prints %s", i, table.Columns[c].Name, got, *printed[i][at])
				}
			}
		}
	})
}

// TestOldTemporalFormat reads MariaDB's columns in the form of before MySQL 5.6.4, and refuses
// those whose digits the log does not tell.
func TestOldTemporalFormat(t *testing.T) {
	t.Parallel()
	s := ownServer(t, beds.MariaDB, beds.With("mysql56_temporal_format", "OFF"))
	s.Exec("CREATE TABLE t (id INT PRIMARY KEY, tm TIME, dt DATETIME, ts TIMESTAMP NULL)", "CREATE TABLE f (id INT PRIMARY KEY, dt DATETIME(3))",
		"INSERT INTO t VALUES (1, '-838:59:59', '9999-12-31 23:59:59', '2038-01-19 03:14:07'), (2, '12:34:56', '2020-01-02 03:04:05', NULL), (3, '-00:00:01', '1000-01-01', '1970-01-01 00:00:01')")
	log, conn := readLog(t, s), session(t, s)
	table, err := row.Describe(context.Background(), conn, s.Database, "t")
	if err != nil {
		t.Fatal(err)
	}
	rows := snapshot(t, conn, table, false)
	if table.Fingerprint != log.tables["t"].Fingerprint || len(rows) != 3 {
		t.Fatalf("%d rows, or another definition", len(rows))
	}
	for i := range rows {
		if !rows[i].Equal(log.rows["t"][i]) {
			t.Errorf("snapshot %s, log %s", show(table, rows[i]), show(table, log.rows["t"][i]))
		}
	}
	if _, err := row.Describe(context.Background(), conn, s.Database, "f"); err == nil || !strings.Contains(err.Error(), "column dt") {
		t.Errorf("a fraction in the old form: %v", err)
	}
}
