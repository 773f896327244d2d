package views

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/text"
)

// SourceReader is what a source's page shows in the place of tasks and partitions: its one reader, and the parts that
// it works through.
type SourceReader struct {
	State       string
	Stalled     bool
	Reads       bool   // it runs, and its server answers
	Modify      string // page that changes what is read; empty when the user may not
	Stands      bool   // it reads nothing now: it failed, waits for a choice, or was told to stop
	Cause       string
	Remedy      string
	Node        string
	Position    string // the position's page
	Behind      time.Duration
	Delivered   int64
	Diverted    int64
	Last        time.Time
	Restart     string // URL posted to; empty when the user may not
	SnapshotURL string // page that asks for a part to be copied anew; empty when that is not possible
	Parts       []SourcePart
}

// SourcePart is how far a source has come with one part of its work.
type SourcePart struct {
	Name        string // "shop.orders"
	Target      string // topic
	TargetHref  string
	Phase       string // waiting, snapshot, streaming, done, failed, or a word of the source's own
	Done, Total int64
	Unit        string
	Rate        float64
	Left        time.Duration // 0 when not known
	Detail      string
	Copies      bool // it is being copied, or waits for that
}

// modify leads to where the tables are named.
func (r SourceReader) modify(ctx context.Context) []components.Action {
	if r.Modify == "" {
		return nil
	}
	return []components.Action{{Label: text.T(ctx, "connector.modify"), Icon: "pencil", Href: r.Modify}}
}

// phaseLook is how a part is shown: while the reader stands nothing is copied and nothing followed.
func (r SourceReader) phaseLook(p SourcePart) components.Look {
	look := PhaseLook(p.Phase)
	if r.Stands && (p.Phase == "snapshot" || p.Phase == "streaming") {
		look = components.Look{Icon: "circle-stop", Text: "phase.stands", Tone: components.ToneIdle}
	}
	return look
}

// copies tells whether rate and time left have anything to say.
func (r SourceReader) copies() bool { return len(r.copying()) > 0 }

// besides is how many columns there are beside the name's.
func (r SourceReader) besides() string {
	if r.copies() {
		return "5"
	}
	return "3"
}

// PhaseLook is how a phase of a source's part is shown. A word of the source's own is shown as it is.
func PhaseLook(phase string) components.Look {
	switch phase {
	case "waiting":
		return components.Look{Icon: "clock", Text: "phase.waiting", Tone: components.ToneIdle}
	case "snapshot":
		return components.Look{Icon: "loader-circle", Text: "phase.snapshot", Tone: components.ToneInfo, Moves: true}
	case "streaming":
		return components.Look{Icon: "circle-check", Text: "phase.streaming", Tone: components.ToneOK}
	case "done", "copied":
		return components.Look{Icon: "circle-check", Text: "phase.done", Tone: components.ToneOK}
	case "failed":
		return components.Look{Icon: "circle-x", Text: "phase.failed", Tone: components.ToneBad}
	}
	return components.Look{Icon: "info", Text: phase, Tone: components.ToneIdle}
}

// sharePercent is the part of a copy that is done.
func sharePercent(done, total int64) string {
	percent := min(100, float64(done)/float64(max(total, 1))*100)
	if done < total && percent > 99 {
		percent = 99 // it is not done yet
	}
	return strconv.FormatFloat(percent, 'f', 0, 64) + " %"
}

// doneOf is "1,204 of about 40,000 rows".
func (p SourcePart) doneOf(ctx context.Context) string {
	if p.Total > 0 {
		return text.T(ctx, "part.of", components.Number(p.Done), components.Number(max(p.Total, p.Done)), p.Unit)
	}
	return text.T(ctx, "part.so_far", components.Number(p.Done), p.Unit)
}

// copying are the parts that are being copied or wait for it; following the rest.
func (r SourceReader) copying() []SourcePart {
	var out []SourcePart
	for _, p := range r.Parts {
		if p.Copies {
			out = append(out, p)
		}
	}
	return out
}

// summary says in one line how far the copy is as a whole; "" when nothing is copied.
func (r SourceReader) summary(ctx context.Context) string {
	list := r.copying()
	if len(list) == 0 {
		return ""
	}
	done, total := r.totals()
	unit := list[0].Unit
	out := text.T(ctx, "part.summary", components.Number(int64(len(r.Parts)-len(list))), components.Number(int64(len(r.Parts))), components.Number(done), components.Number(total), unit)
	if left := r.left(); left > 0 {
		out += " " + text.T(ctx, "part.left_all", components.Duration(ctx, left))
	}
	return out
}

// left is about how long everything that is to be copied takes at the present rate; 0 when not known.
func (r SourceReader) left() time.Duration {
	var rate float64
	var rows int64
	var longest time.Duration
	for _, p := range r.copying() {
		rate, rows, longest = rate+p.Rate, rows+max(p.Total-p.Done, 0), max(longest, p.Left)
	}
	if rate <= 0 || rows == 0 {
		return 0
	}
	return max(longest, time.Duration(float64(rows)/rate*float64(time.Second))).Round(time.Second)
}

// totals are the rows that are copied and those that there are.
func (r SourceReader) totals() (done, total int64) {
	for _, p := range r.Parts {
		done, total = done+p.Done, total+max(p.Total, p.Done)
	}
	return done, total
}

// ConnectorSnapshotPage is the model of …/snapshot: which parts shall be copied anew.
type ConnectorSnapshotPage struct {
	ConnectorFrame
	URL    string
	Parts  components.Field // KindMulti
	Errors []string
	Why    string // why it is not possible now
	Cancel string
}

// brief are the first few values of a position, for its closed fold.
func (r SourcePositionRow) brief() string {
	if r.Brief != "" {
		return r.Brief
	}
	var parts []string
	for _, p := range r.Pairs {
		if len(parts) < 6 && len(p.Value) <= 60 {
			parts = append(parts, p.Key+" "+p.Value)
		}
	}
	return strings.Join(parts, ", ")
}

// SourcePositionRow is one position of a source, in its own words.
type SourcePositionRow struct {
	Name  string // what it is the position of: "Table orders", or the partition, "server: db-1"
	Brief string // where that is, for people; empty: the first few of Pairs
	Pairs []components.Pair
	Open  bool
	Field components.Field // of the form: the offset as JSON
}
