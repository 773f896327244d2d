package sandbox

import (
	"sync"
	"time"
)

// tokenRemembered is how long an expired token is still known as expired; after that it is unknown.
const tokenRemembered = time.Hour

// maxTokens is how many tokens are remembered at most.
const maxTokens = 10_000

// Tokens are the temporary credentials that one STS stand-in issued. The stand-ins that are given them accept what is in
// them, until it expires. The zero value is ready, and it is safe for concurrent use.
type Tokens struct {
	mu   sync.RWMutex
	byID map[string]AccessKey
	all  []string // IDs in the order of issue
}

// Add makes a temporary credential known.
func (t *Tokens) Add(key AccessKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byID == nil {
		t.byID = make(map[string]AccessKey)
	}
	if _, known := t.byID[key.ID]; !known {
		t.all = append(t.all, key.ID)
	}
	t.byID[key.ID] = key
	for len(t.all) > 0 {
		first := t.byID[t.all[0]]
		if len(t.all) <= maxTokens && (first.Expires.IsZero() || time.Since(first.Expires) < tokenRemembered) {
			break
		}
		delete(t.byID, t.all[0])
		t.all = t.all[1:]
	}
}

// Expire ends every token that was issued until now, as if its time were over.
func (t *Tokens) Expire() {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	for id, key := range t.byID {
		if key.Expires.IsZero() || key.Expires.After(now) {
			key.Expires = now
			t.byID[id] = key
		}
	}
}

// Forget makes every token unknown, as a service that never saw it.
func (t *Tokens) Forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.byID, t.all = nil, nil
}

func (t *Tokens) get(id string) (AccessKey, bool) {
	if t == nil {
		return AccessKey{}, false
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	key, ok := t.byID[id]
	return key, ok
}
