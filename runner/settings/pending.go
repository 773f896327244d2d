package settings

import "errors"

// Load reads and checks everything. args are those after "serve"; environ is os.Environ().
// warnings are sentences to log. The error names every problem at once (Problems);
// it is ErrHelp when -h or --help was asked for.
func Load(args, environ []string) (s *Settings, warnings []string, err error) {
	return nil, nil, errors.New("not built yet")
}

// ErrHelp: help was asked for; print Help() and exit with 0.
var ErrHelp = errors.New("help was asked for")

// Help is the text of `sluice serve --help`.
func Help() string { return "" }
