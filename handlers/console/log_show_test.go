package console

import (
	"testing"

	"github.com/sluice-io/sluice/runner/control"
)

// A search looks at a bounded number of lines: a page without lines leads on all the same.
func TestLogAround(t *testing.T) {
	t.Parallel()
	lines := func(ids ...int64) (out []control.LogLine) {
		for _, id := range ids {
			out = append(out, control.LogLine{ID: id})
		}
		return out
	}
	for name, c := range map[string]struct {
		page          control.LogPage
		before, after int64
		older, newer  int64
	}{
		"all there is":               {control.LogPage{Lines: lines(3, 7)}, 0, 0, 0, 7},
		"full page":                  {control.LogPage{Lines: lines(3, 7), Next: 3}, 0, 0, 3, 7},
		"few lines, more to look at": {control.LogPage{Lines: lines(50, 70), Next: 20}, 0, 0, 20, 70},
		"no lines, more to look at":  {control.LogPage{Next: 20}, 0, 0, 20, -1},
		"no lines further back":      {control.LogPage{Next: 10}, 20, 0, 10, 19},
		"no lines at the beginning":  {control.LogPage{}, 20, 0, 0, 19},
		"upwards, full page":         {control.LogPage{Lines: lines(30, 40), Next: 40}, 0, 25, 30, 40},
		"upwards, few lines":         {control.LogPage{Lines: lines(30, 40), Next: 90}, 0, 25, 30, 90},
		"upwards, no lines":          {control.LogPage{Next: 90}, 0, 25, 26, 90},
		"upwards, at the end":        {control.LogPage{Lines: lines(30)}, 0, 25, 30, 0},
	} {
		if older, newer := around(c.page, c.before, c.after); older != c.older || newer != c.newer {
			t.Errorf("%s: older %d, newer %d; want %d, %d", name, older, newer, c.older, c.newer)
		}
	}
}
