package inventory

import (
	"errors"
	"fmt"
	"io"

	"github.com/waywarden/waywarden/inventory/manifest"
	"github.com/waywarden/waywarden/policies/mesh"
)

// FileOptions say how Files reads. The zero value is useful.
type FileOptions struct {
	// MaxBytes bounds one file, or standard input; 0 means manifest.DefaultMaxBytes.
	MaxBytes int64
	// Stdin is what the path "-" reads; nil reads as empty.
	Stdin io.Reader
	// DefaultNamespace is that of namespaced objects that name none; "" means "default".
	DefaultNamespace string
}

// Files reads the objects of files, of directories and of standard input ("-"). The error is for what was asked for
// wrongly, such as a path that does not exist; what a file holds and cannot be read is a Problem.
func Files(opts FileOptions, paths ...string) (*Inventory, error) {
	found, err := manifest.Load(manifest.Options{MaxBytes: opts.MaxBytes, Stdin: opts.Stdin}, paths...)
	if err != nil {
		return nil, err
	}
	r := fileReader{Inventory: newInventory(), namespace: opts.DefaultNamespace, at: map[id]int{}}
	if r.namespace == "" {
		r.namespace = "default"
	}
	r.Problems, r.Skipped = found.Problems, found.Skipped
	for _, d := range found.Documents {
		if n := len(r.read); n == 0 || r.read[n-1] != d.File {
			r.read = append(r.read, d.File)
		}
		r.add(d)
	}
	return r.Inventory, nil
}

// fileReader turns documents into objects.
type fileReader struct {
	*Inventory
	namespace string
	at        map[id]int // where in Objects
}

func (r *fileReader) add(d *manifest.Document) {
	if isAuthored(d.Content) {
		r.author(d)
		return
	}
	o, err := mesh.Decode(d.Content)
	var wrong *mesh.DecodeError
	switch {
	case errors.Is(err, mesh.ErrIgnored):
		r.ignore(d.Content)
		return
	case errors.As(err, &wrong):
		for _, f := range wrong.Fields {
			r.report(d, f.Field, fmt.Sprintf("%s is not judged: %s must be %s and is %s. Correct it.", objectName(wrong.Ref), f.Field, f.Want, f.Got))
		}
		return
	case err != nil:
		r.report(d, "", fmt.Sprintf("not judged: %v. Correct it.", err))
		return
	}
	if o.Kind == mesh.Secret {
		d.Content = o.Content() // what is kept in its place
	}
	// Nobody else has seen o yet: it is made whole here, and never written to again.
	if o.Namespace == "" && o.Kind.Namespaced() {
		o.Namespace = r.namespace
	}
	if o.Name == "" {
		if o.Name = r.generatedName(o); o.Name == "" {
			r.report(d, "metadata", fmt.Sprintf("the %s is not judged: it has no name. Give it metadata.name.", o.Kind))
			return
		}
	}
	r.keep(d, o)
}

// keep takes an object in place of an earlier one of the same name, as `kubectl apply` of the same files would.
func (r *fileReader) keep(d *manifest.Document, o *mesh.Object) {
	key := idOf(o)
	i, twice := r.at[key]
	if !twice {
		r.at[key] = len(r.Objects)
		r.Objects = append(r.Objects, o)
		r.documents[key] = d
		return
	}
	r.report(r.documents[key], "metadata.name", fmt.Sprintf("%s is not judged as it stands here: it stands again at %s, and the last one counts. Remove one of the two.",
		objectName(o.Ref()), place(d, "metadata.name")))
	r.Objects[i], r.documents[key] = o, d
}

func (r *fileReader) report(d *manifest.Document, field, message string) {
	line, column := d.Position(field)
	r.Problems = append(r.Problems, manifest.Problem{File: d.File, Line: line, Column: column, Field: field, Message: message})
}

func place(d *manifest.Document, field string) string {
	line, column := d.Position(field)
	return fmt.Sprintf("%s:%d:%d", d.File, line, column)
}

func objectName(r mesh.Ref) string {
	if r.Name == "" {
		return "the " + r.Kind
	}
	return mesh.Ref{Kind: r.Kind, Namespace: r.Namespace, Name: r.Name}.String()
}

// generatedName stands in for the name that the API server will make: each document with generateName is an object of
// its own.
func (r *fileReader) generatedName(o *mesh.Object) string {
	metadata, _ := o.Content()["metadata"].(map[string]any)
	prefix, _ := metadata["generateName"].(string)
	if prefix == "" {
		return ""
	}
	name := prefix + "*"
	for n := 2; ; n++ {
		if _, taken := r.at[id{o.Kind, o.Namespace, name}]; !taken {
			return name
		}
		name = fmt.Sprintf("%s*%d", prefix, n)
	}
}
