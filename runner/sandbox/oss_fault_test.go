package sandbox

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"
)

func TestOSSFaults(t *testing.T) {
	t.Parallel()
	o := startOSS(t, OSSOptions{})
	bucket := sdkBucket(t, o)
	big := strings.Repeat("x", 3<<20) // more than socket buffers hold
	for _, c := range []struct {
		name   string
		fault  Fault
		status int // 0: the connection breaks; -1: it works
		code   string
		stored bool
	}{
		{"503", Fault{Status: 503, Code: "ServiceUnavailable"}, 503, "ServiceUnavailable", false},
		{"403", Fault{Status: 403, Code: "AccessDenied", Message: "no"}, 403, "AccessDenied", false},
		{"500 without code", Fault{Status: 500}, 500, "InternalError", false},
		{"500 after storing", Fault{Status: 500, AfterStoring: true}, 500, "InternalError", true},
		{"cut before", Fault{Cut: CutBefore}, 0, "", false},
		{"cut after", Fault{Cut: CutAfter}, 0, "", true},
		{"skew", Fault{SkewSeconds: 1000}, 403, "RequestTimeTooSkewed", false},
		{"skew back", Fault{SkewSeconds: -1000}, 403, "RequestTimeTooSkewed", false},
		{"little skew", Fault{SkewSeconds: 800}, -1, "", true},
	} {
		c.fault.Operation, c.fault.Rate, c.fault.Max, c.fault.KeyPrefix = "PutObject", 1, 1, c.name
		must(t, o.Faults.Set(c.fault))
		err := bucket.PutObject(c.name, strings.NewReader(big))
		switch {
		case c.status > 0:
			wantCode(t, err, c.status, c.code)
		case c.status < 0:
			must(t, err)
		case err == nil:
			t.Errorf("%s: no error", c.name)
		default:
			var service oss.ServiceError
			if errors.As(err, &service) {
				t.Errorf("%s: an answer came: %v", c.name, err)
			}
		}
		exists, err := bucket.IsObjectExist(c.name)
		must(t, err)
		if exists != c.stored {
			t.Errorf("%s: stored is %t, want %t", c.name, exists, c.stored)
		}
		if !c.stored {
			must(t, bucket.PutObject(c.name, strings.NewReader(big))) // spent
		}
		latest := o.Requests(1)[0]
		if latest.Status != 200 && latest.Status != 404 {
			t.Errorf("%s: latest request %+v", c.name, latest)
		}
	}
}

func TestOSSFaultWrongCRC(t *testing.T) {
	t.Parallel()
	o := startOSS(t, OSSOptions{})
	bucket := sdkBucket(t, o)
	must(t, o.Faults.Set(Fault{Operation: "*", Rate: 1, WrongCRC: true, Max: 1}))
	var crc oss.CRCCheckError
	if err := bucket.PutObject("o", strings.NewReader("x")); !errors.As(err, &crc) {
		t.Errorf("error %v", err)
	}
	if exists, err := bucket.IsObjectExist("o"); err != nil || !exists {
		t.Errorf("stored: %t, %v", exists, err)
	}
}

func TestOSSFaultLatency(t *testing.T) {
	t.Parallel()
	o := startOSS(t, OSSOptions{})
	bucket := sdkBucket(t, o)
	must(t, o.Faults.Set(Fault{Operation: "*", Rate: 1, LatencyMS: 50, Max: 1}))
	began := time.Now()
	must(t, bucket.PutObject("o", strings.NewReader("x")))
	if took := time.Since(began); took < 50*time.Millisecond {
		t.Errorf("took %s", took)
	}
	// A delay under way does not hold up Close.
	must(t, o.Faults.Set(Fault{Operation: "*", Rate: 1, LatencyMS: 600_000}))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	failed := make(chan error, 1)
	go func() { failed <- bucket.PutObject("o", strings.NewReader("x"), oss.WithContext(ctx)) }()
	eventually(t, "a request under way", func() bool { return o.Faults.List()[0].Hits == 1 })
	began = time.Now()
	must(t, o.Close())
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("closing took %s", took)
	}
	if err := <-failed; err == nil {
		t.Error("the delayed request succeeded")
	}
}

func TestOSSRequests(t *testing.T) {
	t.Parallel()
	o := startOSS(t, OSSOptions{})
	// Over a kept connection the HTTP client itself would repeat a GET that was cut.
	bucket := sdkBucket(t, o, oss.HTTPClient(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}))
	must(t, bucket.PutObject("first", strings.NewReader("12345")))
	must(t, o.Faults.Set(Fault{Operation: "GetObject", Rate: 1, Cut: CutBefore}))
	_, err := bucket.GetObject("first")
	if err == nil {
		t.Fatal("not cut")
	}
	must(t, o.Faults.Set())
	_, err = bucket.GetObject("second")
	wantCode(t, err, 404, "NoSuchKey")
	list := o.Requests(0)
	if len(list) != 3 {
		t.Fatalf("requests %+v", list)
	}
	for i, want := range []Request{
		{Operation: "GetObject", Key: "second", Status: 404, Code: "NoSuchKey"},
		{Operation: "GetObject", Key: "first", Status: 0, Fault: "connection cut before storing"},
		{Operation: "PutObject", Key: "first", Status: 200, Bytes: 5},
	} {
		got := list[i]
		if got.Operation != want.Operation || got.Key != want.Key || got.Status != want.Status || got.Code != want.Code || got.Fault != want.Fault || got.Bytes != want.Bytes || got.Bucket != DefaultBucket || got.Time.IsZero() {
			t.Errorf("request %d is %+v, want %+v", i, got, want)
		}
	}
	for range ossRequestLog + 10 {
		_, _ = bucket.IsObjectExist("first")
	}
	if list = o.Requests(0); len(list) != ossRequestLog || list[ossRequestLog-1].Operation != "GetObjectMeta" {
		t.Errorf("%d requests are remembered", len(list))
	}
	stats := o.Stats()
	if stats.Requests != 3+ossRequestLog+10 || stats.BytesIn != 5 || stats.Objects != 1 || stats.Bytes != 5 {
		t.Errorf("stats %+v", stats)
	}
}
