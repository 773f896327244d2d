package mysql

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/runner/connector"
)

const (
	uuidA = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
	uuidB = "4e11fa47-71ca-11e1-9e33-c80aa9429562"
)

func TestGTIDSets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{"", ""},
		{"3E11FA47-71CA-11E1-9E33-C80AA9429562:1-5", uuidA + ":1-5"},
		{uuidA + ":1-3:5:7-9,\n" + uuidB + ":4", uuidA + ":1-3:5:7-9," + uuidB + ":4"},
		{uuidA + ":1-3:4-6", uuidA + ":1-6"},
		{uuidA + ":1:Blue:2-3:5", uuidA + ":1," + uuidA + ":blue:2-3:5"},
	} {
		s, err := parseGTIDSet(c.text)
		if err != nil || s.String() != c.want {
			t.Errorf("%q: %v %v", c.text, s, err)
		}
	}
	for _, bad := range []string{"x", uuidA, uuidA + ":", uuidA + ":0", uuidA + ":5-1", uuidA + ":1-x"} {
		if s, err := parseGTIDSet(bad); err == nil {
			t.Errorf("%q is taken as %v", bad, s)
		}
	}
}

// A set that grows transaction by transaction is the set of what was added, and its text is read back.
func TestGTIDSetGrows(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	s, want := &gtidSet{by: map[string][]interval{}}, map[string]map[int64]bool{uuidA: {}, uuidB: {}}
	next := map[string]int64{uuidA: 1, uuidB: 1}
	for range 3000 {
		key := []string{uuidA, uuidB}[r.IntN(2)]
		n := next[key]
		if r.IntN(10) == 0 {
			n = 1 + r.Int64N(400)
		} else {
			next[key]++
		}
		s.add(key, n)
		want[key][n] = true
		back, err := parseGTIDSet(string(s.appendText(nil, key)))
		if err != nil || len(back.minus(s).by) != 0 || len(s.minus(back).by) != 0 {
			t.Fatalf("%s: %v %v", s.appendText(nil, key), back, err)
		}
	}
	for key, all := range want {
		for n := int64(1); n < 2000; n++ {
			if s.has(key, n) != all[n] {
				t.Fatalf("%s:%d", key, n)
			}
		}
	}
}

func TestFilePosOrder(t *testing.T) {
	t.Parallel()
	in := []filePos{{}, {"b.000001", 4}, {"b.000001", 1 << 33}, {"b.000009", 4}, {"b.000010", 4}, {"b.1000000", 4}}
	for i := range in {
		for j := range in {
			if got, want := in[i].compare(in[j]), order(uint64(i), uint64(j)); got != want {
				t.Errorf("%v and %v: %d", in[i], in[j], got)
			}
		}
	}
}

// Positions are shown and set by REST; what cannot be is named.
func TestPositionsShowAndSet(t *testing.T) {
	t.Parallel()
	cfg := connector.Config{keyPrefix: "p"}
	g := &progress{flavor: "mysql", gtid: true, my: &gtidSet{by: map[string][]interval{uuidA: {{1, 9}}}}, at: filePos{"b.000001", 77}, sequence: 1795390507114000215, server: "s"}
	state := tableState{State: stateCopying, Topic: "p_a", Partitions: 6, Rows: 5}
	saved := connector.Saved{savedPosition: g.entry().Value, savedTable + "a": state.entry("a").Value}
	shown, err := positions().Show(cfg, saved)
	if err != nil || len(shown) != 2 {
		t.Fatal(shown, err)
	}
	text, _ := json.Marshal(shown[0].Offset["sequence"])
	if string(text) != "1795390507114000215" {
		t.Errorf("a digit is lost: %s", text)
	}
	log := map[string]any{"server": "p"}
	for _, c := range []struct {
		to connector.SourcePosition
		ok bool
	}{
		{connector.SourcePosition{Partition: log, Offset: map[string]any{"gtid": uuidA + ":1-5"}}, true},
		{connector.SourcePosition{Partition: log, Offset: map[string]any{"gtid": "0-1-5"}}, true},
		{connector.SourcePosition{Partition: log, Offset: map[string]any{"file": "b.000002", "pos": 4.0}}, true},
		{connector.SourcePosition{Partition: log, Offset: map[string]any{"file": "b.000002", "pos": "120"}}, true},
		{connector.SourcePosition{Partition: log}, true},
		{connector.SourcePosition{Partition: map[string]any{"server": "p", "table": "a"}}, true},
		{connector.SourcePosition{Partition: map[string]any{"server": "p", "table": "a"}, Offset: map[string]any{"state": "done"}}, true},
		{connector.SourcePosition{Partition: map[string]any{"server": "p", "table": "a"}, Offset: map[string]any{"state": "half"}}, false},
		{connector.SourcePosition{Partition: map[string]any{"server": "q"}}, false},
		{connector.SourcePosition{Partition: log, Offset: map[string]any{"gtid": "nix"}}, false},
		{connector.SourcePosition{Partition: log, Offset: map[string]any{"file": "b", "pos": 4.0}}, false},
		{connector.SourcePosition{Partition: log, Offset: map[string]any{"file": "b.1", "pos": 4.5}}, false},
	} {
		entries, err := positions().Set(cfg, saved, []connector.SourcePosition{c.to})
		if (err == nil) != c.ok {
			t.Errorf("%v: %v", c.to, err)
		}
		var f connector.FieldError
		if err != nil && (!asField(err, &f) || f.Field != "offsets[0]") {
			t.Errorf("%v: %v", c.to, err)
		}
		for _, e := range entries {
			if e.Value != nil && !json.Valid(e.Value) {
				t.Errorf("%s", e.Value)
			}
		}
	}
}

func asField(err error, f *connector.FieldError) bool { return errors.As(err, f) }

func TestPositionsInWords(t *testing.T) {
	t.Parallel()
	saved := connector.Saved{
		savedPosition:    []byte(`{"flavor":"mariadb","mode":"gtid","gtid":"0-1-28","file":"binlog.000001","pos":852974,"time":1795399419000}`),
		savedTable + "a": []byte(`{"state":"done","topic":"p_a","rows":1}`), savedTable + "b": []byte(`{"state":"copying","topic":"p_b","rows":2048}`),
		savedTable + "c": []byte(`{"state":"waiting"}`), savedTable + "d": []byte(`{"state":"done","topic":"p_d"}`),
	}
	list, err := showPositions(connector.Config{keyPrefix: "p"}, saved)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range list {
		got = append(got, p.Title+": "+p.Brief)
	}
	want := []string{"Binary log: GTID 0-1-28, binlog.000001 at 852974, 23 Nov 2026 02:03:39 UTC", "Table a: copied, 1 row → p_a", "Table b: being copied, 2,048 rows so far → p_b",
		"Table c: waits to be copied", "Table d: followed → p_d"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if b, err := json.Marshal(list[0]); err != nil || strings.Contains(string(b), "Binary log") {
		t.Errorf("as REST shows it: %s %v", b, err)
	}
}
