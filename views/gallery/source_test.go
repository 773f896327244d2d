package gallery

import (
	"time"

	"github.com/a-h/templ"

	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/layout"
)

const shopChanges = "/instances/orders-prod/connectors/shop-changes"

// sourceFrame is the head of a source's page in some state.
func sourceFrame(tab int, state, cause, remedy string) views.ConnectorFrame {
	m := connectorFrame(tab, state, cause, remedy)
	m.Page = frame("shop-changes", shopChanges, layout.Crumb{Label: "Instances", Href: "/instances"}, layout.Crumb{Label: "orders-prod", Href: "/instances/orders-prod"})
	m.Name, m.Href, m.Class, m.Description = "shop-changes", shopChanges, "MYSQL2KAFKA", "Every change of the shop"
	m.Path = views.DumpPath{Source: "MySQL", Destination: "Message Queue for Apache Kafka", From: "MySQL", To: "Kafka"}
	m.Actions = m.Actions[1:]
	m.Menu = append([]components.MenuItem{{Label: "Snapshot again", Icon: "rotate-ccw", Href: "/s"}}, m.Menu...)
	return m
}

func sourceParts() []views.SourcePart {
	return []views.SourcePart{
		{Name: "shop.order_lines", Target: "shop_order_lines", TargetHref: "/t", Phase: "snapshot", Done: 8_412_000, Total: 21_904_117, Unit: "rows", Rate: 214_300, Left: 63 * time.Second, Copies: true},
		{Name: "shop.events", Target: "shop_events", TargetHref: "/t", Phase: "waiting", Total: 1_200_000, Unit: "rows", Copies: true},
		{Name: "shop.audit_without_key", Target: "shop_audit_without_key", TargetHref: "/t", Phase: "snapshot", Done: 12_004, Unit: "rows", Rate: 90_000, Copies: true, Detail: "The table has no primary key: were its copy interrupted, it would begin again."},
		{Name: "shop.orders", Target: "shop_orders", TargetHref: "/t", Phase: "streaming", Done: 4_100_233, Total: 4_096_000, Unit: "rows"},
		{Name: "shop.customers", Target: "shop_customers", TargetHref: "/t", Phase: "streaming"},
	}
}

