package maxcompute

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sluice-io/sluice/runner/aliyun"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/egress"
)

// What an answer says about a session or partition, which is no cause: who asked looks
// at it.
var (
	// errConflict: the session is not in a state for what was asked of it.
	errConflict = errors.New("the upload session is in another state")
	// errNoSession: the service does not know the session.
	errNoSession = errors.New("the upload session is not known")
	// errNoPartition: the table has no such partition.
	errNoPartition = errors.New("the table has no such partition")
	// errModified: table or partition were changed since the session was opened; it can
	// never be committed.
	errModified = errors.New("the table was changed since the upload session was opened")
)

// sessionCodes are codes that are no cause.
var sessionCodes = map[string]error{
	"StatusConflict": errConflict, "InvalidStatusChange": errConflict, "InConsistentBlockList": errConflict,
	"NoSuchUpload": errNoSession, "NoSuchPartition": errNoPartition,
	"TableModified": errModified, "ObjectModified": errModified,
}

// permission is the remedy of a right that is missing.
const permission = "Grant the access key's user CreateInstance on the project, and Describe, Select, Alter and Update on the table. A project's IP allow list refuses like this too."

// createTable stands in remedies for the statement that makes the table.
const createTable = "<CREATE TABLE>"

// wrongCodes are codes of which the configuration is the cause, with the field to look at
// and the remedy. Codes that are not here are told by their status.
var wrongCodes = map[string]struct{ field, remedy string }{
	"NoSuchProject":        {keyProject, "Correct " + keyProject + " and " + keyEndpoint + " (a project is only found at its own region's endpoint)."},
	"NoSuchTable":          {keyTable, "Create the table, or correct " + keyTable + ", " + keySchema + " and " + keyProject + ". What fits: " + createTable},
	"InvalidProjectTable":  {keyTable, "Correct " + keyProject + " and " + keyTable + "."},
	"NoSuchSchema":         {keySchema, "Correct " + keySchema + "."},
	"MissingPartitionSpec": {keyTable, "The table must be partitioned by pt STRING. What fits: " + createTable},
	"InvalidPartitionSpec": {keyTable, "The table must be partitioned by pt STRING and nothing else. What fits: " + createTable},
	"InvalidResourceSpec":  {keyTable, "The upload session is of another table; correct " + keyProject + ", " + keySchema + " and " + keyTable + "."},
	"NoPermission":         {aliyun.KeyAccessKeyID, permission},
	"AccessDenied":         {aliyun.KeyAccessKeyID, permission},
	"Unauthorized":         {aliyun.KeyAccessKeyID, "The access key, its secret or its token is wrong or has expired; give other credentials."},
	"ODPS-0410051":         {aliyun.KeyAccessKeyID, "The access key does not exist, is disabled, or its token has expired; give another."},
	"ODPS-0410042":         {aliyun.KeyAccessSecret, "The access key's secret is wrong; give the pair anew."},
	"ODPS-0420095":         {aliyun.KeyAccessKeyID, permission},
	"ODPS-0130013":         {aliyun.KeyAccessKeyID, permission},
	"MalformedDataStream":  {keyTable, "The rows do not fit the table's columns; look whether the table was changed, then restart the connector."},
	"InvalidColumnSpec":    {keyTable, "The table's columns were changed; restart the connector."},
	"ODPS-0130131":         {keyTable, "Create the table, or correct " + keyTable + ", " + keySchema + " and " + keyProject + ". What fits: " + createTable},
}

// awayCodes are codes with a 4xx status that pass by themselves.
var awayCodes = map[string]bool{
	"FlowExceeded": true, "SlotExceeded": true, "QuotaExceeded": true, "RequestTimeOut": true, "RequestTimeout": true, "IncompleteBody": true, "CorruptedDataStream": true,
	"InvalidDigest": true, "DataUnderReplication": true, "DataVersionConflict": true, "InternalServerError": true, "ServiceUnavailable": true, "InstanceNotTerminated": true,
}

// skewCode is the REST half's answer to a date that is too far from its clock.
const skewCode = "ODPS-0410031"

const (
	// skewAllowed is how far clocks may be apart.
	skewAllowed = 15 * time.Minute
	// skewLimit is how many answers in a row may say that the clocks differ before it
	// counts as a wrong set-up rather than a passing one.
	skewLimit = 5
)

// tokenPatience is how long temporary credentials that were issued anew may be refused,
// until that counts as a wrong set-up: what is issued takes a moment to be known.
const tokenPatience = time.Minute

// classifier turns answers into the contract's error types.
type classifier struct {
	endpoint string
	place    string // project.table
	create   string // the CREATE TABLE that fits; "" where only names are asked for
	identity aliyun.Identity
	skewed   atomic.Int32
	// refused is since when temporary credentials are refused without a success between,
	// in Unix nanoseconds; 0: they are not.
	refused atomic.Int64
}

