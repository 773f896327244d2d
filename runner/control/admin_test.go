package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
)

// adminStore holds what the use cases of administrators ask for, in memory.
type adminStore struct {
	Store // nil: what is not below is not asked
	rules []EgressRule
	last  int64
	own   []connector.Region
	open  []QuotaRequest
	acts  []string
}

func (s *adminStore) EgressRules(context.Context) ([]EgressRule, error) {
	return slices.Clone(s.rules), nil
}

func (s *adminStore) AddEgressRule(_ context.Context, r *EgressRule) error {
	for _, have := range s.rules {
		if have.CIDR == r.CIDR && have.Allow == r.Allow {
			return fmt.Errorf("%w: %s", ErrExists, r.CIDR)
		}
	}
	s.last++
	r.ID = s.last
	s.rules = append(s.rules, *r)
	return nil
}

func (s *adminStore) DeleteEgressRule(_ context.Context, id int64) error {
	n := len(s.rules)
	s.rules = slices.DeleteFunc(s.rules, func(r EgressRule) bool { return r.ID == id })
	if len(s.rules) == n {
		return runner.ErrNotFound
	}
	return nil
}

func (s *adminStore) Regions(context.Context) ([]connector.Region, error) { return s.own, nil }

func (s *adminStore) AddRegion(_ context.Context, r connector.Region) error {
	s.own = append(s.own, r)
	return nil
}

func (s *adminStore) DeleteRegion(context.Context, string) error { return runner.ErrNotFound }

func (s *adminStore) InstanceByName(_ context.Context, name string) (runner.Instance, error) {
	id, ok := map[string]int64{"one": 1, "two": 2}[name]
	if !ok {
		return runner.Instance{}, runner.ErrNotFound
	}
	return runner.Instance{ID: id, Name: name, Quota: 3}, nil
}

func (s *adminStore) Instances(context.Context) ([]InstanceInfo, error) {
	return []InstanceInfo{{Instance: runner.Instance{Name: "one", Region: "eu-central-1"}}}, nil
}

func (s *adminStore) QuotaRequests(context.Context, bool) ([]QuotaRequest, error) {
	return s.open, nil
}

func (s *adminStore) Audit(_ context.Context, e AuditEntry) error {
	s.acts = append(s.acts, e.Actor+" "+e.Act+" "+e.Object)
	return nil
}

// admin makes a service whose hook writes down what it would put in force.
func admin(t *testing.T) (s *Service, store *adminStore, forced *[]string, fail *error, ctx context.Context) {
	store, forced, fail = &adminStore{}, &[]string{}, new(error)
	apply := func(ctx context.Context) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if *fail != nil {
			return *fail
		}
		*forced = nil
		for _, r := range store.rules {
			*forced = append(*forced, r.List()+" "+r.CIDR)
		}
		return nil
	}
	s = New(Options{Store: store, Egress: Egress{Apply: apply}, Logger: slog.New(slog.DiscardHandler)})
	return s, store, forced, fail, WithActor(t.Context(), Actor{Name: "root", Role: Admin})
}

func TestEgressRulesAreInForceAtOnce(t *testing.T) {
	t.Parallel()
	s, store, forced, fail, ctx := admin(t)
	r, err := s.AddEgressRule(ctx, ListAllow, "::ffff:8.8.8.8", " why ")
	if err != nil || r.ID != 1 || r.CIDR != "8.8.8.8/32" || !r.Allow || r.Note != "why" || r.By != "root" {
		t.Fatalf("%+v %v", r, err)
	}
	if _, err := s.AddEgressRule(ctx, ListDeny, "fd00::/8", ""); err != nil {
		t.Fatal(err)
	}
	if want := []string{"allow 8.8.8.8/32", "deny fd00::/8"}; !slices.Equal(*forced, want) {
		t.Errorf("in force: %v", *forced)
	}
	_, err = s.AddEgressRule(ctx, ListAllow, "8.8.8.8", "")
	if e := AsError(err); e.Kind != Conflict || len(e.Fields) != 1 || e.Fields[0].Field != EgressCIDR {
		t.Errorf("twice: %v", err)
	}

	*fail = errors.New("disk")
	if _, err := s.AddEgressRule(ctx, ListAllow, "9.9.9.9", ""); AsError(err).Kind != Unavailable || len(store.rules) != 2 {
		t.Errorf("a rule that is not in force: %v, kept %v", err, store.rules)
	}
	*fail = nil
	gone, cancel := context.WithCancel(ctx)
	cancel() // the client goes away in the middle
	if _, err := s.DeleteEgressRule(gone, r.ID); err != nil && AsError(err).Kind != Conflict {
		t.Fatal(err)
	}
	if len(*forced) != len(store.rules) {
		t.Errorf("stored %v, in force %v", store.rules, *forced)
	}
	if len(store.rules) == 2 { // the lock was given up: nothing was done
		if _, err := s.DeleteEgressRule(ctx, r.ID); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"deny fd00::/8"}; !slices.Equal(*forced, want) {
		t.Errorf("in force: %v", *forced)
	}
	if _, err := s.DeleteEgressRule(ctx, r.ID); AsError(err).Kind != NotFound {
		t.Errorf("removed twice: %v", err)
	}
	if want := []string{"root egress.allow 8.8.8.8/32", "root egress.deny fd00::/8", "root egress.delete 8.8.8.8/32"}; !slices.Equal(store.acts, want) {
		t.Errorf("audit: %q", store.acts)
	}
}

