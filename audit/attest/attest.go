// Package attest signs a compliance report and checks what was signed.
//
// What is signed is an in-toto statement (https://in-toto.io/Statement/v1) in a DSSE envelope: the report's bytes by
// their digest, the checks and the catalogue of controls by theirs, and as a test result which controls passed. cosign and
// other tools read it. A signature says who vouches for a report, and that nobody has changed it since; not that it is true.
package attest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	result "github.com/in-toto/attestation/go/predicates/test_result/v0"
	intoto "github.com/in-toto/attestation/go/v1"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"github.com/secure-systems-lab/go-securesystemslib/signerverifier"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/waywarden/waywarden/audit/compliance"
)

// PayloadType and PredicateType are what in-toto calls a statement, and a test result in it.
const (
	PayloadType   = "application/vnd.in-toto+json"
	PredicateType = "https://in-toto.io/attestation/test-result/v0.1"
)

// The names of the subjects besides the report's own.
const (
	checksName    = "waywarden-checks"
	catalogueName = "waywarden-controls"
)

// key is a key for either of the two kinds of signature that are taken. pem is PKCS #8 or SEC 1 for a private one and PKIX
// for a public one.
func key(pem []byte) (dsse.SignerVerifier, error) {
	k, err := signerverifier.LoadKey(pem)
	if err != nil {
		return nil, fmt.Errorf("it is no key in PEM: %w", err)
	}
	switch k.KeyType {
	case signerverifier.ED25519KeyType:
		return signerverifier.NewED25519SignerVerifierFromSSLibKey(k)
	case signerverifier.ECDSAKeyType:
		return signerverifier.NewECDSASignerVerifierFromSSLibKey(k)
	}
	return nil, fmt.Errorf("it is a key for %s; use one for ed25519 or ECDSA", k.KeyType)
}

// Sign is the envelope for a report whose bytes are data and whose file is called name.
func Sign(ctx context.Context, privatePEM []byte, name string, data []byte, r *compliance.Report) ([]byte, error) {
	signer, err := key(privatePEM)
	if err != nil {
		return nil, fmt.Errorf("use the key: %w", err)
	}
	payload, err := statement(name, data, r)
	if err != nil {
		return nil, fmt.Errorf("make the statement: %w", err)
	}
	envelopes, err := dsse.NewEnvelopeSigner(signer)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	envelope, err := envelopes.SignPayload(ctx, PayloadType, payload)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return json.Marshal(envelope)
}

func sha(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func descriptor(name, hex string) *intoto.ResourceDescriptor {
	return &intoto.ResourceDescriptor{Name: name, Digest: map[string]string{"sha256": strings.TrimPrefix(hex, "sha256:")}}
}

// statement is the same bytes for the same report; protobuf's JSON is not, until it is compacted.
func statement(name string, data []byte, r *compliance.Report) ([]byte, error) {
	checks, catalogue := descriptor(checksName, r.Tool.ChecksDigest), descriptor(catalogueName, r.Tool.CatalogueDigest)
	test := &result.TestResult{Result: "PASSED", Configuration: []*intoto.ResourceDescriptor{checks, catalogue}}
	for _, f := range r.Frameworks {
		for _, c := range f.Controls {
			id := f.ID + "/" + c.ID
			switch c.State {
			case compliance.Satisfied:
				test.PassedTests = append(test.PassedTests, id)
			case compliance.NotSatisfied:
				test.FailedTests = append(test.FailedTests, id)
			case compliance.Partial, compliance.Exempt:
				test.WarnedTests = append(test.WarnedTests, id)
			}
		}
	}
	switch {
	case len(test.FailedTests) > 0:
		test.Result = "FAILED"
	case len(test.WarnedTests) > 0, len(test.PassedTests) == 0: // where nothing was assessed nothing passed
		test.Result = "WARNED"
	}
	raw, err := protojson.Marshal(test)
	if err != nil {
		return nil, err
	}
	predicate := &structpb.Struct{}
	if err := protojson.Unmarshal(raw, predicate); err != nil {
		return nil, err
	}
	s := &intoto.Statement{Type: intoto.StatementTypeUri, PredicateType: PredicateType, Predicate: predicate,
		Subject: []*intoto.ResourceDescriptor{descriptor(name, sha(data)), checks, catalogue}}
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if raw, err = protojson.Marshal(s); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = json.Compact(&out, raw)
	return out.Bytes(), err
}

// Verified is what a signature that holds says.
type Verified struct {
	// KeyID is that of the key that signed.
	KeyID string
	// Result is PASSED, WARNED or FAILED: the worst that is said of any control.
	Result string
	// Checks and Catalogue are the digests of what the report was made by: "sha256:" and 64 hexadecimal digits.
	Checks, Catalogue string
}

// Verify checks that a key signed an envelope, and that it is about the bytes of a report.
func Verify(ctx context.Context, publicPEM, envelope, data []byte) (Verified, error) {
	verifier, err := key(publicPEM)
	if err != nil {
		return Verified{}, fmt.Errorf("use the key: %w", err)
	}
	var e dsse.Envelope
	if err := json.Unmarshal(envelope, &e); err != nil {
		return Verified{}, fmt.Errorf("read the signature as a DSSE envelope: %w", err)
	}
	if e.PayloadType != PayloadType {
		return Verified{}, fmt.Errorf("the envelope holds %q and no in-toto statement", e.PayloadType)
	}
	envelopes, err := dsse.NewEnvelopeVerifier(verifier)
	if err != nil {
		return Verified{}, fmt.Errorf("verify: %w", err)
	}
	keys, err := envelopes.Verify(ctx, &e)
	if err != nil {
		return Verified{}, fmt.Errorf("the signature is not by this key, or what it signs was changed: %w", err)
	}
	payload, err := e.DecodeB64Payload()
	if err != nil {
		return Verified{}, fmt.Errorf("read what is signed: %w", err)
	}
	return verified(keys[0].KeyID, payload, data)
}

// verified compares what is signed with a report.
func verified(keyID string, payload, data []byte) (Verified, error) {
	var s intoto.Statement
	if err := protojson.Unmarshal(payload, &s); err != nil {
		return Verified{}, fmt.Errorf("read what is signed as an in-toto statement: %w", err)
	}
	if err := s.Validate(); err != nil {
		return Verified{}, fmt.Errorf("read what is signed as an in-toto statement: %w", err)
	}
	if s.GetPredicateType() != PredicateType {
		return Verified{}, fmt.Errorf("what is signed says %q and is no test result", s.GetPredicateType())
	}
	out := Verified{KeyID: keyID, Result: s.GetPredicate().GetFields()["result"].GetStringValue()}
	matches := false
	for _, subject := range s.GetSubject() {
		digest := subject.GetDigest()["sha256"]
		switch subject.GetName() {
		case checksName:
			out.Checks = "sha256:" + digest
		case catalogueName:
			out.Catalogue = "sha256:" + digest
		default:
			matches = matches || digest == sha(data)
		}
	}
	if !matches {
		return Verified{}, errors.New("the report is not the one that was signed: its digest is another one")
	}
	return out, nil
}
