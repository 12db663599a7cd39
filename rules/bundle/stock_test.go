package bundle

import (
	"bytes"
	"context"
	"crypto/elliptic"
	"encoding/hex"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	opa "github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/compile"
	"github.com/open-policy-agent/opa/v1/util"

	"github.com/waywarden/waywarden/rules"
)

// opaReads reads an archive as OPA does when it is told to trust one key.
func opaReads(archive []byte, public, algorithm, scope string) (opa.Bundle, error) {
	trusted := map[string]*opa.KeyConfig{"release": {Key: public, Algorithm: algorithm, Scope: scope}}
	return opa.NewReader(bytes.NewReader(archive)).
		WithBundleVerificationConfig(opa.NewVerificationConfig(trusted, "", "", nil)).
		WithCapabilities(rules.Capabilities()).WithRegoVersion(ast.RegoV1).Read()
}

// TestOPAReads: OPA's own reader takes what is built here, with the signature, and refuses it with another key.
func TestOPAReads(t *testing.T) {
	for algorithm, p := range map[string]pair{"ES256": ecPair(t, elliptic.P256()), "ES384": ecPair(t, elliptic.P384()), "ES512": ecPair(t, elliptic.P521()), "RS256": rsaPair(t)} {
		archive := build(t, p.signer(t, "release", "rules"))
		b, err := opaReads(archive, string(p.public), algorithm, "rules")
		if err != nil {
			t.Fatalf("%s: %v", algorithm, err)
		}
		var modules []string
		for _, m := range b.Modules {
			modules = append(modules, m.Path)
		}
		slices.Sort(modules)
		if got := strings.Join(modules, " "); got != "acme/lib/types.rego acme/no_external.rego acme/no_external_test.rego" {
			t.Errorf("%s: OPA sees %s", algorithm, got)
		}
		if !strings.HasPrefix(b.Manifest.Revision, "sha256:") || b.Manifest.RegoVersion == nil || *b.Manifest.RegoVersion != 1 || !slices.Equal(*b.Manifest.Roots, []string{"acme"}) {
			t.Errorf("%s: OPA sees the manifest %+v", algorithm, b.Manifest)
		}
		if _, err := opaReads(archive, string(ecPair(t, elliptic.P256()).public), "ES256", "rules"); err == nil {
			t.Errorf("%s: OPA takes it with another key", algorithm)
		}
	}
}

// opaFiles are the files of a bundle, hashed as opa sign does it.
func opaFiles(t testing.TB, files map[string][]byte, algorithm opa.HashingAlgorithm) []opa.FileInfo {
	t.Helper()
	h, err := opa.NewSignatureHasher(algorithm)
	if err != nil {
		t.Fatal(err)
	}
	var out []opa.FileInfo
	for _, name := range slices.Sorted(maps.Keys(files)) {
		var value any = files[name]
		if opa.IsStructuredDoc(name) {
			if err := util.Unmarshal(files[name], &value); err != nil {
				t.Fatal(err)
			}
		}
		sum, err := h.HashFile(value)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, opa.NewFile(name, hex.EncodeToString(sum), algorithm.String()))
	}
	return out
}

// TestOPASigned: what OPA's signer signed is opened, with an ID of the key in the header, in the claims or nowhere.
func TestOPASigned(t *testing.T) {
	ec, rsa := ecPair(t, elliptic.P256()), rsaPair(t)
	for _, tc := range []struct {
		algorithm, id string
		pair
	}{{"ES256", "release", ec}, {"ES256", "", ec}, {"RS256", "release", rsa}, {"RS512", "release", rsa}, {"PS384", "release", rsa}} {
		files := filesOf(t, build(t, tc.signer(t, "", "")))
		delete(files, signatures)
		files[signatures] = opaSignature(t, files, opa.SHA256, opa.NewSigningConfig(string(tc.private), tc.algorithm, ""), tc.id)
		rooted := map[string][]byte{} // as OPA's archives are
		for name, data := range files {
			rooted["/"+name] = data
		}
		b, err := Open(packed(t, rooted), Trust{Keys: []Key{tc.key(t, "release")}})
		if err != nil {
			t.Errorf("%s %q: %v", tc.algorithm, tc.id, err)
			continue
		}
		if _, err := rules.Load(b.FS(), rules.Options{}); err != nil {
			t.Error(err)
		}
	}
}

// TestOPABuilt: what opa build makes of a folder is opened. It leaves out scenarios, for want of which it is not loaded.
func TestOPABuilt(t *testing.T) {
	p := ecPair(t, elliptic.P256())
	dir := t.TempDir()
	if err := os.CopyFS(dir, rulesFolder(t)); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	compiler := compile.New().WithCapabilities(rules.Capabilities()).WithFS(os.DirFS(dir)).WithPaths(".").WithAsBundle(true).WithOutput(&out).
		WithBundleSigningConfig(opa.NewSigningConfig(string(p.private), "ES256", "")).WithRegoVersion(ast.RegoV1).WithRevision("r1").WithRoots("acme")
	if err := compiler.Build(context.Background()); err != nil {
		t.Fatal(err)
	}
	b, err := Open(out.Bytes(), p.trust(t))
	if err != nil {
		t.Fatal(err)
	}
	want, err := fs.ReadFile(rulesFolder(t), "acme/lib/types.rego")
	if err != nil {
		t.Fatal(err)
	}
	if b.Revision != "r1" || b.Files["acme/lib/types.rego"] != string(want) {
		t.Errorf("revision %s, %s", b.Revision, slices.Sorted(maps.Keys(b.Files)))
	}
	if _, err := rules.Load(b.FS(), rules.Options{}); err == nil || !strings.Contains(err.Error(), "it has no scenarios") {
		t.Errorf("loading it: %v", err)
	}
}
