package models

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
)

func TestInstances(t *testing.T) {
	t.Parallel()
	s, clock := clocked(t)
	ctx := t.Context()
	in := runner.Instance{Name: "one", Region: "cn-beijing", BootstrapServers: "k:9092", SecurityProtocol: "SASL_SSL", SASLMechanism: "PLAIN", SASLUsername: "u", SASLPassword: "geheim",
		CAPEM: "pem", VPCID: "v", VSwitchID: "w", InternetAccess: true, Quota: 3}
	must(t, s.CreateInstance(ctx, &in))
	got, err := s.InstanceByName(ctx, "one")
	must(t, err)
	if got.ID != in.ID || got.SASLPassword != "geheim" || got.Region != "cn-beijing" || got.CAPEM != "pem" || got.VPCID != "v" || got.VSwitchID != "w" || !got.InternetAccess || got.Status != runner.InstanceUnknown || got.Enabled {
		t.Errorf("got %+v", got)
	}
	var taken *NameTakenError
	if err := s.CreateInstance(ctx, &runner.Instance{Name: "one"}); !errors.As(err, &taken) || taken.Kind != "instance" {
		t.Errorf("the same name: %v", err)
	}
	var invalid *InvalidError
	if err := s.CreateInstance(ctx, &runner.Instance{Name: "two", SASLPassword: connector.Masked}); !errors.As(err, &invalid) {
		t.Errorf("a mask: %v", err)
	}
	clock.move(1e9)
	since := got.Since
	must(t, s.SaveProbe(ctx, in.ID, Probe{ClusterID: "c", Version: "3.9", Brokers: []runner.Broker{{ID: 1, Address: "k:9092"}}, Status: runner.InstanceRunning}))
	got.SASLPassword, got.Quota, got.InternetAccess, got.Enabled = connector.Masked, 5, false, true
	must(t, s.UpdateInstance(ctx, got))
	got, err = s.Instance(ctx, in.ID)
	must(t, err)
	if got.SASLPassword != "geheim" || got.Quota != 5 || got.InternetAccess || got.Enabled || got.ClusterID != "c" || got.Brokers[0].Address != "k:9092" || !got.Since.After(since) {
		t.Errorf("got %+v", got)
	}
	since = got.Since
	clock.move(1e9)
	must(t, s.SaveProbe(ctx, in.ID, Probe{Status: runner.InstanceRunning, Detail: "d"}))
	if got, err = s.Instance(ctx, in.ID); err != nil || got.ClusterID != "c" || got.Version != "3.9" || len(got.Brokers) != 1 || !got.Since.Equal(since) || got.Detail != "d" {
		t.Errorf("after a poorer probe: %+v, %v", got, err)
	}
	must(t, s.SetInstanceEnabled(ctx, in.ID, true))
	got.SASLPassword = ""
	must(t, s.UpdateInstance(ctx, got))
	addConnector(t, s, in, "x")
	var used *InUseError
	if err := s.DeleteInstance(ctx, in.ID); !errors.As(err, &used) || used.Connectors != 1 {
		t.Errorf("deleting with connectors: %v", err)
	}
	list, err := s.Instances(ctx)
	must(t, err)
	if len(list) != 1 || list[0].Connectors != 1 || !list[0].Enabled || list[0].SASLPassword != "" || list[0].LostPassword {
		t.Errorf("list %+v", list)
	}
	empty := addInstance(t, s, "empty", 1)
	must(t, s.CreateDraft(ctx, &Draft{InstanceID: empty.ID}))
	must(t, s.DeleteInstance(ctx, empty.ID))
	for what, err := range map[string]error{"delete": s.DeleteInstance(ctx, 99), "update": s.UpdateInstance(ctx, runner.Instance{ID: 99}), "enable": s.SetInstanceEnabled(ctx, 99, true), "probe": s.SaveProbe(ctx, 99, Probe{})} {
		wantErr(t, what, err, runner.ErrNotFound)
	}
	_, err = s.InstanceByName(ctx, "none")
	wantErr(t, "by name", err, runner.ErrNotFound)
	_, err = s.InstanceInfo(ctx, "none")
	wantErr(t, "info", err, runner.ErrNotFound)
}

