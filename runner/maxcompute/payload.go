package maxcompute

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/sluice-io/sluice/runner/connector"
)

// entry is one upload session of a chunk: the table partition it fills, how many blocks
// it has, numbered from 0, and how many rows are in them.
type entry struct {
	pt      string
	session string
	blocks  int
	rows    int64
	// said is done or gone where that was found out, or a person said it: it counts
	// when the service and the table do not tell.
	said verdict
}

// payload is what an intent names: the sessions of the chunk, each
// "blocks,rows,session,pt" with numbers of base 36, and before them + or - where its rows
// are said to be in the table, or not to be.
type payload struct {
	Sessions []string `json:"s"`
}

// maxParts bounds the table partitions of a chunk.
const maxParts = 40

const (
	// unknownID is how long session IDs are taken to be until one was seen, in bytes.
	unknownID = 100
	// aroundEntry is what an entry has beside session and partition: quotation marks,
	// commas, two numbers and a sign.
	aroundEntry = 20
	// aroundPayload is what a payload has beside its entries.
	aroundPayload = 16
	longestPT     = len("MM-dd-yyyy HH:mm")
)

// partsFor is how many table partitions an intent can name with session IDs of n bytes.
func partsFor(n int) int {
	return max(1, min(maxParts, (connector.MaxPayload-aroundPayload)/(n+longestPT+aroundEntry)))
}

func encodePayload(entries []entry) ([]byte, error) {
	p := payload{Sessions: make([]string, len(entries))}
	for i, e := range entries {
		p.Sessions[i] = fmt.Sprintf("%s%s,%s,%s,%s", signs[e.said], strconv.FormatInt(int64(e.blocks), 36), strconv.FormatInt(e.rows, 36), e.session, e.pt)
	}
	b, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encoding the intent: %w", err)
	}
	if len(b) > connector.MaxPayload {
		return nil, fmt.Errorf("the intent of %d upload sessions has %d bytes, at most %d fit", len(entries), len(b), connector.MaxPayload)
	}
	return b, nil
}

// signs are what is said of an entry.
var signs = map[verdict]string{done: "+", gone: "-"}

func signed(text string) (said verdict, number string) {
	for v, sign := range signs {
		if number, ok := strings.CutPrefix(text, sign); ok {
			return v, number
		}
	}
	return unsure, text
}

func parsePayload(b []byte) ([]entry, error) {
	var p payload
	if err := json.Unmarshal(b, &p); err != nil {
		return nil, &connector.MismatchError{What: "the intent's list of upload sessions cannot be read: " + err.Error()}
	}
	out := make([]entry, 0, len(p.Sessions))
	for _, text := range p.Sessions {
		f := strings.SplitN(text, ",", 4)
		if len(f) != 4 || f[2] == "" || f[3] == "" {
			return nil, &connector.MismatchError{What: fmt.Sprintf("the intent's upload session %q cannot be read", text)}
		}
		said, number := signed(f[0])
		blocks, err := strconv.ParseInt(number, 36, 32)
		rows, err2 := strconv.ParseInt(f[1], 36, 64)
		if err != nil || err2 != nil || blocks < 1 || blocks > maxBlocks || rows < 1 {
			return nil, &connector.MismatchError{What: fmt.Sprintf("the intent's upload session %q has no right number of blocks and rows", text)}
		}
		out = append(out, entry{pt: f[3], session: f[2], blocks: int(blocks), rows: rows, said: said})
	}
	return out, nil
}
