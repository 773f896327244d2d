package main

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
)

// TestAFailedFirstStartTellsThePassword: the user is made before the address turns out
// to be taken, and no later start tells the password again.
func TestAFailedFirstStartTellsThePassword(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := filepath.Join(t.TempDir(), "data")
	for start, want := range []bool{true, false} {
		var out, problems strings.Builder
		if code := run([]string{"serve", "--data-dir", dir, "--addr", taken.Addr().String()}, &out, &problems); code != 1 || !strings.Contains(problems.String(), taken.Addr().String()) {
			t.Fatalf("start %d: exit code %d: %s", start, code, problems.String())
		}
		if got := strings.Contains(out.String(), "user: admin\npassword: "); got != want {
			t.Errorf("start %d: password told: %v, want %v: %s", start, got, want, out.String())
		}
		if strings.Contains(problems.String(), "password") {
			t.Errorf("start %d: the log tells of it: %s", start, problems.String())
		}
	}
}
