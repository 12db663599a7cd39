package bundle

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jws"
	opa "github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/util"
)

// Signer signs bundles.
type Signer struct {
	// ID is what signatures call the key; empty where they call it nothing.
	ID string
	// Scope is what signatures claim to be for; empty where they claim nothing.
	Scope string

	key       crypto.Signer
	algorithm jwa.SignatureAlgorithm
}

// ParseSigner reads a private key in PEM: PKCS #8, SEC 1 or PKCS #1, for ECDSA or RSA.
func ParseSigner(text []byte) (*Signer, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("it holds no private key: there is no block of PEM in it. Make one with openssl ecparam -name prime256v1 -genkey -noout")
	}
	key, err := privateKey(block)
	if err != nil {
		return nil, err
	}
	if err := usable(key.Public()); err != nil {
		return nil, err
	}
	name := "RS256" // as opa sign does
	if public, is := key.Public().(*ecdsa.PublicKey); is {
		name = curves[public.Curve.Params().BitSize]
	}
	algorithm, ok := jwa.LookupSignatureAlgorithm(name)
	if !ok {
		panic("no algorithm " + name) // each of them is the library's
	}
	return &Signer{key: key, algorithm: algorithm}, nil
}

func privateKey(block *pem.Block) (crypto.Signer, error) {
	var key any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "ENCRYPTED PRIVATE KEY":
		return nil, errors.New("it is encrypted, and nobody is asked for a passphrase. Decrypt it with openssl pkey")
	default:
		return nil, fmt.Errorf("it holds no private key, but a %s", block.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("read the private key: %w", err)
	}
	switch key := key.(type) {
	case *ecdsa.PrivateKey:
		return repeatable{key}, nil
	case *rsa.PrivateKey:
		return key, nil
	}
	return nil, fmt.Errorf("it is a %T. Use a key for ECDSA or RSA, as OPA does", key)
}

// repeatable signs the same with the same bytes (RFC 6979): the same rules are the same bundle, and have the same digest.
type repeatable struct{ *ecdsa.PrivateKey }

func (r repeatable) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return r.PrivateKey.Sign(nil, digest, opts)
}

// sign is .signatures.json for files. It is as opa sign makes it, but that the same files give the same signature.
func (s *Signer) sign(files map[string][]byte) ([]byte, error) {
	hasher, err := opa.NewSignatureHasher(opa.SHA256)
	if err != nil {
		return nil, err
	}
	claims := claims{KeyID: s.ID, Scope: s.Scope}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		var value any = files[name]
		if opa.IsStructuredDoc(name) {
			if err := util.Unmarshal(files[name], &value); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
		sum, err := hasher.HashFile(value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		claims.Files = append(claims.Files, opa.NewFile(name, hex.EncodeToString(sum), opa.SHA256.String()))
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return nil, err
	}
	headers := jws.NewHeaders()
	if s.ID != "" {
		if err := headers.Set(jws.KeyIDKey, s.ID); err != nil {
			return nil, err
		}
	}
	signed, err := jws.Sign(payload, jws.WithKey(s.algorithm, s.key, jws.WithProtectedHeaders(headers)))
	if err != nil {
		return nil, err
	}
	return json.MarshalIndent(opa.SignaturesConfig{Signatures: []string{string(signed)}}, "", " ")
}

// claims are an opa.DecodedSignature, without what is not claimed.
type claims struct {
	Files []opa.FileInfo `json:"files"`
	KeyID string         `json:"keyid,omitempty"`
	Scope string         `json:"scope,omitempty"`
}