func addSource(out map[string]templ.Component) {
	page := func(state, cause, remedy string) views.ConnectorPage {
		stats := figures()
		stats[2] = components.Stat{Label: "Copied", Value: "2", Sub: "of 5 tables"}
		stats[3].Sub = "of the newest change"
		charts := hour()
		return views.ConnectorPage{ConnectorFrame: sourceFrame(0, state, cause, remedy), Deployed: true, Stats: stats, Charts: append(charts[:2:2], charts[3]), Worker: "node-1",
			Source: &views.SourceReader{State: state, Cause: cause, Remedy: remedy, Node: "node-1", Position: "/p", Behind: 40 * time.Second, Delivered: 12_524_237, Diverted: 17, Last: before(time.Second), Restart: "/r", SnapshotURL: "/s", Parts: sourceParts()}}
	}
	out["source-running"] = views.Connector(page("RUNNING", "", ""))
	following := page("RUNNING", "", "")
	following.Source.Parts = following.Source.Parts[3:]
	out["source-following"] = views.Connector(following)
	starting := page("RUNNING", "", "")
	starting.Source = &views.SourceReader{}
	out["source-starting"] = views.Connector(starting)
	failed := page("FAILED", "The server answered 1045: Access denied for user 'sluice'@'10.0.4.7' (using password: YES)", "Correct mysql.user and mysql.password; the account must be allowed to sign in from this machine's address.")
	failed.Act = components.Action{Label: "Modify", Icon: "pencil", Href: "/m"}
	out["source-failed"] = views.Connector(failed)
	out["source-recovering"] = views.Connector(page("RECOVERING", "MySQL server rm-bp1.mysql.rds.aliyuncs.com:3306 is away: connection refused.", "Nothing to do: Sluice tries again, and goes on where it was."))
	gap := page("GAP", "Changes from 14 Mar 09:12 to 11:40 are gone: the server removed its binary logs binlog.000071 to binlog.000075 before they were read.", "Choose how to go on.")
	gap.Choices = []views.ChoiceForm{{ID: "choice-0", URL: "/choose", Partition: -1, Lost: "Changes from 14 Mar 09:12 to 11:40 are gone: the server removed its binary logs binlog.000071 to binlog.000075 before they were read.", Options: []views.ChoiceOption{
		{Choice: "snapshot", Title: "Copy the tables again, then follow", Risk: "Every row comes once more, as an insert. Rows deleted meanwhile come as nothing: a consumer that keeps a copy should empty it first."},
		{Choice: "now", Title: "Go on from now", Risk: "Changes made in between never reach the topics."},
		{Choice: "stay", Title: "Stay stopped", Risk: "Nothing is read until you choose."}}}}
	out["source-gap"] = views.Connector(gap)
	snapshot := views.ConnectorSnapshotPage{ConnectorFrame: sourceFrame(-1, "RUNNING", "", ""), URL: "/s", Cancel: shopChanges,
		Parts: components.Field{Key: "tables", Kind: components.KindMulti, Label: "Tables to copy", Help: "Those that are chosen are copied one after the other.", Required: true, Values: []string{"shop.orders"}}}
	snapshot.Tabs, snapshot.Actions, snapshot.Menu = nil, nil, nil
	for _, p := range sourceParts() {
		snapshot.Parts.Options = append(snapshot.Parts.Options, components.Option{Value: p.Name, Label: p.Name, Hint: "4,100,233 rows"})
	}
	out["source-snapshot"] = views.ConnectorSnapshot(snapshot)
	snapshot.Parts.Error = "Choose at least one table."
	out["source-snapshot-wrong"] = views.ConnectorSnapshot(snapshot)
	snapshot.Why = "The reader does not run at the moment. Resume the connector, or wait until it has started."
	out["source-snapshot-not-now"] = views.ConnectorSnapshot(snapshot)
	addSourcePosition(out)
	preview := views.WizardPreviewPage{WizardFrame: views.WizardFrame{Page: frame("Step 4: Preview", shopChanges), Sub: "on instance orders-prod", Steps: wizardSteps(3), URL: "/s4", Back: "/s3", Close: "/", Discard: "/discard"}, Source: true, JSON: "{}", Curl: "curl", Again: "/again",
		Resources: []components.Going{{Kind: "layers", Name: "connect-offset-shop", Note: "Task Offset Topic"}},
		Topics: []components.Going{{Kind: "layers", Name: "shop_order_lines_of_the_northern_warehouse_2026", Note: "from order_lines_of_the_northern_warehouse_2026: 6 partitions, key order_id, line_number, variant"},
			{Kind: "layers", Name: "shop_page_views", Note: "from page_views: 1 partition, no key, exists already"}},
		Samples: []views.Sample{{ID: "s1", Title: "shop_orders, partition 3", Media: "value, application/json", Key: `{"id":1}`, Body: "{\n  \"schema\": {}\n}"},
			{ID: "s2", Title: "shop_notes, partition 0", Media: "value, application/json", Key: `{"id":2}`, Refused: "A message of 2.1 MiB is larger than the topic takes (1.0 MiB): the reader would stop here."}}}
	out["source-preview"] = views.WizardPreview(preview)
	preview.Samples, preview.Topics, preview.Reading, preview.Live = nil, nil, true, "/live"
	out["source-preview-reading"] = views.WizardPreview(preview)
	preview.Reading, preview.Live = false, ""
	out["source-preview-empty"] = views.WizardPreview(preview)
}

func addSourcePosition(out map[string]templ.Component) {
	rows := []views.SourcePositionRow{{Name: "Binary log", Brief: "GTID 0-1-48211, binlog.000076 at 19937451, 14 Mar 2026 17:05:00 UTC", Open: true, Pairs: []components.Pair{{Key: "gtid", Value: "0-1-48211", Mono: true}, {Key: "file", Value: "binlog.000076", Mono: true}, {Key: "pos", Value: "19937451", Mono: true}, {Key: "ts", Value: "2026-03-14T17:05:00Z", Mono: true}}},
		{Name: "Table orders", Brief: "being copied, 4,100,233 rows so far → shop_orders", Pairs: []components.Pair{{Key: "state", Value: "copying"}, {Key: "frontier", Value: "[4100233]"}, {Key: "topic", Value: "shop_orders"}}}}
	out["source-position"] = views.ConnectorPosition(views.ConnectorPositionPage{ConnectorFrame: sourceFrame(4, "RUNNING", "", ""), Source: rows, Why: "Positions can be changed only while the connector is stopped.", StopURL: "/stop"})
	rows[0].Field = components.Field{Key: "offset.a", Kind: components.KindTextarea, Label: "New position as JSON", Help: "Left unchanged, it stays.", Value: "{\n  \"gtid\": \"0-1-48211\",\n}", Mono: true, Rows: 5, Error: "This is no JSON object: invalid character '}' looking for beginning of object key string"}
	out["source-position-stopped"] = views.ConnectorPosition(views.ConnectorPositionPage{ConnectorFrame: sourceFrame(4, "STOPPED", "", ""), Source: rows, URL: "/p"})
	out["source-position-away"] = views.ConnectorPosition(views.ConnectorPositionPage{ConnectorFrame: sourceFrame(4, "STOPPED", "", ""), Error: "Instance orders-prod does not answer."})
}
