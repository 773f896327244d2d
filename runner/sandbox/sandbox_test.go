package sandbox

import (
	"context"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSandbox(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for range 2 { // the second time on what the first left, on other ports
		s, err := Start(context.Background(), Options{DataDir: dir, KafkaAddr: "127.0.0.1:0", OSSAddr: "127.0.0.1:0", FCAddr: "127.0.0.1:0", ODPSAddr: "127.0.0.1:0", STSAddr: "127.0.0.1:0", MariaDB: NoMySQL, SampleProducer: true})
		must(t, err)
		want := []Address{{"kafka", s.Kafka.Addr()}, {"oss", s.OSS.URL()}, {"fc", s.FC.URL()}, {"odps", s.ODPS.URL()}, {"sts", s.STS.URL()}}
		if addresses := s.Addresses(); !slices.Equal(addresses, want) {
			t.Errorf("addresses %+v, want %+v", addresses, want)
		}
		produce(t, s.Kafka.Addr(), "oss-test-input", 0, "x")
		must(t, sdkBucket(t, s.OSS).PutObject("o", strings.NewReader("x")))
		for _, part := range FaultParts() {
			faults, ok := s.Faults(part)
			if !ok || len(Operations(part)) == 0 {
				t.Fatalf("%s has faults %v and operations %v", part, ok, Operations(part))
			}
			must(t, faults.Set(Fault{Operation: Operations(part)[0], Rate: 1, Status: 500}))
		}
		if of := []Fault{s.OSS.Faults.List()[0], s.FC.Faults.List()[0], s.ODPS.Faults.List()[0]}; of[0].Operation != "PutObject" || of[1].Operation != "InvokeFunction" || of[2].Operation != "GetProject" {
			t.Errorf("faults by part: %+v", of)
		}
		for _, keys := range []*accessKeys{&s.OSS.keys, &s.FC.keys, &s.ODPS.keys} {
			s.STS.Tokens().Add(AccessKey{ID: "STS.x", Secret: "s", Token: "t"})
			if key, ok := keys.get("STS.x"); !ok || key.Token != "t" {
				t.Error("a part does not accept what the STS stand-in issued")
			}
		}
		if requests := s.Requests("oss", 1); len(requests) != 1 || requests[0].Key != "o" {
			t.Errorf("requests of oss: %+v", requests)
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
		"no folder":        {Options{KafkaAddr: "127.0.0.1:0", OSSAddr: "127.0.0.1:0", FCAddr: "127.0.0.1:0", ODPSAddr: "127.0.0.1:0", STSAddr: "127.0.0.1:0"}, "folder"},
		"port taken":       {Options{DataDir: t.TempDir(), KafkaAddr: taken.Addr().String(), OSSAddr: "127.0.0.1:0", FCAddr: "127.0.0.1:0", ODPSAddr: "127.0.0.1:0", STSAddr: "127.0.0.1:0"}, "another port"},
		"FC's port taken":  {Options{DataDir: t.TempDir(), KafkaAddr: "127.0.0.1:0", OSSAddr: "127.0.0.1:0", FCAddr: taken.Addr().String(), STSAddr: "127.0.0.1:0"}, "Function Compute"},
		"public":           {Options{DataDir: t.TempDir(), KafkaAddr: "0.0.0.0:0", OSSAddr: "127.0.0.1:0", FCAddr: "127.0.0.1:0", ODPSAddr: "127.0.0.1:0", STSAddr: "127.0.0.1:0"}, "loopback only"},
		"folder is a file": {Options{DataDir: "/dev/null", KafkaAddr: "127.0.0.1:0", OSSAddr: "127.0.0.1:0", FCAddr: "127.0.0.1:0", ODPSAddr: "127.0.0.1:0", STSAddr: "127.0.0.1:0"}, "folder"},
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
