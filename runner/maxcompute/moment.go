package maxcompute

import "time"

// wall is a date and time as it was written.
type wall struct {
	year, month, day, hour, minute, second int
	nanos                                  int
	timed                                  bool // there was a time of day
	zoned                                  bool // there was an offset
	offset                                 int  // seconds east
}

// moment writes DATE, DATETIME, TIMESTAMP or TIMESTAMP_NTZ from a text such as
// "2026-01-02 03:04:05.678" or "2026-01-02T03:04:05Z". Without an offset it is a time of
// the connector's zone.
func (t *typed) moment(e *encoder, n int, c *column, b []byte) error {
	w, ok := parseWall(b)
	if !ok {
		return wrongType("%s is not written as 2026-01-02 03:04:05 or 2026-01-02T03:04:05Z", shown(b))
	}
	days := daysOf(w.year, w.month, w.day)
	switch c.kind {
	case kindDate:
		if w.timed {
			return wrongType("%s has a time of day, which DATE does not take", shown(b))
		}
		e.integer(n, days)
		return nil
	case kindTimestampNTZ:
		if w.zoned {
			return wrongType("%s has an offset, which TIMESTAMP_NTZ does not take", shown(b))
		}
		return writeTimestamp(e, n, days*secondsOfDay+w.ofDay(), int32(w.nanos), b)
	}
	seconds := days*secondsOfDay + w.ofDay() - int64(w.offset)
	if !w.zoned {
		if seconds, ok = t.local(&w); !ok {
			return outOfRange("there is no %s in the time zone %s", shown(b), t.zone)
		}
	}
	if c.kind == kindTimestamp {
		return writeTimestamp(e, n, seconds, int32(w.nanos), b)
	}
	if w.nanos%1e6 != 0 {
		return outOfRange("%s is finer than the milliseconds of DATETIME", shown(b))
	}
	return writeDatetime(e, n, seconds*1000+int64(w.nanos/1e6), b)
}

// local is a wall time of the connector's zone, in seconds; false for one that the zone
// leaves out when its clocks go forward.
func (t *typed) local(w *wall) (int64, bool) {
	at := time.Date(w.year, time.Month(w.month), w.day, w.hour, w.minute, w.second, 0, t.zone)
	hour, minute, second := at.Clock()
	return at.Unix(), hour == w.hour && minute == w.minute && second == w.second
}

func (w *wall) ofDay() int64 { return int64(w.hour*3600 + w.minute*60 + w.second) }

func writeDatetime(e *encoder, n int, ms int64, b []byte) error {
	if ms < minMilli || ms > maxMilli {
		return outOfRange("%s is not in the years 0000 to 9999", clip(string(b), 60))
	}
	e.integer(n, ms)
	return nil
}

func writeTimestamp(e *encoder, n int, seconds int64, nanos int32, b []byte) error {
	if seconds < minSecond || seconds > maxSecond {
		return outOfRange("%s is not in the years 0000 to 9999", clip(string(b), 60))
	}
	e.timestamp(n, seconds, nanos)
	return nil
}

// daysOf counts the days of a date since 1970-01-01, in the Gregorian calendar.
func daysOf(year, month, day int) int64 {
	return floorDiv(time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC).Unix(), secondsOfDay)
}

// digitsAt reads n digits at i.
func digitsAt(b []byte, i, n int) (v int, ok bool) {
	if i < 0 || len(b) < i+n {
		return 0, false
	}
	for _, c := range b[i : i+n] {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = v*10 + int(c-'0')
	}
	return v, true
}

// parseWall reads yyyy-MM-dd, and behind a blank or T HH:mm:ss with an optional fraction
// of up to nine digits and an optional offset: Z, ±hh, ±hhmm or ±hh:mm.
func parseWall(b []byte) (w wall, ok bool) {
	if len(b) < 10 || b[4] != '-' || b[7] != '-' {
		return w, false
	}
	var ok1, ok2, ok3 bool
	w.year, ok1 = digitsAt(b, 0, 4)
	w.month, ok2 = digitsAt(b, 5, 2)
	w.day, ok3 = digitsAt(b, 8, 2)
	if !ok1 || !ok2 || !ok3 || w.month < 1 || w.month > 12 || w.day < 1 || w.day > daysIn(w.year, w.month) {
		return w, false
	}
	if len(b) == 10 {
		return w, true
	}
	if b[10] != ' ' && b[10] != 'T' && b[10] != 't' {
		return w, false
	}
	return w, w.clock(b[11:])
}

func (w *wall) clock(b []byte) bool {
	if len(b) < 8 || b[2] != ':' || b[5] != ':' {
		return false
	}
	var ok1, ok2, ok3 bool
	w.hour, ok1 = digitsAt(b, 0, 2)
	w.minute, ok2 = digitsAt(b, 3, 2)
	w.second, ok3 = digitsAt(b, 6, 2)
	if !ok1 || !ok2 || !ok3 || w.hour > 23 || w.minute > 59 || w.second > 59 {
		return false
	}
	w.timed = true
	b = b[8:]
	if len(b) > 0 && b[0] == '.' {
		n := countDigits(b[1:])
		if n == 0 || n > 9 {
			return false
		}
		w.nanos, _ = digitsAt(b, 1, n)
		for range 9 - n {
			w.nanos *= 10
		}
		b = b[1+n:]
	}
	return w.zone(b)
}

func (w *wall) zone(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	w.zoned = true
	if len(b) == 1 && (b[0] == 'Z' || b[0] == 'z') {
		return true
	}
	if b[0] != '+' && b[0] != '-' {
		return false
	}
	hours, ok := digitsAt(b, 1, 2)
	minutes := 0
	switch {
	case !ok:
		return false
	case len(b) == 3:
	case len(b) == 5:
		minutes, ok = digitsAt(b, 3, 2)
	case len(b) == 6 && b[3] == ':':
		minutes, ok = digitsAt(b, 4, 2)
	default:
		return false
	}
	if !ok || hours > 18 || minutes > 59 {
		return false
	}
	w.offset = hours*3600 + minutes*60
	if b[0] == '-' {
		w.offset = -w.offset
	}
	return true
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}
