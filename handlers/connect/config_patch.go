package connect

import (
	"github.com/sluice-io/sluice/runner/connector"
)

// configPatch answers PATCH /connectors/{c}/config: null removes a key.
func configPatch(s *Server, c *call) error {
	body, err := c.object()
	if err != nil {
		return err
	}
	patch, err := flat(body)
	if err != nil {
		return err
	}
	old, err := s.o.Control.Connector(c.ctx, c.instance, c.name())
	if err != nil {
		return lost(err, "Connector %s not found", plain(c.name()))
	}
	if given, present := patch[connector.KeyName]; present && (given == nil || *given != c.name()) {
		text := "null"
		if given != nil {
			text = plain(*given)
		}
		return bad("Connector name configuration (%s) doesn't match connector name in the URL (%s): the name cannot be changed.", text, plain(c.name()))
	}
	after := configOf(old)
	for k, v := range patch {
		if v == nil {
			delete(after, k)
		} else {
			after[k] = *v
		}
	}
	if err := s.checkClass(after); err != nil {
		return err
	}
	x, err := s.o.Control.PatchConfig(c.ctx, c.instance, c.name(), patch)
	if err != nil {
		return s.refused(lost(err, "Connector %s not found", plain(c.name())), after)
	}
	return s.answerInfo(c, x)
}
