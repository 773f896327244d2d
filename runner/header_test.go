package runner

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/record"
)

func TestMetadataRoundTrip(t *testing.T) {
	t.Parallel()
	h := newHeader("uuid", "epoch", "hash", 3)
	h.Last = newLastRecord(&record.Record{Offset: 9, Timestamp: 5, Key: []byte("k"), Value: []byte("v")})
	in := &connector.Intent{Range: connector.Range{Topic: "t", Partition: 2, First: 10, Next: 20, TopicID: "uuid", Epoch: "epoch"},
		Config: "old", Encoder: 2, Count: 7, Sum: 1<<64 - 1, Payload: []byte(`{"name":"a<b>&ü"}`)}
	text, err := encodeMetadata(h, in)
	if err != nil {
		t.Fatal(err)
	}
	gotHeader, got, err := decodeMetadata(text)
	if err != nil {
		t.Fatal(err)
	}
	if *gotHeader.Last != *h.Last || gotHeader.TopicID != "uuid" || gotHeader.Epoch != "epoch" || gotHeader.Config != "hash" || gotHeader.Encoder != 3 {
		t.Errorf("header %+v", gotHeader)
	}
	if got.First != 10 || got.Next != 20 || got.Config != "old" || got.Encoder != 2 || got.Count != 7 || got.Sum != 1<<64-1 ||
		!bytes.Equal(got.Payload, in.Payload) || got.TopicID != "uuid" || got.Epoch != "epoch" {
		t.Errorf("intent %+v", got)
	}
	text, err = encodeMetadata(h, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, none, err := decodeMetadata(text); none != nil || err != nil {
		t.Errorf("intent %v, %v", none, err)
	}
}

func TestMetadataBounds(t *testing.T) {
	t.Parallel()
	rng := connector.Range{First: 1, Next: 2}
	payload := func(n int) []byte { return []byte(`"` + strings.Repeat("x", n-2) + `"`) }
	for name, c := range map[string]struct {
		in *connector.Intent
		ok bool
	}{
		"largest payload":  {&connector.Intent{Range: rng, Payload: payload(connector.MaxPayload)}, true},
		"too long":         {&connector.Intent{Range: rng, Payload: payload(maxIntent)}, false},
		"payload not JSON": {&connector.Intent{Range: rng, Payload: []byte("no json")}, false},
		"not UTF-8":        {&connector.Intent{Range: rng, Payload: []byte("\"\xff\"")}, false},
	} {
		text, err := encodeMetadata(newHeader(strings.Repeat("u", 36), strings.Repeat("e", 16), strings.Repeat("h", 32), 1), c.in)
		if (err == nil) != c.ok || len(text) > maxMetadata {
			t.Errorf("%s: %d bytes, %v", name, len(text), err)
		}
	}
}

func FuzzDecodeMetadata(f *testing.F) {
	f.Add(`{"sluice":1,"epoch":"e","config":"c","encoder":1,"intent":{"first":1,"next":2,"count":1,"sum":"3","payload":{}}}`)
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		h, in, err := decodeMetadata(s)
		if err != nil {
			if !errors.Is(err, errNotOurs) {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		text, err := encodeMetadata(h, in)
		if err != nil {
			return // longer than we would have written
		}
		if _, _, err := decodeMetadata(text); err != nil {
			t.Fatalf("%q does not read back: %v", text, err)
		}
	})
}
