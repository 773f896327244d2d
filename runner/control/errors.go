// Package control holds the use cases that forms, REST and the command line share:
// instances, connectors, drafts, checks, previews, topics and what becomes of a
// record. It validates, decides who may, writes the audit log, changes the model and
// tells the supervisor; it knows neither HTTP nor the database.
package control

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
)

// Kind is the class of a refusal; a surface turns it into its own code.
type Kind string

const (
	// NotFound: what was named does not exist (or is being deleted).
	NotFound Kind = "not_found"
	// Conflict: it cannot be done in the present state; Pending may say why.
	Conflict Kind = "conflict"
	// Invalid: a value is wrong; Fields name them.
	Invalid Kind = "invalid"
	// Forbidden: the role does not allow it.
	Forbidden Kind = "forbidden"
	// Quota: the instance has as many connectors as it may.
	Quota Kind = "quota"
	// Unavailable: a system that is needed does not answer.
	Unavailable Kind = "unavailable"
	// TooLarge: a value is over a limit of size.
	TooLarge Kind = "too_large"
	// TooMany: too many attempts; After says when the next is allowed.
	TooMany Kind = "too_many"
	// Internal: something that should not happen; Message is safe to show.
	Internal Kind = "internal"
)

// Error is what every use case returns when it refuses or fails. Message is a
// sentence that may be shown to anybody; Err is for the log.
type Error struct {
	Kind    Kind
	Message string
	Fields  []connector.FieldError
	// Pending lists unresolved deliveries (Conflict); force goes on all the same.
	Pending []string
	// Exists marks the Conflict of a name that is taken.
	Exists bool
	// After is how long to wait (TooMany).
	After time.Duration
	Err   error
}

func (e *Error) Error() string {
	if len(e.Fields) == 0 {
		return e.Message
	}
	parts := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		parts[i] = f.Error()
	}
	return e.Message + " " + strings.Join(parts, " ")
}

func (e *Error) Unwrap() error { return e.Err }

// AsError returns err as *Error; what is none becomes Internal with a safe message.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return &Error{Kind: Unavailable, Message: "It took too long; try again.", Err: err}
	}
	return &Error{Kind: Internal, Message: "Something went wrong inside Sluice; the server's log says what.", Err: err}
}

func notFound(format string, args ...any) *Error {
	return &Error{Kind: NotFound, Message: fmt.Sprintf(format, args...), Err: runner.ErrNotFound}
}

func conflict(format string, args ...any) *Error {
	return &Error{Kind: Conflict, Message: fmt.Sprintf(format, args...)}
}

func unavailable(err error, format string, args ...any) *Error {
	return &Error{Kind: Unavailable, Message: fmt.Sprintf(format, args...), Err: err}
}

// invalid returns nil when there is nothing wrong.
func invalid(fields []connector.FieldError) error {
	if len(fields) == 0 {
		return nil
	}
	return &Error{Kind: Invalid, Message: "Some values are not valid.", Fields: fields}
}

func fieldError(field, format string, args ...any) error {
	return invalid([]connector.FieldError{{Field: field, Message: fmt.Sprintf(format, args...)}})
}
