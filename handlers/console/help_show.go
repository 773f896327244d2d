package console

import (
	"net/http"
	"strings"

	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/layout"
	"github.com/sluice-io/sluice/views/text"
)

// helpShow is the index of help, or what a search found.
func (c *Console) helpShow(q *request) error {
	ctx := q.Request.Context()
	m := views.HelpPage{Page: q.page(text.T(ctx, "help.title"), "help"), Query: clip(strings.TrimSpace(q.Query("q")), 100)}
	specs := c.control.Specs()
	for i := range specs {
		spec := &specs[i]
		m.Connectors = append(m.Connectors, views.HelpConnector{Class: spec.Class, Title: c.titleOf(spec), Summary: spec.Summary, Href: referenceURL(spec.Class), Path: c.dumpPath(spec.Class)})
		if m.Query == "" {
			continue
		}
		for _, f := range spec.Fields() {
			if strings.Contains(strings.ToLower(f.Key+"\n"+f.Label+"\n"+f.Help), strings.ToLower(m.Query)) {
				m.Results = append(m.Results, views.HelpResult{Key: f.Key, Label: f.Label, Help: f.Help, Connector: spec.Class, Href: referenceURL(spec.Class) + "#" + f.Key})
			}
		}
	}
	return q.render(http.StatusOK, views.Help(m))
}

// helpReference is the reference of one task type, made of its declaration.
func (c *Console) helpReference(q *request) error {
	ctx := q.Request.Context()
	spec, err := c.control.Spec(q.Param("class"))
	if err != nil {
		return err
	}
	m := views.ReferencePage{Class: spec.Class, Title: c.titleOf(spec), Summary: spec.Summary, Version: spec.Version, Path: c.dumpPath(spec.Class), Example: exampleOf(spec)}
	for _, s := range spec.Steps {
		g := views.ReferenceGroup{ID: string(s.ID), Title: s.Title}
		for _, f := range s.Fields {
			g.Params = append(g.Params, paramOf(ctx, spec, f))
		}
		m.Groups = append(m.Groups, g)
	}
	m.Page = q.page(m.Title, "help", layout.Crumb{Label: text.T(ctx, "help.title"), Href: "/help"})
	return q.render(http.StatusOK, views.Reference(m))
}
