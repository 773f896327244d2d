// Package aliyun is what the connectors to Alibaba Cloud share: the credential
// fields and providers, endpoints by region, and the classes of service errors.
package aliyun

import (
	"errors"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// cloudRegions are the regions that have endpoints of the usual names.
var cloudRegions = []string{"cn-hangzhou", "cn-shanghai", "cn-beijing", "cn-zhangjiakou", "cn-huhehaote", "cn-shenzhen", "cn-chengdu", "cn-hongkong", "ap-southeast-1", "ap-northeast-1"}

// IsCloudRegion tells whether a region has Alibaba Cloud's endpoints. Regions that an
// administrator added count when they look like one ("eu-central-1").
func IsCloudRegion(region string) bool {
	return slices.Contains(cloudRegions, region) || regionLike.MatchString(region)
}

var regionLike = regexp.MustCompile(`^[a-z]{2}-[a-z]+(-[0-9])?$`)

// ValidEndpoint checks a service endpoint: host, host:port, or an http or https URL
// without path, query and user.
func ValidEndpoint(s string) error {
	_, err := EndpointURL(s)
	return err
}

// EndpointURL reads an endpoint; without a scheme it is https for names and http is
// never assumed.
func EndpointURL(s string) (*url.URL, error) {
	s = strings.TrimSpace(s)
	if !strings.Contains(s, "://") {
		s = "https://" + s
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("give an address such as https://service.example.com or http://10.0.0.8:9000.")
	}
	switch {
	case u.Hostname() == "" || strings.ContainsAny(u.Host, " \\\"'<>"):
		return nil, errors.New("the host is missing or malformed.")
	case u.User != nil:
		return nil, errors.New("user and password do not belong into the address.")
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("give the address without path, query and fragment.")
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.Atoi(p); err != nil || n < 1 || n > 65535 {
			return nil, errors.New("the port must be from 1 to 65535.")
		}
	}
	u.Path = ""
	return u, nil
}

// HostPort is what dialling the endpoint opens.
func HostPort(u *url.URL) string {
	if p := u.Port(); p != "" {
		return net.JoinHostPort(u.Hostname(), p)
	}
	if u.Scheme == "http" {
		return net.JoinHostPort(u.Hostname(), "80")
	}
	return net.JoinHostPort(u.Hostname(), "443")
}
