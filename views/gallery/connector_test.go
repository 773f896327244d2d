package gallery

import (
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/layout"
)

const archive = "/instances/orders-prod/connectors/orders-archive"

// connectorFrame is the head of a connector's page in some state.
func connectorFrame(tab int, state, cause, remedy string) views.ConnectorFrame {
	tabs := []components.Tab{{Label: "Overview", Href: archive}, {Label: "Configuration", Href: archive + "/configuration"}, {Label: "Logs", Href: archive + "/logs"}, {Label: "Resources", Href: archive + "/resources"}, {Label: "Position", Href: archive + "/position"}}
	if tab >= 0 {
		tabs[tab].Current = true
	}
	return views.ConnectorFrame{Page: frame("orders-archive", archive, layout.Crumb{Label: "Instances", Href: "/instances"}, layout.Crumb{Label: "orders-prod", Href: "/instances/orders-prod"}),
		Name: "orders-archive", Href: archive, Class: "KAFKA2OSS", Path: toOSS, Description: "Orders, kept for the auditors", State: state, Cause: cause, Remedy: remedy, Since: before(14 * time.Minute), Tabs: tabs, Modify: archive + "/modify",
		Actions: []components.Action{{Label: "Test", Icon: "send", Href: "/t"}, {Label: "Modify", Icon: "pencil", Href: "/m"}, {Label: "Restart", Icon: "rotate-ccw", Post: "/r"}, {Label: "Suspend", Icon: "pause", Post: "/s"}},
		Menu:    []components.MenuItem{{Label: "Stop", Icon: "circle-stop", Post: "/stop"}, {Label: "Internet access", Icon: "globe", Href: "/i"}, {}, {Label: "Delete…", Icon: "trash-2", Href: "/d", Danger: true}}}
}

func figures() []components.Stat {
	return []components.Stat{{Label: "Delivered", Value: "184,220,114", Sub: "records, 21.4 GiB in all"}, {Label: "Throughput", Value: "12.4k", Unit: "records/s", Sub: "1.4 MiB/s"}, {Label: "Waiting", Value: "48,211", Sub: "records not yet delivered"},
		{Label: "Lag", Value: "14 min behind", Sub: "of the oldest record"}, {Label: "Diverted", Value: "17", Tone: components.ToneWarn, Sub: "kept as abnormal data"}, {Label: "Last delivery", Value: "14 min ago", Sub: "14 Mar 17:05:00 UTC"}}
}

func hour() []components.Chart {
	return []components.Chart{{ID: "records", Title: "Records per second", Series: []components.Series{wave("Delivered", 9000, 2600, 0), wave("Diverted", 40, 20, 1)}}, {ID: "bytes", Title: "Bytes per second", Bytes: true, Area: true, Series: []components.Series{wave("Delivered", 4e6, 8e5, 1)}},
		{ID: "waiting", Title: "Waiting records", Area: true, Series: []components.Series{wave("Waiting", 50000, 12000, 2)}}, {ID: "lag", Title: "Lag", Empty: "Nothing measured in the last hour"}}
}

func partition(n int32, state, cause, remedy string) views.ConnectorPartition {
	return views.ConnectorPartition{Topic: "orders", TopicHref: "/t", Partition: n, State: state, Cause: cause, Remedy: remedy, Position: 15351676 + int64(n), End: 15399887, Lag: 48211, Behind: 14 * time.Minute, Delivered: 15351676, Last: before(14 * time.Minute)}
}

const (
	badKey  = "Object Storage Service refused the access key (InvalidAccessKeyId)."
	newKey  = "Enter a valid access key in the destination's configuration, then resume."
	claimed = "The group connect-orders-archive is delivered by the installation 7c2f on node sluice-b."
)