// TestAddressRange reads ranges as the network rules compare them.
func TestAddressRange(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text  string
		allow bool
		want  string // "" when refused
	}{
		{"10.0.0.0/8", false, "10.0.0.0/8"}, {" 10.0.0.1 ", false, "10.0.0.1/32"}, {"fd00:1::/32", true, "fd00:1::/32"}, {"::ffff:10.0.0.0/104", true, "10.0.0.0/8"},
		{"127.0.0.0/8", true, "127.0.0.0/8"}, {"0.0.0.0/0", true, "0.0.0.0/0"}, {"::/0", false, "::/0"}, {"169.254.0.0/16", false, "169.254.0.0/16"}, {"fe80::/10", false, "fe80::/10"},
		{"169.254.169.254", true, ""}, {"fe80::1", true, ""}, {"ff02::1", true, ""}, {"0.0.0.0", true, ""}, {"::", true, ""},
		{"", false, ""}, {"10.0.0.1/8", false, ""}, {"fe80::1%1", false, ""}, {"::ffff:0:0/95", false, ""}, {"x", false, ""}, {"1.2.3.4/", false, ""}, {"1.2.3.4/08", false, ""}, {"0x7f.1", false, ""},
	} {
		p, message := addressRange(c.text, c.allow)
		if (message == "") != (c.want != "") || message == "" && p.String() != c.want {
			t.Errorf("%q: %s %q, want %q", c.text, p, message, c.want)
		}
	}
}

func TestRegionsOfAdministrators(t *testing.T) {
	t.Parallel()
	s, store, _, _, ctx := admin(t)
	if _, err := s.AddRegion(ctx, " eu-central-1 ", " Frankfurt "); err != nil || store.own[0] != (connector.Region{ID: "eu-central-1", Name: "Frankfurt"}) {
		t.Fatalf("%v %v", store.own, err)
	}
	all, err := s.KnownRegions(ctx)
	if err != nil || len(all) != len(BuiltinRegions())+1 {
		t.Fatalf("%v %v", all, err)
	}
	if last := all[len(all)-1]; last.Builtin || last.Instances != 1 || !all[0].Builtin {
		t.Errorf("%+v", all)
	}
	if err := s.DeleteRegion(ctx, "cn-hangzhou"); AsError(err).Kind != Conflict {
		t.Errorf("a built-in one: %v", err)
	}
	if err := s.DeleteRegion(ctx, "none"); AsError(err).Kind != NotFound {
		t.Errorf("none: %v", err)
	}
}

func TestWaitingQuotaRequestIsOfOneInstance(t *testing.T) {
	t.Parallel()
	s, store, _, _, ctx := admin(t)
	store.open = []QuotaRequest{{ID: 9, InstanceID: 2}, {ID: 8, InstanceID: 1}, {ID: 7, InstanceID: 1}}
	operator := WithActor(ctx, Actor{Role: Operator})
	for name, want := range map[string]int64{"one": 8, "two": 9} {
		if r, ok, err := s.WaitingQuotaRequest(operator, name); err != nil || !ok || r.ID != want {
			t.Errorf("%s: %+v %v %v", name, r, ok, err)
		}
	}
	if _, _, err := s.WaitingQuotaRequest(operator, "three"); AsError(err).Kind != NotFound {
		t.Errorf("three: %v", err)
	}
	store.open = nil
	if _, ok, err := s.WaitingQuotaRequest(operator, "one"); ok || err != nil {
		t.Errorf("none waits: %v %v", ok, err)
	}
}

// TestAdministratorsOnly calls each use case with every lesser role.
func TestAdministratorsOnly(t *testing.T) {
	t.Parallel()
	s, store, _, _, ctx := admin(t)
	for name, act := range map[string]func(context.Context) error{
		"EgressRules": func(ctx context.Context) error { _, err := s.EgressRules(ctx); return err },
		"AddEgressRule": func(ctx context.Context) error {
			_, err := s.AddEgressRule(ctx, ListDeny, "10.0.0.0/8", "")
			return err
		},
		"DeleteEgressRule": func(ctx context.Context) error { _, err := s.DeleteEgressRule(ctx, 1); return err },
		"KnownRegions":     func(ctx context.Context) error { _, err := s.KnownRegions(ctx); return err },
		"AddRegion":        func(ctx context.Context) error { _, err := s.AddRegion(ctx, "x", "X"); return err },
		"DeleteRegion":     func(ctx context.Context) error { return s.DeleteRegion(ctx, "x") },
		"SetQuota":         func(ctx context.Context) error { _, err := s.SetQuota(ctx, "one", "4"); return err },
	} {
		for _, role := range []Role{Viewer, Operator, ""} {
			if err := act(WithActor(ctx, Actor{Role: role})); AsError(err).Kind != Forbidden {
				t.Errorf("%s as %q: %v", name, role, err)
			}
		}
	}
	if _, _, err := s.WaitingQuotaRequest(WithActor(ctx, Actor{Role: Viewer}), "one"); AsError(err).Kind != Forbidden {
		t.Errorf("a viewer: %v", err)
	}
	for _, quota := range []string{"", "-1", "10001", "x", "1.5"} {
		if _, err := s.SetQuota(ctx, "one", quota); AsError(err).Kind != Invalid {
			t.Errorf("quota %q: %v", quota, err)
		}
	}
	if len(store.acts)+len(store.rules)+len(store.own) != 0 {
		t.Errorf("something was done: %+v", store)
	}
}
