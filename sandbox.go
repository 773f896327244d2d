package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/sluice-io/sluice/handlers/api"
	"github.com/sluice-io/sluice/handlers/console"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/runner/sandbox"
	"github.com/sluice-io/sluice/runner/settings"
)

// startSandbox starts the embedded broker and the stand-ins, or nothing.
func startSandbox(ctx context.Context, set *settings.Settings, log *slog.Logger) (*sandbox.Sandbox, error) {
	if !set.Sandbox {
		return nil, nil
	}
	at := set.SandboxParts
	box, err := sandbox.Start(ctx, sandbox.Options{DataDir: filepath.Join(set.DataDir, "sandbox"), KafkaAddr: at.Kafka, OSSAddr: at.OSS, FCAddr: at.FC, ODPSAddr: at.ODPS, STSAddr: at.STS,
		MySQLAddr: at.MySQL, MariaDB: set.MariaDB, SampleProducer: true, Logger: log})
	if err != nil {
		return nil, fmt.Errorf("starting the sandbox (SLUICE_SANDBOX_KAFKA_ADDR=%s, …_OSS_ADDR=%s, …_FC_ADDR=%s, …_ODPS_ADDR=%s, …_STS_ADDR=%s, …_MYSQL_ADDR=%s): %w",
			at.Kafka, at.OSS, at.FC, at.ODPS, at.STS, at.MySQL, err)
	}
	return box, nil
}

// trusted are the certificate authorities that connectors trust: the system's, and while the sandbox is on that of its
// STS stand-in. Nil is the system's alone.
func trusted(box *sandbox.Sandbox) (*x509.CertPool, error) {
	if box == nil {
		return nil, nil
	}
	return box.STS.Roots()
}

// sandboxPages shows the sandbox to the console, sandboxFaults gives REST its faults.
type (
	sandboxPages  struct{ box *sandbox.Sandbox }
	sandboxFaults struct{ box *sandbox.Sandbox }
)

var (
	_ console.Sandbox       = sandboxPages{}
	_ console.SandboxLatest = sandboxPages{}

	_ console.SandboxDatabases = sandboxPages{}
	_ api.SandboxFaults        = sandboxFaults{}
)

// Parts lists the servers.
func (p sandboxPages) Parts() []console.SandboxPart {
	var out []console.SandboxPart
	for _, a := range p.box.Addresses() {
		out = append(out, console.SandboxPart{Name: a.Part, Address: a.Address})
	}
	if p.box.MySQL == nil { // its card says why
		out = append(out, console.SandboxPart{Name: "mysql"})
	}
	return out
}

// Buckets lists the stand-in's buckets.
func (p sandboxPages) Buckets() []console.SandboxBucket {
	var out []console.SandboxBucket
	for _, b := range p.box.OSS.Buckets() {
		out = append(out, console.SandboxBucket{Name: b.Name, Objects: b.Objects, Bytes: b.Bytes})
	}
	return out
}

// Objects lists objects by name.
func (p sandboxPages) Objects(bucket, prefix, after string, limit int) ([]console.SandboxObject, bool, error) {
	list, more, err := p.box.OSS.Objects(bucket, prefix, after, limit)
	if err != nil {
		return nil, false, console.ErrSandboxNotFound
	}
	out := make([]console.SandboxObject, len(list))
	for i, o := range list {
		out[i] = console.SandboxObject(o)
	}
	return out, more, nil
}

// Latest lists what was stored last.
func (p sandboxPages) Latest(bucket string, limit int) ([]console.SandboxObject, error) {
	list, err := p.box.OSS.LatestObjects(bucket, limit)
	if err != nil {
		return nil, console.ErrSandboxNotFound
	}
	out := make([]console.SandboxObject, len(list))
	for i, o := range list {
		out[i] = console.SandboxObject(o)
	}
	return out, nil
}

