package mesh

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"maps"
	"slices"
	"strings"
	"time"
)

// Certificate is what rules may know of a certificate.
type Certificate struct {
	Subject            string   `json:"subject"`      // as in "CN=root,O=Bank"
	CommonName         string   `json:"commonName"`   // of the subject
	Organization       []string `json:"organization"` // of the subject
	Issuer             string   `json:"issuer"`
	NotBefore          string   `json:"notBefore"` // as in 2026-11-25T22:00:00Z
	NotAfter           string   `json:"notAfter"`
	DNSNames           []string `json:"dnsNames"`
	URIs               []string `json:"uris"`
	IsCA               bool     `json:"isCA"`
	SelfSigned         bool     `json:"selfSigned"`
	KeyAlgorithm       string   `json:"keyAlgorithm"` // RSA, ECDSA, Ed25519, …
	KeyBits            int      `json:"keyBits"`      // 0 where it is not known
	SignatureAlgorithm string   `json:"signatureAlgorithm"`
}

// Certificates are those in a text of PEM blocks, in order, or of such a text in base64. What is no certificate is passed over,
// whatever it is: nothing of it is kept. ok is false where there is none, or where one cannot be read.
func Certificates(text string) (out []Certificate, ok bool) {
	if !strings.Contains(text, "-----BEGIN") { // as a caBundle is in JSON
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, false
		}
		text = string(raw)
	}
	rest := []byte(text)
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return out, len(out) > 0
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		parsed, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, false
		}
		out = append(out, certificateOf(parsed))
	}
}

func certificateOf(c *x509.Certificate) Certificate {
	out := Certificate{
		Subject: c.Subject.String(), CommonName: c.Subject.CommonName, Organization: notNil(c.Subject.Organization), Issuer: c.Issuer.String(),
		NotBefore: c.NotBefore.UTC().Format(time.RFC3339), NotAfter: c.NotAfter.UTC().Format(time.RFC3339),
		DNSNames: notNil(c.DNSNames), URIs: []string{}, IsCA: c.IsCA, KeyAlgorithm: c.PublicKeyAlgorithm.String(), SignatureAlgorithm: c.SignatureAlgorithm.String(),
		SelfSigned: bytes.Equal(c.RawSubject, c.RawIssuer),
	}
	for _, u := range c.URIs {
		out.URIs = append(out.URIs, u.String())
	}
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		out.KeyBits = key.N.BitLen()
	case *ecdsa.PublicKey:
		out.KeyBits = key.Curve.Params().BitSize
	case ed25519.PublicKey:
		out.KeyBits = 256
	}
	return out
}

func notNil(texts []string) []string {
	if texts == nil {
		return []string{}
	}
	return texts
}

// SecretBody is what is kept of a Secret: the certificates in it, by key. Keys and passwords are neither kept nor looked at.
type SecretBody struct {
	Type         string                   `json:"type"`
	Certificates map[string][]Certificate `json:"-"`
}

// certificateKeys are the keys of a Secret under which certificates stand: those of kubernetes.io/tls, of Istio's gateways
// (pilot/pkg/credentials/kube/secrets.go) and of istiod's CA (security/pkg/pki/ca/ca.go).
var certificateKeys = []string{"tls.crt", "ca.crt", "cert", "cacert", "root-cert.pem", "ca-cert.pem", "cert-chain.pem"}

// certified is the content of a Secret with the certificates in place of its data. It is made anew: of data and stringData only
// certificateKeys are looked at, and of what stands there only what is a certificate is kept, so that a key beside it is passed over;
// annotations, where kubectl keeps what it applied, are left out as a whole. So nothing that is kept, compared, printed or put into a
// message holds a key. What was read to find that out did, and is garbage: whoever reads a Secret has to let go of it.
func certified(content map[string]any) (map[string]any, map[string][]Certificate) {
	found := map[string][]Certificate{}
	data, _ := content["data"].(map[string]any)
	plain, _ := content["stringData"].(map[string]any)
	for _, key := range certificateKeys {
		text, ok := plain[key].(string)
		if !ok {
			encoded, _ := data[key].(string)
			raw, err := base64.StdEncoding.DecodeString(encoded)
			if err != nil {
				continue
			}
			text = string(raw)
		}
		if all, ok := Certificates(text); ok {
			found[key] = all
		}
	}
	out := textsOf(content, "apiVersion", "kind", "type")
	metadata, _ := content["metadata"].(map[string]any)
	kept := textsOf(metadata, "name", "namespace", "uid", "creationTimestamp", "deletionTimestamp")
	if labels, ok := metadata["labels"].(map[string]any); ok {
		kept["labels"] = textsOf(labels, slices.Collect(maps.Keys(labels))...)
	}
	out["metadata"] = kept
	certificates := make(map[string]any, len(found))
	for _, key := range slices.Sorted(maps.Keys(found)) {
		certificates[key] = Plain(found[key])
	}
	out["certificates"] = certificates
	return out, found
}

// textsOf are those of some fields that are texts.
func textsOf(in map[string]any, fields ...string) map[string]any {
	out := map[string]any{}
	for _, field := range fields {
		if text, ok := in[field].(string); ok {
			out[field] = text
		}
	}
	return out
}

// Plain are certificates as decoded JSON.
func Plain(all []Certificate) []any {
	out := make([]any, len(all))
	for i, c := range all {
		out[i] = map[string]any{
			"subject": c.Subject, "commonName": c.CommonName, "organization": anys(c.Organization), "issuer": c.Issuer, "notBefore": c.NotBefore, "notAfter": c.NotAfter,
			"dnsNames": anys(c.DNSNames), "uris": anys(c.URIs), "isCA": c.IsCA, "selfSigned": c.SelfSigned, "keyAlgorithm": c.KeyAlgorithm,
			"keyBits": int64(c.KeyBits), "signatureAlgorithm": c.SignatureAlgorithm,
		}
	}
	return out
}

func anys(texts []string) []any {
	out := make([]any, len(texts))
	for i, t := range texts {
		out[i] = t
	}
	return out
}
