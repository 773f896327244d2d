package runner

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// A suspended connector joins its group soon after the start of the process too: one
// that is restarted every night would otherwise let its positions expire.
func TestRule04KeepAliveAfterEveryStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var joined []time.Duration
		for range 3 { // nights
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Hour)
			keepAlive(ctx, keepAliveFirst, keepAliveEvery, func(context.Context) { joined = append(joined, time.Since(start)) })
			cancel()
		}
		if len(joined) != 3 {
			t.Errorf("joined at %v in three nights", joined)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 72*time.Hour)
		defer cancel()
		joined = nil
		keepAlive(ctx, keepAliveFirst, keepAliveEvery, func(context.Context) { joined = append(joined, time.Since(start)) })
		if len(joined) != 3 || joined[2]-joined[1] != 24*time.Hour {
			t.Errorf("joined at %v in three days", joined)
		}
	})
}
