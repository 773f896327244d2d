package maxcompute

import (
	"errors"
	"net/url"
	"strings"

	"github.com/sluice-io/sluice/runner/aliyun"
	"github.com/sluice-io/sluice/runner/connector"
)

// apiPath is the path under which the REST half of the service stands.
const apiPath = "/api"

// parseEndpoint reads a MaxCompute endpoint: as any service's, and with the path /api,
// which is added where it is missing.
func parseEndpoint(s string) (*url.URL, error) {
	s = strings.TrimRight(strings.TrimSpace(s), "/")
	u, err := aliyun.EndpointURL(strings.TrimSuffix(s, apiPath))
	if err != nil {
		if err.Error() == "give the address without path, query and fragment." {
			return nil, errors.New("give the address with the path /api and nothing behind it, such as https://service.cn-hangzhou.maxcompute.aliyun.com/api.")
		}
		return nil, err
	}
	u.Path = apiPath
	return u, nil
}

// signingRegion is the region that version 4 signatures name; "" means version 2.
func signingRegion(cfg connector.Config, host string) string {
	if r := cfg.Get(keyRegion); r != "self-hosted" && aliyun.IsCloudRegion(r) {
		return r
	}
	rest, ok := strings.CutPrefix(strings.ToLower(host), "service.")
	if !ok || !strings.Contains(rest, ".maxcompute.aliyun") {
		return ""
	}
	r, _, _ := strings.Cut(rest, ".")
	r = strings.TrimSuffix(strings.TrimSuffix(r, "-vpc"), "-intranet")
	if aliyun.IsCloudRegion(r) {
		return r
	}
	return ""
}
