package bundle

import (
	"bytes"
	"context"
	"encoding/json"
	"io"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/registry"
)

// maxManifest is how many bytes a manifest may have; one of a bundle has some hundred.
const maxManifest = 256 << 10

// Delivered is what a registry delivered under a digest: all that it takes to verify it again, without the registry.
type Delivered struct {
	// Reference names the manifest by its digest, as in ghcr.io/acme/rules@sha256:….
	Reference string `json:"reference"`
	// Manifest names Archive by its digest.
	Manifest []byte `json:"manifest"`
	Archive  []byte `json:"archive"`
}

// Pull fetches a bundle by its digest, as in ghcr.io/acme/rules@sha256:…, and opens it. The error is a [Refusal].
func Pull(ctx context.Context, reference string, t Trust, a Access) (*Bundle, error) {
	d, err := Fetch(ctx, reference, a)
	if err != nil {
		return nil, err
	}
	return d.Open(t)
}

// Fetch asks a registry for what a digest names. Who signed it is another question, which Open asks. The error is a [Refusal].
func Fetch(ctx context.Context, reference string, a Access) (*Delivered, error) {
	ref, err := Reference(reference)
	if err != nil {
		return nil, err
	}
	ctx, cancel := a.within(ctx)
	defer cancel()
	out, err := a.fetch(ctx, ref)
	if err != nil {
		return nil, refused("deliver", ref, err)
	}
	out.Reference = reference
	return out, nil
}

// Open holds what was delivered to its digest, as if it came from the registry now, and believes of it what is signed. The error is
// a [Refusal].
func (d *Delivered) Open(t Trust) (*Bundle, error) {
	ref, err := Reference(d.Reference)
	if err != nil {
		return nil, err
	}
	const other = "the bundle is not used: this is not what %s names, but something else. Fetch it again."
	if digest.FromBytes(d.Manifest).String() != ref.Reference {
		return nil, refuse(Malformed, other, d.Reference)
	}
	layer, err := layerOf(d.Manifest)
	if err != nil {
		return nil, err
	}
	if layer.Digest.Algorithm().FromBytes(d.Archive) != layer.Digest {
		return nil, refuse(Malformed, other, d.Reference)
	}
	return Open(d.Archive, t)
}

// Reference reads a reference by digest. The error is a [Refusal].
func Reference(text string) (registry.Reference, error) {
	ref, err := registry.ParseReference(text)
	if err != nil {
		return ref, refuse(Malformed, "the bundle is not fetched: %q is no reference (%v). Write it as in ghcr.io/acme/rules@sha256:….", text, err)
	}
	d, err := ref.Digest()
	if err != nil || d.Algorithm() != digest.SHA256 {
		return ref, refuse(Malformed, "the bundle is not fetched: %q does not say which one, for a tag is moved and a digest is not. Name the digest that waywarden rules push prints, as in %s/%s@sha256:….", text, ref.Registry, ref.Repository)
	}
	return ref, nil
}

// fetch is a manifest and the archive that it names, each of them what its digest says.
func (a Access) fetch(ctx context.Context, ref registry.Reference) (*Delivered, error) {
	repository := a.repository(ref)
	_, body, err := repository.Manifests().FetchReference(ctx, ref.Reference)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	raw, err := io.ReadAll(io.LimitReader(body, maxManifest+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxManifest {
		return nil, refuse(Malformed, "the bundle is not fetched: its manifest is larger than %d bytes. Push it with waywarden rules push.", maxManifest)
	}
	if digest.FromBytes(raw).String() != ref.Reference {
		return nil, refuse(Unavailable, "the bundle is not fetched: %s delivers something else under %s. Ask who runs it, or what stands in between.", ref.Host(), ref.Reference)
	}
	layer, err := layerOf(raw)
	if err != nil {
		return nil, err
	}
	blob, err := repository.Blobs().Fetch(ctx, layer)
	if err != nil {
		return nil, err
	}
	defer blob.Close()
	archive, err := content.ReadAll(blob, layer)
	if err != nil {
		return nil, err
	}
	return &Delivered{Manifest: raw, Archive: archive}, nil
}

// layerOf is the one layer of a manifest that is a bundle.
func layerOf(raw []byte) (ocispec.Descriptor, error) {
	var m struct {
		ocispec.Manifest
		Manifests []json.RawMessage `json:"manifests"` // of an index
	}
	if err := json.NewDecoder(bytes.NewReader(raw)).Decode(&m); err != nil {
		return ocispec.Descriptor{}, refuse(Malformed, "the bundle is not fetched: its manifest cannot be read (%v). Push it with waywarden rules push.", err)
	}
	if len(m.Manifests) > 0 {
		return ocispec.Descriptor{}, refuse(Malformed, "the bundle is not fetched: the digest is that of an index of several. Name the digest of one of them.")
	}
	var found []ocispec.Descriptor
	for _, l := range m.Layers {
		if l.MediaType == ocispec.MediaTypeImageLayerGzip {
			found = append(found, l)
		}
	}
	if len(found) != 1 {
		return ocispec.Descriptor{}, refuse(Malformed, "the bundle is not fetched: its manifest has %d layers of type %s, and a bundle is one. Push it with waywarden rules push, or with oras push.", len(found), ocispec.MediaTypeImageLayerGzip)
	}
	layer := found[0]
	if err := layer.Digest.Validate(); err != nil || layer.Size < 0 {
		return layer, refuse(Malformed, "the bundle is not fetched: its manifest gives its layer no digest and size. Push it with waywarden rules push.")
	}
	if layer.Size > within.packed {
		return layer, tooLarge("it is larger than %d bytes", within.packed)
	}
	return layer, nil
}
