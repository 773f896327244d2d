// Package maxcompute is the sink to MaxCompute (ODPS): chunks become rows of a table's
// partitions through upload sessions of its Tunnel, exactly once.
package maxcompute

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/sluice-io/sluice/runner/aliyun"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/record"
)

// Keys of the connector's own fields.
const (
	keyEndpoint  = "odps.endpoint"
	keyTunnel    = "odps.tunnel.endpoint"
	keyProject   = "odps.project"
	keySchema    = "odps.schema"
	keyTable     = "odps.table"
	keyRegion    = "odps.region"
	keyMode      = "odps.mode"
	keyFormat    = "odps.format"
	keyMapping   = "odps.mapping"
	keyPartition = "odps.partition"
	keyTimezone  = "odps.timezone"
	keyBinary    = "odps.binary"
)

// Values of the fields.
const (
	modeKey, modeValue, modeDefault              = "KEY", "VALUE", "DEFAULT"
	formatText, formatBinary, formatCSV          = "TEXT", "BINARY", "CSV"
	mappingRecord, mappingJSON                   = "record", "json"
	partitionDay, partitionHour, partitionMinute = "DAY", "HOUR", "MINUTE"
	binaryRaw, binaryDLQ                         = "raw", "dlq"
)

// Class is the connector.class of this task type.
const Class = "KAFKA2ODPS"

// encoderVersion names the rows that the shape settings produce.
const encoderVersion = 1

// Spec declares the task type. Sinks made by one Spec share the pace of their connector.
func Spec() connector.Spec {
	shared := &paces{}
	s := connector.Spec{
		Class:          Class,
		Title:          "Message Queue for Apache Kafka → MaxCompute",
		Summary:        "Writes the records of one or several topics as rows into the partitions of a MaxCompute table, exactly once, as key and value, CSV fields or typed columns of JSON.",
		Version:        "1.0.0",
		EncoderVersion: encoderVersion,
		Kind:           connector.KindSink,
		Validate:       problems,
		Reach:          reach,
		Check:          check,
		Preview:        preview,
		Locate:         locate,
		NewSink: func(_ context.Context, cfg connector.Config, deps connector.Deps) (connector.Sink, error) {
			return newSink(cfg, deps, shared)
		},
	}
	s.Steps = connector.SinkSteps(connector.SinkDefaults{
		Tasks: 6, TaskOptions: []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12},
		FlushSize: 500_000, FlushBytes: 256 << 20, FlushMillis: 60_000,
		Destination: append(append(placeFields(), rowFields()...), aliyun.CredentialFields()...),
	})
	return s
}

func placeFields() []connector.Field {
	return []connector.Field{
		{Key: keyRegion, Label: "Region of Table", Kind: connector.String, Region: true, Max: 64, Default: connector.InstanceRegion, Validate: validRegion,
			Help: "Where the project is. Another region than the instance's needs Internet access."},
		{Key: keyEndpoint, Label: "MaxCompute Endpoint", Kind: connector.String, Required: true, Default: endpointByRegion, Validate: validEndpoint, Example: "https://service.cn-hangzhou-vpc.maxcompute.aliyun-inc.com/api",
			Help: "The region's VPC endpoint unless you give another."},
		{Key: keyTunnel, Label: "Tunnel Endpoint", Kind: connector.String, Advanced: true, Validate: aliyun.ValidEndpoint, Example: "https://dt.cn-hangzhou-vpc.maxcompute.aliyun-inc.com",
			Help: "Where rows are uploaded to. Left empty, the MaxCompute endpoint is asked for it."},
		{Key: keyProject, Label: "MaxCompute Workspace", Kind: connector.String, Required: true, Fixed: connector.FixedAfterDelivery, Validate: validName("project"), Example: "analytics",
			Help: "The MaxCompute project that holds the table."},
		{Key: keySchema, Label: "Schema", Kind: connector.String, Advanced: true, Fixed: connector.FixedAfterDelivery, Validate: validName("schema"),
			Help: "Of a project with schemas; left empty, the project's default."},
		{Key: keyTable, Label: "Table", Kind: connector.String, Required: true, Fixed: connector.FixedAfterDelivery, Validate: validName("table"), Lookup: lookupTables, Example: "kafka_messages",
			Help: "It must exist with the expected columns, partitioned by pt STRING; the checks show the CREATE TABLE that fits."},
	}
}

