package api

import "net/http"

// choiceList answers GET …/choices.
func choiceList(c *call) error {
	all, err := c.svc.Choices(c.Request.Context(), c.Param("instance"), c.Param("connector"))
	if err != nil {
		return err
	}
	return c.ok(http.StatusOK, map[string]any{"choices": all})
}

// choiceMake answers POST …/choose {"topic","partition","choice","offset"?}; of a source
// {"choice"} alone.
func choiceMake(c *call) error {
	body, err := c.object("topic", "partition", "choice", "offset")
	if err != nil {
		return err
	}
	topic, err := body.text("topic")
	if err != nil {
		return err
	}
	partition, err := body.integer("partition", 0, 32)
	if err != nil {
		return err
	}
	choice, err := body.text("choice")
	if err != nil {
		return err
	}
	if choice == "" {
		return invalid("choice", "Name the choice; GET …/choices lists what is offered.")
	}
	var offset *int64
	if body["offset"] != nil {
		n, err := body.integer("offset", 0, 64)
		if err != nil {
			return err
		}
		offset = &n
	}
	if err := c.svc.Choose(c.Request.Context(), c.Param("instance"), c.Param("connector"), topic, int32(partition), choice, offset); err != nil {
		return err
	}
	return c.ok(http.StatusAccepted, struct{}{})
}
