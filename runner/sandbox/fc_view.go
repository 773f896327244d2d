package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
)

// What a page shows of the stand-in, and what tests ask: these calls ask the store itself, not over HTTP, and need no
// key.

// ErrNoInvocation says that an invocation is not, or no longer, kept.
var ErrNoInvocation = errors.New("invocation is not kept")

// FCFilter chooses invocations. Empty fields choose any.
type FCFilter struct {
	// Service chooses by service; "-" those of FC 3.0, which have none.
	Service string
	// Function chooses by function.
	Function string
	// Contains chooses by what the body contains.
	Contains string
	// InvocationID chooses by invocation ID.
	InvocationID string
	// Failed chooses those that the function failed.
	Failed bool
	// Before is the sequence before which the list begins; 0 is at the newest.
	Before int64
}

func (c *FCFilter) fits(inv *FCInvocation) bool {
	return (c.Service == "" || c.Service == inv.Service || c.Service == "-" && inv.Service == "") &&
		(c.Function == "" || c.Function == inv.Function) && (c.InvocationID == "" || c.InvocationID == inv.InvocationID) &&
		(!c.Failed || inv.Status == FCFailed)
}

// FCFunctionView is a function as a page shows it, with what came since the start.
type FCFunctionView struct {
	Service     string `json:"service,omitempty"` // empty of 3.0
	Name        string `json:"name"`
	Description string `json:"description"`
	Invocations int64  `json:"invocations"`
	Failed      int64  `json:"failed"`    // of Invocations
	Repeated    int64  `json:"repeated"`  // refused, for the invocation ID was known
	Throttled   int64  `json:"throttled"` // refused
	Records     int64  `json:"records"`
	Bytes       int64  `json:"bytes"` // of bodies
}

// FCStats counts what a stand-in has done since its start, and what it holds.
type FCStats struct {
	Requests    int64            `json:"requests"`
	BytesIn     int64            `json:"bytes_in"`  // of requests' bodies
	BytesOut    int64            `json:"bytes_out"` // of answers' bodies
	Invocations int64            `json:"invocations"`
	Failed      int64            `json:"failed"`
	Repeated    int64            `json:"repeated"`
	Throttled   int64            `json:"throttled"`
	Records     int64            `json:"records"`
	Kept        int64            `json:"kept"`       // invocations on disk
	KeptBytes   int64            `json:"kept_bytes"` // of theirs
	IDs         int64            `json:"ids"`        // invocation IDs that are remembered
	Functions   []FCFunctionView `json:"functions"`
}

// keep puts an accepted invocation into the store, and its ID beside it.
func (f *FC) keep(inv *FCInvocation, body []byte) error {
	if f.store == nil {
		return nil
	}
	key := fcKey(inv.Service, inv.Function, inv.InvocationID)
	if err := f.store.add(inv, body); err != nil {
		if inv.InvocationID != "" {
			f.ids.forget(key)
		}
		return err
	}
	if inv.InvocationID != "" {
		return f.ids.written(key)
	}
	return nil
}

// Functions lists the functions: those of the service, then the same as FC 3.0 knows them.
func (f *FC) Functions() []FCFunctionView {
	var list []FCFunctionView
	for api, service := range []string{DefaultFCService, ""} {
		for _, name := range FCFunctions() {
			c := f.counts[api][name]
			list = append(list, FCFunctionView{Service: service, Name: name, Description: fcDescription(name), Invocations: c.invocations.Load(), Failed: c.failed.Load(),
				Repeated: c.repeated.Load(), Throttled: c.throttled.Load(), Records: c.records.Load(), Bytes: c.bytes.Load()})
		}
	}
	return list
}

// Stats returns the counters.
func (f *FC) Stats() FCStats {
	stats := FCStats{Requests: f.nRequests.Load(), BytesIn: f.nBytesIn.Load(), BytesOut: f.nBytesOut.Load(), IDs: int64(f.ids.count()), Functions: f.Functions()}
	for _, v := range stats.Functions {
		stats.Invocations += v.Invocations
		stats.Failed += v.Failed
		stats.Repeated += v.Repeated
		stats.Throttled += v.Throttled
		stats.Records += v.Records
	}
	if f.store != nil {
		f.store.mu.RLock()
		stats.Kept, stats.KeptBytes = f.store.count, f.store.bytes
		f.store.mu.RUnlock()
	}
	return stats
}

// Invocations lists up to limit invocations that are kept, newest first; more tells whether there are others. Next
// page: Before = the last one's Sequence.
func (f *FC) Invocations(ctx context.Context, filter FCFilter, limit int) (list []FCInvocation, more bool, err error) {
	if f.store == nil {
		return nil, false, ErrDiscarded
	}
	now := f.options.Now()
	f.store.newest(filter.Before, func(g *fcSegment, e *fcEntry) bool {
		if err = ctx.Err(); err != nil {
			return false
		}
		if !filter.fits(&e.FCInvocation) {
			return true
		}
		if filter.Contains != "" {
			var body []byte
			if body, err = g.read(e); err != nil {
				return false
			}
			if !bytes.Contains(body, []byte(filter.Contains)) {
				return true
			}
		}
		if len(list) == limit {
			more = true
			return false
		}
		list = append(list, e.FCInvocation)
		if now.Before(e.Time.Add(e.Took)) {
			list[len(list)-1].Status = FCRunning
		}
		return true
	})
	return list, more, err
}

// find returns the newest invocation of an ID.
func (f *FC) find(service, function, id string) (found FCInvocation, ok bool) {
	if f.store == nil {
		return found, false
	}
	f.store.newest(0, func(_ *fcSegment, e *fcEntry) bool {
		if ok = e.InvocationID == id && e.Service == service && e.Function == function; ok {
			found = e.FCInvocation
		}
		return !ok
	})
	return found, ok
}

// Invocation returns an invocation and its body.
func (f *FC) Invocation(sequence int64) (FCInvocation, []byte, error) {
	if f.store == nil {
		return FCInvocation{}, nil, ErrDiscarded
	}
	inv, body, ok, err := f.store.get(sequence)
	if err == nil && (!ok || inv.Sequence != sequence) {
		err = fmt.Errorf("%w: %d", ErrNoInvocation, sequence)
	}
	if f.options.Now().Before(inv.Time.Add(inv.Took)) {
		inv.Status = FCRunning
	}
	return inv, body, err
}

// EachInvocation calls visit with every invocation that is kept, from a sequence on, and its body, oldest first; an
// error of visit ends it and is returned. What comes meanwhile is visited, too.
func (f *FC) EachInvocation(ctx context.Context, from int64, visit func(inv FCInvocation, body []byte) error) error {
	if f.store == nil {
		return ErrDiscarded
	}
	for next := max(from, 1); ; {
		inv, body, ok, err := f.store.get(next)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || !ok {
			return err
		}
		if err := visit(inv, body); err != nil {
			return err
		}
		next = inv.Sequence + 1
	}
}

// Seen tells whether an invocation ID was accepted by a function; service is empty of FC 3.0.
func (f *FC) Seen(service, function, id string) bool {
	_, ok := f.ids.when(fcKey(service, function, id), f.options.Now())
	return ok
}

// Clear forgets the invocations that are kept. Their IDs stay.
func (f *FC) Clear() error {
	if f.store == nil {
		return nil
	}
	return f.store.clear()
}

// Requests returns up to limit of the latest requests, newest first; 0 is all that are remembered. A request's Bucket
// is the service and its Key the function.
func (f *FC) Requests(limit int) []Request { return f.requests.latest(limit) }
