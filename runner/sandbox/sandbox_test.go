package sandbox

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"
)

func TestSandbox(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for range 2 { // the second time on what the first left, on other ports
		s, err := Start(context.Background(), Options{DataDir: dir, KafkaAddr: "127.0.0.1:0", OSSAddr: "127.0.0.1:0", SampleProducer: true})
		must(t, err)
		addresses := s.Addresses()
		if len(addresses) != 2 || addresses[0].Part != "kafka" || addresses[0].Address != s.Kafka.Addr() || addresses[1].Part != "oss" || addresses[1].Address != s.OSS.URL() {
			t.Errorf("addresses %+v", addresses)
		}
		produce(t, s.Kafka.Addr(), "oss-test-input", 0, "x")
		must(t, sdkBucket(t, s.OSS).PutObject("o", strings.NewReader("x")))
		faults, ok := s.Faults("oss")
		if !ok || faults != s.OSS.Faults {
			t.Error("no faults of oss")
		}
		if _, ok := s.Faults("kafka"); ok {
			t.Error("faults of kafka")
		}
		began := time.Now()
		must(t, s.Close())
		must(t, s.Close())
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("closing took %s", took)
		}
	}
}

func TestSandboxRefused(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer taken.Close()
	for name, c := range map[string]struct {
		options Options
		want    string
	}{
		"no folder":        {Options{KafkaAddr: "127.0.0.1:0", OSSAddr: "127.0.0.1:0"}, "folder"},
		"port taken":       {Options{DataDir: t.TempDir(), KafkaAddr: taken.Addr().String(), OSSAddr: "127.0.0.1:0"}, "another port"},
		"public":           {Options{DataDir: t.TempDir(), KafkaAddr: "0.0.0.0:0", OSSAddr: "127.0.0.1:0"}, "loopback only"},
		"folder is a file": {Options{DataDir: "/dev/null", KafkaAddr: "127.0.0.1:0", OSSAddr: "127.0.0.1:0"}, "folder"},
	} {
		s, err := Start(context.Background(), c.options)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want it to say %q", name, err, c.want)
		}
		if s != nil {
			_ = s.Close()
		}
	}
}
