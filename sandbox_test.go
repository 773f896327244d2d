package main

import (
	"encoding/json"
	"log/slog"
	"testing"

	"github.com/sluice-io/sluice/handlers/console"
	"github.com/sluice-io/sluice/runner/sandbox"
)

// TestFaultsOfRESTAndPages: a fault that REST set is kept whole when the page adds another.
func TestFaultsOfRESTAndPages(t *testing.T) {
	t.Parallel()
	box, err := sandbox.Start(t.Context(), sandbox.Options{DataDir: t.TempDir(), KafkaAddr: "127.0.0.1:0", OSSAddr: "127.0.0.1:0", FCAddr: "127.0.0.1:0", ODPSAddr: "127.0.0.1:0", STSAddr: "127.0.0.1:0", MariaDB: sandbox.NoMySQL, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { box.Close() })
	pages, rest := sandboxPages{box}, sandboxFaults{box}
	const once = `[{"operation":"PutObject","key_prefix":"a/","rate":0.5,"status":503,"code":"ServiceUnavailable","message":"busy","after_storing":true,` +
		`"latency_ms":3,"max":1,"expires_after_ms":600000,"hits":0}]`
	if err := rest.SetFaults("oss", []byte(once)); err != nil {
		t.Fatal(err)
	}
	if problems := pages.SetFaults("oss", append(pages.Faults("oss"), console.SandboxFault{Operation: "*", Rate: 1, LatencyMS: 1})); len(problems) != 0 {
		t.Fatalf("the page's fault is refused: %+v", problems)
	}
	list, err := rest.Faults("oss")
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(list.([]sandbox.Fault)[:1])
	if err != nil || string(got) != once {
		t.Errorf("after the page added a fault, REST's is\n%s, %v, want\n%s", got, err, once)
	}
	if problems := pages.SetFaults("oss", []console.SandboxFault{{Operation: "*", Rate: 2, LatencyMS: 1}}); len(problems) != 1 || problems[0].Field != "rate" {
		t.Errorf("a rate of 2: %+v", problems)
	}
}
