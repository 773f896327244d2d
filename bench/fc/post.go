package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	fc "github.com/aliyun/fc-go-sdk"
	"golang.org/x/sync/errgroup"

	"github.com/sluice-io/sluice/bench/kit"
	"github.com/sluice-io/sluice/e2e/harness"
)

// postRole is the argument that makes this program the bare HTTP client.
const postRole = "post"

// bodyKinds is how many different bodies a connection posts in turn.
const bodyKinds = 32

// post is the bare HTTP client: net/http, bodies made beforehand, one signature for all of them.
func post(args []string, out io.Writer) error {
	flags := flag.NewFlagSet(postRole, flag.ContinueOnError)
	url := flags.String("url", "", "endpoint of Function Compute")
	records := flags.Int64("records", 0, "how many to post")
	batch := flags.Int64("batch", 0, "records in a request")
	size := flags.Int("bytes", 0, "of a record's value")
	kind := flags.String("value", "", "kind of value")
	connections := flags.Int64("connections", 1, "requests at once")
	if err := flags.Parse(args); err != nil {
		return err
	}
	value, err := kit.ValueMaker(*kind, *size)
	if err != nil {
		return err
	}
	all := make([][][]byte, *connections)
	for partition := range all {
		if all[partition], err = bodies(int32(partition), *batch, value); err != nil {
			return err
		}
	}
	path := "/2016-08-15/services/" + harness.FCService + "/functions/echo/invocations"
	header := map[string]string{"Content-Type": "application/octet-stream", "Date": time.Now().UTC().Format(http.TimeFormat), "X-Fc-Invocation-Type": "Sync"}
	header["Authorization"] = fc.GetAuthStr(harness.OSSKeyID, harness.OSSKeySecret, http.MethodPost, header, path)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: int(*connections), DisableCompression: true}}
	before, err := harness.CPUSeconds(os.Getpid())
	if err != nil {
		return err
	}
	began := time.Now()
	var group errgroup.Group
	for partition := range all {
		group.Go(func() error {
			for n := range *records / *batch / *connections {
				if err := invoke(client, *url+path, header, all[partition][n%bodyKinds]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	m := kit.Measured{Seconds: time.Since(began).Seconds()}
	if m.CPU, err = harness.CPUSeconds(os.Getpid()); err != nil {
		return err
	}
	m.CPU -= before
	if m.Peak, err = harness.PeakMemory(os.Getpid()); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(m)
}

func invoke(client *http.Client, url string, header map[string]string, body []byte) error {
	req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		return fmt.Errorf("invoking: %s: %s", resp.Status, text)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// wireRecord is a record of a request's body, its members in the connector's order.
type wireRecord struct {
	Offset    int64  `json:"offset"`
	Overflow  bool   `json:"overflowFlag"`
	Partition int32  `json:"partition"`
	Timestamp int64  `json:"timestamp"`
	Topic     string `json:"topic"`
	Value     string `json:"value"`
	ValueSize int    `json:"valueSize"`
}

// bodies are those of the first requests of a partition of the benchmark's topic.
func bodies(partition int32, batch int64, value func(int64) []byte) ([][]byte, error) {
	list := make([][]byte, bodyKinds)
	now := time.Now().UnixMilli()
	for i := range list {
		records := make([]wireRecord, batch)
		for n := range records {
			offset := int64(i)*batch + int64(n)
			text := string(value(offset))
			records[n] = wireRecord{Offset: offset, Partition: partition, Timestamp: now, Topic: kit.Topic, Value: text, ValueSize: len(text)}
		}
		var body bytes.Buffer
		e := json.NewEncoder(&body)
		e.SetEscapeHTML(false) // as the connector does
		if err := e.Encode(records); err != nil {
			return nil, fmt.Errorf("making a body: %w", err)
		}
		list[i] = bytes.TrimSuffix(body.Bytes(), []byte{'\n'})
	}
	return list, nil
}
