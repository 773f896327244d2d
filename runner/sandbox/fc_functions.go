package sandbox

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// FCFunctions lists the names of the functions that there are.
func FCFunctions() []string {
	return []string{FCEcho, FCFails, FCSlow, FCThrottled, FCPoison, FCStateless}
}

const (
	fcLatest  = "LATEST"
	fcPublish = "1" // the one published version
	fcMade    = "2024-01-01T00:00:00Z"
	// fcTimeout is the time limit of the functions, in seconds: as long as the service allows.
	fcTimeout = 86400
)

func fcDescription(name string) string {
	switch name {
	case FCEcho:
		return "Answers with the event"
	case FCFails:
		return "Fails for every event"
	case FCSlow:
		return "Answers with the event after a while"
	case FCThrottled:
		return "Answers with the event, a few times a second"
	case FCPoison:
		return "Fails for an event that contains a certain word"
	case FCStateless:
		return "Answers with the event; has no stateful asynchronous invocation"
	}
	return ""
}

// fcBucket lets so many through a second, and at most as many at once.
type fcBucket struct {
	perSecond float64

	mu     sync.Mutex
	tokens float64
	last   time.Time
}

func (b *fcBucket) take() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if burst := max(b.perSecond, 1); b.last.IsZero() {
		b.tokens = burst
	} else {
		b.tokens = min(burst, b.tokens+now.Sub(b.last).Seconds()*b.perSecond)
	}
	b.last = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// checkService tells what is wrong with the service of a request and its qualifier.
func (q *fcRequest) checkService() *fcError {
	if !q.v3 && q.service != DefaultFCService {
		return fcErr(http.StatusNotFound, "ServiceNotFound", "service '%s' does not exist", clip(q.service, 128))
	}
	return nil
}

// checkFunction tells what is wrong with service, function and qualifier of a request.
func (q *fcRequest) checkFunction() *fcError {
	if ferr := q.checkService(); ferr != nil {
		return ferr
	}
	if !slices.Contains(FCFunctions(), q.function) {
		if q.v3 {
			return fcErr(http.StatusNotFound, "FunctionNotFound", "function '%s' does not exist", clip(q.function, 128))
		}
		return fcErr(http.StatusNotFound, "FunctionNotFound", "function '%s' does not exist in service '%s'", clip(q.function, 128), q.service)
	}
	_, ferr := q.version(q.qualifier)
	return ferr
}

// version resolves a qualifier to a version: LATEST or a number.
func (q *fcRequest) version(qualifier string) (string, *fcError) {
	owner := "service '" + q.service + "'"
	if q.v3 {
		owner = "function '" + q.function + "'"
	}
	switch {
	case qualifier == "" || qualifier == fcLatest:
		return fcLatest, nil
	case qualifier == fcPublish || qualifier == DefaultFCAlias:
		return fcPublish, nil
	case strings.Trim(qualifier, "0123456789") == "":
		return "", fcErr(http.StatusNotFound, "VersionNotFound", "version '%s' of %s does not exist", clip(qualifier, 128), owner)
	}
	return "", fcErr(http.StatusNotFound, "AliasNotFound", "alias '%s' of %s does not exist", clip(qualifier, 128), owner)
}

func (q *fcRequest) functionDoc(name string) map[string]any {
	doc := map[string]any{
		"functionId": "sandbox-" + name, "functionName": name, "description": fcDescription(name), "runtime": "custom", "handler": "index.handler",
		"timeout": fcTimeout, "memorySize": 128, "codeSize": 0, "codeChecksum": "0", "createdTime": fcMade, "lastModifiedTime": fcMade,
		"environmentVariables": map[string]string{}, "instanceConcurrency": 100, "layers": []any{},
	}
	if q.v3 {
		doc["functionArn"] = fcArn(name)
		doc["cpu"], doc["diskSize"], doc["internetAccess"], doc["tags"] = 0.05, 512, true, []any{}
		doc["state"], doc["lastUpdateStatus"] = "Active", "Successful"
	} else {
		doc["instanceType"], doc["initializationTimeout"] = "e1", 3
	}
	return doc
}

func fcArn(name string) string { return "acs:fc:self-hosted:0:functions/" + name }

func (f *FC) getFunction(q *fcRequest) *fcError {
	if ferr := q.checkFunction(); ferr != nil {
		return ferr
	}
	return q.writeJSON(q.functionDoc(q.function))
}

