package views

import (
	"context"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/text"
)

// connectorTone colours the notice with a connector's cause by its state.
func connectorTone(m ConnectorFrame) components.Tone {
	if tone := components.StateLook(m.State).Tone; tone == components.ToneBad || tone == components.ToneWarn || tone == components.ToneBusy {
		return tone
	}
	if m.Stalled {
		return components.ToneWarn
	}
	return components.ToneInfo
}

// causeTitle is the cause, or the state in words where only a remedy is known.
func causeTitle(ctx context.Context, m ConnectorFrame) string {
	if m.Cause != "" {
		return m.Cause
	}
	return text.T(ctx, components.StateLook(m.State).Text)
}

func connectorRemedy(m ConnectorFrame) []components.Action {
	if m.Act.Label == "" {
		return nil
	}
	m.Act.Small = true
	return []components.Action{m.Act}
}

func lostAction(ctx context.Context, m ConnectorFrame) []components.Action {
	if m.Modify == "" {
		return nil
	}
	return []components.Action{{Label: text.T(ctx, "connector.enter_secrets"), Icon: "key-round", Href: m.Modify, Small: true}}
}

// deployFindings shows steps as checks that passed, the one under way or the one that failed last.
func deployFindings(ctx context.Context, d DeployProgress) []components.Finding {
	var out []components.Finding
	for _, s := range d.Steps {
		out = append(out, components.Finding{Name: s, Status: "ok"})
	}
	switch {
	case d.Running:
		out = append(out, components.Finding{Name: text.T(ctx, "deploy.working"), Status: "running"})
	case d.Failed != "":
		out = append(out, components.Finding{Name: d.Failed, Status: "failed"})
	}
	return out
}

func choiceTitle(ctx context.Context, c ChoiceForm) string {
	if c.Topic == "" {
		return text.T(ctx, "choice.title_source")
	}
	return text.T(ctx, "choice.title", c.Topic, c.Partition)
}

// what is lost, as a sentence.
func (c ChoiceForm) what() string {
	first, _, _ := strings.Cut(c.Lost, "\n")
	first = begun(first)
	if first != "" && !strings.HasSuffix(first, ".") {
		first += "."
	}
	return first
}

// which are the things that the loss is about.
func (c ChoiceForm) which() []string {
	_, rest, more := strings.Cut(c.Lost, "\n")
	if !more {
		return nil
	}
	out := strings.Split(rest, "\n")
	for i := range out {
		out[i] = begun(out[i])
	}
	return out
}

// begun is a text with a capital letter.
func begun(text string) string {
	r, n := utf8.DecodeRuneInString(text)
	if n == 0 {
		return text
	}
	return string(unicode.ToUpper(r)) + text[n:]
}

// choiceField offers the ways on. Nothing is chosen beforehand: each has its risk.
func choiceField(ctx context.Context, c ChoiceForm) components.Field {
	f := components.Field{Key: c.ID + ".choice", Kind: components.KindRadio, Label: text.T(ctx, "choice.label"), Required: true, Value: c.Value}
	for _, o := range c.Options {
		f.Options = append(f.Options, components.Option{Value: o.Choice, Label: o.Title, Hint: o.Risk})
	}
	if c.ErrorOf == "choice" {
		f.Error = c.Error
	}
	return f
}

func choiceOffset(ctx context.Context, c ChoiceForm) components.Field {
	f := components.Field{Key: c.ID + ".offset", Kind: components.KindNumber, Label: text.T(ctx, "choice.offset"), Help: text.T(ctx, "choice.offset_help"), Value: c.Offset, Short: true}
	if c.ErrorOf == "offset" {
		f.Error = c.Error
	}
	return f
}

// causeInRows says that a partition's row tells the task's cause already.
func (t ConnectorTask) causeInRows() bool {
	for _, p := range t.Partitions {
		if p.Cause == t.Cause {
			return true
		}
	}
	return false
}

func resourceIcon(kind string) string {
	if kind == "group" {
		return "users"
	}
	return "layers"
}

// resourceLook shows whether a resource is there and as it must be.
func resourceLook(r ConnectorResource) components.Look {
	switch {
	case !r.Exists:
		return components.Look{Icon: "circle-dashed", Text: "resources.missing", Tone: components.ToneIdle}
	case r.Detail != "" && r.Kind == "topic":
		return components.Look{Icon: "triangle-alert", Text: "resources.look", Tone: components.ToneWarn}
	}
	return components.Look{Icon: "circle-check", Text: "resources.exists", Tone: components.ToneOK}
}

// fateLook shows what became of a message.
func fateLook(state string) components.Look {
	switch state {
	case "delivered":
		return components.Look{Icon: "circle-check", Text: "fate.delivered", Tone: components.ToneOK}
	case "diverted":
		return components.Look{Icon: "split", Text: "fate.diverted", Tone: components.ToneWarn}
	case "waiting":
		return components.Look{Icon: "hourglass", Text: "fate.waiting", Tone: components.ToneInfo}
	}
	return components.Look{Icon: "circle-question-mark", Text: "fate.unknown", Tone: components.ToneIdle}
}

func partitionName(topic string, partition int32) string {
	return topic + "-" + strconv.Itoa(int(partition))
}