// Content reads the beginning of an object.
func (p sandboxPages) Content(ctx context.Context, bucket, key string, limit int) (console.SandboxContent, error) {
	c, err := p.box.OSS.Preview(ctx, bucket, key, limit)
	if err != nil {
		return console.SandboxContent{}, fmt.Errorf("%w: %w", console.ErrSandboxNotFound, err)
	}
	return console.SandboxContent{SandboxObject: console.SandboxObject(c.Object), Data: c.Data, Compression: c.Compression, Truncated: c.Truncated, Text: c.Text, Problem: c.Problem}, nil
}

// Requests are the latest requests of a stand-in.
func (p sandboxPages) Requests(part string, limit int) []console.SandboxRequest {
	var out []console.SandboxRequest
	for _, r := range p.box.Requests(part, limit) {
		out = append(out, console.SandboxRequest{Time: r.Time, Method: r.Method, Operation: r.Operation, Bucket: r.Bucket, Key: r.Key, Status: r.Status, Code: r.Code, Fault: r.Fault, Bytes: r.Bytes, Took: r.Took})
	}
	return out
}

// Operations lists what faults may strike.
func (p sandboxPages) Operations(part string) []string { return sandbox.Operations(part) }

// Faults lists the faults in force.
func (p sandboxPages) Faults(part string) []console.SandboxFault {
	faults, ok := p.box.Faults(part)
	if !ok {
		return nil
	}
	var out []console.SandboxFault
	for _, f := range faults.List() {
		out = append(out, console.SandboxFault(f))
	}
	return out
}

// SetFaults replaces the faults, or says what is wrong with them and changes nothing.
func (p sandboxPages) SetFaults(part string, list []console.SandboxFault) []console.SandboxProblem {
	set, ok := p.box.Faults(part)
	if !ok {
		return []console.SandboxProblem{{Field: "part", Message: part + " has no faults."}}
	}
	var problems []console.SandboxProblem
	faults := make([]sandbox.Fault, len(list))
	for i, f := range list {
		faults[i] = sandbox.Fault(f)
		for _, e := range faults[i].Validate() {
			problems = append(problems, console.SandboxProblem{Fault: i, Field: e.Field, Message: e.Problem + "; " + e.Remedy})
		}
	}
	if len(problems) > 0 {
		return problems
	}
	if err := set.Set(faults...); err != nil {
		return []console.SandboxProblem{{Field: "operation", Message: err.Error()}}
	}
	return nil
}

// Faults lists a part's faults.
func (p sandboxFaults) Faults(part string) (any, error) {
	f, err := p.of(part)
	if err != nil {
		return nil, err
	}
	return f.List(), nil
}

// SetFaults replaces a part's faults by a JSON array.
func (p sandboxFaults) SetFaults(part string, body []byte) error {
	f, err := p.of(part)
	if err != nil {
		return err
	}
	faults, err := sandbox.ParseFaults(body)
	if err == nil {
		err = f.Set(faults...)
	}
	return faultProblem(err)
}

func (p sandboxFaults) of(part string) (*sandbox.Faults, error) {
	f, ok := p.box.Faults(part)
	if !ok {
		return nil, &control.Error{Kind: control.NotFound, Message: "The sandbox has no such part; there are " + strings.Join(sandbox.FaultParts(), ", ") + "."}
	}
	return f, nil
}

// faultProblem names the wrong fields of faults as REST answers them.
func faultProblem(err error) error {
	if err == nil {
		return nil
	}
	out := &control.Error{Kind: control.Invalid, Message: "The faults cannot be set."}
	var each interface{ Unwrap() []error }
	all := []error{err}
	if errors.As(err, &each) {
		all = each.Unwrap()
	}
	for _, e := range all {
		var fe sandbox.FieldError
		if errors.As(e, &fe) {
			out.Fields = append(out.Fields, connector.FieldError{Field: fe.Field, Message: fe.Problem + "; " + fe.Remedy})
		} else {
			out.Fields = append(out.Fields, connector.FieldError{Field: "faults", Message: e.Error()})
		}
	}
	return out
}
