package bundle

import (
	"crypto/elliptic"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	containers "github.com/google/go-containerregistry/pkg/registry"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/registry"

	"github.com/waywarden/waywarden/rules"
)

// here is how a registry on this machine is reached.
var here = Access{Plain: true}

// serve is a registry on this machine, and what stands before it.
func serve(t testing.TB, before func(next http.Handler) http.Handler) string {
	t.Helper()
	handler := containers.New(containers.Logger(log.New(io.Discard, "", 0)))
	if before != nil {
		handler = before(handler)
	}
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// blob stores something in a repository, and returns what describes it.
func blob(t testing.TB, host, mediaType string, data []byte) ocispec.Descriptor {
	t.Helper()
	d := content.NewDescriptorFromBytes(mediaType, data)
	repository := here.repository(registry.Reference{Registry: host, Repository: "acme/rules"})
	if err := repository.Push(t.Context(), d, strings.NewReader(string(data))); err != nil {
		t.Fatal(err)
	}
	return d
}

// image stores a manifest, and returns its reference by digest.
func image(t testing.TB, host string, manifest any) string {
	t.Helper()
	raw, err := json.Marshal(manifest)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s/acme/rules@%s", host, blob(t, host, ocispec.MediaTypeImageManifest, raw).Digest)
}

func manifestOf(layers ...ocispec.Descriptor) ocispec.Manifest {
	m := ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, Layers: layers}
	m.SchemaVersion = 2
	return m
}

// TestPushPull: what is pushed is pulled by the digest that pushing says, which is the same whenever the bundle is.
func TestPushPull(t *testing.T) {
	p := ecPair(t, elliptic.P256())
	archive := build(t, p.signer(t, "release", ""))
	host := serve(t, nil)
	ref, err := Push(t.Context(), archive, host+"/acme/rules:v1", here)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Push(t.Context(), archive, host+"/acme/rules", here)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(ref, host+"/acme/rules@sha256:") || ref != again {
		t.Errorf("pushed to %s, then to %s", ref, again)
	}
	for _, reference := range []string{ref, strings.Replace(ref, "@", ":v1@", 1)} {
		b, err := Pull(t.Context(), reference, p.trust(t), here)
		if err != nil {
			t.Fatal(err)
		}
		pack, err := rules.Load(b.FS(), rules.Options{})
		if err != nil || pack.Revision != b.Revision {
			t.Errorf("%s: revision %s, %v", reference, b.Revision, err)
		}
	}
	resp, err := http.Get("http://" + host + "/v2/acme/rules/manifests/v1")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := "@" + resp.Header.Get("Docker-Content-Digest"); !strings.HasSuffix(ref, got) {
		t.Errorf("the tag is %s", got)
	}
	if _, err := Pull(t.Context(), ref, ecPair(t, elliptic.P256()).trust(t), here); ReasonOf(err) != Unsigned {
		t.Errorf("with another key: %v", err)
	}
}

// TestPushRefuses: nothing is stored that nobody could use.
func TestPushRefuses(t *testing.T) {
	p := ecPair(t, elliptic.P256())
	good := build(t, p.signer(t, "", ""))
	files := filesOf(t, good)
	delete(files, signatures)
	host := serve(t, nil)
	for _, tc := range []struct {
		archive   []byte
		ref, want string
	}{
		{packed(t, files), host + "/acme/rules", "it is not signed"},
		{[]byte("text"), host + "/acme/rules", "it ends too early"},
		{signed(t, map[string][]byte{"x.rego": nil, "data.json": []byte(`{"a": 1}`)}, p.signer(t, "", "")), host + "/acme/rules", "data.json holds data"},
		{good, host, "is no reference"},
		{good, host + "/acme/rules@sha256:" + strings.Repeat("0", 64), "names a digest"},
		{good, "127.0.0.1:1/acme/rules", "the registry does not take 127.0.0.1:1/acme/rules: "},
	} {
		if ref, err := Push(t.Context(), tc.archive, tc.ref, here); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %s, %v", tc.want, ref, err)
		}
	}
}

