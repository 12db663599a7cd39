package rules

import (
	"embed"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"

	"github.com/waywarden/waywarden/policies/mesh"
)

// Schemas are the JSON schemas of all kinds, one file each, named as in authorizationpolicy.security.istio.io.json. They are
// generated: from the CRDs of the Istio and Gateway API that this program is built with, and from Kubernetes' Go types.
//
//go:embed schemas/*.json
var Schemas embed.FS

// shape is what is known of the values that may stand somewhere: the part of a JSON schema by which mistakes are found. A nil
// shape is not known.
type shape struct {
	// name is how messages call it, as in "AuthorizationPolicy spec.rules[]".
	name string
	// fields are those of an object. A closed one has no others.
	fields map[string]*shape
	closed bool
	// gone are fields that objects have where they are written, and that are not kept of them; each with what to do otherwise.
	gone map[string]string
	// hidden are fields that objects have only where nothing owns them.
	hidden map[string]bool
	// each is that of every value of a map, every item of an array, every member of a set.
	each *shape
	enum []string
}

// shapeOf reads a JSON schema. A schema that allows anything is nil.
func shapeOf(schema any, name string) *shape {
	in, _ := schema.(map[string]any)
	if len(in) == 0 {
		return nil
	}
	s := &shape{name: name}
	if p, ok := in["properties"].(map[string]any); ok {
		s.fields, s.closed = map[string]*shape{}, in["additionalProperties"] == nil || in["additionalProperties"] == false
		for field, one := range p {
			s.fields[field] = shapeOf(one, join(name, field))
		}
	}
	if more, ok := in["additionalProperties"].(map[string]any); ok {
		s.each = shapeOf(more, name+"[]")
	}
	if items, ok := in["items"]; ok {
		s.each = shapeOf(items, name+"[]")
	}
	if values, ok := in["enum"].([]any); ok {
		for _, v := range values {
			if text, ok := v.(string); ok {
				s.enum = append(s.enum, text)
			}
		}
	}
	return s
}

func join(name, field string) string {
	if name == "" || strings.HasSuffix(name, " ") {
		return name + field
	}
	return name + "." + field
}

func record(name string, fields map[string]*shape) *shape {
	return &shape{name: name, fields: fields, closed: true}
}

func listOf(s *shape) *shape { return &shape{name: "the list", each: s} }

func fieldsNamed(names ...string) map[string]*shape {
	out := map[string]*shape{}
	for _, n := range names {
		out[n] = nil
	}
	return out
}

// What the mesh answers has shapes too; terms.go makes the terms.
var (
	refShape    = record("the reference", fieldsNamed("kind", "namespace", "name"))
	effectShape = func() *shape {
		f := fieldsNamed("reason", "message", "workloads", "failsOpen", "waits")
		f["object"], f["by"] = refShape, refShape
		f["target"] = record("the target", fieldsNamed("kind", "namespace", "name", "labels"))
		f["enforcedBy"] = &shape{name: "enforcedBy", enum: []string{"ztunnel", "waypoint", "gateway", "sidecar", "none"}}
		f["verdict"] = &shape{name: "verdict", enum: verdicts()}
		return record("the effect", f)
	}()
	workloadShape = func() *shape {
		f := fieldsNamed("kind", "namespace", "name", "labels", "annotations", "serviceAccount", "principal", "hostNetwork", "running", "why")
		f["mode"] = &shape{name: "mode", enum: []string{"ambient", "sidecar", "gateway", "waypoint", "none", "unknown"}}
		f["ports"] = listOf(record("the port", fieldsNamed("name", "port", "protocol")))
		return record("the workload", f)
	}()
	bindingShape = record("the waypoint", fieldsNamed("asked", "optsOut", "bound", "known", "reason", "askedBy", "ingress", "namespace", "name", "ready",
		"principal", "trafficType"))
	grantShape       = record("the right", fieldsNamed("verb", "resource", "names"))
	certificateShape = record("the certificate", fieldsNamed("subject", "commonName", "organization", "issuer", "notBefore", "notAfter", "dnsNames", "uris", "isCA",
		"selfSigned", "keyAlgorithm", "keyBits", "signatureAlgorithm"))
	callerShape = record("the caller", fieldsNamed("path", "field", "value", "trustDomain", "namespace", "account", "principal", "exists"))
	layerShape  = func() *shape {
		f := fieldsNamed("closed", "guarded")
		f["by"] = refShape
		f["enforcedBy"] = &shape{name: "enforcedBy", enum: []string{"ztunnel", "waypoint", "sidecar"}}
		return record("the layer", f)
	}()
	mtlsShape = func() *shape {
		f := fieldsNamed("strict", "dangling", "openPorts", "policies")
		f["mode"] = &shape{name: "mode", enum: []string{mesh.Strict, mesh.Permissive}}
		return record("the answer", f)
	}()
	meshShape      = record("input.mesh", fieldsNamed("rootNamespace", "trustDomain", "trustDomainAliases", "clusterDomain", "istioVersion"))
	namespaceShape = record("the namespace", fieldsNamed("name", "labels", "annotations"))
	userShape      = record("input.user", fieldsNamed("username", "uid", "groups", "extra"))
)

