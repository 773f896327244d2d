package record

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
	"unsafe"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := ParseZone(name)
	if err != nil {
		t.Skipf("no time zone database on this machine: %v", err)
	}
	return loc
}

func TestPathRenders(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 2, 29, 23, 5, 9, 0, time.UTC).UnixMilli()
	cases := []struct {
		pattern, zone string
		timestamp     int64
		want          string
	}{
		{"{topic}/dt={yyyy}-{MM}-{dd}/hh={HH}", "GMT+08:00", at, "orders/dt=2024-03-01/hh=07"},
		{"{topic}/dt={yyyy}-{MM}-{dd}/hh={HH}", "UTC", at, "orders/dt=2024-02-29/hh=23"},
		{"{yyyy}{MM}{dd}{HH}{mm}", "GMT-03:30", at, "202402291935"},
		{"", "UTC", at, ""},
		{"p{partition}", "UTC", at, "p12"},
		{"{mm}", "GMT+05:45", at, "50"},
		{"日志/{yyyy}年", "UTC", at, "日志/2024年"},
		{"a..b/.c/...", "UTC", at, "a..b/.c/..."},
		{"{yyyy}-{MM}-{dd} {HH}:{mm}", "GMT+08:00", -1, "1970-01-01 08:00"},
		{"{yyyy}-{MM}-{dd} {HH}:{mm}", "GMT+08:00", -2, "1970-01-01 07:59"},
		{"{yyyy}-{MM}-{dd}", "GMT-18:00", math.MinInt64, "0001-01-01"},
		{"{yyyy}-{MM}-{dd}", "GMT+18:00", math.MaxInt64, "9999-12-31"},
		{"{yyyy}-{MM}-{dd}", "UTC", time.Date(17, 3, 4, 0, 0, 0, 0, time.UTC).UnixMilli(), "0017-03-04"},
	}
	for _, c := range cases {
		p, err := ParsePath(c.pattern, zone(t, c.zone))
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
			continue
		}
		r := Record{Topic: "orders", Partition: 12, Timestamp: c.timestamp}
		if got := string(p.Render([]byte("x/"), &r)); got != "x/"+c.want {
			t.Errorf("%s in %s: %s, want %s", c.pattern, c.zone, got, c.want)
		}
		if got := p.NewCache().Of(&r); got != c.want {
			t.Errorf("%s in %s, cached: %s, want %s", c.pattern, c.zone, got, c.want)
		}
	}
}

func TestParsePathRefuses(t *testing.T) {
	t.Parallel()
	cases := []struct {
		pattern string
		pos     int
		says    string
	}{
		{"{topic}/{date}", 9, "{date} is no token"},
		{"{Topic}", 1, "is no token"},
		{"{}", 1, "{} is no token"},
		{"日志/{yyy}", 4, "{yyy} is no token"},
		{"a/{yyyy", 3, "not closed"},
		{"a/{yyyy/{MM}", 3, "not closed"},
		{"{{yyyy}", 1, "not closed"},
		{"a}b", 2, "closes nothing"},
		{"{yyyy}}", 7, "closes nothing"},
		{"/a", 1, "begin with a slash"},
		{"/", 1, "begin with a slash"},
		{"a//b", 3, "two slashes"},
		{"a//", 3, "two slashes"},
		{"a/b/", 4, "end with a slash"},
		{"a\\b", 2, "backslash"},
		{"a/./b", 3, ". or .."},
		{"../b", 1, ". or .."},
		{"a/..", 3, ". or .."},
		{".", 1, ". or .."},
		{"a\x00b", 2, "U+0000"},
		{"é\nb", 2, "U+000A"},
		{"a\x7f", 2, "U+007F"},
		{"a\u0085", 2, "U+0085"},
		{"ab\xff", 3, "not UTF-8"},
		{strings.Repeat("a", 1024), 1025, "too long"},
		{strings.Repeat("日", 340) + "{yyyy}", 347, "too long"},
	}
	for _, c := range cases {
		p, err := ParsePath(c.pattern, time.UTC)
		var pe *PathError
		if !errors.As(err, &pe) || pe.Pos != c.pos || !strings.Contains(pe.Error(), c.says) || p != nil {
			t.Errorf("%.40q: %v, want position %d: %s", c.pattern, err, c.pos, c.says)
		}
	}
	for _, good := range []string{"", "a/", "orders/", "日志", "a-", ".a/"} {
		if err := CheckPrefix(good); err != nil {
			t.Errorf("prefix %q: %v", good, err)
		}
	}
	for _, bad := range []string{"/a", "a//", "..", "a/../b", "a\\", "\x01", "\xff", "{topic}/", "a}", strings.Repeat("a", 1024)} {
		var pe *PathError
		if err := CheckPrefix(bad); !errors.As(err, &pe) {
			t.Errorf("prefix %.40q was taken", bad)
		}
	}
}

