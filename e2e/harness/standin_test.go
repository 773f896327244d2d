//go:build e2e

package harness

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"
)

// TestStandin proves the other half of the test bed: objects survive a kill, faults strike and end, keys
// change, and the vendor's Python SDK reads what the Go SDK wrote.
func TestStandin(t *testing.T) {
	t.Parallel()
	suite := NewSuite("standin")
	t.Cleanup(suite.Close)
	o := suite.StartStandin(t)
	put := func(key string) error {
		bucket, err := o.Bucket(OSSBucket)
		if err != nil {
			return err
		}
		return bucket.PutObject(key, strings.NewReader("content of "+key))
	}
	if err := put("a/1"); err != nil {
		t.Fatalf("put: %v", err)
	}
	o.SetFaults(Fault{Operation: "PutObject", Status: 503, Code: "ServiceUnavailable"})
	if err := put("a/2"); err == nil {
		t.Error("a fault did not strike")
	} else if s, ok := err.(oss.ServiceError); !ok || s.StatusCode != 503 {
		t.Errorf("a fault gave %v, want a 503", err)
	}
	o.SetFaults(Fault{Operation: "PutObject", Cut: "after"})
	if err := put("a/3"); err == nil {
		t.Error("a cut connection gave no error")
	}
	o.SetFaults()
	if o.Stats().Requests == 0 {
		t.Error("no request was counted")
	}
	o.Kill()
	o.SetKey("other", "other-secret")
	o.Start()
	objects := o.Objects("a/")
	if len(objects) != 2 || objects[0].Key != "a/1" || objects[1].Key != "a/3" ||
		!bytes.Equal(objects[1].Content, []byte("content of a/3")) {
		t.Errorf("objects after a kill: %+v", objects)
	}
	client, err := oss.New(o.URL, OSSKeyID, OSSKeySecret)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.ListBuckets(); err == nil {
		t.Error("the old key is still accepted")
	}
	readByOSS2(t, o)
}

// readByOSS2 lists and reads the bucket with the Python SDK.
func readByOSS2(t *testing.T, o *Standin) {
	t.Helper()
	python, err := Setting("SLUICE_PY")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "../judges/bucket.py", o.URL, OSSBucket, "a/")
	cmd.Env = append(os.Environ(), "OSS_KEY_ID="+o.keyID, "OSS_KEY_SECRET="+o.keySecret)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("oss2: %v\n%s", err, out)
	}
	var keys []string
	for line := range bytes.Lines(out) {
		var object struct {
			Key          string
			Size, Listed int
		}
		if err := json.Unmarshal(line, &object); err != nil || object.Size != object.Listed {
			t.Errorf("oss2 read %s (%v)", line, err)
		}
		keys = append(keys, object.Key)
	}
	if strings.Join(keys, " ") != "a/1 a/3" {
		t.Errorf("oss2 sees %q", keys)
	}
}
