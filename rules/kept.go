package rules

import (
	"sync"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// sight is how much of an object a rule can count on. A cluster has more pods than anything else, of which a watch keeps little: a rule
// that asks for the rest would find something in a file, and nothing in the cluster that runs it.
type sight uint8

const (
	// ofKept is what is kept of any object.
	ofKept sight = iota
	// ofMesh is that, and what is kept of the mesh's own parts alone: it is for the library, whose rules ask of these alone for it.
	ofMesh
	// ofWritten is all that a request holds, but of what controllers make.
	ofWritten
)

// sightOf is what a rule sees of the object that it is asked about.
func (o Options) sightOf(r *Rule) sight {
	if r.seesWhole() {
		return ofWritten
	}
	return o.sight()
}

// seesWhole is whether the rule is asked where the whole object is there, and nowhere else.
func (r *Rule) seesWhole() bool { return len(r.Phases) == 1 && r.Phases[0] == policies.AtAdmission }

// sight is what rules see of what they ask the mesh for.
func (o Options) sight() sight {
	if o.Library {
		return ofMesh
	}
	return ofKept
}

// kindShape is the shape of objects of a kind.
func (s sight) kindShape(k mesh.Kind) *shape { return kindShapes[s]()[k] }

var kindShapes = func() (out [ofWritten + 1]func() map[mesh.Kind]*shape) {
	for s := range out {
		out[s] = sync.OnceValue(sight(s).kindShapes)
	}
	return out
}()

func (s sight) kindShapes() map[mesh.Kind]*shape {
	out := map[mesh.Kind]*shape{}
	for _, k := range mesh.Kinds() {
		schema := schemaOf(k)
		one := shapeOf(schema, k.String()+" ")
		one.fields["kind"] = &shape{name: "kind", enum: []string{k.String()}}
		otherwise := "or ask at admission alone, where the whole object is there: match.phases: [admission]"
		if k.MadeByControllers() {
			otherwise = "or ask at admission of what makes it, as of a Deployment: match.phases: [admission]"
		}
		if k.MadeByControllers() || s != ofWritten {
			one = one.keeping(s.sample(k, schema), otherwise)
			one.withoutLastApplied(otherwise)
		}
		out[k] = one
	}
	return out
}

// withoutLastApplied takes out the one annotation that is not kept.
func (s *shape) withoutLastApplied(otherwise string) {
	if metadata := s.fields["metadata"]; metadata != nil && metadata.fields["annotations"] != nil {
		metadata.fields["annotations"].gone = map[string]string{mesh.LastApplied: otherwise}
	}
}

// sample is what is kept of an object that has every field that its kind can have.
func (s sight) sample(k mesh.Kind, schema map[string]any) map[string]any {
	all, _ := filled(schema).(map[string]any)
	if metadata, ok := all["metadata"].(map[string]any); ok && s == ofMesh {
		metadata["labels"] = map[string]any{"app": "istiod"}
	}
	mesh.Strip(k, all)
	if k.MadeByControllers() {
		all = mesh.Lean(k, all)
	}
	return all
}

// anyKey stands for the keys of a map.
const anyKey = "key"

// filled is a value with every field that a schema has, one item in each list and one key in each map.
func filled(schema any) any {
	in, _ := schema.(map[string]any)
	if p, ok := in["properties"].(map[string]any); ok {
		out := map[string]any{}
		for name, one := range p {
			out[name] = filled(one)
		}
		return out
	}
	if items, ok := in["items"]; ok {
		return []any{filled(items)}
	}
	if more, ok := in["additionalProperties"].(map[string]any); ok {
		return map[string]any{anyKey: filled(more)}
	}
	return "text"
}

// keeping is a shape without the fields that a sample lacks; otherwise is what to do in place of asking for one of them.
func (s *shape) keeping(sample any, otherwise string) *shape {
	if s == nil {
		return nil
	}
	out := *s
	switch x := sample.(type) {
	case map[string]any:
		if s.fields == nil {
			out.each = s.each.keeping(x[anyKey], otherwise)
			break
		}
		out.fields, out.gone = map[string]*shape{}, map[string]string{}
		for name, field := range s.fields {
			if v, ok := x[name]; ok {
				out.fields[name] = field.keeping(v, otherwise)
			} else {
				out.gone[name] = otherwise
			}
		}
	case []any:
		if len(x) > 0 {
			out.each = s.each.keeping(x[0], otherwise)
		}
	}
	return &out
}