func addConnector(out map[string]templ.Component) {
	page := func(state, cause, remedy string) views.ConnectorPage {
		return views.ConnectorPage{ConnectorFrame: connectorFrame(0, state, cause, remedy), Deployed: true, Stats: figures(), Charts: hour(), Worker: "node-1",
			Tasks: []views.ConnectorTask{{ID: 0, Node: "node-1", State: state, Restart: "/r", Partitions: []views.ConnectorPartition{partition(0, state, cause, remedy), partition(1, state, "", "")}},
				{ID: 1, Node: "node-1", State: "RUNNING", Restart: "/r", Partitions: []views.ConnectorPartition{partition(2, "RUNNING", "", "")}}, {ID: 2, State: "RUNNING", Restart: "/r"}}}
	}
	out["connector-running"] = views.Connector(page("RUNNING", "", ""))
	failed := page("FAILED", badKey, newKey)
	failed.Act = components.Action{Label: "Resume", Icon: "play", Post: "/resume"}
	failed.Lost = []string{"Access key secret"}
	out["connector-failed"] = views.Connector(failed)
	out["connector-recovering"] = views.Connector(page("RECOVERING", "Object Storage Service answered 503 ServiceUnavailable 14 times in a row.", "Nothing to do: Sluice tries again in 30 s, and goes on by itself when the service answers."))
	degraded := page("DEGRADED", "1 of 3 partitions does not deliver: the disk of this server is full.", "Free space in the data folder, then resume.")
	degraded.Act = failed.Act
	out["connector-degraded"] = views.Connector(degraded)
	out["connector-claimed"] = views.Connector(page("FAILED", claimed, "Stop it there, or take it over in the connector's Position page once that installation is gone."))
	stalled := page("RUNNING", "Records wait and nothing has moved for 11 min.", "See what the last request waits for in the logs.")
	stalled.Stalled = true
	out["connector-stalled"] = views.Connector(stalled)
	addGap(out, page)
	fresh := views.ConnectorPage{ConnectorFrame: connectorFrame(0, "NOT_DEPLOYED", "", ""), DeployURL: "/deploy"}
	out["connector-new"] = views.Connector(fresh)
	fresh.State, fresh.Deploy = "DEPLOYING", views.DeployProgress{Running: true, Steps: []string{"Topic connect-config-orders-archive made, 1 partition.", "Topic connect-offset-orders-archive made, 25 partitions."}}
	out["connector-deploying"] = views.Connector(fresh)
	fresh.State, fresh.Deploy = "FAILED", views.DeployProgress{Steps: fresh.Deploy.Steps, Failed: "Topic connect-error-orders-archive exists with 3 partitions; 6 are needed."}
	out["connector-deploy-failed"] = views.Connector(fresh)
	quiet := page("RUNNING", "", "")
	quiet.Tasks, quiet.Deploy = nil, views.DeployProgress{Steps: []string{"Topic connect-config-orders-archive made, 1 partition."}}
	for i := range quiet.Charts {
		quiet.Charts[i].Series, quiet.Charts[i].Empty = nil, "Nothing measured in the last hour"
	}
	out["connector-quiet"] = views.Connector(quiet)
}

// addGap shows the form that a partition without a way on waits with.
func addGap(out map[string]templ.Component, page func(state, cause, remedy string) views.ConnectorPage) {
	gap := page("GAP", "Records of orders-0 were deleted before they were delivered: offsets 1,204 to 48,211 are gone.", "Choose where this partition goes on.")
	gap.Choices = []views.ChoiceForm{{ID: "choice-0", URL: "/choose", Topic: "orders", Lost: "47,008 records, offsets 1,204 to 48,211, are gone: the topic's retention removed them while the connector was stopped.", Options: []views.ChoiceOption{
		{Choice: "beginning", Title: "Go on at the beginning of the partition", Risk: "Records that were delivered before and still exist are delivered again."}, {Choice: "end", Title: "Go on at the end of the partition", Risk: "Records that exist now and were not delivered are skipped."},
		{Choice: "position", Title: "Go on at an offset that you name", Risk: "Records below it that were not delivered are skipped, records above it that were delivered come again."}, {Choice: "stay", Title: "Stay stopped", Risk: "Nothing is delivered from this partition until you choose."}}},
		{ID: "choice-1", URL: "/choose", Topic: "orders", Partition: 1, Lost: "It is not known whether offsets 7,000 to 7,999 are at the destination.", Options: []views.ChoiceOption{
			{Choice: "done", Title: "It is there: go on behind it", Risk: "What of offsets 7000 to 7999 is not at the destination stays missing."}, {Choice: "redo", Title: "Deliver the range again", Risk: "What of offsets 7000 to 7999 is at the destination is there twice."}}}}
	out["connector-gap"] = views.Connector(gap)
	wrong := gap
	wrong.Choices = gap.Choices[:1:1]
	wrong.Choices[0].Value, wrong.Choices[0].Offset, wrong.Choices[0].Error, wrong.Choices[0].ErrorOf = "position", "12", "must be from 48212 to 99000, where the partition's log begins and ends.", "offset"
	out["connector-gap-wrong"] = views.Connector(wrong)
	viewer := page("GAP", gap.Cause, gap.Remedy)
	viewer.Actions, viewer.Menu = nil, nil
	viewer.Choices = []views.ChoiceForm{{ID: "choice-0", Topic: "orders", Lost: gap.Choices[0].Lost}}
	out["connector-gap-viewer"] = views.Connector(viewer)
}

