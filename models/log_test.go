package models

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner"
)

// fill appends n lines a second apart, the last one a second ago: line i says
// "message i", every 10th is WARN, every 100th ERROR, tasks go round by 3.
func fill(t testing.TB, s *Store, connectorID int64, n int) []runner.LogLine {
	t.Helper()
	lines := make([]runner.LogLine, n)
	start := s.o.Now().Add(-time.Duration(n) * time.Second)
	for i := range lines {
		level := runner.LogInfo
		switch {
		case i%100 == 0:
			level = runner.LogError
		case i%10 == 0:
			level = runner.LogWarn
		}
		lines[i] = runner.LogLine{ConnectorID: connectorID, Time: start.Add(time.Duration(i) * time.Second), Level: level, Task: i % 3,
			Message: fmt.Sprintf("message %d", i), Fields: map[string]string{"topic": "orders<&>", "offset": fmt.Sprint(i)}}
	}
	must(t, s.AppendLogs(context.Background(), lines))
	return lines
}

func messages(p LogPage) (out []string) {
	for _, l := range p.Lines {
		out = append(out, strings.TrimPrefix(l.Message, "message "))
	}
	return out
}

func TestQueryLogs(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t), t.Context()
	lines := fill(t, s, 1, 1000)
	fill(t, s, 2, 50)
	task := 1
	for name, c := range map[string]struct {
		q    runner.LogQuery
		want string
	}{
		"newest first":   {runner.LogQuery{Limit: 3}, "999 998 997"},
		"oldest first":   {runner.LogQuery{Limit: 3, Ascending: true}, "0 1 2"},
		"after":          {runner.LogQuery{Limit: 2, Ascending: true, After: lines[10].ID}, "11 12"},
		"before":         {runner.LogQuery{Limit: 2, Before: lines[10].ID}, "9 8"},
		"warn":           {runner.LogQuery{Limit: 3, MinLevel: runner.LogWarn}, "990 980 970"},
		"error":          {runner.LogQuery{MinLevel: runner.LogError}, "900 800 700 600 500 400 300 200 100 0"},
		"info":           {runner.LogQuery{Limit: 2, MinLevel: runner.LogInfo}, "999 998"},
		"task":           {runner.LogQuery{Limit: 3, Task: &task}, "997 994 991"},
		"from":           {runner.LogQuery{From: lines[997].Time}, "999 998 997"},
		"to":             {runner.LogQuery{To: lines[2].Time}, "1 0"},
		"between":        {runner.LogQuery{From: lines[5].Time, To: lines[8].Time, Ascending: true}, "5 6 7"},
		"text":           {runner.LogQuery{Text: "MESSAGE 99"}, "999 998 997 996 995 994 993 992 991 990 99"},
		"text is text":   {runner.LogQuery{Text: "mess%9"}, ""},
		"fields":         {runner.LogQuery{Text: `"offset":"77"`}, "77"},
		"markup":         {runner.LogQuery{Text: "orders<&>", Limit: 1}, "999"},
		"all together":   {runner.LogQuery{MinLevel: runner.LogWarn, Task: &task, From: lines[100].Time, To: lines[300].Time, Text: "message 2", Ascending: true}, "220 250 280"},
		"after the end":  {runner.LogQuery{Ascending: true, After: lines[999].ID}, ""},
		"no time at all": {runner.LogQuery{From: lines[5].Time, To: lines[5].Time}, ""},
		"ancient":        {runner.LogQuery{To: time.Unix(-1e10, 0)}, ""},
		"far future":     {runner.LogQuery{From: time.Unix(1e15, 0)}, ""},
	} {
		c.q.ConnectorID = 1
		page, err := s.QueryLogs(ctx, c.q)
		if got := strings.Join(messages(page), " "); err != nil || got != c.want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, c.want)
		}
	}
	page, err := s.QueryLogs(ctx, runner.LogQuery{ConnectorID: 1, Limit: 1})
	must(t, err)
	l := page.Lines[0]
	if l.ID != lines[999].ID || l.Level != runner.LogInfo || l.Task != 0 || l.Fields["offset"] != "999" || !l.Time.Equal(lines[999].Time.Truncate(time.Millisecond)) || l.ConnectorID != 1 {
		t.Errorf("line %+v", l)
	}
	if page, err := s.QueryLogs(ctx, runner.LogQuery{Limit: 5000}); err != nil || len(page.Lines) != maxPage {
		t.Errorf("of all connectors %d lines, %v", len(page.Lines), err)
	}
	if page, err := s.QueryLogs(ctx, runner.LogQuery{ConnectorID: 2}); err != nil || len(page.Lines) != 50 || page.Next != 0 {
		t.Errorf("of the second connector %d lines, next %d, %v", len(page.Lines), page.Next, err)
	}
}

