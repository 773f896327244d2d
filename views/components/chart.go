package components

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Point is one value of a series. NaN is a moment without a value: the line is interrupted there.
type Point struct {
	Time  time.Time
	Value float64
}

// Series is one line of a chart. The points of all series of a chart are at the same times.
type Series struct {
	Name   string
	Points []Point
}

// Chart is a line chart over time, drawn on the server. Its y axis starts at zero.
type Chart struct {
	ID     string // unique in the page
	Title  string
	Series []Series             // up to four
	Format func(float64) string // of values; Compact when nil
	Bytes  bool                 // values are bytes: binary units and round numbers of them
	Area   bool                 // fill below the first line
	Empty  string               // what to say while there is nothing to draw
}

// The plot's own coordinates; it is stretched to the width it gets.
const (
	plotWidth  = 600.0
	plotHeight = 128.0
	plotTicks  = 4
)

func (c Chart) format(v float64) string {
	if c.Format != nil {
		return c.Format(v)
	}
	if c.Bytes {
		return BytesFloat(v)
	}
	return Compact(v)
}

// empty says whether there is no line to draw: fewer than two points have a value.
func (c Chart) empty() bool {
	for _, s := range c.Series {
		n := 0
		for _, p := range s.Points {
			if !math.IsNaN(p.Value) {
				n++
			}
		}
		if n > 1 {
			return false
		}
	}
	return true
}

// top is the upper end of the y axis: the largest value rounded up to a number that divides well by the ticks.
func (c Chart) top() float64 {
	highest := 0.0
	for _, s := range c.Series {
		for _, p := range s.Points {
			if p.Value > highest {
				highest = p.Value
			}
		}
	}
	if c.Bytes {
		highest = max(highest, 2) // half of one byte has no label
	}
	if !c.Bytes || highest < 1024 {
		return niceTop(highest)
	}
	unit := math.Pow(1024, math.Floor(math.Log2(highest)/10))
	return niceTop(highest/unit) * unit
}

// niceTop rounds up to a short number whose half is short too.
func niceTop(v float64) float64 {
	if v <= 0 || math.IsInf(v, 0) {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, step := range []float64{1, 1.2, 1.6, 2, 3, 4, 5, 6, 8, 10} {
		if v <= step*power*(1+1e-9) {
			return step * power
		}
	}
	return 10 * power
}

// yLabels are the axis labels from the top down.
func (c Chart) yLabels() []string {
	var out []string
	top := c.top()
	for i := 0; i <= plotTicks; i += 2 {
		out = append(out, c.format(top*float64(plotTicks-i)/plotTicks))
	}
	return out
}

// span returns the first and last time of all series.
func (c Chart) span() (from, to time.Time) {
	for _, s := range c.Series {
		for _, p := range s.Points {
			if from.IsZero() || p.Time.Before(from) {
				from = p.Time
			}
			if p.Time.After(to) {
				to = p.Time
			}
		}
	}
	return from, to
}

// xTimes are the moments labelled below the plot, evenly spaced.
func (c Chart) xTimes() []time.Time {
	from, to := c.span()
	out := make([]time.Time, 0, 5)
	for i := range 5 {
		out = append(out, from.Add(to.Sub(from)*time.Duration(i)/4))
	}
	return out
}

// linePath returns the path data of a series, and closed down to the axis when area is set.
func (c Chart) linePath(s Series, area bool) string {
	from, to := c.span()
	width := to.Sub(from).Seconds()
	top := c.top()
	var out strings.Builder
	var first, last float64
	open := false
	for _, p := range s.Points {
		if math.IsNaN(p.Value) {
			closeArea(&out, area && open, first, last)
			open = false
			continue
		}
		x := 0.0
		if width > 0 {
			x = p.Time.Sub(from).Seconds() / width * plotWidth
		}
		y := plotHeight - math.Max(0, p.Value)/top*plotHeight
		command := "L"
		if !open {
			command, first, open = "M", x, true
		}
		out.WriteString(command + coordinate(x) + " " + coordinate(y))
		last = x
	}
	closeArea(&out, area && open, first, last)
	return out.String()
}

func closeArea(out *strings.Builder, doIt bool, first, last float64) {
	if doIt {
		out.WriteString("L" + coordinate(last) + " " + coordinate(plotHeight) + "L" + coordinate(first) + " " + coordinate(plotHeight) + "Z")
	}
}

func coordinate(v float64) string {
	return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64)
}

// latest returns the last value of a series as text.
func (c Chart) latest(s Series) string {
	for i := len(s.Points) - 1; i >= 0; i-- {
		if !math.IsNaN(s.Points[i].Value) {
			return c.format(s.Points[i].Value)
		}
	}
	return "–"
}

// tableRows returns every n-th time with the values of all series, at most about 30 rows, newest first.
func (c Chart) tableRows() []int {
	if len(c.Series) == 0 {
		return nil
	}
	n := len(c.Series[0].Points)
	step := max(1, n/30)
	var out []int
	for i := n - 1; i >= 0; i -= step {
		out = append(out, i)
	}
	return out
}

func (c Chart) valueAt(s Series, i int) string {
	if i >= len(s.Points) || math.IsNaN(s.Points[i].Value) {
		return "–"
	}
	return c.format(s.Points[i].Value)
}

// sparkPath draws values over 100 by 28, for stat tiles.
func sparkPath(values []float64, area bool) string {
	if len(values) < 2 {
		return ""
	}
	top := 0.0
	for _, v := range values {
		top = math.Max(top, v)
	}
	if top == 0 {
		top = 1
	}
	var out strings.Builder
	for i, v := range values {
		command := "L"
		if i == 0 {
			command = "M"
		}
		out.WriteString(command + coordinate(float64(i)/float64(len(values)-1)*100) + " " + coordinate(26-math.Max(0, v)/top*24))
	}
	if area {
		out.WriteString("L100 28L0 28Z")
	}
	return out.String()
}
