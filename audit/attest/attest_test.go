package attest

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"

	intoto "github.com/in-toto/attestation/go/v1"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/waywarden/waywarden/audit/compliance"
)

// pair is a key pair in PEM.
func pair(t *testing.T, private crypto.Signer) (privatePEM, publicPEM []byte) {
	t.Helper()
	a, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	b, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: a}), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: b})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func keyPairs() map[string]crypto.Signer {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	return map[string]crypto.Signer{
		"ed25519":     must(ed, err),
		"ECDSA P-256": must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)),
		"ECDSA P-384": must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)),
	}
}

func sample() *compliance.Report {
	digest := "sha256:" + strings.Repeat("ab", 32)
	return &compliance.Report{Tool: compliance.Tool{ChecksDigest: digest, CatalogueDigest: digest}, Frameworks: []compliance.Framework{{ID: "f", Controls: []compliance.Control{
		{ID: "1", State: compliance.Satisfied}, {ID: "2", State: compliance.NotSatisfied}, {ID: "3", State: compliance.NotAssessed}}}}}
}

// TestResult: the worst state is the result, and where nothing was assessed nothing has passed.
func TestResult(t *testing.T) {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	privatePEM, publicPEM := pair(t, key)
	for _, tc := range []struct {
		states []compliance.State
		want   string
	}{
		{[]compliance.State{compliance.Satisfied, compliance.NotAssessed}, "PASSED"},
		{[]compliance.State{compliance.Satisfied, compliance.Partial}, "WARNED"},
		{[]compliance.State{compliance.Exempt, compliance.NotSatisfied}, "FAILED"},
		{[]compliance.State{compliance.NotAssessed}, "WARNED"},
		{nil, "WARNED"},
	} {
		r := sample()
		r.Frameworks[0].Controls = nil
		for i, s := range tc.states {
			r.Frameworks[0].Controls = append(r.Frameworks[0].Controls, compliance.Control{ID: fmt.Sprint(i), State: s})
		}
		envelope, err := Sign(t.Context(), privatePEM, "report.html", nil, r)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := Verify(t.Context(), publicPEM, envelope, nil); err != nil || v.Result != tc.want {
			t.Errorf("%v is %s, want %s: %v", tc.states, v.Result, tc.want, err)
		}
	}
}

func TestSignAndVerify(t *testing.T) {
	ctx, data := context.Background(), []byte("a report\n")
	for name, private := range keyPairs() {
		t.Run(name, func(t *testing.T) {
			privatePEM, publicPEM := pair(t, private)
			envelope, err := Sign(ctx, privatePEM, "report.html", data, sample())
			if err != nil {
				t.Fatal(err)
			}
			v, err := Verify(ctx, publicPEM, envelope, data)
			if err != nil {
				t.Fatal(err)
			}
			if v.Result != "FAILED" || v.Checks != sample().Tool.ChecksDigest || v.KeyID == "" {
				t.Errorf("what is verified is %+v", v)
			}
			_, stranger := pair(t, must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)))
			for name, tc := range map[string]struct {
				key, envelope, data []byte
				want                string
			}{
				"another report":   {publicPEM, envelope, append(data, ' '), "the report is not the one that was signed"},
				"another key":      {stranger, envelope, data, "the signature is not by this key"},
				"a changed claim":  {publicPEM, tampered(t, envelope), data, "the signature is not by this key, or what it signs was changed"},
				"half an envelope": {publicPEM, envelope[:len(envelope)/2], data, "read the signature as a DSSE envelope"},
				"no envelope":      {publicPEM, []byte("{}"), data, "no in-toto statement"},
				"no key":           {[]byte("x"), envelope, data, "it is no key in PEM"},
			} {
				if _, err := Verify(ctx, tc.key, tc.envelope, tc.data); err == nil || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("%s: error %v, want it to say %q", name, err, tc.want)
				}
			}
		})
	}
}

// tampered says PASSED where FAILED was signed.
func tampered(t *testing.T, envelope []byte) []byte {
	t.Helper()
	var e dsse.Envelope
	if err := json.Unmarshal(envelope, &e); err != nil {
		t.Fatal(err)
	}
	payload := must(e.DecodeB64Payload())
	changed := strings.Replace(string(payload), "FAILED", "PASSED", 1)
	if changed == string(payload) {
		t.Fatal("there was nothing to change")
	}
	e.Payload = string(must(json.Marshal([]byte(changed))))
	e.Payload = strings.Trim(e.Payload, `"`)
	return must(json.Marshal(e))
}

func TestKeyOfAnotherKind(t *testing.T) {
	private, _ := pair(t, must(rsa.GenerateKey(rand.Reader, 2048)))
	if _, err := Sign(context.Background(), private, "r", nil, sample()); err == nil || !strings.Contains(err.Error(), "use one for ed25519 or ECDSA") {
		t.Errorf("an RSA key: %v", err)
	}
}

// TestStatement: the same report makes the same bytes, and in-toto's own types take them.
func TestStatement(t *testing.T) {
	a, b := must(statement("r", []byte("x"), sample())), must(statement("r", []byte("x"), sample()))
	if string(a) != string(b) {
		t.Errorf("two statements of the same report differ:\n%s\n%s", a, b)
	}
	var s intoto.Statement
	if err := protojson.Unmarshal(a, &s); err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(); err != nil {
		t.Error(err)
	}
	got := s.GetPredicate().GetFields()["failedTests"].GetListValue().GetValues()
	if len(got) != 1 || got[0].GetStringValue() != "f/2" {
		t.Errorf("what failed is %v", got)
	}
}
