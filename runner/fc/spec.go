// Package fc is the sink to Function Compute 2.0 and 3.0: the records of a partition
// become the bodies of invocations, batch after batch; asynchronous ones are accepted
// once, synchronous ones are made at least once.
package fc

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/sluice-io/sluice/runner/aliyun"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/record"
)

// Keys of the connector's own fields.
const (
	keyCross      = "fc.cross"
	keyRegion     = "fc.region"
	keyEndpoint   = "fc.endpoint"
	keyAccount    = "fc.account"
	keyService    = "fc.service"
	keyFunction   = "fc.function"
	keyQualifier  = "fc.qualifier"
	keyMode       = "fc.mode"
	keyAsyncID    = "fc.async.id"
	keyOrdering   = "fc.ordering"
	keyInflight   = "fc.max.inflight"
	keyOnError    = "fc.batch.on.error"
	keyBatchSize  = "fc.batch.size"
	keyBatchBytes = "fc.batch.bytes"
	keyBinary     = "fc.binary"
	keyTest       = "fc.test.invocation"
)

// Values of the enumerations.
const (
	modeSync          = "sync"
	modeAsync         = "async"
	orderingPartition = "partition"
	orderingNone      = "none"
	onErrorWhole      = "whole"
	onErrorSplit      = "split"
	latest            = "LATEST"
)

// Limits of the service on a whole request body, in bytes (Function Compute, "Limits":
// 32 MB synchronous, 128 KB asynchronous), and the default of synchronous ones.
const (
	mostSyncBytes    = 32 << 20
	mostAsyncBytes   = 128 << 10
	usualSyncBytes   = 6 << 20
	leastBatchBytes  = 1 << 10
	mostBatchRecords = 10_000
)

// Class is the connector.class of this task type.
const Class = "KAFKA2FC"

// Spec declares the task type.
func Spec() connector.Spec {
	s := connector.Spec{
		Class:          Class,
		Title:          "Message Queue for Apache Kafka → Function Compute",
		Summary:        "Invokes a function with batches of the records of one or several topics: asynchronously, each batch accepted once, or synchronously, each at least once and in order.",
		Version:        "1.0.0",
		EncoderVersion: record.EncoderVersion,
		Kind:           connector.KindSink,
		Validate:       problems,
		Reach:          reach,
		Check:          check,
		Preview:        preview,
		NewSink:        newSink,
	}
	s.Steps = connector.SinkSteps(connector.SinkDefaults{
		Tasks: 3, TaskOptions: []int64{3, 6, 9, 12}, FlushMillis: 1000,
		Destination: append(append(placeFields(), aliyun.CredentialFields(keyAccount)...), requestFields()...),
	})
	return s
}

// placeFields say which function is invoked.
func placeFields() []connector.Field {
	return []connector.Field{
		{Key: keyCross, Label: "Cross-account/Cross-region", Kind: connector.Bool, Default: connector.Const("false"),
			Help: "The function belongs to another account, or is in another region than the instance."},
		{Key: keyRegion, Label: "Region", Kind: connector.String, Region: true, Max: 64, Default: connector.InstanceRegion, Validate: validRegion,
			When: []connector.Cond{{Key: keyCross, In: []string{"true"}, Reason: "The function may be in another region."}},
			Help: "Where the function is. Another region than the instance's needs Internet access."},
		{Key: keyAccount, Label: "Alibaba Cloud Account", Kind: connector.String, Max: 20, Validate: validAccount, Example: "1234567890123456",
			Help: "ID of the account that the function belongs to; not needed when the endpoint is given."},
		{Key: keyEndpoint, Label: "Service Endpoint", Kind: connector.String, Default: defaultEndpoint, Validate: aliyun.ValidEndpoint, Example: "1234567890123456.cn-hangzhou-internal.fc.aliyuncs.com",
			Help: "Follows from account and region, and may always be given."},
		{Key: keyService, Label: "Service Name", Kind: connector.String, Fixed: connector.FixedAfterDelivery, Max: 128, Validate: validService, Lookup: lookupServices, Example: "orders",
			Help: "Of a Function Compute 2.0 function; empty for one of Function Compute 3.0, which has no services."},
		{Key: keyFunction, Label: "Function Name", Kind: connector.String, Required: true, Fixed: connector.FixedAfterDelivery, Max: 256, Validate: validFunction, Lookup: lookupFunctions, Example: "take-orders",
			Help: "It must exist, and the access key must be allowed to invoke it."},
		{Key: keyQualifier, Label: "Service Version or Alias", Kind: connector.String, Default: connector.Const(latest), Max: 128, Validate: validQualifier,
			Help: "A version number or an alias; LATEST is what is being edited."},
	}
}

