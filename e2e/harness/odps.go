package harness

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/aliyun/aliyun-odps-go-sdk/odps"
	"github.com/aliyun/aliyun-odps-go-sdk/odps/account"
)

// What the MaxCompute stand-in holds when it starts.
const (
	ODPSProject = "sandbox"
	ODPSTable   = "kafka_messages" // topic, partition, offset, key, value by pt
)

// ODPS is the stand-in of MaxCompute as a process of its own.
type ODPS struct{ *Standin }

// StartODPS starts it with its tables in a folder of the test's own. args are further arguments of e2e/standin.
func (s *Suite) StartODPS(t T, args ...string) *ODPS {
	t.Helper()
	return &ODPS{s.StartService(t, "odps", args...)}
}

// ODPSConfig is the configuration of a KAFKA2ODPS connector that writes records from the beginning of a topic to the
// stand-in's table; extra goes over it.
func ODPSConfig(o *ODPS, topics string, extra map[string]string) map[string]string {
	config := map[string]string{
		"connector.class": "KAFKA2ODPS", "topics": topics, "tasks.max": "2",
		"consumer.override.auto.offset.reset": "earliest",
		"odps.endpoint":                       o.URL, "odps.project": ODPSProject, "odps.table": ODPSTable,
		"aliyun.access.key.id": OSSKeyID, "aliyun.access.key.secret": OSSKeySecret,
		"flush.interval.ms": "1000",
	}
	maps.Copy(config, extra)
	return config
}

// ODPSSession is an upload session as the stand-in tells of it.
type ODPSSession struct {
	ID        string `json:"id"`
	Table     string `json:"table"`
	Partition string `json:"partition"` // "pt=…"
	Status    string `json:"status"`
	Rows      int64  `json:"rows"`
}

// Sessions lists the upload sessions that are in one of the given states, newest first; without one, all.
func (o *ODPS) Sessions(states ...string) []ODPSSession {
	o.t.Helper()
	var all, some []ODPSSession
	if err := json.Unmarshal(o.Control(http.MethodGet, "/__sessions"), &all); err != nil {
		o.t.Fatalf("reading the upload sessions: %v", err)
	}
	for _, s := range all {
		for _, state := range states {
			if s.Status == state {
				some = append(some, s)
			}
		}
	}
	if len(states) == 0 {
		return all
	}
	return some
}

// SetSession gives an upload session another status; "forget" makes it unknown.
func (o *ODPS) SetSession(id, status string) {
	o.t.Helper()
	o.Control(http.MethodPost, "/__sessions?"+url.Values{"id": {id}, "status": {status}}.Encode())
}

// SQL runs a statement with the vendor's SDK.
func (o *ODPS) SQL(statement string) {
	o.t.Helper()
	client := odps.NewOdps(account.NewAliyunAccount(o.keyID, o.keySecret), o.URL)
	client.SetDefaultProjectName(ODPSProject)
	err := insist(func() error {
		task := odps.NewAnonymousSQLTask(statement, nil)
		instance, err := task.Run(client, ODPSProject)
		if err != nil {
			return err
		}
		return instance.WaitForSuccess()
	})
	if err != nil {
		o.t.Fatalf("running %q: %v", statement, err)
	}
}

// ODPSRow is a row of a table.
type ODPSRow struct {
	Partition string `json:"partition"` // "pt=…"
	Values    []struct {
		Null bool   `json:"null"`
		Text string `json:"text"`
	} `json:"values"`
}

// Rows reads every row of a table.
func (o *ODPS) Rows(table string) []ODPSRow {
	o.t.Helper()
	in := json.NewDecoder(bytes.NewReader(o.Control(http.MethodGet, "/__rows?"+url.Values{"table": {table}}.Encode())))
	var rows []ODPSRow
	for {
		var row ODPSRow
		err := in.Decode(&row)
		if errors.Is(err, io.EOF) {
			return rows
		}
		if err != nil {
			o.t.Fatalf("reading the rows of %s: %v", table, err)
		}
		rows = append(rows, row)
	}
}

// JudgeTable compares the rows of a table of topic, partition, offset, key and value with the ledger.
func (o *ODPS) JudgeTable(ledger *Ledger, table string) Verdict {
	o.t.Helper()
	var seen []Seen
	var problems []string
	for _, row := range o.Rows(table) {
		s, err := row.seen()
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: %v: %v", row.Partition, err, row.Values))
			continue
		}
		seen = append(seen, s)
	}
	v := ledger.Judge(seen)
	v.Problems = append(v.Problems, problems...)
	return v
}

func (r ODPSRow) seen() (Seen, error) {
	if len(r.Values) != 5 {
		return Seen{}, fmt.Errorf("%d columns", len(r.Values))
	}
	partition, err := strconv.ParseInt(r.Values[1].Text, 10, 32)
	if err != nil {
		return Seen{}, fmt.Errorf("partition: %w", err)
	}
	offset, err := strconv.ParseInt(r.Values[2].Text, 10, 64)
	if err != nil {
		return Seen{}, fmt.Errorf("offset: %w", err)
	}
	s := Seen{Object: r.Partition, Topic: r.Values[0].Text, Partition: int32(partition), Offset: offset, Value: []byte(r.Values[4].Text)}
	if n, ok := numberOf(s.Value); ok && r.Values[3].Text != fmt.Sprintf("k%d", n) {
		return s, fmt.Errorf("number %d has the key %q", n, r.Values[3].Text)
	}
	return s, nil
}

// JudgeNumbers compares a table whose first column is the number of a record with the ledger.
func (o *ODPS) JudgeNumbers(ledger *Ledger, table string) Verdict {
	o.t.Helper()
	var seen []Seen
	for _, row := range o.Rows(table) {
		s := Seen{Object: row.Partition}
		if n, err := strconv.ParseInt(row.Values[0].Text, 10, 64); err == nil {
			at, _ := ledger.place(n)
			s = Seen{Object: row.Partition, Topic: at.topic, Partition: at.partition, Offset: at.offset, Value: numberedValue(n, 0)}
		}
		seen = append(seen, s)
	}
	return ledger.Judge(seen)
}

// JudgeByPython is JudgeTable by what pyodps, the vendor's Python SDK, reads over the service's own protocol.
func (o *ODPS) JudgeByPython(ledger *Ledger, table string) (Verdict, error) {
	python, err := Setting("SLUICE_PY")
	if err != nil {
		return Verdict{}, err
	}
	root, err := RepoRoot()
	if err != nil {
		return Verdict{}, err
	}
	cmd := exec.Command(python, filepath.Join(root, "e2e", "judges", "odps_rows.py"), o.URL, ODPSProject, table)
	cmd.Env = append(cmd.Environ(), "ODPS_KEY_ID="+o.keyID, "ODPS_KEY_SECRET="+o.keySecret)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return Verdict{}, fmt.Errorf("pyodps: %w: %s", err, stderr.String())
	}
	wire, err := readLines(out)
	if err != nil {
		return Verdict{}, err
	}
	seen := make([]Seen, len(wire))
	for i, r := range wire {
		seen[i] = Seen{Object: table, Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}
		if r.Value != nil {
			seen[i].Value = []byte(*r.Value)
		}
	}
	return ledger.Judge(seen), nil
}
