package mysql

import (
	"strings"
	"sync/atomic"
)

// account is who the server took us for, as CURRENT_USER() tells it: "sluice@10.%". It is
// empty until a connection has succeeded, and shared by all copies of the Settings.
type account struct{ name atomic.Pointer[string] }

// note asks a new session for the account. What it does not tell stays unknown: the
// statement that follows says what is wrong with the session.
func (a *account) note(x *session) {
	if a == nil || a.name.Load() != nil {
		return
	}
	got, err := x.rows("SELECT CURRENT_USER()")
	if err == nil && len(got) == 1 && strings.Contains(got[0][0], "@") {
		a.name.Store(&got[0][0])
	}
}

// grantee is the account as GRANT and ALTER USER name it: the one that the server signed us
// in as, and where it never did, the one of every host.
func (s *Settings) grantee() string {
	user, host := s.User, "%"
	if s.signedIn != nil {
		if name := s.signedIn.name.Load(); name != nil {
			at := strings.LastIndexByte(*name, '@') // a user's name may hold one, a host's may not
			user, host = (*name)[:at], (*name)[at+1:]
		}
	}
	return quoteText(user) + "@" + quoteText(host)
}
