package bundle

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/waywarden/waywarden/rules"
)

// folder is a small folder of rules, with scenarios, a test in Rego, and what rules share.
const folder = `
-- acme/no_external.rego --
# METADATA
# title: A Service that is reached from outside
# custom:
#   severity: low
#   match: {kinds: [Service]}
package acme.no_external

import data.acme.lib.types

deny contains {"msg": "it is reached from outside: its type is LoadBalancer.", "path": "spec.type"} if {
	types.outside(input.object.spec.type)
}
-- acme/no_external.txtar --
A Service of either type.
-- acme/no_external_test.rego --
package acme.no_external_test

import data.acme.lib.types

test_outside if types.outside("LoadBalancer")
-- acme/lib/types.rego --
package acme.lib.types

outside(type) if type == "LoadBalancer"
`

const cases = `A Service of either type.
-- ok-inside.yaml --
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {type: ClusterIP}
-- bad-outside.yaml --
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {type: LoadBalancer}
`

// rulesFolder is the folder, whose scenarios would end the archive that it is written in.
func rulesFolder(t testing.TB) fs.FS {
	t.Helper()
	a := txtar.Parse([]byte(folder))
	for i := range a.Files {
		if strings.HasSuffix(a.Files[i].Name, ".txtar") {
			a.Files[i].Data = []byte(cases)
		}
	}
	fsys, err := txtar.FS(a)
	if err != nil {
		t.Fatal(err)
	}
	return fsys
}

// pair is a private key and its public half, in PEM.
type pair struct{ private, public []byte }

func pairOf(t testing.TB, key crypto.Signer) pair {
	t.Helper()
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return pair{pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})}
}

func ecPair(t testing.TB, curve elliptic.Curve) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return pairOf(t, key)
}

// rsaKey takes a while to make, and is made once.
var rsaKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func rsaPair(t testing.TB) pair {
	t.Helper()
	key, err := rsaKey()
	if err != nil {
		t.Fatal(err)
	}
	return pairOf(t, key)
}

func (p pair) signer(t testing.TB, id, scope string) *Signer {
	t.Helper()
	s, err := ParseSigner(p.private)
	if err != nil {
		t.Fatal(err)
	}
	s.ID, s.Scope = id, scope
	return s
}

func (p pair) key(t testing.TB, id string) Key {
	t.Helper()
	keys, err := ParseKeys(id, p.public)
	if err != nil {
		t.Fatal(err)
	}
	return keys[0]
}

func (p pair) trust(t testing.TB) Trust { return Trust{Keys: []Key{p.key(t, "")}} }

func build(t testing.TB, s *Signer) []byte {
	t.Helper()
	archive, _, err := Build(rulesFolder(t), rules.Options{Root: "policies"}, s)
	if err != nil {
		t.Fatal(err)
	}
	return archive
}

// filesOf are the files of an archive.
func filesOf(t testing.TB, archive []byte) map[string][]byte {
	t.Helper()
	files, err := unpack(archive, within)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func packed(t testing.TB, files map[string][]byte) []byte {
	t.Helper()
	archive, err := pack(files)
	if err != nil {
		t.Fatal(err)
	}
	return archive
}

// signed signs files again, whatever they are.
func signed(t testing.TB, files map[string][]byte, s *Signer) []byte {
	t.Helper()
	files = maps.Clone(files)
	delete(files, signatures)
	var err error
	if files[signatures], err = s.sign(files); err != nil {
		t.Fatal(err)
	}
	return packed(t, files)
}

// TestBuild: what is built opens, is the folder, loads as the folder does, and is the same bytes again.
func TestBuild(t *testing.T) {
	for name, p := range map[string]pair{
		"P-256": ecPair(t, elliptic.P256()), "P-384": ecPair(t, elliptic.P384()), "P-521": ecPair(t, elliptic.P521()), "RSA": rsaPair(t),
	} {
		t.Run(name, func(t *testing.T) {
			archive := build(t, p.signer(t, "release", "rules"))
			if !bytes.Equal(archive, build(t, p.signer(t, "release", "rules"))) {
				t.Error("the same rules and the same key gave another archive")
			}
			b, err := Open(archive, Trust{Keys: []Key{ecPair(t, elliptic.P256()).key(t, "other"), p.key(t, "release")}, Scope: "rules"})
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]string{}
			if err := rules.EachFile(rulesFolder(t), func(file string) error {
				data, err := fs.ReadFile(rulesFolder(t), file)
				want[file] = string(data)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, b.Files); diff != "" || len(want) != 4 {
				t.Errorf("the bundle is not the folder (-folder +bundle):\n%s", diff)
			}
			loaded, err := rules.Load(b.FS(), rules.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if b.SignedBy.Name() != "release" || b.Revision != loaded.Revision {
				t.Errorf("signed by %s, revision %s; loaded, it is %s", b.SignedBy.Name(), b.Revision, loaded.Revision)
			}
		})
	}
}

// TestBuildByPackage: a package that begins with the folder's name has its files below that name, or nobody else could load it.
func TestBuildByPackage(t *testing.T) {
	p := ecPair(t, elliptic.P256())
	fsys, err := fs.Sub(rulesFolder(t), "acme")
	if err != nil {
		t.Fatal(err)
	}
	archive, pack, err := Build(fsys, rules.Options{Root: "acme"}, p.signer(t, "", ""))
	if err != nil {
		t.Fatal(err)
	}
	b, err := Open(archive, p.trust(t))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"acme/lib/types.rego", "acme/no_external.rego", "acme/no_external.txtar", "acme/no_external_test.rego"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(b.Files))); diff != "" || pack.Rules[0].ID != "acme/no-external" {
		t.Errorf("rule %s (-want +got):\n%s", pack.Rules[0].ID, diff)
	}
}

