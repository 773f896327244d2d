package egress

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"time"
)

// HTTPClient makes a client of its own whose every connection goes through dial. It
// never follows redirects (the caller sees the 3xx), heeds no proxy of the environment
// and unpacks nothing by itself. Roots nil means the system's; timeout is of a whole
// request with its body, 0 none.
func HTTPClient(dial DialFunc, roots *x509.CertPool, timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout: timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
		Transport: &http.Transport{
			DialContext:           dial,
			TLSClientConfig:       &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:   10 * time.Second,
			ExpectContinueTimeout: time.Second,
			MaxIdleConnsPerHost:   64,
			IdleConnTimeout:       60 * time.Second,
			DisableCompression:    true,
			ForceAttemptHTTP2:     false,
		},
	}
}
