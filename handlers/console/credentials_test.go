package console_test

import (
	"net/http"
	"testing"
)

// TestCredentialFieldsFollowTheChoice goes through the ways to authenticate by forms,
// without a script: each shows its own fields, and what it needs is named at the field.
func TestCredentialFieldsFollowTheChoice(t *testing.T) {
	t.Parallel()
	s := newSite(t, "orders")
	b := s.as("otto")
	page := b.wizardAt("orders-by-role", "destination")
	fields := func(a answer, shown ...string) {
		t.Helper()
		for _, key := range []string{"aliyun.access.key.id", "aliyun.access.key.secret", "aliyun.role.arn", "aliyun.account", "aliyun.role.name", "aliyun.sts.endpoint"} {
			want := false
			for _, k := range shown {
				want = want || k == key
			}
			if got := a.doc.Find(`#wizard-form [name="`+key+`"]`).Length() > 0; got != want {
				t.Errorf("%s is shown: %v", key, got)
			}
		}
	}
	pair := []string{"aliyun.access.key.id", "aliyun.access.key.secret"}
	role := append([]string{"aliyun.role.arn", "aliyun.account", "aliyun.role.name", "aliyun.sts.endpoint"}, pair...)
	fields(page, pair...)
	for _, value := range []string{"access_key", "ram_role", "ecs_ram_role"} {
		page.has(`#wizard-form [name="aliyun.auth"][value="` + value + `"]`)
	}
	page = b.fill(page, "#wizard-form", "oss.endpoint", "http://127.0.0.1:1", "oss.bucket", "data-lake", "aliyun.access.key.id", "LTAI", "aliyun.access.key.secret", secret,
		"aliyun.auth", "ram_role", "_go", "update").want(http.StatusOK).hidesSecrets()
	fields(page, role...)
	if page.doc.Find(`details:not([open]) [name="aliyun.role.arn"]`).Length() > 0 {
		t.Error("the role is folded away where it is what is asked for")
	}
	bad := b.fill(page, "#wizard-form", "_go", "next").want(http.StatusUnprocessableEntity).hidesSecrets()
	bad.has(`[name="aliyun.sts.endpoint"][aria-invalid=true]`)
	bad = b.fill(bad, "#wizard-form", "aliyun.sts.endpoint", "http://127.0.0.1:2", "_go", "next").want(http.StatusUnprocessableEntity).says("over HTTPS only")
	bad = b.fill(bad, "#wizard-form", "aliyun.sts.endpoint", "https://127.0.0.1:2", "_go", "next").want(http.StatusUnprocessableEntity)
	bad.has(`[name="aliyun.role.arn"][aria-invalid=true]`).says("give its ARN, or the account's ID and the role's name")
	bad = b.fill(bad, "#wizard-form", "aliyun.account", "1000000000000001", "_go", "next").want(http.StatusUnprocessableEntity)
	bad.has(`[name="aliyun.role.name"][aria-invalid=true]`)
	preview := b.follow(b.fill(bad, "#wizard-form", "aliyun.role.name", "sluice-writer", "_go", "next")).hidesSecrets()
	preview.says(`"aliyun.auth": "ram_role"`, `"aliyun.role.name": "sluice-writer"`)
	b.fill(preview, "#wizard-form", "_go", "create").to(sandbox + "/connectors/orders-by-role")

	// Modified to the machine's own role, the pair is not asked for any more, and the node
	// says that it may not.
	modify := b.get(sandbox + "/connectors/orders-by-role/modify").want(http.StatusOK).hidesSecrets()
	refused := b.fill(modify, "#modify-form", "aliyun.auth", "ecs_ram_role").want(http.StatusUnprocessableEntity).hidesSecrets()
	refused.says("SLUICE_ALLOW_ECS_RAM_ROLE=on").has(`#errors a[href="#f-aliyun-auth"]`)
	if refused.doc.Find(`[name="aliyun.access.key.id"]`).Length() > 0 {
		t.Error("a key is asked for where none is used")
	}
}
