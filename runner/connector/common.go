package connector

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Keys of the common fields (SPEC of the product: "Parameters, Common").
const (
	KeyName           = "name"
	KeyDescription    = "description"
	KeyClass          = "connector.class"
	KeyVPC            = "vpc.id"
	KeyVSwitch        = "vswitch.id"
	KeyInternetAccess = "internet.access"
	KeyTopics         = "topics"
	KeyOffsetReset    = "consumer.override.auto.offset.reset"
	KeyTasksMax       = "tasks.max"
	KeyTolerance      = "errors.tolerance"
	KeyRetries        = "errors.retry.limit"
	KeyOutage         = "errors.outage"
	KeyFlushSize      = "flush.size"
	KeyFlushBytes     = "flush.bytes"
	KeyFlushInterval  = "flush.interval.ms"
	KeyResourcesMode  = "resources.mode"
	KeyConfigTopic    = "config.storage.topic"
	KeyOffsetTopic    = "offset.storage.topic"
	KeyStatusTopic    = "status.storage.topic"
	KeyDeadLetter     = "errors.deadletterqueue.topic.name"
	KeyAbnormal       = "errors.abnormal.topic.name"
	KeyGroup          = "group.id"
	KeyStorageEngine  = "resources.storage"
	KeyCompression    = "producer.override.compression.type"
)

// Values of the common fields.
const (
	ToleranceLog  = "all"
	ToleranceFail = "none"
	OutageHold    = "hold"
	OutageDivert  = "divert"
	ModeAutomatic = "automatic"
	ModeManual    = "manual"
)

