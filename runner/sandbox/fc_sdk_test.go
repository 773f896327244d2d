package sandbox

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	openapi "github.com/alibabacloud-go/darabonba-openapi/v2/utils"
	fc3 "github.com/alibabacloud-go/fc-20230330/v4/client"
	"github.com/alibabacloud-go/tea/dara"
	"github.com/alibabacloud-go/tea/tea"
	fc2 "github.com/aliyun/fc-go-sdk"
)

func startFC(t testing.TB, options FCOptions) *FC {
	t.Helper()
	if options.Dir == "" && !options.Discard {
		options.Dir = t.TempDir()
	}
	options.Addr = "127.0.0.1:0"
	f, err := StartFC(context.Background(), options)
	must(t, err)
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return f
}

// client2 is the official SDK of 2.0. Its HTTP client belongs to the whole process: tests that use it are not parallel.
func client2(t testing.TB, f *FC, options ...fc2.ClientOption) *fc2.Client {
	t.Helper()
	c, err := fc2.NewClient(f.URL(), fcVersion2, DefaultKey, DefaultKey, options...)
	must(t, err)
	return c
}

// client3 is the official SDK of 3.0.
func client3(t testing.TB, f *FC, key AccessKey) *fc3.Client { return client3Of(t, f.URL(), key) }

// client3At is client3 with the sandbox's key, for a stand-in in another process.
func client3At(t testing.TB, url string) *fc3.Client { return client3Of(t, url, sandboxKey) }

func client3Of(t testing.TB, url string, key AccessKey) *fc3.Client {
	t.Helper()
	config := &openapi.Config{AccessKeyId: &key.ID, AccessKeySecret: &key.Secret, Endpoint: dara.String(strings.TrimPrefix(url, "http://")), Protocol: dara.String("HTTP")}
	if key.Token != "" {
		config.SecurityToken = &key.Token
	}
	c, err := fc3.NewClient(config)
	must(t, err)
	return c
}

var sandboxKey = AccessKey{ID: DefaultKey, Secret: DefaultKey}

// wantFC2 checks that the SDK of 2.0 read an answer of the service with a status and a code.
func wantFC2(t testing.TB, err error, status int, code string) {
	t.Helper()
	var answer *fc2.ServiceError
	if !errors.As(err, &answer) || answer.HTTPStatus != status || answer.ErrorCode != code || answer.ErrorMessage == "" || answer.RequestID == "" {
		t.Errorf("error is %v, want %d %s", err, status, code)
	}
}

// wantFC3 is wantFC2 of the SDK of 3.0.
func wantFC3(t testing.TB, err error, status int, code string) {
	t.Helper()
	var answer *tea.SDKError
	if !errors.As(err, &answer) || dara.IntValue(answer.StatusCode) != status || dara.StringValue(answer.Code) != code {
		t.Errorf("error is %v, want %d %s", err, status, code)
	}
}

func invoke3(c *fc3.Client, function, qualifier string, event []byte, headers fc3.InvokeFunctionHeaders) (*fc3.InvokeFunctionResponse, []byte, error) {
	request := &fc3.InvokeFunctionRequest{Body: bytes.NewReader(event)}
	if qualifier != "" {
		request.Qualifier = &qualifier
	}
	answer, err := c.InvokeFunctionWithOptions(&function, request, &headers, &dara.RuntimeOptions{})
	if err != nil {
		return nil, nil, err
	}
	body, err := io.ReadAll(answer.Body)
	return answer, body, err
}

func async3(id string) fc3.InvokeFunctionHeaders {
	h := fc3.InvokeFunctionHeaders{XFcInvocationType: dara.String("Async")}
	if id != "" {
		h.XFcAsyncTaskId = &id
	}
	return h
}

const twoRecords = `[{"key":"a","offset":1,"overflowFlag":false,"partition":0,"timestamp":1,"topic":"t","value":"{\"overflowFlag\":1}","valueSize":18},` +
	`{"offset":2,"overflowFlag":false,"partition":0,"timestamp":1,"topic":"t","value":"poison","valueSize":6}]`

