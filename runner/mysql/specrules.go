package mysql

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"

	"github.com/sluice-io/sluice/runner/connector"
)

// reach names the server.
func reach(cfg connector.Config, _ connector.Env) []connector.Endpoint {
	host := strings.Trim(cfg.Get(keyHost), "[]")
	if host == "" {
		return nil
	}
	return []connector.Endpoint{{Key: keyHost, Address: net.JoinHostPort(host, strconv.FormatInt(cfg.Int(keyPort), 10))}}
}

var (
	regionRule = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)
	cenRule    = regexp.MustCompile(`^cen-[A-Za-z0-9]{1,60}$`)
	hostRule   = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,253}[A-Za-z0-9_.])?$`)
)

func validRegion(s string) error {
	if !regionRule.MatchString(s) {
		return errors.New("a region is written like cn-hangzhou.")
	}
	return nil
}

func validCEN(s string) error {
	if !cenRule.MatchString(s) {
		return errors.New("the ID of a Cloud Enterprise Network is written like cen-7qthudw0ll6jmc.")
	}
	return nil
}

func validHost(s string) error {
	if net.ParseIP(strings.Trim(s, "[]")) != nil {
		return nil
	}
	if strings.Contains(s, "://") {
		return errors.New("give the host alone, without a scheme.")
	}
	if _, port, err := net.SplitHostPort(s); err == nil && port != "" {
		return fmt.Errorf("give the host alone; the port stands in %s.", keyPort)
	}
	if !hostRule.MatchString(s) {
		return fmt.Errorf("%q is neither a host name nor an IP address.", clip(s))
	}
	return nil
}

func validDatabase(s string) error {
	if strings.ContainsAny(s, "/\\`") {
		return errors.New("name one database as it is, without quotes, slashes and wildcards.")
	}
	switch strings.ToLower(s) {
	case "mysql", "information_schema", "performance_schema", "sys":
		return fmt.Errorf("%s is the server's own database; choose one of yours.", s)
	}
	return nil
}

func validTables(s string) error {
	_, err := ParseTables(s)
	return err
}

func validServerID(s string) error {
	if s == "4294967295" {
		return errors.New("4294967295 is taken by tools that read the binary log without being replicas; choose another.")
	}
	return nil
}

func validPEM(s string) error {
	rest := []byte(s)
	n := 0
	for {
		block, more := pem.Decode(rest)
		if block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return fmt.Errorf("the PEM holds a %s; only certificates belong here.", strings.ToLower(block.Type))
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return fmt.Errorf("certificate %d of the PEM cannot be read: %w.", n+1, err)
		}
		n++
		rest = more
	}
	if n == 0 {
		return errors.New("this is no PEM: it begins with -----BEGIN CERTIFICATE-----.")
	}
	return nil
}
