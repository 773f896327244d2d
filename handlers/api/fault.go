package api

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/sluice-io/sluice/handlers/web"
	"github.com/sluice-io/sluice/runner/control"
)

// sandboxOff refuses what only the sandbox can do.
func (c *call) sandboxOff() error {
	if c.a.o.Faults == nil {
		return &control.Error{Kind: control.NotFound, Message: "The sandbox is off; start Sluice with SLUICE_SANDBOX=on."}
	}
	return nil
}

// faultList answers GET /sandbox/{part}/faults.
func faultList(c *call) error {
	if err := c.sandboxOff(); err != nil {
		return err
	}
	all, err := c.a.o.Faults.Faults(c.Param("part"))
	if err != nil {
		return err
	}
	return c.ok(http.StatusOK, map[string]any{"faults": all, "next": ""})
}

// faultSet answers POST /sandbox/{part}/faults: an array of faults, the same inside
// {"faults":[…]}, or one fault. It replaces what was set; [] clears.
func faultSet(c *call) error {
	if err := c.sandboxOff(); err != nil {
		return err
	}
	if !control.ActorFrom(c.Request.Context()).Role.May(control.Operator) {
		return &control.Error{Kind: control.Forbidden, Message: "Your role does not allow this: it needs the role operator."}
	}
	body, err := c.body()
	if err != nil {
		return err
	}
	v, err := web.DecodeValue(body)
	if err != nil {
		return err
	}
	if err := c.a.o.Faults.SetFaults(c.Param("part"), faultArray(v, body)); err != nil {
		return err
	}
	return faultList(c)
}

func faultArray(v any, body []byte) []byte {
	o, is := v.(map[string]any)
	if !is {
		return body
	}
	if _, wrapped := o["faults"]; wrapped && len(o) == 1 {
		var w struct{ Faults json.RawMessage }
		if err := json.Unmarshal(body, &w); err == nil {
			return w.Faults
		}
	}
	return slices.Concat([]byte("["), body, []byte("]"))
}
