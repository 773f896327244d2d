package models

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

const keySize = 32 // AES-256

// sealKey is one key of the ring; its ID is stored beside everything it sealed.
type sealKey struct {
	id   string
	aead cipher.AEAD
}

// newSealKey names a key by the first 4 bytes of a hash of it, in hex.
func newSealKey(b []byte) (sealKey, error) {
	block, err := aes.NewCipher(b)
	if err != nil {
		return sealKey{}, fmt.Errorf("making a cipher: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return sealKey{}, fmt.Errorf("making a cipher: %w", err)
	}
	sum := sha256.Sum256(append([]byte("sluice key id\x00"), b...))
	return sealKey{hex.EncodeToString(sum[:4]), aead}, nil
}

// parseKey reads 32 bytes in hex or any base64.
func parseKey(text string) (sealKey, error) {
	for _, decode := range []func(string) ([]byte, error){hex.DecodeString, base64.StdEncoding.DecodeString, base64.RawStdEncoding.DecodeString, base64.URLEncoding.DecodeString, base64.RawURLEncoding.DecodeString} {
		if b, err := decode(text); err == nil && len(b) == keySize {
			return newSealKey(b)
		}
	}
	return sealKey{}, errors.New("it is not 32 bytes in base64 or hex")
}

// parseKeys reads a key file: a key a line, # begins a comment. The first key seals,
// every one opens.
func parseKeys(text string) ([]sealKey, error) {
	var out []sealKey
	for i, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		k, err := parseKey(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		out = append(out, k)
	}
	if len(out) == 0 {
		return nil, errors.New("it holds no key")
	}
	return out, nil
}

// loadKeys reads the key, or the key file, which is made when it is absent. A key file
// that cannot be understood is left alone: problem says so, and there are no keys.
func loadKeys(key, file string) (keys []sealKey, problem, err error) {
	if key != "" {
		k, err := parseKey(strings.TrimSpace(key))
		if err != nil {
			return nil, fmt.Errorf("%w: the key given instead of a file is not usable: %w; make one with: openssl rand -base64 32", ErrKey, err), nil
		}
		return []sealKey{k}, nil, nil
	}
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		k, err := makeKeyFile(file)
		return []sealKey{k}, nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%w: the key file cannot be read: %w; secrets cannot be stored or used until it can", ErrKey, err), nil
	}
	keys, err = parseKeys(string(b))
	if err != nil {
		return nil, fmt.Errorf("%w: %s is no key file: %w; put the key file back, or move this one away to have a new one made and give all secrets again", ErrKey, file, err), nil
	}
	return keys, nil, nil
}

// exposed tells whether others than the owner may read a file. It is said and not
// changed: a mounted secret cannot be.
func exposed(file string) bool {
	st, err := os.Stat(file)
	return err == nil && st.Mode().Perm()&0o007 != 0
}

func makeKeyFile(file string) (sealKey, error) {
	b := make([]byte, keySize)
	if _, err := rand.Read(b); err != nil {
		return sealKey{}, fmt.Errorf("making a key: %w", err)
	}
	text := "# Key of Sluice for secrets at rest. Keep it apart from backups of the database.\n" + base64.StdEncoding.EncodeToString(b) + "\n"
	if err := writeNew(file, text); err != nil {
		return sealKey{}, fmt.Errorf("making the key file %s (SLUICE_KEY_FILE): %w; name one in a folder that exists and can be written", file, err)
	}
	return newSealKey(b)
}

// writeNew makes a file that appears whole or not at all, with mode 0600.
func writeNew(file, text string) error {
	part := file + ".new"
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(part, file)
	}
	if err != nil {
		err = errors.Join(err, os.Remove(part))
	}
	return err
}