// page cuts a sorted list of names as prefix, startKey, nextToken and limit of a request say.
func (q *fcRequest) page(names []string) (page []string, next string, _ *fcError) {
	names = slices.Clone(names)
	slices.Sort(names)
	limit := 100
	if given := q.query.Get("limit"); given != "" {
		n, err := strconv.Atoi(given)
		if err != nil || n < 1 || n > 100 {
			return nil, "", errFCArgument("limit is not 1 to 100")
		}
		limit = n
	}
	start := max(q.query.Get("startKey"), q.query.Get("nextToken"))
	for _, name := range names {
		if !strings.HasPrefix(name, q.query.Get("prefix")) || name < start {
			continue
		}
		if len(page) == limit {
			return page, name, nil
		}
		page = append(page, name)
	}
	return page, "", nil
}

// writePage answers with a page of documents under a name.
func (q *fcRequest) writePage(noun string, names []string, doc func(string) map[string]any) *fcError {
	page, next, ferr := q.page(names)
	if ferr != nil {
		return ferr
	}
	list := make([]any, len(page))
	for i, name := range page {
		list[i] = doc(name)
	}
	out := map[string]any{noun: list}
	if next != "" {
		out["nextToken"] = next
	}
	return q.writeJSON(out)
}

func (f *FC) listFunctions(q *fcRequest) *fcError {
	if ferr := q.checkService(); ferr != nil {
		return ferr
	}
	if _, ferr := q.version(q.qualifier); ferr != nil && !q.v3 {
		return ferr
	}
	return q.writePage("functions", FCFunctions(), q.functionDoc)
}

func fcServiceDoc(name string) map[string]any {
	return map[string]any{"serviceId": "sandbox-service", "serviceName": name, "description": "The functions of the sandbox", "role": "", "internetAccess": true,
		"createdTime": fcMade, "lastModifiedTime": fcMade, "logConfig": map[string]string{"project": "", "logstore": ""}}
}

func (f *FC) getService(q *fcRequest) *fcError {
	if ferr := q.checkService(); ferr != nil {
		return ferr
	}
	if _, ferr := q.version(q.qualifier); ferr != nil {
		return ferr
	}
	return q.writeJSON(fcServiceDoc(q.service))
}

func (f *FC) listServices(q *fcRequest) *fcError {
	return q.writePage("services", []string{DefaultFCService}, fcServiceDoc)
}

func (f *FC) getAsyncConfig(q *fcRequest) *fcError {
	if ferr := q.checkFunction(); ferr != nil {
		return ferr
	}
	if q.function == FCStateless {
		return fcErr(http.StatusNotFound, "AsyncConfigNotExists", "async config of function '%s' does not exist", q.function)
	}
	doc := map[string]any{"createdTime": fcMade, "lastModifiedTime": fcMade, "destinationConfig": map[string]any{},
		"maxAsyncEventAgeInSeconds": 86400, "maxAsyncRetryAttempts": 0}
	if q.v3 {
		doc["asyncTask"], doc["functionArn"] = true, fcArn(q.function)
	} else {
		doc["statefulInvocation"], doc["service"], doc["function"], doc["qualifier"] = true, q.service, q.function, q.qualifier
	}
	return q.writeJSON(doc)
}

// checkOwner tells whether what has versions and aliases is there: a service in 2.0, a function in 3.0.
func (q *fcRequest) checkOwner() *fcError {
	if q.v3 {
		return q.checkFunction()
	}
	return q.checkService()
}

func fcAliasDoc(name string) map[string]any {
	return map[string]any{"aliasName": name, "versionId": fcPublish, "description": "Version " + fcPublish, "additionalVersionWeight": map[string]float64{},
		"createdTime": fcMade, "lastModifiedTime": fcMade}
}

func (f *FC) getAlias(q *fcRequest) *fcError {
	if ferr := q.checkOwner(); ferr != nil {
		return ferr
	}
	if q.name != DefaultFCAlias {
		return fcErr(http.StatusNotFound, "AliasNotFound", "alias '%s' does not exist", clip(q.name, 128))
	}
	return q.writeJSON(fcAliasDoc(q.name))
}

func (f *FC) listAliases(q *fcRequest) *fcError {
	if ferr := q.checkOwner(); ferr != nil {
		return ferr
	}
	return q.writePage("aliases", []string{DefaultFCAlias}, fcAliasDoc)
}

func (f *FC) listVersions(q *fcRequest) *fcError {
	if ferr := q.checkOwner(); ferr != nil {
		return ferr
	}
	return q.writePage("versions", []string{fcPublish}, func(version string) map[string]any {
		return map[string]any{"versionId": version, "description": "", "createdTime": fcMade, "lastModifiedTime": fcMade}
	})
}
