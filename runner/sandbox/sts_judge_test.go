package sandbox

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aliyun/credentials-go/credentials"
)

// judged is what the official credentials-go got, asked twice.
type judged struct {
	ID, Secret, Token [2]string
	Error             string
}

// runCredentialsGo asks for credentials as the official client does, in a process of its own: the client trusts what
// the process trusts.
func runCredentialsGo(text string) error {
	var config credentials.Config
	if err := json.Unmarshal([]byte(text), &config); err != nil {
		return err
	}
	var out judged
	provider, err := credentials.NewCredential(&config)
	for i := 0; i < 2 && err == nil; i++ {
		var c *credentials.CredentialModel
		if c, err = provider.GetCredential(); err == nil {
			out.ID[i], out.Secret[i], out.Token[i] = *c.AccessKeyId, *c.AccessKeySecret, *c.SecurityToken
		}
	}
	if err != nil {
		out.Error = err.Error()
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}

// TestOfficialClientAssumesRoles lets credentials-go judge certificate, signature and answer of the stand-in.
func TestOfficialClientAssumesRoles(t *testing.T) {
	t.Parallel()
	s := newSTS(t, STSOptions{})
	ca := filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(ca, s.CAPEM(), 0o600))
	ask := func(role, secret, trusted string) judged {
		t.Helper()
		config, err := json.Marshal(new(credentials.Config).SetType("ram_role_arn").SetAccessKeyId(DefaultKey).SetAccessKeySecret(secret).
			SetRoleArn(Role{Name: role, Account: DefaultAccount}.ARN()).SetRoleSessionName("judge").SetSTSEndpoint(strings.TrimPrefix(s.URL(), "https://")))
		must(t, err)
		cmd := exec.Command(os.Args[0], string(config))
		cmd.Env = append(os.Environ(), helperEnv+"=credentials-go", "SSL_CERT_FILE="+trusted, "SSL_CERT_DIR="+t.TempDir())
		cmd.Stderr = os.Stderr
		text, err := cmd.Output()
		must(t, err)
		var got judged
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatalf("%v: %q", err, text)
		}
		return got
	}
	got := ask(DefaultRole, DefaultKey, ca)
	key, known := s.Tokens().get(got.ID[0])
	switch {
	case got.Error != "" || got.ID[0] != got.ID[1]:
		t.Errorf("%+v", got)
	case !known || key.Secret != got.Secret[0] || key.Token != got.Token[0] || time.Until(key.Expires) < 59*time.Minute:
		t.Errorf("issued %+v, the client has %+v", key, got)
	}
	if n := s.Stats(); n.Requests != 1 || n.Issued != 1 {
		t.Errorf("%+v", n)
	}
	for _, c := range []struct{ role, secret, trusted, want string }{
		{DeniedRole, DefaultKey, ca, "NoPermission"},
		{"nobody", DefaultKey, ca, "EntityNotExist.Role"},
		{DefaultRole, "wrong", ca, "SignatureDoesNotMatch"},
		{DefaultRole, DefaultKey, os.DevNull, "certificate signed by unknown authority"},
	} {
		if got := ask(c.role, c.secret, c.trusted); !strings.Contains(got.Error, c.want) || got.Token[0] != "" {
			t.Errorf("%+v: %+v", c, got)
		}
	}
	if got := fmt.Sprint(s.Issued(0)[0]); strings.Contains(got, key.Secret) || strings.Contains(got, key.Token) {
		t.Errorf("the page shows what is secret: %s", got)
	}
}
