package runnertest

import (
	"errors"
	"math/rand/v2"
	"sync"
)

// ErrKilled is what a killed task's Run returns.
var ErrKilled = errors.New("killed by the test")

// Killer simulates the death of a process at a step of the delivery protocol: from
// then on every step fails, so nothing more is written or sent. One Killer serves one
// task.
type Killer struct {
	mu    sync.Mutex
	step  string // "" any step
	skip  int    // steps of that name to let pass
	rate  float64
	rng   *rand.Rand
	dead  bool
	steps map[string]int
}

// KillAt dies at the nth time (from 1) that step is reached.
func KillAt(step string, nth int) *Killer {
	return &Killer{step: step, skip: nth - 1, steps: map[string]int{}}
}

// KillRandomly dies at each step with the given probability; 0 never.
func KillRandomly(rng *rand.Rand, probability float64) *Killer {
	return &Killer{rate: probability, rng: rng, steps: map[string]int{}}
}

// Fault is the hook that the task asks.
func (k *Killer) Fault(step, _ string, _ int32) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.steps[step]++
	switch {
	case k.dead:
	case k.rng != nil:
		k.dead = k.rng.Float64() < k.rate
	case step == k.step:
		k.dead = k.skip == 0
		k.skip--
	}
	if k.dead {
		return ErrKilled
	}
	return nil
}

// Dead tells whether the step was reached.
func (k *Killer) Dead() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.dead
}

// Reached is how often a step was passed or died at.
func (k *Killer) Reached(step string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.steps[step]
}
