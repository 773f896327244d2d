// Package catalog lists the task types. Adding a connector is its folder and one line
// here.
package catalog

import (
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/oss"
)

// All returns the declarations of every task type, in the order in which they are offered.
func All() []connector.Spec {
	return []connector.Spec{
		oss.Spec(),
	}
}
