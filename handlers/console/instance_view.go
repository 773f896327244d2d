package console

import (
	"context"
	"strings"

	"github.com/sluice-io/sluice/models"
	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/layout"
	"github.com/sluice-io/sluice/views/text"
)

// instanceView is an instance as pages show it. failing counts its connectors that
// need somebody.
func (q *request) instanceView(in control.InstanceInfo, failing int) views.Instance {
	out := views.Instance{
		Name: in.Name, Href: instanceURL(in.Name), Region: q.regionName(in.Region), Status: in.Status, Since: in.Since,
		Version: in.Version, Bootstrap: in.BootstrapServers, Security: security(in), Enabled: in.Enabled,
		Connectors: in.Connectors, Quota: in.Quota, Failing: failing, ClusterID: in.ClusterID, InternetAccess: in.InternetAccess,
		VPC: in.VPCID, VSwitch: in.VSwitchID, Guarantees: guarantees(q.Request.Context(), in.Version),
	}
	if in.Status == "UNREACHABLE" {
		out.Detail = in.Detail
	}
	if out.Status == "" {
		out.Status = "UNKNOWN"
	}
	for _, b := range in.Brokers {
		out.Brokers = append(out.Brokers, views.Broker{ID: b.ID, Address: b.Address})
	}
	return out
}

func security(in control.InstanceInfo) string {
	if strings.HasPrefix(in.SecurityProtocol, "SASL") && in.SASLMechanism != "" {
		return in.SecurityProtocol + ", " + in.SASLMechanism
	}
	return in.SecurityProtocol
}

// guarantees says what a broker's version allows; 0.11 brought transactions.
func guarantees(ctx context.Context, version string) string {
	switch {
	case version == "":
		return ""
	case strings.HasPrefix(version, "0.") && !strings.HasPrefix(version, "0.11"):
		return text.T(ctx, "instance_page.plain_writes")
	}
	return text.T(ctx, "instance_page.transactions")
}

// regionName is what a region is called; one that is not known is shown by its ID.
func (q *request) regionName(id string) string {
	if q.regions == nil {
		q.regions = map[string]string{}
		if spec, err := q.c.control.InstanceSpec(q.Request.Context()); err == nil {
			if f, ok := spec.Field(control.InstanceRegion); ok {
				for _, o := range f.Options {
					q.regions[o.Value] = o.Label
				}
			}
		}
	}
	if name := q.regions[id]; name != "" {
		return name
	}
	return id
}

// The tabs of an instance.
const (
	tabConnectors = "connectors"
	tabTopics     = "topics"
	tabSettings   = "settings"
)

// instancePage is the head that the tabs of an instance share.
func (q *request) instancePage(tab string) (views.InstancePage, []models.ConnectorInfo, error) {
	ctx := q.Request.Context()
	in, err := q.instanceInfo()
	if err != nil {
		return views.InstancePage{}, nil, err
	}
	all, err := q.connectors()
	if err != nil {
		return views.InstancePage{}, nil, err
	}
	var own []models.ConnectorInfo
	failing := 0
	for _, c := range all.Rows {
		if c.Instance != in.Name {
			continue
		}
		own = append(own, c)
		if needsSomebody(c) {
			failing++
		}
	}
	m := views.InstancePage{Instance: q.instanceView(in, failing), Admin: q.may(control.Admin), Operator: q.may(control.Operator), New: newConnectorURL(in.Name)}
	m.Page = q.page(in.Name, instanceURL(in.Name), layout.Crumb{Label: text.T(ctx, "instances.title"), Href: "/instances"})
	m.Tabs = []components.Tab{
		{Label: text.T(ctx, "instance_page.connectors"), Href: m.Instance.Href, Current: tab == tabConnectors, Count: len(own)},
		{Label: text.T(ctx, "instance_page.topics"), Href: m.Instance.Href + "/topics", Current: tab == tabTopics},
	}
	if m.Admin {
		m.Tabs = append(m.Tabs, components.Tab{Label: text.T(ctx, "instance_page.settings"), Href: m.Instance.Href + "/settings", Current: tab == tabSettings})
	}
	return m, own, nil
}
