package runner

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/record"
)

const (
	// metadataFormat is the version of the text that stands in a commit's metadata.
	metadataFormat = 1
	// maxMetadata is Kafka's default offset.metadata.max.bytes.
	maxMetadata = 4096
	// maxIntent bounds the intent's part of it, in bytes of JSON text.
	maxIntent = 3500
)

// errNotOurs: a commit's metadata was not written by Sluice.
var errNotOurs = errors.New("the position's metadata was not written by Sluice")

// header stands in every commit's metadata: what the position belongs to.
type header struct {
	// Format is metadataFormat; its key makes the text recognisable as ours.
	Format int `json:"sluice"`
	// TopicID is the topic's UUID, "" on brokers without.
	TopicID string `json:"topic,omitempty"`
	// Epoch is the replay epoch: random, anew at each operator-made position change.
	Epoch string `json:"epoch"`
	// Config is the content hash of the configuration that the position was reached with.
	Config string `json:"config"`
	// Encoder is the Spec's EncoderVersion.
	Encoder int `json:"encoder"`
	// Last is the last record read below the position; nil when none was read yet.
	Last *lastRecord `json:"last,omitempty"`
}

// lastRecord identifies a record of the log, so that a log that was truncated and
// filled again is noticed.
type lastRecord struct {
	Offset    int64  `json:"offset"`
	Timestamp int64  `json:"time"`
	CRC       uint32 `json:"crc"` // record.LastCRC
}

func newLastRecord(r *record.Record) *lastRecord {
	return &lastRecord{Offset: r.Offset, Timestamp: r.Timestamp, CRC: record.LastCRC(r)}
}

// same tells whether r is the record that was read.
func (l *lastRecord) same(r *record.Record) bool { return *l == *newLastRecord(r) }

// newHeader is the header of a position that no record has been read below yet.
func newHeader(topicID, epoch, configHash string, encoder int) header {
	return header{Format: metadataFormat, TopicID: topicID, Epoch: epoch, Config: configHash, Encoder: encoder}
}

type metadataText struct {
	header
	Intent *intentText `json:"intent,omitempty"`
}

type intentText struct {
	connector.Intent
	Payload json.RawMessage `json:"payload,omitempty"`
}

// encodeMetadata writes header and intent (nil: none) as the JSON text of a commit's
// metadata. It refuses what Kafka would refuse or change silently: text that is too
// long or not UTF-8.
func encodeMetadata(h header, in *connector.Intent) (string, error) {
	m := metadataText{header: h}
	if in != nil {
		t := intentText{Intent: *in}
		if len(in.Payload) > 0 {
			t.Payload = json.RawMessage(in.Payload)
		}
		b, err := marshalPlain(t)
		if err != nil {
			return "", fmt.Errorf("writing the intent as JSON: %w", err)
		}
		if len(b) > maxIntent {
			return "", fmt.Errorf("the intent is %d bytes long, %d are allowed", len(b), maxIntent)
		}
		m.Intent = &t
	}
	b, err := marshalPlain(m)
	if err != nil {
		return "", fmt.Errorf("writing the position's metadata as JSON: %w", err)
	}
	if len(b) > maxMetadata {
		return "", fmt.Errorf("the position's metadata is %d bytes long, %d are allowed", len(b), maxMetadata)
	}
	if !utf8.Valid(b) {
		return "", errors.New("the position's metadata is not UTF-8 text")
	}
	return string(b), nil
}

// marshalPlain is json.Marshal without its escaping for HTML, which would triple the
// length of some payloads.
func marshalPlain(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// decodeMetadata reads what encodeMetadata wrote. Topic and Partition of the intent
// are the caller's to fill in; its TopicID and Epoch are the header's. Text that is
// not ours gives an error that is errNotOurs.
func decodeMetadata(s string) (header, *connector.Intent, error) {
	var m metadataText
	if err := json.Unmarshal([]byte(s), &m); err != nil || m.Format == 0 {
		return header{}, nil, errNotOurs
	}
	if m.Format != metadataFormat {
		return header{}, nil, fmt.Errorf("%w in a form this version knows: it has format %d, known is %d", errNotOurs, m.Format, metadataFormat)
	}
	if m.Intent == nil {
		return m.header, nil, nil
	}
	in := m.Intent.Intent
	in.Payload = m.Intent.Payload
	in.TopicID, in.Epoch = m.TopicID, m.Epoch
	if in.First < 0 || in.Next <= in.First || in.Count < 0 {
		return header{}, nil, fmt.Errorf("%w: its intent has offsets %d to %d", errNotOurs, in.First, in.Next)
	}
	return m.header, &in, nil
}
