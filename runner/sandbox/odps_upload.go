package sandbox

import (
	"bufio"
	"crypto/md5"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Upload sessions: made for a table or a partition, filled by blocks, made visible by one commit.

const (
	odpsBlockLimit   = 20000 // numbers 0–19999
	odpsFlowPeriod   = 5 * time.Minute
	odpsCommitPeriod = 15 * time.Second
)

type odpsTunnelColumn struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Nullable bool   `json:"nullable"`
	Comment  string `json:"comment"`
	ColumnID string `json:"column_id"`
}

type odpsTunnelSchema struct {
	IsVirtualView bool               `json:"IsVirtualView"`
	Columns       []odpsTunnelColumn `json:"columns"`
	PartitionKeys []odpsTunnelColumn `json:"partitionKeys"`
}

func (u *odpsSession) schema() odpsTunnelSchema {
	list := func(columns []odpsColumn) []odpsTunnelColumn {
		out := make([]odpsTunnelColumn, len(columns))
		for i, c := range columns {
			out[i] = odpsTunnelColumn{c.Name, c.Type, !c.NotNull, c.Comment, strconv.Itoa(i)}
		}
		return out
	}
	schema := odpsTunnelSchema{Columns: list(u.columns), PartitionKeys: []odpsTunnelColumn{}}
	if u.table != nil {
		schema.PartitionKeys = list(u.table.Partitions)
	}
	return schema
}

type odpsUploadJSON struct {
	UploadID          string
	Status            string
	Initiated         string
	Owner             string
	IsOverwrite       bool
	MaxFieldSize      int
	QuotaName         string
	Schema            odpsTunnelSchema
	UploadedBlockList []odpsBlockJSON
}

type odpsBlockJSON struct {
	BlockID     int
	CreateTime  int64
	Date        string
	FileName    string
	RecordCount int64
	Version     int64
}

// writeUpload answers with an upload session.
func (o *ODPS) writeUpload(q *odpsRequest, u *odpsSession, status int) *odpsError {
	u.mu.Lock()
	doc := odpsUploadJSON{UploadID: u.ID, Status: u.state(q.now, o.options.SessionLife), Initiated: u.Created.UTC().Format(http.TimeFormat), Owner: DefaultKey,
		IsOverwrite: u.Overwrite, MaxFieldSize: odpsMaxField, Schema: u.schema(), UploadedBlockList: []odpsBlockJSON{}}
	for _, b := range u.blockList() {
		doc.UploadedBlockList = append(doc.UploadedBlockList, odpsBlockJSON{b.ID, b.created.Unix(), b.created.UTC().Format(http.TimeFormat), strconv.Itoa(b.ID), b.Rows, int64(b.version)})
	}
	u.mu.Unlock()
	return q.writeJSON(status, doc)
}

func (q *odpsRequest) writeJSON(status int, v any) *odpsError {
	data, err := json.Marshal(v)
	if err != nil {
		return odpsErr(http.StatusInternalServerError, "InternalServerError", "Writing the answer: %s", err)
	}
	q.w.Header().Set("Content-Type", "application/json")
	q.w.Header().Set("odps-tunnel-date-transform", "true")
	q.w.WriteHeader(status)
	_, _ = q.w.Write(data) // the client may be gone; there is nobody to tell
	return nil
}

