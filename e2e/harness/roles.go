package harness

import (
	"maps"
	"net/http"
	"path/filepath"
	"strings"
	"time"
)

// Roles of the STS stand-in, in its one account.
const (
	roleARN = "acs:ram::1000000000000001:role/"
	// BriefRole may be assumed; what is issued for it lives for as long as StartWithSTS was told.
	BriefRole = roleARN + "brief"
	// DeniedRole nobody may assume.
	DeniedRole = roleARN + "denied"
)

// RoleStandin is the stand-in of a service that takes what an STS stand-in beside it, in the same process, issues.
type RoleStandin struct {
	*Standin
	STS string // its URL
	CA  string // file with the authority of its certificate, for SSL_CERT_FILE
}

// StartWithSTS starts both. life is how long what is issued for BriefRole lives.
func (s *Suite) StartWithSTS(t T, part string, life time.Duration, args ...string) *RoleStandin {
	t.Helper()
	o := s.prepareService(t, part+",sts", append(args, "-role-life", life.String())...)
	o.Start()
	r := &RoleStandin{Standin: o, CA: filepath.Join(o.dir, "sts", "ca.pem")}
	Eventually(t, 20*time.Second, "the STS stand-in prints its address", func() (bool, string) {
		url, ok := o.proc.Line("sts: ")
		r.STS = url
		return ok, o.proc.Tail(5)
	})
	return r
}

// ByRole is a connector's configuration that signs with what is issued for a role.
func (r *RoleStandin) ByRole(config map[string]string, role string) map[string]string {
	out := maps.Clone(config)
	out["aliyun.auth"], out["aliyun.role.arn"], out["aliyun.sts.endpoint"] = "ram_role", role, strings.TrimPrefix(r.STS, "https://")
	return out
}

// ExpireTokens ends everything that was issued until now, as if its time were over.
func (r *RoleStandin) ExpireTokens() {
	r.t.Helper()
	r.Control(http.MethodPost, "/__tokens?part=sts&expire")
}

// STSFaults replaces the faults of the STS stand-in.
func (r *RoleStandin) STSFaults(faults ...Fault) { r.setFaults("?part=sts", faults) }

// Issued is how often STS has issued something since its start.
func (r *RoleStandin) Issued() int64 {
	r.t.Helper()
	var stats struct {
		Issued int64 `json:"issued"`
	}
	r.read("/__stats?part=sts", &stats)
	return stats.Issued
}
