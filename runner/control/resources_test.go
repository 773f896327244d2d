package control

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/runner/connector"
)

// resources are a connector's default names, with changes.
func resources(name string, change connector.Config) connector.Config {
	cfg := connector.Config{
		connector.KeyName: name, connector.KeyGroup: "connect-" + name, connector.KeyOffsetTopic: "connect-offset-" + name, connector.KeyConfigTopic: "connect-config-" + name,
		connector.KeyStatusTopic: "connect-status-" + name, connector.KeyDeadLetter: "connect-error-" + name, connector.KeyAbnormal: "connect-error-" + name,
	}
	maps.Copy(cfg, change)
	return cfg
}

func fieldsOf(problems []connector.FieldError) string {
	var out []string
	for _, p := range problems {
		out = append(out, p.Field)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// TestOneTopicInTwoRoles: a topic that is named twice is refused when the configuration is checked, not at deploy.
func TestOneTopicInTwoRoles(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		change connector.Config
		want   string
	}{
		{nil, ""},
		{connector.Config{connector.KeyAbnormal: "aside"}, ""},
		{connector.Config{connector.KeyConfigTopic: "same", connector.KeyOffsetTopic: "same"}, connector.KeyConfigTopic},
		{connector.Config{connector.KeyStatusTopic: "connect-offset-a"}, connector.KeyStatusTopic},
		{connector.Config{connector.KeyDeadLetter: "connect-config-a"}, connector.KeyDeadLetter},
		{connector.Config{connector.KeyAbnormal: "connect-status-a"}, connector.KeyAbnormal},
		{connector.Config{connector.KeyDeadLetter: "connect-status-a", connector.KeyAbnormal: "connect-status-a"}, connector.KeyAbnormal + " " + connector.KeyDeadLetter},
		{connector.Config{connector.KeyGroup: "connect-cluster-a"}, connector.KeyGroup},
		{connector.Config{connector.KeyGroup: "connect-config-a"}, ""}, // groups and topics may have one name
	} {
		if got := fieldsOf(roleProblems(&candidate{resolved: resources("a", c.change)})); got != c.want {
			t.Errorf("%v: refused %q, want %q", c.change, got, c.want)
		}
	}
}

// TestAnothersResources: what another connector owns is refused in every role, not only in the same one.
func TestAnothersResources(t *testing.T) {
	t.Parallel()
	theirs := owned(resources("b", nil))
	for _, c := range []struct {
		name   string
		change connector.Config
		want   string
	}{
		{"a", nil, ""},
		{"a", connector.Config{connector.KeyOffsetTopic: "connect-offset-b"}, connector.KeyOffsetTopic},
		{"a", connector.Config{connector.KeyStatusTopic: "connect-offset-b"}, connector.KeyStatusTopic},
		{"a", connector.Config{connector.KeyDeadLetter: "connect-error-b", connector.KeyAbnormal: "connect-error-b"}, connector.KeyDeadLetter},
		{"a", connector.Config{connector.KeyGroup: "connect-b"}, connector.KeyGroup},
		{"a", connector.Config{connector.KeyGroup: "connect-cluster-b"}, connector.KeyGroup},
		{"b", connector.Config{connector.KeyGroup: "g", connector.KeyOffsetTopic: "o", connector.KeyConfigTopic: "c", connector.KeyStatusTopic: "s", connector.KeyDeadLetter: "d", connector.KeyAbnormal: "d"}, ""},
	} {
		if got := fieldsOf(shared(owned(resources(c.name, c.change)), theirs, "b")); got != c.want {
			t.Errorf("%s %v: refused %q, want %q", c.name, c.change, got, c.want)
		}
	}
	if got := fieldsOf(shared(owned(resources("a", nil)), owned(resources("b", connector.Config{connector.KeyGroup: "connect-cluster-a"})), "b")); got != connector.KeyName {
		t.Errorf("the other reads in this one's group: refused %q", got)
	}
}
