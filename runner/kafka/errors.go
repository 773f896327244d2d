package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/IBM/sarama"
)

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
	// ErrProducerFenced is ErrFenced of a transactional producer: a newer one has the
	// transactional id, or the coordinator aborted a transaction that was open for longer
	// than allowed. The second happens with nobody else there, so it does not prove that
	// another process has this identity.
	ErrProducerFenced = fmt.Errorf("the transactional producer is no longer the newest: %w", ErrFenced)
	// ErrUnanswered: a commit was sent and its answer did not arrive. It must not be
	// sent again; the group is to be joined anew.
	ErrUnanswered = errors.New("the answer to a commit did not arrive")
	// ErrNoTopic: the topic does not exist.
	ErrNoTopic = errors.New("no such topic")
	// ErrOutOfRange: the offset is below the log's start or above its end.
	ErrOutOfRange = errors.New("offset out of range")
	// ErrMessageTooLarge: the broker refuses a record of this size.
	ErrMessageTooLarge = errors.New("record larger than the topic allows")
	// ErrInvalidRecord: the topic does not take such a record, whatever its size; a compacted one wants keys.
	ErrInvalidRecord = errors.New("the topic does not take the record")
	// ErrAuth: the broker refuses the user name, the password or the mechanism.
	ErrAuth = errors.New("authentication failed")
	// ErrDenied: the user is known but may not do this (an access control list).
	ErrDenied = errors.New("not authorized")
	// ErrUnstable: positions of the group are part of a transaction that is not decided.
	ErrUnstable = errors.New("the position is part of a transaction that is still open")
	// ErrGroupInUse: the group has members, so it or its positions cannot be removed.
	ErrGroupInUse = errors.New("the consumer group has members")
	// ErrUnsupported: the brokers are too old for this.
	ErrUnsupported = errors.New("the brokers' version does not offer this")
)

// classify wraps what sarama returned with this package's sentinel for it, if there
// is one. Other errors (network, brokers away) stay as they are.
func classify(err error) error {
	if err == nil {
		return nil
	}
	for _, known := range []struct {
		sentinel error
		causes   []error
	}{
		{ErrAuth, []error{sarama.ErrSASLAuthenticationFailed, sarama.ErrUnsupportedSASLMechanism, sarama.ErrIllegalSASLState}},
		{ErrDenied, []error{sarama.ErrTopicAuthorizationFailed, sarama.ErrGroupAuthorizationFailed,
			sarama.ErrClusterAuthorizationFailed, sarama.ErrTransactionalIDAuthorizationFailed}},
		{ErrProducerFenced, []error{sarama.ErrProducerFenced, sarama.ErrInvalidProducerEpoch}},
		{ErrFenced, []error{sarama.ErrFencedInstancedId}},
		{ErrRebalance, []error{sarama.ErrRebalanceInProgress, sarama.ErrUnknownMemberId, sarama.ErrIllegalGeneration,
			sarama.ErrMemberIdRequired, sarama.ErrSessionPartitionCountChanged}},
		{ErrNoTopic, []error{sarama.ErrUnknownTopicOrPartition, sarama.ErrInvalidTopic}},
		{ErrOutOfRange, []error{sarama.ErrOffsetOutOfRange}},
		{ErrMessageTooLarge, []error{sarama.ErrMessageSizeTooLarge, sarama.ErrMessageSetSizeTooLarge}},
		{ErrInvalidRecord, []error{sarama.ErrInvalidRecord}},
		{ErrUnstable, []error{sarama.ErrUnstableOffsetCommit}},
		{ErrGroupInUse, []error{sarama.ErrNonEmptyGroup, sarama.ErrGroupSubscribedToTopic}},
		{ErrUnsupported, []error{sarama.ErrUnsupportedVersion}},
	} {
		if errors.Is(err, known.sentinel) {
			return err
		}
		for _, cause := range known.causes {
			if errors.Is(err, cause) {
				return fmt.Errorf("%w: %w", known.sentinel, err)
			}
		}
	}
	return err
}

// moved tells whether a coordinator answered that it is not (or not yet) the one.
func moved(err error) bool {
	return errors.Is(err, sarama.ErrNotCoordinatorForConsumer) || errors.Is(err, sarama.ErrConsumerCoordinatorNotAvailable) ||
		errors.Is(err, sarama.ErrOffsetsLoadInProgress)
}

