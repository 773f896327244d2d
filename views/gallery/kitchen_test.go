package gallery

import (
	"context"
	"io"
	"time"

	"github.com/a-h/templ"

	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/layout"
)

func formGroups() ([]components.Group, []components.Field) {
	low, high := int64(1), int64(1000000)
	basic := components.Group{Title: "Basic Information", Intro: "What it is called and what it moves.", Fields: []components.Field{
		{Key: "name", Label: "Connector Name", Help: "1–48 lower-case letters, digits and hyphens.", Value: "orders-archive", Required: true, DocURL: "/help/connectors/KAFKA2OSS#name", CheckURL: "/check"},
		{Key: "description", Label: "Description", Placeholder: "What is it for?", Optional: true},
		{Key: "connector.class", Kind: components.KindCards, Label: "Dump Path", Value: "KAFKA2OSS", UpdateURL: "/update", Options: []components.Option{
			{Value: "KAFKA2OSS", Label: "Object Storage Service", Hint: "Records become objects: JSON, CSV, Parquet, Avro.", Icon: "package"},
			{Value: "KAFKA2FC", Label: "Function Compute", Hint: "Records are sent to a function, in batches.", Icon: "zap"},
			{Value: "KAFKA2ODPS", Label: "MaxCompute", Hint: "Records become rows of a table.", Icon: "table-2"},
			{Value: "MYSQL2KAFKA", Label: "From MySQL", Hint: "Row changes become messages.", Icon: "database"}}},
	}}
	source := components.Group{Title: "Configure Source", Fields: []components.Field{
		{Key: "topics", Kind: components.KindTopics, Label: "Data Source Topic", Required: true, Values: []string{"orders"}, Help: "One or several topics of this instance.", Options: []components.Option{
			{Value: "orders", Hint: "12 partitions · 184,220,114 records"}, {Value: "payments", Hint: "6 partitions · 48,211 records"}, {Value: "clicks", Hint: "24 partitions"}, {Value: "prices", Hint: "3 partitions · compact"},
			{Value: "sessions", Hint: "6 partitions"}, {Value: "audit", Hint: "1 partition"}, {Value: "returns", Hint: "6 partitions"}}},
		{Key: "offset", Kind: components.KindSegmented, Label: "Consumer Offset", Value: "latest", Help: "Used only at the first deploy.", Options: options("latest", "earliest")},
		{Key: "tasks.max", Kind: components.KindSelect, Label: "Consumer Thread Concurrency", Value: "6", Options: options("6", "12"), Short: true},
		{Key: "tables", Kind: components.KindTopics, Label: "Tables", OptionError: "the account may not list tables", Values: []string{"shop_*"}},
		{Key: "bucket", Kind: components.KindPicker, Label: "Bucket Name", Required: true, Value: "Orders Archive", Error: "A bucket name has no spaces or capitals: try orders-archive.", Options: options("orders-archive")},
		{Key: "oss.region", Kind: components.KindSelect, Label: "Region", Value: "ap-northeast-1", Why: "The bucket is in another region than the instance, so Internet access is needed.", Options: options("ap-northeast-1")},
		{Key: "secret", Kind: components.KindSecret, Label: "Access key secret", Stored: true},
		{Key: "topic.prefix", Label: "Name Prefix", Value: "shop", Fixed: "Fixed: this connector has delivered something."},
		{Key: "internet.access", Kind: components.KindCheckbox, Label: "Internet access", Help: "Lets the connector reach public addresses.", Value: "true"},
		{Key: "errors.tolerance", Kind: components.KindRadio, Label: "Failure Handling Policy", Value: "all", Options: []components.Option{{Value: "all", Label: "Log", Hint: "The record goes to the abnormal data topic and the partition goes on."}, {Value: "none", Label: "Fail", Hint: "That partition stops until somebody resumes it."}}},
		{Key: "ca", Kind: components.KindTextarea, Label: "CA certificate", Mono: true, Placeholder: "-----BEGIN CERTIFICATE-----", Optional: true},
		{Key: "flush.size", Kind: components.KindNumber, Label: "Flush: records", Unit: "records", Value: "20000", Min: &low, Max: &high, Advanced: true, Changed: true, Short: true},
		{Key: "flush.interval.ms", Kind: components.KindNumber, Label: "Flush: interval", Unit: "ms", Value: "60000", Advanced: true, Short: true},
	}}
	groups := []components.Group{basic, source}
	return groups, components.Errors(groups...)
}

func logLines() []components.LogLine {
	return []components.LogLine{
		{ID: "1", Time: before(9 * time.Second), Level: "INFO", Task: "0", Message: "published orders-0-00000000000000120000-00000000000000129999.json", Fields: []components.Pair{{Key: "partition", Value: "0"}, {Key: "bytes", Value: "1482133"}}},
		{ID: "2", Time: before(7 * time.Second), Level: "WARN", Task: "3", Message: "Object Storage Service answered 503 ServiceUnavailable; trying again in 2 s", Fields: []components.Pair{{Key: "request", Value: "65F2A1B0"}}},
		{ID: "3", Time: before(5 * time.Second), Level: "ERROR", Task: "3", Message: "record diverted to connect-error-orders-archive: value is not valid JSON"},
		{ID: "4", Time: before(2 * time.Second), Level: "DEBUG", Message: "heartbeat"},
	}
}

func block(w io.Writer, ctx context.Context, list ...templ.Component) error {
	for _, c := range list {
		if err := c.Render(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

func wrap(class string, list ...templ.Component) templ.Component {
	return templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
		if _, err := io.WriteString(w, `<div class="`+class+`">`); err != nil {
			return err
		}
		if err := block(w, ctx, list...); err != nil {
			return err
		}
		_, err := io.WriteString(w, `</div>`)
		return err
	})
}

func card(title string, flush bool, list ...templ.Component) templ.Component {
	return templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
		return components.Card(title, flush).Render(templ.WithChildren(ctx, wrap("", list...)), w)
	})
}

