package components

import (
	"bytes"
	"context"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/a-h/templ"

	"github.com/sluice-io/sluice/static"
	"github.com/sluice-io/sluice/views/text"
)

func show(t *testing.T, ctx context.Context, c templ.Component) *goquery.Document {
	t.Helper()
	var out bytes.Buffer
	if err := c.Render(ctx, &out); err != nil {
		t.Fatal(err)
	}
	doc, err := goquery.NewDocumentFromReader(&out)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestFormats(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 14, 9, 0, 0, 0, time.UTC)
	ctx := With(context.Background(), Request{Now: at})
	for _, c := range []struct{ got, want string }{
		{Bytes(0), "0 B"}, {Bytes(1023), "1023 B"}, {Bytes(1536), "1.5 KiB"}, {Bytes(64 << 20), "64 MiB"}, {Bytes(-2048), "-2 KiB"}, {Bytes(math.MaxInt64), "8192 PiB"},
		{Compact(0), "0"}, {Compact(950), "950"}, {Compact(9999), "9,999"}, {Compact(12345), "12.3k"}, {Compact(4.56e6), "4.56M"}, {Compact(0.5), "0.5"},
		{Duration(ctx, 850*time.Millisecond), "850 ms"}, {Duration(ctx, 1500*time.Millisecond), "1.5 s"}, {Duration(ctx, 99*time.Second), "99 s"}, {Duration(ctx, 3*time.Minute), "3 min"},
		{Duration(ctx, 2*time.Hour), "2 h"}, {Duration(ctx, 125*time.Minute), "2 h 5 min"}, {Duration(ctx, 26*time.Hour+time.Minute), "26 h"}, {Duration(ctx, 96*time.Hour), "4 d"}, {Duration(ctx, -3*time.Minute), "3 min"},
		{Lag(ctx, -1), "not known"}, {Lag(ctx, 4*time.Second), "up to date"}, {Lag(ctx, 3*time.Minute), "3 min behind"},
		{Ago(ctx, at), "now"}, {Ago(ctx, at.Add(-3*time.Minute)), "3 min ago"}, {Ago(ctx, at.Add(2*time.Hour)), "in 2 h"},
		{Rate(ctx, 88.4), "88.4/s"}, {ByteRate(ctx, 1536), "1.5 KiB/s"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

// TestEveryLookIsComplete: no state is told by colour alone.
func TestEveryLookIsComplete(t *testing.T) {
	t.Parallel()
	looks := []Look{FindingLook("ok"), FindingLook("failed"), FindingLook("skipped"), FindingLook("running"), ReachLook("RUNNING"), ReachLook("UNREACHABLE"), ReachLook("UNKNOWN"),
		LevelLook("DEBUG"), LevelLook("INFO"), LevelLook("WARN"), LevelLook("ERROR")}
	if len(States()) != len(stateLooks()) {
		t.Errorf("States lists %d, %d have a look", len(States()), len(stateLooks()))
	}
	for _, s := range States() {
		looks = append(looks, StateLook(s))
	}
	for _, l := range looks {
		if _, err := static.Icon(l.Icon); err != nil {
			t.Error(err)
		}
		if text.T(context.Background(), l.Text) == l.Text || l.Tone == "" {
			t.Errorf("%+v has no word or no tone", l)
		}
	}
	if got := StateLook("NEW_ONE"); got.Text != "NEW_ONE" {
		t.Errorf("an unknown state shows as %q", got.Text)
	}
}

func TestFormFieldTellsItsError(t *testing.T) {
	t.Parallel()
	doc := show(t, context.Background(), FormField(Field{Key: "oss.bucket", Label: "Bucket", Help: "One line.", Required: true, Value: `"><script>`, Error: "No such bucket."}))
	input := doc.Find("input#f-oss-bucket")
	if input.AttrOr("aria-invalid", "") != "true" || input.AttrOr("aria-describedby", "") != "f-oss-bucket-error f-oss-bucket-help" {
		t.Errorf("attributes: %v", input.Nodes)
	}
	if doc.Find("script").Length() > 0 || input.AttrOr("value", "") != `"><script>` {
		t.Error("the value is not escaped")
	}
	if doc.Find("label[for=f-oss-bucket]").Length() != 1 || !strings.Contains(doc.Find("#f-oss-bucket-error").Text(), "No such bucket.") {
		t.Error("no label or no error text")
	}
}

func TestFieldErrorIsASentence(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]string{"must be from 1 to 9.": "Must be from 1 to 9.", "oss.bucket must be set.": "oss.bucket must be set.", "Use letters.": "Use letters.", "": ""} {
		if got := sentence(message); got != want {
			t.Errorf("%q became %q, want %q", message, got, want)
		}
	}
}

func TestSecretIsNeverShown(t *testing.T) {
	t.Parallel()
	doc := show(t, context.Background(), FormField(Field{Key: "password", Kind: KindSecret, Label: "Password", Value: "hunter2", Stored: true, Required: true}))
	html, _ := doc.Html()
	if strings.Contains(html, "hunter2") {
		t.Error("the secret is in the page")
	}
	if _, ok := doc.Find("input").Attr("required"); ok {
		t.Error("a stored secret must be allowed to stay blank")
	}
}

func TestGroupFoldsAndCountsAdvancedFields(t *testing.T) {
	t.Parallel()
	group := Group{Title: "Flush", Fields: []Field{{Key: "a", Label: "A"}, {Key: "b", Label: "B", Advanced: true, Changed: true}, {Key: "c", Label: "C", Advanced: true}}}
	doc := show(t, context.Background(), FieldGroup(group))
	if _, open := doc.Find("details").Attr("open"); open || doc.Find("details input").Length() != 2 || !strings.Contains(doc.Find(".count-pill").Text(), "1 changed") {
		t.Errorf("folded wrong: %s", doc.Find("details").Text())
	}
	group.Fields[2].Error = "wrong"
	if _, open := show(t, context.Background(), FieldGroup(group)).Find("details").Attr("open"); !open {
		t.Error("a wrong field is hidden")
	}
}

func TestPickerKeepsWhatTheListHasNot(t *testing.T) {
	t.Parallel()
	doc := show(t, context.Background(), FormField(Field{Key: "topics", Kind: KindTopics, Label: "Topics", Values: []string{"orders", "gone"}, Options: []Option{{Value: "orders"}, {Value: "payments"}}}))
	if doc.Find("input[type=checkbox][checked]").AttrOr("value", "") != "orders" || doc.Find("input[type=text]").AttrOr("value", "") != "gone" {
		t.Error("a chosen value is lost")
	}
}

func TestActionPostsThroughTheSharedForm(t *testing.T) {
	t.Parallel()
	button := show(t, context.Background(), Button(Action{Label: "Suspend", Post: "/x/suspend"})).Find("button")
	if button.AttrOr("form", "") != "act" || button.AttrOr("formaction", "") != "/x/suspend" {
		t.Error("the act is not posted")
	}
	link := show(t, context.Background(), Button(Action{Label: "Bad", Href: "javascript:alert(1)"})).Find("a")
	if strings.HasPrefix(link.AttrOr("href", ""), "javascript:") {
		t.Error("an unsafe link was let through")
	}
}

func TestChartGeometry(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 14, 9, 0, 0, 0, time.UTC)
	s := Series{Name: "s", Points: []Point{{at, 0}, {at.Add(time.Minute), 50}, {at.Add(2 * time.Minute), math.NaN()}, {at.Add(3 * time.Minute), 100}, {at.Add(4 * time.Minute), 80}}}
	c := Chart{ID: "c", Series: []Series{s}}
	if got, want := c.linePath(s, false), "M0 128L150 64M450 0L600 25.6"; got != want {
		t.Errorf("path %q, want %q", got, want)
	}
	if got, want := c.linePath(s, true), "M0 128L150 64L150 128L0 128ZM450 0L600 25.6L600 128L450 128Z"; got != want {
		t.Errorf("area %q, want %q", got, want)
	}
	for v, want := range map[float64]float64{0: 1, 0.7: 0.8, 1: 1, 11.8e3: 12e3, 17: 20, 95: 100, 100: 100, math.Inf(1): 1} {
		if got := niceTop(v); math.Abs(got-want) > 1e-9*want {
			t.Errorf("niceTop(%v) = %v, want %v", v, got, want)
		}
	}
	b := Chart{Bytes: true, Series: []Series{{Points: []Point{{at, 0}, {at.Add(time.Minute), 4.9 * (1 << 20)}}}}}
	if got := b.yLabels(); strings.Join(got, " | ") != "5 MiB | 2.5 MiB | 0 B" {
		t.Errorf("labels %v", got)
	}
	idle := Chart{Bytes: true, Series: []Series{{Points: []Point{{at, 0}, {at.Add(time.Minute), 0}}}}}
	if got := idle.yLabels(); strings.Join(got, " | ") != "2 B | 1 B | 0 B" {
		t.Errorf("labels of nothing %v", got)
	}
	if !(Chart{Series: []Series{{Points: []Point{{at, 1}}}}}).empty() {
		t.Error("one point is no line")
	}
}

// TestContrast computes the WCAG 2 contrast of the token pairs that are used as text (4.5) and as edges of controls (3).
func TestContrast(t *testing.T) {
	t.Parallel()
	css, err := os.ReadFile("../../static/css/10-tokens.css")
	if err != nil {
		t.Fatal(err)
	}
	sides := [2]map[string]string{{}, {}}
	for _, m := range regexp.MustCompile(`--([\w-]+):\s*light-dark\((#[0-9a-f]{6}),\s*(#[0-9a-f]{6})\);`).FindAllStringSubmatch(string(css), -1) {
		sides[0][m[1]], sides[1][m[1]] = m[2], m[3]
	}
	sides[0]["on-accent"], sides[1]["on-accent"] = "#ffffff", "#ffffff"
	pairs := []struct {
		front, back string
		least       float64
	}{
		{"text", "canvas", 7}, {"text", "surface", 7}, {"text-2", "surface", 4.5}, {"text-2", "surface-2", 4.5}, {"text-2", "surface-3", 4.5}, {"text-3", "surface", 4.5}, {"text-3", "canvas", 4.5}, {"text-3", "surface-2", 4.5}, {"text-3", "sidebar", 4.5},
		{"accent-text", "surface", 4.5}, {"accent-text", "canvas", 4.5}, {"accent-text", "accent-soft", 4.5}, {"on-accent", "accent", 4.5}, {"on-accent", "accent-hover", 4.5}, {"on-accent", "bad-fill", 4.5}, {"on-accent", "bad-fill-hover", 4.5},
		{"control-line", "surface", 3}, {"ok", "surface", 3}, {"info", "surface", 3}, {"warn", "surface", 3}, {"bad", "surface", 3}, {"busy", "surface", 3}, {"idle", "surface", 3},
	}
	for _, tone := range []string{"ok", "info", "warn", "bad", "idle", "busy"} {
		pairs = append(pairs, struct {
			front, back string
			least       float64
		}{tone + "-text", tone + "-soft", 4.5}, struct {
			front, back string
			least       float64
		}{"text", tone + "-soft", 7})
	}
	for i, side := range sides {
		for _, p := range pairs {
			front, back := side[p.front], side[p.back]
			if front == "" || back == "" {
				t.Fatalf("token %s or %s is not in the style sheet", p.front, p.back)
			}
			if got := contrast(front, back); got < p.least {
				t.Errorf("%s: %s on %s is %.2f, less than %.1f", []string{"light", "dark"}[i], p.front, p.back, got, p.least)
			}
		}
	}
}

// contrast is (L1+0.05)/(L2+0.05) of the relative luminances, WCAG 2.2 section 1.4.3.
func contrast(a, b string) float64 {
	high, low := luminance(a), luminance(b)
	if high < low {
		high, low = low, high
	}
	return (high + 0.05) / (low + 0.05)
}

func luminance(hex string) float64 {
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, _ := strconv.ParseUint(hex[1+2*i:3+2*i], 16, 8)
		v := float64(n) / 255
		if v <= 0.04045 {
			v /= 12.92
		} else {
			v = math.Pow((v+0.055)/1.055, 2.4)
		}
		sum += weight * v
	}
	return sum
}

