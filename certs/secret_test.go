package certs

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func written(t testing.TB, m *material) *corev1.Secret {
	t.Helper()
	s := &corev1.Secret{}
	if err := m.write(s); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSecretComesBack: what is written is read as the same, in every phase.
func TestSecretComesBack(t *testing.T) {
	s := at(t)
	for name, steps := range map[string][]action{
		"steady": nil, "announced": {announce}, "waiting": {announce, confirm}, "retiring": {announce, confirm, swap}, "both": {announce, confirm, swap, announce},
	} {
		t.Run(name, func(t *testing.T) {
			first := written(t, s.after(t, start.Add(1234567*time.Nanosecond), steps...).stored)
			m, err := parse(first)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(first, written(t, m)); diff != "" {
				t.Errorf("(-first +second):\n%s", diff)
			}
		})
	}
}

// TestSecretKeepsWhatIsNotOurs: labels, the operator's annotation and foreign keys stay; what a phase no longer has
// goes.
func TestSecretKeepsWhatIsNotOurs(t *testing.T) {
	s := at(t)
	secret := written(t, s.after(t, start, announce, confirm, swap, announce).stored)
	secret.ObjectMeta = metav1.ObjectMeta{ResourceVersion: "7", Labels: map[string]string{"a": "b"}, Annotations: map[string]string{RotateAnnotation: "x", "c": "d"}}
	secret.Data["other"] = []byte("stays")
	if err := s.stored.write(secret); err != nil {
		t.Fatal(err)
	}
	want := metav1.ObjectMeta{ResourceVersion: "7", Labels: map[string]string{"a": "b"}, Annotations: map[string]string{RotateAnnotation: "x", "c": "d", PhaseAnnotation: "Steady"}}
	if diff := cmp.Diff(want, secret.ObjectMeta); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var keys []string
	for _, k := range []string{"other", keyLeaf, keyLeafKey, keyCA, keyCAKey, keyNext, keyNextKey, keyPrevious} {
		if _, ok := secret.Data[k]; ok {
			keys = append(keys, k)
		}
	}
	if diff := cmp.Diff([]string{"other", keyLeaf, keyLeafKey, keyCA, keyCAKey}, keys); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

func TestSecretThatCannotBeUsed(t *testing.T) {
	s := at(t)
	other := written(t, at(t).stored)
	whole := func() *corev1.Secret { return written(t, s.after(t, start, announce, confirm, swap, announce).stored) }
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(p384)
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*corev1.Secret){
		"empty":             func(s *corev1.Secret) { s.Data = nil },
		"no certificate":    func(s *corev1.Secret) { delete(s.Data, keyLeaf) },
		"no key":            func(s *corev1.Secret) { delete(s.Data, keyLeafKey) },
		"no CA":             func(s *corev1.Secret) { delete(s.Data, keyCA) },
		"no CA key":         func(s *corev1.Secret) { delete(s.Data, keyCAKey) },
		"half of a next CA": func(s *corev1.Secret) { delete(s.Data, keyNextKey) },
		"cut off":           func(s *corev1.Secret) { s.Data[keyLeaf] = s.Data[keyLeaf][:100] },
		"another's key":     func(s *corev1.Secret) { s.Data[keyLeafKey] = other.Data[keyLeafKey] },
		"another's CA":      func(s *corev1.Secret) { s.Data[keyCA], s.Data[keyCAKey] = other.Data[keyCA], other.Data[keyCAKey] },
		"a CA that is none": func(s *corev1.Secret) { s.Data[keyNext], s.Data[keyNextKey] = s.Data[keyLeaf], s.Data[keyLeafKey] },
		"a key of another kind": func(s *corev1.Secret) {
			s.Data[keyCAKey] = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
		},
		"text among the old CAs":     func(s *corev1.Secret) { s.Data[keyPrevious] = append(s.Data[keyPrevious], "hello"...) },
		"a key among the old CAs":    func(s *corev1.Secret) { s.Data[keyPrevious] = s.Data[keyCAKey] },
		"a thousand old CAs":         func(s *corev1.Secret) { s.Data[keyPrevious] = bytes.Repeat(s.Data[keyPrevious], 1000) },
		"binary where PEM should be": func(s *corev1.Secret) { s.Data[keyCA] = []byte{0, 255, 0} },
	} {
		t.Run(name, func(t *testing.T) {
			secret := whole()
			if _, err := parse(secret); err != nil {
				t.Fatalf("it was of no use before: %v", err)
			}
			spoil(secret)
			if m, err := parse(secret); err == nil || m != nil {
				t.Errorf("it is used: %v, %v", m, err)
			}
		})
	}
}

func TestSinceThatCannotBeReadIsUnknown(t *testing.T) {
	s := written(t, at(t).after(t, start, announce, confirm).stored)
	s.Annotations[SinceAnnotation] = "yesterday"
	m, err := parse(s)
	if err != nil {
		t.Fatal(err)
	}
	if !m.since.IsZero() {
		t.Errorf("since %s", m.since)
	}
}

// FuzzSecret: whatever the Secret holds, nothing panics; what is usable survives being written, can be planned from,
// and its CA vouches for its certificate's signature.
func FuzzSecret(f *testing.F) {
	s := state{names: names, delay: delay}
	for _, steps := range [][]action{{fresh}, {fresh, announce, confirm}, {fresh, announce, confirm, swap}, {fresh, announce, swap, announce}} {
		for _, do := range steps {
			m, err := s.carry(do, start)
			if err != nil {
				f.Fatal(err)
			}
			s.stored = m
		}
		d := written(f, s.stored)
		f.Add(d.Data[keyLeaf], d.Data[keyLeafKey], d.Data[keyCA], d.Data[keyCAKey], d.Data[keyNext], d.Data[keyNextKey], d.Data[keyPrevious], d.Annotations[SinceAnnotation])
	}
	f.Fuzz(func(t *testing.T, leaf, leafKey, ca, caKey, next, nextKey, previous []byte, since string) {
		secret := &corev1.Secret{Data: map[string][]byte{
			keyLeaf: leaf, keyLeafKey: leafKey, keyCA: ca, keyCAKey: caKey, keyNext: next, keyNextKey: nextKey, keyPrevious: previous,
		}}
		secret.Annotations = map[string]string{SinceAnnotation: since}
		m, err := parse(secret)
		if err != nil {
			return
		}
		if err := m.leaf.Leaf.CheckSignatureFrom(m.ca.cert); err != nil {
			t.Errorf("it is used, and its parts do not fit: %v", err)
		}
		again, err := parse(written(t, m))
		if err != nil {
			t.Fatalf("it is not read as it was written: %v", err)
		}
		if !bytes.Equal(m.bundle(), again.bundle()) {
			t.Error("it trusts other CAs after it was written")
		}
		s := state{stored: m, names: names, delay: delay}
		if next := plan(s, start); next.do != wait {
			if _, err := s.carry(next.do, start); err != nil {
				t.Errorf("%s: %v", next.do, err)
			}
		}
	})
}