// Pages joined by Next give every line once, whatever filter and direction.
func TestLogPages(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t), t.Context()
	fill(t, s, 1, textWindow+textWindow/2)
	for name, c := range map[string]struct {
		q     runner.LogQuery
		want  int
		pages int // at least
	}{
		"all":               {runner.LogQuery{Limit: 1000}, textWindow + textWindow/2, 30},
		"rare text":         {runner.LogQuery{Text: "message 29999"}, 1, 2},
		"rare text forward": {runner.LogQuery{Text: "message 29999", Ascending: true}, 1, 2},
		"absent text":       {runner.LogQuery{Text: "nowhere"}, 0, 2},
		"errors":            {runner.LogQuery{MinLevel: runner.LogError, Limit: 7, Ascending: true}, 300, 43},
		"errors with text":  {runner.LogQuery{MinLevel: runner.LogError, Text: "0000"}, 2, 1},
	} {
		c.q.ConnectorID = 1
		seen, pages := map[int64]bool{}, 0
		for {
			page, err := s.QueryLogs(ctx, c.q)
			must(t, err)
			pages++
			for _, l := range page.Lines {
				if seen[l.ID] {
					t.Fatalf("%s: line %d twice", name, l.ID)
				}
				seen[l.ID] = true
			}
			if page.Next == 0 {
				break
			}
			if c.q.Ascending {
				c.q.After = page.Next
			} else {
				c.q.Before = page.Next
			}
		}
		if len(seen) != c.want || pages < c.pages {
			t.Errorf("%s: %d lines on %d pages, want %d on %d", name, len(seen), pages, c.want, c.pages)
		}
	}
	n := 0
	must(t, s.EachLog(ctx, runner.LogQuery{ConnectorID: 1, Ascending: true, Limit: 5}, func(runner.LogLine) error { n++; return nil }))
	stop := errors.New("stop")
	wantErr(t, "a reader that stops", s.EachLog(ctx, runner.LogQuery{ConnectorID: 1}, func(runner.LogLine) error { return stop }), stop)
	if n != textWindow+textWindow/2 {
		t.Errorf("downloaded %d lines", n)
	}
}

