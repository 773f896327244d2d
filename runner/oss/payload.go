package oss

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/record"
)

// entry is one object: path, first and last offset, length in bytes and CRC64. Its
// name follows from them and the shape settings.
type entry struct {
	Path   string `json:"p"`
	First  int64  `json:"f"`
	Last   int64  `json:"l"`
	Length int64  `json:"n"`
	CRC    uint64 `json:"c,string"`
}

// payload is what an intent names: the objects of the chunk.
type payload struct {
	// Packed are the objects, each "shared,first,last,length,crc,rest": the path is what
	// it shares with the one before it and the rest; offsets are counted from the
	// intent's first; numbers have base 36, the CRC64 is base64. About 90 objects fit.
	Packed []string `json:"e,omitempty"`
	// Many stands for more objects than fit, and Digest for their packed list: what
	// became of them is found out by writing the range again, which leaves alone what is
	// there and equal.
	Many   int    `json:"n,omitempty"`
	Digest string `json:"x,omitempty"`
	// Objects is how intents were written before.
	Objects []entry `json:"o,omitempty"`
}

// mostPaths bounds the objects of a chunk: how many are written again, or looked at,
// after a crash.
const mostPaths = 1000

// encodePayload names the objects of a chunk that begins at offset base.
func encodePayload(base int64, objects []entry) ([]byte, error) {
	var p payload
	before := ""
	for _, e := range objects {
		shared := sharedPrefix(before, e.Path)
		p.Packed = append(p.Packed, fmt.Sprintf("%s,%s,%s,%s,%s,%s", strconv.FormatInt(int64(shared), 36), strconv.FormatInt(e.First-base, 36),
			strconv.FormatInt(e.Last-base, 36), strconv.FormatInt(e.Length, 36), packCRC(e.CRC), e.Path[shared:]))
		before = e.Path
	}
	b, err := json.Marshal(p)
	if err == nil && len(b) > connector.MaxPayload {
		b, err = json.Marshal(payload{Many: len(objects), Digest: packCRC(uint64(record.CRC64(0).Update(b)))})
	}
	if err != nil {
		return nil, fmt.Errorf("encoding the intent: %w", err)
	}
	return b, nil
}

// parsePayload reads the objects of the intent that begins at offset base; none, and
// their number in many, where they were too many to be named.
func parsePayload(b []byte, base int64) (objects []entry, many int, err error) {
	var p payload
	if err := json.Unmarshal(b, &p); err != nil {
		return nil, 0, &connector.MismatchError{What: "the intent's list of objects cannot be read: " + err.Error()}
	}
	if p.Many > 0 {
		return nil, p.Many, nil
	}
	objects = p.Objects
	before := ""
	for _, text := range p.Packed {
		e, err := unpack(text, before, base)
		if err != nil {
			return nil, 0, &connector.MismatchError{What: fmt.Sprintf("the intent's object %q cannot be read: %v", text, err)}
		}
		objects, before = append(objects, e), e.Path
	}
	if len(objects) == 0 {
		return nil, 0, &connector.MismatchError{What: "the intent names no object"}
	}
	return objects, 0, nil
}

func unpack(text, before string, base int64) (e entry, err error) {
	f := strings.SplitN(text, ",", 6)
	if len(f) != 6 {
		return e, fmt.Errorf("%d fields instead of 6", len(f))
	}
	var n [4]int64
	for i := range n {
		if n[i], err = strconv.ParseInt(f[i], 36, 64); err != nil {
			return e, err
		}
		if n[i] < 0 {
			return e, fmt.Errorf("%s is negative", f[i])
		}
	}
	if n[0] > int64(len(before)) {
		return e, fmt.Errorf("it shares %d bytes with a path of %d", n[0], len(before))
	}
	crc, err := base64.RawURLEncoding.DecodeString(f[4])
	if err != nil || len(crc) != 8 {
		return e, fmt.Errorf("%q is no CRC64", f[4])
	}
	return entry{Path: before[:n[0]] + f[5], First: base + n[1], Last: base + n[2], Length: n[3], CRC: binary.BigEndian.Uint64(crc)}, nil
}

func packCRC(crc uint64) string {
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, crc))
}

// sharedPrefix is how many bytes a and b have in common at their beginning. It may cut
// a character in two only where both have it, so it goes back to a character's start.
func sharedPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	for n > 0 && n < len(b) && b[n]&0xC0 == 0x80 {
		n--
	}
	return n
}