func rowFields() []connector.Field {
	return []connector.Field{
		{Key: keyMapping, Label: "Mapping", Kind: connector.Enum, Shapes: true, Default: connector.Const(mappingRecord), Fixed: connector.FixedNever,
			Options: []connector.Option{
				{Value: mappingRecord, Label: "Record", Help: "Topic, partition, offset, key and value are columns; with CSV the fields are."},
				{Value: mappingJSON, Label: "JSON fields", Help: "The fields of a JSON value fill the columns of the same names, by type."}},
			Help: "What fills the columns. A JSON field without a column is left out, a column without a field is null."},
		{Key: keyMode, Label: "Mode", Kind: connector.Enum, Shapes: true, Default: connector.Const(modeDefault),
			Options: []connector.Option{{Value: modeDefault, Label: "Key and value"}, {Value: modeKey, Label: "Key"}, {Value: modeValue, Label: "Value"}},
			Help:    "What of a record is written."},
		{Key: keyFormat, Label: "Format", Kind: connector.Enum, Shapes: true, Default: connector.Const(formatText),
			Options: []connector.Option{
				{Value: formatText, Label: "Text", Help: "Key and value are STRING."},
				{Value: formatBinary, Label: "Binary", Help: "Key and value are BINARY."},
				{Value: formatCSV, Label: "CSV", Help: "Its fields fill the table's columns in order; with mode KEY or VALUE."}},
			Help: "How key and value are written."},
		{Key: keyPartition, Label: "Partition", Kind: connector.Enum, Shapes: true, Default: connector.Const(partitionHour),
			Options: []connector.Option{{Value: partitionDay, Label: "Day"}, {Value: partitionHour, Label: "Hour"}, {Value: partitionMinute, Label: "Minute"}},
			Help:    "Of the record's time; the value of pt is MM-dd-yyyy, MM-dd-yyyy HH or MM-dd-yyyy HH:mm. Missing partitions are created."},
		{Key: keyTimezone, Label: "Time zone", Kind: connector.String, Shapes: true, Default: connector.Const("GMT+08:00"), Validate: validZone,
			Help: "Of pt, and of times without a zone in JSON and CSV: GMT±hh:mm or a name such as Asia/Shanghai."},
		{Key: keyBinary, Label: "Bytes that are not UTF-8", Kind: connector.Enum, Shapes: true, Advanced: true, Default: connector.Const(binaryRaw),
			When: []connector.Cond{{Key: keyFormat, In: []string{formatText, formatCSV}, Reason: "STRING is text."}},
			Options: []connector.Option{
				{Value: binaryRaw, Label: "As they are", Help: "STRING takes the bytes unchanged."},
				{Value: binaryDLQ, Label: "Dead letter", Help: "Such a record goes to the dead-letter topic."}},
			Help: "What becomes of keys and values that are no text."},
	}
}

// problems are the rules across fields.
func problems(cfg connector.Config, env connector.Env) []connector.FieldError {
	out := append(connector.CrossRegion(cfg, env, keyRegion), aliyun.CredentialProblems(cfg, env)...)
	mode, format := cfg.Get(keyMode), cfg.Get(keyFormat)
	if cfg.Get(keyMapping) == mappingJSON {
		if mode == modeKey {
			out = append(out, connector.FieldError{Field: keyMode, Message: "With " + keyMapping + "=json the fields of the value are mapped: choose VALUE or DEFAULT."})
		}
		if format != formatText {
			out = append(out, connector.FieldError{Field: keyFormat, Message: "With " + keyMapping + "=json the columns' types decide the format: choose TEXT."})
		}
	} else if format == formatCSV && mode == modeDefault {
		out = append(out, connector.FieldError{Field: keyMode, Message: "CSV fills the columns from the fields of either the key or the value: choose KEY or VALUE."})
	}
	return out
}

func reach(cfg connector.Config, _ connector.Env) []connector.Endpoint {
	var out []connector.Endpoint
	if e, err := parseEndpoint(cfg.Get(keyEndpoint)); err == nil {
		out = append(out, connector.Endpoint{Key: keyEndpoint, Address: aliyun.HostPort(e)})
	}
	if t := cfg.Get(keyTunnel); t != "" {
		if u, err := aliyun.EndpointURL(t); err == nil {
			out = append(out, connector.Endpoint{Key: keyTunnel, Address: aliyun.HostPort(u)})
		}
	}
	return append(out, aliyun.CredentialReach(cfg)...)
}

// endpointByRegion follows the service's naming of endpoints ("Endpoint" in its
// documentation): -vpc and aliyun-inc.com without Internet access.
func endpointByRegion(cfg connector.Config, env connector.Env) string {
	region := cfg.Get(keyRegion)
	if region == "" {
		region = env.Region
	}
	if region == "self-hosted" || !aliyun.IsCloudRegion(region) {
		return ""
	}
	if cfg.Bool(connector.KeyInternetAccess) {
		return "https://service." + region + ".maxcompute.aliyun.com/api"
	}
	return "https://service." + region + "-vpc.maxcompute.aliyun-inc.com/api"
}

var (
	regionRule = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)
	nameRule   = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,127}$`)
)

func validRegion(s string) error {
	if !regionRule.MatchString(s) {
		return errors.New("a region is written like cn-hangzhou.")
	}
	return nil
}

func validName(of string) func(string) error {
	return func(s string) error {
		if !nameRule.MatchString(s) {
			return fmt.Errorf("a %s's name has 1 to 128 letters, digits and underscores, and begins with a letter.", of)
		}
		return nil
	}
}

func validEndpoint(s string) error {
	_, err := parseEndpoint(s)
	return err
}

func validZone(s string) error {
	_, err := record.ParseZone(s)
	return err
}

func wrongField(key string, err error) error {
	return &connector.WrongError{Field: key, Err: err, Remedy: "Correct " + key + "."}
}