// newSession makes a session for the table and partition that the request names.
func (o *ODPS) newSession(q *odpsRequest, create bool) (*odpsSession, *odpsError) {
	t, oerr := o.tableOf(q)
	if oerr != nil {
		return nil, oerr
	}
	text := q.query.Get("partition")
	switch {
	case text == "" && len(t.Partitions) > 0:
		return nil, odpsErr(http.StatusBadRequest, "MissingPartitionSpec", "You need to specify a partitionspec along with the specified table")
	case text != "" && len(t.Partitions) == 0, strings.ContainsAny(text, `'"`):
		return nil, odpsErr(http.StatusBadRequest, "InvalidPartitionSpec", "The specified partitionspec is not valid: %s", clip(text, 512))
	}
	given, oerr := t.parseSpec(text)
	if oerr != nil {
		return nil, oerr
	}
	values, whole := t.wholeValues(given)
	if !whole {
		return nil, odpsErr(http.StatusBadRequest, "InvalidPartitionSpec", "The specified partitionspec does not name every partition column: %s", clip(text, 512))
	}
	spec := t.spec(values)
	if create && o.store.part(t, spec) == nil {
		if _, err := o.store.createPart(t, values, q.now); err != nil {
			return nil, o.internal(q, err)
		}
	}
	snapshot, ok := o.store.snapshot(t, spec)
	if !ok {
		return nil, errODPSNoPartition(clip(text, 512))
	}
	return &odpsSession{ID: strings.ToLower(q.now.UTC().Format("20060102150405") + randomID()), Name: t.odpsName, TableID: t.ID, PartID: snapshot.part.ID, Spec: spec,
		Created: q.now.UTC().Round(0), table: t, part: snapshot.part, columns: snapshot.columns, snapshot: snapshot, status: odpsNormal, blocks: make(map[int]*odpsBlock)}, nil
}

func (o *ODPS) createUpload(q *odpsRequest) *odpsError {
	create, _ := strconv.ParseBool(q.query.Get("create_partition"))
	t, oerr := o.tableOf(q)
	if oerr != nil {
		return oerr
	}
	if !t.sessions.take(q.now, odpsFlowPeriod, o.options.Limits.Sessions) {
		return errODPSFlow(fmt.Sprintf("%d sessions of table %s in 5 minutes", o.options.Limits.Sessions, t.odpsName))
	}
	u, oerr := o.newSession(q, create)
	if oerr != nil {
		return oerr
	}
	u.Overwrite, _ = strconv.ParseBool(q.query.Get("overwrite"))
	u.snapshot = odpsSnapshot{}
	if err := o.sessions.add(u, true, q.now, o.options.SessionLife); err != nil {
		return o.internal(q, err)
	}
	return o.writeUpload(q, u, http.StatusOK)
}

// sessionOf finds the session that the request names, which must be of the table and partition that it names.
func (o *ODPS) sessionOf(q *odpsRequest, parameter, kind string) (*odpsSession, *odpsError) {
	id := q.query.Get(parameter)
	u := o.sessions.get(id)
	if u == nil || (u.snapshot.part != nil) != (parameter == "downloadid") {
		return nil, odpsErr(http.StatusNotFound, "NoSuch"+strings.ToUpper(kind[:1])+kind[1:], "The specified %s id does not exist: %s", kind, clip(id, 128))
	}
	if u.Name != q.name || q.query.Has("partition") && !u.isFor(q.query.Get("partition")) {
		return nil, odpsErr(http.StatusBadRequest, "InvalidResourceSpec", "The specified project, table or partition is not that of session %s, which is of %s %s", clip(id, 128), u.Name, u.Spec)
	}
	return u, nil
}

func (u *odpsSession) isFor(text string) bool {
	if u.table == nil {
		return true
	}
	given, oerr := u.table.parseSpec(text)
	if oerr != nil {
		return false
	}
	spec, whole := u.table.wholeSpec(given)
	return whole && spec == u.Spec
}

func (o *ODPS) getUpload(q *odpsRequest) *odpsError {
	u, oerr := o.sessionOf(q, "uploadid", "upload")
	if oerr != nil {
		return oerr
	}
	return o.writeUpload(q, u, http.StatusOK)
}