func TestReference(t *testing.T) {
	some := strings.Repeat("0123456789abcdef", 4)
	for text, want := range map[string]string{
		"ghcr.io/acme/rules":                       "does not say which one",
		"ghcr.io/acme/rules:v1":                    "Name the digest that waywarden rules push prints, as in ghcr.io/acme/rules@sha256:",
		"ghcr.io/acme/rules@sha256:12":             "is no reference",
		"ghcr.io/acme/rules@md5:" + some:           "is no reference",
		"ghcr.io/acme/rules@sha512:" + some + some: "does not say which one",
		"rules": "is no reference",
		"https://ghcr.io/acme/rules@sha256:" + some:     "is no reference",
		"ghcr.io/acme/rules@sha256:" + some:             "",
		"ghcr.io/acme/rules:v1@sha256:" + some:          "",
		"[::1]:5000/acme/rules@sha256:" + some:          "",
		"ghcr.io/acme/../rules@sha256:" + some:          "is no reference",
		"user:secret@ghcr.io/acme/rules@sha256:" + some: "is no reference",
	} {
		_, err := Reference(text)
		if want == "" && err != nil || want != "" && (ReasonOf(err) != Malformed || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestPullManifests: what a manifest may say.
func TestPullManifests(t *testing.T) {
	p := ecPair(t, elliptic.P256())
	host := serve(t, nil)
	archive := build(t, p.signer(t, "", ""))
	layer := blob(t, host, ocispec.MediaTypeImageLayerGzip, archive)
	sbom := blob(t, host, "application/spdx+json", []byte("{}"))
	with := func(change func(*ocispec.Descriptor)) ocispec.Descriptor {
		l := layer
		change(&l)
		return l
	}
	named := with(func(l *ocispec.Descriptor) {
		l.Annotations = map[string]string{ocispec.AnnotationTitle: "bundle.tar.gz"} // as oras push does
	})
	index := ocispec.Index{MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{layer}}
	both := struct {
		ocispec.Manifest
		Manifests []ocispec.Descriptor `json:"manifests"`
	}{manifestOf(layer), []ocispec.Descriptor{layer}}
	large := manifestOf(layer)
	large.Annotations = map[string]string{"a": strings.Repeat("a", maxManifest)}
	for _, tc := range []struct {
		name     string
		manifest any
		reason   Reason
		want     string
	}{
		{"one layer", manifestOf(named), "", ""},
		{"another of another kind", manifestOf(sbom, named), "", ""},
		{"no layer", manifestOf(), Malformed, "its manifest has 0 layers"},
		{"a layer of another kind", manifestOf(sbom), Malformed, "its manifest has 0 layers"},
		{"several layers", manifestOf(layer, layer), Malformed, "its manifest has 2 layers"},
		{"an index", index, Malformed, "the digest is that of an index"},
		{"an image and an index", both, Malformed, "the digest is that of an index"},
		{"a large manifest", large, Malformed, "its manifest is larger than"},
		{"a large layer", manifestOf(with(func(l *ocispec.Descriptor) { l.Size = 1 << 40 })), Malformed, "it is larger than 8388608 bytes"},
		{"a negative size", manifestOf(with(func(l *ocispec.Descriptor) { l.Size = -1 })), Malformed, "gives its layer no digest and size"},
		{"no digest", manifestOf(with(func(l *ocispec.Descriptor) { l.Digest = "sha257:00" })), Malformed, "gives its layer no digest and size"},
		{"a smaller size", manifestOf(with(func(l *ocispec.Descriptor) { l.Size = 1 })), Unavailable, "does not deliver"},
		{"a larger size", manifestOf(with(func(l *ocispec.Descriptor) { l.Size++ })), Unavailable, "does not deliver"},
		{"a layer that is not there", manifestOf(with(func(l *ocispec.Descriptor) { l.Digest = digest.FromString("x") })), Unavailable, "nothing of that digest"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b, err := Pull(t.Context(), image(t, host, tc.manifest), p.trust(t), here)
			if tc.want == "" {
				if err != nil || len(b.Files) != 4 {
					t.Errorf("got %v, %v", b, err)
				}
				return
			}
			if ReasonOf(err) != tc.reason || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %s: %v\nwant %s: … %s …", ReasonOf(err), err, tc.reason, tc.want)
			}
		})
	}
}

// TestLayerOf: a registry may take what is no manifest.
func TestLayerOf(t *testing.T) {
	for _, raw := range []string{"", "text", "[]", `{"layers": 1}`} {
		if _, err := layerOf([]byte(raw)); ReasonOf(err) != Malformed || !strings.Contains(err.Error(), "its manifest cannot be read") {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

// TestPullExchanged: a registry, or who stands before it, that delivers something else than was asked for.
func TestPullExchanged(t *testing.T) {
	p := ecPair(t, elliptic.P256())
	archive := build(t, p.signer(t, "", ""))
	other := signed(t, map[string][]byte{"acme/x.rego": []byte("package acme.x\n")}, p.signer(t, "", "")) // by the trusted key
	var exchange atomic.Value                                                                             // string: the part of a path
	exchange.Store("")
	var instead atomic.Value
	host := serve(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if part := exchange.Load().(string); part == "" || r.Method != http.MethodGet || !strings.Contains(r.URL.Path, part) {
				next.ServeHTTP(w, r)
				return
			}
			w.Header().Set("Content-Type", ocispec.MediaTypeImageManifest)
			w.Write(instead.Load().([]byte))
		})
	})
	ref, err := Push(t.Context(), archive, host+"/acme/rules", here)
	if err != nil {
		t.Fatal(err)
	}
	layer := blob(t, host, ocispec.MediaTypeImageLayerGzip, other)
	another, err := json.Marshal(manifestOf(layer))
	if err != nil {
		t.Fatal(err)
	}
	for part, data := range map[string][]byte{"/manifests/": another, "/blobs/": other} {
		exchange.Store(part)
		instead.Store(data)
		if b, err := Pull(t.Context(), ref, p.trust(t), here); ReasonOf(err) != Unavailable {
			t.Errorf("%s: %v, %v", part, b, err)
		}
	}
}

// TestDelivered: what was delivered can be verified again without the registry, and nothing else passes for it.
func TestDelivered(t *testing.T) {
	p := ecPair(t, elliptic.P256())
	host := serve(t, nil)
	push := func(archive []byte) string {
		ref, err := Push(t.Context(), archive, host+"/acme/rules", here)
		if err != nil {
			t.Fatal(err)
		}
		return ref
	}
	ref := push(build(t, p.signer(t, "", "")))
	older := push(signed(t, map[string][]byte{"acme/x.rego": []byte("package acme.x\n")}, p.signer(t, "", ""))) // by the trusted key
	good, err := Fetch(t.Context(), ref, here)
	if err != nil {
		t.Fatal(err)
	}
	old, err := Fetch(t.Context(), older, here)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := good.Open(p.trust(t)); err != nil || len(b.Files) != 4 {
		t.Errorf("%v, %v", b, err)
	}
	for name, c := range map[string]struct {
		Delivered
		trust  Trust
		reason Reason
		want   string
	}{
		"another bundle":     {Delivered{ref, old.Manifest, old.Archive}, p.trust(t), Malformed, "not what " + ref + " names"},
		"another archive":    {Delivered{ref, good.Manifest, old.Archive}, p.trust(t), Malformed, "not what " + ref + " names"},
		"no manifest":        {Delivered{ref, nil, good.Archive}, p.trust(t), Malformed, "not what " + ref + " names"},
		"by a tag":           {Delivered{host + "/acme/rules:v1", good.Manifest, good.Archive}, p.trust(t), Malformed, "a tag is moved"},
		"by somebody else":   {*good, ecPair(t, elliptic.P256()).trust(t), Unsigned, "its signature is not by SHA256:"},
		"with no key at all": {*good, Trust{}, Unsigned, "no key is trusted"},
	} {
		if b, err := c.Open(c.trust); ReasonOf(err) != c.reason || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v", name, b, err)
		}
	}
}
