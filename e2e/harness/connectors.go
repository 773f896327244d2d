package harness

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Detail is Sluice's own word on a state, beside Kafka Connect's.
type Detail struct {
	State   string `json:"state"`
	Cause   string `json:"cause"`
	Remedy  string `json:"remedy"`
	Since   string `json:"since"`
	Stalled bool   `json:"stalled"`
}

// Status is the answer of GET …/connectors/<c>/status.
type Status struct {
	Name      string `json:"name"`
	Type      string `json:"type"`
	Connector struct {
		State  string `json:"state"`
		Trace  string `json:"trace"`
		Detail Detail `json:"detail"`
	} `json:"connector"`
	Tasks []struct {
		ID     int    `json:"id"`
		State  string `json:"state"`
		Trace  string `json:"trace"`
		Detail Detail `json:"detail"`
	} `json:"tasks"`
}

// Connector is a connector seen through the REST API.
type Connector struct {
	c        *Client
	t        T
	Instance string
	Name     string
}

// OSSConfig is the configuration of a KAFKA2OSS connector that writes json to the stand-in from the
// beginning of a topic in small quick objects; extra goes over it.
func OSSConfig(o *Standin, topics string, extra map[string]string) map[string]string {
	config := map[string]string{
		"connector.class": "KAFKA2OSS", "topics": topics, "tasks.max": "2",
		"consumer.override.auto.offset.reset": "earliest",
		"oss.endpoint":                        o.URL, "oss.bucket": OSSBucket, "oss.format": "json",
		"aliyun.access.key.id": OSSKeyID, "aliyun.access.key.secret": OSSKeySecret,
		"flush.size": "500", "flush.interval.ms": "1000",
	}
	maps.Copy(config, extra)
	return config
}

// CreateConnector makes and deploys a connector.
func (c *Client) CreateConnector(instance, name string, config map[string]string) *Connector {
	c.t.Helper()
	c.Must(http.StatusCreated, http.MethodPost, "/connect/"+instance+"/connectors",
		map[string]any{"name": name, "config": config}, nil)
	return c.Connector(instance, name)
}

// Connector is an existing connector. A test that fails shows its status and the end of its log.
func (c *Client) Connector(instance, name string) *Connector {
	k := &Connector{c: c, t: c.t, Instance: instance, Name: name}
	c.t.Cleanup(func() {
		if !c.t.Failed() {
			return
		}
		for _, path := range []string{k.Path("/status"), k.API("/logs?limit=40")} {
			if answer, err := c.Call(http.MethodGet, path, nil); err == nil && answer.Status == http.StatusOK {
				c.t.Logf("%s: %d %s", path, answer.Status, answer.Body)
			}
		}
	})
	return k
}

// Group is the consumer group whose committed offsets are the connector's position.
func (k *Connector) Group() string { return "connect-" + k.Name }

// Path is the connector's path in Kafka Connect's API, with a suffix such as "/status".
func (k *Connector) Path(suffix string) string {
	return "/connect/" + k.Instance + "/connectors/" + url.PathEscape(k.Name) + suffix
}

// API is the connector's path under /api/v1.
func (k *Connector) API(suffix string) string {
	return "/api/v1/instances/" + k.Instance + "/connectors/" + url.PathEscape(k.Name) + suffix
}

// Status asks for the status.
func (k *Connector) Status() Status {
	k.t.Helper()
	var s Status
	k.c.Must(http.StatusOK, http.MethodGet, k.Path("/status"), nil, &s)
	return s
}

// told is what the status says, for a message; it does without an answer.
func (k *Connector) told() string {
	answer, err := k.c.Call(http.MethodGet, k.Path("/status"), nil)
	if err != nil {
		return err.Error()
	}
	logs, err := k.c.Call(http.MethodGet, k.API("/logs?limit=8"), nil)
	if err != nil {
		return string(answer.Body)
	}
	return string(answer.Body) + " " + string(logs.Body)
}

