package bundle

import (
	"encoding/json"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	opa "github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/util"
	"golang.org/x/tools/txtar"
)

const manifest = ".manifest"

// Bundle is what may be used of an archive.
type Bundle struct {
	// Files are the rules and scenarios, by their path, as [rules.Load] takes them.
	Files map[string]string
	// Revision is what the bundle calls itself; "" where it does not.
	Revision string
	// SignedBy is the trusted key whose signature it bears.
	SignedBy Key
}

// Open reads an archive, and believes of it what is signed. The error is a [Refusal].
func Open(archive []byte, t Trust) (*Bundle, error) {
	files, err := unpack(archive, within)
	if err != nil {
		return nil, err
	}
	key, err := t.verify(files)
	if err != nil {
		return nil, err
	}
	b, err := contents(files)
	if err != nil {
		return nil, err
	}
	b.SignedBy = key
	return b, nil
}

// FS is the bundle as a folder.
func (b *Bundle) FS() fs.FS {
	fsys, err := Folder(b.Files)
	if err != nil {
		panic(err) // names are paths, each of them once
	}
	return fsys
}

// Folder is files, by their path, as a folder. The error is for a path that is none.
func Folder(files map[string]string) (fs.FS, error) {
	a := &txtar.Archive{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		a.Files = append(a.Files, txtar.File{Name: name, Data: []byte(files[name])})
	}
	return txtar.FS(a)
}

// contents are the rules among files, where the files are a bundle of rules.
func contents(files map[string][]byte) (*Bundle, error) {
	m, err := readManifest(files)
	if err != nil {
		return nil, err
	}
	out := &Bundle{Files: map[string]string{}, Revision: m.Revision}
	rego := 0
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if why := foreign(name, files[name]); why != "" {
			return nil, refuse(Malformed, "the bundle is not used: %s %s", name, why)
		}
		switch path.Ext(name) {
		case ".rego":
			if !opa.RootPathsContain(*m.Roots, strings.TrimSuffix(name, ".rego")) {
				return nil, refuse(Malformed, "the bundle is not used: %s lies outside its roots (%s). Correct the roots in %s, or move the file.", name, strings.Join(*m.Roots, ", "), manifest)
			}
			rego++
		case ".txtar":
		default:
			continue // a readme, a licence: signed, and not of interest
		}
		out.Files[name] = string(files[name])
	}
	if rego == 0 {
		return nil, refuse(Malformed, "the bundle is not used: there is no .rego file in it, and nothing would be judged. Put rules in.")
	}
	return out, nil
}

// readManifest reads what was hashed: the value, not the text, of which two readers may make two things.
func readManifest(files map[string][]byte) (opa.Manifest, error) {
	var m opa.Manifest
	if raw, ok := files[manifest]; ok {
		var value any
		err := util.Unmarshal(raw, &value)
		if err == nil {
			if raw, err = json.Marshal(value); err == nil {
				err = json.Unmarshal(raw, &m)
			}
		}
		if err != nil {
			return m, refuse(Malformed, "the bundle is not used: its %s cannot be read (%v). Build it again.", manifest, err)
		}
	}
	m.Init()
	if len(m.WasmResolvers) > 0 {
		return m, refuse(Malformed, "the bundle is not used: its %s names WebAssembly, and rules are read as Rego. Build it with opa build -t rego.", manifest)
	}
	versions := slices.Sorted(maps.Values(m.FileRegoVersions))
	if m.RegoVersion != nil {
		versions = append(versions, *m.RegoVersion)
	}
	for _, version := range versions {
		if version != 1 {
			return m, refuse(Malformed, "the bundle is not used: its %s says Rego v%d, and rules are written in v1. Rewrite it with opa fmt --v0-v1.", manifest, version)
		}
	}
	return m, nil
}

// foreign is why a file makes that a bundle is none of rules; "" where it does not.
func foreign(name string, data []byte) string {
	switch base := path.Base(name); {
	case base == "patch.json":
		return "changes another bundle. Build a whole one."
	case path.Ext(base) == ".wasm", base == "plan.json", base == "plan.pb":
		return "is compiled, and rules are read as Rego. Build it with opa build -t rego."
	case opa.IsYAMLDataFile(name):
		return "holds data, and rules follow from their input alone. Make parameters of it."
	case base == "data.json":
		var empty map[string]any
		if err := json.Unmarshal(data, &empty); err != nil || len(empty) > 0 {
			return "holds data, and rules follow from their input alone. Make parameters of it."
		}
	case strings.HasSuffix(base, manifest) && name != manifest, strings.HasSuffix(base, opa.ManifestProtoExt):
		return "is a manifest that is not read. Put " + manifest + ", in JSON, at the root."
	}
	return ""
}