// A follower sees every line once and in order while several write.
func TestFollowLogs(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	const writers, each = 4, 50
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				// Times go back and forth; one is in the future.
				at := s.o.Now().Add(time.Duration((i%5)-3) * time.Minute)
				if err := s.AppendLogs(ctx, []runner.LogLine{{ConnectorID: 1, Task: w, Time: at, Message: fmt.Sprint(i)}, {ConnectorID: 2, Message: "other"}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	var got []runner.LogLine
	after := int64(0)
	for len(got) < writers*each {
		more := s.LogsAppended()
		page, err := s.QueryLogs(ctx, runner.LogQuery{ConnectorID: 1, After: after, Ascending: true, Limit: 17})
		must(t, err)
		got = append(got, page.Lines...)
		if n := len(page.Lines); n > 0 {
			after = page.Lines[n-1].ID
			continue
		}
		select {
		case <-more:
		case <-ctx.Done():
			t.Fatalf("saw %d of %d lines", len(got), writers*each)
		}
	}
	wg.Wait()
	next := map[int]int{}
	for _, l := range got {
		if l.Message != fmt.Sprint(next[l.Task]) {
			t.Fatalf("of writer %d came %s, not %d", l.Task, l.Message, next[l.Task])
		}
		next[l.Task]++
		if l.Time.After(s.o.Now()) {
			t.Errorf("a line of the future: %v", l.Time)
		}
	}
}

func TestLogRetention(t *testing.T) {
	t.Parallel()
	clock := newClock()
	o := options(t.TempDir())
	o.Now, o.LogAge, o.LogBytes = clock.now, time.Hour, 8<<20
	s, ctx := openStore(t, o), t.Context()
	fill(t, s, 1, 2*3600)
	prune := func() {
		t.Helper()
		for more := true; more; {
			var err error
			more, err = s.Prune(ctx)
			must(t, err)
		}
	}
	prune()
	page, err := s.QueryLogs(ctx, runner.LogQuery{ConnectorID: 1, Ascending: true, Limit: 1})
	must(t, err)
	if len(page.Lines) != 1 || clock.now().Sub(page.Lines[0].Time) > time.Hour || page.Lines[0].Message != "message 3600" {
		t.Errorf("the oldest is now %+v", page.Lines)
	}
	wide := make([]runner.LogLine, 4000)
	for i := range wide {
		wide[i] = runner.LogLine{ConnectorID: 1, Message: strings.Repeat("x", 4000) + fmt.Sprint(i)}
	}
	must(t, s.AppendLogs(ctx, wide))
	prune()
	used, err := usedBytes(s.logs.w)
	must(t, err)
	page, err = s.QueryLogs(ctx, runner.LogQuery{ConnectorID: 1, Limit: 1})
	must(t, err)
	if used > o.LogBytes || used < o.LogBytes/4 || len(page.Lines) != 1 || !strings.HasSuffix(page.Lines[0].Message, "x3999") {
		t.Errorf("%d bytes are used", used)
	}
	clock.move(2 * time.Hour)
	prune()
	if page, err = s.QueryLogs(ctx, runner.LogQuery{ConnectorID: 1}); err != nil || len(page.Lines) != 0 {
		t.Errorf("%d lines outlived their age, %v", len(page.Lines), err)
	}
}

func TestAppendedLinesAreBounded(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t), t.Context()
	must(t, s.AppendLogs(ctx, nil))
	must(t, s.AppendLogs(ctx, []runner.LogLine{{ConnectorID: 1, Level: "LOUD", Message: strings.Repeat("ä", 20000)}}))
	page, err := s.QueryLogs(ctx, runner.LogQuery{ConnectorID: 1})
	must(t, err)
	if l := page.Lines[0]; l.Level != runner.LogInfo || len([]rune(l.Message)) != maxMessage || l.Time.IsZero() || l.Fields != nil {
		t.Errorf("level %s, %d characters", l.Level, len([]rune(l.Message)))
	}
}

func TestPoints(t *testing.T) {
	t.Parallel()
	s, clock := clocked(t)
	ctx := t.Context()
	start := clock.now().Add(-time.Hour).Truncate(time.Minute)
	var points []runner.Point
	for i := range 360 {
		points = append(points, runner.Point{ConnectorID: 1, Time: start.Add(time.Duration(i) * 10 * time.Second), Records: 10, Bytes: 100, Diverted: 1, Waiting: int64(i), LagMillis: int64(2 * i)})
	}
	must(t, s.AppendPoints(ctx, points))
	must(t, s.AppendPoints(ctx, nil))
	raw, err := s.Points(ctx, 1, start, start.Add(time.Hour), 1000)
	must(t, err)
	if len(raw) != 360 || raw[0] != points[0] || raw[359] != points[359] {
		t.Errorf("%d points, first %+v", len(raw), raw[0])
	}
	few, err := s.Points(ctx, 1, start, start.Add(time.Hour), 6)
	must(t, err)
	if len(few) != 6 || few[0].Records != 600 || few[0].Waiting != 59 || few[5].LagMillis != 718 || !few[1].Time.Equal(start.Add(10*time.Minute)) {
		t.Errorf("down-sampled %+v", few)
	}
	for _, c := range [][2]time.Time{{start, start}, {start.Add(time.Hour), start}, {start.Add(24 * time.Hour), start.Add(25 * time.Hour)}} {
		if got, err := s.Points(ctx, 1, c[0], c[1], 10); err != nil || len(got) != 0 {
			t.Errorf("%v: %d points, %v", c, len(got), err)
		}
	}
	clock.move(keepPoints)
	_, err = s.Prune(ctx)
	must(t, err)
	minutes, err := s.Points(ctx, 1, start, start.Add(time.Hour), 1000)
	must(t, err)
	if len(minutes) != 60 || minutes[0].Records != 60 || minutes[0].Waiting != 5 {
		t.Errorf("%d minutes, first %+v", len(minutes), minutes)
	}
	clock.move(keepMinutes)
	_, err = s.Prune(ctx)
	must(t, err)
	if got, err := s.Points(ctx, 1, start, start.Add(time.Hour), 1000); err != nil || len(got) != 0 {
		t.Errorf("%d points outlived their retention, %v", len(got), err)
	}
}

func BenchmarkAppendLogs(b *testing.B) {
	s := newStore(b)
	lines := make([]runner.LogLine, 1000)
	for i := range lines {
		lines[i] = runner.LogLine{ConnectorID: int64(i % 10), Level: runner.LogInfo, Task: i % 6, Message: "delivered offsets 100 to 200 of orders-3", Fields: map[string]string{"topic": "orders", "partition": "3"}}
	}
	for b.Loop() {
		must(b, s.AppendLogs(b.Context(), lines))
	}
	b.ReportMetric(float64(b.N)*float64(len(lines))/b.Elapsed().Seconds(), "lines/s")
}

// BenchmarkQueryLogs asks one of 20 connectors among a million lines.
func BenchmarkQueryLogs(b *testing.B) {
	s := newStore(b)
	now := time.Now()
	lines := make([]runner.LogLine, 10_000)
	for batch := range 100 {
		for i := range lines {
			level := runner.LogInfo
			if i%1000 == 0 {
				level = runner.LogError
			}
			lines[i] = runner.LogLine{ConnectorID: int64(i % 20), Level: level, Task: i % 6, Time: now.Add(time.Duration(batch-100) * time.Minute), Message: "delivered offsets 100 to 200 of orders-3"}
		}
		must(b, s.AppendLogs(b.Context(), lines))
	}
	task := 5
	queries := map[string]runner.LogQuery{"newest": {}, "errors": {MinLevel: runner.LogError}, "task": {Task: &task}, "time": {From: now.Add(-50 * time.Minute), To: now.Add(-49 * time.Minute)}, "absent_text": {Text: "nowhere"}}
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for k := range queries {
			if !yield(k) {
				return
			}
		}
	}) {
		q := queries[name]
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				q.ConnectorID = 0
				q.ConnectorID = 1 + int64(b.N%19)
				_, err := s.QueryLogs(b.Context(), q)
				must(b, err)
			}
		})
	}
}

