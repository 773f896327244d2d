package runner

import (
	"fmt"
	"strings"

	"github.com/sluice-io/sluice/runner/connector"
)

// Choices that a person has.
const (
	choiceBeginning = "beginning"
	choiceEnd       = "end"
	choicePosition  = "position"
	choiceStay      = "stay"
	choiceDone      = "done"
	choiceRedo      = "redo"
)

var stayChoice = connector.Choice{Choice: choiceStay, Title: "Stay stopped", Risk: "Nothing is delivered from this partition until you choose."}

// gapStop is a stop because records are lost, or because the position cannot be trusted.
func gapStop(lost string) *stopError {
	return &stopError{
		state: connector.StateGap, cause: sentenceOf(lost), lost: lost,
		remedy: "Choose where this partition goes on.",
		choices: []connector.Choice{
			{Choice: choiceBeginning, Title: "Go on at the beginning of the partition", Risk: "Records that were delivered before and still exist are delivered again."},
			{Choice: choiceEnd, Title: "Go on at the end of the partition", Risk: "Records that exist now and were not delivered are skipped."},
			{Choice: choicePosition, Title: "Go on at an offset that you name", Risk: "Records below it that were not delivered are skipped, records above it that were delivered come again."},
			stayChoice,
		},
	}
}

// anewStop is a gap because the topic is another one of the same name. Its offsets begin
// again, and a destination that names things by them can hold the old topic's.
func anewStop(lost string) *stopError {
	e := gapStop(lost)
	for i := range e.choices {
		if c := &e.choices[i]; c.Choice == choiceBeginning || c.Choice == choicePosition {
			c.Risk += " The new topic's offsets began again at 0, so what is written can meet what the old topic left under the same name; that is never overwritten, the partition stops instead. Let it go elsewhere first (OSS: change oss.prefix or oss.path), then choose."
		}
	}
	return e
}

// intentStop is a stop because it is not known, or not possible to finish exactly, what
// an interrupted delivery began.
func intentStop(lost string, in *connector.Intent, offered []connector.Choice) *stopError {
	brief, _, _ := strings.Cut(lost, "\n")
	e := &stopError{state: connector.StateGap, cause: sentenceOf(brief), lost: lost, remedy: "Look at the destination, then choose."}
	e.choices, e.asked = offered, len(offered) > 0
	if !e.asked {
		e.choices = []connector.Choice{
			{Choice: choiceDone, Title: "It is there: go on behind it", Risk: fmt.Sprintf("What of offsets %d to %d is not at the destination stays missing.", in.First, in.Next-1)},
			{Choice: choiceRedo, Title: "Deliver the range again", Risk: fmt.Sprintf("What of offsets %d to %d is at the destination is there twice.", in.First, in.Next-1)},
		}
	}
	for _, c := range e.choices {
		if c.Choice == choiceStay {
			return e
		}
	}
	e.choices = append(append([]connector.Choice{}, e.choices...), stayChoice)
	return e
}

func sentenceOf(s string) string { return sentence(fmt.Errorf("%s", s)) }