var nameRule = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,47}$`)

// ValidName checks the rule for names of connectors and instances: 1–48 lower-case
// letters, digits and hyphens, not starting with a hyphen, and not "new".
func ValidName(s string) error {
	if s == "new" {
		return errors.New(`"new" is reserved; choose another name.`)
	}
	if !nameRule.MatchString(s) {
		return errors.New("use 1 to 48 lower-case letters, digits and hyphens; the first may not be a hyphen.")
	}
	return nil
}

var topicRule = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

// ValidTopic checks Kafka's rule for topic names.
func ValidTopic(s string) error {
	if s == "." || s == ".." || !topicRule.MatchString(s) {
		return fmt.Errorf("%q is no topic name: 1 to 249 letters, digits, dots, underscores and hyphens.", clip(s))
	}
	return nil
}

func validTopics(s string) error {
	seen := map[string]bool{}
	items := Config{"t": s}.List("t")
	if len(items) == 0 {
		return errors.New("name at least one topic.")
	}
	for _, t := range items {
		if err := ValidTopic(t); err != nil {
			return err
		}
		if seen[t] {
			return fmt.Errorf("%q is named twice.", t)
		}
		seen[t] = true
	}
	return nil
}

var offsetZone = regexp.MustCompile(`^GMT[+-](0[0-9]|1[0-4]):[0-5][0-9]$`)

// ValidZone checks a time zone: GMT±hh:mm or an IANA name.
func ValidZone(s string) error {
	if offsetZone.MatchString(s) || s == "GMT" || s == "UTC" {
		return nil
	}
	if s != "Local" && s != "" {
		if _, err := time.LoadLocation(s); err == nil {
			return nil
		}
	}
	return fmt.Errorf("%q is no time zone: write GMT+08:00 or a name such as Asia/Shanghai.", clip(s))
}

// Const is a Default that is the same everywhere.
func Const(v string) func(Config, Env) string { return func(Config, Env) string { return v } }

// FromName is a Default made of the connector's name: prefix + name + suffix. A name
// that is not valid gives none, so that it is told of once.
func FromName(prefix, suffix string) func(Config, Env) string {
	return func(c Config, _ Env) string {
		if n := c.Get(KeyName); ValidName(n) == nil {
			return prefix + n + suffix
		}
		return ""
	}
}

// InstanceRegion is the Default of a region field.
func InstanceRegion(_ Config, e Env) string { return e.Region }

// SinkDefaults are the defaults that differ between sinks.
type SinkDefaults struct {
	Tasks        int64
	TaskOptions  []int64
	FlushSize    int64 // 0: the sink has no flush.size
	FlushBytes   int64 // 0: the sink has no flush.bytes
	FlushMillis  int64
	Destination  []Field // the sink's own fields, first in the destination step
	Title, Class string
}

// SinkSteps builds the three steps with fields that every sink shares around its own.
func SinkSteps(d SinkDefaults) []Step {
	return []Step{
		{StepBasic, "Basic Information", append(basicFields(), resourceFields()...)},
		{StepSource, "Configure Source", sourceFields(d)},
		{StepDestination, "Configure Destination", append(append([]Field{}, d.Destination...), append(flushFields(d), failureFields()...)...)},
	}
}

// SourceSteps builds the three steps with fields that every source shares around its own
// of the source step and of the destination step. A source has one reader, no consumer
// group and no delivery to retry: what a sink has for these it has not.
func SourceSteps(source, destination []Field) []Step {
	return []Step{
		{StepBasic, "Basic Information", append(basicFields(), sourceResourceFields()...)},
		{StepSource, "Configure Source", source},
		{StepDestination, "Configure Destination", append(append([]Field{}, destination...), compressionField())},
	}
}

// SinkOnly finds a common field that only sinks read. A source keeps a value of it, since
// clients send such keys to every connector, and refuses one that no connector takes.
func SinkOnly(key string) (Field, bool) {
	for _, f := range append(failureFields(), tasksField(SinkDefaults{Tasks: 1})) {
		if f.Key == key {
			return f, true
		}
	}
	return Field{}, false
}

// SourceProblems are the rules across fields of every source: what its transactions and
// its compression need of the brokers, as far as their version is known, and values that
// common fields do not take although no source reads them.
func SourceProblems(cfg Config, env Env) []FieldError {
	var out []FieldError
	for _, key := range slices.Sorted(maps.Keys(cfg)) {
		if f, is := SinkOnly(key); is {
			if msg := f.problem(cfg[key]); msg != "" {
				out = append(out, FieldError{key, msg})
			}
		}
	}
	if olderThan(env.Version, 0, 11) {
		out = append(out, FieldError{KeyClass, fmt.Sprintf("The instance's brokers are %s: a source writes in transactions, which need 0.11 or later. Upgrade the brokers, or choose another instance.", env.Version)})
	}
	if cfg.Get(KeyCompression) == "zstd" && olderThan(env.Version, 2, 1) {
		out = append(out, FieldError{KeyCompression, fmt.Sprintf("The instance's brokers are %s, and zstd needs 2.1 or later; choose another.", env.Version)})
	}
	return out
}

// olderThan compares a detected version such as "4.0" or "0.10.2" with a floor; one that
// is not known is taken for new enough.
func olderThan(version string, major, minor int) bool {
	var a, b int
	if n, _ := fmt.Sscanf(version, "%d.%d", &a, &b); n == 0 {
		return false
	}
	return a < major || a == major && b < minor
}

// sourceResourceFields are those of a sink but for the group, with what a source does with them.
func sourceResourceFields() []Field {
	fields := slices.DeleteFunc(resourceFields(), func(f Field) bool { return f.Key == KeyGroup })
	for i := range fields {
		switch fields[i].Key {
		case KeyOffsetTopic:
			fields[i].Help = "Compacted, more than one partition. The position is written here, in the transaction of the data."
		case KeyDeadLetter:
			fields[i].Help = "Records that are too large for their topic, where the settings send them aside."
		case KeyAbnormal:
			fields[i].Help = "Kept beside the dead-letter topic; by default the same topic."
		}
	}
	return fields
}

func compressionField() Field {
	return Field{Key: KeyCompression, Label: "Compression of the records", Kind: Enum, Advanced: true, Default: Const("lz4"),
		Options: []Option{{Value: "none"}, {Value: "gzip"}, {Value: "snappy"}, {Value: "lz4"}, {Value: "zstd"}},
		Help:    "How batches are compressed on their way to the cluster and in its log; every client reads each of them. zstd needs a broker of 2.1 or later."}
}

func basicFields() []Field {
	return []Field{
		{Key: KeyName, Label: "Connector Name", Kind: String, Required: true, Fixed: FixedAlways, Validate: ValidName, Example: "orders-to-oss",
			Help: "1 to 48 lower-case letters, digits and hyphens; unique in its instance."},
		{Key: KeyDescription, Label: "Description", Kind: String, Max: 256, Help: "What it is for; may be changed at any time."},
		{Key: KeyClass, Label: "Dump Path", Kind: String, Required: true, Fixed: FixedAlways, Help: "Where records come from and where they go."},
		{Key: KeyVPC, Label: "VPC ID", Kind: String, Informational: true, Advanced: true, Max: 128, Help: "Kept and shown; nothing reads it.",
			Default: func(_ Config, e Env) string { return e.VPCID }},
		{Key: KeyVSwitch, Label: "VSwitch ID", Kind: String, Informational: true, Advanced: true, Max: 128, Help: "Kept and shown; nothing reads it.",
			Default: func(_ Config, e Env) string { return e.VSwitchID }},
		{Key: KeyInternetAccess, Label: "Internet access", Kind: Bool, Default: Const("false"),
			Help: "Lets the connector reach public addresses. Without it only private (VPC) addresses are dialled."},
	}
}

func resourceFields() []Field {
	manual := []Cond{{Key: KeyResourcesMode, In: []string{ModeManual}, Reason: "Resources are named by hand."}}
	topic := func(key, label, prefix, help string) Field {
		return Field{Key: key, Label: label, Kind: String, Advanced: true, Validate: ValidTopic, Default: FromName(prefix, ""), Help: help, Fixed: FixedAfterDelivery}
	}
	fields := []Field{
		{Key: KeyResourcesMode, Label: "Create Resource", Kind: Enum, Default: Const(ModeAutomatic), Advanced: true, Fixed: FixedAfterDelivery,
			Options: []Option{{Value: ModeAutomatic, Label: "Automatically"}, {Value: ModeManual, Label: "Manually"}},
			Help:    "Automatically: topics and groups are made at deploy. Manually: you name topics that exist, and they are checked."},
		topic(KeyGroup, "Connector Task Consumer Group", "connect-", "The committed offsets of this group are the connector's position."),
		topic(KeyOffsetTopic, "Task Offset Topic", "connect-offset-", "Compacted, more than one partition. Positions are mirrored here."),
		topic(KeyConfigTopic, "Task Configuration Topic", "connect-config-", "Compacted, exactly one partition. Each deployed configuration, secrets sealed."),
		topic(KeyStatusTopic, "Task Status Topic", "connect-status-", "Compacted. The latest state of each task."),
		topic(KeyDeadLetter, "Dead-letter Queue Topic", "connect-error-", "Records that could not be read or converted."),
		topic(KeyAbnormal, "Abnormal Data Topic", "connect-error-", "Records that the destination refused for good."),
	}
	fields = append(fields, Field{Key: KeyStorageEngine, Label: "Storage Engine", Kind: Enum, Advanced: true, Informational: true, When: manual,
		Options: []Option{{Value: "local", Label: "Local"}, {Value: "cloud", Label: "Cloud"}}, Default: Const("local"),
		Help: "Kept and shown; Apache Kafka has no such setting."})
	return fields
}

func sourceFields(d SinkDefaults) []Field {
	return []Field{
		{Key: KeyTopics, Label: "Data Source Topic", Kind: List, Required: true, Fixed: FixedAfterDelivery, Validate: validTopics, Lookup: lookupTopics, Example: "orders",
			Help: "One or several topics of the instance, comma-separated; they must exist."},
		{Key: KeyOffsetReset, Label: "Consumer Offset", Kind: Enum, Default: Const("latest"), Options: []Option{{Value: "latest", Label: "Latest"}, {Value: "earliest", Label: "Earliest"}},
			Help: "Where the first deploy starts. Partitions added later start at their beginning."},
		tasksField(d),
	}
}

func tasksField(d SinkDefaults) Field {
	var tasks []Option
	for _, n := range d.TaskOptions {
		tasks = append(tasks, Option{Value: fmt.Sprint(n)})
	}
	return Field{Key: KeyTasksMax, Label: "Consumer Thread Concurrency", Kind: Int, Open: true, Options: tasks, Default: Const(fmt.Sprint(d.Tasks)), Min: 1, Max: 64, Unit: "tasks",
		Help: "Threads that read and deliver; more than the topic has partitions stay idle."}
}

func flushFields(d SinkDefaults) []Field {
	var out []Field
	if d.FlushSize > 0 {
		out = append(out, Field{Key: KeyFlushSize, Label: "Flush after records", Kind: Int, Unit: "records", Min: 1, Max: 1_000_000, Default: Const(fmt.Sprint(d.FlushSize)), Shapes: true, Advanced: true,
			Help: "A chunk closes when it holds this many records of a partition."})
	}
	if d.FlushBytes > 0 {
		out = append(out, Field{Key: KeyFlushBytes, Label: "Flush after bytes", Kind: Bytes, Unit: "bytes", Min: 64 << 10, Max: 1 << 30, Default: Const(fmt.Sprint(d.FlushBytes)), Shapes: true, Advanced: true,
			Help: "A chunk closes when it holds this many bytes; 67108864 or 64MiB. Above a quarter of the node's memory budget chunks close earlier."})
	}
	return append(out, Field{Key: KeyFlushInterval, Label: "Flush interval", Kind: Duration, Unit: "ms", Min: 100, Max: 3_600_000, Default: Const(fmt.Sprint(d.FlushMillis)), Advanced: true,
		Help: "A chunk closes when its first record has waited this long, also when the topic is idle. Not while the partition is far behind."})
}

func failureFields() []Field {
	return []Field{
		{Key: KeyTolerance, Label: "Failure Handling Policy", Kind: Enum, Default: Const(ToleranceLog), Shapes: true,
			Options: []Option{
				{Value: ToleranceLog, Label: "Log", Help: "The record goes to the abnormal data topic and is logged; the partition goes on."},
				{Value: ToleranceFail, Label: "Fail", Help: "The partition stops at the record; the others go on. Resume tries it again."}},
			Help: "What happens to a record that is refused for good."},
		{Key: KeyRetries, Label: "Retries", Kind: Int, Open: true, Options: []Option{{Value: "1"}, {Value: "2"}, {Value: "3"}}, Default: Const("2"), Min: 0, Max: 100, Unit: "attempts",
			Help: "Further attempts after a failure of the record's own. What is away is retried without end."},
		{Key: KeyOutage, Label: "When the destination is away", Kind: Enum, Default: Const(OutageHold), Advanced: true,
			Options: []Option{
				{Value: OutageHold, Label: "Hold", Help: "The position waits for as long as it takes."},
				{Value: OutageDivert, Label: "Divert", Help: "After the retries records go to the abnormal data topic."}},
			Help: "Network errors, 5xx and throttling."},
	}
}

func lookupTopics(ctx context.Context, _ Config, d Deps) ([]Option, error) {
	if d.Topics == nil {
		return nil, nil
	}
	topics, err := d.Topics(ctx)
	if err != nil {
		return nil, err
	}
	var out []Option
	for _, t := range topics {
		if t.Internal || strings.HasPrefix(t.Name, "connect-") {
			continue
		}
		out = append(out, Option{Value: t.Name, Label: t.Name, Help: fmt.Sprintf("%d partitions", t.Partitions)})
	}
	return out, nil
}

// CrossRegion is the rule that a destination in another region needs Internet access.
func CrossRegion(cfg Config, env Env, regionKey string) []FieldError {
	r := cfg.Get(regionKey)
	if r == "" || env.Region == "" || r == env.Region || cfg.Bool(KeyInternetAccess) {
		return nil
	}
	return []FieldError{{regionKey, fmt.Sprintf("The destination is in %s and the instance in %s: another region needs Internet access. Enable it for this connector, or choose a destination in %s.", r, env.Region, env.Region)}}
}
