package sandbox

import (
	"context"
	"net"
)

// toAddr dials one address, whatever is asked for.
func toAddr(addr string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, addr)
	}
}