// Old points go of every connector, also of one that is no more; young ones stay.
func TestPrunePoints(t *testing.T) {
	t.Parallel()
	s, clock := clocked(t)
	ctx := t.Context()
	old := clock.now()
	ids := []int64{1, 2, 5, 900, 1 << 40}
	for _, id := range ids {
		must(t, s.AppendPoints(ctx, []runner.Point{{ConnectorID: id, Time: old, Records: 1}, {ConnectorID: id, Time: old.Add(keepPoints), Records: 2}}))
	}
	clock.move(keepPoints + time.Minute)
	_, err := s.Prune(ctx)
	must(t, err)
	for _, id := range ids {
		got, err := s.Points(ctx, id, old.Add(2*time.Minute), clock.now(), 10)
		if err != nil || len(got) != 1 || got[0].Records != 2 {
			t.Errorf("connector %d: %+v, %v", id, got, err)
		}
	}
	var left int64
	must(t, s.logs.r.Raw("SELECT count(*) FROM points WHERE time = ?", millis(old)).Scan(&left).Error)
	if left != 0 {
		t.Errorf("%d old points are left", left)
	}
	clock.move(keepMinutes)
	_, err = s.Prune(ctx)
	must(t, err)
	must(t, s.logs.r.Raw("SELECT (SELECT count(*) FROM points) + (SELECT count(*) FROM point_minutes)").Scan(&left).Error)
	if left != 0 {
		t.Errorf("%d points are left of all", left)
	}
}
