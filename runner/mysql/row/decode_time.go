package row

import "encoding/binary"

// temporal decodes dates and times (MySQL, mysys/my_time.cc; the formats of before 5.6.4
// too). ok is false for what is neither.
func temporal(c *Column, b []byte) (n uint64, ok bool) {
	switch c.wire.form {
	case wireDate:
		n = uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16
		return n, validDate(UnpackDate(n))
	case wireDateTime:
		return dateTimeAt(b, c.FSP)
	case wireStamp:
		seconds, micro := uint64(binary.BigEndian.Uint32(b)), fraction(b[4:], c.FSP)
		return stampOf(seconds, micro), micro <= 999999
	case wireTime:
		return timeAt(b, c.FSP)
	case wireStampOld:
		return stampOf(uint64(binary.LittleEndian.Uint32(b)), 0), true
	case wireDateTimeOld:
		return decimalDateTime(binary.LittleEndian.Uint64(b))
	case wireTimeOld:
		return decimalTime(int64(integerAt(b, 3, false)))
	}
	return 0, false
}

// stampOf is a Timestamp's N: the zero date is second 0.
func stampOf(seconds uint64, micro int) uint64 { return seconds*1_000_000 + uint64(micro) }

// fraction reads what follows a second, in microseconds.
func fraction(b []byte, fsp int) int {
	switch (fsp + 1) / 2 {
	case 1:
		return int(b[0]) * 10_000
	case 2:
		return int(binary.BigEndian.Uint16(b)) * 100
	case 3:
		return int(b[0])<<16 | int(b[1])<<8 | int(b[2])
	}
	return 0
}

// dateTimeAt reads 40 bits, the highest set: 17 of year*13+month, 5 of day, 5, 6 and 6 of the clock.
func dateTimeAt(b []byte, fsp int) (uint64, bool) {
	packed := int64(big(b[:5])) - 1<<39
	if packed < 0 {
		return 0, false
	}
	ym := int(packed >> 22)
	year, month, day := ym/13, ym%13, int(packed>>17&31)
	hour, minute, second := int(packed>>12&31), int(packed>>6&63), int(packed&63)
	micro := fraction(b[5:], fsp)
	ok := validDate(year, month, day) && validClock(hour, minute, second, micro)
	return PackDateTime(PackDate(year, month, day), hour, minute, second, micro), ok
}

// timeAt reads 24 bits, the highest set of values from zero: 10 of hours, 6 of minutes and 6 of
// seconds; the whole with its fraction is a two's complement, so that bytes order like times.
func timeAt(b []byte, fsp int) (uint64, bool) {
	digits := (fsp + 1) / 2
	whole := int64(big(b[:3+digits]))
	whole -= 1 << (23 + 8*digits)
	negative := whole < 0
	if negative {
		whole = -whole
	}
	clock := whole >> (8 * digits)
	micro := whole & (1<<(8*digits) - 1)
	for range 3 - digits {
		micro *= 100
	}
	if digits == 0 {
		micro = 0
	}
	hour, minute, second := clock>>12&1023, clock>>6&63, clock&63
	ok := clock < 1<<22 && hour <= 838 && minute <= 59 && second <= 59 && micro <= 999999
	return timeOf(negative, int(hour), int(minute), int(second), int(micro)), ok
}

// timeOf is a Time's N.
func timeOf(negative bool, hour, minute, second, micro int) uint64 {
	n := (int64(hour)*3600+int64(minute)*60+int64(second))*1_000_000 + int64(micro)
	if negative {
		n = -n
	}
	return uint64(n)
}

func decimalDateTime(n uint64) (uint64, bool) {
	date, clock := n/1_000_000, n%1_000_000
	if date > 99991231 {
		return 0, false
	}
	year, month, day := int(date/10_000), int(date/100%100), int(date%100)
	hour, minute, second := int(clock/10_000), int(clock/100%100), int(clock%100)
	ok := validDate(year, month, day) && validClock(hour, minute, second, 0)
	return PackDateTime(PackDate(year, month, day), hour, minute, second, 0), ok
}

func decimalTime(n int64) (uint64, bool) {
	negative := n < 0
	if negative {
		n = -n
	}
	hour, minute, second := int(n/10_000), int(n/100%100), int(n%100)
	return timeOf(negative, hour, minute, second, 0), hour <= 838 && minute <= 59 && second <= 59
}
