package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority is a CA that signs certificates of callers.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{certificate, key}
}

func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw})
}

func (a *authority) sign(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// TestCallers: over real TLS, only who shows a certificate of the CA, and of the name where one is asked for, is answered.
func TestCallers(t *testing.T) {
	ours, others := newAuthority(t, "ours"), newAuthority(t, "others")
	file := filepath.Join(t.TempDir(), "ca.crt")
	write := func(raw []byte) {
		t.Helper()
		if err := os.WriteFile(file, raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(ours.pem())
	c, err := onlyCallers(file, "kube-apiserver")
	if err != nil {
		t.Fatal(err)
	}
	dropped := 0
	server := httptest.NewUnstartedServer(c.only(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "answered") }), func(string) { dropped++ }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are meant to fail
	server.TLS = &tls.Config{Certificates: []tls.Certificate{ours.sign(t, "waywarden")}}
	c.configure(server.TLS)
	server.StartTLS()
	defer server.Close()
	ask := func(certificates ...tls.Certificate) string {
		show := func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { // also what the server says that it does not take
			if len(certificates) == 0 {
				return &tls.Certificate{}, nil
			}
			return &certificates[0], nil
		}
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, GetClientCertificate: show}, DisableKeepAlives: true}}
		resp, err := client.Get(server.URL)
		if err != nil {
			return "no connection"
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			return "no connection"
		}
		return resp.Status + " " + string(text)
	}
	for name, step := range map[string]struct {
		certificates []tls.Certificate
		want         string
	}{
		"the API server": {[]tls.Certificate{ours.sign(t, "kube-apiserver")}, "200 OK answered"},
		"nobody":         {nil, "401 Unauthorized waywarden does not answer: the caller shows no certificate"},
		"another name":   {[]tls.Certificate{ours.sign(t, "mallory")}, `401 Unauthorized waywarden does not answer: the caller's certificate is that of "mallory"`},
		"another's CA":   {[]tls.Certificate{others.sign(t, "kube-apiserver")}, "no connection"},
	} {
		if got := ask(step.certificates...); !strings.HasPrefix(got, step.want) {
			t.Errorf("%s: %q, want %q", name, got, step.want)
		}
	}
	if dropped != 2 {
		t.Errorf("%d requests are counted as not answered", dropped)
	}

	write([]byte("half a fi")) // while somebody writes it, what was there counts
	if got := ask(ours.sign(t, "kube-apiserver")); !strings.HasPrefix(got, "200") {
		t.Errorf("a broken file: %q", got)
	}
	write(others.pem())
	if got := ask(others.sign(t, "kube-apiserver")); !strings.HasPrefix(got, "200") {
		t.Errorf("the CA was replaced: %q", got)
	}
	if got := ask(ours.sign(t, "kube-apiserver")); got != "no connection" {
		t.Errorf("a certificate of the CA that was replaced: %q", got)
	}
	for text, raw := range map[string]string{"no such file": filepath.Join(t.TempDir(), "none"), "holds no certificate": fileWith(t, "x")} {
		if _, err := onlyCallers(raw, ""); err == nil || !strings.Contains(err.Error(), "read the CA of callers") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func fileWith(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
