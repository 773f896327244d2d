package harness

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Client speaks Sluice's REST API with a user's name and password.
type Client struct {
	t        T
	Base     string // http://127.0.0.1:port
	User     string
	Password string
}

// Answer is what a call got.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Call sends a request; body is encoded as JSON unless it is nil or a []byte, which goes as it is.
func (c *Client) Call(method, path string, body any) (Answer, error) {
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case []byte:
		reader = bytes.NewReader(b)
	default:
		encoded, err := json.Marshal(b)
		if err != nil {
			return Answer{}, fmt.Errorf("encoding the body: %w", err)
		}
		reader = bytes.NewReader(encoded)
	}
	req, err := http.NewRequest(method, strings.TrimRight(c.Base, "/")+path, reader)
	if err != nil {
		return Answer{}, fmt.Errorf("making the request: %w", err)
	}
	if reader != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.SetBasicAuth(c.User, c.Password)
	client := http.Client{
		Timeout:       100 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return Answer{}, fmt.Errorf("reading the answer: %w", err)
	}
	return Answer{Status: resp.StatusCode, Header: resp.Header, Body: text}, nil
}

// Must is Call that ends the test unless the status is the wanted one; out, when not nil, gets the body.
func (c *Client) Must(want int, method, path string, body, out any) {
	c.t.Helper()
	answer, err := c.Call(method, path, body)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	if answer.Status != want {
		c.t.Fatalf("%s %s: status %d, want %d: %s", method, path, answer.Status, want, answer.Body)
	}
	if out == nil {
		return
	}
	if err := json.Unmarshal(answer.Body, out); err != nil {
		c.t.Fatalf("%s %s: %v: %s", method, path, err, answer.Body)
	}
}

// CreateInstance makes an instance of a cluster and enables its connector feature. extra holds further
// members and may be nil.
func (c *Client) CreateInstance(name, bootstrap string, extra map[string]any) {
	c.t.Helper()
	body := map[string]any{
		"name": name, "region": "self-hosted", "bootstrap.servers": bootstrap,
		"security.protocol": "PLAINTEXT", "connector.quota": 50,
	}
	for key, value := range extra {
		body[key] = value
	}
	c.Must(http.StatusCreated, http.MethodPost, "/api/v1/instances", body, nil)
	c.Must(http.StatusOK, http.MethodPost, "/api/v1/instances/"+name+"/enable", nil, nil)
}

// Metric reads /metrics of a node and sums the samples whose line begins with the given text, for example
// `sluice_records_delivered_total{`.
func (n *Sluice) Metric(prefix string) (sum float64, found bool) {
	resp, err := http.Get("http://" + n.Metrics + "/metrics")
	if err != nil {
		return 0, false
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, prefix) {
			continue
		}
		fields := strings.Fields(line)
		var v float64
		if _, err := fmt.Sscan(fields[len(fields)-1], &v); err == nil {
			sum, found = sum+v, true
		}
	}
	return sum, found
}
