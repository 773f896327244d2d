package record

import (
	"errors"
	"fmt"
	"strconv"
)

const (
	// MaxObjectName is the most bytes of an object's name in UTF-8 (OSS, "Object naming").
	MaxObjectName = 1023
	// maxTopicName is the most characters of a topic's name (Kafka, Topic.validate).
	maxTopicName = 249
)

// CheckTopic refuses what Kafka does not take as a topic's name: 1 to 249 letters,
// digits, dots, underscores and hyphens, neither "." nor "..".
func CheckTopic(topic string) error {
	switch {
	case topic == "":
		return errors.New("the topic's name is empty")
	case topic == "." || topic == "..":
		return fmt.Errorf("a topic cannot be named %q", topic)
	case len(topic) > maxTopicName:
		return fmt.Errorf("the topic's name has %d characters, at most %d are allowed", len(topic), maxTopicName)
	}
	for i := 0; i < len(topic); i++ {
		c := topic[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-' {
			return fmt.Errorf("topic %q: character %d is not a letter, digit, dot, underscore or hyphen", topic, i+1)
		}
	}
	return nil
}

// ObjectName is the name of the object of topic's records from offset first to last:
//
//	<prefix><path>/<topic>-<partition>-<first, 20 digits>-<last, 20 digits>.<ext>
//
// without the slash where path is empty. It fails when the parts are no topic and no
// range, or the name would have more than [MaxObjectName] bytes.
func ObjectName(prefix, path, topic string, partition int32, first, last int64, ext string) (string, error) {
	if err := CheckTopic(topic); err != nil {
		return "", err
	}
	if partition < 0 || first < 0 || last < first {
		return "", fmt.Errorf("partition %d with offsets %d to %d is no range", partition, first, last)
	}
	b := make([]byte, 0, len(prefix)+len(path)+len(topic)+len(ext)+56)
	b = append(b, prefix...)
	if path != "" {
		b = append(b, path...)
		b = append(b, '/')
	}
	b = append(b, topic...)
	b = append(b, '-')
	b = strconv.AppendInt(b, int64(partition), 10)
	b = append(b, '-')
	b = appendOffset(b, first)
	b = append(b, '-')
	b = appendOffset(b, last)
	b = append(b, '.')
	b = append(b, ext...)
	if len(b) > MaxObjectName {
		return "", fmt.Errorf("the object's name would have %d bytes, at most %d are allowed: shorten the prefix or the path", len(b), MaxObjectName)
	}
	return string(b), nil
}

// appendOffset appends an offset, which is not negative, with 20 digits.
func appendOffset(b []byte, offset int64) []byte {
	var digits [20]byte
	for i := len(digits) - 1; i >= 0; i-- {
		digits[i] = byte('0' + offset%10)
		offset /= 10
	}
	return append(b, digits[:]...)
}