// AwaitState waits until detail.state is one of the given ones and returns the status then.
func (k *Connector) AwaitState(within time.Duration, states ...string) Status {
	k.t.Helper()
	var s Status
	Eventually(k.t, within, fmt.Sprintf("connector %s is %s", k.Name, strings.Join(states, " or ")), func() (bool, string) {
		answer, err := k.c.Call(http.MethodGet, k.Path("/status"), nil)
		if err != nil {
			return false, err.Error()
		}
		s = Status{}
		if err := json.Unmarshal(answer.Body, &s); err != nil {
			return false, fmt.Sprintf("status %d: %s", answer.Status, answer.Body)
		}
		d := s.Connector.Detail
		return slices.Contains(states, d.State), fmt.Sprintf("%s: %s %s", d.State, d.Cause, d.Remedy)
	})
	return s
}

// Pause suspends, Resume resumes, StopWork stops it.
func (k *Connector) Pause()    { k.act(http.StatusAccepted, http.MethodPut, "/pause") }
func (k *Connector) Resume()   { k.act(http.StatusAccepted, http.MethodPut, "/resume") }
func (k *Connector) StopWork() { k.act(http.StatusNoContent, http.MethodPut, "/stop") }

// Delete deletes the connector with its resources; query is "" or for example "?resources=keep".
func (k *Connector) Delete(query string) { k.act(http.StatusNoContent, http.MethodDelete, query) }

func (k *Connector) act(want int, method, suffix string) {
	k.t.Helper()
	k.c.Must(want, method, k.Path(suffix), nil, nil)
}

// Patch changes keys of the configuration.
func (k *Connector) Patch(changes map[string]string) {
	k.t.Helper()
	k.c.Must(http.StatusOK, http.MethodPatch, k.Path("/config"), changes, nil)
}

// Choice is one way on out of a Gap or an unknown intent.
type Choice struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Lost      any    `json:"lost"`
	Options   []struct {
		Choice string `json:"choice"`
		Title  string `json:"title"`
		Risk   string `json:"risk"`
	} `json:"options"`
}

// Choices lists what waits for a decision.
func (k *Connector) Choices() []Choice {
	k.t.Helper()
	var answer struct {
		Choices []Choice `json:"choices"`
	}
	k.c.Must(http.StatusOK, http.MethodGet, k.API("/choices"), nil, &answer)
	return answer.Choices
}

// Choose decides for one partition. extra goes with the choice ("offset" with "position") and may be nil.
func (k *Connector) Choose(topic string, partition int32, choice string, extra map[string]any) {
	k.t.Helper()
	body := map[string]any{"topic": topic, "partition": partition, "choice": choice}
	maps.Copy(body, extra)
	k.c.Must(http.StatusAccepted, http.MethodPost, k.API("/choose"), body, nil)
}

// AwaitDelivered waits until the position has reached the end of every partition of the topic.
func (k *Connector) AwaitDelivered(kafka *Kafka, topic string, within time.Duration) {
	k.t.Helper()
	Eventually(k.t, within, "everything of "+topic+" is delivered", func() (bool, string) {
		positions := kafka.Positions(k.Group(), topic)
		for partition, end := range kafka.Ends(topic) {
			if positions[partition].Offset < end {
				d := k.Status().Connector.Detail
				return false, fmt.Sprintf("partition %d at %d of %d; %s %s", partition, positions[partition].Offset, end, d.State, d.Cause)
			}
		}
		return true, ""
	})
}

// AwaitProgress waits until the position of every partition that has records waiting has moved beyond
// where it was.
func (k *Connector) AwaitProgress(kafka *Kafka, topic string, before map[int32]Position, within time.Duration) {
	k.t.Helper()
	ends := kafka.Ends(topic)
	Eventually(k.t, within, "every partition of "+topic+" delivers", func() (bool, string) {
		now := kafka.Positions(k.Group(), topic)
		for partition, end := range ends {
			if at := before[partition].Offset; at < end && now[partition].Offset <= at {
				return false, fmt.Sprintf("partition %d stays at %d of %d; %s", partition, at, end, k.told())
			}
		}
		return true, ""
	})
}
