package control

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
)

// Keys of an instance's members, in REST and in forms.
const (
	InstanceName      = "name"
	InstanceRegion    = "region"
	InstanceBootstrap = "bootstrap.servers"
	InstanceProtocol  = "security.protocol"
	InstanceMechanism = "sasl.mechanism"
	InstanceUsername  = "sasl.username"
	InstancePassword  = "sasl.password"
	InstanceCA        = "ssl.ca.pem"
	InstanceVPC       = "vpc.id"
	InstanceVSwitch   = "vswitch.id"
	InstanceInternet  = "internet.access"
	InstanceQuota     = "connector.quota"
)

// DefaultQuota is how many connectors an instance may have until an administrator
// raises it.
const DefaultQuota = 3

// InstanceSpec declares an instance's members as a connector's are, so that the form,
// REST, masking and differences come from one declaration.
func InstanceSpec(regions []connector.Region) *connector.Spec {
	var places []connector.Option
	for _, r := range regions {
		places = append(places, connector.Option{Value: r.ID, Label: r.Name})
	}
	sasl := []connector.Cond{{Key: InstanceProtocol, In: []string{"SASL_PLAINTEXT", "SASL_SSL"}, Reason: "The protocol signs in."}}
	tls := []connector.Cond{{Key: InstanceProtocol, In: []string{"SSL", "SASL_SSL"}, Reason: "The protocol uses TLS."}}
	return &connector.Spec{Class: "INSTANCE", Steps: []connector.Step{{ID: connector.StepBasic, Title: "Instance", Fields: []connector.Field{
		{Key: InstanceName, Label: "Name", Kind: connector.String, Required: true, Fixed: connector.FixedAlways, Validate: connector.ValidName, Example: "production",
			Help: "1 to 48 lower-case letters, digits and hyphens."},
		{Key: InstanceRegion, Label: "Region", Kind: connector.Enum, Options: places, Required: true, Default: connector.Const(selfHosted),
			Help: "Where the cluster stands; another region than a destination's needs Internet access."},
		{Key: InstanceBootstrap, Label: "Bootstrap servers", Kind: connector.List, Required: true, Max: 2048, Validate: validBootstrap, Example: "10.0.0.5:9092,10.0.0.6:9092",
			Help: "host:port, comma-separated."},
		{Key: InstanceProtocol, Label: "Security protocol", Kind: connector.Enum, Default: connector.Const("PLAINTEXT"), Help: "How clients connect and sign in.",
			Options: []connector.Option{{Value: "PLAINTEXT"}, {Value: "SSL"}, {Value: "SASL_PLAINTEXT"}, {Value: "SASL_SSL"}}},
		{Key: InstanceMechanism, Label: "SASL mechanism", Kind: connector.Enum, When: sasl, Default: connector.Const("PLAIN"), Help: "How the password is proven.",
			Options: []connector.Option{{Value: "PLAIN"}, {Value: "SCRAM-SHA-256"}, {Value: "SCRAM-SHA-512"}}},
		{Key: InstanceUsername, Label: "SASL user", Kind: connector.String, Required: true, When: sasl, Max: 255, Help: "The user to sign in as."},
		{Key: InstancePassword, Label: "SASL password", Kind: connector.Secret, Required: true, When: sasl, Max: 1024, Help: "Write-only; leave it as it is to keep it."},
		{Key: InstanceCA, Label: "CA certificates", Kind: connector.Text, When: tls, Max: 256 << 10, Validate: validPEM,
			Help: "PEM; trusted besides the system's authorities."},
		{Key: InstanceVPC, Label: "VPC ID", Kind: connector.String, Informational: true, Advanced: true, Max: 128, Help: "Kept and shown; nothing reads it."},
		{Key: InstanceVSwitch, Label: "VSwitch ID", Kind: connector.String, Informational: true, Advanced: true, Max: 128, Help: "Kept and shown; nothing reads it."},
		{Key: InstanceInternet, Label: "Internet access", Kind: connector.Bool, Default: connector.Const("false"),
			Help: "Lets Sluice reach brokers at public addresses. Without it only private (VPC) addresses are dialled."},
		{Key: InstanceQuota, Label: "Connector quota", Kind: connector.Int, Default: connector.Const(strconv.Itoa(DefaultQuota)), Min: 0, Max: 10_000, Unit: "connectors",
			Help: "How many connectors the instance may have."},
	}}}}
}