// leaderMoved tells whether a partition's broker answered that another leads it now,
// or that it cannot answer for the moment.
func leaderMoved(err error) bool {
	for _, e := range []error{sarama.ErrNotLeaderForPartition, sarama.ErrLeaderNotAvailable, sarama.ErrReplicaNotAvailable,
		sarama.ErrFencedLeaderEpoch, sarama.ErrUnknownLeaderEpoch, sarama.ErrOffsetNotAvailable, sarama.ErrKafkaStorageError,
		sarama.ErrNetworkException, sarama.ErrRequestTimedOut, sarama.ErrNotEnoughReplicas, sarama.ErrNotEnoughReplicasAfterAppend} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// answered tells whether err is an error code that a broker sent.
func answered(err error) bool {
	var k sarama.KError
	return errors.As(err, &k)
}

// Remedy is a sentence that says what a person can do about err, "" where none is known.
func Remedy(err error) string {
	var (
		unknown  x509.UnknownAuthorityError
		hostname x509.HostnameError
		invalid  x509.CertificateInvalidError
		header   tls.RecordHeaderError
		dns      *net.DNSError
	)
	switch {
	case err == nil:
		return ""
	case errors.Is(err, sarama.ErrUnsupportedSASLMechanism):
		return "The broker does not offer this SASL mechanism. Choose PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512 as the broker is set up."
	case errors.Is(err, ErrAuth), errors.Is(err, sarama.ErrSASLAuthenticationFailed):
		return "The user name or the password is wrong, or the user was made for another SASL mechanism. Correct them and test again."
	case errors.Is(err, ErrDenied):
		return "The user is not allowed to do this. Grant it by an access control list: Read and Write on the topics, Read on the groups, and Write on the transactional IDs that start with connect-."
	case errors.Is(err, sarama.ErrInvalidTopic):
		return "The name of the topic is not allowed. Use at most 249 letters, digits, dots, underscores and hyphens."
	case errors.Is(err, sarama.ErrInvalidReplicationFactor):
		return "The cluster has fewer brokers than the topic is to have replicas. Lower the number of replicas."
	case errors.Is(err, ErrNoTopic):
		return "The topic does not exist. Create it or correct its name."
	case errors.Is(err, ErrProducerFenced):
		return "A transaction was open for too long, or another process runs with the same identity. It is tried again; if this goes on, look for the other process."
	case errors.Is(err, ErrFenced):
		return "Another process runs with the same identity. Stop it, or give this one a data directory of its own."
	case errors.Is(err, ErrMessageTooLarge):
		return "The record is larger than the topic allows. Raise max.message.bytes of the topic."
	case errors.Is(err, ErrInvalidRecord):
		return "The topic takes records with a key only, because it is compacted (cleanup.policy). Set its cleanup.policy to delete, or name another topic."
	case errors.Is(err, ErrGroupInUse):
		return "The consumer group has members. Stop them first."
	case errors.Is(err, ErrUnstable):
		return "A transaction holds positions of this group and is not decided. It ends by itself at its timeout; a producer that hangs must be aborted."
	case errors.Is(err, ErrUnsupported):
		return "The brokers are too old for this. Apache Kafka 2.5 or later offers everything."
	case errors.As(err, &unknown):
		return "The broker's certificate is signed by an authority that is not known here. Give its CA certificate."
	case errors.As(err, &hostname):
		return "The broker's certificate is for another name. Use the name in the certificate as the bootstrap server."
	case errors.As(err, &invalid):
		return "The broker's certificate is not valid (expired, or not for servers). Renew it."
	case errors.As(err, &header):
		return "The port does not speak TLS. Use the TLS port, or a protocol without SSL."
	case errors.As(err, &dns):
		return "The name cannot be resolved here. Correct it, or let this machine's resolver know it."
	case errors.Is(err, syscall.ECONNREFUSED):
		return "Nothing listens on this address. Check host and port, and that the broker runs."
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "There is no route to this address from here. Check the network between this machine and the broker."
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "The broker does not answer in time. Check address, port and the firewall or security group between."
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return "The broker closed the connection. Check that the security protocol is the one of this port: TLS, SASL or plain."
	}
	return ""
}
