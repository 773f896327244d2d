package mysql

import (
	"context"
	"errors"

	"github.com/sluice-io/sluice/runner/connector"
)

func newSource(context.Context, connector.Config, connector.Deps) (connector.Source, error) {
	return nil, &connector.WrongError{Err: errors.New("the reader is not part of this build"), Remedy: "Use a build that has it."}
}

func positions() *connector.Positions { return nil }

// The runner's transactional writer reads it.
var _ = func(cfg connector.Config) string { return cfg.Get(connector.KeyCompression) }