// TestPathCacheIsRight compares the cached path with the rendered one at random times
// and around every change of zones that change in uncommon ways.
func TestPathCacheIsRight(t *testing.T) {
	t.Parallel()
	patterns := []string{"{yyyy}", "{yyyy}-{MM}", "{yyyy}-{MM}-{dd}", "{yyyy}-{MM}-{dd}/{HH}", "{yyyy}-{MM}-{dd}/{HH}-{mm}", "{mm}", "{topic}/{partition}", ""}
	zones := []string{"UTC", "GMT+08:00", "GMT-03:30", "GMT+05:45", "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "America/Caracas", "Africa/Monrovia", "Asia/Kathmandu"}
	for _, name := range zones {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			loc := zone(t, name)
			rng := rand.New(rand.NewPCG(7, 8))
			times := []int64{-1, 0, math.MinInt64, math.MaxInt64, minPathTime, maxPathTime}
			for range 3000 {
				times = append(times, rng.Int64N(4e12)-2e12)
			}
			for at := time.Date(1850, 1, 1, 0, 0, 0, 0, time.UTC).In(loc); at.Year() < 2040; {
				_, end := at.ZoneBounds()
				if end.IsZero() {
					break
				}
				if !end.After(at) { // the 31st of December of a leap year: see span
					end = at.Add(24 * time.Hour)
				}
				for _, d := range []int64{-86400000, -3600001, -3600000, -60001, -60000, -1, 0, 1, 59999, 60000, 3599999, 3600000, 86400000} {
					times = append(times, end.UnixMilli()+d)
				}
				at = end.In(loc)
			}
			for _, pattern := range patterns {
				checkPathCache(t, pattern, loc, times)
			}
		})
	}
}

func checkPathCache(t *testing.T, pattern string, loc *time.Location, times []int64) {
	t.Helper()
	p, err := ParsePath(pattern, loc)
	if err != nil {
		t.Fatal(err)
	}
	cache := p.NewCache()
	for i, ms := range times {
		r := Record{Topic: "t", Timestamp: ms, Partition: int32(i % 2)}
		if got, want := cache.Of(&r), string(p.Render(nil, &r)); got != want {
			t.Fatalf("%s in %s at %d: cached %s, rendered %s", pattern, loc, ms, got, want)
		}
		from, to := p.span(ms)
		at := pathTime(ms)
		if from > at || to <= at {
			t.Fatalf("%s in %s: %d is not in its own span %d to %d", pattern, loc, at, from, to)
		}
		want := string(p.Render(nil, &r))
		for _, edge := range []int64{from, to - 1, from + (to-from)/2} {
			// -1 as a record's time is none, and rendered as 0.
			if r.Timestamp = edge; edge != -1 && string(p.Render(nil, &r)) != want {
				t.Fatalf("%s in %s at %d: the path is another at %d in its span %d to %d", pattern, loc, ms, edge, from, to)
			}
		}
	}
}

func TestPathCacheGivesTheSameString(t *testing.T) {
	t.Parallel()
	p, _ := ParsePath("{yyyy}/{HH}", time.UTC)
	cache := p.NewCache()
	r := Record{Topic: "t", Timestamp: 1700000000000}
	late := Record{Topic: "t", Timestamp: 1700000000000 - 3600000}
	first, second := cache.Of(&r), cache.Of(&late)
	for range 100 {
		r.Timestamp++
		if unsafe.StringData(cache.Of(&r)) != unsafe.StringData(first) || unsafe.StringData(cache.Of(&late)) != unsafe.StringData(second) {
			t.Fatal("a remembered path was rendered again")
		}
	}
}

func TestParseZone(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]int{"GMT": 0, "UTC": 0, "GMT+08:00": 8 * 3600, "GMT-03:30": -12600, "GMT+18:00": 18 * 3600, "GMT-00:00": 0} {
		loc, err := ParseZone(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, offset := time.Unix(0, 0).In(loc).Zone(); offset != want {
			t.Errorf("%s: %d seconds, want %d", name, offset, want)
		}
	}
	for _, bad := range []string{"", "Local", "GMT+8", "GMT+8:00", "GMT+08:60", "GMT+18:01", "GMT+19:00", "GMT+08-00", "GMT+0a:00", "GMT+08:00 ", "gmt+08:00", "UTC+08:00", "Mars/Base", "../etc/passwd", "/etc/localtime", "Asia/Shanghai\x00", "\xff"} {
		if loc, err := ParseZone(bad); err == nil {
			t.Errorf("%q was taken as %s", bad, loc)
		}
	}
}

