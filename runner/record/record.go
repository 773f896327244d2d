// Package record holds the one shape that a Kafka record has inside Sluice, and
// the encoders that turn records into the bytes a destination receives.
//
// It imports nothing of the project: connectors, the runner and tests share it.
package record

// Header is one header of a Kafka record. A nil Value is Kafka's null.
type Header struct {
	Key   string
	Value []byte
}

// Record is one Kafka record as it was read from a partition.
//
// Key, Value and the headers' values alias the buffer of the fetch response they
// came in: a holder that keeps them keeps that buffer alive, and nobody writes to
// them. The Record struct itself is reused by the delivery loop; who needs it
// after the call that received it copies the struct (not the bytes).
type Record struct {
	Topic     string
	Partition int32
	Offset    int64
	// Timestamp is the record's time in milliseconds since the Unix epoch, as the
	// topic's message.timestamp.type makes it; -1 where the broker has none.
	Timestamp int64
	// Key is nil for Kafka's null key, empty but not nil for an empty one.
	Key []byte
	// Value is nil for Kafka's null value (a tombstone), empty but not nil for an empty one.
	Value   []byte
	Headers []Header
}

// Size is what the record counts for in a memory budget, in bytes: key, value and
// headers, and a constant for what surrounds them.
func (r *Record) Size() int64 {
	n := int64(len(r.Key) + len(r.Value) + recordOverhead)
	for i := range r.Headers {
		n += int64(len(r.Headers[i].Key) + len(r.Headers[i].Value) + headerOverhead)
	}
	return n
}

// recordOverhead and headerOverhead stand for the structs and slice headers around
// a record's bytes on a 64-bit machine.
const (
	recordOverhead = 120
	headerOverhead = 48
)
