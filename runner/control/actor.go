package control

import "context"

// Role is what a user may do. Each contains the one before.
type Role string

const (
	// Viewer sees everything but payloads and secrets.
	Viewer Role = "viewer"
	// Operator also sees payloads and works on connectors.
	Operator Role = "operator"
	// Admin also works on instances, users, quotas, regions and egress.
	Admin Role = "admin"
)

func (r Role) rank() int {
	switch r {
	case Viewer:
		return 1
	case Operator:
		return 2
	case Admin:
		return 3
	}
	return 0
}

// May tells whether the role includes another.
func (r Role) May(need Role) bool { return r.rank() >= need.rank() && r.rank() > 0 }

// Actor is who asks: a signed-in user, or the program itself.
type Actor struct {
	UserID  int64
	Name    string
	Role    Role
	Address string // of the client, without port; "" for the program itself
}

// System is the actor of what the program does by itself.
func System() Actor { return Actor{Name: "sluice", Role: Admin} }

type actorKey struct{}

// WithActor returns a context that carries who asks.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// ActorFrom returns who asks; the zero Actor may nothing.
func ActorFrom(ctx context.Context) Actor {
	a, _ := ctx.Value(actorKey{}).(Actor)
	return a
}

// need refuses an act that the actor's role does not include.
func need(ctx context.Context, role Role) error {
	if a := ActorFrom(ctx); !a.Role.May(role) {
		return &Error{Kind: Forbidden, Message: "Your role does not allow this: it needs the role " + string(role) + "."}
	}
	return nil
}
