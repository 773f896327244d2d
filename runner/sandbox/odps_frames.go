package sandbox

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// A partition's file is a run of frames, one a commit:
//
//	8 bytes "SLODPSR1", 4 bytes length of the description, 4 bytes CRC32C of it
//	the description, JSON: the session, and of each block its length, rows and encoding
//	the blocks, as they were uploaded
//	8 bytes "SLODPSE1", 4 bytes CRC32C of the description again
//
// The end is written last and the file is synced behind it: a frame without its end is not committed, and the next
// start cuts it off.

const (
	odpsFrameHead = "SLODPSR1"
	odpsFrameTail = "SLODPSE1"
	odpsHeadBytes = 16
	odpsTailBytes = 12
	odpsMaxBlocks = 20000
)

type odpsFrame struct {
	Session   string           `json:"session"`
	Created   time.Time        `json:"created"` // when the session was
	Committed time.Time        `json:"committed"`
	Overwrite bool             `json:"overwrite,omitempty"`
	Blocks    []odpsFrameBlock `json:"blocks"`
}

type odpsFrameBlock struct {
	ID       int    `json:"id"`
	Length   int64  `json:"length"`
	Rows     int64  `json:"rows"`
	Encoding string `json:"encoding,omitempty"`
}

func (f *odpsFrame) length() (n int64) {
	for _, b := range f.Blocks {
		n += b.Length
	}
	return n
}

// segments places the frame's blocks in a file where its data begins at offset.
func (f *odpsFrame) segments(offset int64) []odpsSegment {
	list := make([]odpsSegment, len(f.Blocks))
	for i, b := range f.Blocks {
		list[i] = odpsSegment{offset: offset, length: b.Length, rows: b.Rows, encoding: b.Encoding}
		offset += b.Length
	}
	return list
}

// loadParts reads the frames of every partition and hands each to seen.
func (s *odpsStore) loadParts(seen func(*odpsTable, *odpsPart, *odpsFrame)) error {
	for _, t := range s.tables {
		for _, p := range t.parts {
			if s.discard {
				continue
			}
			if err := s.loadPart(p, func(f *odpsFrame) { seen(t, p, f) }); err != nil {
				return fmt.Errorf("reading %s of table %s: %w", p.spec, t.odpsName, err)
			}
		}
	}
	return nil
}

