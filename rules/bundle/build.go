package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	opa "github.com/open-policy-agent/opa/v1/bundle"

	"github.com/waywarden/waywarden/rules"
)

// Build is the archive of a folder of rules, signed. The same rules and the same key give the same bytes. Its files lie where
// their packages say: what package policies.acme.x is in folder policies is policies/acme/x.rego in the bundle. The error is
// rules.Refusals where the rules would be refused, or are not laid out.
func Build(folder fs.FS, o rules.Options, s *Signer) ([]byte, *rules.Pack, error) {
	_, refusals, err := rules.Check(folder, o)
	if err != nil {
		return nil, nil, err
	}
	if len(refusals) > 0 {
		return nil, nil, refusals
	}
	b := &Bundle{Files: map[string]string{}}
	err = rules.EachFile(folder, func(name string) error {
		data, err := fs.ReadFile(folder, name)
		if err != nil {
			return err
		}
		b.Files[name] = string(data)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	b.Files = byPackage(b.Files, o.Root)
	pack, err := rules.Load(b.FS(), rules.Options{Library: o.Library, Trusted: true, MaxBytes: o.MaxBytes})
	if err != nil {
		return nil, nil, err
	}
	archive, err := b.archive(pack.Revision, s)
	return archive, pack, err
}

// byPackage puts files whose packages begin with the name of their folder below that name.
func byPackage(files map[string]string, root string) map[string]string {
	out := map[string]string{}
	for name, text := range files {
		base := strings.TrimSuffix(name, path.Ext(name)) // scenarios lie beside their rule
		m, err := ast.ParseModuleWithOpts(name, files[base+".rego"], ast.ParserOptions{RegoVersion: ast.RegoV1, Capabilities: rules.Capabilities()})
		if err != nil {
			panic(err) // the rules were loaded
		}
		if len(m.Package.Path) != strings.Count(base, "/")+2 { // data, and a folder more
			name = root + "/" + name
		}
		out[name] = text
	}
	return out
}

// archive packs and signs the files.
func (b *Bundle) archive(revision string, s *Signer) ([]byte, error) {
	files := map[string][]byte{}
	var roots []string
	for name, text := range b.Files {
		files[name] = []byte(text)
		first, _, _ := strings.Cut(name, "/")
		roots = append(roots, first)
	}
	slices.Sort(roots)
	roots = slices.Compact(roots)
	v1 := 1
	var err error
	if files[manifest], err = json.Marshal(opa.Manifest{Revision: revision, Roots: &roots, RegoVersion: &v1}); err != nil {
		return nil, err
	}
	if files[signatures], err = s.sign(files); err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return pack(files)
}

// pack writes files in order, without what differs from one machine or moment to another.
func pack(files map[string][]byte) ([]byte, error) {
	var out bytes.Buffer
	packed := gzip.NewWriter(&out)
	tw := tar.NewWriter(packed)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(files[name]))}); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if _, err := tw.Write(files[name]); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if err := tw.Close(); err != nil {
		return nil, err
	}
	if err := packed.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
