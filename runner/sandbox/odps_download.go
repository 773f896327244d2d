package sandbox

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Download sessions: a view of a table or partition as it was when the session was made, read by ranges of rows.

type odpsDownloadJSON struct {
	DownloadID  string
	Status      string
	Initiated   string
	Owner       string
	RecordCount int64
	QuotaName   string
	Schema      odpsTunnelSchema
}

func (o *ODPS) createDownload(q *odpsRequest) *odpsError {
	if o.options.Discard {
		return odpsErr(http.StatusNotImplemented, "NotImplemented", "The stand-in was told to discard rows; there is nothing to download")
	}
	u, oerr := o.newSession(q, false)
	if oerr != nil {
		return oerr
	}
	if err := o.sessions.add(u, false, q.now, o.options.SessionLife); err != nil {
		return o.internal(q, err)
	}
	return o.writeDownload(q, u)
}

func (o *ODPS) getDownload(q *odpsRequest) *odpsError {
	u, oerr := o.sessionOf(q, "downloadid", "download")
	if oerr != nil {
		return oerr
	}
	return o.writeDownload(q, u)
}

func (o *ODPS) writeDownload(q *odpsRequest, u *odpsSession) *odpsError {
	u.mu.Lock()
	status := u.state(q.now, o.options.SessionLife)
	u.mu.Unlock()
	return q.writeJSON(http.StatusOK, odpsDownloadJSON{DownloadID: u.ID, Status: status, Initiated: u.Created.UTC().Format(http.TimeFormat), Owner: DefaultKey,
		RecordCount: u.snapshot.rows, Schema: u.schema()})
}

// parseRowRange reads "(start,count)".
func parseRowRange(text string, rows int64) (first, count int64, _ *odpsError) {
	a, b, ok := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(text, "("), ")"), ",")
	first, err1 := strconv.ParseInt(a, 10, 64)
	count, err2 := strconv.ParseInt(b, 10, 64)
	if !ok || err1 != nil || err2 != nil || first < 0 || count < 0 || first > rows || count > 0 && first == rows {
		return 0, 0, odpsErr(http.StatusBadRequest, "InvalidRowRange", "The specified row range is not valid: %s of %d rows", clip(text, 64), rows)
	}
	return first, min(count, rows-first), nil
}

// choice finds the columns that a request asks for; none are all.
func (u *odpsSession) choice(text string) ([]int, *odpsError) {
	all := make([]int, len(u.columns))
	for i := range all {
		all[i] = i
	}
	if text == "" {
		return all, nil
	}
	var list []int
	for name := range strings.SplitSeq(text, ",") {
		i := slices.IndexFunc(u.columns, func(c odpsColumn) bool { return strings.EqualFold(c.Name, strings.TrimSpace(name)) })
		if i < 0 || slices.Contains(list, i) {
			return nil, odpsErr(http.StatusBadRequest, "InvalidColumnSpec", "The specified columns is not valid: %s", clip(text, 512))
		}
		list = append(list, i)
	}
	return list, nil
}

func (o *ODPS) download(q *odpsRequest) *odpsError {
	u, oerr := o.sessionOf(q, "downloadid", "download")
	if oerr != nil {
		return oerr
	}
	if oerr := o.usable(q, u); oerr != nil {
		return oerr
	}
	if q.query.Has("arrow") {
		return odpsErr(http.StatusNotImplemented, "NotImplemented", "The stand-in does not give Arrow; read records in protobuf")
	}
	first, count, oerr := parseRowRange(q.query.Get("rowrange"), u.snapshot.rows)
	if oerr != nil {
		return oerr
	}
	choice, oerr := u.choice(q.query.Get("columns"))
	if oerr != nil {
		return oerr
	}
	encoding := acceptedODPS(q.r.Header.Get("Accept-Encoding"))
	q.w.Header().Set("Content-Type", "application/octet-stream")
	if encoding != "" {
		q.w.Header().Set("Content-Encoding", encoding)
	}
	err := u.send(q, encoding, first, count, choice)
	switch {
	case err == nil:
		return nil
	case !q.w.wrote && errors.Is(err, fs.ErrNotExist):
		q.w.Header().Del("Content-Encoding")
		return odpsErr(http.StatusBadRequest, "TableModified", "The specified table has been modified since the download initiated. Please initiate another download")
	case !q.w.wrote:
		q.w.Header().Del("Content-Encoding")
		return o.internal(q, err)
	}
	return &odpsError{code: "Cut", message: err.Error()} // an answer that has begun can only be broken off
}

// acceptedODPS is the first encoding of Accept-Encoding that the stand-in has.
func acceptedODPS(header string) string {
	for name := range strings.SplitSeq(strings.ToLower(header), ",") {
		switch name = strings.TrimSpace(name); name {
		case odpsSnappy, odpsZstd, odpsDeflate:
			return name
		}
	}
	return ""
}

// send writes a range of rows.
func (u *odpsSession) send(q *odpsRequest, encoding string, first, count int64, choice []int) error {
	// Nothing is written before there are rows: until then an error can still be told.
	out, err := encodeODPS(io.Writer(q.w), encoding)
	if err != nil {
		return err
	}
	encoder := newODPSEncoder(out)
	encoder.spoil = q.fault.WrongCRC
	whole := len(choice) == len(u.columns) && slices.IsSorted(choice)
	if count > 0 {
		err = u.snapshot.each(first, func(r *odpsRecords) (bool, error) {
			var err error
			if whole {
				err = encoder.raw(r.record, r.crc)
			} else {
				err = encoder.row(u.columns, choice, r.cells)
			}
			return encoder.rows < count, err
		})
	}
	if err == nil {
		err = encoder.close()
	}
	if err != nil {
		return err
	}
	return out.Close()
}
