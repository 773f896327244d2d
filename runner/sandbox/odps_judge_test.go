package sandbox

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestODPSJudge lets Alibaba Cloud's Python SDK judge the stand-in. SLUICE_PY is a Python that has pyodps.
func TestODPSJudge(t *testing.T) {
	t.Parallel()
	python, required := os.Getenv("SLUICE_PY"), os.Getenv("SLUICE_REQUIRE_JUDGES") == "1"
	if python == "" {
		if required {
			t.Fatal("SLUICE_PY is not set: give the path of a Python that has pyodps")
		}
		t.Skip("SLUICE_PY is not set: no Python with pyodps to judge by")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, python, "-c", "import odps").CombinedOutput(); err != nil && !required {
		t.Skipf("%s has no pyodps: %s", python, out)
	}
	o := startODPS(t, ODPSOptions{})
	must(t, o.AddKey(AccessKey{ID: "STS.judge", Secret: "s", Token: "a+token/=", Expires: time.Now().Add(time.Hour)}))
	out, err := exec.CommandContext(ctx, python, "testdata/pyodps_judge.py", o.URL(), DefaultODPSProject, DefaultKey, DefaultKey, "STS.judge", "s", "a+token/=").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "agreed") {
		t.Errorf("the judge disagrees: %v\n%s", err, out)
		for _, r := range o.Requests(5) {
			t.Logf("%s %s %d %s", r.Method, r.Operation, r.Status, r.Code)
		}
	}
}