// inputShape is that of the input of a rule, which sees so much of the object.
func inputShape(r *Rule, of sight) *shape {
	text := func(name string, values ...string) *shape { return &shape{name: "input." + name, enum: values} }
	f := fieldsNamed("dryRun", "now")
	f["phase"], f["operation"] = text("phase", "admission", "audit", "scan"), text("operation", operations...)
	f["effects"], f["mesh"], f["namespace"], f["user"] = listOf(effectShape), meshShape, namespaceShape, userShape
	params := record("params", map[string]*shape{})
	if r.Params != nil {
		params = shapeOf(r.Params, "params")
		params.closed = true
	}
	f["params"] = record("input.params", map[string]*shape{r.ID: params})
	objects := &shape{name: "object"}
	if len(r.Kinds) == 1 {
		objects = of.kindShape(r.Kinds[0])
	} else if len(r.Kinds) > 1 {
		objects = of.merged(r.Kinds)
	}
	objects = objects.ofOwned(r, of)
	f["object"], f["old"] = objects, objects
	return record("input", f)
}

// merged is the shape of objects of any of several kinds: what one of them has may be asked for.
func (of sight) merged(kinds []mesh.Kind) *shape {
	var names []string
	out := &shape{}
	for i, k := range kinds {
		names = append(names, k.String())
		if i == 0 {
			out = of.kindShape(k)
			continue
		}
		out = union(out, of.kindShape(k))
	}
	slices.Sort(names)
	c := *out
	c.name = strings.Join(slices.Compact(names), " or ") + " "
	return &c
}

// union is the shape of what is one of two. What is not known of one is not known.
func union(a, b *shape) *shape {
	if a == nil || b == nil {
		return nil
	}
	if a == b {
		return a
	}
	out := &shape{name: a.name, closed: a.closed && b.closed || a.fields == nil && b.closed || b.fields == nil && a.closed, each: either(a.each, b.each)}
	if a.fields != nil || b.fields != nil {
		out.fields = maps.Clone(a.fields)
		if out.fields == nil {
			out.fields = map[string]*shape{}
		}
		for name, s := range b.fields {
			if was, both := out.fields[name]; both {
				s = union(was, s)
			}
			out.fields[name] = s
		}
	}
	out.gone = maps.Clone(b.gone)
	if out.gone == nil {
		out.gone = map[string]string{}
	}
	maps.Copy(out.gone, a.gone)
	maps.DeleteFunc(out.gone, func(name, _ string) bool { _, has := out.fields[name]; return has })
	if out.hidden = maps.Clone(a.hidden); out.hidden == nil {
		out.hidden = b.hidden
	} else {
		maps.Copy(out.hidden, b.hidden)
	}
	if a.enum != nil && b.enum != nil {
		out.enum = slices.Concat(a.enum, b.enum)
		slices.Sort(out.enum)
		out.enum = slices.Compact(out.enum)
	}
	return out
}

// either is what stands for both of two shapes of which one may be missing.
func either(a, b *shape) *shape {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return union(a, b)
}

// unknownField says what is wrong with a field that a shape does not have; "" where nothing is.
func (s *shape) unknownField(field string) string {
	if s == nil {
		return ""
	}
	if _, ok := s.fields[field]; ok {
		return ""
	}
	names := slices.Sorted(maps.Keys(s.fields))
	if otherwise, gone := s.gone[field]; gone {
		use := "another one"
		if len(names) > 0 {
			use = "one of " + strings.Join(names, ", ")
		}
		return fmt.Sprintf("the rule would never find anything there in a cluster: of %s no %s is kept. Use %s, %s.", strings.TrimSuffix(s.name, " "), field, use, otherwise)
	}
	if !s.closed || s.each != nil {
		return ""
	}
	hint := "It has none at all."
	if near := nearest(field, names); near != "" {
		hint = fmt.Sprintf("Perhaps %s.", near)
	} else if len(names) > 0 {
		hint = fmt.Sprintf("Use one of %s.", strings.Join(names, ", "))
	}
	return fmt.Sprintf("the rule could never find anything there: %s has no field %q. %s", strings.TrimSuffix(s.name, " "), field, hint)
}

// unknownValue says what is wrong with a value that a field never has; "" where nothing is.
func (s *shape) unknownValue(value string) string {
	if s == nil || len(s.enum) == 0 || slices.Contains(s.enum, value) {
		return ""
	}
	return fmt.Sprintf("the comparison always comes out the same: %s is never %q. Use one of %s.", strings.TrimSuffix(s.name, " "), value, strings.Join(s.enum, ", "))
}

// nearest is the word that is most like another one, where any is.
func nearest(word string, among []string) string {
	best, least := "", len(word)/3+2
	for _, a := range among {
		if d := levenshtein.ComputeDistance(strings.ToLower(word), strings.ToLower(a)); d < least {
			best, least = a, d
		}
	}
	return best
}
