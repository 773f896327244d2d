// Package settings reads the settings of `sluice serve` from flags, environment and
// a YAML file into one checked struct. Flag beats environment beats file.
package settings

import (
	"crypto/tls"
	"net/netip"
	"net/url"
	"time"
)

// Settings are checked: every field can be used as it is.
type Settings struct {
	Addr          string // host:port of the console; port 0 picks one
	DataDir       string
	KeyFile       string // never ""
	Key           string // SLUICE_KEY: the key itself, instead of the file
	AdminPassword string // first start only; "" generates one
	Sandbox       bool
	MemoryBudget  int64  // bytes
	MetricsAddr   string // "" is off
	EgressAllow   []netip.Prefix
	EgressDeny    []netip.Prefix
	EgressProxy   *url.URL // nil is none
	AllowECSRAM   bool     // SLUICE_ALLOW_ECS_RAM_ROLE
	LogAge        time.Duration
	LogBytes      int64
	TLS           *tls.Certificate // nil serves HTTP
	TLSCert       string
	TLSKey        string
	ConfigFile    string // "" when none was read
	SandboxParts  SandboxAddrs
	MariaDB       string // program of the sandbox's MySQL: a path or a name, "" looks for it, "off" does without
}

// SandboxAddrs are the listen addresses of the sandbox's parts, host:port each.
type SandboxAddrs struct {
	Kafka, OSS, FC, ODPS, STS, MySQL string
}
