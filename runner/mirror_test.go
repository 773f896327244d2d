package runner

import (
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner/kafka"
)

// What the offset topic says last counts, whatever the clock said: a position that an
// operator's reset took back is not known any more.
func TestRule04ResetTakesTheMirroredPositionBack(t *testing.T) {
	t.Parallel()
	sub := &subject{row: Connector{ID: 1, UUID: "u"}}
	at := func(p int32, offset int64, when int) MirroredPosition {
		return MirroredPosition{ConnectorID: 1, Topic: "a.b", Partition: p, Offset: offset, UpdatedAt: time.Unix(int64(when), 0).UTC()}
	}
	topic := &mirror{sub: sub, known: map[kafka.TP]MirroredPosition{}}
	feed := func(m *mirror, p MirroredPosition) {
		t.Helper()
		for _, r := range m.records([]MirroredPosition{p}) {
			if err := topic.load(string(r.Key), r.Value); err != nil {
				t.Fatal(err)
			}
		}
	}
	feed(topic, at(0, 10, 100))
	feed(topic, at(1, 20, 100))
	feed(topic, at(2, 30, 100))
	feed(topic, at(2, 31, 50)) // the clock was set back
	feed(&mirror{sub: &subject{row: Connector{UUID: "another"}}}, at(3, 1, 100))
	for _, key := range []string{"a.b/1", "nonsense", "a.b/x"} {
		if err := topic.load(key, nil); err != nil {
			t.Fatal(err)
		}
	}
	m := &mirror{sub: sub, known: map[kafka.TP]MirroredPosition{{Topic: "a.b"}: at(0, 12, 101), {Topic: "a.b", Partition: 2}: at(2, 5, 7)}}
	m.merge(topic.known)
	for p, want := range []int64{12, -1, 31, -1} {
		got, known := m.last(kafka.TP{Topic: "a.b", Partition: int32(p)})
		if known != (want >= 0) || known && got.Offset != want {
			t.Errorf("partition %d: %+v, %v; want %d", p, got, known, want)
		}
	}
}
