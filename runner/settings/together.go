package settings

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"path/filepath"
	"time"
)

// keyFileName is the key file's name in the data directory.
const keyFileName = "secret.key"

// together checks what several settings say at once, and fills in what follows.
func (l *loader) together(s *Settings) {
	if s.Key != "" && s.KeyFile != "" {
		l.problem(l.name("key"), "", "is given together with %s; give one of them.", l.name("key-file"))
	}
	if s.KeyFile == "" && s.DataDir != "" {
		s.KeyFile = filepath.Join(s.DataDir, keyFileName)
	}
	if s.Sandbox && !l.given("egress-allow") {
		s.EgressAllow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	}
	l.loadTLS(s)
	l.ports(s)
	l.warn(s)
}

func (l *loader) loadTLS(s *Settings) {
	switch {
	case s.TLSCert == "" && s.TLSKey == "":
		return
	case s.TLSKey == "" && !l.given("tls-key"):
		l.problem(l.name("tls-cert"), s.TLSCert, "needs its private key; give --tls-key too.")
		return
	case s.TLSCert == "" && !l.given("tls-cert"):
		l.problem(l.name("tls-key"), s.TLSKey, "needs its certificate; give --tls-cert too.")
		return
	case s.TLSCert == "" || s.TLSKey == "":
		return // the empty one is named already
	}
	pair, err := tls.LoadX509KeyPair(s.TLSCert, s.TLSKey)
	if err != nil {
		at, file := "tls-cert", s.TLSCert
		var pe *fs.PathError
		if errors.As(err, &pe) && pe.Path == s.TLSKey && s.TLSKey != s.TLSCert {
			at, file = "tls-key", s.TLSKey
		}
		l.problem(l.name(at), file, "the pair of certificate and key cannot be loaded (%v); give a PEM certificate chain and the key that belongs to it.", cause(err))
		return
	}
	s.TLS = &pair
	if leaf := pair.Leaf; leaf != nil && time.Now().After(leaf.NotAfter) {
		l.warnings = append(l.warnings, fmt.Sprintf("The TLS certificate %s has expired on %s; browsers will refuse it.", s.TLSCert, leaf.NotAfter.Format(time.DateOnly)))
	}
}

// ports refuses one port for two listeners; port 0 never collides.
func (l *loader) ports(s *Settings) {
	seen := map[string]string{}
	check := func(setting, addr string) {
		host, port, err := net.SplitHostPort(addr)
		if err != nil || port == "0" {
			return
		}
		if host == "localhost" {
			host = "127.0.0.1"
		}
		at := net.JoinHostPort(host, port)
		if other, taken := seen[at]; taken {
			l.problem(l.name(setting), addr, "is the address of %s too; give each a port of its own.", other)
			return
		}
		seen[at] = l.name(setting)
	}
	check("addr", s.Addr)
	check("metrics-addr", s.MetricsAddr)
	if !s.Sandbox {
		return
	}
	p := s.SandboxParts
	for _, part := range []struct{ name, addr string }{{"kafka", p.Kafka}, {"oss", p.OSS}, {"fc", p.FC}, {"odps", p.ODPS}, {"sts", p.STS}, {"mysql", p.MySQL}} {
		check("sandbox-"+part.name+"-addr", part.addr)
	}
}

func (l *loader) warn(s *Settings) {
	if s.Addr != "" && !onLoopback(s.Addr) && s.TLSCert == "" {
		l.warnings = append(l.warnings, fmt.Sprintf("The console listens on %s without TLS: passwords travel in the clear unless a proxy in front encrypts. Give --tls-cert and --tls-key, or listen on 127.0.0.1.", s.Addr))
	}
	if n := len([]rune(s.AdminPassword)); n > 0 && n < 8 {
		l.warnings = append(l.warnings, "The administrator's password has fewer than 8 characters; choose a longer one.")
	}
	if s.Sandbox && l.given("egress-allow") && !contains(s.EgressAllow, "127.0.0.1") {
		l.warnings = append(l.warnings, fmt.Sprintf("The sandbox is on, but %s does not contain 127.0.0.0/8: connectors cannot reach the sandbox.", l.name("egress-allow")))
	}
}

func contains(list []netip.Prefix, ip string) bool {
	for _, p := range list {
		if p.Contains(netip.MustParseAddr(ip)) {
			return true
		}
	}
	return false
}

// cause leaves the path out of a file error: messages name it already.
func cause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
