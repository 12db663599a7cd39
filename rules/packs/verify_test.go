package packs

import (
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	appsv1 "k8s.io/api/apps/v1"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/rules"
	"github.com/waywarden/waywarden/rules/bundle"
	"github.com/waywarden/waywarden/test/signing"
)

// shelf is a registry in which rules are.
type shelf struct {
	t    *testing.T
	host string
}

func newShelf(t *testing.T) *shelf {
	t.Helper()
	s := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(s.Close)
	return &shelf{t, strings.TrimPrefix(s.URL, "http://")}
}

// bundle puts rules there, signed, and fetches them.
func (s *shelf) bundle(f Files, signer *bundle.Signer, public v1alpha1.PublicKey) *wanted {
	s.t.Helper()
	folder, err := bundle.Folder(f)
	if err != nil {
		s.t.Fatal(err)
	}
	archive, _, err := bundle.Build(folder, rules.Options{}, signer)
	if err != nil {
		s.t.Fatal(err)
	}
	access := bundle.Access{Plain: true}
	ref, err := bundle.Push(s.t.Context(), archive, s.host+"/acme/rules", access)
	if err != nil {
		s.t.Fatal(err)
	}
	signed, err := FromRegistry(access)(s.t.Context(), &v1alpha1.RulePackOCI{Image: ref, PublicKeys: []v1alpha1.PublicKey{public}})
	if err != nil {
		s.t.Fatal(err)
	}
	return &wanted{files: signed.Files, signed: signed}
}

// TestVerified: of a bundle that is kept is put in force what the key that the status names has signed, and nothing else.
func TestVerified(t *testing.T) {
	s := newShelf(t)
	signer, public := signing.Keys(t)
	mine, hers := signing.Keys(t)
	good := s.bundle(rule(denies), signer, public)
	other := s.bundle(rule(strings.Replace(denies, "it denies", "it does deny", 1)), signer, public)
	forged := s.bundle(rule(denies), mine, hers) // the same rules, and so the same revision
	for name, c := range map[string]struct {
		exchange func(*keptData)
		wrong    string
	}{
		"as it was kept":               {func(*keptData) {}, ""},
		"without a signature":          {func(k *keptData) { k.Files, k.Bundle, k.Key = zip(t, rule(denies)), nil, "" }, "it is not signed, and what was kept was signed by SHA256:"},
		"by another key":               {func(k *keptData) { k.Bundle, k.Key = forged.signed.Delivered, forged.signed.By.PEM() }, "it does not hold the key SHA256:"},
		"by another key, with its own": {func(k *keptData) { k.Bundle, k.Key = forged.signed.Delivered, k.Key+forged.signed.By.PEM() }, "its signature is not by SHA256:"},
		"without a key":                {func(k *keptData) { k.Key = "" }, "its key: it holds no public key"},
		"another bundle by the key":    {func(k *keptData) { k.Bundle = other.signed.Delivered }, "it does not hold sha256:"},
		"the archive of another": {func(k *keptData) {
			k.Bundle = &bundle.Delivered{Reference: k.Bundle.Reference, Manifest: k.Bundle.Manifest, Archive: other.signed.Archive}
		}, "this is not what "},
		"another name": {func(k *keptData) {
			k.Bundle = &bundle.Delivered{Reference: other.signed.Reference, Manifest: k.Bundle.Manifest, Archive: k.Bundle.Archive}
		}, "this is not what "},
	} {
		t.Run(name, func(t *testing.T) {
			p := acme()
			object := held(t, p, good, 1)
			p.Status.Revision = good.revision
			var data keptData
			if err := json.Unmarshal(object.Data.Raw, &data); err != nil {
				t.Fatal(err)
			}
			c.exchange(&data)
			var err error
			if object.Data.Raw, err = json.Marshal(data); err != nil {
				t.Fatal(err)
			}
			is, err := fromKept(p, []*appsv1.ControllerRevision{object})
			if c.wrong == "" {
				if err != nil || len(is.Checks) != 1 {
					t.Errorf("%v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), "is not what was kept there: ") || !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestAgain: a rollback is to what is kept, and by whom spec.oci says, while it says so.
func TestAgain(t *testing.T) {
	s := newShelf(t)
	signer, public := signing.Keys(t)
	_, next := signing.Keys(t)
	bundled, plain := s.bundle(rule(denies), signer, public), of(rule(denies))
	oci := func(keys ...v1alpha1.PublicKey) v1alpha1.RulePackSpec {
		return v1alpha1.RulePackSpec{OCI: &v1alpha1.RulePackOCI{Image: "registry.example.com/acme/rules@sha256:" + strings.Repeat("0", 64), PublicKeys: keys}}
	}
	for name, c := range map[string]struct {
		kept          *wanted
		spec          v1alpha1.RulePackSpec
		reason, words string // "" where it is taken
	}{
		"signed":                            {bundled, oci(next, public), "", ""},
		"signed, and nobody asks":           {bundled, v1alpha1.RulePackSpec{Modules: rule(denies)}, "", ""},
		"not signed, and nobody asks":       {plain, v1alpha1.RulePackSpec{Modules: rule(denies)}, "", ""},
		"not signed":                        {plain, oci(public), v1alpha1.ReasonSignatureInvalid, "nobody signed sha256:"},
		"by a key that is not trusted more": {bundled, oci(next), v1alpha1.ReasonSignatureInvalid, "there is nothing to roll back to: the bundle is not used: its signature is not by SHA256:"},
	} {
		t.Run(name, func(t *testing.T) {
			p := acme()
			object := held(t, p, c.kept, 1)
			p.Spec = c.spec
			known, _ := keptOf(p, []*appsv1.ControllerRevision{object})
			w, err := known[0].again(p)
			var refusal *Refused
			switch {
			case c.reason == "" && (err != nil || w.revision != c.kept.revision || !w.rolledBack):
				t.Errorf("%+v, %v", w, err)
			case c.reason != "" && (!errors.As(err, &refusal) || refusal.Reason != c.reason || !strings.Contains(err.Error(), c.words)):
				t.Errorf("%+v, %v", w, err)
			}
		})
	}
}

func zip(t *testing.T, f Files) []byte {
	t.Helper()
	out, err := zipped(f)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