// uploadBlock takes a block: its bytes are checked as they come and kept as they came.
func (o *ODPS) uploadBlock(q *odpsRequest) *odpsError {
	u, oerr := o.sessionOf(q, "uploadid", "upload")
	if oerr != nil {
		return oerr
	}
	id, err := strconv.Atoi(q.query.Get("blockid"))
	if err != nil || id < 0 || id >= odpsBlockLimit {
		return odpsErr(http.StatusBadRequest, "InvalidBlockID", "The specified block id is not valid: %s is not 0 to %d", clip(q.query.Get("blockid"), 32), odpsBlockLimit-1)
	}
	if q.query.Has("arrow") {
		return odpsErr(http.StatusNotImplemented, "NotImplemented", "The stand-in does not take Arrow; write records in protobuf")
	}
	if oerr := o.usable(q, u); oerr != nil {
		return oerr
	}
	if !u.table.blocks.take(q.now, odpsFlowPeriod, o.options.Limits.Blocks) {
		return errODPSFlow(fmt.Sprintf("%d blocks of table %s in 5 minutes", o.options.Limits.Blocks, u.Name))
	}
	b := &odpsBlock{odpsFrameBlock: odpsFrameBlock{ID: id}, created: q.now}
	if oerr := o.receiveBlock(q, u, b); oerr != nil {
		return oerr
	}
	if oerr := o.keepBlock(q, u, b); oerr != nil {
		return oerr
	}
	o.nRowsIn.Add(b.Rows)
	q.w.WriteHeader(http.StatusOK)
	return nil
}

// usable refuses a session that takes no blocks.
func (o *ODPS) usable(q *odpsRequest, u *odpsSession) *odpsError {
	u.mu.Lock()
	defer u.mu.Unlock()
	if status := u.state(q.now, o.options.SessionLife); status != odpsNormal {
		return errODPSConflict("upload", u.ID, status)
	}
	return nil
}

// receiveBlock reads and checks the body into a temporary file.
func (o *ODPS) receiveBlock(q *odpsRequest, u *odpsSession, b *odpsBlock) *odpsError {
	b.Encoding = strings.ToLower(q.r.Header.Get("Content-Encoding"))
	if b.Encoding == "identity" {
		b.Encoding = ""
	}
	raw := &odpsTee{r: q.body}
	if q.r.Header.Get("Content-MD5") != "" {
		raw.md5 = md5.New()
	}
	if !o.options.Discard {
		file, err := os.CreateTemp(filepath.Join(o.sessions.dir, u.ID), "*.tmp")
		if err != nil {
			return o.internal(q, err)
		}
		raw.w, b.path = bufio.NewWriterSize(file, odpsWindow), file.Name()
		defer file.Close()
	}
	err := raw.receive(u.columns, b, o.options.SkipChecks)
	q.body.ended()
	var oerr *odpsError
	if err != nil {
		oerr = o.bodyProblem(q, err)
	} else if raw.md5 != nil {
		oerr = q.checkMD5(raw.md5.Sum(nil))
	}
	if oerr != nil && b.path != "" {
		_ = os.Remove(b.path) // what stays is swept at the next start
	}
	return oerr
}

// odpsTee hands a body on as it is read.
type odpsTee struct {
	r   io.Reader
	w   *bufio.Writer // nil: nowhere
	md5 hash.Hash     // nil: none
	n   int64
	err error // of keeping it
}

func (t *odpsTee) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	t.n += int64(n)
	if t.md5 != nil {
		t.md5.Write(p[:n])
	}
	if t.w != nil && n > 0 {
		if _, t.err = t.w.Write(p[:n]); t.err != nil {
			return n, fmt.Errorf("keeping block: %w", t.err)
		}
	}
	return n, err
}

// receive reads all records of the body and notes how many they are.
func (t *odpsTee) receive(columns []odpsColumn, b *odpsBlock, trusted bool) error {
	r, done, err := decodeODPS(t, b.Encoding)
	if err != nil {
		var known *odpsError
		if errors.As(err, &known) {
			return err
		}
		return malformed("it is not %s: %s", b.Encoding, err)
	}
	defer done()
	records := newODPSRecords(r, columns)
	records.trusted = trusted
	for err == nil {
		err = records.next()
	}
	if err != io.EOF {
		if t.err != nil || errors.Is(err, errODPSMalformed) || errors.Is(err, errODPSCorrupted) {
			return err
		}
		return malformed("reading %s: %s", b.Encoding, err)
	}
	if _, err := io.Copy(io.Discard, t); err != nil { // what a decoder leaves behind the end
		return err
	}
	b.Rows, b.Length = records.rows, t.n
	if t.w != nil {
		return t.w.Flush()
	}
	return nil
}

