package sandbox

import (
	"errors"
	"sync"
	"time"
)

// AccessKey is a credential that a stand-in accepts. With a Token it is a temporary one, as the STS service hands out:
// requests must carry that token, and are refused after Expires.
type AccessKey struct {
	ID, Secret string
	Token      string
	Expires    time.Time // zero: never
}

// accessKeys is the set of keys of one stand-in.
type accessKeys struct {
	mu     sync.RWMutex
	byID   map[string]AccessKey
	tokens *Tokens // what an STS stand-in issued; nil is none
}

func (k *accessKeys) add(key AccessKey) error {
	if key.ID == "" || key.Secret == "" || len(key.ID) > 128 {
		return errors.New("access key: ID and secret must not be empty, the ID at most 128 bytes")
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.byID == nil {
		k.byID = make(map[string]AccessKey)
	}
	k.byID[key.ID] = key
	return nil
}

func (k *accessKeys) remove(id string) {
	k.mu.Lock()
	delete(k.byID, id)
	k.mu.Unlock()
}

func (k *accessKeys) get(id string) (AccessKey, bool) {
	k.mu.RLock()
	key, ok := k.byID[id]
	k.mu.RUnlock()
	if !ok {
		return k.tokens.get(id)
	}
	return key, ok
}