func TestObjectName(t *testing.T) {
	t.Parallel()
	got, err := ObjectName("nightly/", "orders/dt=2024-01-02", "orders", 3, 42, math.MaxInt64, "json.gz")
	if want := "nightly/orders/dt=2024-01-02/orders-3-00000000000000000042-09223372036854775807.json.gz"; err != nil || got != want {
		t.Errorf("%s, %v", got, err)
	}
	if got, _ := ObjectName("p-", "", "a.B_c-1", 0, 0, 0, "raw"); got != "p-a.B_c-1-0-00000000000000000000-00000000000000000000.raw" {
		t.Error(got)
	}
	long := strings.Repeat("x", MaxObjectName)
	bad := []struct {
		prefix, path, topic string
		partition           int32
		first, last         int64
	}{
		{"", "", "", 0, 0, 0}, {"", "", "a/b", 0, 0, 0}, {"", "", "..", 0, 0, 0}, {"", "", "é", 0, 0, 0}, {"", "", long[:250], 0, 0, 0},
		{"", "", "t", -1, 0, 0}, {"", "", "t", 0, -1, 0}, {"", "", "t", 0, 5, 4}, {long, "", "t", 0, 0, 0}, {"", long[:990], "t", 0, 0, 0},
	}
	for _, c := range bad {
		if got, err := ObjectName(c.prefix, c.path, c.topic, c.partition, c.first, c.last, "json"); err == nil {
			t.Errorf("%.60q was made", got)
		}
	}
	// The longest name that fits: 1023 bytes in all.
	fixed := len("/t-0-") + 20 + 1 + 20 + len(".json")
	if got, err := ObjectName("", long[:MaxObjectName-fixed], "t", 0, 0, 0, "json"); err != nil || len(got) != MaxObjectName {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func FuzzParsePath(f *testing.F) {
	for _, s := range []string{"{topic}/dt={yyyy}-{MM}-{dd}/hh={HH}", "{", "a//b", "日/{mm}}", "..", "{partition}{HH}"} {
		f.Add(s, int64(1700000000000))
	}
	loc := time.FixedZone("", 8*3600)
	f.Fuzz(func(t *testing.T, pattern string, ms int64) {
		p, err := ParsePath(pattern, loc)
		if err != nil {
			var pe *PathError
			if !errors.As(err, &pe) || pe.Pos < 1 || pe.Pos > utf8.RuneCountInString(pattern)+1 {
				t.Fatalf("%q: %#v", pattern, err)
			}
			return
		}
		r := Record{Topic: "orders", Partition: 1, Timestamp: ms}
		path := p.NewCache().Of(&r)
		if path != string(p.Render(nil, &r)) {
			t.Fatalf("%q: cached %q", pattern, path)
		}
		if path == "" {
			return
		}
		if !utf8.ValidString(path) || strings.ContainsAny(path, "{}\\\x00\n") {
			t.Fatalf("%q became %q", pattern, path)
		}
		for _, segment := range strings.Split(path, "/") {
			if segment == "" || segment == "." || segment == ".." {
				t.Fatalf("%q became %q", pattern, path)
			}
		}
	})
}

func FuzzParseZone(f *testing.F) {
	for _, s := range []string{"GMT+08:00", "GMT-18:00", "UTC", "Asia/Shanghai", "GMT+", "../x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		loc, err := ParseZone(name)
		if (loc == nil) == (err == nil) {
			t.Fatalf("%q: %v, %v", name, loc, err)
		}
		if err == nil && strings.HasPrefix(name, "GMT+") && loc.String() != name {
			t.Fatalf("%q became %s", name, loc)
		}
	})
}

func BenchmarkPathCache(b *testing.B) {
	p, _ := ParsePath("{topic}/dt={yyyy}-{MM}-{dd}/hh={HH}", time.FixedZone("GMT+08:00", 8*3600))
	b.Run("same hour", func(b *testing.B) {
		cache := p.NewCache()
		r := Record{Topic: "orders", Timestamp: 1700000000000}
		for b.Loop() {
			cache.Of(&r)
		}
	})
	b.Run("other hours", func(b *testing.B) {
		cache := p.NewCache()
		r := Record{Topic: "orders", Timestamp: 1700000000000}
		for b.Loop() {
			r.Timestamp += 3600000
			cache.Of(&r)
		}
	})
}