func TestFCByTheSDKOf2(t *testing.T) {
	f := startFC(t, FCOptions{SlowFor: 10 * time.Millisecond})
	c := client2(t, f)
	event := []byte(twoRecords)

	echoed, err := c.InvokeFunction(fc2.NewInvokeFunctionInput(DefaultFCService, FCEcho).WithPayload(event).WithQualifier(DefaultFCAlias).WithLogType("Tail"))
	must(t, err)
	if !bytes.Equal(echoed.Payload, event) || echoed.GetErrorType() != "" || echoed.GetRequestID() == "" {
		t.Errorf("echo answers %q, error type %q, request %q", echoed.Payload, echoed.GetErrorType(), echoed.GetRequestID())
	}
	if log, err := echoed.GetLogResult(); err != nil || !strings.Contains(log, echoed.GetRequestID()) {
		t.Errorf("the log is %q, %v", log, err)
	}

	failed, err := c.InvokeFunction(fc2.NewInvokeFunctionInput(DefaultFCService, FCFails).WithPayload(event).WithLogType("Tail"))
	must(t, err)
	log, _ := failed.GetLogResult()
	if failed.GetErrorType() != FCUnhandled || !bytes.Contains(failed.Payload, []byte(`"errorMessage":"the function fails`)) || !strings.Contains(log, "[ERROR]") {
		t.Errorf("fails answers %q, error type %q, log %q", failed.Payload, failed.GetErrorType(), log)
	}
	if _, err := c.InvokeFunction(fc2.NewInvokeFunctionInput(DefaultFCService, FCEcho)); err != nil {
		t.Errorf("an invocation without an event: %v", err)
	}

	async := fc2.NewInvokeFunctionInput(DefaultFCService, FCEcho).WithPayload(event).WithStatefulAsyncInvocationID("s_1")
	accepted, err := c.InvokeFunction(async)
	must(t, err)
	_, err = c.InvokeFunction(async)
	wantFC2(t, err, http.StatusConflict, "StatefulAsyncInvocationAlreadyExists")
	task, err := c.GetStatefulAsyncInvocation(fc2.NewGetStatefulAsyncInvocationInput(DefaultFCService, FCEcho, "s_1"))
	must(t, err)
	if *task.Status != FCSucceeded || *task.RequestID != accepted.GetRequestID() {
		t.Errorf("the invocation is %s", task)
	}
	for range 2 { // the ID is not looked at
		if _, err := c.InvokeFunction(fc2.NewInvokeFunctionInput(DefaultFCService, FCStateless).WithStatefulAsyncInvocationID("s_1")); err != nil {
			t.Errorf("without stateful invocation: %v", err)
		}
	}

	list, more, err := f.Invocations(t.Context(), FCFilter{Function: FCEcho}, 2)
	must(t, err)
	if len(list) != 2 || !more || !list[0].Async || list[0].InvocationID != "s_1" || list[0].Records != 2 || list[0].Bytes != int64(len(event)) || list[1].Bytes != 0 {
		t.Errorf("kept, newest first: %+v, more %v", list, more)
	}
	if inv, body, err := f.Invocation(list[0].Sequence); err != nil || string(body) != twoRecords || inv.ID != accepted.GetRequestID() {
		t.Errorf("the newest is %+v with %q, %v", inv, body, err)
	}
}