func addConnectorTabs(out map[string]templ.Component) {
	running := func(tab int) views.ConnectorFrame { return connectorFrame(tab, "RUNNING", "", "") }
	changes := []components.Change{{Label: "Flush: records", Key: "flush.size", From: "10000", To: "20000"}, {Label: "Compression", Key: "oss.compression", To: "zstd"}, {Label: "Object path", Key: "oss.path", From: "${topic}/dt=${yyyy}-${MM}-${dd}/hh=${HH}/${topic}-${partition}-${first}.json", To: "${topic}/${yyyy}/${MM}/${dd}/${topic}-${partition}-${first}-${last}.json"}}
	out["configuration"] = views.ConnectorConfiguration(views.ConnectorConfigPage{ConnectorFrame: running(1), JSON: "{\n  \"connector.class\": \"KAFKA2OSS\",\n  \"topics\": \"orders\",\n  \"flush.size\": \"20000\"\n}",
		Groups: []views.ConfigGroup{{Title: "Basic Information", Pairs: []components.Pair{{Key: "Connector Name", Value: "orders-archive"}, {Key: "Description", Value: "Orders, kept for the auditors"}}},
			{Title: "Configure Destination", Pairs: []components.Pair{{Key: "Bucket Name", Value: "orders-archive", Mono: true}, {Key: "Flush: records", Value: "20,000 records", Changed: "10,000"}, {Key: "Access key secret", Value: "stored, not shown"}, {Key: "Prefix"}}}},
		Versions: []views.ConfigVersion{{Version: 3, Author: "mei", Time: before(time.Hour), Hash: "5b3c1a2e053d", Current: true, Changes: changes}, {Version: 2, Author: "administrator-of-orders", Time: before(80 * time.Hour), Hash: "9ac1", Changes: changes[:1]}, {Version: 1, Author: "admin", Time: before(900 * time.Hour), Hash: "77e0"}}})
	groups, _ := formGroups()
	modify := views.ConnectorModifyPage{ConnectorFrame: connectorFrame(-1, "RUNNING", "", ""), URL: "/modify", Version: 3, Groups: groups[1:], Cancel: archive}
	modify.Actions, modify.Menu = nil, nil
	out["modify"] = views.ConnectorModify(modify)
	modify.Review, modify.Changes, modify.Groups = true, changes, nil
	out["modify-review"] = views.ConnectorModify(modify)
	level := []components.Option{{Value: "WARN", Label: "WARN and worse"}}
	filter := views.LogFilter{Levels: level, Tasks: options("0", "1")}
	out["logs"] = views.ConnectorLogs(views.ConnectorLogPage{ConnectorFrame: running(2), Filter: filter, Lines: append(logLines(), logLines()[1:3]...)[:4], Follow: "/logs?follow=1", Download: "/d", Older: "/o", WrapURL: "/w"})
	out["logs-empty"] = views.ConnectorLogs(views.ConnectorLogPage{ConnectorFrame: connectorFrame(2, "NOT_DEPLOYED", "", ""), Filter: filter, Download: "/d", WrapURL: "/w"})
	out["logs-waiting"] = views.ConnectorLogs(views.ConnectorLogPage{ConnectorFrame: running(2), Filter: filter, Follow: "/logs?follow=1", Download: "/d", WrapURL: "/w"})
	filter.Text, filter.Level, filter.From, filter.Errors = "timeout", "WARN", "2026-03-14T17:05:00", []string{"yesterday is not a time; write it like 2026-03-14T17:05:00."}
	out["logs-none"] = views.ConnectorLogs(views.ConnectorLogPage{ConnectorFrame: running(2), Filter: filter, Download: "/d", Newest: "/n", WrapURL: "/w"})
	rows := []views.ConnectorResource{{Kind: "topic", Role: "Task configuration topic", Name: "connect-config-orders-archive", Href: "/t", Exists: true, Partitions: 1, Cleanup: "compact"}, {Kind: "topic", Role: "Task offset topic", Name: "connect-offset-orders-archive", Href: "/t", Exists: true, Partitions: 25, Cleanup: "delete", Detail: "cleanup.policy must be compact, or positions are lost after 7 d."},
		{Kind: "topic", Role: "Abnormal data topic", Name: "connect-error-orders-archive", Exists: false}, {Kind: "group", Role: "Connector Consumer Group", Name: "connect-orders-archive", Exists: true, Detail: "also used by orders-audit"}}
	out["resources"] = views.ConnectorResources(views.ConnectorResourcesPage{ConnectorFrame: running(3), Rows: rows})
	out["resources-away"] = views.ConnectorResources(views.ConnectorResourcesPage{ConnectorFrame: running(3), Error: "10.0.4.11:9092 refuses connections. Check the bootstrap servers and the security group."})
	addPosition(out, running)
}

