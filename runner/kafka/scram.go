package kafka

import (
	"bytes"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"strings"
)

// scram is the client's side of SCRAM (RFC 5802) without channel binding, as Kafka
// speaks it. sarama has the exchange but leaves this part to its user. Names and
// passwords are sent as they are, without SASLprep, as Kafka's own client does.
type scram struct {
	newHash    func() hash.Hash
	user, pass string
	nonce      string
	first      string // client-first-message-bare
	serverSig  []byte
	step       int
}

func newSCRAM(mechanism string) *scram {
	if mechanism == "SCRAM-SHA-512" {
		return &scram{newHash: sha512.New}
	}
	return &scram{newHash: sha256.New}
}

// Begin implements sarama.SCRAMClient.
func (s *scram) Begin(user, password, _ string) error {
	raw := make([]byte, 18)
	if _, err := rand.Read(raw); err != nil {
		return fmt.Errorf("making a nonce: %w", err)
	}
	s.user, s.pass, s.nonce = user, password, base64.RawStdEncoding.EncodeToString(raw)
	s.step, s.serverSig = 0, nil
	return nil
}

// Step implements sarama.SCRAMClient.
func (s *scram) Step(challenge string) (string, error) {
	s.step++
	switch s.step {
	case 1:
		name := strings.NewReplacer("=", "=3D", ",", "=2C").Replace(s.user)
		s.first = "n=" + name + ",r=" + s.nonce
		return "n,," + s.first, nil
	case 2:
		return s.final(challenge)
	case 3:
		f := scramFields(challenge)
		if f["e"] != "" {
			return "", fmt.Errorf("the broker refuses: %s: %w", f["e"], ErrAuth)
		}
		got, err := base64.StdEncoding.DecodeString(f["v"])
		if err != nil || subtle.ConstantTimeCompare(got, s.serverSig) != 1 {
			return "", errors.New("the broker does not prove that it knows the password")
		}
		return "", nil
	}
	return "", errors.New("the broker goes on after the exchange ended")
}

// Done implements sarama.SCRAMClient.
func (s *scram) Done() bool { return s.step >= 3 }

// final answers the server's first message with the proof.
func (s *scram) final(challenge string) (string, error) {
	f := scramFields(challenge)
	salt, err := base64.StdEncoding.DecodeString(f["s"])
	rounds, err2 := strconv.Atoi(f["i"])
	// 4096 is the least that RFC 7677 allows; the upper bound keeps a hostile broker
	// from keeping a core busy.
	if err != nil || err2 != nil || len(salt) == 0 || rounds < 1 || rounds > 1<<20 || !strings.HasPrefix(f["r"], s.nonce) || len(f["r"]) == len(s.nonce) {
		return "", errors.New("the broker's SCRAM challenge cannot be read")
	}
	salted, err := pbkdf2.Key(s.newHash, s.pass, salt, rounds, s.newHash().Size())
	if err != nil {
		return "", fmt.Errorf("deriving the key: %w", err)
	}
	clientKey := s.mac(salted, "Client Key")
	h := s.newHash()
	h.Write(clientKey)
	last := "c=biws,r=" + f["r"] // biws is "n,," in base64
	auth := s.first + "," + challenge + "," + last
	proof := bytes.Clone(clientKey)
	subtle.XORBytes(proof, clientKey, s.mac(h.Sum(nil), auth))
	s.serverSig = s.mac(s.mac(salted, "Server Key"), auth)
	return last + ",p=" + base64.StdEncoding.EncodeToString(proof), nil
}

func (s *scram) mac(key []byte, text string) []byte {
	m := hmac.New(s.newHash, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

// scramFields reads "a=x,b=y".
func scramFields(s string) map[string]string {
	f := make(map[string]string)
	for part := range strings.SplitSeq(s, ",") {
		if k, v, ok := strings.Cut(part, "="); ok {
			f[k] = v
		}
	}
	return f
}
