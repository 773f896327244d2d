package api

// instanceList answers GET /instances.
func instanceList(c *call) error {
	all, err := c.svc.Instances(c.Request.Context())
	if err != nil {
		return err
	}
	out := make([]instanceBody, len(all))
	for i, in := range all {
		out[i] = instanceOf(in)
	}
	return page(c, "instances", out, func(b instanceBody) string { return b.Name })
}
