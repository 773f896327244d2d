package control

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
)

// Two connectors that write one topic are not refused: readers may want the messages of both.
// They are named where a connector is checked, previewed and validated.

// writer is a connector that may write to a topic.
type writer struct {
	name  string
	topic []string // names, and patterns with * and ?
	own   map[string]string
}

// writersBeside are the other connectors of the candidate's cluster. self is its own ID, 0 for a new one.
func (s *Service) writersBeside(ctx context.Context, c *candidate, self int64) ([]writer, error) {
	all, err := s.store.Connectors(ctx)
	if err != nil {
		return nil, fromStore(err, "connectors")
	}
	same, err := s.sameCluster(ctx, c.instance)
	if err != nil {
		return nil, err
	}
	var out []writer
	for i := range all {
		other := &all[i]
		if other.ID == self || !same[other.InstanceID] || other.Desired == runner.DesiredDeleting || other.Desired == runner.DesiredDraft {
			continue
		}
		spec, err := connector.Find(s.specs, other.Class)
		if err != nil {
			continue
		}
		cfg := spec.Resolve(other.Config, c.env)
		w := writer{name: other.Name, own: owned(cfg)}
		if spec.Writes != nil {
			_, w.topic = spec.Writes(cfg)
		}
		out = append(out, w)
	}
	slices.SortFunc(out, func(a, b writer) int { return compareText(a.name, b.name) })
	return out, nil
}

// writes tells whether the connector's source writes to a topic, which may be a pattern too.
func (w *writer) writes(topic string) bool {
	return slices.ContainsFunc(w.topic, func(p string) bool { return patternsMeet(p, topic) })
}

// alsoBy are the names of those that write to a topic.
func alsoBy(writers []writer, topic string) []string {
	var out []string
	for i := range writers {
		if _, own := writers[i].own[topic]; own || writers[i].writes(topic) {
			out = append(out, writers[i].name)
		}
	}
	return out
}

// checkWriters names the connectors that write what the candidate, a source, would write to. A topic
// that some connector keeps its own state in must not be one of them.
func (s *Service) checkWriters(ctx context.Context, c *candidate, row runner.Connector, emit func(connector.Finding)) {
	begin := s.now()
	f := connector.Finding{Name: "Other writers", Status: connector.FindingOK, Detail: "No other connector writes to these topics."}
	defer func() {
		f.Millis = s.now().Sub(begin).Milliseconds()
		emit(f)
	}()
	writers, err := s.writersBeside(ctx, c, row.ID)
	if err != nil {
		f.Status, f.Detail = connector.FindingFailed, sentence(AsError(err).Message)
		return
	}
	topics, err := c.spec.Topics(ctx, c.resolved, s.sup.Deps(c.instance, row.Name, row.UUID, c.resolved))
	if err != nil {
		f.Status, f.Detail = connector.FindingSkipped, "Not tried: which topics these are is not known, as another check says."
		return
	}
	writers = append(writers, writer{name: row.Name, own: owned(c.resolved)})
	var kept, both []string
	for _, t := range topics {
		for _, w := range writers {
			if key, is := w.own[t.Name]; is {
				kept = append(kept, fmt.Sprintf("%s is %s of the connector %s", t.Name, key, w.name))
			} else if w.writes(t.Name) {
				both = append(both, fmt.Sprintf("%s: the connector %s", t.Name, w.name))
			}
		}
	}
	switch {
	case len(kept) > 0:
		f.Status, f.Detail, f.Remedy = connector.FindingFailed, "Rows would be written to a connector's own topic: "+clipList(kept)+".", "Give the topics of the rows other names."
	case len(both) > 0:
		f.Status, f.Detail = connector.FindingSkipped, "Somebody else writes there too. "+clipList(both)+"."
		f.Remedy = "Give this connector topics of its own, unless readers are to find the messages of both in one."
	}
}

// checkOwnTopic names the source that writes rows to a topic which the candidate would own.
func checkOwnTopic(writers []writer, f *connector.Finding, topic string) {
	for i := range writers {
		if writers[i].writes(topic) {
			f.Status, f.Detail, f.Remedy = connector.FindingFailed, fmt.Sprintf("The connector %s writes rows to it.", quoted(writers[i].name)), "Name another topic."
		}
	}
}

// writerWarnings are what is said of other writers without asking anybody outside: by the configurations.
func (s *Service) writerWarnings(ctx context.Context, c *candidate, self int64) []connector.FieldError {
	if c.spec.Writes == nil {
		return nil
	}
	writers, err := s.writersBeside(ctx, c, self)
	if err != nil {
		s.log.Warn("looking for other writers", "err", err)
		return nil
	}
	key, topics := c.spec.Writes(c.resolved)
	var out []connector.FieldError
	for i := range writers {
		at := slices.IndexFunc(topics, writers[i].writes)
		if at >= 0 {
			out = append(out, connector.FieldError{Field: key, Message: fmt.Sprintf("The connector %s writes to %s too; give this one topics of its own, unless readers are to find the messages of both in one.", quoted(writers[i].name), quoted(topics[at]))})
		}
	}
	return out
}

// clipList joins the first few.
func clipList(items []string) string {
	const most = 5
	if len(items) <= most {
		return strings.Join(items, "; ")
	}
	return strings.Join(items[:most], "; ") + fmt.Sprintf("; and %d more", len(items)-most)
}

// patternsMeet tells whether a name exists that both patterns match, with * for any characters and ? for
// one. Upper and lower case count as one: a server of names without it may write either.
func patternsMeet(a, b string) bool {
	const wild = "*?"
	p, q := []rune(strings.ToLower(a)), []rune(strings.ToLower(b))
	if !strings.ContainsAny(a, wild) && !strings.ContainsAny(b, wild) {
		return string(p) == string(q)
	}
	// meet[j] tells whether p[:i] and q[:j] have a name in common.
	meet := make([]bool, len(q)+1)
	for i := 0; i <= len(p); i++ {
		diagonal := false // meet[j-1] of the row before
		for j := 0; j <= len(q); j++ {
			above := i > 0 && meet[j]
			left := j > 0 && meet[j-1]
			now := i == 0 && j == 0
			if i > 0 && p[i-1] == '*' {
				now = now || above || left
			}
			if j > 0 && q[j-1] == '*' {
				now = now || above || left
			}
			if i > 0 && j > 0 && diagonal && p[i-1] != '*' && q[j-1] != '*' {
				now = now || p[i-1] == q[j-1] || p[i-1] == '?' || q[j-1] == '?'
			}
			diagonal = i > 0 && meet[j]
			meet[j] = now
		}
	}
	return meet[len(q)]
}
