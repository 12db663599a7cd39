package mesh_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/policies/mesh"
)

// issued is a certificate, as PEM, and its key, which nobody but the test may see.
type issued struct{ certificate, key string }

func issue(t *testing.T, template, parent *x509.Certificate, key, signer crypto.Signer) issued {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return issued{string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))}
}

func made[T any](key T, err error) T {
	if err != nil {
		panic(err)
	}
	return key
}

func TestCertificates(t *testing.T) {
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "root", Organization: []string{"Bank"}}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC)}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "shop"}, DNSNames: []string{"shop.example"},
		URIs: []*url.URL{{Scheme: "spiffe", Host: "cluster.local", Path: "/ns/shop/sa/web"}}, NotBefore: root.NotBefore, NotAfter: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	curve, strong := made(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)), made(rsa.GenerateKey(rand.Reader, 2048))
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca, one, two := issue(t, root, root, curve, curve), issue(t, leaf, root, strong, curve), issue(t, leaf, root, edwards, curve)
	want := mesh.Certificate{Subject: "CN=root,O=Bank", CommonName: "root", Organization: []string{"Bank"}, Issuer: "CN=root,O=Bank", NotBefore: "2026-01-01T00:00:00Z",
		NotAfter: "2036-01-01T00:00:00Z", DNSNames: []string{}, URIs: []string{}, IsCA: true, SelfSigned: true, KeyAlgorithm: "ECDSA", KeyBits: 256, SignatureAlgorithm: "ECDSA-SHA256"}
	wantLeaf := mesh.Certificate{Subject: "CN=shop", CommonName: "shop", Organization: []string{}, Issuer: "CN=root,O=Bank", NotBefore: "2026-01-01T00:00:00Z",
		NotAfter: "2026-03-01T00:00:00Z", DNSNames: []string{"shop.example"}, URIs: []string{"spiffe://cluster.local/ns/shop/sa/web"}, KeyAlgorithm: "RSA", KeyBits: 2048, SignatureAlgorithm: "ECDSA-SHA256"}
	wantOther := wantLeaf
	wantOther.KeyAlgorithm, wantOther.KeyBits = "Ed25519", 256
	for name, c := range map[string]struct {
		text string
		want []mesh.Certificate
	}{
		"a chain":                  {one.certificate + ca.certificate, []mesh.Certificate{wantLeaf, want}},
		"in base64, as a caBundle": {base64.StdEncoding.EncodeToString([]byte(ca.certificate)), []mesh.Certificate{want}},
		"beside a key":             {two.key + two.certificate, []mesh.Certificate{wantOther}},
		"a key alone":              {two.key, nil},
		"one that is broken":       {one.certificate + strings.Replace(ca.certificate, "MII", "AAA", 1), nil},
		"nothing":                  {"", nil},
		"no text of either form":   {"%%%", nil},
	} {
		got, ok := mesh.Certificates(c.text)
		if diff := cmp.Diff(c.want, got); diff != "" || ok != (c.want != nil) {
			t.Errorf("%s: ok %v (-want +got):\n%s", name, ok, diff)
		}
	}
}

// TestNoKeySurvives: whatever a Secret looks like, nothing that is kept or said of it holds a part of its key.
func TestNoKeySurvives(t *testing.T) {
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "root"}, NotAfter: time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC)}
	key := made(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	c := issue(t, root, root, key, key)
	encoded := base64.StdEncoding.EncodeToString
	metadata := func(more map[string]any) map[string]any {
		out := map[string]any{"name": "tls", "namespace": "edge", "labels": map[string]any{"app": "gateway"}}
		for k, v := range more {
			out[k] = v
		}
		return out
	}
	for name, fields := range map[string]map[string]any{
		"of kubernetes.io/tls":     {"metadata": metadata(nil), "data": map[string]any{"tls.crt": encoded([]byte(c.certificate)), "tls.key": encoded([]byte(c.key))}},
		"of istiod's CA":           {"metadata": metadata(nil), "data": map[string]any{"ca-cert.pem": encoded([]byte(c.certificate)), "ca-key.pem": encoded([]byte(c.key))}},
		"as text":                  {"metadata": metadata(nil), "stringData": map[string]any{"cert": c.certificate, "key": c.key}},
		"in one text":              {"metadata": metadata(nil), "stringData": map[string]any{"tls.crt": c.key + c.certificate + c.key}},
		"in an annotation":         {"metadata": metadata(map[string]any{"annotations": map[string]any{"kubectl.kubernetes.io/last-applied-configuration": `{"stringData":{"key":"` + c.key + `"}}`}}), "stringData": map[string]any{"tls.crt": c.certificate}},
		"where no text belongs":    {"metadata": metadata(map[string]any{"labels": c.key, "ownerReferences": c.key}), "stringData": map[string]any{"tls.crt": c.certificate}},
		"in a label":               {"metadata": metadata(map[string]any{"labels": map[string]any{"key": []any{c.key}}}), "stringData": map[string]any{"tls.crt": c.certificate}},
		"as all of the data":       {"metadata": metadata(nil), "data": c.key},
		"as all of the metadata":   {"metadata": c.key, "stringData": map[string]any{"tls.crt": c.certificate}},
		"as a certificate":         {"metadata": metadata(nil), "stringData": map[string]any{"tls.crt": c.key}},
		"in a field that is new":   {"metadata": metadata(nil), "stringData": map[string]any{"tls.crt": c.certificate}, "newData": c.key},
		"under a key of our own":   {"metadata": metadata(nil), "stringData": map[string]any{"tls.crt": c.certificate}, "certificates": map[string]any{"tls.crt": c.key}},
		"as the kind of something": {"metadata": metadata(nil), "stringData": map[string]any{"tls.crt": c.certificate}, "type": []any{c.key}},
	} {
		content := map[string]any{"apiVersion": "v1", "kind": "Secret"}
		for k, v := range fields {
			content[k] = v
		}
		o, err := mesh.Decode(content)
		said := fmt.Sprintf("%v\n", err)
		if o != nil {
			said += fmt.Sprintf("%#v\n%#v", o, o.Spec)
		}
		if err != nil && !errors.Is(err, mesh.ErrIgnored) {
			t.Errorf("%s: %v", name, err)
		}
		if part := within(said, c.key, encoded([]byte(c.key))); part != "" {
			t.Errorf("%s: %q of the key is in\n%s", name, part, said)
		}
	}
}

// within is a part of one of the secrets that stands in a text: 12 characters, which do not turn up there by chance.
func within(text string, secrets ...string) string {
	const length = 12
	for _, s := range secrets {
		for line := range strings.Lines(s) {
			for i := 0; i+length <= len(line) && !strings.HasPrefix(line, "-----"); i++ {
				if strings.Contains(text, line[i:i+length]) {
					return line[i : i+length]
				}
			}
		}
	}
	return ""
}
