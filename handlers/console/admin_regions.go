package console

import (
	"net/http"
	"net/url"

	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/text"
)

// adminRegions lists the regions, with the form that adds one.
func (c *Console) adminRegions(q *request) error { return c.showRegions(q, nil) }

// showRegions shows the list; refused is why what was posted was not added.
func (c *Console) showRegions(q *request, refused error) error {
	ctx := q.Request.Context()
	fields, general, ok := problems(refused)
	if !ok {
		return refused
	}
	all, err := c.control.KnownRegions(ctx)
	if err != nil {
		return err
	}
	m := views.AdminRegionsPage{AdminPage: q.adminPage(tabRegions, 0)}
	for _, r := range all {
		row := views.Region{ID: r.ID, Name: r.Name, Instances: r.Instances}
		if !r.Builtin {
			row.Remove = tabRegions + "/" + url.PathEscape(r.ID) + "/delete"
		}
		m.Rows = append(m.Rows, row)
	}
	m.Form = views.AdminForm{URL: tabRegions, Submit: text.T(ctx, "admin_region.add"), General: general,
		Group: components.Group{Title: text.T(ctx, "admin_region.add"), Intro: text.T(ctx, "admin_region.intro"), Fields: []components.Field{
			{Key: control.RegionID, Kind: components.KindText, Mono: true, Required: true, Label: text.T(ctx, "admin_region.id"), Help: text.T(ctx, "admin_region.id_help"),
				Placeholder: "eu-central-1", Value: q.value(control.RegionID), Error: fields[control.RegionID]},
			{Key: control.RegionName, Kind: components.KindText, Required: true, Label: text.T(ctx, "admin_region.name"), Help: text.T(ctx, "admin_region.name_help"),
				Placeholder: "Germany (Frankfurt)", Value: q.value(control.RegionName), Error: fields[control.RegionName]},
		}}}
	return q.render(formStatus(refused), views.AdminRegions(m))
}

// adminRegionAdd adds a region.
func (c *Console) adminRegionAdd(q *request) error {
	ctx := q.Request.Context()
	r, err := c.control.AddRegion(ctx, q.value(control.RegionID), q.value(control.RegionName))
	if err != nil {
		return c.showRegions(q, err)
	}
	q.done(text.T(ctx, "admin_region.added", r.Name), text.T(ctx, "admin_region.added_body"))
	return q.redirect(tabRegions)
}

// adminRegionDelete removes a region that was added.
func (c *Console) adminRegionDelete(q *request) error {
	ctx := q.Request.Context()
	id := q.Param("region")
	return q.acted(c.control.DeleteRegion(ctx, id), text.T(ctx, "admin_region.removed", id), text.T(ctx, "admin_region.removed_body"), tabRegions)
}

// formStatus is the status of a page with a form: 422 when what was posted is refused.
func formStatus(refused error) int {
	if refused != nil {
		return http.StatusUnprocessableEntity
	}
	return http.StatusOK
}
