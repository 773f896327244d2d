package mysql

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/sluice-io/sluice/runner/mysql/row"
)

// Rows stay as they were added until the store is reset; then its memory serves again, but for
// pieces that something large needed.
func TestRowStore(t *testing.T) {
	t.Parallel()
	var s rowStore
	text := func(i int) []byte {
		if i == 700 {
			return bytes.Repeat([]byte{'x'}, 2*textPiece)
		}
		return fmt.Appendf(nil, "run, row %d %*d", i, i%300, i)
	}
	for run := range 3 {
		buf := make(row.Row, 3) // reused, as the decoder's is
		for i := range 5000 {
			buf[0], buf[1], buf[2] = row.Value{N: uint64(i + run)}, row.Value{B: text(i)}, row.Value{}
			s.add(buf)
			copy(buf[1].B, "zzzzz")
		}
		for i, r := range s.rows {
			if len(r) != 3 || r[0].N != uint64(i+run) || !bytes.Equal(r[1].B, text(i)) || r[2].B != nil {
				t.Fatalf("row %d of run %d: %v", i, run, r)
			}
		}
		if s.bytes < 5000*3*40+2*textPiece {
			t.Errorf("%d bytes", s.bytes)
		}
		s.reset()
		if len(s.rows) != 0 || s.bytes != 0 {
			t.Error("reset left something")
		}
		for _, p := range s.text.pieces {
			if cap(p) > textPiece || len(p) != 0 {
				t.Errorf("a piece of %d is kept", cap(p))
			}
		}
	}
	if len(s.values.pieces) == 0 || len(s.text.pieces) == 0 {
		t.Error("no memory is kept")
	}
}
