package inventory

import (
	"errors"
	"fmt"

	"github.com/waywarden/waywarden/inventory/manifest"
	"github.com/waywarden/waywarden/policies/mesh"
)

// reading is what an object of a cluster turned out to be: an object, or one that decides nothing, or problems.
type reading struct {
	object   *mesh.Object
	ignored  bool
	problems []manifest.Problem
	mark     *Mark // nil where nobody asks for it
}

// read strips and decodes an object of the resource, which nobody else has seen.
func (r resource) read(content map[string]any) reading {
	content["apiVersion"], content["kind"] = r.GroupVersion().String(), r.kind.String()
	mesh.Strip(r.kind, content)
	o, err := mesh.Decode(content)
	var wrong *mesh.DecodeError
	switch {
	case errors.Is(err, mesh.ErrIgnored):
		return reading{ignored: true}
	case errors.As(err, &wrong):
		var out reading
		for _, f := range wrong.Fields {
			out.problems = append(out.problems, manifest.Problem{File: TheCluster, Field: f.Field, Message: fmt.Sprintf(
				"%s is not judged: %s must be %s and is %s. Correct it.", objectName(wrong.Ref), f.Field, f.Want, f.Got)})
		}
		return out
	case err != nil:
		return reading{problems: []manifest.Problem{{File: TheCluster, Message: err.Error()}}}
	}
	o.Live = true
	return reading{object: o}
}