func TestDrafts(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t), t.Context()
	in := addInstance(t, s, "one", 3)
	admin, err := s.UserByName(ctx, "admin")
	must(t, err)
	d := Draft{InstanceID: in.ID, UserID: admin.ID, Class: "KAFKA2OSS", Step: connector.StepBasic, Values: connector.Config{"name": "Bad Name!", secretKey: "geheim"}}
	must(t, s.CreateDraft(ctx, &d))
	if len(d.ID) != 24 {
		t.Errorf("ID %q", d.ID)
	}
	d.Values, d.Step = connector.Config{"name": "good", secretKey: connector.Masked, "other.password": connector.Masked}, connector.StepSource
	must(t, s.SaveDraft(ctx, d))
	got, err := s.Draft(ctx, d.ID)
	must(t, err)
	if got.Step != connector.StepSource || got.UserID != admin.ID || got.Values["name"] != "good" || got.Values[secretKey] != "geheim" || len(got.Values) != 2 {
		t.Errorf("got %+v", got)
	}
	must(t, s.CreateDraft(ctx, &Draft{InstanceID: in.ID}))
	for _, c := range []struct {
		instance, user int64
		want           int
	}{{in.ID, admin.ID, 1}, {0, admin.ID, 1}, {in.ID, 0, 1}, {in.ID, 99, 0}, {99, admin.ID, 0}} {
		if list, err := s.Drafts(ctx, c.instance, c.user); err != nil || len(list) != c.want {
			t.Errorf("drafts of %d on %d: %d, %v", c.user, c.instance, len(list), err)
		}
	}
	must(t, s.DeleteDraft(ctx, d.ID))
	wantErr(t, "deleting twice", s.DeleteDraft(ctx, d.ID), runner.ErrNotFound)
	wantErr(t, "saving a gone one", s.SaveDraft(ctx, d), runner.ErrNotFound)
	wantErr(t, "on no instance", s.CreateDraft(ctx, &Draft{InstanceID: 99}), runner.ErrNotFound)
	// Drafts neither count for the quota nor stand in lists.
	if info, err := s.InstanceInfo(ctx, "one"); err != nil || info.Connectors != 0 {
		t.Errorf("%+v, %v", info, err)
	}
}

func TestAudit(t *testing.T) {
	t.Parallel()
	s, clock := clocked(t)
	ctx := t.Context()
	for i, act := range []string{"connector.create", "connector.delete", "user.login", "connector.create"} {
		clock.move(1e9)
		must(t, s.Audit(ctx, AuditEntry{Actor: []string{"alice", "bob"}[i%2], Act: act, Object: "one/x", Address: "10.0.0.1", Detail: map[string]string{"aliyun.access.key.secret": "geheim", "topics": "a"}}))
	}
	all, err := s.AuditEntries(ctx, AuditQuery{})
	must(t, err)
	if len(all) != 4 || all[0].ID < all[3].ID || all[0].Detail["aliyun.access.key.secret"] != connector.Masked || all[0].Detail["topics"] != "a" || !all[0].Time.Equal(clock.now()) {
		t.Errorf("entries %+v", all)
	}
	for _, c := range []struct {
		q    AuditQuery
		want int
	}{{AuditQuery{Actor: "alice"}, 2}, {AuditQuery{Act: "connector."}, 3}, {AuditQuery{Act: "connector.create"}, 2}, {AuditQuery{Act: "connector"}, 0}, {AuditQuery{Object: "one/x"}, 4}, {AuditQuery{Object: "one/y"}, 0},
		{AuditQuery{Before: all[1].ID}, 2}, {AuditQuery{Limit: 1}, 1}, {AuditQuery{From: clock.now()}, 1}, {AuditQuery{To: clock.now()}, 3}, {AuditQuery{Act: "%."}, 0}} {
		if got, err := s.AuditEntries(ctx, c.q); err != nil || len(got) != c.want {
			t.Errorf("%+v: %d entries, %v", c.q, len(got), err)
		}
	}
}

func TestQuotaRequests(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t), t.Context()
	in := addInstance(t, s, "one", 3)
	r := QuotaRequest{InstanceID: in.ID, Wanted: 9, Reason: "more", By: "bob"}
	must(t, s.RequestQuota(ctx, &r))
	second := QuotaRequest{InstanceID: in.ID, Wanted: 4, By: "bob"}
	must(t, s.RequestQuota(ctx, &second))
	var invalid *InvalidError
	if err := s.RequestQuota(ctx, &QuotaRequest{InstanceID: in.ID}); !errors.As(err, &invalid) {
		t.Errorf("wanting nothing: %v", err)
	}
	wantErr(t, "on no instance", s.RequestQuota(ctx, &QuotaRequest{InstanceID: 99, Wanted: 1}), runner.ErrNotFound)
	if err := s.DecideQuota(ctx, r.ID, true, -1, "admin", ""); !errors.As(err, &invalid) {
		t.Errorf("granting -1: %v", err)
	}
	must(t, s.DecideQuota(ctx, r.ID, true, 8, "admin", "8 will do"))
	must(t, s.DecideQuota(ctx, second.ID, false, 0, "admin", "no"))
	wantErr(t, "deciding twice", s.DecideQuota(ctx, r.ID, false, 0, "admin", ""), ErrDecided)
	wantErr(t, "deciding nothing", s.DecideQuota(ctx, 99, false, 0, "admin", ""), runner.ErrNotFound)
	got, err := s.Instance(ctx, in.ID)
	must(t, err)
	list, err := s.QuotaRequests(ctx, false)
	must(t, err)
	open, err := s.QuotaRequests(ctx, true)
	must(t, err)
	if got.Quota != 8 || len(list) != 2 || len(open) != 0 || list[1].State != RequestGranted || list[1].Instance != "one" || list[0].State != RequestRefused || list[0].Note != "no" {
		t.Errorf("quota %d, requests %+v", got.Quota, list)
	}
}

