//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/e2e/harness"
)

// byRole are the sinks, each with what its destination is judged by.
var byRole = []struct {
	name   string
	part   string
	config func(r *harness.RoleStandin, topic string) map[string]string
	judge  func(b *bed, r *harness.RoleStandin, c *harness.Connector) harness.Verdict
	slow   string // the operation of an upload
	args   []string
}{
	{
		name: "oss", part: "oss", slow: "PutObject",
		config: func(r *harness.RoleStandin, topic string) map[string]string {
			return harness.OSSConfig(r.Standin, topic, map[string]string{"flush.size": "200"})
		},
		judge: func(b *bed, r *harness.RoleStandin, c *harness.Connector) harness.Verdict {
			return r.JudgeBucket(b.ledger, c.Name+"/")
		},
	},
	{
		name: "fc", part: "fc", slow: "InvokeFunction", args: []string{"-keep", "-1"},
		config: func(r *harness.RoleStandin, topic string) map[string]string {
			return harness.FCConfig(r.Standin, topic, nil)
		},
		judge: func(b *bed, r *harness.RoleStandin, _ *harness.Connector) harness.Verdict {
			return r.JudgeInvocations(b.ledger)
		},
	},
	{
		name: "odps", part: "odps", slow: "UploadBlock", args: []string{"-no-limits"},
		config: func(r *harness.RoleStandin, topic string) map[string]string {
			return harness.ODPSConfig(&harness.ODPS{Standin: r.Standin}, topic, map[string]string{"flush.size": "500"})
		},
		judge: func(b *bed, r *harness.RoleStandin, _ *harness.Connector) harness.Verdict {
			return (&harness.ODPS{Standin: r.Standin}).JudgeTable(b.ledger, harness.ODPSTable)
		},
	},
}

// TestLedgerByRole: each sink signs with what STS issues for a role, which lives for seconds, expires between the
// requests of an upload, and is ended early again and again; STS is away for a while, and the program is killed.
// Every number is at the destination once.
func TestLedgerByRole(t *testing.T) {
	t.Parallel()
	for _, kind := range byRole {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			const partitions = 3
			rounds := harness.Choose(2, 10)
			r := suite.StartWithSTS(t, kind.part, 3*time.Second, kind.args...)
			b := layBare(t, suite.Kafka(t), partitions, harness.SluiceOptions{Env: map[string]string{"SSL_CERT_FILE": r.CA}})
			r.SetFaults(harness.Fault{Operation: kind.slow, Rate: 0.05, LatencyMS: 700}, // tokens end meanwhile
				harness.Fault{Rate: 0.02, Status: 503, Code: "ServiceUnavailable"}, harness.Fault{Rate: 0.01, Cut: "after"})
			c := b.start("role-"+kind.name, r.ByRole(kind.config(r, b.topic), harness.BriefRole))
			produced := make(chan error, 1)
			go func() {
				produced <- b.kafka.TryProduce(t.Context(), b.ledger,
					harness.Numbers{Topic: b.topic, Partitions: partitions, To: int64(rounds) * 7000, PerSecond: 1000, Bytes: 120})
			}()
			for round := range rounds {
				for range 3 {
					harness.Pause(harness.Between(300*time.Millisecond, 1200*time.Millisecond))
					r.ExpireTokens()
				}
				if round == 0 { // away for longer than what was issued lives
					r.STSFaults(harness.Fault{Status: 503, Code: "ServiceUnavailable"})
					harness.Eventually(t, 30*time.Second, "the status names STS as what is away", func() (bool, string) {
						d := c.Status().Connector.Detail
						return d.State == "RECOVERING" && strings.Contains(d.Cause, "STS"), d.State + ": " + d.Cause
					})
					r.STSFaults()
				}
				b.killAndDeliverAgain(c)
			}
			if err := <-produced; err != nil {
				t.Fatalf("producing: %v", err)
			}
			c.AwaitDelivered(b.kafka, b.topic, 90*time.Second)
			c.AwaitState(75*time.Second, "RUNNING")
			r.SetFaults()
			if v := kind.judge(b, r, c); !v.OK() {
				t.Errorf("what is at the destination is not what was produced: %s", v)
			}
			b.mustDivertNothing(c)
			if n := r.Issued(); n < int64(4*rounds) {
				t.Errorf("credentials were issued %d times: they did not end", n)
			} else {
				t.Logf("%d numbers, credentials issued %d times", b.ledger.Len(), n)
			}
		})
	}
}

// TestDeniedRole: a role that may not be assumed fails the connector, which names the role and the action; with one
// that may be it goes on by itself.
func TestDeniedRole(t *testing.T) {
	t.Parallel()
	for _, kind := range byRole {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			r := suite.StartWithSTS(t, kind.part, time.Minute, kind.args...)
			b := layBare(t, suite.Kafka(t), 1, harness.SluiceOptions{Env: map[string]string{"SSL_CERT_FILE": r.CA}})
			c := b.sluice.CreateConnector(instance, own("denied-"+kind.name), r.ByRole(kind.config(r, b.topic), harness.DeniedRole))
			detail := c.AwaitState(60*time.Second, "FAILED").Connector.Detail
			mustSay(t, detail, harness.DeniedRole)
			mustSay(t, detail, "sts:AssumeRole")
			b.produce(0, 50, 1)
			c.Patch(map[string]string{"aliyun.role.arn": harness.BriefRole})
			c.Resume()
			c.AwaitDelivered(b.kafka, b.topic, 60*time.Second)
			if v := kind.judge(b, r, c); !v.OK() {
				t.Errorf("after the role was corrected: %s", v)
			}
			var findings struct {
				Findings []struct{ Name, Status, Detail, Remedy string }
			}
			config := r.ByRole(kind.config(r, b.topic), harness.DeniedRole)
			b.sluice.Must(http.StatusOK, http.MethodPost, "/api/v1/instances/"+instance+"/checks", map[string]any{"config": config}, &findings)
			for _, f := range findings.Findings {
				if f.Name == "Role" {
					mustSay(t, harness.Detail{Cause: f.Detail, Remedy: f.Remedy}, harness.DeniedRole)
					mustSay(t, harness.Detail{Cause: f.Detail, Remedy: f.Remedy}, "sts:AssumeRole")
					return
				}
			}
			t.Errorf("no check of the role: %s", fmt.Sprint(findings))
		})
	}
}