func badges() templ.Component {
	var list []templ.Component
	for _, s := range components.States() {
		list = append(list, components.Badge(components.StateLook(s)))
	}
	for _, s := range []string{"ok", "failed", "skipped", "running"} {
		list = append(list, components.FindingBadge(s))
	}
	for _, s := range []string{"RUNNING", "UNREACHABLE", "UNKNOWN", "SOMETHING"} {
		list = append(list, components.ReachBadge(s))
	}
	for _, s := range []string{"DEBUG", "INFO", "WARN", "ERROR"} {
		list = append(list, components.LevelBadge(s))
	}
	return wrap("row", list...)
}

func kitchen() templ.Component {
	groups, wrong := formGroups()
	var fields []templ.Component
	fields = append(fields, components.ErrorSummary(wrong, "The instance did not answer within 10 s."))
	for _, g := range groups {
		fields = append(fields, components.FieldGroup(g))
	}
	summary := components.Summary("Summary", []components.SummaryPart{{Title: "Basic Information", Pairs: []components.Pair{{Key: "Name", Value: "orders-archive"}, {Key: "Dump path", Value: "Kafka → OSS"}}}, {Title: "Source", Pairs: []components.Pair{{Key: "Topics", Value: "orders"}, {Key: "Offset"}}}})
	body := wrap("stack stack-l",
		badges(),
		wrap("row", components.Button(components.Action{Label: "Create connector", Icon: "plus", Kind: "primary", Href: "/n"}), components.Button(components.Action{Label: "Suspend", Icon: "pause", Post: "/s"}), components.Button(components.Action{Label: "Delete", Icon: "trash-2", Kind: "danger"}),
			components.Button(components.Action{Label: "Quiet", Kind: "quiet"}), components.Button(components.Action{Label: "Small", Small: true}), components.Button(components.Action{Label: "Disabled", Disabled: "not now"}), components.Button(components.Action{Label: "Disabled link", Href: "/x", Disabled: "not now"}), components.Menu("More", components.Action{Label: "More", Icon: "ellipsis"}, rowMenu())),
		components.Stats([]components.Stat{{Label: "Delivered", Value: "184,220,114", Sub: "since 3 March"}, {Label: "Throughput", Value: "12.4k", Unit: "records/s", Spark: []float64{3, 5, 4, 8, 7, 9, 12, 11, 12}}, {Label: "Lag", Value: "3 min", Unit: "behind", Tone: components.ToneWarn, Sub: "48,211 records wait"}, {Label: "Diverted", Value: "17", Tone: components.ToneBad, Sub: "see the errors"}}),
		wrap("charts", components.LineChart(components.Chart{ID: "c1", Title: "Throughput (records/s)", Area: true, Series: []components.Series{wave("Records", 9000, 2600, 0)}}), components.LineChart(components.Chart{ID: "c2", Title: "Bytes", Bytes: true, Series: []components.Series{wave("Read", 4e6, 8e5, 1), wave("Written", 2e6, 5e5, 2), wave("Waiting", 1e6, 3e5, 3)}}),
			components.LineChart(components.Chart{ID: "c3", Title: "Lag", Empty: "Nothing delivered yet. The first point appears within a minute."})),
		components.Steps([]components.Step{{Title: "Basic Information", Href: "/1", State: "done"}, {Title: "Configure Source", Href: "/2", State: "error"}, {Title: "Configure Destination", State: "current"}, {Title: "Preview"}}),
		wrap("with-aside", wrap("stack stack-l narrow", fields...), summary),
		card("Connection checks", false, components.Findings(conditions(), "/live")),
		card("Configuration", false, components.KeyValues([]components.Pair{{Key: "Bucket Name", Value: "orders-archive", Mono: true}, {Key: "Flush: records", Value: "20,000 records", Changed: "10,000"}, {Key: "Description"}, {Key: "Progress", Body: components.Progress(2, 3, "2 of 3", components.ToneOK)}}, false)),
		card("Changes", true, components.Diff([]components.Change{{Label: "Flush: records", Key: "flush.size", From: "10000", To: "20000"}, {Label: "Compression", Key: "oss.compression", To: "zstd"}})),
		components.Code("curl", "curl", "curl -u admin -X POST http://127.0.0.1:8080/connect/orders-prod/connectors \\\n  -H 'Content-Type: application/json' -d @orders-archive.json", false),
		components.Log(logLines(), "/logs?follow=1", false),
		components.Dialog("note", "Enable the connector feature?", "info", components.ToneInfo, false, components.DialogCancel("/x")),
		components.ConfirmPanel(components.Confirm{Title: "Delete orders-archive", Body: "The connector stops and these topics and groups are deleted. The objects in orders-archive stay.", Name: "orders-archive", URL: "/d", Act: "Delete connector", Cancel: "/x", Error: "That is not its name.",
			Going: []components.Going{{Kind: "layers", Name: "connect-config-orders-archive", Note: "1 partition"}, {Kind: "users", Name: "connect-orders-archive"}, {Kind: "layers", Name: "connect-error-shared", Note: "another connector uses it", Kept: true}}}),
		components.Pages("1–100 of 900", "/p", "/n"),
	)
	return templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
		return layout.Shell(frame("Components", "help"), layout.Head{Title: "Components", Badge: components.StateBadge("RUNNING", true), Sub: layout.Sub("Every part the pages are made of.")}).Render(templ.WithChildren(ctx, body), w)
	})
}
