package console

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"

	"github.com/sluice-io/sluice/runner/connector"
)

// errSeal: a sealed text is of another session or another form, or was changed.
var errSeal = errors.New("the sealed values cannot be opened")

// seal lets secrets that were typed go along with a form from one page to the next
// without standing in it: only the same session opens them, and only for the same thing.
func (q *request) seal(values connector.Config, purpose string) string {
	plain, err := json.Marshal(values)
	aead, aerr := q.sealer()
	if err != nil || aerr != nil {
		return ""
	}
	nonce := make([]byte, aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(aead.Seal(nonce, nonce, plain, []byte(purpose)))
}

// unseal opens what seal made; "" opens to nothing.
func (q *request) unseal(sealed, purpose string) (connector.Config, error) {
	if sealed == "" {
		return nil, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil {
		return nil, errSeal
	}
	aead, err := q.sealer()
	if err != nil || len(raw) < aead.NonceSize() {
		return nil, errSeal
	}
	plain, err := aead.Open(nil, raw[:aead.NonceSize()], raw[aead.NonceSize():], []byte(purpose))
	if err != nil {
		return nil, errSeal
	}
	var out connector.Config
	if err := json.Unmarshal(plain, &out); err != nil {
		return nil, errSeal
	}
	return out, nil
}

func (q *request) sealer() (cipher.AEAD, error) {
	key := sha256.Sum256([]byte(keyed(q.secret, "sealed form values", "")))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
