package bundle

import (
	"bytes"
	"context"
	"fmt"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote"
)

// Push stores an archive in a registry, as OPA fetches bundles: one layer, below a manifest of an image whose configuration is
// empty. A tag of the reference is set too. It returns the reference by digest, which is the same whenever the archive is. What
// is no signed bundle of rules is not pushed; whether it is signed by who should have is seen by who pulls it.
func Push(ctx context.Context, archive []byte, reference string, a Access) (string, error) {
	ref, err := registry.ParseReference(reference)
	if err != nil {
		return "", fmt.Errorf("%q is no reference (%w). Write it as in ghcr.io/acme/rules:v1", reference, err)
	}
	if _, err := ref.Digest(); err == nil {
		return "", fmt.Errorf("%q names a digest, which follows from what is pushed. Name a repository, or a tag in it", reference)
	}
	if err := worthPushing(archive); err != nil {
		return "", err
	}
	ctx, cancel := a.within(ctx)
	defer cancel()
	pushed, err := push(ctx, a.repository(ref), archive)
	if err != nil {
		return "", refused("take", ref, err)
	}
	ref.Reference = pushed
	return ref.String(), nil
}

// worthPushing refuses what nobody could use.
func worthPushing(archive []byte) error {
	files, err := unpack(archive, within)
	if err != nil {
		return err
	}
	if _, _, err := readSignature(files); err != nil {
		return err
	}
	_, err = contents(files)
	return err
}

// push stores an archive and the manifest for it, and returns the digest of that.
func push(ctx context.Context, repository *remote.Repository, archive []byte) (string, error) {
	layer := content.NewDescriptorFromBytes(ocispec.MediaTypeImageLayerGzip, archive)
	config := content.NewDescriptorFromBytes(ocispec.MediaTypeImageConfig, []byte("{}"))
	for _, blob := range []struct {
		ocispec.Descriptor
		data []byte
	}{{layer, archive}, {config, []byte("{}")}} {
		if err := repository.Push(ctx, blob.Descriptor, bytes.NewReader(blob.data)); err != nil {
			return "", err
		}
	}
	pushed, err := oras.PackManifest(ctx, repository, oras.PackManifestVersion1_1, "", oras.PackManifestOptions{
		Layers: []ocispec.Descriptor{layer}, ConfigDescriptor: &config,
		ManifestAnnotations: map[string]string{ocispec.AnnotationCreated: "1970-01-01T00:00:00Z"}, // the same bundle has the same digest
	})
	if err != nil {
		return "", err
	}
	if tag := repository.Reference.Reference; tag != "" {
		if err := repository.Tag(ctx, pushed, tag); err != nil {
			return "", err
		}
	}
	return pushed.Digest.String(), nil
}
