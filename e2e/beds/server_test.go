package beds_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/sluice-io/sluice/e2e/beds"
)

func TestServersStartWithWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	for _, flavor := range []string{beds.MariaDB, beds.MySQL} {
		t.Run(flavor, func(t *testing.T) {
			t.Parallel()
			s := beds.Start(t, flavor)
			for variable, want := range map[string]string{"log_bin": "1", "binlog_format": "ROW", "binlog_row_image": "FULL", "binlog_row_metadata": "FULL"} {
				if got := s.Value("SELECT @@global." + variable); got != want {
					t.Errorf("%s is %q, want %q", variable, got, want)
				}
			}
			s.Account("sluice", "secret")
			if _, err := s.TryConnect("sluice", "secret"); err != nil {
				t.Error(err)
			}
			s.Exec("CREATE DATABASE shop", "CREATE TABLE shop.t (id INT PRIMARY KEY, v VARCHAR(10))", "INSERT INTO shop.t VALUES (1, 'ä'), (2, NULL)")
			before := s.Executed()
			s.Kill()
			s.Start()
			if rows := s.Query("SELECT v FROM shop.t ORDER BY id"); len(rows) != 2 || *rows[0][0] != "ä" || rows[1][0] != nil {
				t.Errorf("after a kill the table holds %v", rows)
			}
			if after := s.Executed(); after != before || after == "" {
				t.Errorf("executed before the kill %q, after it %q", before, after)
			}
			s.PurgeAll()
			if logs := s.Binlogs(); len(logs) != 1 {
				t.Errorf("after the purge there are still %v", logs)
			}
			s.Restart(beds.NoBinlog())
			if got := s.Value("SELECT @@global.log_bin"); got != "0" {
				t.Errorf("without a binary log log_bin is %q", got)
			}
		})
	}
}

func TestTwoServersAreTwo(t *testing.T) {
	t.Parallel()
	a, b := beds.StartMySQL(t), beds.StartMySQL(t, beds.NoGTID(), beds.With("binlog_row_image", "MINIMAL"))
	if x, y := a.Value("SELECT @@server_uuid"), b.Value("SELECT @@server_uuid"); x == y || x == "" {
		t.Errorf("server UUIDs %q and %q", x, y)
	}
	if got := strings.Join([]string{b.Value("SELECT @@gtid_mode"), b.Value("SELECT @@binlog_row_image")}, " "); got != "OFF MINIMAL" {
		t.Errorf("settings %q", got)
	}
}

// A server that is started again by a view of it ends with the test all the same.
func TestViewsAreOfOneServer(t *testing.T) {
	t.Parallel()
	pid := 0
	t.Run("life", func(t *testing.T) {
		view := beds.StartMariaDB(t).In("shop")
		view.Kill()
		view.Start()
		if got := view.Value("SELECT DATABASE()"); got != "shop" {
			t.Errorf("connections begin in %q", got)
		}
		pid = view.PID()
	})
	if err := syscall.Kill(pid, 0); pid > 0 && !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the server outlives its test: %v", err)
	}
}