func addPosition(out map[string]templ.Component, running func(int) views.ConnectorFrame) {
	places := []views.PositionRow{{Topic: "orders", Offset: 15351676, Start: 1204, End: 15399887}, {Topic: "orders", Partition: 1, Offset: 99, Start: 0, End: 99, Pending: true}, {Topic: "orders", Partition: 2, Offset: -1, Start: -1, End: -1}}
	out["position"] = views.ConnectorPosition(views.ConnectorPositionPage{ConnectorFrame: running(4), Rows: places, Why: "Positions can be changed only while the connector is stopped.", StopURL: "/stop"})
	for i := range places {
		places[i].Field = components.Field{Key: "orders-" + string(rune('0'+i))}
	}
	places[0].Field.Value, places[0].Field.Error, places[0].Field.Label = "-4", "An offset is a whole number, 0 or more.", "orders-0"
	out["position-stopped"] = views.ConnectorPosition(views.ConnectorPositionPage{ConnectorFrame: connectorFrame(4, "STOPPED", "", ""), Rows: places, URL: "/p", Reset: "/reset", Pending: []string{"orders-1: offsets 99 to 120 may be at the destination."}})
	out["position-empty"] = views.ConnectorPosition(views.ConnectorPositionPage{ConnectorFrame: connectorFrame(4, "NOT_DEPLOYED", "", "")})
	remove := views.ConnectorDeletePage{ConnectorFrame: connectorFrame(-1, "SUSPENDED", "", ""), Confirm: components.Confirm{Title: "Delete orders-archive", Body: "The connector is removed, with its topics and groups. What it delivered stays at the destination, and the source topics stay.", Name: "orders-archive", URL: "/d", Act: "Delete connector", Cancel: archive,
		Going: []components.Going{{Kind: "layers", Name: "connect-config-orders-archive", Note: "1 partition"}, {Kind: "users", Name: "connect-orders-archive"}, {Kind: "layers", Name: "orders", Note: "source topic", Kept: true}}}}
	remove.Actions, remove.Menu = nil, nil
	out["delete"] = views.ConnectorDelete(remove)
	remove.Pending, remove.Confirm.Error = []string{"orders-1: offsets 99 to 120 may be at the destination."}, "Type orders-archive to confirm."
	out["delete-pending"] = views.ConnectorDelete(remove)
	remove.Pending, remove.Error, remove.Force, remove.Confirm.Going = nil, "10.0.4.11:9092 refuses connections.", true, nil
	out["delete-away"] = views.ConnectorDelete(remove)
	reach := views.ConnectorInternetPage{ConnectorFrame: connectorFrame(-1, "RUNNING", "", ""), Endpoints: []components.Pair{{Key: "Endpoint", Value: "oss-cn-hangzhou.example.com", Mono: true}}, Why: "Japan (Tokyo) differs from the instance's region China (Hangzhou), so Internet access is needed.", URL: "/i", CheckURL: "/c", Findings: conditions()}
	out["internet"] = views.ConnectorInternet(reach)
}

