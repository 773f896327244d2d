package maxcompute

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// States of an upload session, as the service names them.
const (
	stateNormal     = "NORMAL"
	stateClosing    = "CLOSING"
	stateCommitting = "COMMITTING"
	stateClosed     = "CLOSED"
	stateCanceled   = "CANCELED"
	stateExpired    = "EXPIRED"
	stateCritical   = "CRITICAL"
)

// maxBlocks is how many blocks a session may have.
const maxBlocks = 20_000

// session is an upload session as the service tells of it.
type session struct {
	ID     string `json:"UploadID"`
	Status string
	Schema struct {
		Columns []tunnelColumn `json:"columns"`
	}
	Blocks []struct{ BlockID int } `json:"UploadedBlockList"`
}

type tunnelColumn struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Nullable *bool  `json:"nullable"`
}

// has tells whether blocks 0 to n-1 are uploaded, and no other.
func (s *session) has(n int) bool {
	if len(s.Blocks) != n {
		return false
	}
	ids := make([]int, 0, n)
	for _, b := range s.Blocks {
		ids = append(ids, b.BlockID)
	}
	slices.Sort(ids)
	for i, id := range ids {
		if id != i {
			return false
		}
	}
	return true
}

// tunnelHeader are the headers that the SDK sends with requests to Tunnel.
func tunnelHeader() http.Header {
	h := http.Header{}
	h.Set("odps-tunnel-date-transform", "v1")
	h.Set("x-odps-tunnel-version", "5")
	return h
}

// place is a table of the project.
type place struct{ project, schema, table string }

func (p place) path() string {
	path := "/projects/" + url.PathEscape(p.project)
	if p.schema != "" {
		path += "/schemas/" + url.PathEscape(p.schema)
	}
	return path + "/tables/" + url.PathEscape(p.table)
}

// sql is the table's name in SQL.
func (p place) sql() string {
	if p.schema != "" {
		return p.project + "." + p.schema + "." + p.table
	}
	return p.project + "." + p.table
}

// openSession opens an upload session for a partition, which is created where it is
// missing.
func (c *client) openSession(ctx context.Context, p place, pt string) (*session, error) {
	return c.session(ctx, call{doing: "opening an upload session for " + pt, method: http.MethodPost, tunnel: true, path: p.path(), header: tunnelHeader(),
		query: url.Values{"uploads": {""}, "partition": {partitionColumn + "=" + pt}, "create_partition": {"true"}}})
}

// look asks for a session's state.
func (c *client) look(ctx context.Context, p place, pt, id string) (*session, error) {
	return c.session(ctx, call{doing: "looking at upload session " + id, method: http.MethodGet, tunnel: true, path: p.path(), header: tunnelHeader(),
		query: url.Values{"uploadid": {id}, "partition": {partitionColumn + "=" + pt}}})
}

func (c *client) session(ctx context.Context, r call) (*session, error) {
	a, err := c.do(ctx, r)
	if err != nil {
		return nil, err
	}
	var s session
	if err := json.Unmarshal(a.body, &s); err != nil || s.ID == "" {
		return nil, c.classify.away(fmt.Errorf("%s: the answer is no upload session: %q", r.doing, clip(string(a.body), 100)))
	}
	s.Status = strings.ToUpper(s.Status)
	return &s, nil
}

// putBlock uploads one block; one of the same number is replaced.
func (c *client) putBlock(ctx context.Context, p place, pt, id string, block int, b *body) error {
	header := tunnelHeader()
	header.Set("Content-Type", "application/octet-stream")
	header.Set("Content-Encoding", contentCoding)
	_, err := c.do(ctx, call{doing: fmt.Sprintf("uploading block %d of session %s", block, id), method: http.MethodPut, tunnel: true, path: p.path(), header: header,
		query: url.Values{"uploadid": {id}, "blockid": {strconv.Itoa(block)}, "partition": {partitionColumn + "=" + pt}},
		body:  b.reader, length: b.length})
	return err
}

// commit makes a session's rows visible. The status is what the answer tells, "" where
// it tells nothing.
func (c *client) commit(ctx context.Context, p place, pt, id string) (status string, err error) {
	a, err := c.do(ctx, call{doing: "committing upload session " + id, method: http.MethodPost, tunnel: true, path: p.path(), header: tunnelHeader(), timeout: commitTimeout,
		query: url.Values{"uploadid": {id}, "partition": {partitionColumn + "=" + pt}}})
	if err != nil {
		return "", err
	}
	var s session
	_ = json.Unmarshal(a.body, &s) // an empty answer is looked into by asking
	return strings.ToUpper(s.Status), nil
}

// sessionOver tells that an error means that the session will never take what it is for.
func sessionOver(err error) bool {
	return errors.Is(err, errNoSession) || errors.Is(err, errNoPartition) || errors.Is(err, errModified) || errors.Is(err, errConflict)
}

var _ io.ReadCloser = (*bodyReader)(nil)
