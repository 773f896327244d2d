package connect

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/sluice-io/sluice/handlers/web"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
)

// connectorCreate answers POST /connectors.
func connectorCreate(s *Server, c *call) error {
	name, cfg, initial, err := c.creation()
	if err != nil {
		return err
	}
	if err := sameName(cfg, name); err != nil {
		return err
	}
	if err := s.checkClass(cfg); err != nil {
		return err
	}
	cfg[connector.KeyName] = name
	x, err := s.o.Control.CreateConnector(c.ctx, c.instance, name, cfg, initial)
	if err != nil {
		return s.refused(exists(err, name), cfg)
	}
	c.location(name)
	return c.json(http.StatusCreated, infoOf(x, 0))
}

// exists words a name that is taken as the real worker does.
func exists(err error, name string) error {
	if e := control.AsError(err); e.Exists && len(e.Fields) == 1 && e.Err == nil {
		return &httpError{http.StatusConflict, "Connector " + plain(name) + " already exists"}
	}
	return err
}

// creation decodes the body of POST /connectors.
func (c *call) creation() (name string, cfg connector.Config, initial control.Desired, err error) {
	body, err := c.object()
	if err != nil {
		return "", nil, "", err
	}
	for _, k := range slices.Sorted(maps.Keys(body)) {
		if k != "name" && k != "config" && k != "initial_state" {
			return "", nil, "", bad("Unrecognized field %q; the body has name, config and initial_state.", plain(k))
		}
	}
	if v := body["name"]; v != nil {
		text, ok := web.Scalar(v)
		if !ok {
			return "", nil, "", bad("name must be a string, not %s.", web.KindOf(v))
		}
		name = strings.TrimSpace(text)
	}
	object, ok := body["config"].(map[string]any)
	if !ok {
		return "", nil, "", bad("config must be an object of strings, not %s.", web.KindOf(body["config"]))
	}
	if cfg, err = whole(object); err != nil {
		return "", nil, "", err
	}
	initial, err = initialState(body["initial_state"])
	return name, cfg, initial, err
}

func initialState(v any) (control.Desired, error) {
	if v == nil {
		return control.DesiredRunning, nil
	}
	text, ok := v.(string)
	if !ok {
		return "", bad("initial_state must be RUNNING, PAUSED or STOPPED, not %s.", web.KindOf(v))
	}
	switch strings.ToUpper(text) {
	case "RUNNING":
		return control.DesiredRunning, nil
	case "PAUSED":
		return control.DesiredPaused, nil
	case "STOPPED":
		return control.DesiredNotDeployed, nil
	}
	return "", bad("initial_state must be RUNNING, PAUSED or STOPPED, not %q.", plain(text))
}

// location tells where the connector that was made is.
func (c *call) location(name string) {
	scheme := "http"
	if c.r.TLS != nil {
		scheme = "https"
	}
	c.w.Header().Set("Location", scheme+"://"+c.r.Host+Prefix+"/"+url.PathEscape(c.instance)+"/connectors/"+url.PathEscape(name))
}
