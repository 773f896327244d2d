package format

import (
	"math"
	"time"

	"github.com/sluice-io/sluice/runner/mysql/row"
)

const dayMillis = 86_400_000

// wallClock turns wall times of a zone into Unix time. A span of time in which the zone has
// one offset is kept, as working it out costs more than all the rest.
type wallClock struct {
	zone *time.Location
	// Wall times from from, and before to, in ms as if they were UTC, have the offset.
	from, to, offset int64
}

// millis is the Unix time in ms of a DateTime's N. ok is false when it is not a moment: a
// zero or partial date, or a day that its month does not have. A wall time that a change of
// the offset skips is moved by the change, one that it repeats is the first.
func (w *wallClock) millis(n uint64) (ms int64, ok bool) {
	date, hour, minute, second, micro := row.UnpackDateTime(n)
	year, month, day := row.UnpackDate(date)
	if !realDate(year, month, day) {
		return 0, false
	}
	wall := daysOf(year, month, day)*dayMillis + int64(hour*3600+minute*60+second)*1000 + int64(micro/1000)
	if w.zone == time.UTC {
		return wall, true
	}
	if wall >= w.from && wall < w.to {
		return wall - w.offset, true
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, micro*1000, w.zone)
	w.keep(t)
	return t.UnixMilli(), true
}

// keep keeps the span around t, less a day at both ends, where wall times may be of
// another offset.
func (w *wallClock) keep(t time.Time) {
	_, seconds := t.Zone()
	w.offset = int64(seconds) * 1000
	w.from, w.to = math.MinInt64, math.MaxInt64
	start, end := t.ZoneBounds()
	if !start.IsZero() {
		w.from = start.UnixMilli() + w.offset + dayMillis
	}
	if !end.IsZero() {
		w.to = end.UnixMilli() + w.offset - dayMillis
	}
}

var monthDays = [13]int{0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}

func realDate(year, month, day int) bool {
	if month < 1 || month > 12 || day < 1 || day > monthDays[month] {
		return false
	}
	return month != 2 || day < 29 || year%4 == 0 && (year%100 != 0 || year%400 == 0)
}

// daysOf is the number of days since 1970-01-01 in the Gregorian calendar, also before it
// was introduced, as the servers count. Years begin in March here, so that the leap day is last.
func daysOf(year, month, day int) int64 {
	y, m := int64(year), int64(month)
	if m <= 2 {
		y--
		m += 12
	}
	era := y / 400
	if y < 0 {
		era = (y - 399) / 400
	}
	ofEra := y - era*400
	ofYear := (153*(m-3)+2)/5 + int64(day) - 1
	return era*146_097 + ofEra*365 + ofEra/4 - ofEra/100 + ofYear - 719_468
}