var hostRule = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*\.?$`)

func validBootstrap(s string) error {
	servers := connector.Config{"b": s}.List("b")
	if len(servers) == 0 {
		return errors.New("name at least one server as host:port.")
	}
	seen := map[string]bool{}
	for _, server := range servers {
		host, port, err := net.SplitHostPort(server)
		if err != nil {
			return fmt.Errorf("%s is not host:port; write for example 10.0.0.5:9092.", quoted(server))
		}
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 || strconv.Itoa(n) != port {
			return fmt.Errorf("%s: the port must be from 1 to 65535.", quoted(server))
		}
		if net.ParseIP(host) == nil && (len(host) > 253 || !hostRule.MatchString(host)) {
			return fmt.Errorf("%s: %s is neither a host name nor an IP address.", quoted(server), quoted(host))
		}
		if seen[server] {
			return fmt.Errorf("%s is named twice.", quoted(server))
		}
		seen[server] = true
	}
	return nil
}

func validPEM(s string) error {
	rest := []byte(strings.TrimSpace(s))
	n := 0
	for len(rest) > 0 {
		block, after := pem.Decode(rest)
		if block == nil {
			return errors.New("it is not PEM: paste the certificates from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----.")
		}
		if block.Type != "CERTIFICATE" {
			return fmt.Errorf("it holds a %s where only certificates belong; never paste a private key here.", quoted(block.Type))
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return fmt.Errorf("certificate %d cannot be read: it is damaged or cut.", n+1)
		}
		n++
		rest = []byte(strings.TrimSpace(string(after)))
	}
	return nil
}

// valuesOf is an instance as the values of its members.
func valuesOf(in runner.Instance) connector.Config {
	c := connector.Config{
		InstanceName: in.Name, InstanceRegion: in.Region, InstanceBootstrap: in.BootstrapServers,
		InstanceProtocol: in.SecurityProtocol, InstanceMechanism: in.SASLMechanism, InstanceUsername: in.SASLUsername,
		InstancePassword: in.SASLPassword, InstanceCA: in.CAPEM, InstanceVPC: in.VPCID, InstanceVSwitch: in.VSwitchID,
		InstanceInternet: strconv.FormatBool(in.InternetAccess), InstanceQuota: strconv.Itoa(in.Quota),
	}
	for k, v := range c {
		if v == "" {
			delete(c, k)
		}
	}
	return c
}

// apply sets an instance's members from resolved values.
func apply(in *runner.Instance, c connector.Config) {
	in.Name, in.Region = c.Get(InstanceName), c.Get(InstanceRegion)
	in.BootstrapServers = strings.Join(c.List(InstanceBootstrap), ",")
	in.SecurityProtocol, in.SASLMechanism = c.Get(InstanceProtocol), c.Get(InstanceMechanism)
	in.SASLUsername, in.SASLPassword, in.CAPEM = c.Get(InstanceUsername), c[InstancePassword], c[InstanceCA]
	in.VPCID, in.VSwitchID = c.Get(InstanceVPC), c.Get(InstanceVSwitch)
	in.InternetAccess, in.Quota = c.Bool(InstanceInternet), int(c.Int(InstanceQuota))
}

// MaskedInstance is an instance's members as everybody may see them.
func MaskedInstance(in runner.Instance) connector.Config {
	return InstanceSpec(nil).Mask(valuesOf(in))
}
