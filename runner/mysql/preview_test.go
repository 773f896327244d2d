package mysql

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/e2e/beds"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
)

// TestPreview shows rows as the messages they would be: key, topic and partition with
// them, and those that would be refused with the reason.
func TestPreview(t *testing.T) {
	t.Parallel()
	for _, flavor := range flavors {
		t.Run(flavor, func(t *testing.T) {
			t.Parallel()
			s := shop(t, flavor)
			s.Exec("CREATE TABLE old (id INT PRIMARY KEY, day DATE)")
			deps := connector.Deps{Env: connector.Env{Instance: "here"}, Dial: dialer(),
				Cluster: cluster{room: -1, topics: map[string]connector.TopicShape{"shop_notes": {Name: "shop_notes", Partitions: 1, MaxMessageBytes: 2000}}}}
			for _, name := range []string{FormatDataWorks, FormatDebezium} {
				samples, err := preview(t.Context(), resolved(t, s, keyFormat, name), deps, nil)
				if err != nil {
					t.Fatal(err)
				}
				var keys []string
				refused := 0
				for _, sm := range samples {
					if sm.Refused != "" {
						refused++
						if sm.Source.Topic != "shop_notes" || !strings.Contains(sm.Refused, "larger than the topic takes") {
							t.Errorf("%s: refused: %+v", name, sm)
						}
						continue
					}
					if !json.Valid([]byte(sm.Body)) || sm.Key != "" && !json.Valid([]byte(sm.Key)) {
						t.Errorf("%s: no JSON: %+v", name, sm)
					}
					if sm.Key == "" && sm.Source.Partition != 0 || sm.Key != "" && sm.Source.Partition != kafka.PartitionOf([]byte(sm.Key), keyedPartitions) {
						t.Errorf("%s: the partition of %s is %d", name, sm.Key, sm.Source.Partition)
					}
					keys = append(keys, sm.Source.Topic+" "+sm.Key)
				}
				want := []string{`shop_lines {"order_id":1,"line":1}`, `shop_lines {"order_id":1,"line":2}`, "shop_notes ", `shop_orders {"id":1}`, `shop_orders {"id":2}`}
				if strings.Join(keys, "; ") != strings.Join(want, "; ") {
					t.Errorf("%s: %q", name, keys)
				}
				if refused != 1 {
					t.Errorf("%s: %d are refused: %+v", name, refused, samples)
				}
			}
		})
	}
}

func TestPreviewOfWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	s := Database(t, beds.MariaDB)
	s.Exec("CREATE TABLE days (id INT PRIMARY KEY, day DATE)", "INSERT IGNORE INTO days VALUES (1, '0000-00-00')")
	samples, err := preview(t.Context(), resolved(t, s, keyZeroDate, ZeroDateFail), connector.Deps{Dial: dialer()}, nil)
	if err != nil || len(samples) != 1 || !strings.Contains(samples[0].Refused, "day") {
		t.Errorf("a zero date: %+v, %v", samples, err)
	}
	_, err = preview(t.Context(), resolved(t, s, keyPassword, "wrong"), connector.Deps{Dial: dialer()}, nil)
	if connector.CauseOf(err) != connector.CauseWrong {
		t.Errorf("a wrong password: %v", err)
	}
}

// TestPreviewOfACompactedTopic: what such a topic would refuse is shown as refused.
func TestPreviewOfACompactedTopic(t *testing.T) {
	t.Parallel()
	s := shop(t, beds.MariaDB)
	shape := func(name string) connector.TopicShape {
		return connector.TopicShape{Name: name, Partitions: 1, MaxMessageBytes: 1 << 20, Compacted: true}
	}
	deps := connector.Deps{Dial: dialer(), Cluster: cluster{room: -1, topics: map[string]connector.TopicShape{"shop_notes": shape("shop_notes"), "shop_orders": shape("shop_orders")}}}
	samples, err := preview(t.Context(), resolved(t, s, keyTables, "notes, orders"), deps, nil)
	if err != nil || len(samples) != 4 {
		t.Fatal(samples, err)
	}
	for _, sample := range samples {
		if refused := strings.Contains(sample.Refused, "compacted"); refused != (sample.Source.Topic == "shop_notes") {
			t.Errorf("%s: %q", sample.Title, sample.Refused)
		}
	}
}

// TestSourceTopics lists the topics of the tables that are named, those that exist as they are.
func TestSourceTopics(t *testing.T) {
	t.Parallel()
	s := shop(t, beds.MariaDB)
	deps := connector.Deps{Env: connector.Env{Instance: "here"}, Dial: dialer(), Cluster: cluster{room: -1, topics: map[string]connector.TopicShape{"shop_notes": {Name: "shop_notes", Partitions: 4}}}}
	got, err := sourceTopics(t.Context(), resolved(t, s, keyTables, "*es"), deps)
	if err != nil {
		t.Fatal(err)
	}
	want := []connector.SourceTopic{{Name: "shop_lines", From: "lines", Key: []string{"order_id", "line"}, Partitions: 6, Copied: true, Followed: true},
		{Name: "shop_notes", From: "notes", Partitions: 4, Exists: true, Copied: true, Followed: true}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	var w *connector.WrongError
	if _, err := sourceTopics(t.Context(), resolved(t, s, keyPassword, "wrong"), deps); !errors.As(err, &w) || w.Field != keyPassword {
		t.Errorf("with a wrong password: %v", err)
	}
}
