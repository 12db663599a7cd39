// Package scenario reads behaviour written down as text: a mesh, policies, and what is expected of
// them. One .txtar file holds the cases of one check or one subject:
//
//	A sentence on what the file shows.
//	-- mesh.yaml --              objects that every case has
//	-- options.yaml --           optional: istioVersion, trustDomain, rootNamespace, assumeAmbient
//	-- asked.yaml --             optional, for rules in Rego: phase, user, dryRun, now, params
//	-- ok-NAME.asked.yaml --     the same, for one case
//	-- ok-NAME.yaml --           a case in which nothing is to be found
//	-- ok-NAME.want --           what is expected, written by `go test -update`
//	-- bad-NAME.yaml --          a case in which something is
//	-- bad-NAME.want --
//
// An object of a case takes the place of the object of mesh.yaml with the same name. One that stands
// there with the key "$delete: true" is not in the case's mesh: the case deletes it.
package scenario

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"golang.org/x/tools/txtar"
	"sigs.k8s.io/yaml"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// File is one .txtar file of cases.
type File struct {
	Name  string
	Doc   string // the text before the first file
	Cases []Case

	archive *txtar.Archive
}

// Case is one mesh and what is expected of it.
type Case struct {
	Name     string         // as in "bad-methods"
	Before   *mesh.Snapshot // of mesh.yaml alone
	Snapshot *mesh.Snapshot
	Objects  []*mesh.Object // those of the case's own file, in the order in which they stand
	Deleted  []*mesh.Object // those that the case deletes, as mesh.yaml has them
	Source   string         // the case's own file, as written
	Asked    Asked
	Want     string
}

// Bad is whether the case shows something to be found.
func (c Case) Bad() bool { return strings.HasPrefix(c.Name, "bad-") }

// Load reads the files of cases that match a glob. None at all is an error: a test that loads nothing
// would pass for want of a case.
func Load(fsys fs.FS, pattern string) ([]*File, error) {
	names, err := fs.Glob(fsys, pattern)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("no scenarios: nothing matches %s", pattern)
	}
	files := make([]*File, len(names))
	for i, name := range names {
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, err
		}
		if files[i], err = Parse(name, data); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// Parse reads a file of cases. Every error names the file, the section and what is wrong.
func Parse(name string, data []byte) (*File, error) {
	f := &File{Name: name, archive: txtar.Parse(data)}
	f.Doc = strings.TrimSpace(string(f.archive.Comment))
	var (
		shared  []*mesh.Object
		options mesh.Options
		asked   Asked
		err     error
	)
	for _, section := range f.archive.Files {
		switch section.Name {
		case "mesh.yaml":
			shared, err = Objects(section.Data)
		case "options.yaml":
			options, err = readOptions(section.Data)
		case "asked.yaml":
			asked, err = readAsked(section.Data)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", name, section.Name, err)
		}
	}
	for _, section := range f.archive.Files {
		base, isCase := strings.CutSuffix(section.Name, ".yaml")
		if !isCase || base == "mesh" || base == "options" || base == "asked" || strings.HasSuffix(base, ".asked") {
			continue
		}
		if !strings.HasPrefix(base, "ok-") && !strings.HasPrefix(base, "bad-") {
			return nil, fmt.Errorf("%s: %s: a case is called ok-… or bad-…", name, section.Name)
		}
		c := Case{Name: base, Source: string(section.Data), Want: f.section(base + ".want"), Before: mesh.New(options, shared...), Asked: asked}
		if own := f.section(base + ".asked.yaml"); own != "" {
			if c.Asked, err = readAsked([]byte(own)); err != nil {
				return nil, fmt.Errorf("%s: %s.asked.yaml: %w", name, base, err)
			}
		}
		if err := c.read(section.Data, options, shared); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", name, section.Name, err)
		}
		f.Cases = append(f.Cases, c)
	}
	if len(f.Cases) == 0 {
		return nil, fmt.Errorf("%s: holds no case: add a section ok-NAME.yaml or bad-NAME.yaml", name)
	}
	return f, nil
}

func (c *Case) read(data []byte, options mesh.Options, shared []*mesh.Object) error {
	objects, err := Objects(data)
	if err != nil {
		return err
	}
	for _, o := range objects {
		if o.Content()[deletes] != true {
			c.Objects = append(c.Objects, o)
			continue
		}
		stored := c.Before.Get(o.Kind, o.Namespace, o.Name)
		if stored == nil {
			return fmt.Errorf("%s is to be deleted and is not in mesh.yaml", o)
		}
		c.Deleted = append(c.Deleted, stored)
	}
	c.Snapshot = mesh.New(options, slices.Concat(shared, c.Objects)...)
	for _, o := range c.Deleted {
		c.Snapshot = Deleted(c.Snapshot, o)
	}
	return nil
}

