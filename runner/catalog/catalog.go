// Package catalog lists the task types. Adding a connector is its folder and one line
// here.
package catalog

import (
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/fc"
	"github.com/sluice-io/sluice/runner/maxcompute"
	"github.com/sluice-io/sluice/runner/mysql"
	"github.com/sluice-io/sluice/runner/oss"
)

// All returns the declarations of every task type, in the order in which they are offered.
func All() []connector.Spec {
	return []connector.Spec{
		fc.Spec(),
		maxcompute.Spec(),
		oss.Spec(),
		mysql.Spec(),
	}
}

// SecretKeys names the write-only fields of a class; nil for a class that is not known.
func SecretKeys(class string) []string {
	s, err := connector.Find(All(), class)
	if err != nil {
		return nil
	}
	return s.SecretKeys()
}