func TestFCAnswersQuestionsOfTheSDKOf2(t *testing.T) {
	f := startFC(t, FCOptions{})
	c := client2(t, f)
	service, err := c.GetService(fc2.NewGetServiceInput(DefaultFCService))
	must(t, err)
	function, err := c.GetFunction(fc2.NewGetFunctionInput(DefaultFCService, FCSlow).WithQualifier("1"))
	must(t, err)
	config, err := c.GetFunctionAsyncInvokeConfig(fc2.NewGetFunctionAsyncInvokeConfigInput(DefaultFCService, FCSlow).WithQualifier(DefaultFCAlias))
	must(t, err)
	alias, err := c.GetAlias(fc2.NewGetAliasInput(DefaultFCService, DefaultFCAlias))
	must(t, err)
	functions, err := c.ListFunctions(fc2.NewListFunctionsInput(DefaultFCService).WithLimit(2).WithPrefix(""))
	must(t, err)
	services, err := c.ListServices(fc2.NewListServicesInput())
	must(t, err)
	versions, err := c.ListServiceVersions(fc2.NewListServiceVersionsInput(DefaultFCService))
	must(t, err)
	aliases, err := c.ListAliases(fc2.NewListAliasesInput(DefaultFCService))
	must(t, err)
	if *service.ServiceName != DefaultFCService || *function.FunctionName != FCSlow || *function.Timeout == 0 || !*config.StatefulInvocation || *alias.VersionID != "1" {
		t.Errorf("service %s, function %s, config %s, alias %s", service, function, config, alias)
	}
	if len(functions.Functions) != 2 || functions.NextToken == nil || len(services.Services) != 1 || len(versions.Versions) != 1 || len(aliases.Aliases) != 1 {
		t.Errorf("functions %s, services %s, versions %s, aliases %s", functions, services, versions, aliases)
	}
	next, err := c.ListFunctions(fc2.NewListFunctionsInput(DefaultFCService).WithNextToken(*functions.NextToken))
	must(t, err)
	if len(next.Functions) != len(FCFunctions())-2 {
		t.Errorf("the second page is %s", next)
	}
}

func TestFCRefusalsByTheSDKOf2(t *testing.T) {
	f := startFC(t, FCOptions{Throttle: 1})
	must(t, f.AddKey(AccessKey{ID: "sts", Secret: "s", Token: "right"}))
	must(t, f.AddKey(AccessKey{ID: "old", Secret: "s", Token: "right", Expires: time.Now().Add(-time.Second)}))
	c := client2(t, f)
	invoke := func(c *fc2.Client, service, function, qualifier string, event []byte, kind string) error {
		_, err := c.InvokeFunction(fc2.NewInvokeFunctionInput(service, function).WithPayload(event).WithQualifier(qualifier).WithInvocationType(kind))
		return err
	}
	wantFC2(t, invoke(c, "other", FCEcho, "", nil, "Sync"), 404, "ServiceNotFound")
	wantFC2(t, invoke(c, DefaultFCService, "other", "", nil, "Sync"), 404, "FunctionNotFound")
	wantFC2(t, invoke(c, DefaultFCService, FCEcho, "2", nil, "Sync"), 404, "VersionNotFound")
	wantFC2(t, invoke(c, DefaultFCService, FCEcho, "other", nil, "Sync"), 404, "AliasNotFound")
	wantFC2(t, invoke(c, DefaultFCService, FCEcho, "", make([]byte, FCAsyncLimit+1), "Async"), 413, "EntityTooLarge")
	wantFC2(t, invoke(c, DefaultFCService, FCEcho, "", make([]byte, FCSyncLimit+1), "Sync"), 413, "EntityTooLarge")
	must(t, invoke(c, DefaultFCService, FCEcho, "", make([]byte, FCAsyncLimit), "Async"))
	must(t, invoke(c, DefaultFCService, FCEcho, "", make([]byte, FCSyncLimit), "Sync"))
	wantFC2(t, invoke(c, DefaultFCService, FCEcho, "", nil, "Later"), 400, "InvalidArgument")
	must(t, invoke(c, DefaultFCService, FCThrottled, "", nil, "Async"))
	wantFC2(t, invoke(c, DefaultFCService, FCThrottled, "", nil, "Async"), 429, "ResourceExhausted")
	_, err := c.InvokeFunction(fc2.NewInvokeFunctionInput(DefaultFCService, FCEcho).WithStatefulAsyncInvocationID("9x"))
	wantFC2(t, err, 400, "InvalidArgument")
	_, err = c.GetFunctionAsyncInvokeConfig(fc2.NewGetFunctionAsyncInvokeConfigInput(DefaultFCService, FCStateless))
	wantFC2(t, err, 404, "AsyncConfigNotExists")
	_, err = c.GetStatefulAsyncInvocation(fc2.NewGetStatefulAsyncInvocationInput(DefaultFCService, FCEcho, "unknown"))
	wantFC2(t, err, 404, "StatefulAsyncInvocationNotFound")
	_, err = c.GetAccountSettings(nil)
	wantFC2(t, err, 400, "PathNotSupported")

	sign := func(id, secret string, options ...fc2.ClientOption) error {
		c, err := fc2.NewClient(f.URL(), fcVersion2, id, secret, options...)
		must(t, err)
		return invoke(c, DefaultFCService, FCEcho, "", []byte("x"), "Sync")
	}
	wantFC2(t, sign("nobody", "s"), 403, "InvalidAccessKeyID")
	wantFC2(t, sign(DefaultKey, "wrong"), 403, "SignatureNotMatch")
	wantFC2(t, sign(DefaultKey, DefaultKey, fc2.WithSecurityToken("t")), 403, "InvalidAccessKeyID")
	wantFC2(t, sign("sts", "s", fc2.WithSecurityToken("wrong")), 403, "InvalidSecurityToken")
	wantFC2(t, sign("old", "s", fc2.WithSecurityToken("right")), 403, "SecurityTokenExpired")
	must(t, sign("sts", "s", fc2.WithSecurityToken("right"), fc2.WithAccountID("1234567890")))
	must(t, f.Faults.Set(Fault{Operation: "InvokeFunction", Rate: 1, SkewSeconds: 1000}))
	wantFC2(t, sign(DefaultKey, DefaultKey), 403, "AccessDenied")
}

