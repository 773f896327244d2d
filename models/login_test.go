package models

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner"
)

func clocked(t testing.TB) (*Store, *clock) {
	t.Helper()
	c := newClock()
	o := options(t.TempDir())
	o.Now = c.now
	return openStore(t, o), c
}

func TestPasswords(t *testing.T) {
	t.Parallel()
	hash, err := hashPassword("geheim")
	must(t, err)
	other, err := hashPassword("geheim")
	must(t, err)
	if hash == other || strings.Contains(hash, "geheim") || !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hashes %q, %q", hash, other)
	}
	for password, want := range map[string]bool{"geheim": true, "Geheim": false, "": false, "geheim ": false} {
		if got, err := verifyPassword(hash, password); err != nil || got != want {
			t.Errorf("%q: %v, %v", password, got, err)
		}
	}
	for _, bad := range []string{"", "geheim", "$argon2id$v=19$m=1,t=0,p=1$YQ$YQ", "$argon2id$v=18$m=64,t=1,p=1$YQ$YQ", "$argon2id$v=19$m=99999999,t=1,p=1$YQ$YQ", "$argon2id$v=19$m=64,t=1,p=1$YQ$", "$argon2i$v=19$m=64,t=1,p=1$YQ$YQ"} {
		if ok, err := verifyPassword(bad, "geheim"); ok || err == nil {
			t.Errorf("%q was taken: %v, %v", bad, ok, err)
		}
	}
}

func TestUsers(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t), t.Context()
	bob, err := s.CreateUser(ctx, "bob", "password-1", RoleOperator)
	must(t, err)
	var taken *NameTakenError
	if _, err := s.CreateUser(ctx, "BOB", "x", RoleViewer); !errors.As(err, &taken) {
		t.Errorf("the same name: %v", err)
	}
	for _, c := range []struct {
		name, password string
		role           Role
		field          string
	}{{"", "x", RoleViewer, "name"}, {"a b", "x", RoleViewer, "name"}, {strings.Repeat("a", 65), "x", RoleViewer, "name"}, {"<b>", "x", RoleViewer, "name"}, {"eve", "", RoleViewer, "password"},
		{"eve", strings.Repeat("x", 1025), RoleViewer, "password"}, {"eve", "\xff", RoleViewer, "password"}, {"eve", "x", "root", "role"}, {"eve", "x", "", "role"}} {
		var invalid *InvalidError
		if _, err := s.CreateUser(ctx, c.name, c.password, c.role); !errors.As(err, &invalid) || invalid.Field != c.field {
			t.Errorf("%q %.10q %q: %v", c.name, c.password, c.role, err)
		}
	}
	admin, err := s.UserByName(ctx, "admin")
	must(t, err)
	wantErr(t, "demoting the last admin", s.SetRole(ctx, admin.ID, RoleViewer), ErrLastAdmin)
	wantErr(t, "deleting the last admin", s.DeleteUser(ctx, admin.ID), ErrLastAdmin)
	must(t, s.SetRole(ctx, bob.ID, RoleAdmin))
	must(t, s.SetRole(ctx, admin.ID, RoleViewer))
	must(t, s.DeleteUser(ctx, admin.ID))
	wantErr(t, "a user that is gone", s.SetPassword(ctx, admin.ID, "x"), runner.ErrNotFound)
	list, err := s.Users(ctx)
	must(t, err)
	if len(list) != 1 || list[0].Name != "bob" || list[0].Role != RoleAdmin {
		t.Errorf("users %+v", list)
	}
	for _, c := range []struct {
		have, want Role
		ok         bool
	}{{RoleAdmin, RoleViewer, true}, {RoleOperator, RoleOperator, true}, {RoleViewer, RoleOperator, false}, {"", RoleViewer, false}, {"root", "root", false}, {RoleAdmin, "", false}} {
		if c.have.Allows(c.want) != c.ok {
			t.Errorf("%q allows %q: %v", c.have, c.want, !c.ok)
		}
	}
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	s, clock := clocked(t)
	ctx := t.Context()
	u, err := s.Authenticate(ctx, "admin", "admin-password", "10.0.0.1")
	if err != nil || u.Name != "admin" {
		t.Fatalf("%+v, %v", u, err)
	}
	for _, c := range [][2]string{{"admin", "wrong"}, {"admin", ""}, {"nobody", "admin-password"}, {"", ""}, {"admin", strings.Repeat("x", 5000)}} {
		_, err := s.Authenticate(ctx, c[0], c[1], "10.0.0.1")
		wantErr(t, c[0], err, ErrWrongCredentials)
	}
	// A changed password holds at once, whatever is remembered.
	must(t, s.SetPassword(ctx, u.ID, "another"))
	_, err = s.Authenticate(ctx, "admin", "admin-password", "10.0.0.9")
	wantErr(t, "the old password", err, ErrWrongCredentials)
	_, err = s.Authenticate(ctx, "admin", "another", "10.0.0.9")
	must(t, err)
	row := userRow{}
	must(t, s.read(ctx).Take(&row, "name = ?", "admin").Error)
	if !s.login.remembers(&row, "another") || s.login.remembers(&row, "admin-password") || fromMillis(row.LastSeen).IsZero() {
		t.Error("what is remembered is wrong")
	}
	clock.move(rememberFor)
	if s.login.remembers(&row, "another") {
		t.Error("remembered for longer than a minute")
	}
}

