package models

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-io/sluice/runner/connector"
)

// sealPrefix begins every sealed text: "v1.<key id>.<base64url of nonce and ciphertext>".
const sealPrefix = "v1."

// Sealer keeps secrets by AES-256-GCM. A context names the row and field a secret
// belongs to and is authenticated with it: a sealed text copied elsewhere does not open.
// A nonce is 12 random bytes; a key is good for 2^32 seals (NIST SP 800-38D, 8.3).
type Sealer struct {
	keys    []sealKey // the first seals
	problem error     // why there are none
}

// KeyID names the key that seals; "" when there is none.
func (s *Sealer) KeyID() string {
	if len(s.keys) == 0 {
		return ""
	}
	return s.keys[0].id
}

// Seal makes a printable text of a secret. ErrKey when there is no key.
func (s *Sealer) Seal(context, plain string) (string, error) {
	if len(s.keys) == 0 {
		return "", s.problem
	}
	k := s.keys[0]
	nonce := make([]byte, k.aead.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return "", fmt.Errorf("sealing a secret: %w", err)
	}
	ct := k.aead.Seal(nonce, nonce, []byte(plain), additional(context))
	return sealPrefix + k.id + "." + base64.RawURLEncoding.EncodeToString(ct), nil
}

// Open gives back what was sealed in the same context. ErrKey says that the key is
// not at hand, or that the text is not what was sealed here.
func (s *Sealer) Open(context, sealed string) (string, error) {
	id, body, ok := strings.Cut(strings.TrimPrefix(sealed, sealPrefix), ".")
	if !ok || !strings.HasPrefix(sealed, sealPrefix) {
		return "", fmt.Errorf("%w: what is stored is no sealed secret; give the secret again", ErrKey)
	}
	i := slices.IndexFunc(s.keys, func(k sealKey) bool { return k.id == id })
	if i < 0 {
		return "", fmt.Errorf("%w: the secret was sealed with key %s, which is not at hand; add that key to the key file as a further line, or give the secret again", ErrKey, clip(id))
	}
	ct, err := base64.RawURLEncoding.DecodeString(body)
	aead := s.keys[i].aead
	if err != nil || len(ct) < aead.NonceSize() {
		return "", fmt.Errorf("%w: the stored secret is damaged; give it again", ErrKey)
	}
	plain, err := aead.Open(nil, ct[:aead.NonceSize()], ct[aead.NonceSize():], additional(context))
	if err != nil {
		return "", fmt.Errorf("%w: the stored secret is damaged or belongs elsewhere; give it again", ErrKey)
	}
	return string(plain), nil
}

func additional(context string) []byte { return []byte("sluice/1/" + context) }

// SealContext is the context of a connector's configuration.
func SealContext(uuid string) string { return "connector/" + uuid }

// sealedValue stands in the JSON of a configuration for a secret.
type sealedValue struct {
	Sealed string `json:"$sealed"`
}

// SealConfig gives the JSON object of a configuration. The values of the secret keys
// become {"$sealed":"…"}, each in the context "<context>/<key>"; empty ones stay empty.
func (s *Sealer) SealConfig(context string, secret []string, c connector.Config) ([]byte, error) {
	return s.sealConfig(context, secret, c, nil)
}

// sealConfig also carries over secrets that are sealed already.
func (s *Sealer) sealConfig(context string, secret []string, c connector.Config, sealed map[string]string) ([]byte, error) {
	out := make(map[string]any, len(c))
	for k, v := range sealed {
		out[k] = sealedValue{v}
	}
	for k, v := range c {
		if v == "" || !slices.Contains(secret, k) && !looksSecret(k) {
			out[k] = v
			continue
		}
		text, err := s.Seal(context+"/"+k, v)
		if err != nil {
			return nil, fmt.Errorf("sealing %s: %w", k, err)
		}
		out[k] = sealedValue{text}
	}
	b, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("writing a configuration: %w", err)
	}
	return b, nil
}

// OpenConfig reads the JSON of SealConfig. Secrets that cannot be opened are left out
// and named in lost, sorted.
func (s *Sealer) OpenConfig(context string, b []byte) (c connector.Config, lost []string, err error) {
	c, sealed, err := s.openConfig(context, b)
	for k := range sealed {
		lost = append(lost, k)
	}
	slices.Sort(lost)
	return c, lost, err
}

// openConfig gives what cannot be opened as it is.
func (s *Sealer) openConfig(context string, b []byte) (connector.Config, map[string]string, error) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(b, &raw); err != nil {
		return nil, nil, fmt.Errorf("reading a stored configuration: %w", err)
	}
	c := make(connector.Config, len(raw))
	var closed map[string]string
	for k, v := range raw {
		var text string
		if json.Unmarshal(v, &text) == nil {
			c[k] = text
			continue
		}
		var sv sealedValue
		if err := json.Unmarshal(v, &sv); err != nil {
			return nil, nil, fmt.Errorf("reading %s of a stored configuration: %w", clip(k), err)
		}
		plain, err := s.Open(context+"/"+k, sv.Sealed)
		if err == nil {
			c[k] = plain
			continue
		}
		if closed == nil {
			closed = map[string]string{}
		}
		closed[k] = sv.Sealed
	}
	return c, closed, nil
}

// looksSecret tells of keys that no field declares whether their value had better be
// sealed; it is the rule by which package connector masks them.
func looksSecret(key string) bool {
	k := strings.ToLower(key)
	for _, word := range []string{"password", "secret", "token", "private.key", "credential"} {
		if strings.Contains(k, word) {
			return true
		}
	}
	return false
}

// clip keeps hostile values short in messages.
func clip(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}
