package sandbox

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestOSSJudge lets Alibaba Cloud's Python SDK judge the stand-in. SLUICE_PY is a Python that has oss2.
func TestOSSJudge(t *testing.T) {
	t.Parallel()
	python := os.Getenv("SLUICE_PY")
	if python == "" {
		if os.Getenv("SLUICE_REQUIRE_JUDGES") == "1" {
			t.Fatal("SLUICE_PY is not set: give the path of a Python that has oss2")
		}
		t.Skip("SLUICE_PY is not set: no Python with oss2 to judge by")
	}
	o := startOSS(t, OSSOptions{})
	must(t, o.AddKey(AccessKey{ID: "STS.judge", Secret: "s", Token: "a+token/=", Expires: time.Now().Add(time.Hour)}))
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, python, "testdata/oss2_judge.py", o.URL(), DefaultBucket, DefaultKey, DefaultKey, "STS.judge", "s", "a+token/=").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "agreed") {
		t.Errorf("the judge disagrees: %v\n%s", err, out)
	}
}
