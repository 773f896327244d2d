package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/IBM/sarama"
)

// Statuses of a Step.
const (
	StepOK      = "ok"
	StepFailed  = "failed"
	StepSkipped = "skipped"
)

// Names of the steps of Check, in their order. tls and auth are left out where the
// protocol has none.
const (
	StepDNS         = "dns"
	StepDial        = "dial"
	StepTLS         = "tls"
	StepAuth        = "auth"
	StepAPIVersions = "api-versions"
	StepMetadata    = "metadata"
	StepBrokers     = "brokers"
)

// Step is one finding of Check.
type Step struct {
	Name   string
	Status string // StepOK, StepFailed or StepSkipped
	Detail string // what was found, for people
	Remedy string // what to do about a failure
	Millis int64  // how long it took
}

// Check tries step by step whether the cluster can be used, and emits each step as it
// ends. It stops at the first failure; the steps after it are emitted as skipped. Of
// several bootstrap servers one that can be dialed is enough.
func Check(ctx context.Context, c Cluster, emit func(Step)) {
	k := &checker{cluster: c}
	useTLS, useSASL, err := c.protocol()
	steps := []checkStep{{StepDNS, k.resolve}, {StepDial, k.connect}}
	if useTLS {
		steps = append(steps, checkStep{StepTLS, k.handshake})
	}
	if useSASL {
		steps = append(steps, checkStep{StepAuth, k.authenticate})
	}
	steps = append(steps, checkStep{StepAPIVersions, k.versions}, checkStep{StepMetadata, k.metadata}, checkStep{StepBrokers, k.advertised})
	for _, s := range steps {
		step := Step{Name: s.name, Status: StepSkipped}
		if err == nil {
			begin := time.Now()
			step.Detail, err = s.run(ctx)
			step.Status, step.Millis = StepOK, time.Since(begin).Milliseconds()
		} else if k.failed {
			emit(step)
			continue
		}
		if err != nil {
			err = classify(err)
			k.failed = true
			step.Status, step.Detail = StepFailed, err.Error()
			step.Remedy = k.remedy(s.name, err)
		}
		emit(step)
	}
}

// checkStep is one step; run returns what it found.
type checkStep struct {
	name string
	run  func(context.Context) (string, error)
}

// checker holds what one step found for the next.
type checker struct {
	cluster Cluster
	failed  bool
	address string // the bootstrap server that could be dialed
	info    Info
}

// resolve looks up every host that is a name. Where a Dial function is set it decides
// what may be reached; the names are resolved here only to say what they are.
func (k *checker) resolve(ctx context.Context) (string, error) {
	if len(k.cluster.Bootstrap) == 0 {
		return "", errors.New("no bootstrap server is given")
	}
	var found []string
	var failures []error
	for _, address := range k.cluster.Bootstrap {
		host, port, err := net.SplitHostPort(address)
		if err != nil || host == "" || port == "" {
			return "", fmt.Errorf("bootstrap server %q: write it as host:port", address)
		}
		if net.ParseIP(host) != nil {
			found = append(found, host)
			continue
		}
		ips, err := net.DefaultResolver.LookupHost(ctx, host)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		found = append(found, host+" is "+strings.Join(ips, ", "))
	}
	if len(found) == 0 {
		return "", errors.Join(failures...)
	}
	return strings.Join(found, "; "), nil
}

// connect finds the first bootstrap server that accepts a connection.
func (k *checker) connect(ctx context.Context) (string, error) {
	var failures []error
	for _, address := range k.cluster.Bootstrap {
		conn, err := k.dial(ctx, address)
		if err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", address, err))
			continue
		}
		conn.Close()
		k.address = address
		return "connected to " + address, nil
	}
	return "", errors.Join(failures...)
}

func (k *checker) dial(ctx context.Context, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	dial := k.cluster.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	return dial(ctx, "tcp", address)
}

