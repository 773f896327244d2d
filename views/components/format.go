package components

import (
	"context"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-io/sluice/views/text"
)

// Number writes a count with thousands separators: 1,234,567.
func Number(n int64) string { return text.Number(n) }

// Compact writes a count in at most four characters and a unit: 950, 12.3k, 4.56M. For axes and tiles.
func Compact(v float64) string {
	abs := math.Abs(v)
	switch {
	case abs >= 1e9:
		return trimFloat(v/1e9) + "G"
	case abs >= 1e6:
		return trimFloat(v/1e6) + "M"
	case abs >= 1e4:
		return trimFloat(v/1e3) + "k"
	case abs >= 100 || v == math.Trunc(v):
		return text.Number(int64(math.Round(v)))
	default:
		return trimFloat(v)
	}
}

// trimFloat writes three significant digits without trailing zeros.
func trimFloat(v float64) string {
	decimals := 2
	if abs := math.Abs(v); abs >= 100 {
		decimals = 0
	} else if abs >= 10 {
		decimals = 1
	}
	written := strconv.FormatFloat(v, 'f', decimals, 64)
	if strings.Contains(written, ".") {
		written = strings.TrimRight(strings.TrimRight(written, "0"), ".")
	}
	return written
}

// Bytes writes a size in binary units: 512 B, 1.5 KiB, 64 MiB.
func Bytes(n int64) string { return BytesFloat(float64(n)) }

// BytesFloat is Bytes for sizes that were computed, such as rates.
func BytesFloat(v float64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	unit := 0
	for math.Abs(v) >= 1024 && unit < len(units)-1 {
		v /= 1024
		unit++
	}
	if unit == 0 {
		return strconv.FormatInt(int64(math.Round(v)), 10) + " B"
	}
	return trimFloat(v) + " " + units[unit]
}

// Rate writes a number of records a second.
func Rate(ctx context.Context, v float64) string { return text.T(ctx, "format.per_second", Compact(v)) }

// ByteRate writes a number of bytes a second.
func ByteRate(ctx context.Context, v float64) string {
	return text.T(ctx, "format.per_second", BytesFloat(v))
}

// Duration writes a length of time in the largest one or two units people use: 850 ms, 12 s, 3 min, 2 h 5 min, 26 h, 4 d.
func Duration(ctx context.Context, d time.Duration) string {
	if d < 0 {
		d = -d
	}
	switch {
	case d < time.Second:
		return text.T(ctx, "format.ms", d.Milliseconds())
	case d < 10*time.Second:
		return text.T(ctx, "format.s", trimFloat(math.Round(d.Seconds()*10)/10))
	case d < 100*time.Second:
		return text.T(ctx, "format.s", int64(d.Seconds()))
	case d < time.Hour:
		return text.T(ctx, "format.min", int64(d.Minutes()))
	case d < 48*time.Hour:
		hours, minutes := int64(d.Hours()), int64(d.Minutes())%60
		if minutes == 0 || hours >= 10 {
			return text.T(ctx, "format.h", hours)
		}
		return text.T(ctx, "format.h_min", hours, minutes)
	default:
		return text.T(ctx, "format.d", int64(d.Hours()/24))
	}
}

// Lag says how far a connector is behind: "up to date" under five seconds, else "3 min behind". A negative lag is
// one that is not known.
func Lag(ctx context.Context, d time.Duration) string {
	switch {
	case d < 0:
		return text.T(ctx, "format.lag_unknown")
	case d < 5*time.Second:
		return text.T(ctx, "format.lag_none")
	default:
		return text.T(ctx, "format.behind", Duration(ctx, d))
	}
}

// Ago says when something was: "now", "3 min ago", "in 2 h".
func Ago(ctx context.Context, t time.Time) string {
	distance := requestOf(ctx).Now.Sub(t)
	switch {
	case distance > -5*time.Second && distance < 5*time.Second:
		return text.T(ctx, "format.now")
	case distance < 0:
		return text.T(ctx, "format.in", Duration(ctx, distance.Truncate(time.Second)))
	default:
		return text.T(ctx, "format.ago", Duration(ctx, distance.Truncate(time.Second)))
	}
}

// absolute writes a time with its zone, for the title of a time element.
func absolute(ctx context.Context, t time.Time) string {
	return t.In(requestOf(ctx).Location).Format("2006-01-02 15:04:05 MST")
}

func clockTime(ctx context.Context, t time.Time) string {
	return t.In(requestOf(ctx).Location).Format("15:04:05.000")
}

// domID makes an element ID of a configuration key: "oss.bucket" → "f-oss-bucket".
func domID(prefix, key string) string {
	var out strings.Builder
	out.WriteString(prefix)
	for _, r := range key {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			out.WriteRune(r)
		} else {
			out.WriteByte('-')
		}
	}
	return out.String()
}
