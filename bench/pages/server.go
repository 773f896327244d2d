package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-io/sluice/e2e/harness"
)

const (
	// askLimit is how long it may take until every instance was asked once.
	askLimit  = 2 * time.Minute
	askEvery  = 2 * time.Second
	liveLimit = time.Minute
)

// listenSilently accepts connections and says nothing on them, as a host behind a wrong firewall rule does.
func listenSilently() (net.Listener, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for the silent instances: %w", err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // closed
			}
			go func() {
				defer c.Close()
				_, _ = io.Copy(io.Discard, c) // ends when the other side has had enough
			}()
		}
	}()
	return l, nil
}

// startServer starts the binary on the filled folder. Nothing that was filled in is ever too old for it.
func startServer(m *harness.Main, suite *harness.Suite, o options, sandbox bool) *harness.Sluice {
	env := map[string]string{"SLUICE_LOG_RETENTION": "3650d,1TiB"}
	if sandbox {
		env["SLUICE_SANDBOX"] = "on"
		for _, part := range []string{"KAFKA", "OSS", "FC", "ODPS", "STS"} {
			env["SLUICE_SANDBOX_"+part+"_ADDR"] = "127.0.0.1:0"
		}
	}
	return suite.StartSluice(m, harness.SluiceOptions{DataDir: o.dir, Env: env})
}

// watchIdle starts the server without the sandbox and tells how long that took, when every instance had
// been asked once, and what the process takes when nobody asks for a page.
func watchIdle(m *harness.Main, suite *harness.Suite, o options, out io.Writer) {
	server := startServer(m, suite, o, false)
	defer server.Stop()
	fmt.Fprintf(out, "Ready %s after the start.\n", time.Since(server.Started).Round(10*time.Millisecond))
	before := mustCPU(m, server.PID())
	for left := unasked(m, server); left > 0; left = unasked(m, server) {
		if time.Since(server.Started) > askLimit {
			m.Fatalf("%d instances are not asked %s after the start", left, askLimit)
		}
		harness.Pause(askEvery)
	}
	fmt.Fprintf(out, "Every instance asked once %s after the start, which took %.2f s of processor time.\n", time.Since(server.Started).Round(100*time.Millisecond), mustCPU(m, server.PID())-before)
	if o.idle <= 0 {
		return
	}
	harness.Pause(2 * time.Second)
	before = mustCPU(m, server.PID())
	harness.Pause(o.idle)
	used := mustCPU(m, server.PID()) - before
	resident, err := residentMemory(server.PID())
	if err != nil {
		m.Fatalf("%v", err)
	}
	fmt.Fprintf(out, "Idle for %s: %.1f %% of one core, %s resident.\n\n", o.idle, 100*used/o.idle.Seconds(), mib(resident))
}

func mustCPU(m *harness.Main, pid int) float64 {
	s, err := harness.CPUSeconds(pid)
	if err != nil {
		m.Fatalf("%v", err)
	}
	return s
}

// residentMemory is a process's present resident size in bytes (VmRSS of proc(5)).
func residentMemory(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("reading resident memory: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("no VmRSS in the status of process %d", pid)
}

// unasked counts instances whose cluster nobody has asked since the start.
func unasked(m *harness.Main, server *harness.Sluice) int {
	var page struct {
		Instances []struct {
			Status string `json:"status"`
		} `json:"instances"`
	}
	n, all := 0, "/api/v1/instances?limit=1000"
	server.Must(http.StatusOK, http.MethodGet, all, nil, &page)
	if len(page.Instances) == 0 {
		m.Fatalf("%s lists no instances", all)
	}
	for _, in := range page.Instances {
		if in.Status == "UNKNOWN" {
			n++
		}
	}
	return n
}

// The connector that runs: 24 partitions of the embedded broker to the sandbox's bucket.
const (
	liveInstance = "sandbox"
	liveTopic    = "bench-input"
	liveName     = "bench-live"
)

// startLive makes a connector on the embedded broker run, again at every run since the addresses change.
func startLive(m *harness.Main, server *harness.Sluice) string {
	oss := ""
	for line := range strings.Lines(server.Log()) {
		if rest, ok := strings.CutPrefix(line, "sandbox oss: "); ok {
			oss = strings.TrimSpace(rest)
		}
	}
	if oss == "" {
		m.Fatalf("the server does not tell the address of the sandbox's OSS:\n%s", server.Log())
	}
	harness.Eventually(m, liveLimit, "the embedded broker answers", func() (bool, string) {
		a, err := server.Call(http.MethodGet, "/api/v1/instances/"+liveInstance+"/topics", nil)
		return err == nil && a.Status == http.StatusOK, fmt.Sprint(a.Status, err)
	})
	if a, err := server.Call(http.MethodPost, "/api/v1/instances/"+liveInstance+"/enable", nil); err != nil || a.Status != http.StatusOK {
		m.Fatalf("enabling the instance: %v, %d %s", err, a.Status, a.Body)
	}
	a, err := server.Call(http.MethodPost, "/api/v1/instances/"+liveInstance+"/topics", map[string]any{"name": liveTopic, "partitions": 24})
	if err != nil || a.Status >= 300 && a.Status != http.StatusConflict {
		m.Fatalf("creating a topic: %v, %d %s", err, a.Status, a.Body)
	}
	config := map[string]string{"connector.class": "KAFKA2OSS", "topics": liveTopic, "tasks.max": fmt.Sprint(taskMax), "oss.endpoint": oss, "oss.bucket": "sandbox-bucket",
		"aliyun.access.key.id": "sandbox", "aliyun.access.key.secret": "sandbox"}
	path := "/connect/" + liveInstance + "/connectors/" + liveName
	if a, err = server.Call(http.MethodPut, path+"/config", config); err != nil || a.Status >= 300 {
		m.Fatalf("making the connector that runs: %v, %d %s", err, a.Status, a.Body)
	}
	harness.Eventually(m, liveLimit, "the connector runs", func() (bool, string) {
		a, err := server.Call(http.MethodGet, path+"/status", nil)
		var st harness.Status
		if err == nil {
			err = json.Unmarshal(a.Body, &st)
		}
		return err == nil && st.Connector.Detail.State == "RUNNING" && len(st.Tasks) == taskMax, fmt.Sprint(err, string(a.Body))
	})
	return liveName
}

// profileCPU fetches a CPU profile in the background; the channel answers when it is written, or at once
// when none is wanted.
func profileCPU(folder, metrics string, during time.Duration) <-chan error {
	done := make(chan error, 1)
	if folder == "" {
		done <- nil
		return done
	}
	go func() {
		done <- func() error {
			resp, err := http.Get(fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", metrics, int(during.Seconds())))
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			if err := os.MkdirAll(folder, 0o755); err != nil {
				return err
			}
			f, err := os.Create(filepath.Join(folder, "pages.pprof"))
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = io.Copy(f, resp.Body)
			return err
		}()
	}()
	return done
}
