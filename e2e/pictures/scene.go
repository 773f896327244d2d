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
)

// scene is the state that is photographed.
type scene struct {
	m   *harness.Main
	n   *harness.Sluice
	oss string // URL of the sandbox's OSS
}

func newScene(m *harness.Main, n *harness.Sluice) *scene {
	s := &scene{m: m, n: n}
	for line := range strings.Lines(n.Log()) {
		if url, ok := strings.CutPrefix(line, "sandbox oss: "); ok {
			s.oss = strings.TrimSpace(url)
		}
	}
	if s.oss == "" {
		m.Fatalf("the program did not print where the sandbox's OSS is:\n%s", n.Log())
	}
	return s
}

// fill makes the connectors beside the example, and the outage of one of them.
func (s *scene) fill() {
	s.n.Must(http.StatusOK, http.MethodPost, "/api/v1/sandbox/oss/faults", []map[string]any{
		{"operation": "PutObject", "key_prefix": recovering + "/", "rate": 1, "status": 503, "code": "ServiceUnavailable"},
	}, nil)
	s.create(columnar, map[string]string{"description": "Orders as columns, for the lake", "oss.format": "parquet", "oss.compression": "snappy"})
	s.create(recovering, map[string]string{"description": "A second copy, kept for a year", "oss.format": "jsonl", "oss.compression": "zstd"})
	s.create(failed, map[string]string{"description": "Orders of closed years", "oss.bucket": "archive-bucket"})
	s.create(suspended, map[string]string{"description": "For the auditors, twice a year", "oss.format": "csv"})
}

func (s *scene) create(name string, extra map[string]string) *harness.Connector {
	config := map[string]string{
		"connector.class": "KAFKA2OSS", "topics": "orders", "tasks.max": "2", "consumer.override.auto.offset.reset": "earliest",
		"oss.endpoint": s.oss, "oss.bucket": "sandbox-bucket", "flush.interval.ms": "5000",
		"aliyun.access.key.id": "sandbox", "aliyun.access.key.secret": "sandbox",
	}
	maps.Copy(config, extra)
	return s.n.CreateConnector(instance, name, config)
}

// await waits until every connector is what it is to be, and the example has delivered enough for its
// charts.
func (s *scene) await(records int) {
	at := func(name string, states ...string) {
		s.n.Connector(instance, name).AwaitState(90*time.Second, states...)
	}
	at(running, "RUNNING")
	at(columnar, "RUNNING")
	at(recovering, "RECOVERING")
	at(failed, "FAILED")
	at(suspended, "RUNNING")
	s.delivered(suspended, 30)
	s.n.Connector(instance, suspended).Pause()
	s.delivered(running, records)
	at(suspended, "SUSPENDED")
}

func (s *scene) delivered(name string, records int) {
	series := fmt.Sprintf("sluice_connector_delivered_records_total{connector=%q", name)
	harness.Eventually(s.m, 5*time.Minute, fmt.Sprintf("%s delivers %d records", name, records), func() (bool, string) {
		n, _ := s.n.Metric(series)
		return n >= float64(records), fmt.Sprintf("%.0f", n)
	})
}
