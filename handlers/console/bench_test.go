package console_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
)

// BenchmarkPages measures the server's time for a page with 300 instances and 900
// connectors; the goal is under 50 ms.
func BenchmarkPages(b *testing.B) {
	s := newSite(b)
	ctx := b.Context()
	for i := range 300 {
		in := runner.Instance{Name: fmt.Sprintf("instance-%03d", i), Region: "cn-hangzhou", BootstrapServers: "10.0.0.1:9092", SecurityProtocol: "PLAINTEXT", Quota: 10}
		if err := s.store.CreateInstance(ctx, &in); err != nil {
			b.Fatal(err)
		}
		if err := s.store.SetInstanceEnabled(ctx, in.ID, true); err != nil {
			b.Fatal(err)
		}
		for j := range 3 {
			row := runner.Connector{InstanceID: in.ID, Instance: in.Name, Name: fmt.Sprintf("connector-%03d-%d", i, j), Class: "KAFKA2OSS", Desired: runner.DesiredRunning,
				Config: connector.Config{"connector.class": "KAFKA2OSS", "topics": "orders", "oss.bucket": "bucket", "aliyun.access.key.secret": "secret"}}
			if err := s.store.CreateConnector(ctx, &row, "bench"); err != nil {
				b.Fatal(err)
			}
			st := runner.TaskStatus{ConnectorID: row.ID, Node: "n", Status: connector.Status{State: connector.StateRunning}}
			if err := s.store.SaveTaskStatus(ctx, st); err != nil {
				b.Fatal(err)
			}
		}
	}
	admin := s.as("admin")
	for _, page := range []string{"/", "/?q=connector-1&state=RUNNING", "/instances", "/instances/instance-150", "/instances/instance-150/settings", "/help/connectors/KAFKA2OSS", "/admin/audit"} {
		b.Run(page, func(b *testing.B) {
			for b.Loop() {
				res, err := admin.client.Get(s.url + page)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
					b.Fatal(res.StatusCode, err)
				}
				_ = res.Body.Close() // it was read whole
			}
		})
	}
}
