package components

import (
	"context"
	"strings"

	"github.com/sluice-io/sluice/views/text"
)

// Tone is what a colour means. A tone never stands alone: an icon and a word go with it.
type Tone string

// The tones.
const (
	ToneOK   Tone = "ok"   // all is well
	ToneInfo Tone = "info" // under way by itself
	ToneBusy Tone = "busy" // being retried: it works on its own recovery
	ToneWarn Tone = "warn" // somebody should look
	ToneBad  Tone = "bad"  // somebody must act
	ToneIdle Tone = "idle" // nothing runs, and nothing is meant to
)

func (t Tone) class() string {
	if t == "" {
		return ""
	}
	return "tone-" + string(t)
}

// Look is how one value of an enumeration is shown: always all three.
type Look struct {
	Icon  string // a vendored icon
	Text  string // message ID of the word
	Tone  Tone
	Moves bool // the icon turns: something is under way
}

// StateStalled is shown beside or in the place of a connector's state when records wait and nothing moves.
const StateStalled = "STALLED"

// stateLooks has every connector state by its detail.state, and Stalled.
func stateLooks() map[string]Look {
	return map[string]Look{
		"DRAFT":        {Icon: "file-pen-line", Text: "state.draft", Tone: ToneIdle},
		"NOT_DEPLOYED": {Icon: "circle-dashed", Text: "state.not_deployed", Tone: ToneIdle},
		"DEPLOYING":    {Icon: "loader-circle", Text: "state.deploying", Tone: ToneInfo, Moves: true},
		"RUNNING":      {Icon: "circle-check", Text: "state.running", Tone: ToneOK},
		"RECOVERING":   {Icon: "refresh-cw", Text: "state.recovering", Tone: ToneBusy},
		"DEGRADED":     {Icon: "triangle-alert", Text: "state.degraded", Tone: ToneWarn},
		"FAILED":       {Icon: "circle-x", Text: "state.failed", Tone: ToneBad},
		"GAP":          {Icon: "split", Text: "state.gap", Tone: ToneBad},
		"SUSPENDING":   {Icon: "loader-circle", Text: "state.suspending", Tone: ToneIdle, Moves: true},
		"SUSPENDED":    {Icon: "circle-pause", Text: "state.suspended", Tone: ToneIdle},
		"STOPPED":      {Icon: "circle-stop", Text: "state.stopped", Tone: ToneIdle},
		"DELETING":     {Icon: "loader-circle", Text: "state.deleting", Tone: ToneBad, Moves: true},
		StateStalled:   {Icon: "hourglass", Text: "state.stalled", Tone: ToneWarn},
	}
}

// States lists every state that StateBadge knows, the ones that need somebody first: the order of the home page.
func States() []string {
	return []string{"FAILED", "GAP", StateStalled, "DEGRADED", "RECOVERING", "DEPLOYING", "RUNNING", "SUSPENDING", "SUSPENDED", "STOPPED", "NOT_DEPLOYED", "DRAFT", "DELETING"}
}

// StateLook returns how a state is shown. An unknown one is shown as it is written, in grey.
func StateLook(state string) Look {
	return lookIn(stateLooks(), state)
}

// ReachLook returns how an instance's status is shown: RUNNING, UNREACHABLE, UNKNOWN.
func ReachLook(status string) Look {
	return lookIn(map[string]Look{
		"RUNNING":     {Icon: "circle-check", Text: "reach.running", Tone: ToneOK},
		"UNREACHABLE": {Icon: "unplug", Text: "reach.unreachable", Tone: ToneBad},
		"UNKNOWN":     {Icon: "circle-question-mark", Text: "reach.unknown", Tone: ToneIdle},
	}, status)
}

// FindingLook returns how a check's status is shown: ok, failed, skipped, and running while it is awaited.
func FindingLook(status string) Look {
	return lookIn(map[string]Look{
		"ok":      {Icon: "circle-check", Text: "finding.ok", Tone: ToneOK},
		"failed":  {Icon: "circle-x", Text: "finding.failed", Tone: ToneBad},
		"skipped": {Icon: "circle-slash", Text: "finding.skipped", Tone: ToneIdle},
		"running": {Icon: "loader-circle", Text: "finding.running", Tone: ToneInfo, Moves: true},
	}, status)
}

// look is how a check is shown. One that found something to think about, but nothing wrong, is a remark.
func (f Finding) look() Look {
	if f.Status == "skipped" && f.Remedy != "" {
		return Look{Icon: "info", Text: "finding.remark", Tone: ToneInfo}
	}
	return FindingLook(f.Status)
}

// counted says how many checks came out how, where there are too many to see at once; "" where there are few.
func counted(ctx context.Context, list []Finding) string {
	told := false
	n := map[string]int64{}
	for _, f := range list {
		told = told || f.Detail != ""
		n[f.look().Text]++
	}
	words := []struct{ of, text string }{{"finding.failed", "finding.failed_n"}, {"finding.ok", "finding.ok_n"}, {"finding.remark", "finding.remark_n"},
		{"finding.skipped", "finding.skipped_n"}, {"finding.running", "finding.running_n"}}
	if !told || len(list) < 6 { // steps of a deployment have no details
		return ""
	}
	var parts []string
	for _, w := range words {
		if n[w.of] > 0 {
			parts = append(parts, text.N(ctx, w.text, n[w.of]))
		}
	}
	return strings.Join(parts, ", ")
}

// LevelLook returns how a log level is shown: DEBUG, INFO, WARN, ERROR.
func LevelLook(level string) Look {
	return lookIn(map[string]Look{
		"DEBUG": {Icon: "info", Text: "level.debug", Tone: ToneIdle},
		"INFO":  {Icon: "info", Text: "level.info", Tone: ToneInfo},
		"WARN":  {Icon: "triangle-alert", Text: "level.warn", Tone: ToneWarn},
		"ERROR": {Icon: "circle-x", Text: "level.error", Tone: ToneBad},
	}, level)
}

func lookIn(looks map[string]Look, value string) Look {
	if look, ok := looks[value]; ok {
		return look
	}
	return Look{Icon: "circle-question-mark", Text: value, Tone: ToneIdle}
}