func addTopic(out map[string]templ.Component) {
	crumbs := []layout.Crumb{{Label: "Instances", Href: "/instances"}, {Label: "orders-prod", Href: "/i"}, {Label: "Topics", Href: "/i/topics"}}
	send := &views.SendForm{URL: "/send", Fields: []components.Field{{Key: "partition", Kind: components.KindSelect, Label: "Partition", Short: true, Options: []components.Option{{Value: "", Label: "Let the key decide"}}}, {Key: "key", Label: "Key", Help: "Empty means no key.", Optional: true},
		{Key: "value", Kind: components.KindTextarea, Label: "Value", Mono: true}, {Key: "value.encoding", Kind: components.KindSegmented, Label: "Written as", Value: "text", Options: options("text", "base64")}}}
	topic := views.TopicPage{Page: frame("orders", "/instances/orders-prod", crumbs...), Name: "orders", Instance: "orders-prod", Partitions: []views.TopicPartition{{Partition: 0, Start: 1204, End: 15399887}, {Partition: 1, End: 99}, {Partition: 2}}, Facts: []components.Pair{{Key: "Replicas", Value: "3"}, {Key: "Cleanup", Value: "delete"}, {Key: "Retention", Value: "7 d"}, {Key: "Topic ID", Value: "0QkLqLhQRAa1", Mono: true}}, Settings: []components.Pair{{Key: "retention.ms", Value: "604800000", Mono: true}}, Send: send, Live: "/l"}
	out["topic"] = views.TopicShow(topic)
	topic.Send = nil
	out["topic-viewer"] = views.TopicShow(topic)
	create := components.Group{Title: "Topic", Fields: []components.Field{{Key: "name", Label: "Name", Required: true, Error: "A topic of this name exists.", Value: "orders"}, {Key: "partitions", Kind: components.KindNumber, Label: "Partitions", Value: "6", Short: true}}}
	out["topic-new"] = views.TopicCreate(views.TopicCreatePage{Page: frame("Create topic", "/instances/orders-prod", crumbs...), URL: "/c", Group: create, Cancel: "/i"})
	record := views.RecordPage{Page: frame("Message", "/instances/orders-prod", crumbs...), Topic: "orders", TopicHref: "/t", Partition: 3, Offset: 15399887, Again: "/t#send"}
	fates := []views.RecordFate{{Connector: "orders-archive", Href: "/x", State: "waiting", Reason: "It is in the chunk that is being collected; it is delivered within 60 s.", Status: "RUNNING"}, {Connector: "orders-audit", Href: "/x", State: "", Reason: "It was sent before the connector's first position.", Status: "SUSPENDED"}}
	record.Fates, record.Live = fates, "/fate"
	out["fate-waiting"] = views.TopicRecord(record)
	record.Fates, record.Live = []views.RecordFate{{Connector: "orders-archive", Href: "/x", State: "delivered", Where: "oss://orders-archive/orders/dt=2026-03-14/hh=17/orders-3-00000000000015390000-00000000000015399999.json"}, {Connector: "orders-audit", Href: "/x", State: "diverted", Where: "connect-error-orders-audit-0 at offset 17", Reason: "The value is not valid JSON: unexpected end after 12 bytes."}}, ""
	out["fate-known"] = views.TopicRecord(record)
	record.Fates, record.None = nil, true
	out["fate-none"] = views.TopicRecord(record)
}

func wizardSteps(at int, wrong ...int) []components.Step {
	var out []components.Step
	for i, title := range []string{"Basic Information", "Configure Source", "Configure Destination", "Preview"} {
		s := components.Step{Title: title, Href: "/s" + title[:1]}
		switch {
		case i == at:
			s.State = "current"
		case i < at:
			s.State = "done"
		default:
			s.Href = ""
		}
		for _, w := range wrong {
			if i == w {
				s.State = "error"
			}
		}
		out = append(out, s)
	}
	return out
}

