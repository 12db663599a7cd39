package certs

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"time"
)

// phase is where a rotation stands.
type phase string

const (
	steady    phase = "Steady"    // one CA
	announced phase = "Announced" // a new CA is published beside the one in force
	retiring  phase = "Retiring"  // the new CA is in force, the old one is still trusted
)

// material is what the Secret holds. It is never changed: a step makes another one.
type material struct {
	leaf     *tls.Certificate    // what is served; Leaf is set
	ca       authority           // it signed the leaf
	next     *authority          // it will sign; nil but for a rotation
	previous []*x509.Certificate // they may have signed what a replica still serves
	// since is when the phase's wait began: both configurations were seen with the new CA, or the leaf changed.
	// Zero while they have not been seen.
	since time.Time
	// asked and done are the operator's word for a rotation, and the last one that was followed.
	asked, done string
}

func (m *material) phase() phase {
	switch {
	case len(m.previous) > 0:
		return retiring
	case m.next != nil:
		return announced
	}
	return steady
}

// trust is what the configurations' bundles must hold, the CA in force first.
func (m *material) trust() []*x509.Certificate {
	out := []*x509.Certificate{m.ca.cert}
	if m.next != nil {
		out = append(out, m.next.cert)
	}
	for _, c := range m.previous {
		if !slices.ContainsFunc(out, c.Equal) {
			out = append(out, c)
		}
	}
	return out
}

// bundle is trust as PEM, byte for byte what is written into a caBundle.
func (m *material) bundle() []byte { return encodeCerts(m.trust()) }

func encodeCerts(certs []*x509.Certificate) []byte {
	var out bytes.Buffer
	for _, c := range certs {
		out.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
	}
	return out.Bytes()
}
