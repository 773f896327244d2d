package harness

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// What the stand-in holds when it starts.
const (
	OSSBucket    = "sandbox-bucket"
	OSSKeyID     = "sandbox"
	OSSKeySecret = "sandbox"
)

// Fault tells the stand-in to misbehave; the fields are those of the sandbox's faults.
type Fault struct {
	Operation    string  `json:"operation,omitempty"`     // "PutObject"; empty: any
	KeyPrefix    string  `json:"key_prefix,omitempty"`    // object names that it strikes
	Rate         float64 `json:"rate,omitempty"`          // share of requests; 0: all
	Status       int     `json:"status,omitempty"`        // answered instead of acting
	Code         string  `json:"code,omitempty"`          // the service's error code
	AfterStoring bool    `json:"after_storing,omitempty"` // Status is answered after acting
	LatencyMS    int     `json:"latency_ms,omitempty"`
	Cut          string  `json:"cut,omitempty"` // "before" or "after" acting
	SkewSeconds  int     `json:"skew_seconds,omitempty"`
	Max          int     `json:"max,omitempty"` // requests to strike; 0: no limit
}

// Standin is the stand-in of a service, of OSS if nothing else is said, as a process of its own.
type Standin struct {
	t       T
	part    string
	bin     string
	args    []string
	dir     string
	log     string
	proc    *Process
	runs    int
	URL     string // of the service
	control string

	keyID, keySecret string
}

// StartStandin starts the stand-in of OSS with its objects in a folder of the test's own.
func (s *Suite) StartStandin(t T) *Standin {
	t.Helper()
	return s.StartService(t, "oss")
}

// StartDiscardingStandin starts one that checks requests and keeps only their count and size.
func (s *Suite) StartDiscardingStandin(t T) *Standin {
	t.Helper()
	return s.StartService(t, "oss", "-discard")
}

// StartService starts the stand-in of any service ("oss", "fc", "odps", "sts"), keeping what it is given in a folder
// of the test's own. args are further arguments of e2e/standin.
func (s *Suite) StartService(t T, part string, args ...string) *Standin {
	t.Helper()
	o := s.prepareService(t, part, args...)
	o.Start()
	return o
}

// prepareService makes one of several parts in one process ("fc,sts"), of which it is the first, without starting it.
func (s *Suite) prepareService(t T, parts string, args ...string) *Standin {
	t.Helper()
	port, err := FreePort()
	if err != nil {
		t.Fatalf("%v", err)
	}
	part, _, several := strings.Cut(parts, ",")
	o := &Standin{t: t, part: part, keyID: OSSKeyID, keySecret: OSSKeySecret, bin: s.build(t, "./e2e/standin", "standin"), log: t.TempDir(),
		dir: filepath.Join(t.TempDir(), part)}
	// The address is chosen here so that a restarted stand-in has the same one.
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	if several {
		addr += ",127.0.0.1:0"
	}
	o.args = append([]string{"-addr", addr, "-control", "127.0.0.1:0", "-dir", o.dir}, args...)
	if parts != "oss" {
		o.args = append(o.args, "-part", parts)
	}
	return o
}

// Start starts it, again after Kill.
func (o *Standin) Start() {
	o.t.Helper()
	o.runs++
	var err error
	o.proc, err = Start(Command{
		Name: o.part + " stand-in", Path: o.bin, Args: append(o.args[:len(o.args):len(o.args)], "-key", o.keyID+":"+o.keySecret), Env: cleanEnv(nil),
		Log: filepath.Join(o.log, fmt.Sprintf("standin%d.log", o.runs)), Dir: os.TempDir(),
	})
	if err != nil {
		o.t.Fatalf("%v", err)
	}
	tend(o.t, o.proc)
	Eventually(o.t, 20*time.Second, "the "+o.part+" stand-in prints its addresses", func() (bool, string) {
		url, hasURL := o.proc.Line(o.part + ": ")
		control, hasControl := o.proc.Line("control: ")
		o.URL, o.control = url, strings.TrimRight(control, "/")
		return hasURL && hasControl, o.proc.Tail(5)
	})
}

// For is the same stand-in, reporting to another test.
func (o *Standin) For(t T) *Standin {
	other := *o
	other.t = t
	return &other
}

// Kill ends it at once: connections are refused from now on, objects stay.
func (o *Standin) Kill() {
	o.t.Helper()
	if err := o.proc.Kill9(); err != nil {
		o.t.Fatalf("%v", err)
	}
}

// Freeze stops it with SIGSTOP: connections are taken by the kernel and nothing answers.
func (o *Standin) Freeze() { o.signal(syscall.SIGSTOP) }

// Thaw lets it go on.
func (o *Standin) Thaw() { o.signal(syscall.SIGCONT) }

func (o *Standin) signal(s syscall.Signal) {
	o.t.Helper()
	if err := o.proc.Signal(s); err != nil {
		o.t.Fatalf("%v", err)
	}
}

// SetKey makes it know only this access key from its next start on.
func (o *Standin) SetKey(id, secret string) {
	o.keyID, o.keySecret = id, secret
}

// PID is the process's number.
func (o *Standin) PID() int { return o.proc.PID() }

// SetFaults replaces the faults; none ends them.
func (o *Standin) SetFaults(faults ...Fault) {
	o.t.Helper()
	o.setFaults("", faults)
}

// setFaults replaces the faults of the part that query names, of the first where it is empty.
func (o *Standin) setFaults(query string, faults []Fault) {
	o.t.Helper()
	if faults == nil {
		faults = []Fault{}
	}
	body, err := json.Marshal(faults)
	if err != nil {
		o.t.Fatalf("encoding faults: %v", err)
	}
	if _, err := o.ask(http.MethodPost, "/__faults"+query, body); err != nil {
		o.t.Fatalf("setting faults: %v", err)
	}
}

// StandinStats are the stand-in's counters since its start.
type StandinStats struct {
	Requests int64 `json:"requests"`
	BytesIn  int64 `json:"bytes_in"` // of requests' bodies
}

// Stats reads the stand-in's counters.
func (o *Standin) Stats() StandinStats {
	o.t.Helper()
	var stats StandinStats
	o.read("/__stats", &stats)
	return stats
}

// read asks the control address for something in JSON.
func (o *Standin) read(path string, into any) {
	o.t.Helper()
	answer, err := o.ask(http.MethodGet, path, nil)
	if err == nil {
		err = json.Unmarshal(answer, into)
	}
	if err != nil {
		o.t.Fatalf("reading %s of the %s stand-in: %v: %s", path, o.part, err, answer)
	}
}

// Control sends a request to the control address (e2e/standin's control.go says what it takes) and returns the answer.
func (o *Standin) Control(method, path string) []byte {
	o.t.Helper()
	answer, err := o.ask(method, path, nil)
	if err != nil {
		o.t.Fatalf("%s %s of the %s stand-in: %v", method, path, o.part, err)
	}
	return answer
}

// Ask sends a request to the control address, such as GET /__invocations, and returns the answer's body.
func (o *Standin) Ask(method, path string) []byte {
	o.t.Helper()
	answer, err := o.ask(method, path, nil)
	if err != nil {
		o.t.Fatalf("%s %s of the %s stand-in: %v", method, path, o.part, err)
	}
	return answer
}

func (o *Standin) ask(method, path string, body []byte) ([]byte, error) {
	req, err := http.NewRequest(method, o.control+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	client := http.Client{Timeout: time.Minute}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("%s: %s", resp.Status, answer)
	}
	return answer, err
}
