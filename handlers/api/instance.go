package api

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"github.com/sluice-io/sluice/handlers/web"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
)

// instanceBody is an instance as the API answers it.
type instanceBody struct {
	Name       string           `json:"name"`
	Region     string           `json:"region"`
	Bootstrap  string           `json:"bootstrap.servers"`
	Protocol   string           `json:"security.protocol"`
	Mechanism  string           `json:"sasl.mechanism,omitempty"`
	Username   string           `json:"sasl.username,omitempty"`
	Password   string           `json:"sasl.password,omitempty"`
	CA         string           `json:"ssl.ca.pem,omitempty"`
	VPC        string           `json:"vpc.id"`
	VSwitch    string           `json:"vswitch.id"`
	Internet   bool             `json:"internet.access"`
	Quota      int              `json:"connector.quota"`
	Connectors int              `json:"connectors"`
	Version    string           `json:"version"`
	Brokers    []control.Broker `json:"brokers"`
	Status     string           `json:"status"`
	Detail     string           `json:"detail"`
	Enabled    bool             `json:"enabled"`
}

func instanceOf(in control.InstanceInfo) instanceBody {
	m := control.MaskedInstance(in.Instance)
	return instanceBody{
		Name: in.Name, Region: in.Region, Bootstrap: in.BootstrapServers, Protocol: in.SecurityProtocol,
		Mechanism: in.SASLMechanism, Username: in.SASLUsername, Password: m[control.InstancePassword], CA: in.CAPEM,
		VPC: in.VPCID, VSwitch: in.VSwitchID, Internet: in.InternetAccess, Quota: in.Quota, Connectors: in.Connectors,
		Version: in.Version, Brokers: append([]control.Broker{}, in.Brokers...), Status: in.Status, Detail: in.Detail, Enabled: in.Enabled,
	}
}

// readOnly are members that are answered and cannot be set.
var readOnly = []string{"version", "brokers", "status", "detail", "enabled", "connectors"}

// members reads an instance's members; null is nil. Unknown ones are told by control.
func (c *call) members() (map[string]*string, error) {
	body, err := c.body()
	if err != nil {
		return nil, err
	}
	o, err := web.DecodeObject(body)
	if err != nil {
		return nil, err
	}
	var problems []connector.FieldError
	out := map[string]*string{}
	for _, k := range slices.Sorted(maps.Keys(o)) {
		text, wrong := member(k, o[k])
		if wrong != "" {
			problems = append(problems, connector.FieldError{Field: clip(k), Message: wrong})
			continue
		}
		out[k] = text
	}
	if len(problems) > 0 {
		return nil, &control.Error{Kind: control.Invalid, Message: "Some values are not valid.", Fields: problems}
	}
	return out, nil
}

// member checks the type of one member and turns it into text.
func member(key string, v any) (text *string, wrong string) {
	if slices.Contains(readOnly, key) {
		return nil, "is answered only; it cannot be set."
	}
	if v == nil {
		return nil, ""
	}
	switch x := v.(type) {
	case string:
		if key != control.InstanceQuota {
			return &x, ""
		}
		return nil, "must be a whole number."
	case json.Number:
		if _, err := strconv.ParseInt(x.String(), 10, 32); key == control.InstanceQuota && err == nil {
			s := x.String()
			return &s, ""
		}
	case bool:
		if key == control.InstanceInternet {
			s := strconv.FormatBool(x)
			return &s, ""
		}
	}
	switch key {
	case control.InstanceQuota:
		return nil, "must be a whole number."
	case control.InstanceInternet:
		return nil, "must be true or false."
	}
	if _, known := control.InstanceSpec(nil).Field(key); !known {
		text := ""
		return &text, "" // whatever its type: control tells that there is no such member
	}
	return nil, "must be a string, not " + web.KindOf(v) + "."
}
