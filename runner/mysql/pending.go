package mysql

import (
	"context"
	"errors"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/record"
)

func newSource(context.Context, connector.Config, connector.Deps) (connector.Source, error) {
	return nil, &connector.WrongError{Err: errors.New("the reader is not part of this build"), Remedy: "Use a build that has it."}
}

func positions() *connector.Positions { return nil }

func check(context.Context, connector.Config, connector.Deps, func(connector.Finding)) error {
	return nil
}

func preview(context.Context, connector.Config, connector.Deps, []record.Record) ([]connector.Sample, error) {
	return nil, nil
}

func lookupDatabases(context.Context, connector.Config, connector.Deps) ([]connector.Option, error) {
	return nil, nil
}

func lookupTables(context.Context, connector.Config, connector.Deps) ([]connector.Option, error) {
	return nil, nil
}

// The runner's transactional writer reads it.
var _ = func(cfg connector.Config) string { return cfg.Get(connector.KeyCompression) }
