package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// The keys of the Secret. tls.crt, tls.key and ca.crt are what others call so, too: the last is the CA in force alone,
// and the bundle for clients is ca.crt, next.crt and previous.crt together.
const (
	keyLeaf     = corev1.TLSCertKey
	keyLeafKey  = corev1.TLSPrivateKeyKey
	keyCA       = "ca.crt"
	keyCAKey    = "ca.key"
	keyNext     = "next.crt"
	keyNextKey  = "next.key"
	keyPrevious = "previous.crt" // one or more; their keys are gone
)

// maxPrevious is more than rotations leave: a Secret with more is not ours.
const maxPrevious = 8

// Annotations of the Secret. An operator writes RotateAnnotation with any new value to have the CA replaced; the
// others are ours: the value that was followed last, where the rotation stands (for people; it is not read), and since
// when.
const (
	RotateAnnotation  = "waywarden.dev/rotate"
	RotatedAnnotation = "waywarden.dev/rotated"
	PhaseAnnotation   = "waywarden.dev/phase"
	SinceAnnotation   = "waywarden.dev/since"
)

// parse reads a Secret. Whatever is in it, it answers with material whose parts fit together, or with an error that
// says what does not. It does not judge dates.
func parse(s *corev1.Secret) (*material, error) {
	leaf, err := tls.X509KeyPair(s.Data[keyLeaf], s.Data[keyLeafKey])
	if err != nil {
		return nil, fmt.Errorf("%s and %s: %w", keyLeaf, keyLeafKey, err)
	}
	ca, err := parseAuthority(s, keyCA, keyCAKey)
	if err != nil {
		return nil, err
	}
	if err := leaf.Leaf.CheckSignatureFrom(ca.cert); err != nil {
		return nil, fmt.Errorf("%s is not signed by %s: %w", keyLeaf, keyCA, err)
	}
	m := &material{leaf: &leaf, ca: *ca, asked: s.Annotations[RotateAnnotation], done: s.Annotations[RotatedAnnotation]}
	if len(s.Data[keyNext])+len(s.Data[keyNextKey]) > 0 {
		if m.next, err = parseAuthority(s, keyNext, keyNextKey); err != nil {
			return nil, err
		}
	}
	if m.previous, err = parseCerts(s.Data[keyPrevious]); err != nil {
		return nil, fmt.Errorf("%s: %w", keyPrevious, err)
	}
	if len(m.previous) > maxPrevious {
		return nil, fmt.Errorf("%s holds %d certificates, more than %d", keyPrevious, len(m.previous), maxPrevious)
	}
	// Unreadable counts as unknown: the wait then begins anew, which is safe.
	if at, err := time.Parse(time.RFC3339Nano, s.Annotations[SinceAnnotation]); err == nil {
		m.since = at
	}
	return m, nil
}

func parseAuthority(s *corev1.Secret, certKey, keyKey string) (*authority, error) {
	pair, err := tls.X509KeyPair(s.Data[certKey], s.Data[keyKey])
	if err != nil {
		return nil, fmt.Errorf("%s and %s: %w", certKey, keyKey, err)
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%s is not an ECDSA P-256 key", keyKey)
	}
	if !pair.Leaf.IsCA || pair.Leaf.KeyUsage&x509.KeyUsageCertSign == 0 {
		return nil, fmt.Errorf("%s is not a CA", certKey)
	}
	return &authority{pair.Leaf, key}, nil
}

// parseCerts reads PEM that may hold anything. Nothing is passed over: what is no certificate is an error.
func parseCerts(raw []byte) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for len(raw) > 0 {
		block, rest := pem.Decode(raw)
		if block == nil {
			return nil, errors.New("it holds something that is not PEM")
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("it holds PEM of type %q, want CERTIFICATE", block.Type)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		out, raw = append(out, c), rest
	}
	return out, nil
}

// write puts material into a Secret. Keys, labels and annotations that are not ours stay, and so does RotateAnnotation,
// which is the operator's.
func (m *material) write(s *corev1.Secret) error {
	data := map[string][]byte{keyCA: encodeCerts([]*x509.Certificate{m.ca.cert})}
	data[keyLeaf] = encodeCerts([]*x509.Certificate{m.leaf.Leaf})
	keys := map[string]any{keyLeafKey: m.leaf.PrivateKey, keyCAKey: m.ca.key}
	if m.next != nil {
		data[keyNext] = encodeCerts([]*x509.Certificate{m.next.cert})
		keys[keyNextKey] = m.next.key
	}
	if len(m.previous) > 0 {
		data[keyPrevious] = encodeCerts(m.previous)
	}
	for name, key := range keys {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return fmt.Errorf("encode %s: %w", name, err)
		}
		data[name] = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	}
	if s.Data == nil {
		s.Data = map[string][]byte{}
	}
	for _, name := range []string{keyNext, keyNextKey, keyPrevious} {
		delete(s.Data, name)
	}
	maps.Copy(s.Data, data)
	m.annotate(s)
	return nil
}

func (m *material) annotate(s *corev1.Secret) {
	if s.Annotations == nil {
		s.Annotations = map[string]string{}
	}
	s.Annotations[PhaseAnnotation] = string(m.phase())
	delete(s.Annotations, RotatedAnnotation)
	if m.done != "" {
		s.Annotations[RotatedAnnotation] = m.done
	}
	delete(s.Annotations, SinceAnnotation)
	if !m.since.IsZero() {
		s.Annotations[SinceAnnotation] = m.since.UTC().Format(time.RFC3339Nano)
	}
}