// requestFields say what a request holds and how it is sent.
func requestFields() []connector.Field {
	async := []connector.Cond{{Key: keyMode, In: []string{modeAsync}, Reason: "Asynchronous requests can be told apart by an ID."}}
	unordered := []connector.Cond{{Key: keyOrdering, In: []string{orderingNone}, Reason: "Without order several requests of a partition may be under way."}}
	return []connector.Field{
		{Key: keyMode, Label: "Transmission Mode", Kind: connector.Enum, Shapes: true, Default: connector.Const(modeAsync),
			Options: []connector.Option{
				{Value: modeAsync, Label: "Asynchronous", Help: "The service queues the request; what the function does afterwards is not seen."},
				{Value: modeSync, Label: "Synchronous", Help: "Waits for the function, up to its own time limit; its errors are seen and retried."}},
			Help: "Whether delivery waits for the function."},
		{Key: keyBatchSize, Label: "Data Size", Kind: connector.Int, Shapes: true, Unit: "messages", Min: 1, Max: mostBatchRecords, Default: connector.Const("20"),
			Help: "Most messages in one request."},
		{Key: keyBatchBytes, Label: "Request size limit", Kind: connector.Bytes, Shapes: true, Advanced: true, Unit: "bytes", Min: leastBatchBytes, Max: mostSyncBytes, Default: defaultBytes,
			Help: "Most bytes of a request's whole body: 131072 asynchronous, at most 33554432 synchronous. A larger message goes alone, without its value."},
		{Key: keyAsyncID, Label: "Deduplicate async requests", Kind: connector.Bool, Default: connector.Const("true"), When: async,
			Help: "Sends an invocation ID, so that a batch is accepted once. Needs stateful asynchronous invocation on the function; without it a crash may submit a batch twice."},
		{Key: keyOrdering, Label: "Order", Kind: connector.Enum, Default: connector.Const(orderingPartition), Advanced: true,
			Options: []connector.Option{
				{Value: orderingPartition, Label: "By partition", Help: "One request of a partition at a time."},
				{Value: orderingNone, Label: "None", Help: "Several at once; the position still moves without gaps."}},
			Help: "Whether the requests of a partition keep its order."},
		{Key: keyInflight, Label: "Concurrent requests", Kind: connector.Int, Advanced: true, Unit: "requests", Min: 1, Max: 64, Default: connector.Const("8"), When: unordered,
			Help: "Most requests of one partition that are under way at once."},
		{Key: keyOnError, Label: "When a batch is refused", Kind: connector.Enum, Default: connector.Const(onErrorWhole), Advanced: true,
			Options: []connector.Option{
				{Value: onErrorWhole, Label: "Whole", Help: "All records of the batch are refused, as the service sees it."},
				{Value: onErrorSplit, Label: "Split", Help: "The batch is halved until the record that fails stands alone; its neighbours are sent again."}},
			Help: "What becomes of the other records of a batch that the function fails on."},
		{Key: keyBinary, Label: "Bytes that are not UTF-8", Kind: connector.Enum, Shapes: true, Advanced: true, Default: connector.Const("base64"),
			Options: []connector.Option{
				{Value: "base64", Label: "Base64", Help: "Such a key or value is written in base64 and says so."},
				{Value: "dlq", Label: "Dead letter", Help: "Such a record goes to the dead-letter topic."},
				{Value: "lossy", Label: "Replace", Help: "Such bytes become U+FFFD; the original is lost."}},
			Help: "What becomes of keys and values that are no text."},
		{Key: keyTest, Label: "Test invocation", Kind: connector.Bool, Default: connector.Const("false"), Advanced: true,
			Help: "\"Test connection\" also invokes the function once, synchronously, with an empty array."},
	}
}

