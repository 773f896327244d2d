package runner

import (
	"context"
	"testing"
	"time"
)

func pressedOnes(shares []*budgetShare) (out []int) {
	for i, s := range shares {
		if s.pressed.Load() {
			out = append(out, i)
		}
	}
	return out
}

func TestBudgetPressesTheLargest(t *testing.T) {
	t.Parallel()
	b := NewBudget(1000)
	var shares []*budgetShare
	for range 3 {
		shares = append(shares, b.share(make(chan struct{}, 1)))
	}
	shares[0].set(100)
	shares[1].set(300)
	if shares[2].set(50) {
		t.Fatal("over the budget at 450 of 1000")
	}
	if !shares[2].set(150) {
		t.Fatal("open chunks take 550 of 1000 and nothing closes")
	}
	b.press()
	if got := pressedOnes(shares); len(got) != 1 || got[0] != 1 {
		t.Fatalf("pressed %v, want the largest", got)
	}
	select {
	case <-shares[1].wake:
	default:
		t.Error("the largest was not woken")
	}
	b.press() // 250 are left open: enough room
	if got := pressedOnes(shares); len(got) != 1 {
		t.Errorf("pressed %v", got)
	}
	release := shares[1].close()
	if b.Used() != 550 {
		t.Errorf("a closed chunk still counts: used %d", b.Used())
	}
	release()
	release()
	if b.Used() != 250 || b.Limit() != 1000 {
		t.Errorf("used %d of %d", b.Used(), b.Limit())
	}
	for _, s := range shares {
		s.leave()
	}
	free := b.reserve(700)
	free()
	if b.Used() != 0 {
		t.Errorf("used %d at the end", b.Used())
	}
}

func TestBudgetWaitsForWhatCloses(t *testing.T) {
	t.Parallel()
	b := NewBudget(1 << 20)
	big, small := b.share(make(chan struct{}, 1)), b.share(make(chan struct{}, 1))
	big.set(900 << 10)
	release := big.close()
	if !small.set(300 << 10) {
		t.Fatal("not over the budget")
	}
	done := make(chan bool)
	go func() { done <- small.relieve(context.Background()) }()
	release()
	select {
	case closing := <-done:
		if closing {
			t.Error("the chunk closes although room was made")
		}
	case <-time.After(5 * time.Second):
		t.Fatal("still waiting")
	}
	// Nothing is freed: the chunk closes after a second, others are not starved.
	big.set(0)
	hold := b.reserve(900 << 10)
	defer hold()
	if !small.relieve(context.Background()) {
		t.Error("the chunk stays open although nothing is freed")
	}
	// Who holds next to nothing goes on.
	if tiny := b.share(make(chan struct{}, 1)); tiny.set(10) && tiny.relieve(context.Background()) && !tiny.pressed.Load() {
		t.Error("a chunk of 10 bytes has to close")
	}
}
