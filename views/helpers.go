package views

import (
	"context"
	"strconv"
	"strings"

	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/text"
)

func orDash(value string) string {
	if value == "" {
		return "–"
	}
	return value
}

// countOrDash writes a count; a negative one is not known.
func countOrDash(n int64) string {
	if n < 0 {
		return "–"
	}
	return components.Number(n)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func joined(list []string) string { return orDash(strings.Join(list, ", ")) }

func quotaTone(i Instance) components.Tone {
	if i.Connectors >= i.Quota {
		return components.ToneWarn
	}
	return ""
}

func instanceAdd(ctx context.Context, admin bool) []components.Action {
	if !admin {
		return nil
	}
	return []components.Action{{Label: text.T(ctx, "instances.add"), Icon: "plus", Kind: "primary", Href: "/instances/new"}}
}

// createAction is the next step where an instance has no connectors.
func createAction(ctx context.Context, m InstancePage) []components.Action {
	if !m.Operator || !m.Instance.Enabled || m.quotaFull() {
		return nil
	}
	return []components.Action{{Label: text.T(ctx, "connectors.create"), Icon: "plus", Href: m.New}} // the head has the primary one
}

func instanceStats(ctx context.Context, m InstanceConnectorsPage) []components.Stat {
	failing := components.Stat{Label: text.T(ctx, "instance.failing"), Value: strconv.Itoa(m.Instance.Failing), Sub: text.T(ctx, "instance.failing_sub")}
	if m.Instance.Failing > 0 {
		failing.Tone = components.ToneBad
	}
	rate, waiting := 0.0, int64(0)
	for _, r := range m.Rows {
		rate += max(0, r.Rate)
		waiting += max(0, r.Waiting)
	}
	return []components.Stat{
		{Label: text.T(ctx, "instance.quota"), Value: strconv.Itoa(m.Instance.Connectors), Unit: text.T(ctx, "quota.of", m.Instance.Quota), Sub: text.T(ctx, "quota.sub")},
		failing,
		{Label: text.T(ctx, "connector.rate"), Value: components.Compact(rate), Unit: text.T(ctx, "unit.records_s"), Sub: text.T(ctx, "instance.rate_sub")},
		{Label: text.T(ctx, "instance.waiting"), Value: components.Compact(float64(waiting)), Unit: text.N(ctx, "unit.records", waiting), Sub: text.T(ctx, "instance.waiting_sub")},
	}
}

func instancePairs(ctx context.Context, i Instance) []components.Pair {
	access := text.T(ctx, "instance.private")
	if i.InternetAccess {
		access = text.T(ctx, "instance.internet")
	}
	return []components.Pair{
		{Key: text.T(ctx, "instance.bootstrap"), Value: i.Bootstrap, Mono: true},
		{Key: text.T(ctx, "instance.security"), Value: i.Security},
		{Key: text.T(ctx, "instance.version"), Value: i.Version},
		{Key: text.T(ctx, "instance.guarantees"), Value: i.Guarantees},
		{Key: text.T(ctx, "instance.cluster"), Value: i.ClusterID, Mono: true},
		{Key: text.T(ctx, "instance.region"), Value: i.Region},
		{Key: text.T(ctx, "instance.network"), Value: access},
		{Key: text.T(ctx, "instance.vpc"), Value: i.VPC},
		{Key: text.T(ctx, "instance.vswitch"), Value: i.VSwitch},
	}
}

// answerLook shows how a stand-in answered: a status, or a connection that was cut.
func answerLook(ctx context.Context, r SandboxRequest) components.Look {
	words := strconv.Itoa(r.Status)
	if r.Code != "" {
		words += " " + r.Code
	}
	switch {
	case r.Status == 0:
		return components.Look{Icon: "unplug", Text: text.T(ctx, "request.cut"), Tone: components.ToneBad}
	case r.Status >= 500:
		return components.Look{Icon: "circle-x", Text: words, Tone: components.ToneBad}
	case r.Status >= 400:
		return components.Look{Icon: "circle-alert", Text: words, Tone: components.ToneWarn}
	}
	return components.Look{Icon: "circle-check", Text: words, Tone: components.ToneOK}
}

func paramPairs(ctx context.Context, p Param) []components.Pair {
	out := []components.Pair{{Key: text.T(ctx, "param.type"), Value: p.Type}}
	if p.Default != "" {
		out = append(out, components.Pair{Key: text.T(ctx, "param.default"), Value: p.Default, Mono: true})
	}
	if p.Example != "" {
		out = append(out, components.Pair{Key: text.T(ctx, "param.example"), Value: p.Example, Mono: true})
	}
	if p.FixedAlways {
		out = append(out, components.Pair{Key: text.T(ctx, "param.change"), Value: text.T(ctx, "param.fixed_always")})
	} else if p.FixedAfter {
		out = append(out, components.Pair{Key: text.T(ctx, "param.change"), Value: text.T(ctx, "param.fixed")})
	}
	return out
}

// emptyActions are the next steps where there is no connector yet, the best one first.
func emptyActions(ctx context.Context, m ConnectorsPage) []components.Action {
	var out []components.Action
	if m.Example != "" {
		out = append(out, components.Action{Label: text.T(ctx, "connectors.example"), Icon: "rocket", Post: m.Example})
	}
	if m.New != "" {
		out = append(out, components.Action{Label: text.T(ctx, "connectors.create"), Icon: "plus", Href: m.New})
	} else if m.Enable != "" {
		out = append(out, components.Action{Label: text.T(ctx, "instance.enable"), Icon: "zap", Href: m.Enable})
	}
	if m.Admin {
		out = append(out, components.Action{Label: text.T(ctx, "instances.add"), Icon: "server", Href: "/instances/new"})
	}
	if len(out) > 0 {
		out[0].Kind = "primary"
	}
	return out
}

// detailed says whether the topics' settings are known: listing them costs a request a topic, and lists leave it out.
func detailed(rows []Topic) bool { return len(rows) > 0 && rows[0].Cleanup != "" }

// controlled says whether the cluster's controller is known.
func controlled(brokers []Broker) bool {
	for _, b := range brokers {
		if b.Controller {
			return true
		}
	}
	return false
}