// TestFindingsAreCounted where there are too many checks to see at once; steps without a result are not counted.
func TestFindingsAreCounted(t *testing.T) {
	t.Parallel()
	list := []Finding{{Name: "a", Status: "ok", Detail: "It is."}, {Name: "b", Status: "ok"}, {Name: "c", Status: "failed", Remedy: "Mend it."}, {Name: "d", Status: "skipped", Remedy: "Think."}, {Name: "e", Status: "skipped"}, {Name: "f", Status: "running"}}
	doc := show(t, t.Context(), Findings(list, ""))
	if got := doc.Find(".findings-sum").Text(); got != "1 failed, 2 passed, 1 remark, 1 skipped, 1 under way" {
		t.Errorf("counted: %q", got)
	}
	if got := doc.Find(".finding").Eq(3).Find(".visually-hidden").Text(); got != "Remark" {
		t.Errorf("a check with something to think about is told as %q", got)
	}
	if n := show(t, t.Context(), Findings(list[:5], "")).Find(".findings-sum").Length(); n != 0 {
		t.Error("a few checks are counted")
	}
	for i := range list {
		list[i].Detail = ""
	}
	if n := show(t, t.Context(), Findings(list, "")).Find(".findings-sum").Length(); n != 0 {
		t.Error("steps are counted as if they were checks")
	}
}