// TestBuildRefuses: what would not load, or is not laid out, is not signed.
func TestBuildRefuses(t *testing.T) {
	signer := ecPair(t, elliptic.P256()).signer(t, "", "")
	for want, edit := range map[string]func(map[string]string){
		"it has no scenarios": func(f map[string]string) { delete(f, "acme/no_external.txtar") },
		"it calls http.send": func(f map[string]string) {
			f["acme/lib/types.rego"] = "package acme.lib.types\n\noutside(_) if http.send({})\n"
		},
		"is not laid out": func(f map[string]string) {
			f["acme/lib/types.rego"] = "package acme.lib.types\n\n\n\noutside( _ ) if true\n"
		},
		"there is no .rego file here": func(f map[string]string) { clear(f) },
		"there is no function nothing": func(f map[string]string) {
			f["acme/no_external_test.rego"] = "package acme.no_external_test\n\ntest_x if nothing(1)\n"
		},
	} {
		b, err := Open(build(t, signer), Trust{Keys: []Key{{ID: signer.ID, public: signer.key.Public(), pem: publicPEM(t, signer)}}})
		if err != nil {
			t.Fatal(err)
		}
		edit(b.Files)
		if _, _, err := Build(b.FS(), rules.Options{}, signer); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func publicPEM(t testing.TB, s *Signer) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(s.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// TestKeys: keys that OPA could not use, private ones, and what is no key are refused.
func TestKeys(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	good := ecPair(t, elliptic.P256())
	both := slices.Concat(good.public, rsaPair(t).public)
	keys, err := ParseKeys("", both)
	if err != nil || len(keys) != 2 || keys[0].Name() == keys[1].Name() || !strings.HasPrefix(keys[0].Name(), "SHA256:") {
		t.Errorf("two keys: %v, %v", keys, err)
	}
	for want, text := range map[string][]byte{
		"there is no block of PEM":          []byte("nothing"),
		"holds a private key":               good.private,
		"with which OPA signs no bundle":    pairOf(t, ed).public,
		"has only 1024 bits":                pairOf(t, weak).public,
		"the curve of the key is P-224":     ecPair(t, elliptic.P224()).public,
		"but a CERTIFICATE REQUEST":         pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST"}),
		"read the public key":               pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte("x")}),
		"something behind the last public":  append(slices.Clone(good.public), "more"...),
		"with openssl pkey -pubout":         nil,
		"read the public key: x509: malfor": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}),
	} {
		if _, err := ParseKeys("", text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	for want, text := range map[string][]byte{
		"there is no block of PEM": []byte("nothing"),
		"but a PUBLIC KEY":         good.public,
		"it is encrypted":          pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY"}),
		"Use a key for ECDSA":      pairOf(t, ed).private,
		"has only 1024 bits":       pairOf(t, weak).private,
		"read the private key":     pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: []byte("x")}),
	} {
		if _, err := ParseSigner(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
