package sandbox

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	authorityLife   = 10 * 365 * 24 * time.Hour
	certificateLife = 2 * 365 * 24 * time.Hour
)

// authority signs the certificates of stand-ins that speak TLS.
type authority struct {
	certified *x509.Certificate
	key       *ecdsa.PrivateKey
	pem       []byte
}

// openAuthority reads the folder's authority, or makes one where there is none that holds for as long as a certificate.
func openAuthority(dir string, log *slog.Logger) (*authority, error) {
	path := filepath.Join(dir, "ca.pem")
	text, err := os.ReadFile(path)
	if err == nil {
		a, err := parseAuthority(text)
		if err == nil && time.Until(a.certified.NotAfter) > certificateLife {
			return a, nil
		}
		log.Warn("the sandbox's certificate authority is made anew", slog.String("file", path), slog.Any("reason", err))
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the certificate authority: %w", err)
	}
	a, err := newAuthority()
	if err != nil {
		return nil, fmt.Errorf("making the certificate authority: %w", err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		return nil, fmt.Errorf("making the certificate authority: %w", err)
	}
	text = append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), a.pem...)
	if err := writeFileAtomically(path, text); err != nil {
		return nil, fmt.Errorf("keeping the certificate authority: %w", err)
	}
	return a, nil
}

// writeFileAtomically writes a file that only this user reads, whole or not at all.
func writeFileAtomically(path string, content []byte) error {
	next := path + ".new"
	if err := os.WriteFile(next, content, 0o600); err != nil {
		return err
	}
	return os.Rename(next, path)
}

func parseAuthority(text []byte) (*authority, error) {
	a := &authority{}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "PRIVATE KEY":
			key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				return nil, err
			}
			a.key, _ = key.(*ecdsa.PrivateKey)
		case "CERTIFICATE":
			certified, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, err
			}
			a.certified, a.pem = certified, pem.EncodeToMemory(block)
		}
	}
	if a.key == nil || a.certified == nil || !a.key.PublicKey.Equal(a.certified.PublicKey) {
		return nil, errors.New("it is not a key with its certificate")
	}
	return a, nil
}

// newAuthority makes an authority that may sign for loopback only: it is trusted for everything that is dialled.
func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	_, v4, _ := net.ParseCIDR("127.0.0.0/8")
	_, v6, _ := net.ParseCIDR("::1/128")
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "Sluice sandbox"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(authorityLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
		PermittedDNSDomainsCritical: true, PermittedDNSDomains: []string{"localhost"}, PermittedIPRanges: []*net.IPNet{v4, v6},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	certified, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &authority{certified: certified, key: key, pem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}, nil
}

// certificate signs a new one for this machine.
func (a *authority) certificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("making a certificate: %w", err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(certificateLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certified, &key.PublicKey, a.key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("making a certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
