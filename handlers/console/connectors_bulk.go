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
	act, ok := c.bulkAct(q.value("act"))
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
		q.done(text.N(ctx, "bulk."+q.value("act"), int64(done)), "")
	}
	if len(refusals) > 0 {
		q.flash(flash{Tone: components.ToneBad, Title: text.N(ctx, "bulk.refused", int64(len(refusals))), Body: strings.Join(refusals[:min(3, len(refusals))], " ")})
	}
	return q.redirect(q.home())
}

func (c *Console) bulkAct(name string) (func(ctx context.Context, instance, name string) error, bool) {
	switch name {
	case "suspend":
		return c.control.Pause, true
	case "resume":
		return c.control.Resume, true
	case "restart":
		return func(ctx context.Context, instance, name string) error {
			return c.control.Restart(ctx, instance, name, false, true)
		}, true
	}
	return nil, false
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
