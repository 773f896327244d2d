package console

import (
	"context"
	"slices"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/text"
)

// effectsHead is how long the review of a change waits for the system that is read.
const effectsHead = 4 * time.Second

// readBefore are the parts that a source reads before a change and after it.
type readBefore struct {
	before, after []connector.SourceTopic
	unknown       error // why nobody knows those before
}

// sourceEffects says what saving does to the parts that a source reads; nil for what does not concern them.
func (c *Console) sourceEffects(q *request, f *modifyForm, changes []connector.Change) *views.SourceEffects {
	if f.row.Spec.Topics == nil || !slices.ContainsFunc(changes, func(ch connector.Change) bool {
		return slices.ContainsFunc(f.row.Spec.Steps, func(s connector.Step) bool {
			return s.ID == connector.StepSource && slices.ContainsFunc(s.Fields, func(d connector.Field) bool { return d.Key == ch.Key })
		})
	}) {
		return nil
	}
	ctx, instance := q.Request.Context(), q.instance()
	was, will := control.Trial{Config: f.row.Config.Clone()}, control.Trial{Config: f.config()}
	was.Config[connector.KeyName] = f.row.Name
	deployed := f.row.Deployed
	key := laterKey(q, "effects", instance, f.row.Name, string(will.Config.JSON()), string(was.Config.JSON()))
	value, err, ok := c.later.get(q, key, effectsHead, func(ctx context.Context) (any, error) {
		var out readBefore
		var err error
		if out.after, err = c.control.SourceTopics(ctx, instance, will); err == nil && deployed {
			out.before, out.unknown = c.control.SourceTopics(ctx, instance, was)
		}
		return out, err
	})
	if ok {
		c.later.forget(key) // tables may come and go before the next review
	}
	e := &views.SourceEffects{Later: f.row.Desired != control.DesiredRunning}
	switch read, _ := value.(readBefore); {
	case !ok:
		e.Why = text.T(ctx, "effects.later")
	case err != nil:
		e.Why = control.AsError(err).Error()
	case read.unknown != nil:
		e.Why = control.AsError(read.unknown).Error()
	default:
		e.Parts, e.Same = effects(ctx, read.before, read.after)
		e.None = len(read.after) == 0
	}
	return e
}

// effects are what a change does to the parts that were read before and those that are read after it; same counts
// those to which it does nothing.
func effects(ctx context.Context, before, after []connector.SourceTopic) (out []components.Going, same int) {
	find := func(list []connector.SourceTopic, from string) *connector.SourceTopic {
		if i := slices.IndexFunc(list, func(t connector.SourceTopic) bool { return t.From == from }); i >= 0 {
			return &list[i]
		}
		return nil
	}
	for _, t := range after {
		old, what := find(before, t.From), ""
		switch {
		case old == nil && t.Copied && t.Followed:
			what = "effects.copied"
		case old == nil && t.Copied:
			what = "effects.copied_only"
		case old == nil:
			what = "effects.followed"
		case t.Followed && !old.Followed:
			what = "effects.again"
		case old.Followed && !t.Followed:
			what = "effects.left_copied"
		default:
			same++
			continue
		}
		out = append(out, components.Going{Kind: "plus", Name: t.From, Note: text.T(ctx, what, t.Name+", "+topicNote(ctx, t))})
	}
	for _, t := range before {
		if find(after, t.From) == nil {
			out = append(out, components.Going{Kind: "x", Name: t.From, Note: text.T(ctx, "effects.left", t.Name)})
		}
	}
	return out, same
}
