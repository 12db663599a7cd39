package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"slices"
	"time"
)

const (
	caLife   = 365 * 24 * time.Hour
	leafLife = 30 * 24 * time.Hour
	// backdate makes a new certificate good for clocks that are behind ours.
	backdate = time.Hour
)

// authority is a CA that can sign.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// newAuthority makes a CA. Its name holds the time, so that people can tell two CAs of a bundle apart.
func newAuthority(now time.Time) (*authority, error) {
	template, key, err := blank(now)
	if err != nil {
		return nil, err
	}
	template.Subject = pkix.Name{CommonName: "waywarden CA " + now.UTC().Format(time.RFC3339)}
	template.NotAfter = now.Add(caLife)
	template.IsCA, template.MaxPathLenZero = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	cert, err := sign(template, template, key, key)
	if err != nil {
		return nil, fmt.Errorf("make a CA: %w", err)
	}
	return &authority{cert, key}, nil
}

// issue makes a leaf for the names, which are DNS names or IP addresses. It does not outlive the CA.
func (a *authority) issue(names []string, now time.Time) (*tls.Certificate, error) {
	template, key, err := blank(now)
	if err != nil {
		return nil, err
	}
	template.Subject = pkix.Name{CommonName: "waywarden"}
	template.NotAfter = now.Add(leafLife)
	if a.cert.NotAfter.Before(template.NotAfter) {
		template.NotAfter = a.cert.NotAfter
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	cert, err := sign(template, a.cert, key, a.key)
	if err != nil {
		return nil, fmt.Errorf("issue a serving certificate: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}, nil
}

// blank is what a CA and a leaf have in common, with a new key.
func blank(now time.Time) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, nil, err
	}
	return &x509.Certificate{SerialNumber: serial, NotBefore: now.Add(-backdate), BasicConstraintsValid: true}, key, nil
}

func sign(template, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// renewal is when a certificate is replaced: at two thirds of its life, which leaves ten days of a leaf and four
// months of a CA in which replacing it may fail.
func renewal(c *x509.Certificate) time.Time {
	return c.NotAfter.Add(-c.NotAfter.Sub(c.NotBefore) / 3)
}

// valid is whether a certificate's dates hold.
func valid(c *x509.Certificate, now time.Time) bool {
	return !now.Before(c.NotBefore) && !now.After(c.NotAfter)
}

// covers is whether a certificate is for all of the names.
func covers(c *x509.Certificate, names []string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { return c.VerifyHostname(name) != nil })
}

// vouches is nil if a client that trusts the CAs accepts the leaf under every name, else what it would say.
func vouches(cas []*x509.Certificate, leaf *x509.Certificate, names []string, now time.Time) error {
	roots := x509.NewCertPool()
	for _, c := range cas {
		roots.AddCert(c)
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now}); err != nil {
		return err
	}
	for _, name := range names {
		if err := leaf.VerifyHostname(name); err != nil {
			return err
		}
	}
	return nil
}
