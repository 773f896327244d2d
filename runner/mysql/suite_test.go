package mysql_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/e2e/beds"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/mysql"
	"github.com/sluice-io/sluice/runner/record"
	"github.com/sluice-io/sluice/runner/runnertest"
)

// TestSourceSuite: what every source must pass, in the default format.
func TestSourceSuite(t *testing.T) {
	t.Parallel()
	for _, flavor := range []string{beds.MariaDB, beds.MySQL} {
		t.Run(flavor, func(t *testing.T) {
			t.Parallel()
			runnertest.SourceSuite(t, func(t *testing.T) runnertest.SourceUnderTest { return suiteBed(t, flavor) })
		})
	}
}

func suiteBed(t *testing.T, flavor string) runnertest.SourceUnderTest {
	var s *beds.Server
	if strings.HasSuffix(t.Name(), "/away") { // the case that switches the server off
		s = beds.Start(t, flavor)
		s.Account("sluice", "secret")
		s = s.In("shop")
	} else {
		s = mysql.Database(t, flavor)
	}
	s.Exec("CREATE TABLE items (id INT PRIMARY KEY, v INT NOT NULL)")
	spec := mysql.Spec()
	cfg := spec.Resolve(connector.Config{
		connector.KeyName: s.Database, "mysql.host": s.Host, "mysql.port": fmt.Sprint(s.Port), "mysql.user": "sluice", "mysql.password": "secret",
		"mysql.database": s.Database, "mysql.tables": "items", "topic.prefix": "p",
	}, connector.Env{Instance: "test", Region: "self-hosted"})
	dialer := &net.Dialer{}
	return runnertest.SourceUnderTest{
		New: func(t *testing.T) connector.Source {
			src, err := spec.NewSource(t.Context(), cfg, connector.Deps{Dial: dialer.DialContext, Logger: slog.New(slog.DiscardHandler), Connector: "shop", ConnectorID: "0123456789abcdef"})
			if err != nil {
				t.Fatal(err)
			}
			return src
		},
		Change: func(t *testing.T, n int) {
			switch id := n % 7; n % 5 {
			case 0, 1, 2:
				s.Exec(fmt.Sprintf("REPLACE INTO items VALUES (%d, %d)", id, n))
			case 3:
				s.Exec(fmt.Sprintf("INSERT INTO items VALUES (%d, %d)", 100+n, n))
			default: // of one that is there
				s.Exec(fmt.Sprintf("DELETE FROM items WHERE id = %d", 100+n-1))
			}
		},
		Content: func(*testing.T) map[string]string {
			out := map[string]string{}
			for _, r := range s.Query("SELECT id, v FROM items") {
				out[*r[0]] = *r[1]
			}
			return out
		},
		Apply: suiteApply,
		Whole: suiteWhole,
		Away: func(_ *testing.T, off bool) {
			if off {
				s.Kill()
			} else {
				s.Start()
			}
		},
		Part: s.Database + ".items",
	}
}

type suiteMessage struct {
	Payload struct {
		Before, After *struct {
			DataColumn map[string]json.Number `json:"dataColumn"`
		}
		Op         string `json:"op"`
		SequenceID string `json:"sequenceId"`
	} `json:"payload"`
}

func suiteParse(r record.Record) suiteMessage {
	var m suiteMessage
	if err := json.NewDecoder(strings.NewReader(string(r.Value))).Decode(&m); err != nil {
		panic(fmt.Sprintf("%s: %v", r.Value, err))
	}
	return m
}

func suiteApply(r record.Record) (key, value string) {
	switch m := suiteParse(r); m.Payload.Op {
	case "INSERT", "UPDATE_AFTER":
		return m.Payload.After.DataColumn["id"].String(), m.Payload.After.DataColumn["v"].String()
	case "DELETE":
		return m.Payload.Before.DataColumn["id"].String(), ""
	}
	return "", ""
}

// suiteWhole: an UPDATE's two messages stand together.
func suiteWhole(fact []record.Record) error {
	open := ""
	for _, r := range fact {
		m := suiteParse(r)
		switch m.Payload.Op {
		case "UPDATE_BEFOR":
			open = string(r.Key)
		case "UPDATE_AFTER":
			if open != string(r.Key) {
				return fmt.Errorf("UPDATE_AFTER of %s without its UPDATE_BEFOR", r.Key)
			}
			open = ""
		}
	}
	if open != "" {
		return fmt.Errorf("UPDATE_BEFOR of %s without its UPDATE_AFTER", open)
	}
	return nil
}
