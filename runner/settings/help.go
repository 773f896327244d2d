package settings

import (
	"fmt"
	"strings"
)

// Help is the text of `sluice serve --help`.
func Help() string {
	var b strings.Builder
	b.WriteString(`Usage: sluice serve [flags]

Starts the console and the runner. Every setting is a flag, an environment variable
and a key of the YAML file given by --config (with underscores or hyphens); flag beats
environment beats file. Sizes are bytes, or a number with KiB, MiB or GiB; ages are
like 7d, 36h or 90m.

`)
	settings := table()
	for i := range settings {
		s := &settings[i]
		if s.noFlag {
			fmt.Fprintf(&b, "  (no flag)\n")
		} else {
			fmt.Fprintf(&b, "  --%s %s\n", s.name, s.arg)
		}
		fmt.Fprintf(&b, "        %s\n", s.help)
		def := s.defIs
		if def == "" {
			def = s.def
		}
		if def == "" {
			def = "none"
		}
		key := ", file " + s.key()
		if s.name == "config" {
			key = ""
		}
		fmt.Fprintf(&b, "        %s%s; default: %s\n", s.env(), key, def)
	}
	b.WriteString("\n  -h, --help\n        this text\n")
	return b.String()
}