// Deleted is a mesh without an object, and without all that a Namespace takes with it.
func Deleted(s *mesh.Snapshot, o *mesh.Object) *mesh.Snapshot {
	if o.Kind == mesh.Namespace {
		return s.Emptied(o.Name)
	}
	return s.Without(o)
}

// deletes is the key of an object that a case deletes.
const deletes = "$delete"

func (f *File) section(name string) string {
	for _, s := range f.archive.Files {
		if s.Name == name {
			return string(s.Data)
		}
	}
	return ""
}

// Update is the file with the expectations of its cases replaced; want maps case names to text.
func (f *File) Update(want map[string]string) []byte {
	out := &txtar.Archive{Comment: f.archive.Comment}
	for _, s := range f.archive.Files {
		if strings.HasSuffix(s.Name, ".want") {
			continue
		}
		out.Files = append(out.Files, s)
		if base, ok := strings.CutSuffix(s.Name, ".yaml"); ok && want[base] != "" {
			out.Files = append(out.Files, txtar.File{Name: base + ".want", Data: []byte(want[base])})
		}
	}
	return txtar.Format(out)
}

type optionsFile struct {
	IstioVersion  string `json:"istioVersion"`
	TrustDomain   string `json:"trustDomain"`
	RootNamespace string `json:"rootNamespace"`
	AssumeAmbient bool   `json:"assumeAmbient"`
	Unprovided    bool   `json:"unprovided"`
}

func readOptions(data []byte) (mesh.Options, error) {
	var o optionsFile
	if err := yaml.UnmarshalStrict(data, &o); err != nil {
		return mesh.Options{}, err
	}
	return mesh.Options{IstioVersion: o.IstioVersion, TrustDomain: o.TrustDomain, RootNamespace: o.RootNamespace, AssumeAmbient: o.AssumeAmbient, Unprovided: o.Unprovided}, nil
}

// Objects decodes the documents of a YAML stream.
func Objects(data []byte) ([]*mesh.Object, error) {
	var out []*mesh.Object
	for i, doc := range bytes.Split(append([]byte("\n"), data...), []byte("\n---")) {
		var content map[string]any
		if err := yaml.Unmarshal(doc, &content); err != nil {
			return nil, fmt.Errorf("document %d: %w", i+1, err)
		}
		if content == nil {
			continue
		}
		o, err := mesh.Decode(content)
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", i+1, err)
		}
		out = append(out, o)
	}
	return out, nil
}

// Describe writes effects and findings as expectations are written.
func Describe(effects []policies.Effect, findings []policies.Finding) string {
	var b strings.Builder
	for _, e := range effects {
		by := string(e.EnforcedBy)
		if e.By != nil {
			by += " by " + e.By.Namespace + "/" + e.By.Name
		}
		fmt.Fprintf(&b, "effect %s at %s: %s: %s %s\n", short(e.Object), e.Target, by, e.Verdict, e.Reason)
		fmt.Fprintf(&b, "  %s\n", e.Message)
		for _, w := range e.WaitsFor {
			fmt.Fprintf(&b, "  waits for %s\n", w)
		}
	}
	for _, f := range findings {
		fmt.Fprintf(&b, "finding %s %s %s\n", f.Severity, short(f.Object), f.Field)
		fmt.Fprintf(&b, "  %s\n  %s\n", f.Message, f.Remedy)
		for _, r := range f.Related {
			fmt.Fprintf(&b, "  related %s\n", short(r))
		}
		for _, x := range f.Fixes {
			fmt.Fprintf(&b, "  fix: %s\n", x.Message)
			for _, op := range x.Patch {
				fmt.Fprintf(&b, "    %s\n", compact(op))
			}
			for _, o := range x.Apply {
				fmt.Fprintf(&b, "    apply %s\n", compact(o))
			}
		}
	}
	if b.Len() == 0 {
		return "nothing\n"
	}
	return b.String()
}

func short(r mesh.Ref) string {
	return mesh.Ref{Kind: r.Kind, Namespace: r.Namespace, Name: r.Name}.String()
}

func compact(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // ops and objects come from JSON
	}
	return string(raw)
}
