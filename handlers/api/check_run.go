package api

import (
	"net/http"
	"slices"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
)

// checkRun answers POST /instances/{instance}/checks {"config":{…},"step"?}.
func checkRun(c *call) error {
	trial, step, err := c.trial()
	if err != nil {
		return err
	}
	findings := []connector.Finding{}
	err = c.svc.Check(c.Request.Context(), c.Param("instance"), trial, step, func(f connector.Finding) { findings = append(findings, f) })
	if err != nil {
		return err
	}
	return c.ok(http.StatusOK, map[string]any{"findings": findings})
}

// trial reads the body of checks and preview.
func (c *call) trial() (control.Trial, connector.StepID, error) {
	body, err := c.object("config", "step")
	if err != nil {
		return control.Trial{}, "", err
	}
	cfg, err := body.config("config")
	if err != nil {
		return control.Trial{}, "", err
	}
	step, err := body.text("step")
	if err != nil {
		return control.Trial{}, "", err
	}
	steps := []string{"", string(connector.StepBasic), string(connector.StepSource), string(connector.StepDestination)}
	if !slices.Contains(steps, step) {
		return control.Trial{}, "", invalid("step", "must be basic, source or destination, or left out for all.")
	}
	return control.Trial{Config: cfg}, connector.StepID(step), nil
}
