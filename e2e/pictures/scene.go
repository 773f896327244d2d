package main

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/sluice-io/sluice/e2e/harness"
)

// The connectors that the pictures show; the first is the sandbox's own example.
const (
	instance   = "sandbox"
	running    = "orders-to-oss"
	columnar   = "orders-lake"
	recovering = "orders-backup"
	failed     = "orders-archive"
	suspended  = "orders-audit"
	called     = "orders-to-score"
	refused    = "orders-to-alerts"
	tabled     = "orders-to-table"
	untabled   = "orders-to-ledger"
	asking     = "orders-to-minutes"
)

// scene is the state that is photographed.
type scene struct {
	m *harness.Main
	n *harness.Sluice
	// URLs of the sandbox's stand-ins
	oss, fc, odps string
}

func newScene(m *harness.Main, n *harness.Sluice) *scene {
	s := &scene{m: m, n: n}
	for line := range strings.Lines(n.Log()) {
		for part, into := range map[string]*string{"oss": &s.oss, "fc": &s.fc, "odps": &s.odps} {
			if url, ok := strings.CutPrefix(line, "sandbox "+part+": "); ok {
				*into = strings.TrimSpace(url)
			}
		}
	}
	if s.oss == "" || s.fc == "" || s.odps == "" {
		m.Fatalf("the program did not print where the sandbox's stand-ins are:\n%s", n.Log())
	}
	return s
}

// front makes the connectors beside the example that the first page is photographed with: one of each type that
// delivers, and the outage of one.
func (s *scene) front() {
	s.n.Must(http.StatusOK, http.MethodPatch, "/api/v1/instances/"+instance, map[string]any{"connector.quota": 17}, nil)
	s.n.Must(http.StatusOK, http.MethodPost, "/api/v1/sandbox/oss/faults", []map[string]any{
		{"operation": "PutObject", "key_prefix": recovering + "/", "rate": 1, "status": 503, "code": "ServiceUnavailable"},
	}, nil)
	s.create(columnar, map[string]string{"description": "Orders as columns, for the lake", "oss.format": "parquet", "oss.compression": "snappy"})
	s.create(recovering, map[string]string{"description": "A second copy, kept for a year", "oss.format": "jsonl", "oss.compression": "zstd"})
	s.create(failed, map[string]string{"description": "Orders of closed years", "oss.bucket": "archive-bucket"})
	s.create(suspended, map[string]string{"description": "For the auditors, twice a year", "oss.format": "csv"})
	s.create(called, map[string]string{"description": "Scores orders, in batches of 20", "connector.class": "KAFKA2FC", "fc.mode": "sync"})
	s.create(tabled, map[string]string{"description": "Orders by the hour", "connector.class": "KAFKA2ODPS"})
}

// fill makes connectors to functions and tables that do not deliver.
func (s *scene) fill() {
	table := s.n.Connector(instance, tabled)
	table.Pause() // the faults are not its own
	table.AwaitState(time.Minute, "SUSPENDED")
	s.faults("odps", map[string]any{"operation": "GetUpload", "rate": 1, "status": 404, "code": "NoSuchUpload"},
		map[string]any{"operation": "CreateInstance", "rate": 1, "status": 403, "code": "NoPermission"})
	s.create(asking, map[string]string{"description": "Orders by the minute", "connector.class": "KAFKA2ODPS", "odps.partition": "MINUTE", "flush.interval.ms": "65000"})
	s.n.Connector(instance, asking).AwaitState(3*time.Minute, "GAP") // a chunk of more than a minute, so that it has two sessions
	s.faults("odps")
	table.Resume()
	s.create(refused, map[string]string{"description": "Raises alerts", "connector.class": "KAFKA2FC", "fc.mode": "sync", "fc.function": "fails", "errors.tolerance": "none", "errors.retry.limit": "1"})
	s.create(untabled, map[string]string{"description": "Orders for the ledger", "connector.class": "KAFKA2ODPS", "odps.table": "ledger"})
	s.at(untabled, "FAILED")
	s.at(refused, "FAILED", "DEGRADED")
	s.at(tabled, "RUNNING")
}

// faults replaces those of one part of the sandbox.
func (s *scene) faults(part string, list ...map[string]any) {
	if list == nil {
		list = []map[string]any{}
	}
	s.n.Must(http.StatusOK, http.MethodPost, "/api/v1/sandbox/"+part+"/faults", list, nil)
}

func (s *scene) create(name string, extra map[string]string) *harness.Connector {
	config := map[string]string{
		"connector.class": "KAFKA2OSS", "topics": "orders", "tasks.max": "2", "consumer.override.auto.offset.reset": "earliest",
		"flush.interval.ms": "5000", "aliyun.access.key.id": "sandbox", "aliyun.access.key.secret": "sandbox",
	}
	kind := extra["connector.class"]
	if kind == "" {
		kind = "KAFKA2OSS"
	}
	maps.Copy(config, s.destination(kind))
	maps.Copy(config, extra)
	return s.n.CreateConnector(instance, name, config)
}

// destination are the settings of a task type's place in the sandbox.
func (s *scene) destination(class string) map[string]string {
	switch class {
	case "KAFKA2FC":
		return map[string]string{"fc.endpoint": s.fc, "fc.service": "sandbox", "fc.function": "echo"}
	case "KAFKA2ODPS":
		return map[string]string{"odps.endpoint": s.odps, "odps.project": "sandbox", "odps.table": "kafka_messages"}
	}
	return map[string]string{"oss.endpoint": s.oss, "oss.bucket": "sandbox-bucket"}
}

// await waits until every connector of the first page is what it is to be, and the example has delivered enough for its
// charts.
func (s *scene) await(records int) {
	s.at(running, "RUNNING")
	s.at(columnar, "RUNNING")
	s.at(recovering, "RECOVERING")
	s.at(failed, "FAILED")
	s.at(suspended, "RUNNING")
	s.delivered(suspended, 30)
	s.n.Connector(instance, suspended).Pause()
	s.delivered(running, records)
	s.at(suspended, "SUSPENDED")
	s.delivered(called, 30)
	s.delivered(tabled, 30)
}

func (s *scene) at(name string, states ...string) {
	s.n.Connector(instance, name).AwaitState(90*time.Second, states...)
}

func (s *scene) delivered(name string, records int) {
	series := fmt.Sprintf("sluice_connector_delivered_records_total{connector=%q", name)
	harness.Eventually(s.m, 5*time.Minute, fmt.Sprintf("%s delivers %d records", name, records), func() (bool, string) {
		n, _ := s.n.Metric(series)
		return n >= float64(records), fmt.Sprintf("%.0f", n)
	})
}