func TestRegionsAndEgressRules(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t), t.Context()
	must(t, s.AddRegion(ctx, connector.Region{ID: "eu-central-1", Name: "Germany (Frankfurt)"}))
	var taken *NameTakenError
	var invalid *InvalidError
	if err := s.AddRegion(ctx, connector.Region{ID: "eu-central-1", Name: "x"}); !errors.As(err, &taken) {
		t.Errorf("twice: %v", err)
	}
	for _, r := range []connector.Region{{}, {ID: "a"}, {ID: "A B", Name: "x"}, {ID: "-a", Name: "x"}} {
		if err := s.AddRegion(ctx, r); !errors.As(err, &invalid) {
			t.Errorf("%+v: %v", r, err)
		}
	}
	if list, err := s.Regions(ctx); err != nil || len(list) != 1 || list[0].Name != "Germany (Frankfurt)" {
		t.Errorf("regions %v, %v", list, err)
	}
	must(t, s.DeleteRegion(ctx, "eu-central-1"))
	wantErr(t, "deleting twice", s.DeleteRegion(ctx, "eu-central-1"), runner.ErrNotFound)

	rule := EgressRule{Allow: true, CIDR: "10.1.2.3/8", By: "admin"}
	must(t, s.AddEgressRule(ctx, &rule))
	if rule.CIDR != "10.0.0.0/8" {
		t.Errorf("stored %s", rule.CIDR)
	}
	if err := s.AddEgressRule(ctx, &EgressRule{Allow: true, CIDR: "10.0.0.0/8"}); !errors.As(err, &taken) {
		t.Errorf("twice: %v", err)
	}
	must(t, s.AddEgressRule(ctx, &EgressRule{CIDR: "10.0.0.7"}))
	for _, bad := range []string{"", "x", "10.0.0.0/40", "fe80::1%eth0", "0x7f.1"} {
		if err := s.AddEgressRule(ctx, &EgressRule{CIDR: bad}); !errors.As(err, &invalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if list, err := s.EgressRules(ctx); err != nil || len(list) != 2 || list[0].Allow || list[0].CIDR != "10.0.0.7/32" {
		t.Errorf("rules %+v, %v", list, err)
	}
	must(t, s.DeleteEgressRule(ctx, rule.ID))
	wantErr(t, "deleting twice", s.DeleteEgressRule(ctx, rule.ID), runner.ErrNotFound)
	must(t, s.SetSetting(ctx, "a", "1"))
	must(t, s.SetSetting(ctx, "a", "2"))
	if v, err := s.Setting(ctx, "a"); err != nil || v != "2" {
		t.Errorf("setting %q, %v", v, err)
	}
}

func TestAuditText(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t), t.Context()
	for i, e := range []AuditEntry{{Actor: "alice", Act: "connector.create", Object: "one/orders"}, {Actor: "bob", Act: "connector.suspend", Object: "one/orders"}, {Actor: "alice", Act: "instance.enable", Object: "two_x"}} {
		e.Time = s.o.Now().Add(time.Duration(i) * time.Second)
		must(t, s.Audit(ctx, e))
	}
	for _, c := range []struct {
		q    AuditQuery
		want string
	}{
		{AuditQuery{Text: "ALICE"}, "instance.enable connector.create"},
		{AuditQuery{Text: "suspend"}, "connector.suspend"},
		{AuditQuery{Text: "orders", Actor: "alice"}, "connector.create"},
		{AuditQuery{Text: "o_x"}, "instance.enable"},
		{AuditQuery{Text: "%"}, ""},
		{AuditQuery{Text: "orders", After: 1}, "connector.suspend"},
		{AuditQuery{Text: "orders", Before: 2}, "connector.create"},
	} {
		list, err := s.AuditEntries(ctx, c.q)
		must(t, err)
		var acts []string
		for _, e := range list {
			acts = append(acts, e.Act)
		}
		if got := strings.Join(acts, " "); got != c.want {
			t.Errorf("%+v: %q, want %q", c.q, got, c.want)
		}
	}
}
