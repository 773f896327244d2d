package kafka

import "errors"

// What the functions of this package return beside wrapped errors of sarama.
var (
	// ErrIdle: nothing arrived before the deadline or the wake-up.
	ErrIdle = errors.New("no record buffered")
	// ErrClaimClosed: the partition's feed ended although the session lives.
	ErrClaimClosed = errors.New("the claim ended although the session lives")
	// ErrRebalance: the session's generation is over.
	ErrRebalance = errors.New("the consumer group rebalances")
	// ErrFenced: another member has this identity, or the coordinator no longer knows us.
	ErrFenced = errors.New("fenced by another member")
	// ErrUnanswered: a commit was sent and its answer did not arrive. It must not be
	// sent again; the group is to be joined anew.
	ErrUnanswered = errors.New("the answer to a commit did not arrive")
	// ErrNoTopic: the topic does not exist.
	ErrNoTopic = errors.New("no such topic")
	// ErrOutOfRange: the offset is below the log's start or above its end.
	ErrOutOfRange = errors.New("offset out of range")
	// ErrMessageTooLarge: the broker refuses a record of this size.
	ErrMessageTooLarge = errors.New("record larger than the topic allows")
	// ErrAuth: the broker refuses the user name, the password or the mechanism.
	ErrAuth = errors.New("authentication failed")
	// ErrDenied: the user is known but may not do this (an access control list).
	ErrDenied = errors.New("not authorized")
)
