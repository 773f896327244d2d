package kafka

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"github.com/IBM/sarama"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/snappy/xerial"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Compressions are the names that StreamOptions.Compression takes, as Kafka's own
// compression.type does.
func Compressions() []string { return []string{"none", "gzip", "snappy", "lz4", "zstd"} }

func codecOf(name string) (sarama.CompressionCodec, error) {
	if name == "" {
		return sarama.CompressionNone, nil
	}
	var c sarama.CompressionCodec
	if err := c.UnmarshalText([]byte(name)); err != nil {
		return 0, fmt.Errorf("compression %q is not known: use none, gzip, snappy, lz4 or zstd", name)
	}
	return c, nil
}

// squeezer compresses the records of batches, one after the other, with what it keeps
// from one to the next.
type squeezer struct {
	codec sarama.CompressionCodec
	lz4   *lz4.Compressor
	gzip  *gzip.Writer
	zstd  *zstd.Encoder
}

// appender is an io.Writer that grows a slice.
type appender []byte

func (a *appender) Write(p []byte) (int, error) {
	*a = append(*a, p...)
	return len(p), nil
}

// stages tells whether a batch can be compressed piece by piece: with the others each
// batch would need a compressor of its own.
func (s *squeezer) stages() bool {
	return s.codec == sarama.CompressionLZ4 || s.codec == sarama.CompressionSnappy
}

// append adds the compressed form of src to dst. first and last tell whether src is the
// beginning and the end of a batch's records; without stages it is always both.
func (s *squeezer) append(dst, src []byte, first, last bool) ([]byte, error) {
	switch s.codec {
	case sarama.CompressionLZ4:
		return s.appendLZ4(dst, src, first, last)
	case sarama.CompressionSnappy:
		return appendSnappy(dst, src, first), nil
	case sarama.CompressionGZIP:
		out := appender(dst)
		if s.gzip == nil {
			s.gzip = gzip.NewWriter(&out)
		} else {
			s.gzip.Reset(&out)
		}
		if _, err := s.gzip.Write(src); err != nil {
			return dst, err
		}
		err := s.gzip.Close()
		return out, err
	case sarama.CompressionZSTD:
		if s.zstd == nil {
			var err error
			if s.zstd, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithZeroFrames(true)); err != nil {
				return dst, err
			}
		}
		return s.zstd.EncodeAll(src, dst), nil
	}
	return append(dst, src...), nil
}

// blockBytes is the size of what LZ4 and Snappy compress at once: both look back 64 KiB
// at most, and readers keep a buffer of this size.
const blockBytes = 64 << 10

// appendLZ4 writes an LZ4 frame without checksums, the batch has one, in independent
// blocks, which is all that Kafka's own client reads. See lz4_Frame_format.md of the
// LZ4 project.
func (s *squeezer) appendLZ4(dst, src []byte, first, last bool) ([]byte, error) {
	if s.lz4 == nil {
		s.lz4 = new(lz4.Compressor)
	}
	if first {
		// Magic number, version 1 with independent blocks, blocks of 64 KiB, the second
		// byte of the XXH32 of these two bytes.
		dst = append(dst, 0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82)
	}
	for len(src) > 0 {
		block := src[:min(len(src), blockBytes)]
		src = src[len(block):]
		at := len(dst)
		need := 4 + lz4.CompressBlockBound(len(block))
		dst = slices.Grow(dst, need)[:at+need]
		n, err := s.lz4.CompressBlock(block, dst[at+4:])
		if err != nil {
			return dst[:at], err
		}
		size := uint32(n)
		if n == 0 || n >= len(block) { // stands as it is
			n = copy(dst[at+4:], block)
			size = uint32(n) | 1<<31
		}
		binary.LittleEndian.PutUint32(dst[at:], size)
		dst = dst[:at+4+n]
	}
	if last {
		dst = append(dst, 0, 0, 0, 0)
	}
	return dst, nil
}

// appendSnappy writes blocks in the frame of the Java library, which is what Kafka's
// clients read: a header with a version and the oldest version that can read it, then
// each block behind its length.
func appendSnappy(dst, src []byte, first bool) []byte {
	if first {
		dst = append(dst, 0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1)
	}
	for len(src) > 0 {
		block := src[:min(len(src), blockBytes)]
		src = src[len(block):]
		at := len(dst)
		dst = slices.Grow(dst, 4+s2.MaxEncodedLen(len(block)))
		n := len(s2.EncodeSnappy(dst[at+4:cap(dst)], block))
		dst = dst[:at+4+n]
		binary.BigEndian.PutUint32(dst[at:], uint32(n))
	}
	return dst
}

// expand is the inverse of squeezer.append.
func expand(codec sarama.CompressionCodec, src []byte) ([]byte, error) {
	var from io.Reader = bytes.NewReader(src)
	switch codec {
	case sarama.CompressionSnappy:
		return xerial.Decode(src)
	case sarama.CompressionLZ4:
		from = lz4.NewReader(from)
	case sarama.CompressionGZIP:
		z, err := gzip.NewReader(from)
		if err != nil {
			return nil, err
		}
		from = z
	case sarama.CompressionZSTD:
		z, err := zstd.NewReader(from, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		defer z.Close()
		from = z
	}
	return io.ReadAll(from)
}
