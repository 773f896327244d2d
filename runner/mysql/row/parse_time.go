package row

import "time"

// cutNumber takes a number from the front: all its digits, at least one and at most nine.
func cutNumber(s []byte) (n int, rest []byte, ok bool) {
	i := 0
	for i < len(s) && i < 9 && s[i] >= '0' && s[i] <= '9' {
		n = n*10 + int(s[i]-'0')
		i++
	}
	return n, s[i:], i > 0
}

// cutNumbers takes numbers with the separator between them.
func cutNumbers(s []byte, separator byte) (a, b, c int, rest []byte, ok bool) {
	var n [3]int
	for i := range n {
		if i > 0 {
			if len(s) == 0 || s[0] != separator {
				return 0, 0, 0, s, false
			}
			s = s[1:]
		}
		if n[i], s, ok = cutNumber(s); !ok {
			return 0, 0, 0, s, false
		}
	}
	return n[0], n[1], n[2], s, true
}

// cutDate takes a date as the server prints it.
func cutDate(s []byte) (n uint64, rest []byte, ok bool) {
	year, month, day, rest, ok := cutNumbers(s, '-')
	return PackDate(year, month, day), rest, ok && validDate(year, month, day)
}

// cutFraction takes ".5" and the like in microseconds, or nothing.
func cutFraction(s []byte) (micro int, rest []byte, ok bool) {
	if len(s) == 0 || s[0] != '.' {
		return 0, s, true
	}
	micro, rest, ok = cutNumber(s[1:])
	digits := len(s) - 1 - len(rest)
	if !ok || digits > 6 {
		return 0, s, false
	}
	return micro * int(pow10[6-digits]), rest, true
}

func parseDateTime(s []byte) (uint64, bool) {
	date, s, ok := cutDate(s)
	if !ok || len(s) == 0 || s[0] != ' ' {
		return 0, false
	}
	hour, minute, second, s, ok := cutNumbers(s[1:], ':')
	if !ok {
		return 0, false
	}
	micro, s, ok := cutFraction(s)
	return PackDateTime(date, hour, minute, second, micro), ok && len(s) == 0 && validClock(hour, minute, second, micro)
}

func parseTime(s []byte) (uint64, bool) {
	negative := len(s) > 0 && s[0] == '-'
	if negative {
		s = s[1:]
	}
	hour, minute, second, s, ok := cutNumbers(s, ':')
	if !ok {
		return 0, false
	}
	micro, s, ok := cutFraction(s)
	ok = ok && len(s) == 0 && hour <= 838 && minute <= 59 && second <= 59
	return timeOf(negative, hour, minute, second, micro), ok
}

// stampOfUTC makes a Timestamp's N of the moment that a session in UTC printed.
func stampOfUTC(n uint64) (uint64, bool) {
	if n == 0 {
		return 0, true
	}
	date, hour, minute, second, micro := UnpackDateTime(n)
	year, month, day := UnpackDate(date)
	if month == 0 || day == 0 {
		return 0, false
	}
	unix := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC).Unix()
	if unix < 0 {
		return 0, false
	}
	return stampOf(uint64(unix), micro), true
}
