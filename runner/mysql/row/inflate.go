package row

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zlib"
)

// inflater decompresses what MariaDB compresses: whole events and columns declared COMPRESSED.
type inflater struct {
	in   bytes.Reader
	zlib io.ReadCloser
	raw  io.ReadCloser
}

// Deflate gains at most this factor; a length beyond it is a lie.
const maxInflate = 1032

// event decompresses the rows of a compressed event (MariaDB, sql/log_event.cc,
// binlog_buf_uncompress): 4 bits of algorithm, of which only zlib exists, 3 bits with the
// number of bytes of the length, which follows big-endian.
func (f *inflater) event(dst, b []byte) ([]byte, error) {
	if len(b) == 0 {
		return nil, errShort
	}
	if algorithm := b[0] >> 4 & 7; algorithm != 0 || b[0]&0x80 == 0 {
		return nil, fmt.Errorf("algorithm %d is not known", algorithm)
	}
	return f.inflate(dst, b[1:], int(b[0]&7), false)
}

// column decompresses a value of a COMPRESSED column and appends it (MariaDB, sql/field.cc,
// Field_longstr::compress): 4 bits of method, 0 for none and 8 for zlib, a bit that tells
// raw deflate from zlib's format, 3 bits with the number of bytes of the length. No bytes at all are an empty value.
func (f *inflater) column(dst, b []byte) ([]byte, error) {
	if len(b) == 0 {
		return dst, nil
	}
	switch method := b[0] >> 4; method {
	case 0:
		return append(dst, b[1:]...), nil
	case 8:
		return f.inflate(dst, b[1:], int(b[0]&7), b[0]&8 != 0)
	default:
		return nil, fmt.Errorf("method %d is not known", method)
	}
}

// inflate appends what b holds: a big-endian length of so many bytes, then the data.
func (f *inflater) inflate(dst, b []byte, lengthBytes int, raw bool) ([]byte, error) {
	if lengthBytes < 1 || lengthBytes > 4 || len(b) < lengthBytes {
		return nil, errShort
	}
	length := big(b[:lengthBytes])
	b = b[lengthBytes:]
	if length > uint64(len(b))*maxInflate {
		return nil, fmt.Errorf("%d bytes cannot hold %d", len(b), length)
	}
	r, err := f.reader(b, raw)
	if err != nil {
		return nil, err
	}
	at, n := len(dst), int(length)
	dst = append(dst, make([]byte, n)...)
	if _, err := io.ReadFull(r, dst[at:]); err != nil {
		return nil, err
	}
	var beyond [1]byte
	if m, err := r.Read(beyond[:]); m > 0 || !errors.Is(err, io.EOF) {
		return nil, errors.New("the length is not the one that is told")
	}
	return dst, nil
}

func (f *inflater) reader(b []byte, raw bool) (io.Reader, error) {
	f.in.Reset(b)
	if raw {
		if f.raw == nil {
			f.raw = flate.NewReader(&f.in)
			return f.raw, nil
		}
		return f.raw, f.raw.(flate.Resetter).Reset(&f.in, nil)
	}
	if f.zlib == nil {
		var err error
		f.zlib, err = zlib.NewReader(&f.in)
		return f.zlib, err
	}
	return f.zlib, f.zlib.(zlib.Resetter).Reset(&f.in, nil)
}
