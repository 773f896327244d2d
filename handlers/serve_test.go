package handlers

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// start runs a server until the test ends it; what it returned comes on the channel.
func start(t *testing.T, serve func(context.Context, net.Listener) error) (url string, end context.CancelFunc, ended <-chan error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	done := make(chan error, 1)
	go func() { done <- serve(ctx, l) }()
	return "http://" + l.Addr().String(), cancel, done
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

func TestServeLetsARunningRequestFinish(t *testing.T) {
	t.Parallel()
	begun, finish := make(chan struct{}), make(chan struct{})
	url, end, ended := start(t, func(ctx context.Context, l net.Listener) error {
		return Serve(ctx, l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			close(begun)
			<-finish
			io.WriteString(w, "whole")
		}), nil)
	})
	body := make(chan string, 1)
	go func() {
		_, b := get(t, url)
		body <- b
	}()
	<-begun
	end()
	close(finish)
	if got := <-body; got != "whole" {
		t.Errorf("body %q, want all of it", got)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("Serve: %v", err)
		}
	case <-time.After(2 * endDeadline):
		t.Fatal("Serve does not end")
	}
}

func TestServeReportsAListenerThatFails(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := Serve(t.Context(), l, http.NotFoundHandler(), nil); err == nil {
		t.Fatal("a closed listener is no error")
	}
}

func TestServeMetrics(t *testing.T) {
	t.Parallel()
	figure := prometheus.NewGauge(prometheus.GaugeOpts{Name: "sluice_of_the_test", Help: "A figure."})
	figure.Set(7)
	url, _, _ := start(t, func(ctx context.Context, l net.Listener) error { return ServeMetrics(ctx, l, figure) })
	for path, want := range map[string]string{"/metrics": "sluice_of_the_test 7", "/debug/pprof/goroutine?debug=1": "goroutine profile"} {
		if status, body := get(t, url+path); status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d, and %q is not in it", path, status, want)
		}
	}
	if status, _ := get(t, url+"/connectors"); status != http.StatusNotFound {
		t.Errorf("the metrics address answers other paths: %d", status)
	}
}