func TestFCByTheSDKOf3(t *testing.T) {
	t.Parallel()
	f := startFC(t, FCOptions{Throttle: 1})
	c := client3(t, f, sandboxKey)
	event := []byte(twoRecords)
	answer, body, err := invoke3(c, FCEcho, DefaultFCAlias, event, fc3.InvokeFunctionHeaders{XFcLogType: dara.String("Tail")})
	must(t, err)
	if !bytes.Equal(body, event) || dara.Int32Value(answer.StatusCode) != 200 || dara.StringValue(answer.Headers["x-fc-request-id"]) == "" || dara.StringValue(answer.Headers["x-fc-log-result"]) == "" {
		t.Errorf("echo answers %d %q %v", dara.Int32Value(answer.StatusCode), body, dara.Prettify(answer.Headers))
	}
	answer, body, err = invoke3(c, FCPoison, "LATEST", event, fc3.InvokeFunctionHeaders{})
	must(t, err)
	if dara.StringValue(answer.Headers["x-fc-error-type"]) != FCUnhandled || !bytes.Contains(body, []byte("poison")) {
		t.Errorf("poison answers %q %s", body, dara.Prettify(answer.Headers))
	}
	answer, body, err = invoke3(c, FCPoison, "1", []byte("harmless"), fc3.InvokeFunctionHeaders{})
	if err != nil || answer.Headers["x-fc-error-type"] != nil || string(body) != "harmless" {
		t.Errorf("without the word poison answers %q, %v", body, err)
	}
	answer, _, err = invoke3(c, FCFails, "", event, async3("s_1"))
	if err != nil || dara.Int32Value(answer.StatusCode) != 202 {
		t.Errorf("async answers %v, %v", answer, err)
	}
	_, _, err = invoke3(c, FCFails, "", event, async3("s_1"))
	wantFC3(t, err, 409, "StatefulAsyncInvocationAlreadyExists")
	if _, _, err = invoke3(c, FCEcho, "", event, async3("s_1")); err != nil {
		t.Errorf("the same ID of another function: %v", err)
	}
	task, err := c.GetAsyncTask(dara.String(FCFails), dara.String("s_1"), &fc3.GetAsyncTaskRequest{})
	must(t, err)
	if dara.StringValue(task.Body.Status) != FCFailed || dara.StringValue(task.Body.TaskId) != "s_1" || dara.StringValue(task.Body.TaskErrorMessage) == "" {
		t.Errorf("the task is %s", dara.Prettify(task.Body))
	}
}

