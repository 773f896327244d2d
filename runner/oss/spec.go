// Package oss is the sink to Object Storage Service: chunks become objects, whole or
// not at all, exactly once.
package oss

import (
	"errors"
	"regexp"

	"github.com/sluice-io/sluice/runner/aliyun"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/record"
)

// Keys of the connector's own fields.
const (
	keyBucket      = "oss.bucket"
	keyEndpoint    = "oss.endpoint"
	keyRegion      = "oss.region"
	keyPrefix      = "oss.prefix"
	keyFormat      = "oss.format"
	keyCompression = "oss.compression"
	keyPath        = "oss.path"
	keyTimezone    = "oss.timezone"
	keyBinary      = "oss.binary"
)

// Class is the connector.class of this task type.
const Class = "KAFKA2OSS"

// Spec declares the task type.
func Spec() connector.Spec {
	s := connector.Spec{
		Class:          Class,
		Title:          "Message Queue for Apache Kafka → Object Storage Service",
		Summary:        "Writes the records of one or several topics as objects into an OSS bucket, exactly once, as JSON, CSV, raw values, Parquet or Avro.",
		Version:        "1.0.0",
		EncoderVersion: record.EncoderVersion,
		Kind:           connector.KindSink,
		Validate:       problems,
		Reach:          reach,
		Check:          check,
		Preview:        preview,
		NewSink:        newSink,
		Locate:         locate,
	}
	s.Steps = connector.SinkSteps(connector.SinkDefaults{
		Tasks: 6, TaskOptions: []int64{6, 12},
		FlushSize: 10_000, FlushBytes: 64 << 20, FlushMillis: 60_000,
		Destination: append(destinationFields(), aliyun.CredentialFields()...),
	})
	return s
}

func destinationFields() []connector.Field {
	textual := []connector.Cond{{Key: keyFormat, In: []string{"json", "jsonl", "csv"}, Reason: "Textual formats cannot hold every byte."}}
	return []connector.Field{
		{Key: keyRegion, Label: "Region", Kind: connector.String, Region: true, Max: 64, Default: connector.InstanceRegion, Validate: validRegion,
			Help: "Where the bucket is. Another region than the instance's needs Internet access."},
		{Key: keyEndpoint, Label: "Endpoint", Kind: connector.String, Required: true, Default: endpointByRegion, Validate: aliyun.ValidEndpoint, Example: "oss-cn-hangzhou-internal.aliyuncs.com",
			Help: "The region's internal endpoint unless you give another."},
		{Key: keyBucket, Label: "Bucket Name", Kind: connector.String, Required: true, Fixed: connector.FixedAfterDelivery, Validate: validBucket, Lookup: lookupBuckets, Example: "data-lake",
			Help: "It must exist, and the access key must be allowed to write to it."},
		{Key: keyPrefix, Label: "Object prefix", Kind: connector.String, Shapes: true, Max: 512, Default: connector.FromName("", "/"), Validate: record.CheckPrefix,
			Help: "Stands before every object's name. Empty means the default; there is no way to have none."},
		{Key: keyFormat, Label: "Data format", Kind: connector.Enum, Shapes: true, Default: connector.Const("json"),
			Options: []connector.Option{
				{Value: "json", Label: "JSON", Help: "One array of records with metadata in each object."},
				{Value: "jsonl", Label: "JSON lines", Help: "The same records, one a line."},
				{Value: "csv", Label: "CSV", Help: "RFC 4180 with a header line."},
				{Value: "raw", Label: "Raw", Help: "The values' bytes, one a line."},
				{Value: "parquet", Label: "Parquet", Help: "Columnar, compressed inside."},
				{Value: "avro", Label: "Avro", Help: "Object container file, compressed inside."}},
			Help: "What an object holds."},
		{Key: keyCompression, Label: "Compression", Kind: connector.Enum, Shapes: true, Default: connector.Const("none"),
			Options: []connector.Option{{Value: "none", Label: "None"}, {Value: "gzip", Label: "gzip"}, {Value: "zstd", Label: "Zstandard"}, {Value: "snappy", Label: "Snappy"}},
			Help:    "Text formats gain .gz, .zst or .sz; Parquet and Avro compress inside the file."},
		{Key: keyPath, Label: "Partition path", Kind: connector.String, Shapes: true, Max: 512, Default: connector.Const("{topic}/dt={yyyy}-{MM}-{dd}/hh={HH}"), Validate: validPath,
			Help: "Made of each record's own time. Tokens: {topic} {partition} {yyyy} {MM} {dd} {HH} {mm}. Empty means the default."},
		{Key: keyTimezone, Label: "Time zone", Kind: connector.String, Shapes: true, Default: connector.Const("GMT+08:00"), Validate: validZone,
			Help: "Of the partition path: GMT±hh:mm or a name such as Asia/Shanghai."},
		{Key: keyBinary, Label: "Bytes that are not UTF-8", Kind: connector.Enum, Shapes: true, Advanced: true, When: textual, Default: connector.Const("base64"),
			Options: []connector.Option{
				{Value: "base64", Label: "Base64", Help: "Such a key or value is written in base64 and says so."},
				{Value: "dlq", Label: "Dead letter", Help: "Such a record goes to the dead-letter topic."},
				{Value: "lossy", Label: "Replace", Help: "Such bytes become U+FFFD; the original is lost."}},
			Help: "What becomes of keys and values that are no text."},
	}
}

func problems(cfg connector.Config, env connector.Env) []connector.FieldError {
	return append(connector.CrossRegion(cfg, env, keyRegion), aliyun.CredentialProblems(cfg, env)...)
}

func reach(cfg connector.Config, _ connector.Env) []connector.Endpoint {
	var out []connector.Endpoint
	if u, err := aliyun.EndpointURL(cfg.Get(keyEndpoint)); err == nil {
		out = append(out, connector.Endpoint{Key: keyEndpoint, Address: aliyun.HostPort(u)})
	}
	return append(out, aliyun.CredentialReach(cfg)...)
}

func endpointByRegion(cfg connector.Config, env connector.Env) string {
	region := cfg.Get(keyRegion)
	if region == "" {
		region = env.Region
	}
	if region == "self-hosted" || !aliyun.IsCloudRegion(region) {
		return ""
	}
	if cfg.Bool(connector.KeyInternetAccess) {
		return "oss-" + region + ".aliyuncs.com"
	}
	return "oss-" + region + "-internal.aliyuncs.com"
}

var (
	bucketRule = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$`)
	regionRule = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)
)

func validBucket(s string) error {
	if !bucketRule.MatchString(s) {
		return errors.New("a bucket's name has 3 to 63 lower-case letters, digits and hyphens, and neither begins nor ends with a hyphen.")
	}
	return nil
}

func validRegion(s string) error {
	if !regionRule.MatchString(s) {
		return errors.New("a region is written like cn-hangzhou.")
	}
	return nil
}

func validPath(s string) error {
	_, err := record.ParsePath(s, nil)
	return err
}

func validZone(s string) error {
	_, err := record.ParseZone(s)
	return err
}
