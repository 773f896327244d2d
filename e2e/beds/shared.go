package beds

import (
	"fmt"
	"sync"

	"github.com/sluice-io/sluice/e2e/harness"
)

// Shared are servers that the tests of a process share, one of each flavor, started when it is first asked for: to start
// one costs more than most tests. Who uses one keeps to a database of its own and changes nothing that others see: no
// global variable, no restart, no purge, no prepared transaction. The log has the transactions of all.
type Shared struct {
	servers map[string]func() *Server
}

// NewShared makes servers that live as long as main; prepare is run on each when it has started.
func NewShared(main *harness.Main, prepare func(*Server)) *Shared {
	lazy := func(flavor string) func() *Server {
		return sync.OnceValue(func() *Server {
			s := Start(main, flavor)
			prepare(s)
			return s
		})
	}
	return &Shared{servers: map[string]func() *Server{MariaDB: lazy(MariaDB), MySQL: lazy(MySQL)}}
}

// Server is the shared one of a flavor, as t sees it. Where it has not been fetched t is skipped, and fails when
// SLUICE_REQUIRE_JUDGES=1.
func (sh *Shared) Server(t harness.T, flavor string) *Server {
	t.Helper()
	if _, err := programOf(flavor).template(); err != nil {
		missing(t, err)
	}
	return sh.servers[flavor]().For(t)
}

// For is the server as another test sees it: failures are that test's.
func (s *Server) For(t harness.T) *Server {
	other := *s
	other.t = t
	return &other
}

// In makes a database and is the server with it: the administrator's connections that are opened from then on begin in it.
func (s *Server) In(database string) *Server {
	s.t.Helper()
	s.Exec(fmt.Sprintf("CREATE DATABASE `%s`", database))
	other := *s
	other.Database = database
	return &other
}
