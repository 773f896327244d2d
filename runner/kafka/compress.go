package kafka

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"github.com/IBM/sarama"
	"github.com/klauspost/compress/gzip"
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

// append adds the compressed form of src to dst.
func (s *squeezer) append(dst, src []byte) ([]byte, error) {
	switch s.codec {
	case sarama.CompressionLZ4:
		return s.appendLZ4(dst, src)
	case sarama.CompressionSnappy:
		// Encode writes from the beginning of what it is given.
		return append(dst, xerial.Encode(nil, src)...), nil
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

// lz4Block is the size of what is compressed at once: LZ4 looks back 64 KiB at most,
// and readers keep a buffer of this size.
const lz4Block = 256 << 10

// appendLZ4 writes an LZ4 frame without checksums, the batch has one, in independent
// blocks, which is all that Kafka's own client reads. See lz4_Frame_format.md of the
// LZ4 project.
func (s *squeezer) appendLZ4(dst, src []byte) ([]byte, error) {
	if s.lz4 == nil {
		s.lz4 = new(lz4.Compressor)
	}
	// Magic number, version 1 with independent blocks, blocks of 256 KiB, the second
	// byte of the XXH32 of these two bytes.
	dst = append(dst, 0x04, 0x22, 0x4d, 0x18, 0x60, 0x50, 0xfb)
	for len(src) > 0 {
		block := src[:min(len(src), lz4Block)]
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
	return append(dst, 0, 0, 0, 0), nil
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
