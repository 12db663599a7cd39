package bundle

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// minRSA is the least number of bits of a key for RSA, as everywhere today.
const minRSA = 2048

// Key is a public key whose signatures are believed.
type Key struct {
	// ID is what a signature calls the key. One without an ID is tried whatever a signature calls its own.
	ID string

	public crypto.PublicKey
	pem    string // PKIX
}

// ParseKeys reads the public keys in PEM: PKIX, PKCS #1, or a certificate, of which only the key counts. ECDSA and RSA are
// taken, as OPA takes them. The ID is that of all of them.
func ParseKeys(id string, text []byte) ([]Key, error) {
	var out []Key
	for rest := text; ; {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			if len(out) == 0 {
				return nil, errors.New("it holds no public key: there is no block of PEM in it. Write it with openssl pkey -pubout")
			}
			if len(bytes.TrimSpace(rest)) > 0 {
				return nil, errors.New("it holds something behind the last public key. Take out what is no PEM")
			}
			return out, nil
		}
		k, err := parseKey(id, block)
		if err != nil {
			return nil, err
		}
		out = append(out, k)
	}
}

func parseKey(id string, block *pem.Block) (Key, error) {
	var public crypto.PublicKey
	var err error
	switch block.Type {
	case "PUBLIC KEY":
		public, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		public, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		var cert *x509.Certificate
		if cert, err = x509.ParseCertificate(block.Bytes); err == nil {
			public = cert.PublicKey
		}
	default:
		if strings.HasSuffix(block.Type, "PRIVATE KEY") {
			return Key{}, errors.New("it holds a private key, which nobody but the signer should have. Give the public one: openssl pkey -pubout")
		}
		return Key{}, fmt.Errorf("it holds no public key, but a %s. Write it with openssl pkey -pubout", block.Type)
	}
	if err != nil {
		return Key{}, fmt.Errorf("read the public key: %w", err)
	}
	if err := usable(public); err != nil {
		return Key{}, err
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return Key{}, fmt.Errorf("read the public key: %w", err)
	}
	return Key{ID: id, public: public, pem: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))}, nil
}

// usable refuses keys with which OPA does not sign, and those that are too short.
func usable(public crypto.PublicKey) error {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		if curves[k.Curve.Params().BitSize] == "" {
			return fmt.Errorf("the curve of the key is %s. Use P-256, P-384 or P-521", k.Curve.Params().Name)
		}
		return nil
	case *rsa.PublicKey:
		if k.N.BitLen() < minRSA {
			return fmt.Errorf("the key for RSA has only %d bits. Use one of %d or more", k.N.BitLen(), minRSA)
		}
		return nil
	}
	return fmt.Errorf("the key is a %T, with which OPA signs no bundle. Use one for ECDSA or RSA", public)
}

// curves are the algorithms of JWTs by the size of their curve.
var curves = map[int]string{256: "ES256", 384: "ES384", 521: "ES512"}

// takes is whether the key can have signed with an algorithm.
func (k Key) takes(algorithm string) bool {
	switch public := k.public.(type) {
	case *ecdsa.PublicKey:
		return algorithm == curves[public.Curve.Params().BitSize]
	case *rsa.PublicKey:
		switch algorithm {
		case "RS256", "RS384", "RS512", "PS256", "PS384", "PS512":
			return true
		}
	}
	return false
}

// PEM is the key as ParseKeys reads it, without its ID.
func (k Key) PEM() string { return k.pem }

// Name is the key's ID, or its fingerprint where it has none.
func (k Key) Name() string {
	if k.ID != "" {
		return k.ID
	}
	block, _ := pem.Decode([]byte(k.pem))
	sum := sha256.Sum256(block.Bytes)
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}
