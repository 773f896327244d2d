//go:build e2e

package e2e

import (
	"testing"
	"time"

	"github.com/sluice-io/sluice/e2e/harness"
)

// TestWrongSettingsOfODPS: what only a person can put right fails the connector with a sentence that names it and a
// remedy, diverts nothing, and everything is delivered once it is right and resumed.
func TestWrongSettingsOfODPS(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		sql    string
		wrong  map[string]string
		right  map[string]string
		faults []harness.Fault
		says   []string // any of these in cause or remedy
	}{
		{name: "table", wrong: map[string]string{"odps.table": "no_such_table"}, right: map[string]string{"odps.table": harness.ODPSTable}, says: []string{"no_such_table"}},
		{
			name: "column", sql: "CREATE TABLE odd (topic STRING, `partition` STRING, `offset` BIGINT, key STRING, value STRING) PARTITIONED BY (pt STRING)",
			wrong: map[string]string{"odps.table": "odd"}, right: map[string]string{"odps.table": harness.ODPSTable}, says: []string{"CREATE TABLE"},
		},
		{name: "project", wrong: map[string]string{"odps.project": "elsewhere"}, right: map[string]string{"odps.project": harness.ODPSProject}, says: []string{"elsewhere"}},
		{name: "secret", wrong: map[string]string{"aliyun.access.key.secret": "wrong"}, right: map[string]string{"aliyun.access.key.secret": harness.OSSKeySecret}, says: []string{"secret", "signature"}},
		{name: "key", wrong: map[string]string{"aliyun.access.key.id": "nobody"}, right: map[string]string{"aliyun.access.key.id": harness.OSSKeyID}, says: []string{"key"}},
		{name: "clock", faults: []harness.Fault{{SkewSeconds: 3600}}, says: []string{"clock"}},
		{name: "permission", faults: []harness.Fault{{Operation: "CreateUpload", Status: 403, Code: "NoPermission"}}, says: []string{"Grant"}},
	}
	b := layODPS(t, 1, harness.SluiceOptions{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			odps := suite.StartODPS(t)
			if tt.sql != "" {
				odps.SQL(tt.sql)
			}
			own := &odpsBed{odps: odps, table: harness.ODPSTable, bed: &bed{t: t, kafka: b.kafka.For(t), sluice: b.sluice.For(t), ledger: harness.NewLedger(), topic: own("wrong-odps-" + tt.name)}}
			own.kafka.CreateTopic(own.topic, 1, nil)
			own.mustFailUntilRight(tt.wrong, tt.right, tt.faults, tt.says)
		})
	}
}

func (b *odpsBed) mustFailUntilRight(wrong, right map[string]string, faults []harness.Fault, says []string) {
	b.t.Helper()
	b.odps.SetFaults(faults...)
	config := harness.ODPSConfig(b.odps, b.topic, wrong)
	config["tasks.max"] = "1" // and one partition: nothing else that was struck fails behind the resume
	c := b.sluice.CreateConnector(instance, b.topic, config)
	b.produce(0, 300, 1)
	mustSay(b.t, c.AwaitState(60*time.Second, "FAILED").Connector.Detail, says...)
	b.odps.SetFaults()
	if right != nil {
		c.Patch(right)
	}
	c.Resume()
	c.AwaitState(60*time.Second, "RUNNING")
	b.mustDeliver(c, 60*time.Second)
	b.mustDivertNothing(c)
}

// TestODPSTableChanged: a column more is no trouble; a table made anew that does not fit fails the connector with a
// sentence that says so, and it goes on when the table fits again.
func TestODPSTableChanged(t *testing.T) {
	t.Parallel()
	b := layODPS(t, 3, harness.SluiceOptions{})
	c := b.deploy("odps-changed", nil)
	b.produce(0, 300, 3)
	b.mustDeliver(c, 60*time.Second)
	for p, at := range b.kafka.Positions(c.Group(), b.topic) {
		b.ledger.Forget(b.topic, p, 0, at.Offset) // the table is dropped with them
	}
	b.odps.SQL("DROP TABLE " + b.table)
	b.odps.SQL("CREATE TABLE " + b.table + " (other BIGINT) PARTITIONED BY (pt STRING)")
	b.produce(300, 600, 3)
	mustSay(t, c.AwaitState(60*time.Second, "FAILED").Connector.Detail, b.table)
	b.odps.SQL("DROP TABLE " + b.table)
	b.odps.SQL("CREATE TABLE " + b.table + " (topic STRING, `partition` BIGINT, `offset` BIGINT, key STRING, value STRING) PARTITIONED BY (pt STRING)")
	c.Resume()
	c.AwaitState(60*time.Second, "RUNNING")
	b.mustDeliver(c, 60*time.Second)

	b.odps.SQL("ALTER TABLE " + b.table + " ADD COLUMNS (more STRING)")
	b.produce(600, 900, 3)
	c.AwaitDelivered(b.kafka, b.topic, 60*time.Second)
	if rows := len(b.odps.Rows(b.table)); rows != b.ledger.Len() {
		t.Errorf("%d rows with the added column, want %d", rows, b.ledger.Len())
	}
	b.mustDivertNothing(c)
}
