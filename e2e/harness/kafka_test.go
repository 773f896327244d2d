//go:build e2e

package harness

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

// TestKafka proves the test bed itself: what the other tests conclude rests on it.
func TestKafka(t *testing.T) {
	t.Parallel()
	k := StartKafka(t, KafkaOptions{Secure: true})
	k.CreateTopic("numbers", 3, map[string]string{"retention.ms": "-1"})
	ledger := NewLedger()
	k.Produce(ledger, Numbers{Topic: "numbers", Partitions: 3, To: 3000, Bytes: 100})
	k.ProduceTransaction(ledger, Numbers{Topic: "numbers", Partitions: 3, From: 3000, To: 3300}, false)
	k.ProduceTransaction(ledger, Numbers{Topic: "numbers", Partitions: 3, From: 3300, To: 3600}, true)
	var seen []Seen
	for _, m := range k.ReadAll("numbers") {
		seen = append(seen, Seen{Object: "kafka", Topic: m.Topic, Partition: m.Partition, Offset: m.Offset, Value: m.Value})
	}
	if v := ledger.Judge(seen); !v.OK() || v.Records != 3300 {
		t.Errorf("read committed: %s", v)
	}

	t.Run("secure listeners", func(t *testing.T) {
		for _, listener := range []string{"SSL", "SASL_PLAINTEXT", "SASL_SSL"} {
			c := clientConfig()
			if listener != "SASL_PLAINTEXT" {
				pool := x509.NewCertPool()
				pool.AppendCertsFromPEM([]byte(k.CA()))
				c.Net.TLS.Enable, c.Net.TLS.Config = true, &tls.Config{RootCAs: pool}
			}
			if listener != "SSL" {
				c.Net.SASL.Enable, c.Net.SASL.User, c.Net.SASL.Password = true, KafkaPlainUser, KafkaPlainPassword
			}
			client, err := sarama.NewClient(k.addresses(listener), c)
			if err != nil {
				t.Errorf("%s: %v", listener, err)
				continue
			}
			client.Close()
		}
	})

	t.Run("members and positions", func(t *testing.T) {
		o := k.Join("group", []string{"numbers"})
		if o.Claims() != 3 {
			t.Errorf("an only member got %d partitions", o.Claims())
		}
		if p := k.Positions("group", "numbers"); len(p) != 0 {
			t.Errorf("an outsider committed %v", p)
		}
		o.Leave()
		k.AwaitMembers("group", 0, 10*time.Second)
	})

	t.Run("retention, partitions, deletion", func(t *testing.T) {
		k.DeleteRecords("numbers", 1, 500)
		if b := k.Beginnings("numbers")[1]; b != 500 {
			t.Errorf("partition 1 begins at %d after deleting below 500", b)
		}
		k.AddPartitions("numbers", 5)
		if ends := k.Ends("numbers"); len(ends) != 5 {
			t.Errorf("ends after adding partitions: %v", ends)
		}
		k.DeleteTopic("numbers")
		if _, there := k.Topics()["numbers"]; there {
			t.Error("the deleted topic is listed")
		}
	})

	t.Run("killed and frozen", func(t *testing.T) {
		k.CreateTopic("kept", 1, nil)
		k.Send("kept", 0, nil, []byte("before"))
		k.Restart(0)
		k.Send("kept", 0, nil, []byte("after"))
		if all := k.ReadAll("kept"); len(all) != 2 {
			t.Errorf("%d records after a kill, want 2", len(all))
		}
		k.Freeze(0)
		k.Thaw(0)
		k.AwaitReady(20 * time.Second)
	})
}

// TestKafkaCluster proves that three nodes make one cluster that goes on without one of them.
func TestKafkaCluster(t *testing.T) {
	t.Parallel()
	k := StartKafka(t, KafkaOptions{Nodes: 3})
	k.CreateTopic("numbers", 3, map[string]string{"min.insync.replicas": "2"})
	ledger := NewLedger()
	k.Produce(ledger, Numbers{Topic: "numbers", Partitions: 3, To: 300})
	k.Kill(1)
	k.Produce(ledger, Numbers{Topic: "numbers", Partitions: 3, From: 300, To: 600})
	k.Restart(1)
	var seen []Seen
	for _, m := range k.ReadAll("numbers") {
		seen = append(seen, Seen{Object: "kafka", Topic: m.Topic, Partition: m.Partition, Offset: m.Offset, Value: m.Value})
	}
	if v := ledger.Judge(seen); !v.OK() {
		t.Errorf("after losing a node: %s", v)
	}
}
