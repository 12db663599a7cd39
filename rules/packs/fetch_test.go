package packs

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/registry"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/rules"
	"github.com/waywarden/waywarden/rules/bundle"
)

// signer is a key that signs bundles, and its public half.
func signer(t *testing.T) (*bundle.Signer, v1alpha1.PublicKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	s, err := bundle.ParseSigner(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	if err != nil {
		t.Fatal(err)
	}
	return s, v1alpha1.PublicKey(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))
}

// TestFromRegistry: what is signed is handed on, and what is not is refused in the word that the status has for it.
func TestFromRegistry(t *testing.T) {
	s := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(s.Close)
	host := strings.TrimPrefix(s.URL, "http://")
	signs, public := signer(t)
	_, stranger := signer(t)
	archive, pack, err := bundle.Build(os.DirFS("../../test/admission/testdata/packs"), rules.Options{}, signs)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := bundle.Push(t.Context(), archive, host+"/acme/rules", bundle.Access{})
	if err != nil {
		t.Fatal(err)
	}
	fetch := FromRegistry(bundle.Access{})
	files, err := fetch(t.Context(), &v1alpha1.RulePackOCI{Image: ref, PublicKeys: []v1alpha1.PublicKey{stranger, public}})
	if err != nil {
		t.Fatal(err)
	}
	if revision, err := Files(files).revision(); err != nil || revision != pack.Revision {
		t.Errorf("revision %s, %v; it was built as %s", revision, err, pack.Revision)
	}
	nowhere := "@sha256:" + strings.Repeat("0", 64)
	for _, tc := range []struct {
		image         string
		key           v1alpha1.PublicKey
		reason, field string
		consequence   string
	}{
		{image: ref, key: stranger, reason: v1alpha1.ReasonSignatureInvalid, field: "spec.oci", consequence: "its signature is not by SHA256:"},
		{image: host + "/acme/rules" + nowhere, key: public, reason: v1alpha1.ReasonSourceUnavailable, field: "spec.oci", consequence: "there is no such repository in it"},
		{image: "127.0.0.1:1/acme/rules" + nowhere, key: public, reason: v1alpha1.ReasonSourceUnavailable, field: "spec.oci", consequence: "connection refused"},
		{image: host + "/acme/rules:v1", key: public, reason: v1alpha1.ReasonBundleInvalid, field: "spec.oci", consequence: "a tag is moved"},
		{image: ref, key: "-----BEGIN PUBLIC KEY-----", reason: v1alpha1.ReasonInvalid, field: "spec.oci.publicKeys[0]", consequence: "nobody's signature counts"},
	} {
		_, err := fetch(t.Context(), &v1alpha1.RulePackOCI{Image: tc.image, PublicKeys: []v1alpha1.PublicKey{tc.key}})
		var r *Refused
		if !errors.As(err, &r) || r.Reason != tc.reason || r.Refusals[0].File != tc.field || !strings.Contains(r.Refusals[0].Message, tc.consequence) {
			t.Errorf("%s: %+v, want %s of %s: … %s …", tc.image, err, tc.reason, tc.field, tc.consequence)
		}
	}
}

// TestFetchAgain: a registry that is away is asked again, after longer and longer; what it delivered, or what was refused, is not
// asked for again until the pack names something else.
func TestFetchAgain(t *testing.T) {
	clock := clocktesting.NewFakeClock(time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC))
	began := clock.Now()
	var asked []time.Duration
	var answer error
	k := NewKeeper(KeeperOptions{Clock: clock, Fetch: func(context.Context, *v1alpha1.RulePackOCI) (map[string]string, error) {
		asked = append(asked, clock.Since(began))
		return map[string]string{"acme/x.rego": "package acme.x\n"}, answer
	}})
	pack := &v1alpha1.RulePack{}
	pack.Name = "acme"
	ask := func(image string) (*wanted, error) {
		return (&one{Keeper: k, pack: pack}).bundle(t.Context(), &v1alpha1.RulePackOCI{Image: image})
	}
	follow := func(image string, d time.Duration) {
		var err error
		for end := clock.Now().Add(d); clock.Now().Before(end); clock.Step(time.Second) {
			_, err = ask(image)
		}
		if (err == nil) != (answer == nil) {
			t.Errorf("after %s: %v", clock.Since(began), err)
		}
	}
	seconds := func(all ...int) (out []time.Duration) {
		for _, s := range all {
			out = append(out, time.Duration(s)*time.Second)
		}
		return out
	}
	answer = errors.New("the registry is away")
	follow("a", 20*time.Minute)
	if diff := cmp.Diff(seconds(0, 10, 30, 70, 150, 310, 610, 910), asked); diff != "" {
		t.Errorf("a registry that is away (-want +got):\n%s", diff)
	}
	asked, answer = nil, nil
	follow("a", 20*time.Minute)
	if diff := cmp.Diff(seconds(1210), asked); diff != "" {
		t.Errorf("one that delivers (-want +got):\n%s", diff)
	}
	asked, answer = nil, refused(v1alpha1.ReasonSignatureInvalid, bundleField, "it is not signed")
	follow("b", 20*time.Minute)
	if diff := cmp.Diff(seconds(2400), asked); diff != "" {
		t.Errorf("what is not signed (-want +got):\n%s", diff)
	}
	asked, answer = nil, nil
	if w, err := ask("c"); err != nil || len(asked) != 1 || len(w.files) != 1 {
		t.Errorf("another image: %v, %v, asked %d times", w, err, len(asked))
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (&one{Keeper: k, pack: pack}).bundle(ended, &v1alpha1.RulePackOCI{Image: "d"}); !errors.Is(err, context.Canceled) {
		t.Errorf("it ends: %v", err)
	}
	k.forget(nil)
	if len(k.fetched) != 0 {
		t.Errorf("of a pack that is gone is still known %v", k.fetched)
	}
}
