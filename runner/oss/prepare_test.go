package oss_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/sluice-io/sluice/runner/connector"
)

// TestPrepareAgain: after an error, and after none, Prepare may be called again and
// promises and publishes the same.
func TestPrepareAgain(t *testing.T) {
	t.Parallel()
	for _, format := range []connector.Config{{}, {"oss.format": "csv", "oss.compression": "gzip"}, {"oss.format": "parquet"}} {
		t.Run(format["oss.format"], func(t *testing.T) {
			t.Parallel()
			b := newBed(t, format)
			records := []string{"a", "b", "c"}
			want, _ := fill(t, b.sink(), nil, rec(10, 0, records[0]), rec(11, 60, records[1]), rec(12, 120, records[2]))
			promise, err := want.Prepare(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			c, err := b.sink().Begin(t.Context(), orders, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range records {
				if err := c.Add(t.Context(), rec(int64(10+i), 60*i, v)); err != nil {
					t.Fatal(err)
				}
			}
			// The context ends behind the first object.
			if _, err := c.Prepare(&endsAfter{Context: t.Context(), looks: 1}); err == nil {
				t.Fatal("prepared although the context had ended")
			}
			got, err := c.Prepare(t.Context())
			if err != nil || !bytes.Equal(got, promise) {
				t.Fatalf("promised %s, then %s, %v", promise, got, err)
			}
			if _, err := c.Publish(t.Context(), free); err != nil {
				t.Fatal(err)
			}
			for name, body := range b.objects() {
				if len(body) < 3 {
					t.Errorf("%s holds %q", name, body)
				}
			}
			if n := len(b.objects()); n != 3 {
				t.Error(fmt.Sprint(n, " objects"))
			}
		})
	}
}

// endsAfter is a context that is looked at so often before it ends.
type endsAfter struct {
	context.Context
	looks int
}

func (c *endsAfter) Err() error {
	if c.looks--; c.looks < 0 {
		return context.Canceled
	}
	return nil
}
