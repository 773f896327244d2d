package oss_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/record"
	"github.com/sluice-io/sluice/runner/sandbox"
)

// TestSameLengthIsNotSame: an object of the same name and length with other bytes is
// neither taken for ours nor replaced.
func TestSameLengthIsNotSame(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	s := b.sink()
	theirs, _ := fill(t, s, nil, rec(10, 0, "them"))
	if _, err := theirs.Publish(t.Context(), free); err != nil {
		t.Fatal(err)
	}
	before := fmt.Sprint(b.objects())
	ours, in := fill(t, s, nil, rec(10, 0, "ours"))
	var me *connector.MismatchError
	if _, err := ours.Publish(t.Context(), free); !errors.As(err, &me) {
		t.Errorf("publishing: %v", err)
	}
	if out, err := s.Resolve(t.Context(), in, free); !errors.As(err, &me) {
		t.Errorf("resolving: %+v, %v", out, err)
	}
	if after := fmt.Sprint(b.objects()); before != after {
		t.Errorf("changed from %s to %s", before, after)
	}
}

// TestRedoLeavesWhatWasPromised: what the intent promised and is there stays as it is,
// also when this version would write other bytes; it is not even asked to act.
func TestRedoLeavesWhatWasPromised(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	s := b.sink()
	first, in := fill(t, s, nil, rec(10, 0, "as it was written"))
	if _, err := first.Publish(t.Context(), free); err != nil {
		t.Fatal(err)
	}
	before := fmt.Sprint(b.objects())
	for _, value := range []string{"as it was written", "as another version writes it"} {
		redo, _ := fill(t, s, &in, rec(10, 0, value))
		if _, err := redo.Publish(t.Context(), func() error { return errors.New("an act") }); err != nil {
			t.Errorf("%s: %v", value, err)
		}
	}
	if after := fmt.Sprint(b.objects()); before != after {
		t.Errorf("changed from %s to %s", before, after)
	}
}

// TestLargeObjectNeverOverwrites: an upload in parts asks the guard before it becomes
// visible, and leaves alone what stands under the name.
func TestLargeObjectNeverOverwrites(t *testing.T) {
	t.Parallel()
	b := newBed(t, connector.Config{"oss.format": "raw"})
	s := b.sink()
	var small, large []*record.Record
	value := strings.Repeat("0123456789abcdef", 64<<10) // 1 MiB
	for i := range 65 {
		small, large = append(small, rec(int64(10+i), 0, "x")), append(large, rec(int64(10+i), 0, value))
	}
	c, _ := fill(t, s, nil, large...)
	over := errors.New("the lease is over")
	if _, err := c.Publish(t.Context(), func() error { return over }); !errors.Is(err, over) || len(b.objects()) != 0 {
		t.Fatalf("%d objects, %v", len(b.objects()), err)
	}
	theirs, _ := fill(t, s, nil, small...)
	if _, err := theirs.Publish(t.Context(), free); err != nil {
		t.Fatal(err)
	}
	var me *connector.MismatchError
	if _, err := c.Publish(t.Context(), free); !errors.As(err, &me) {
		t.Errorf("publishing: %v", err)
	}
	c.Discard()
	list, _, err := b.oss.Objects(sandbox.DefaultBucket, "", "", 10)
	if err != nil || len(list) != 1 || list[0].Size != 2*65 {
		t.Errorf("%+v, %v", list, err)
	}
}

// TestDamagedOnTheWay: an answer with another checksum is not believed.
func TestDamagedOnTheWay(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	if errs := b.oss.Faults.Set(sandbox.Fault{Operation: "PutObject", Rate: 1, WrongCRC: true, Max: 2}); errs != nil {
		t.Fatal(errs)
	}
	c, in := fill(t, b.sink(), nil, rec(10, 0, "a"))
	_, err := c.Publish(t.Context(), free)
	if connector.CauseOf(err) != connector.CauseAway || !strings.Contains(err.Error(), "damaged") {
		t.Fatalf("%v", err)
	}
	if _, err := c.Publish(t.Context(), free); err != nil { // the third time it is right
		t.Fatal(err)
	}
	expect(t, b.sink(), in, connector.Done)
}