// succeeded forgets what was in a row.
func (k *classifier) succeeded() {
	k.skewed.Store(0)
	k.refused.Store(0)
}

// refusing is for how long temporary credentials have been refused.
func (k *classifier) refusing() time.Duration {
	now := time.Now()
	if k.refused.CompareAndSwap(0, now.UnixNano()) {
		return 0
	}
	return now.Sub(time.Unix(0, k.refused.Load()))
}

func (k *classifier) away(err error) error {
	a := &connector.AwayError{System: k.system(), Err: err}
	var se *serviceError
	if errors.As(err, &se) {
		a.Brief = se.brief(k.endpoint)
	}
	return a
}

func (k *classifier) system() string { return "MaxCompute endpoint " + k.endpoint }

// classify gives every error a cause, or one of the session's errors; doing says what was
// being done.
func (k *classifier) classify(doing string, err error) error {
	if err == nil {
		k.succeeded()
		return nil
	}
	var r *egress.Refused
	if errors.As(err, &r) {
		return &connector.WrongError{Field: keyEndpoint, Brief: r.Error(), Err: fmt.Errorf("%s: %w", doing, err), Remedy: r.Remedy}
	}
	full := fmt.Errorf("%s: %w", doing, err)
	var se *serviceError
	if !errors.As(err, &se) {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err
		}
		return &connector.AwayError{System: k.system(), Brief: k.system() + " is away: " + err.Error(), Err: full}
	}
	if special := sessionCodes[se.code]; special != nil {
		return fmt.Errorf("%s: %w: %w", doing, special, se)
	}
	return k.answered(se, full)
}

func (k *classifier) answered(se *serviceError, full error) error {
	brief := se.brief(k.endpoint)
	away := &connector.AwayError{System: k.system(), After: se.after, Brief: brief, Err: full}
	if se.code == skewCode || se.credentials() && se.skew.Abs() >= skewAllowed {
		if k.skewed.Add(1) <= skewLimit {
			return away
		}
		return &connector.WrongError{Brief: brief, Err: full, Remedy: "The clock of this machine differs from MaxCompute's by more than 15 minutes; set it (NTP)."}
	}
	k.skewed.Store(0)
	switch {
	case se.status >= 500, awayCodes[se.code], strings.HasSuffix(se.code, "Exceeded") && se.status == http.StatusTooManyRequests,
		se.status == http.StatusTooManyRequests, se.status == http.StatusRequestTimeout, se.status == http.StatusPermanentRedirect:
		return away
	case k.identity.Temporary && se.credentials() && k.refusing() < tokenPatience:
		return away
	}
	field, remedy := k.remedy(se)
	return &connector.WrongError{Field: field, Remedy: remedy, Brief: "table " + k.place + ": " + brief, Err: full}
}

// brief says what happened without the names of sessions and requests.
func (e *serviceError) brief(endpoint string) string {
	if e.code == "" {
		return fmt.Sprintf("MaxCompute endpoint %s answered %d %s", endpoint, e.status, http.StatusText(e.status))
	}
	text := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(e.message), e.code+":")) // the REST half says it twice
	return fmt.Sprintf("MaxCompute answered %d %s: %s", e.status, e.code, text)
}

// remedy is what to do about an answer of which the configuration is the cause.
func (k *classifier) remedy(e *serviceError) (field, remedy string) {
	if k.identity.Temporary {
		switch {
		case e.credentials():
			return aliyun.KeyAuth, "MaxCompute refuses what was issued for " + k.identity.Who + "; correct " + aliyun.KeySTSEndpoint + ", which must be of the same cloud as " + keyEndpoint + "."
		case wrongCodes[e.code].remedy == permission, e.code == "" && e.status == http.StatusForbidden:
			return k.identity.Field, strings.Replace(permission, "the access key's user", k.identity.Who, 1)
		}
	}
	if w, ok := wrongCodes[e.code]; ok {
		if k.create == "" {
			return w.field, strings.TrimSuffix(w.remedy, " What fits: "+createTable)
		}
		return w.field, strings.Replace(w.remedy, createTable, k.create, 1)
	}
	switch {
	case e.status >= 300 && e.status < 400:
		return keyEndpoint, "The service is at another endpoint; correct " + keyEndpoint + ". Redirects are not followed."
	case e.status == http.StatusUnauthorized || e.credentials():
		return aliyun.KeyAccessKeyID, wrongCodes["Unauthorized"].remedy
	case e.status == http.StatusForbidden:
		return aliyun.KeyAccessKeyID, wrongCodes["NoPermission"].remedy
	case e.code == "":
		return keyEndpoint, "What answers there is not MaxCompute; correct " + keyEndpoint + "."
	}
	return "", "MaxCompute refuses the request (" + e.code + "); correct the destination's settings."
}
