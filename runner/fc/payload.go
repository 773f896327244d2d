package fc

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
)

// payload is what an intent names: the cuts of a run of batches, and when it was made.
type payload struct {
	// Cuts are the batches in order, separated by commas, each "gap+span*times": gap is
	// how many offsets lie between the batch before (at first: the intent's beginning)
	// and its own first, span how far its last offset is behind its first, times how
	// many such batches follow one another. Numbers have base 36; gap 0 and times 1 are
	// left out.
	Cuts string `json:"b"`
	Made int64  `json:"t"` // seconds since the Unix epoch
}

// mostCuts bounds the text of the cuts, in bytes, so that the payload stays below what
// an intent takes; longestCut is the longest one.
const (
	mostCuts   = connector.MaxPayload - 100
	longestCut = len("+*,") + 3*13
)

// cutWriter writes the text of cuts as the batches come.
type cutWriter struct {
	text  []byte
	next  int64 // offset behind the batch before
	gap   int64 // of the last one
	span  int64
	times int64
	mark  int // where the last one begins in text
}

// add appends a batch.
func (w *cutWriter) add(first, last int64) {
	gap, span := first-w.next, last-first
	w.next = last + 1
	if w.times > 0 && gap == w.gap && span == w.span {
		w.times++
		w.text = w.text[:w.mark]
	} else {
		w.gap, w.span, w.times, w.mark = gap, span, 1, len(w.text)
	}
	if w.mark > 0 {
		w.text = append(w.text, ',')
	}
	if gap > 0 {
		w.text = append(strconv.AppendInt(w.text, gap, 36), '+')
	}
	w.text = strconv.AppendInt(w.text, span, 36)
	if w.times > 1 {
		w.text = strconv.AppendInt(append(w.text, '*'), w.times, 36)
	}
}

// mostBatches bounds the batches that an intent may name, whatever it says.
const mostBatches = 1 << 20

// parsePayload reads the cuts of the intent that begins at offset base.
func parsePayload(b []byte, base int64) (cuts []cut, made time.Time, err error) {
	var p payload
	if err := json.Unmarshal(b, &p); err != nil {
		return nil, made, &connector.MismatchError{What: "the intent's list of batches cannot be read: " + err.Error()}
	}
	cuts = []cut{}
	next := base
	for text := range strings.SplitSeq(p.Cuts, ",") {
		if text == "" {
			continue
		}
		gap, span, times, err := parseCut(text)
		if err == nil && int64(len(cuts))+times > mostBatches {
			err = fmt.Errorf("more than %d batches", mostBatches)
		}
		if err != nil {
			return nil, made, &connector.MismatchError{What: fmt.Sprintf("the intent's batch %q cannot be read: %v", text, err)}
		}
		for range times {
			c := cut{first: next + gap, last: next + gap + span}
			if c.first < next || c.last < c.first || c.last == 1<<63-1 {
				return nil, made, &connector.MismatchError{What: fmt.Sprintf("the intent's batch %q is out of range", text)}
			}
			cuts = append(cuts, c)
			next = c.last + 1
		}
	}
	return cuts, time.Unix(p.Made, 0), nil
}

func parseCut(text string) (gap, span, times int64, err error) {
	times = 1
	if left, right, found := strings.Cut(text, "*"); found {
		text = left
		if times, err = parseNumber(right); err != nil {
			return 0, 0, 0, err
		}
	}
	if left, right, found := strings.Cut(text, "+"); found {
		text = right
		if gap, err = parseNumber(left); err != nil {
			return 0, 0, 0, err
		}
	}
	span, err = parseNumber(text)
	return gap, span, times, err
}

func parseNumber(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 36, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%q is no number", text)
	}
	return n, nil
}
