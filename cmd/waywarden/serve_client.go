package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"sync"
)

// callers are those that the webhooks answer, where that is not everybody who reaches the port: who shows a certificate of
// a CA, which the API server does if its --admission-control-config-file says so.
type callers struct {
	file string // the CA, as PEM
	name string // the certificate's common name, or one of its DNS names; "" for any

	mu   sync.Mutex
	read []byte
	pool *x509.CertPool
}

// onlyCallers reads the CA. The file may change later.
func onlyCallers(file, name string) (*callers, error) {
	c := &callers{file: file, name: name}
	if _, err := c.authorities(); err != nil {
		return nil, err
	}
	return c, nil
}

// authorities is what the file holds now. While it holds nothing of use, what it held before counts.
func (c *callers) authorities() (*x509.CertPool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	raw, err := os.ReadFile(c.file)
	if err == nil && !bytes.Equal(raw, c.read) {
		if pool := x509.NewCertPool(); pool.AppendCertsFromPEM(raw) {
			c.read, c.pool = raw, pool
		} else {
			err = errors.New("it holds no certificate in PEM")
		}
	}
	if c.pool == nil {
		return nil, fmt.Errorf("read the CA of callers from %s: %w", c.file, err)
	}
	return c.pool, nil
}

// configure has a certificate that is shown verified. One that is not shown is no error of TLS, so that probes can connect,
// and callers are told what is wrong in words.
func (c *callers) configure(config *tls.Config) {
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		pool, err := c.authorities()
		if err != nil {
			return nil, err
		}
		next := config.Clone()
		next.GetConfigForClient, next.ClientCAs, next.ClientAuth = nil, pool, tls.VerifyClientCertIfGiven
		return next, nil
	}
}

// only answers nobody else. dropped is told of each request that is not answered.
func (c *callers) only(next http.Handler, dropped func(why string)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if why := c.refuses(r.TLS); why != "" {
			dropped("unauthenticated")
			http.Error(w, "waywarden does not answer: "+why, http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// refuses is why a caller is not answered; "" where it is.
func (c *callers) refuses(state *tls.ConnectionState) string {
	if state == nil || len(state.VerifiedChains) == 0 {
		return "the caller shows no certificate, and waywarden was told to ask for one. Give the API server one, in the kubeConfigFile that its --admission-control-config-file names."
	}
	if leaf := state.VerifiedChains[0][0]; c.name != "" && leaf.Subject.CommonName != c.name && !slices.Contains(leaf.DNSNames, c.name) {
		return fmt.Sprintf("the caller's certificate is that of %q, and waywarden was told to answer %q. Correct --client-name, or the certificate.", leaf.Subject.CommonName, c.name)
	}
	return ""
}