// handshake does TLS as a client will.
func (k *checker) handshake(ctx context.Context) (string, error) {
	roots, err := k.cluster.roots()
	if err != nil {
		return "", err
	}
	raw, err := k.dial(ctx, k.address)
	if err != nil {
		return "", err
	}
	defer raw.Close()
	host, _, _ := net.SplitHostPort(k.address)
	conn := tls.Client(raw, &tls.Config{RootCAs: roots, ServerName: host, MinVersion: tls.VersionTLS12})
	ctx, cancel := context.WithTimeout(ctx, dialTimeout/2)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		return "", err
	}
	leaf := conn.ConnectionState().PeerCertificates[0]
	return fmt.Sprintf("%s, certificate of %s until %s", tls.VersionName(conn.ConnectionState().Version),
		leaf.Subject.CommonName, leaf.NotAfter.UTC().Format(time.DateOnly)), nil
}

func (k *checker) authenticate(ctx context.Context) (string, error) {
	one := k.cluster
	one.Bootstrap = []string{k.address}
	if err := withSeed(ctx, one, func(*sarama.Broker, *sarama.Config) error { return nil }); err != nil {
		return "", err
	}
	return "signed in as " + k.cluster.Username, nil
}

func (k *checker) versions(ctx context.Context) (string, error) {
	one := k.cluster
	one.Bootstrap, one.Version = []string{k.address}, ""
	err := withSeed(ctx, one, func(b *sarama.Broker, _ *sarama.Config) error {
		max, err := requestVersions(ctx, b)
		if err == nil {
			k.info, err = describe(max)
		}
		return err
	})
	if err != nil {
		return "", err
	}
	detail := "Apache Kafka " + k.info.Version
	if !k.info.RequireStable {
		detail += "; brokers below 2.5 keep fewer guarantees"
	}
	return detail, nil
}

func (k *checker) metadata(ctx context.Context) (string, error) {
	one := k.cluster
	one.Bootstrap, one.Version = []string{k.address}, k.info.Version
	err := withSeed(ctx, one, func(b *sarama.Broker, conf *sarama.Config) error {
		return clusterOf(ctx, b, conf.Version, &k.info)
	})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("cluster %s, %d brokers", k.info.ClusterID, len(k.info.Brokers)), nil
}

// advertised dials the brokers at the addresses they give for themselves: those, not
// the bootstrap servers, are used afterwards.
func (k *checker) advertised(ctx context.Context) (string, error) {
	var found []string
	for _, b := range k.info.Brokers {
		conn, err := k.dial(ctx, b.Address)
		if err != nil {
			return "", fmt.Errorf("broker %d advertises %s: %w", b.ID, b.Address, err)
		}
		conn.Close()
		found = append(found, b.Address)
	}
	return strings.Join(found, ", "), nil
}

// remedy is what to do when a step failed.
func (k *checker) remedy(step string, err error) string {
	var authority x509.UnknownAuthorityError
	closed := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	switch {
	case step == StepBrokers:
		return "The bootstrap server answers, but a broker advertises an address that cannot be reached from here. Set advertised.listeners of the broker to an address that this machine reaches, or open the network to it."
	case step == StepTLS && (closed || errors.Is(err, context.DeadlineExceeded)):
		return "The port does not answer TLS. Use the TLS port, or a protocol without SSL."
	case step == StepTLS && errors.As(err, &authority):
		return Remedy(err)
	case step == StepAPIVersions && closed:
		return "The broker closed the connection. The port may want TLS or SASL: choose the security protocol of this port."
	case step == StepAuth && closed:
		return "The broker closed the connection at sign-in. The user name or password is wrong, or the port does not use this SASL mechanism or wants TLS."
	}
	if r := Remedy(err); r != "" {
		return r
	}
	switch {
	case step == StepDNS:
		return "Correct the bootstrap servers or the security protocol."
	case step == StepDial && k.cluster.Dial != nil:
		return "The connection was refused before it left this machine. Look at its network rules (SLUICE_EGRESS_ALLOW, SLUICE_EGRESS_DENY)."
	case step == StepTLS, step == StepAuth:
		return "Correct the security settings of this instance."
	}
	return "Look at the broker's log for the time of this test."
}
