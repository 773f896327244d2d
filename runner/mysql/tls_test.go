package mysql

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/e2e/beds"
	"github.com/sluice-io/sluice/runner/connector"
)

// TestTLS: with the authority that signed the server's certificate it is trusted; the
// name that it is issued for counts with verify_identity only.
func TestTLS(t *testing.T) {
	t.Parallel()
	s := shop(t, beds.MySQL)
	ca, err := os.ReadFile(filepath.Join(s.Value("SELECT @@datadir"), "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		mode   TLSMode
		ca     string
		status connector.FindingStatus
		detail string
	}{
		{TLSDisabled, "", connector.FindingOK, "unencrypted"},
		{TLSPreferred, "", connector.FindingOK, "Encrypted by TLSv1.3; the certificate is not verified."},
		{TLSRequired, "", connector.FindingOK, "not verified"},
		{TLSVerifyCA, string(ca), connector.FindingOK, "signed by a trusted authority"},
		{TLSVerifyCA, "", connector.FindingFailed, "authority that is not trusted"},
		{TLSVerifyIdentity, string(ca), connector.FindingFailed, "issued for another name"},
	} {
		more := []string{keyTLS, string(tt.mode)}
		if tt.ca != "" {
			more = append(more, keyCA, tt.ca)
		}
		f := findings(t, resolved(t, s, more...), nil)["TLS"]
		if f.Status != tt.status || !strings.Contains(f.Detail, tt.detail) || tt.status == connector.FindingFailed && f.Remedy == "" {
			t.Errorf("%s: %+v", tt.mode, f)
		}
	}
	plain := ownShop(t, beds.MariaDB, beds.With("skip_ssl", ""))
	if f := findings(t, resolved(t, plain, keyTLS, string(TLSRequired)), nil)["TLS"]; f.Status != connector.FindingFailed || !strings.Contains(f.Detail, "does not offer TLS") {
		t.Errorf("required of a server without: %+v", f)
	}
}
