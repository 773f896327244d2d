package sandbox

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc64"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// bodyBuffer is how much of a body is read at a time: large reads bypass the server's own buffer.
const bodyBuffer = 256 << 10

// received is what a request's body turned out to be.
type received struct {
	path   string // the file that holds it; empty when discarding
	size   int64
	crc    uint64
	hasCRC bool
	md5    []byte // nil when it was not computed
}

// etag is the body's MD5 in upper case, as the service gives it to objects that were put; when it was not computed, a
// value made of checksum and size that serves to tell contents apart.
func (r received) etag() string {
	if r.md5 != nil {
		return strings.ToUpper(hex.EncodeToString(r.md5))
	}
	return fmt.Sprintf("%016X%016X", r.crc, r.size)
}

// receiver reads bodies into files.
type receiver struct {
	skipCRC bool
	discard bool
	pool    sync.Pool
}

func newReceiver(discard, skipCRC bool) *receiver {
	return &receiver{discard: discard, skipCRC: skipCRC, pool: sync.Pool{New: func() any { b := make([]byte, bodyBuffer); return &b }}}
}

var errBadDigest = errors.New("content does not match Content-MD5")
var errTooLarge = errors.New("content is larger than allowed")

// bodyError is a body that could not be read to its end: the client went away or was too slow.
type bodyError struct{ cause error }

func (e *bodyError) Error() string { return "reading body: " + e.cause.Error() }
func (e *bodyError) Unwrap() error { return e.cause }

// receive reads a body of at most limit bytes into the file at path, which it removes again on error. contentMD5 is the
// header's value, or empty; it must have been checked to be base64 of 16 bytes. tick is called now and then.
func (v *receiver) receive(body io.Reader, path, contentMD5 string, limit int64, tick func()) (got received, err error) {
	var out *os.File
	if !v.discard {
		if out, err = createFile(path); err != nil {
			return got, fmt.Errorf("making a file for the content: %w", err)
		}
		got.path = path
		defer func() {
			if closeErr := out.Close(); err == nil && closeErr != nil {
				err = fmt.Errorf("writing content: %w", closeErr)
			}
			if err != nil {
				_ = os.Remove(path)
			}
		}()
	}
	var digest hash.Hash
	if contentMD5 != "" || !v.discard {
		digest = md5.New()
	}
	if err = v.copyBody(body, out, digest, &got, limit, tick); err != nil {
		return got, err
	}
	if digest != nil {
		got.md5 = digest.Sum(nil)
		want, _ := base64.StdEncoding.DecodeString(contentMD5)
		if contentMD5 != "" && !bytes.Equal(want, got.md5) {
			return got, errBadDigest
		}
	}
	return got, nil
}

func (v *receiver) copyBody(body io.Reader, out *os.File, digest hash.Hash, got *received, limit int64, tick func()) error {
	buffer := v.pool.Get().(*[]byte)
	defer v.pool.Put(buffer)
	table := crc64.MakeTable(crc64.ECMA)
	got.hasCRC = !v.skipCRC
	for {
		n, readErr := body.Read(*buffer)
		chunk := (*buffer)[:n]
		if got.size += int64(n); got.size > limit {
			return errTooLarge
		}
		if got.hasCRC {
			got.crc = crc64.Update(got.crc, table, chunk)
		}
		if digest != nil {
			digest.Write(chunk)
		}
		if out != nil {
			if _, err := out.Write(chunk); err != nil {
				return fmt.Errorf("writing content: %w", err)
			}
		}
		if readErr == io.EOF {
			return nil
		}
		if readErr != nil {
			return &bodyError{readErr}
		}
		tick()
	}
}

func createFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(path), 0o700); err == nil {
			f, err = os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		}
	}
	return f, err
}

// combineCRC64 returns the CRC-64/ECMA of A followed by B from the two checksums and the length of B: A's is multiplied
// by x^(8·length) modulo the polynomial, in the bit-reversed representation that the checksum itself uses.
func combineCRC64(a, b uint64, lengthB int64) uint64 {
	const one = uint64(1) << 63           // x^0
	power, base := one, uint64(1)<<(63-8) // base: x^8, one byte
	for n := lengthB; n > 0; n, base = n>>1, multiplyCRC64(base, base) {
		if n&1 == 1 {
			power = multiplyCRC64(power, base)
		}
	}
	return multiplyCRC64(a, power) ^ b
}

// multiplyCRC64 multiplies two polynomials modulo the CRC's.
func multiplyCRC64(a, b uint64) (product uint64) {
	for bit := uint64(1) << 63; bit != 0; bit >>= 1 {
		if a&bit != 0 {
			product ^= b
		}
		if b&1 == 1 {
			b = b>>1 ^ crc64.ECMA
		} else {
			b >>= 1
		}
	}
	return product
}
