package sandbox

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// helperEnv makes the test binary be a broker or an object store instead, which a test then kills.
const helperEnv = "SANDBOX_TEST_HELPER"

func TestMain(m *testing.M) {
	if part := os.Getenv(helperEnv); part != "" {
		if err := runHelper(part, os.Args[len(os.Args)-1]); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func runHelper(part, dir string) error {
	var addr string
	if part == "credentials-go" {
		return runCredentialsGo(dir)
	}
	if part == "odps" {
		o, err := StartODPS(context.Background(), ODPSOptions{Addr: "127.0.0.1:0", Dir: dir})
		if err != nil {
			return err
		}
		addr = o.TunnelURL()
	} else if part == "fc" {
		f, err := StartFC(context.Background(), FCOptions{Addr: "127.0.0.1:0", Dir: dir})
		if err != nil {
			return err
		}
		addr = f.URL()
	} else if part == "mysql" {
		m, err := StartMySQL(context.Background(), MySQLOptions{Addr: "127.0.0.1:0", Dir: dir, Program: os.Getenv("SLUICE_MARIADBD")})
		if err != nil {
			return err
		}
		addr = m.Addr()
	} else if part == "kafka" {
		k, err := StartKafka(context.Background(), KafkaOptions{Addr: "127.0.0.1:0", Dir: dir})
		if err != nil {
			return err
		}
		addr = k.Addr()
	} else {
		o, err := StartOSS(context.Background(), OSSOptions{Addr: "127.0.0.1:0", Dir: dir})
		if err != nil {
			return err
		}
		addr = o.URL()
	}
	fmt.Println("at:", addr)
	select {}
}

// startHelper starts a part in a process of its own, on dir, and returns its address and what kills it with SIGKILL.
func startHelper(t *testing.T, part, dir string) (addr string, kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0], dir)
	cmd.Env = append(os.Environ(), helperEnv+"="+part)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	dead := false
	kill = func() {
		if !dead {
			dead = true
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}
	t.Cleanup(kill)
	lines := bufio.NewScanner(out)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), "at: ") {
		kill()
		t.Fatalf("the helper said %q", lines.Text())
	}
	return strings.TrimPrefix(lines.Text(), "at: "), kill
}

// toAddr dials one address, whatever is asked for.
func toAddr(addr string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, addr)
	}
}

// eventually polls until check holds, or fails.
func eventually(t testing.TB, what string, check func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(20 * time.Second); !check(); {
		select {
		case <-deadline:
			t.Fatalf("%s: not within 20 s", what)
		case <-tick.C:
		}
	}
}