func addWizard(out map[string]templ.Component) {
	crumbs := []layout.Crumb{{Label: "Instances", Href: "/instances"}, {Label: "orders-prod", Href: "/i"}}
	summary := []components.SummaryPart{{Title: "Basic Information", Pairs: []components.Pair{{Key: "Connector Name", Value: "orders-archive"}, {Key: "Dump path", Value: "Kafka → OSS"}}}, {Title: "Configure Source", Pairs: []components.Pair{{Key: "Topics", Value: "orders, payments, sessions, audit"}, {Key: "Consumer Offset", Value: "Latest"}, {Key: "Concurrency", Value: "6"}}},
		{Title: "Configure Destination", Pairs: []components.Pair{{Key: "Bucket Name"}, {Key: "Object path", Value: "${topic}/dt=${yyyy}-${MM}-${dd}/hh=${HH}/${topic}-${partition}.json", Mono: true}}}}
	wizard := func(at int, wrong ...int) views.WizardFrame {
		return views.WizardFrame{Page: frame("Create connector", "/instances/orders-prod", crumbs...), Sub: "on instance orders-prod", Steps: wizardSteps(at, wrong...), Summary: summary, URL: "/w", Back: "/back", Close: "/close", Discard: "/discard"}
	}
	groups, _ := formGroups()
	first := groups[0]
	first.Fields = append([]components.Field(nil), first.Fields...)
	first.Fields[0].Value, first.Fields[0].Error = "Orders Archive", "Use 1 to 48 lower-case letters, digits and hyphens; begin with a letter."
	out["wizard-basic"] = views.Wizard(views.WizardPage{WizardFrame: wizard(0), Groups: []components.Group{first}})
	out["wizard-source"] = views.Wizard(views.WizardPage{WizardFrame: wizard(1), Groups: groups[1:]})
	out["wizard-destination"] = views.Wizard(views.WizardPage{WizardFrame: wizard(2), Groups: groups[1:], Test: true, Findings: conditions(), Live: "/f", Errors: []string{"The bucket orders-archive belongs to another account."}})
	kinds := components.Field{Key: "connector.class", Kind: components.KindCards, Label: "Dump path", Help: "Fixed once the connector is created.", Options: groups[0].Fields[2].Options, Error: "Choose a dump path."}
	start := views.WizardStartPage{Page: frame("Create connector", "/instances/orders-prod", crumbs...), URL: "/w", Type: kinds, Cancel: "/i", Drafts: []views.WizardDraft{{Name: "orders-lake", Title: "Kafka → OSS", Step: "Step 3: Configure Destination", Href: "/d", Delete: "/x", Updated: before(26 * time.Hour)}, {Name: "unnamed", Title: "Kafka → FC", Step: "Step 1: Basic Information", Href: "/d", Delete: "/x", Updated: before(time.Minute)}}}
	out["wizard-start"] = views.WizardStart(start)
	start.Drafts, start.Type.Error, start.Quota = nil, "", &views.QuotaNotice{Used: 3, Quota: 3, RequestURL: "/q", Return: "/"}
	out["wizard-start-full"] = views.WizardStart(start)
	preview := views.WizardPreviewPage{WizardFrame: wizard(3), JSON: "{\n  \"name\": \"orders-archive\"\n}", Curl: "curl -u admin -X POST http://127.0.0.1:8080/connect/orders-prod/connectors \\\n  -H 'Content-Type: application/json' -d @orders-archive.json", Secrets: true, Again: "/again",
		Resources: []components.Going{{Kind: "layers", Name: "connect-config-orders-archive", Note: "1 partition"}, {Kind: "layers", Name: "connect-error-orders-archive", Note: "6 partitions"}, {Kind: "users", Name: "connect-orders-archive", Note: "Connector Consumer Group"}},
		Samples:   []views.Sample{{ID: "s1", Source: "orders-0 at offset 1204", Title: "orders/dt=2026-03-14/hh=17/orders-0-00000000000000001204-00000000000000001204.json", Media: "application/json", Body: "[{\"key\":\"ord-1001\",\"offset\":1204,\"value\":\"{\\\"id\\\":1001}\"}]"}, {ID: "s2", Source: "orders-1 at offset 98", Refused: "The value is not valid JSON: unexpected end after 12 bytes. It would be kept in connect-error-orders-archive."}, {ID: "s3", Source: "orders-2 at offset 7", Title: "orders/dt=2026-03-14/hh=17/orders-2.json", Media: "application/json", Body: "[]"}}}
	out["preview"] = views.WizardPreview(preview)
	preview.Samples, preview.Reading, preview.Live, preview.Quota = nil, true, "/live", start.Quota
	out["preview-reading"] = views.WizardPreview(preview)
	preview.Reading, preview.Live, preview.Quota, preview.Steps = false, "", nil, wizardSteps(3, 2)
	preview.Why = "Correct what is wrong first; then a few real records are shown here as they would arrive."
	preview.Problems = []views.WizardProblem{{Label: "Bucket Name", Message: "A bucket is needed.", Href: "/s3#bucket"}, {Label: "Access key secret", Message: "Enter it again.", Href: "/s3#secret"}}
	out["preview-wrong"] = views.WizardPreview(preview)
	preview.Why, preview.Problems, preview.Steps = "", nil, wizardSteps(3)
	out["preview-empty"] = views.WizardPreview(preview)
	choice := views.ChooseInstancePage{Page: frame("Create connector", "connectors")}
	out["choose-empty"] = views.ChooseInstance(choice)
	away := instance()
	away.Name, away.Bootstrap, away.Status, away.Connectors = strings.Repeat("tokyo-", 4)+"dr", "10.9.0.4:9092,10.9.0.5:9092,10.9.0.6:9092", "UNREACHABLE", 1
	choice.Rows = []views.InstanceChoice{{Instance: instance(), Href: "/1"}, {Instance: away, Href: "/2"}}
	out["choose"] = views.ChooseInstance(choice)
}
