package api

import "github.com/sluice-io/sluice/runner/connector"

// instanceCreate answers POST /instances.
func instanceCreate(c *call) error {
	members, err := c.members()
	if err != nil {
		return err
	}
	cfg := connector.Config{}
	for k, v := range members {
		if v != nil {
			cfg[k] = *v
		}
	}
	in, err := c.svc.CreateInstance(c.Request.Context(), cfg)
	if err != nil {
		return err
	}
	return c.created(instanceOf(in), "instances", in.Name)
}