func (s *odpsStore) loadPart(p *odpsPart, seen func(*odpsFrame)) error {
	file, err := os.OpenFile(p.path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	for p.size < info.Size() {
		frame, data, end, err := readODPSFrame(file, p.size, info.Size())
		if errors.Is(err, errODPSTorn) {
			s.log.Warn("rows that were not committed are cut off", slog.String("partition", p.spec), slog.Int64("bytes", info.Size()-p.size))
			return file.Truncate(p.size)
		}
		if err != nil {
			return err
		}
		p.add(frame, data, end)
		seen(frame)
	}
	return nil
}

var errODPSTorn = errors.New("frame is not complete")

// readODPSFrame reads the frame at an offset and returns where its data begins and where it ends.
func readODPSFrame(r io.ReaderAt, at, size int64) (_ *odpsFrame, data, end int64, _ error) {
	damaged := fmt.Errorf("the file is damaged at byte %d; remove it to lose its rows", at)
	head := make([]byte, odpsHeadBytes)
	if size-at < odpsHeadBytes {
		return nil, 0, 0, errODPSTorn
	}
	if _, err := r.ReadAt(head, at); err != nil {
		return nil, 0, 0, err
	}
	length := int64(binary.LittleEndian.Uint32(head[8:]))
	data = at + odpsHeadBytes + length
	if string(head[:8]) != odpsFrameHead {
		return nil, 0, 0, damaged
	}
	if data > size {
		return nil, 0, 0, errODPSTorn
	}
	description := make([]byte, length)
	if _, err := r.ReadAt(description, at+odpsHeadBytes); err != nil {
		return nil, 0, 0, err
	}
	frame := &odpsFrame{}
	if crc32.Checksum(description, crc32.MakeTable(crc32.Castagnoli)) != binary.LittleEndian.Uint32(head[12:]) || json.Unmarshal(description, frame) != nil {
		return nil, 0, 0, damaged
	}
	end = data + frame.length() + odpsTailBytes
	if end > size {
		return nil, 0, 0, errODPSTorn
	}
	tail := make([]byte, odpsTailBytes)
	if _, err := r.ReadAt(tail, end-odpsTailBytes); err != nil {
		return nil, 0, 0, err
	}
	if string(tail[:8]) != odpsFrameTail || !bytes.Equal(tail[8:], head[12:]) {
		return nil, 0, 0, damaged
	}
	return frame, data, end, nil
}

// add makes a committed frame part of the partition.
func (p *odpsPart) add(f *odpsFrame, data, end int64) {
	if f.Overwrite {
		p.segments, p.rows, p.bytes = nil, 0, 0
	}
	p.segments = append(p.segments, f.segments(data)...)
	for _, b := range f.Blocks {
		p.rows += b.Rows
		p.bytes += b.Length
	}
	p.size, p.modified = end, f.Committed
}

// append writes a frame with its blocks' contents behind the file's last whole frame and syncs it. The caller holds
// p.appending; on error the file is as before.
func (p *odpsPart) append(f *odpsFrame, content func(odpsFrameBlock) (io.ReadCloser, error)) (data, end int64, err error) {
	file, err := os.OpenFile(p.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return 0, 0, err
	}
	defer file.Close()
	defer func() {
		if err != nil {
			_ = file.Truncate(p.size) // the next start does it otherwise
		}
	}()
	description, err := json.Marshal(f)
	if err != nil {
		return 0, 0, err
	}
	crc := crc32.Checksum(description, crc32.MakeTable(crc32.Castagnoli))
	head := binary.LittleEndian.AppendUint32([]byte(odpsFrameHead), uint32(len(description)))
	head = append(binary.LittleEndian.AppendUint32(head, crc), description...)
	if err := file.Truncate(p.size); err != nil { // of what a failure may have left
		return 0, 0, err
	}
	if _, err := file.Seek(p.size, io.SeekStart); err != nil {
		return 0, 0, err
	}
	if _, err := file.Write(head); err != nil {
		return 0, 0, err
	}
	for _, block := range f.Blocks {
		if err := copyBlock(file, block, content); err != nil {
			return 0, 0, fmt.Errorf("copying block %d: %w", block.ID, err)
		}
	}
	if _, err := file.Write(binary.LittleEndian.AppendUint32([]byte(odpsFrameTail), crc)); err != nil {
		return 0, 0, err
	}
	if err := file.Sync(); err != nil {
		return 0, 0, err
	}
	data = p.size + int64(len(head))
	return data, data + f.length() + odpsTailBytes, nil
}

func copyBlock(file *os.File, block odpsFrameBlock, content func(odpsFrameBlock) (io.ReadCloser, error)) error {
	r, err := content(block)
	if err != nil {
		return err
	}
	defer r.Close()
	n, err := io.Copy(file, r)
	if err == nil && n != block.Length {
		err = fmt.Errorf("it has %d bytes and should have %d", n, block.Length)
	}
	return err
}

// Encodings of blocks, as Content-Encoding names them.
const (
	odpsSnappy  = "x-snappy-framed"
	odpsZstd    = "zstd"
	odpsDeflate = "deflate"
)

// decodeODPS undoes an encoding. The returned function gives back what the decoder holds.
func decodeODPS(r io.Reader, encoding string) (io.Reader, func(), error) {
	switch encoding {
	case "":
		return r, func() {}, nil
	case odpsSnappy:
		return s2.NewReader(r, s2.ReaderMaxBlockSize(1<<16)), func() {}, nil
	case odpsZstd:
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(64<<20))
		if err != nil {
			return nil, nil, err
		}
		return z, z.Close, nil
	case odpsDeflate:
		z, err := zlib.NewReader(r)
		if err != nil {
			return nil, nil, err
		}
		return z, func() { _ = z.Close() }, nil
	}
	return nil, nil, odpsErr(415, "UnsupportedEncoding", "Content-Encoding %s is not supported; use x-snappy-framed, zstd, deflate or none", clip(encoding, 64))
}

// encodeODPS is the other direction, for downloads.
func encodeODPS(w io.Writer, encoding string) (io.WriteCloser, error) {
	switch encoding {
	case odpsSnappy:
		return s2.NewWriter(w, s2.WriterSnappyCompat(), s2.WriterConcurrency(1)), nil
	case odpsZstd:
		return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	case odpsDeflate:
		return zlib.NewWriterLevel(w, zlib.BestSpeed)
	}
	return nopWriteCloser{w}, nil
}

type nopWriteCloser struct{ io.Writer }

func (nopWriteCloser) Close() error { return nil }

// each calls visit with every row from the first on; visit returns false to end early. Cells and record are good until
// visit returns.
func (s odpsSnapshot) each(first int64, visit func(*odpsRecords) (bool, error)) error {
	if first >= s.rows {
		return nil
	}
	file, err := os.Open(s.part.path)
	if err != nil {
		return fmt.Errorf("opening rows: %w", err)
	}
	defer file.Close()
	for _, segment := range s.segments {
		if first >= segment.rows {
			first -= segment.rows
			continue
		}
		more, err := segment.each(file, s.columns, first, visit)
		if err != nil || !more {
			return err
		}
		first = 0
	}
	return nil
}

func (g odpsSegment) each(file io.ReaderAt, columns []odpsColumn, skip int64, visit func(*odpsRecords) (bool, error)) (bool, error) {
	r, done, err := decodeODPS(io.NewSectionReader(file, g.offset, g.length), g.encoding)
	if err != nil {
		return false, fmt.Errorf("reading rows: %w", err)
	}
	defer done()
	records := newODPSRecords(r, columns)
	records.trusted = true
	for {
		if err := records.next(); err != nil {
			if err == io.EOF {
				return true, nil
			}
			return false, fmt.Errorf("reading rows: %w", err)
		}
		if records.rows <= skip {
			continue
		}
		if more, err := visit(records); err != nil || !more {
			return false, err
		}
	}
}