func TestThrottling(t *testing.T) {
	t.Parallel()
	s, clock := clocked(t)
	ctx := t.Context()
	var throttled *ThrottledError
	wrong := func(name, address string, n int) (last error) {
		for range n {
			_, last = s.Authenticate(ctx, name, "wrong", address)
		}
		return last
	}
	wantErr(t, "within the limit", wrong("admin", "10.0.0.1", userBurst), ErrWrongCredentials)
	if err := wrong("admin", "10.0.0.2", 1); !errors.As(err, &throttled) || throttled.RetryAfter <= 0 || throttled.RetryAfter > refill {
		t.Errorf("beyond the user's limit: %v", err)
	}
	wantErr(t, "another user from the same address", wrong("bob", "10.0.0.1", 1), ErrWrongCredentials)
	// The right password works all the same, from anywhere.
	for _, address := range []string{"10.0.0.1", "10.0.0.3"} {
		if _, err := s.Authenticate(ctx, "admin", "admin-password", address); err != nil {
			t.Errorf("right credentials from %s: %v", address, err)
		}
	}
	// An address that tries many names is limited too.
	for i := range addressBurst {
		_ = wrong(fmt.Sprintf("user%d", i), "10.0.0.66", 1)
	}
	if err := wrong("fresh", "10.0.0.66", 1); !errors.As(err, &throttled) {
		t.Errorf("beyond the address's limit: %v", err)
	}
	if _, err := s.Authenticate(ctx, "admin", "admin-password", "10.0.0.66"); err != nil {
		t.Errorf("right credentials from there: %v", err)
	}
	clock.move(2 * refill)
	wantErr(t, "after the pause", wrong("fresh", "10.0.0.66", 1), ErrWrongCredentials)
}

// While a flood of wrong attempts is being verified, the right ones get through.
func TestRightCredentialsInAFlood(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t), t.Context()
	var wg sync.WaitGroup
	for range 60 {
		wg.Go(func() {
			if _, err := s.Authenticate(ctx, "admin", "wrong", "10.6.6.6"); err == nil {
				t.Error("a wrong password was right")
			}
		})
	}
	if _, err := s.Authenticate(ctx, "admin", "admin-password", "10.0.0.1"); err != nil {
		t.Errorf("right credentials: %v", err)
	}
	wg.Wait()
	if _, err := s.Authenticate(ctx, "admin", "admin-password", "10.0.0.1"); err != nil {
		t.Errorf("right credentials afterwards: %v", err)
	}
}

func TestSessions(t *testing.T) {
	t.Parallel()
	s, clock := clocked(t)
	ctx := t.Context()
	admin, err := s.UserByName(ctx, "admin")
	must(t, err)
	secret, err := s.NewSession(ctx, admin.ID, "10.0.0.1", strings.Repeat("agent", 100))
	must(t, err)
	other, err := s.NewSession(ctx, admin.ID, "10.0.0.2", "b")
	must(t, err)
	if len(secret) != 43 || secret == other {
		t.Errorf("secrets %q, %q", secret, other)
	}
	var hash string
	must(t, s.read(ctx).Raw("SELECT hash FROM sessions LIMIT 1").Scan(&hash).Error)
	if hash == secret || strings.Contains(hash, secret) {
		t.Error("the secret is stored")
	}
	live := func(secret string) error { _, _, err := s.SessionBySecret(ctx, secret); return err }
	sess, u, err := s.SessionBySecret(ctx, secret)
	if err != nil || u.Role != RoleAdmin || sess.User != "admin" || len(sess.Agent) != 200 {
		t.Errorf("%+v, %+v, %v", sess, u, err)
	}
	for _, bad := range []string{"", "x", secret + "x", hash} {
		wantErr(t, bad, live(bad), runner.ErrNotFound)
	}
	// Kept alive by use, up to seven days.
	for range 14 {
		clock.move(11 * time.Hour)
		must(t, live(secret))
	}
	wantErr(t, "an idle one", live(other), runner.ErrNotFound)
	clock.move(11 * time.Hour)
	must(t, live(secret)) // 165 hours
	clock.move(4 * time.Hour)
	wantErr(t, "after seven days", live(secret), runner.ErrNotFound)
	_, err = s.Prune(ctx)
	must(t, err)
	var n int64
	must(t, s.read(ctx).Table("sessions").Count(&n).Error)
	if n != 0 {
		t.Errorf("%d ended sessions are left", n)
	}

	one, err := s.NewSession(ctx, admin.ID, "a", "b")
	must(t, err)
	two, err := s.NewSession(ctx, admin.ID, "a", "b")
	must(t, err)
	list, err := s.Sessions(ctx, admin.ID)
	must(t, err)
	if len(list) != 2 {
		t.Fatalf("sessions %+v", list)
	}
	must(t, s.RevokeSession(ctx, list[0].ID)) // the newest
	wantErr(t, "revoking twice", s.RevokeSession(ctx, list[0].ID), runner.ErrNotFound)
	wantErr(t, "a revoked one", live(two), runner.ErrNotFound)
	must(t, live(one))
	must(t, s.SetPassword(ctx, admin.ID, "another"))
	wantErr(t, "after a new password", live(one), runner.ErrNotFound)
	if _, err := s.NewSession(ctx, 99, "a", "b"); !errors.Is(err, runner.ErrNotFound) {
		t.Errorf("a session of nobody: %v", err)
	}
}
