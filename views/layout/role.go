package layout

import (
	"context"

	"github.com/sluice-io/sluice/views/text"
)

// roleName returns what a role is called.
func roleName(ctx context.Context, role string) string {
	switch role {
	case "admin":
		return text.T(ctx, "role.admin")
	case "operator":
		return text.T(ctx, "role.operator")
	case "viewer":
		return text.T(ctx, "role.viewer")
	}
	return role
}
