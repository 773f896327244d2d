package fc

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	openapiutil "github.com/alibabacloud-go/darabonba-openapi/v2/utils"
	"github.com/alibabacloud-go/tea/dara"
	sdk2 "github.com/aliyun/fc-go-sdk"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/record"
)

const (
	testKey    = "an-access-key"
	testSecret = "its-secret"
)

// service is a small Function Compute of its own: it checks every signature with the
// code of the official SDKs, remembers invocation IDs, and fails where a test says so.
type service struct {
	t   *testing.T
	url string

	mu        sync.Mutex
	ids       map[string]bool
	delivered []delivered
	requests  int
	away      bool
	lose      bool
	// hook answers instead, where it returns true.
	hook func(w http.ResponseWriter, r *http.Request, body []byte) bool
}

type delivered struct {
	topic     string
	partition int32
	offset    int64
	name      string // of its batch
	body      string
}

type wireRecord struct {
	Key       *string `json:"key"`
	Offset    int64   `json:"offset"`
	Overflow  bool    `json:"overflowFlag"`
	Partition int32   `json:"partition"`
	Timestamp int64   `json:"timestamp"`
	Topic     string  `json:"topic"`
	Value     *string `json:"value"`
	ValueSize int     `json:"valueSize"`
}

func newService(t *testing.T) *service {
	t.Helper()
	s := &service{t: t, ids: map[string]bool{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *service) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// refuseMe makes the function fail on a batch that holds it.
const refuseMe = "refuse-me"

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	s.mu.Lock()
	away, lose, hook := s.away, s.lose, s.hook
	s.requests++
	s.mu.Unlock()
	if err != nil || away {
		panic(http.ErrAbortHandler)
	}
	if err := checkSignature(r, body); err != nil {
		s.t.Errorf("%s %s: %v", r.Method, r.URL, err)
		http.Error(w, `{"ErrorCode":"SignatureNotMatch","ErrorMessage":"no"}`, http.StatusForbidden)
		return
	}
	if hook != nil && hook(w, r, body) {
		return
	}
	if !strings.HasSuffix(r.URL.Path, "/invocations") {
		_, _ = io.WriteString(w, `{"functionName":"f","serviceName":"s","runtime":"go1","timeout":600,"statefulInvocation":true,"asyncTask":true}`)
		return
	}
	s.invoke(w, r, body)
	if lose {
		panic(http.ErrAbortHandler)
	}
}

func (s *service) invoke(w http.ResponseWriter, r *http.Request, body []byte) {
	w.Header().Set("X-Fc-Request-Id", "req-1")
	var records []wireRecord
	if err := json.Unmarshal(body, &records); err != nil {
		s.t.Errorf("the body is no array of records: %v: %.200s", err, body)
	}
	if bytes.Contains(body, []byte(refuseMe)) {
		if r.Header.Get("X-Fc-Log-Type") == "Tail" {
			w.Header().Set("X-Fc-Log-Result", base64.StdEncoding.EncodeToString([]byte("line 1\npoison met")))
		}
		w.Header().Set("X-Fc-Error-Type", "UnhandledInvocationError")
		_, _ = io.WriteString(w, `{"errorMessage":"cannot take it","errorType":"ValueError"}`)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	status := http.StatusOK
	if r.Header.Get("X-Fc-Invocation-Type") == "Async" {
		status = http.StatusAccepted
		id := r.Header.Get("X-Fc-Stateful-Async-Invocation-Id") + r.Header.Get("X-Fc-Async-Task-Id")
		if id != "" && s.ids[id] {
			w.WriteHeader(http.StatusConflict)
			_, _ = io.WriteString(w, `{"ErrorCode":"StatefulAsyncInvocationAlreadyExists","ErrorMessage":"the ID is known"}`)
			return
		}
		s.ids[id] = true
	}
	for _, x := range records {
		s.delivered = append(s.delivered, delivered{x.Topic, x.Partition, x.Offset, fmt.Sprintf("%s/%d/%d-%d", x.Topic, x.Partition, records[0].Offset, records[len(records)-1].Offset), string(body)})
	}
	w.WriteHeader(status)
}

// checkSignature signs the request once more with the SDKs' code.
func checkSignature(r *http.Request, body []byte) error {
	got := r.Header.Get("Authorization")
	if strings.HasPrefix(r.URL.Path, "/2016-08-15/") {
		if len(body) > 0 && r.Header.Get("Content-Md5") != sdk2.MD5(body) {
			return errors.New("Content-MD5 is wrong")
		}
		h := map[string]string{"Date": r.Header.Get("Date"), "Content-MD5": r.Header.Get("Content-Md5"), "Content-Type": r.Header.Get("Content-Type")}
		for k := range r.Header {
			if strings.HasPrefix(k, "X-Fc-") {
				h[k] = r.Header.Get(k)
			}
		}
		if want := sdk2.GetAuthStr(testKey, testSecret, r.Method, h, r.URL.EscapedPath()); got != want {
			return fmt.Errorf("signed %q, fc-go-sdk signs %q", got, want)
		}
		return nil
	}
	hashed := openapiutil.Hash(body, dara.String("ACS3-HMAC-SHA256"))
	digest := fmt.Sprintf("%x", hashed)
	if r.Header.Get("X-Acs-Content-Sha256") != digest {
		return errors.New("x-acs-content-sha256 is wrong")
	}
	q := dara.NewRequest()
	q.Method, q.Pathname = dara.String(r.Method), dara.String(r.URL.EscapedPath())
	q.Query = map[string]*string{}
	for k := range r.URL.Query() {
		q.Query[k] = dara.String(r.URL.Query().Get(k))
	}
	q.Headers = map[string]*string{"host": dara.String(r.Host)}
	for k := range r.Header {
		if k = strings.ToLower(k); strings.HasPrefix(k, "x-acs-") || k == "content-type" {
			q.Headers[k] = dara.String(r.Header.Get(k))
		}
	}
	want := dara.StringValue(openapiutil.GetAuthorization(q, dara.String("ACS3-HMAC-SHA256"), dara.String(digest), dara.String(testKey), dara.String(testSecret)))
	if got != want {
		return fmt.Errorf("signed %q, the SDK signs %q", got, want)
	}
	return nil
}

// bed is a service with a connector before it.
type bed struct {
	*service
	spec connector.Spec
	cfg  connector.Config
	deps connector.Deps
}

func newBed(t *testing.T, change connector.Config) *bed {
	t.Helper()
	b := &bed{service: newService(t), spec: Spec()}
	env := connector.Env{Instance: "i", Region: "self-hosted"}
	given := connector.Config{
		"name": "to-fc", "connector.class": Class, "topics": "orders", keyEndpoint: b.url, keyService: "s", keyFunction: "f",
		"aliyun.access.key.id": testKey, "aliyun.access.key.secret": testSecret, connector.KeyRetries: "0",
	}
	for k, v := range change {
		given[k] = v
	}
	b.cfg = b.spec.Resolve(given, env)
	if p := b.spec.Problems(b.cfg, env); len(p) > 0 {
		t.Fatal(p)
	}
	b.deps = connector.Deps{Env: env, Logger: slog.New(slog.DiscardHandler), Connector: "to-fc", ConnectorID: "uuid", Dial: (&net.Dialer{}).DialContext}
	return b
}

func (b *bed) sink(t *testing.T) *sink {
	t.Helper()
	s, err := b.spec.NewSink(t.Context(), b.cfg, b.deps)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s.(*sink)
}

// offsets tells what was delivered of a partition, in order; where the guarantee is at
// least once, each once.
func (s *service) offsets(topic string, partition int32, once bool) []int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := map[int64]bool{}
	var out []int64
	for _, d := range s.delivered {
		if d.topic == topic && d.partition == partition && !(once && seen[d.offset]) {
			seen[d.offset] = true
			out = append(out, d.offset)
		}
	}
	return out
}

var orders = connector.Range{Topic: "orders", Partition: 1, First: 10, TopicID: "topic-id", Epoch: "epoch"}

func free() error { return nil }

func rec(offset int64, value string) *record.Record {
	return &record.Record{Topic: "orders", Partition: 1, Offset: offset, Timestamp: 1_700_000_000_000 + offset, Key: []byte("k"), Value: []byte(value)}
}

// fill opens a chunk of the records and prepares it; the intent is as the runner would
// write it.
func fill(t *testing.T, s *sink, redo *connector.Intent, records ...*record.Record) (*chunk, connector.Intent) {
	t.Helper()
	at := orders
	at.First = records[0].Offset
	c, err := s.Begin(t.Context(), at, redo)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if err := c.Add(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	payload, err := c.Prepare(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	at.Next = records[len(records)-1].Offset + 1
	return c.(*chunk), connector.Intent{Range: at, Count: int64(len(records)), Payload: payload}
}

func records(first int64, n int) []*record.Record {
	out := make([]*record.Record, n)
	for i := range out {
		out[i] = rec(first+int64(i), fmt.Sprintf(`{"n":%d}`, i))
	}
	return out
}

// bodies are the requests' bodies in the order of their delivery.
func (s *service) bodies() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for i, d := range s.delivered {
		if i == 0 || s.delivered[i-1].body != d.body {
			out = append(out, d.body)
		}
	}
	return out
}

func offsetsOf(refused []connector.Refusal) []int64 {
	var out []int64
	for _, r := range refused {
		out = append(out, r.Offset)
	}
	return out
}

// newEarlyServer refuses requests when it has seen their head, and reads the rest slowly.
func newEarlyServer(t *testing.T) (host string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				head := make([]byte, 256)
				if _, err := conn.Read(head); err != nil {
					return
				}
				_, _ = io.WriteString(conn, "HTTP/1.1 413 Request Entity Too Large\r\nContent-Length: 0\r\n\r\n")
				for {
					if _, err := conn.Read(head); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}
