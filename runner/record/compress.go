package record

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// Compression is how an object's content is compressed.
type Compression uint8

// The values of oss.compression.
const (
	None   Compression = iota
	Gzip               // RFC 1952; inside Avro the codec deflate
	Zstd               // RFC 8878
	Snappy             // the framing format for text; raw blocks inside Parquet and Avro
)

// ParseCompression reads a compression's name, one of none, gzip, zstd, snappy.
func ParseCompression(name string) (Compression, error) {
	for c := None; c <= Snappy; c++ {
		if c.String() == name {
			return c, nil
		}
	}
	return 0, fmt.Errorf("compression %q is unknown: use none, gzip, zstd or snappy", name)
}

// String is the compression's name.
func (c Compression) String() string {
	switch c {
	case None:
		return "none"
	case Gzip:
		return "gzip"
	case Zstd:
		return "zstd"
	case Snappy:
		return "snappy"
	}
	return fmt.Sprintf("compression(%d)", uint8(c))
}

// Suffix is what an object's extension gains: ".gz", ".zst", ".sz" or nothing.
func (c Compression) Suffix() string {
	switch c {
	case Gzip:
		return ".gz"
	case Zstd:
		return ".zst"
	case Snappy:
		return ".sz"
	}
	return ""
}

// ContentType is the media type of compressed content, empty for None.
func (c Compression) ContentType() string {
	switch c {
	case Gzip:
		return "application/gzip"
	case Zstd:
		return "application/zstd"
	case Snappy:
		return "application/x-snappy-framed"
	}
	return ""
}

const (
	// gzipLevel and zstdLevel are the fastest: of 1.5 M records/s only what is left
	// beside reading and encoding can be spent (docs/benchmarks.md has the figures).
	gzipLevel = gzip.BestSpeed
	zstdLevel = zstd.SpeedFastest
	// zstdWindow is the match distance in bytes, and with it the memory of an encoder.
	zstdWindow = 512 << 10
)

// Compressors compresses the content of textual objects. Encoders hold between 0.3
// and 2 MiB each; there are at most as many of a kind as limit, and who asks for
// one more waits. Output depends on the input and [EncoderVersion] only. It may be
// used by many goroutines.
type Compressors struct {
	gzips chan *gzip.Writer // nil elements: not made yet
	limit int
	zstd  func() (*zstd.Encoder, error)
}

// NewCompressors makes a pool for at most limit (at least 1) compressions at once;
// what it holds is made when first used.
func NewCompressors(limit int) *Compressors {
	limit = max(limit, 1)
	c := &Compressors{gzips: make(chan *gzip.Writer, limit), limit: limit}
	for range limit {
		c.gzips <- nil
	}
	c.zstd = sync.OnceValues(func() (*zstd.Encoder, error) {
		return zstd.NewWriter(nil, zstd.WithEncoderLevel(zstdLevel), zstd.WithEncoderConcurrency(limit),
			zstd.WithWindowSize(zstdWindow), zstd.WithLowerEncoderMem(true), zstd.WithZeroFrames(true))
	})
	return c
}

// Append appends src, compressed as one whole member (frame, stream), to dst.
// Members may be concatenated: what reads the format reads the concatenation as one
// content, so that a large object can be compressed piece by piece without holding
// an encoder between. The bytes depend on where it was cut: cuts have to follow
// from the records (every so many bytes of text), never from time or memory.
func (p *Compressors) Append(c Compression, dst, src []byte) ([]byte, error) {
	switch c {
	case None:
		return append(dst, src...), nil
	case Gzip:
		return p.appendGzip(dst, src)
	case Zstd:
		enc, err := p.zstd()
		if err != nil {
			return dst, fmt.Errorf("making a zstd encoder: %w", err)
		}
		return enc.EncodeAll(src, dst), nil
	case Snappy:
		return appendSnappy(dst, src), nil
	}
	return dst, fmt.Errorf("compression %s is unknown", c)
}

func (p *Compressors) appendGzip(dst, src []byte) ([]byte, error) {
	w := <-p.gzips
	defer func() { p.gzips <- w }()
	out := bytes.NewBuffer(dst)
	if w == nil {
		made, err := gzip.NewWriterLevel(out, gzipLevel)
		if err != nil {
			return dst, fmt.Errorf("making a gzip encoder: %w", err)
		}
		w = made
	} else {
		w.Reset(out)
	}
	w.ModTime = time.Unix(0, 0) // "no time stamp is available"; the zero Time would be written as one
	_, err := w.Write(src)
	if err == nil {
		err = w.Close()
	}
	w.Reset(nil) // lets go of the caller's buffer
	if err != nil {
		return dst, fmt.Errorf("compressing with gzip: %w", err)
	}
	return out.Bytes(), nil
}

// The snappy framing format: google/snappy, framing_format.txt.
const (
	snappyIdentifier = "\xff\x06\x00\x00sNaPpY"
	snappyBlock      = 64 << 10 // most uncompressed bytes of one chunk
	chunkCompressed  = 0x00
	chunkPlain       = 0x01
)

func appendSnappy(dst, src []byte) []byte {
	dst = append(dst, snappyIdentifier...)
	scratch := make([]byte, 0, s2.MaxEncodedLen(min(len(src), snappyBlock)))
	for len(src) > 0 {
		block := src[:min(len(src), snappyBlock)]
		src = src[len(block):]
		body, kind := s2.EncodeSnappy(scratch[:cap(scratch)], block), byte(chunkCompressed)
		if len(body) >= len(block)-len(block)/8 {
			body, kind = block, chunkPlain
		}
		n := len(body) + 4 // with the checksum
		dst = append(dst, kind, byte(n), byte(n>>8), byte(n>>16))
		dst = binary.LittleEndian.AppendUint32(dst, snappyChecksum(block))
		dst = append(dst, body...)
	}
	return dst
}

// snappyChecksum is the masked CRC-32C of section 3 of the framing format.
func snappyChecksum(b []byte) uint32 {
	c := crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
	return (c>>15 | c<<17) + 0xa282ead8
}
