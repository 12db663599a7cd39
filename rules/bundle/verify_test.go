package bundle

import (
	"crypto/elliptic"
	"encoding/json"
	"maps"
	"strings"
	"testing"

	opa "github.com/open-policy-agent/opa/v1/bundle"
)

// TestOpenRefuses changes one thing about a good bundle, and is told that thing.
func TestOpenRefuses(t *testing.T) {
	p, other := ecPair(t, elliptic.P256()), ecPair(t, elliptic.P256())
	signer := p.signer(t, "release", "")
	good := filesOf(t, build(t, signer))
	trust := Trust{Keys: []Key{p.key(t, "release")}}
	type files = map[string][]byte
	change := func(do func(files)) []byte {
		f := maps.Clone(good)
		do(f)
		return packed(t, f)
	}
	resigned := func(do func(files)) []byte {
		f := maps.Clone(good)
		do(f)
		return signed(t, f, signer)
	}
	for _, tc := range []struct {
		name    string
		archive []byte
		trust   Trust
		reason  Reason
		want    string
	}{
		{"no key", packed(t, good), Trust{}, Unsigned, "no key is trusted"},
		{"no signature", change(func(f files) { delete(f, signatures) }), trust, Unsigned, "it is not signed"},
		{"no signature in the file", change(func(f files) { f[signatures] = []byte(`{"signatures": []}`) }), trust, Unsigned, "it has 0 signatures"},
		{"two signatures", change(func(f files) { f[signatures] = []byte(`{"signatures": ["a", "b"]}`) }), trust, Unsigned, "it has 2 signatures"},
		{"no JSON", change(func(f files) { f[signatures] = []byte(`signed`) }), trust, Unsigned, "cannot be read"},
		{"no JWT", change(func(f files) { f[signatures] = []byte(`{"signatures": ["signed"]}`) }), trust, Unsigned, "is no JWT"},
		{"a plugin", change(func(f files) { f[signatures] = []byte(`{"signatures": ["a"], "plugin": "kms"}`) }), trust, Unsigned, `only the plugin "kms"`},
		{"a signature elsewhere", change(func(f files) { f["acme/"+signatures] = f[signatures]; delete(f, signatures) }), trust, Unsigned, "not where its signature belongs"},
		{"another key of the same name", packed(t, good), Trust{Keys: []Key{other.key(t, "release")}}, Unsigned, "its signature is not by release"},
		{"another key without a name", packed(t, good), other.trust(t), Unsigned, "its signature is not by SHA256:"},
		{"a key that is not trusted", packed(t, good), Trust{Keys: []Key{p.key(t, "staging")}}, Unsigned, `by key "release", which is not trusted. Trust that key, or have it signed by staging`},
		{"another algorithm", packed(t, good), Trust{Keys: []Key{rsaPair(t).key(t, "release")}}, Unsigned, `signed with "ES256", as release cannot`},
		{"another scope", packed(t, good), Trust{Keys: trust.Keys, Scope: "rules"}, Unsigned, `for scope "", and scope "rules" is asked for`},
		{"a scope that is not asked for", signed(t, good, p.signer(t, "release", "rules")), trust, Unsigned, `for scope "rules", and scope "" is asked for`},
		{"not covered", change(func(f files) { f["acme/more.txtar"] = nil }), trust, Unsigned, "acme/more.txtar is in it and was not signed"},
		{"a rule changed", change(func(f files) { f["acme/lib/types.rego"] = []byte("package acme.lib.types\n\noutside(_) if false\n") }), trust, Unsigned, "acme/lib/types.rego was changed after it was signed"},
		{"scenarios changed", change(func(f files) { f["acme/no_external.txtar"] = []byte("none") }), trust, Unsigned, "acme/no_external.txtar was changed after"},
		{"the manifest changed", change(func(f files) { f[manifest] = []byte(`{"revision": "mine"}`) }), trust, Unsigned, ".manifest was changed after"},
		{"a file is gone", change(func(f files) { delete(f, "acme/no_external_test.rego") }), trust, Unsigned, "acme/no_external_test.rego was signed and is not in it"},
		{"data", resigned(func(f files) { f["data.json"] = []byte(`{"a": 1}`) }), trust, Malformed, "data.json holds data"},
		{"data below", resigned(func(f files) { f["acme/data.json"] = []byte(`[1]`) }), trust, Malformed, "acme/data.json holds data"},
		{"data in YAML", resigned(func(f files) { f["acme/data.yaml"] = []byte("a: 1") }), trust, Malformed, "acme/data.yaml is no JSON"},
		{"much data", resigned(func(f files) { f["data.json"] = []byte(`{"a": "` + strings.Repeat("a", structured) + `"}`) }), trust, Malformed, "is no JSON of at most"},
		{"WebAssembly", resigned(func(f files) { f["policy.wasm"] = []byte("\x00asm") }), trust, Malformed, "policy.wasm is compiled"},
		{"a plan", resigned(func(f files) { f["plan.json"] = []byte("{}") }), trust, Malformed, "plan.json is compiled"},
		{"a delta", resigned(func(f files) { f["patch.json"] = []byte("{}") }), trust, Malformed, "patch.json changes another bundle"},
		{"a manifest elsewhere", resigned(func(f files) { f["acme/.manifest"] = []byte("{}") }), trust, Malformed, "is a manifest that is not read"},
		{"a manifest in protobuf", resigned(func(f files) { f[".manifest.pb"] = []byte("x") }), trust, Malformed, "is a manifest that is not read"},
		{"no manifest that can be read", resigned(func(f files) { f[manifest] = []byte(`{"roots": 1}`) }), trust, Malformed, "its .manifest cannot be read"},
		{"other roots", resigned(func(f files) { f[manifest] = []byte(`{"roots": ["corp"]}`) }), trust, Malformed, "acme/lib/types.rego lies outside its roots (corp)"},
		{"Rego v0", resigned(func(f files) { f[manifest] = []byte(`{"rego_version": 0}`) }), trust, Malformed, "says Rego v0"},
		{"a file of Rego v0", resigned(func(f files) { f[manifest] = []byte(`{"file_rego_versions": {"acme/*": 0}}`) }), trust, Malformed, "says Rego v0"},
		{"names WebAssembly", resigned(func(f files) { f[manifest] = []byte(`{"wasm": [{"entrypoint": "a/b", "module": "/policy.wasm"}]}`) }), trust, Malformed, "names WebAssembly"},
		{"no rules", resigned(func(f files) {
			for name := range f {
				if strings.HasSuffix(name, ".rego") {
					delete(f, name)
				}
			}
		}), trust, Malformed, "there is no .rego file in it"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b, err := Open(tc.archive, tc.trust)
			if err == nil {
				t.Fatalf("it was opened: %v", b)
			}
			if ReasonOf(err) != tc.reason || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %s: %v\nwant %s: … %s …", ReasonOf(err), err, tc.reason, tc.want)
			}
		})
	}
}

