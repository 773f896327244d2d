package console

import (
	"context"
	"strings"

	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/text"
)

// maxBulk bounds how many connectors one form acts on.
const maxBulk = 1000

// connectorsBulk suspends, resumes or restarts several connectors. Each is done by
// itself: what is refused does not keep the others from being done.
func (c *Console) connectorsBulk(q *request) error {
	ctx := q.Request.Context()
	act, said, ok := c.bulkAct(q.value("act"))
	if !ok {
		return &control.Error{Kind: control.Invalid, Message: text.T(ctx, "bulk.unknown", clip(q.value("act"), 40))}
	}
	chosen := q.values("connector")
	if len(chosen) == 0 || len(chosen) > maxBulk {
		q.flash(flash{Tone: components.ToneWarn, Title: text.T(ctx, "bulk.none"), Body: text.T(ctx, "bulk.none_body", maxBulk)})
		return q.redirect(q.home())
	}
	done, refusals := 0, []string{}
	seen := map[string]bool{}
	for _, which := range chosen {
		instance, name, ok := strings.Cut(which, "/")
		if !ok || seen[which] {
			continue
		}
		seen[which] = true
		if err := act(ctx, instance, name); err != nil {
			refusals = append(refusals, clip(which, 100)+": "+control.AsError(err).Error())
			continue
		}
		done++
	}
	if done > 0 {
		q.done(text.N(ctx, said, int64(done)), "")
	}
	if len(refusals) > 0 {
		q.flash(flash{Tone: components.ToneBad, Title: text.N(ctx, "bulk.refused", int64(len(refusals))), Body: strings.Join(refusals[:min(3, len(refusals))], " ")})
	}
	return q.redirect(q.home())
}

// bulkAct is what a button does, and what is said afterwards.
func (c *Console) bulkAct(name string) (act func(ctx context.Context, instance, name string) error, said string, ok bool) {
	switch name {
	case "suspend":
		return c.control.Pause, "bulk.suspend", true
	case "resume":
		return c.control.Resume, "bulk.resume", true
	case "restart":
		return func(ctx context.Context, instance, name string) error {
			return c.control.Restart(ctx, instance, name, false, true)
		}, "bulk.restart", true
	}
	return nil, "", false
}

// home is the list with the filter the reader had, when the browser says so.
func (q *request) home() string {
	referer := q.GetHeader("Referer")
	_, after, ok := strings.Cut(referer, "://"+q.Request.Host)
	if on := localPath(after); ok && (on == "/" || strings.HasPrefix(on, "/?")) {
		return on
	}
	return "/"
}