func TestFCQuestionsAndRefusalsByTheSDKOf3(t *testing.T) {
	t.Parallel()
	f := startFC(t, FCOptions{Throttle: 1})
	sts := AccessKey{ID: "sts", Secret: "s", Token: "right"}
	must(t, f.AddKey(sts))
	must(t, f.AddKey(AccessKey{ID: "old", Secret: "s", Token: "right", Expires: time.Now().Add(-time.Second)}))
	c := client3(t, f, sandboxKey)
	function, err := c.GetFunction(dara.String(FCEcho), &fc3.GetFunctionRequest{Qualifier: dara.String(DefaultFCAlias)})
	must(t, err)
	config, err := c.GetAsyncInvokeConfig(dara.String(FCEcho), &fc3.GetAsyncInvokeConfigRequest{})
	must(t, err)
	alias, err := c.GetAlias(dara.String(FCEcho), dara.String(DefaultFCAlias))
	must(t, err)
	functions, err := c.ListFunctions(&fc3.ListFunctionsRequest{Limit: dara.Int32(100)})
	must(t, err)
	if dara.StringValue(function.Body.FunctionName) != FCEcho || !dara.BoolValue(config.Body.AsyncTask) || dara.StringValue(alias.Body.VersionId) != "1" || len(functions.Body.Functions) != len(FCFunctions()) {
		t.Errorf("function %s, config %s, alias %s, functions %s", function, config, alias, functions)
	}
	invoke := func(key AccessKey, function, qualifier string, size int, headers fc3.InvokeFunctionHeaders) error {
		_, _, err := invoke3(client3(t, f, key), function, qualifier, make([]byte, size), headers)
		return err
	}
	sync := fc3.InvokeFunctionHeaders{}
	wantFC3(t, invoke(sandboxKey, "other", "", 1, sync), 404, "FunctionNotFound")
	wantFC3(t, invoke(sandboxKey, FCEcho, "7", 1, sync), 404, "VersionNotFound")
	wantFC3(t, invoke(sandboxKey, FCEcho, "a b", 1, sync), 404, "AliasNotFound")
	wantFC3(t, invoke(sandboxKey, FCEcho, "", FCAsyncLimit+1, async3("")), 413, "EntityTooLarge")
	wantFC3(t, invoke(sandboxKey, FCEcho, "", FCSyncLimit+1, sync), 413, "EntityTooLarge")
	must(t, invoke(sandboxKey, FCThrottled, "", 1, sync))
	wantFC3(t, invoke(sandboxKey, FCThrottled, "", 1, sync), 429, "ResourceExhausted")
	wantFC3(t, invoke(AccessKey{ID: "nobody", Secret: "s"}, FCEcho, "", 1, sync), 403, "InvalidAccessKeyID")
	wantFC3(t, invoke(AccessKey{ID: DefaultKey, Secret: "wrong"}, FCEcho, "", 1, sync), 403, "SignatureNotMatch")
	wantFC3(t, invoke(AccessKey{ID: "sts", Secret: "s", Token: "wrong"}, FCEcho, "", 1, sync), 403, "InvalidSecurityToken")
	wantFC3(t, invoke(AccessKey{ID: "old", Secret: "s", Token: "right"}, FCEcho, "", 1, sync), 403, "SecurityTokenExpired")
	must(t, invoke(sts, FCEcho, "", 1, sync))
	must(t, f.Faults.Set(Fault{Operation: "*", KeyPrefix: "ech", Rate: 1, Status: 503, Code: "ResourceThrottled"}))
	wantFC3(t, invoke(sandboxKey, FCEcho, "", 1, sync), 503, "ResourceThrottled")
}
