package maxcompute

import (
	"fmt"
	"strings"

	"github.com/sluice-io/sluice/runner/connector"
)

// Choices that a person has about sessions of which nobody knows whether they were
// committed. "done:" and "redo:" before a session's ID are about that one.
const (
	choiceDone = "done"
	choiceRedo = "redo"
	choiceStay = "stay"
)

var _ connector.Chooser = (*sink)(nil)

// unknown is the outcome where the end of some sessions is not known: a person looks at
// the table, and answers for all of them or for each.
func (s *sink) unknown(in connector.Intent, found map[verdict][]finding) connector.Outcome {
	lost := found[unsure]
	detail := list(lost)
	for _, more := range [][]finding{found[gone], found[done]} {
		if len(more) > 0 {
			detail += "; " + list(more)
		}
	}
	others := ""
	if n := len(found[gone]); n > 0 {
		others += fmt.Sprintf(" The rows of %d other sessions, which are certainly not there, are written.", n)
	}
	if n := len(found[done]); n > 0 {
		others += fmt.Sprintf(" %d other sessions are committed and stay as they are.", n)
	}
	var rows int64
	for _, f := range lost {
		rows += f.rows
	}
	whose := fmt.Sprintf("The %d rows of the %d sessions", rows, len(lost))
	if len(lost) == 1 {
		whose = whoseRows(lost[0])
	}
	choices := append([]connector.Choice{}, choicesFor("", whose, others)...)
	if len(lost) > 1 {
		for _, f := range lost {
			choices = append(choices, choicesFor(":"+f.session, whoseRows(f), "")...)
		}
	}
	choices = append(choices, connector.Choice{Choice: choiceStay, Title: "Leave the partition stopped", Risk: "Nothing is delivered meanwhile."})
	return connector.Outcome{Kind: connector.Unknown, Choices: choices,
		Detail: fmt.Sprintf("of %d upload sessions into %s, nobody knows what became of %d: %s", len(found[unsure])+len(found[gone])+len(found[done]), s.place.sql(), len(lost), detail)}
}

// whoseRows names the rows of one session, with all that tells where to look.
func whoseRows(f finding) string {
	return fmt.Sprintf("The %d rows of %s (session %s)", f.rows, f.pt, f.session)
}

// choicesFor are the two answers about some sessions.
func choicesFor(suffix, whose, others string) []connector.Choice {
	return []connector.Choice{
		{Choice: choiceDone + suffix, Title: whose + " are in the table: keep them", Risk: "Those that are not there stay missing for good." + others},
		{Choice: choiceRedo + suffix, Title: whose + " are not in the table: write them again", Risk: "Those that are there already are there twice." + others},
	}
}

// Choose implements connector.Chooser. An answer for all is for the sessions that have
// none yet.
func (s *sink) Choose(in connector.Intent, choice string) (payload []byte, ok bool, err error) {
	word, session, one := strings.Cut(choice, ":")
	said := map[string]verdict{choiceDone: done, choiceRedo: gone}[word]
	if said == unsure {
		return nil, false, nil
	}
	entries, err := parsePayload(in.Payload)
	found := false
	for i := range entries {
		e := &entries[i]
		if one && e.session == session || !one && e.said == unsure {
			e.said, found = said, true
		}
	}
	if err != nil { // what cannot be read keeps no answers: the runner's own choices hold
		return nil, false, nil
	}
	if !found {
		return nil, false, connector.FieldError{Field: "choice", Message: fmt.Sprintf("%q is about no upload session of offsets %d to %d.", choice, in.First, in.Next-1)}
	}
	payload, err = encodePayload(entries)
	return payload, err == nil, err
}