func problems(cfg connector.Config, env connector.Env) []connector.FieldError {
	out := connector.CrossRegion(cfg, env, keyRegion)
	if cfg.Get(keyEndpoint) == "" {
		what := "Give the endpoint of Function Compute."
		if region := regionOf(cfg, env); aliyun.IsCloudRegion(region) && cfg.Get(keyService) != "" {
			what = "Give the endpoint, or " + keyAccount + ", from which it follows."
		}
		out = append(out, connector.FieldError{Field: keyEndpoint, Message: what})
	}
	if most := mostBytes(cfg); cfg.Bytes(keyBatchBytes) > most {
		out = append(out, connector.FieldError{Field: keyBatchBytes, Message: fmt.Sprintf("the service takes at most %d bytes in a request of this mode.", most)})
	}
	return append(out, aliyun.CredentialProblems(cfg, env)...)
}

func mostBytes(cfg connector.Config) int64 {
	if cfg.Get(keyMode) == modeSync {
		return mostSyncBytes
	}
	return mostAsyncBytes
}

func defaultBytes(cfg connector.Config, _ connector.Env) string {
	if cfg.Get(keyMode) == modeSync {
		return fmt.Sprint(usualSyncBytes)
	}
	return fmt.Sprint(mostAsyncBytes)
}

func regionOf(cfg connector.Config, env connector.Env) string {
	if r := cfg.Get(keyRegion); r != "" && cfg.Bool(keyCross) {
		return r
	}
	return env.Region
}

// defaultEndpoint follows from region, account and version: 2.0 has a name for each
// account, 3.0 one for all. Inside a VPC both have another.
func defaultEndpoint(cfg connector.Config, env connector.Env) string {
	region := regionOf(cfg, env)
	if region == "self-hosted" || !aliyun.IsCloudRegion(region) {
		return ""
	}
	public := cfg.Bool(connector.KeyInternetAccess)
	account := cfg.Get(keyAccount)
	switch {
	case account != "" && validAccount(account) != nil:
		return ""
	case cfg.Get(keyService) == "" && public:
		return "fcv3." + region + ".aliyuncs.com"
	case cfg.Get(keyService) == "" && account == "":
		return "fcv3-vpc." + region + ".aliyuncs.com"
	case account == "":
		return ""
	case public:
		return account + "." + region + ".fc.aliyuncs.com"
	}
	return account + "." + region + "-internal.fc.aliyuncs.com"
}

func reach(cfg connector.Config, _ connector.Env) []connector.Endpoint {
	var out []connector.Endpoint
	if u, err := aliyun.EndpointURL(cfg.Get(keyEndpoint)); err == nil {
		out = append(out, connector.Endpoint{Key: keyEndpoint, Address: aliyun.HostPort(u)})
	}
	return append(out, aliyun.CredentialReach(cfg)...)
}

var (
	accountRule   = regexp.MustCompile(`^[0-9]{1,20}$`)
	regionRule    = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)
	serviceRule   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]{0,127}$`)
	functionRule  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]{0,127}(\$[A-Za-z_][A-Za-z0-9_-]{0,127})?$`)
	qualifierRule = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_-]{0,127}$`)
)

func validAccount(s string) error {
	if !accountRule.MatchString(s) {
		return errors.New("an account ID is a number, such as 1234567890123456.")
	}
	return nil
}

func validRegion(s string) error {
	if !regionRule.MatchString(s) {
		return errors.New("a region is written like cn-hangzhou.")
	}
	return nil
}

func validService(s string) error {
	if !serviceRule.MatchString(s) {
		return errors.New("a service's name has up to 128 letters, digits, hyphens and underscores, and begins with a letter or an underscore.")
	}
	return nil
}

// validFunction also takes service$function, the name that a 2.0 function has in 3.0.
func validFunction(s string) error {
	if !functionRule.MatchString(s) {
		return errors.New("a function's name has up to 128 letters, digits, hyphens and underscores, and begins with a letter or an underscore.")
	}
	return nil
}

func validQualifier(s string) error {
	if !qualifierRule.MatchString(s) {
		return errors.New("give LATEST, a version number or an alias of letters, digits, hyphens and underscores.")
	}
	return nil
}
