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
// the table, and answers for all of them or for each. The detail has a line for each
// session behind its first.
func (s *sink) unknown(in connector.Intent, found map[verdict][]finding) connector.Outcome {
	lost, all := found[unsure], len(found[unsure])+len(found[gone])+len(found[done])
	detail := fmt.Sprintf("nobody knows what became of %d of %d upload sessions into %s", len(lost), all, s.place.sql())
	if all == 1 {
		detail = "nobody knows what became of the upload session into " + s.place.sql()
	}
	for _, v := range []verdict{unsure, gone, done} {
		for _, f := range found[v] {
			detail += "\n" + f.String()
		}
	}
	others := ""
	if n := len(found[gone]); n > 0 {
		others += fmt.Sprintf(" Rows of other sessions that are certainly not there (%d sessions) are written.", n)
	}
	if n := len(found[done]); n > 0 {
		others += fmt.Sprintf(" What else is committed (%d sessions) stays as it is.", n)
	}
	var rows int64
	for _, f := range lost {
		rows += f.rows
	}
	whose := fmt.Sprintf("The %d rows of these %d sessions", rows, len(lost))
	if len(lost) == 1 {
		whose = fmt.Sprintf("The %d rows of %s", rows, lost[0].pt)
	}
	choices := append([]connector.Choice{}, choicesFor("", whose, others)...)
	if len(lost) > 1 {
		for _, f := range lost {
			choices = append(choices, choicesFor(":"+f.session, fmt.Sprintf("Only the %d rows of %s (session %s)", f.rows, f.pt, f.session), "")...)
		}
	}
	choices = append(choices, connector.Choice{Choice: choiceStay, Title: "Leave the partition stopped", Risk: "Nothing is delivered meanwhile."})
	return connector.Outcome{Kind: connector.Unknown, Choices: choices, Detail: detail}
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
