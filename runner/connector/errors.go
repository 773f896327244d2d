package connector

import (
	"errors"
	"fmt"
	"time"
)

// Stage is where a record failed; the values are Kafka Connect's words.
type Stage string

const (
	StageKeyConverter   Stage = "KEY_CONVERTER"
	StageValueConverter Stage = "VALUE_CONVERTER"
	StageTaskPut        Stage = "TASK_PUT"
)

// RecordError: the record itself is the cause. The failure policy decides.
type RecordError struct {
	Stage Stage
	// Code names the reason for programs: "binary", "oversize", "csv_width".
	Code string
	Err  error
	// DeadLetter: the record could not be read or converted, or is over a size limit
	// (dead letter), other than refused by the mapping or the destination (abnormal data).
	DeadLetter bool
	// Retry: a further attempt may succeed (a function's own error). Of Add the caller
	// makes errors.retry.limit of them first; of Publish the sink counts them.
	Retry bool
	// Detail is what belongs to the error at length (the end of a function's log): it stands
	// in logs and in the headers of the diverted record, not in states and lists.
	Detail string
}

func (e *RecordError) Error() string {
	if e.Detail == "" {
		return e.Err.Error()
	}
	return e.Err.Error() + "; " + e.Detail
}
func (e *RecordError) Unwrap() error { return e.Err }

// AwayError: a system is away (network, 5xx, throttling). The position waits.
type AwayError struct {
	System string // "OSS endpoint oss-cn-hangzhou-internal.aliyuncs.com"
	// After is how long the system asked to be left alone; zero means the caller's own pause.
	After time.Duration
	// Brief is what happened in a few words for states and lists, without what differs
	// from one attempt to the next; "" takes the error's own text.
	Brief string
	// Remedy is what to look at if it does not pass by itself; "" where nothing is known.
	Remedy string
	Err    error
}

func (e *AwayError) Error() string { return fmt.Sprintf("%s is away: %v", e.System, e.Err) }
func (e *AwayError) Unwrap() error { return e.Err }

// WrongError: the configuration cannot work (credentials, missing bucket). The
// connector fails and says what to do.
type WrongError struct {
	Field  string // the key to look at, "" when none
	Remedy string // a sentence that says what to do
	Brief  string // as AwayError's
	Err    error
}

func (e *WrongError) Error() string { return e.Err.Error() }
func (e *WrongError) Unwrap() error { return e.Err }

// GapError: records are lost, or it cannot be known whether they were delivered;
// one partition stops and a person chooses.
type GapError struct {
	Lost    string // what was lost, in words: offsets, times
	Choices []Choice
	Err     error
}

func (e *GapError) Error() string {
	if e.Err != nil {
		return e.Lost + ": " + e.Err.Error()
	}
	return e.Lost
}
func (e *GapError) Unwrap() error { return e.Err }

// MismatchError: a redo did not give what its intent promised, or a different
// object stands where one of ours should. Nothing was overwritten.
type MismatchError struct {
	What string
}

func (e *MismatchError) Error() string { return e.What }

// RepeatError: what the intent names cannot become visible any more (an upload session
// that the service gave up), and nothing of it that is missing will. The range is
// settled as after a crash: Resolve, and where that says so once more from the log,
// under a rewritten intent.
type RepeatError struct {
	Err error
}

func (e *RepeatError) Error() string { return e.Err.Error() }
func (e *RepeatError) Unwrap() error { return e.Err }

// Cause is the class of an error: it alone decides what happens next.
type Cause string

const (
	CauseRecord   Cause = "record"
	CauseAway     Cause = "away"
	CauseWrong    Cause = "wrong"
	CauseGap      Cause = "gap"
	CauseMismatch Cause = "mismatch"
	CauseRepeat   Cause = "repeat"
	// CauseOther is an error nobody classified: treated as away, so that a surprise
	// costs time and never a record.
	CauseOther Cause = "other"
)

// CauseOf classifies an error by its type, never by its text.
func CauseOf(err error) Cause {
	var (
		re *RecordError
		ae *AwayError
		we *WrongError
		ge *GapError
		me *MismatchError
		pe *RepeatError
	)
	switch {
	case errors.As(err, &pe):
		return CauseRepeat
	case errors.As(err, &we):
		return CauseWrong
	case errors.As(err, &ge):
		return CauseGap
	case errors.As(err, &me):
		return CauseMismatch
	case errors.As(err, &re):
		return CauseRecord
	case errors.As(err, &ae):
		return CauseAway
	}
	return CauseOther
}

// Brief is an error as a state shows it: what its cause says in brief, else its text.
func Brief(err error) string {
	var (
		ae *AwayError
		we *WrongError
		re *RecordError
	)
	switch {
	case errors.As(err, &re) && error(re) == err:
		return re.Err.Error()
	case errors.As(err, &we) && we.Brief != "":
		return we.Brief
	case errors.As(err, &ae) && ae.Brief != "":
		return ae.Brief
	}
	return err.Error()
}

// Remedy is what an error's cause says to do about it, "" where it says nothing.
func Remedy(err error) string {
	var (
		ae *AwayError
		we *WrongError
	)
	switch {
	case errors.As(err, &we):
		return we.Remedy
	case errors.As(err, &ae):
		return ae.Remedy
	}
	return ""
}

// FieldError is one thing wrong with one field.
type FieldError struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

func (e FieldError) Error() string { return e.Field + ": " + e.Message }