// keepBlock makes a whole block one of the session, in place of an older one of its number.
func (o *ODPS) keepBlock(q *odpsRequest, u *odpsSession, b *odpsBlock) *odpsError {
	u.mu.Lock()
	defer u.mu.Unlock()
	temporary := b.path
	discard := func(oerr *odpsError) *odpsError {
		if temporary != "" {
			_ = os.Remove(temporary) // what stays is swept at the next start
		}
		return oerr
	}
	if status := u.state(q.now, o.options.SessionLife); status != odpsNormal {
		return discard(errODPSConflict("upload", u.ID, status))
	}
	u.version++
	b.version = u.version
	if temporary != "" {
		b.path = filepath.Join(o.sessions.dir, u.ID, b.name())
		if err := os.Rename(temporary, b.path); err != nil {
			return discard(o.internal(q, err))
		}
		if old := u.blocks[b.ID]; old != nil {
			_ = os.Remove(old.path) // the later version counts if it stays
		}
	}
	u.blocks[b.ID] = b
	return nil
}

// commitUpload makes a session's rows visible. It goes on when the client leaves.
func (o *ODPS) commitUpload(q *odpsRequest) *odpsError {
	u, oerr := o.sessionOf(q, "uploadid", "upload")
	if oerr != nil {
		return oerr
	}
	if _, oerr := o.readBody(q); oerr != nil {
		return oerr
	}
	if oerr := o.usable(q, u); oerr != nil {
		return oerr
	}
	limits := o.options.Limits
	if !u.table.commits.take(q.now, odpsCommitPeriod, limits.Commits) {
		return errODPSFlow(fmt.Sprintf("%d commits to table %s in 15 seconds", limits.Commits, u.Name))
	}
	if !o.store.enter(u.table, limits.Committing) {
		return errODPSFlow(fmt.Sprintf("%d commits to table %s at once", limits.Committing, u.Name))
	}
	defer o.store.leave(u.table)
	u.mu.Lock()
	if status := u.state(q.now, o.options.SessionLife); status != odpsNormal {
		u.mu.Unlock()
		return errODPSConflict("upload", u.ID, status)
	}
	u.status = odpsClosing
	u.mu.Unlock()
	if o.options.CommitTakes > 0 {
		select {
		case <-time.After(o.options.CommitTakes):
		case <-o.base.Done():
		}
	}
	if oerr := o.closeSession(q, u); oerr != nil {
		return oerr
	}
	return o.writeUpload(q, u, http.StatusOK)
}

func (o *ODPS) closeSession(q *odpsRequest, u *odpsSession) *odpsError {
	err := o.store.commit(u, q.now)
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case errors.Is(err, errODPSGone):
		u.status = odpsCritical
		return odpsErr(http.StatusBadRequest, "TableModified", "The specified table has been modified since the upload initiated. Please initiate another upload")
	case err != nil:
		u.status = odpsNormal
		return o.internal(q, err)
	}
	u.status = odpsClosed
	o.nCommits.Add(1)
	o.sessions.remove(u.ID)
	return nil
}

// enter counts one more commit under way unless there are limit of them; a negative limit is none.
func (s *odpsStore) enter(t *odpsTable, limit int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if limit >= 0 && t.committing >= limit {
		return false
	}
	t.committing++
	return true
}

func (s *odpsStore) leave(t *odpsTable) {
	s.mu.Lock()
	t.committing--
	s.mu.Unlock()
}