// TestOpenTakes: what OPA leaves to who builds a bundle.
func TestOpenTakes(t *testing.T) {
	p := ecPair(t, elliptic.P256())
	good := filesOf(t, build(t, p.signer(t, "", "")))
	for name, do := range map[string]func(map[string][]byte){
		"no manifest":                 func(f map[string][]byte) { delete(f, manifest) },
		"no data":                     func(f map[string][]byte) { f["data.json"] = []byte("{}\n") },
		"a manifest laid out by hand": func(f map[string][]byte) { f[manifest] = []byte("{\n \"roots\": [\"acme\", \"corp\"]}") },
		"a manifest without roots":    func(f map[string][]byte) { f[manifest] = []byte("{}") },
		"files that are of no concern": func(f map[string][]byte) {
			f["README.md"] = []byte("read me")
			f["acme/testdata/x.json"] = []byte("[]")
		},
	} {
		files := maps.Clone(good)
		do(files)
		b, err := Open(signed(t, files, p.signer(t, "", "")), Trust{Keys: []Key{p.key(t, "any")}})
		if err != nil || len(b.Files) != 4 {
			t.Errorf("%s: %v, %v", name, b, err)
		}
	}
}

// TestWeakDigest: a digest for which another file can be made says nothing of the file.
func TestWeakDigest(t *testing.T) {
	p := rsaPair(t)
	files := filesOf(t, build(t, p.signer(t, "", "")))
	delete(files, signatures)
	files[signatures] = opaSignature(t, files, opa.MD5, opa.NewSigningConfig(string(p.private), "RS256", ""), "release")
	_, err := Open(packed(t, files), p.trust(t))
	if ReasonOf(err) != Unsigned || !strings.Contains(err.Error(), `its digest of "MD5", which proves little`) {
		t.Errorf("got %v", err)
	}
}

func opaSignature(t testing.TB, files map[string][]byte, algorithm opa.HashingAlgorithm, config *opa.SigningConfig, id string) []byte {
	t.Helper()
	token, err := opa.GenerateSignedToken(opaFiles(t, files, algorithm), config, id)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(map[string]any{"signatures": []string{token}})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
