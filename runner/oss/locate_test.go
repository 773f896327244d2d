package oss_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/record"
	"github.com/sluice-io/sluice/runner/sandbox"
)

// publish delivers records as one chunk.
func (b *bed) publish(records ...*record.Record) {
	b.t.Helper()
	c, _ := fill(b.t, b.sink(), nil, records...)
	if _, err := c.Publish(b.t.Context(), free); err != nil {
		b.t.Fatal(err)
	}
	c.Discard()
}

// locate are the keys of the objects that hold a record.
func (b *bed) locate(r *record.Record) []string {
	b.t.Helper()
	found, err := b.spec.Locate(b.t.Context(), b.cfg, b.deps, r)
	if err != nil {
		b.t.Fatal(err)
	}
	var keys []string
	for _, p := range found {
		if p.Name != "oss://"+sandbox.DefaultBucket+"/"+p.Key || p.Container != sandbox.DefaultBucket || "http://"+p.Server != b.oss.URL() {
			b.t.Errorf("place %+v", p)
		}
		keys = append(keys, p.Key)
	}
	return keys
}

// TestLocateNamesTheObject: what is named holds the record, through chunks that mix
// hours, a position that was set back, and formats.
func TestLocateNamesTheObject(t *testing.T) {
	t.Parallel()
	b := newBed(t, connector.Config{"oss.format": "jsonl", "flush.size": "2"})
	value := func(o int) string { return fmt.Sprintf("value-%d-", o) }
	one := func(o, minute int) *record.Record { return rec(int64(o), minute, value(o)) }
	b.publish(one(10, 0), one(11, 60), one(12, 0), one(15, 60))
	b.publish(one(16, 0))
	b.publish(one(20_000, 0), one(20_001, 0)) // far above: names are looked for downwards
	for _, r := range []*record.Record{one(10, 0), one(11, 60), one(12, 0), one(15, 60), one(16, 0), one(20_000, 0), one(20_001, 0)} {
		keys := b.locate(r)
		if len(keys) != 1 || strings.Count(b.objects()[keys[0]], string(r.Value)) != 1 {
			t.Errorf("offset %d: %v", r.Offset, keys)
		}
	}
	for _, r := range []*record.Record{one(9, 0), one(17, 0), one(16, 60), one(19_999, 0), one(20_002, 0), {Topic: "orders", Partition: 11, Offset: 10, Timestamp: at(0)}} {
		if keys := b.locate(r); len(keys) != 0 {
			t.Errorf("offset %d of partition %d, never delivered: %v", r.Offset, r.Partition, keys)
		}
	}

	b.cfg["oss.format"] = "csv"
	if keys := b.locate(one(12, 0)); len(keys) != 1 || !strings.HasSuffix(keys[0], ".jsonl") {
		t.Errorf("after a change of the format: %v", keys)
	}
	b.publish(one(11, 0), one(12, 0)) // delivered again after the position was set back
	if keys := b.locate(one(12, 0)); len(keys) != 2 || !slices.IsSorted(keys) {
		t.Errorf("delivered twice: %v", keys)
	}
}

// TestLocateListsFurther goes through more names than one listing gives, down from an
// offset far above the object's first.
func TestLocateListsFurther(t *testing.T) {
	t.Parallel()
	b := newBed(t, connector.Config{"oss.format": "raw", "oss.path": "{topic}"})
	s := b.sink()
	for i := range 1200 {
		c, _ := fill(t, s, nil, rec(int64(10+2*i), 0, "v"), rec(int64(11+2*i), 0, "w"))
		if _, err := c.Publish(t.Context(), free); err != nil {
			t.Fatal(err)
		}
	}
	for _, offset := range []int64{10, 11, 1500, 2015, 2409} {
		keys := b.locate(rec(offset, 0, "v"))
		first := offset - offset%2
		if want := fmt.Sprintf("to-oss/orders/orders-1-%020d-%020d.raw", first, first+1); len(keys) != 1 || keys[0] != want {
			t.Errorf("offset %d: %v, want %s", offset, keys, want)
		}
	}
}

func TestLocateRefused(t *testing.T) {
	t.Parallel()
	b := newBed(t, connector.Config{"aliyun.access.key.secret": "wrong"})
	_, err := b.spec.Locate(t.Context(), b.cfg, b.deps, rec(10, 0, "v"))
	var wrong *connector.WrongError
	if !errors.As(err, &wrong) || wrong.Remedy == "" {
		t.Errorf("wrong secret: %v", err)
	}
	b = newBed(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.spec.Locate(ctx, b.cfg, b.deps, rec(10, 0, "v")); err == nil {
		t.Error("an answer without asking")
	}
}
