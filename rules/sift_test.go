package rules_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/scenario"
	"github.com/waywarden/waywarden/rules"
	"github.com/waywarden/waywarden/rules/zerotrust"
)

// TestSieveChangesNothing: what a pack says of an object is the same whether a sieve stands before OPA or not. It is asked about the
// objects of all scenarios, in meshes of their own and in random ones; and about the same with some part put wrong, which is where a
// sieve that is sure of what it does not know would be found out.
func TestSieveChangesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		pack  *rules.Pack
		every int // of the objects of scenarios
		seeds uint64
	}{"the library": {zerotrust.Pack(), 2, 2}, "all that the language has": {zoo(t), 20, 1}} {
		t.Run(name, func(t *testing.T) {
			s := &sides{t: t, with: c.pack, without: rules.Unsieved(c.pack), params: given(c.pack)}
			pool := s.scenarios(c.every)
			for seed := range c.seeds {
				s.random(rand.New(rand.NewPCG(seed, 1)), pool)
			}
			t.Logf("%d questions, %d of which were left to OPA; %d answers were not empty", s.asked, s.passed, s.told)
			if s.told < s.asked/1000 {
				t.Errorf("only %d of %d answers say anything: the test says little", s.told, s.asked)
			}
			if name == "the library" && s.passed > s.asked/10 {
				t.Errorf("%d of %d questions are left to OPA: the sieve knows too little", s.passed, s.asked)
			}
		})
	}
}

// given are other parameters for every rule that has some: its own defaults, turned over.
func given(p *rules.Pack) *policies.Parameters {
	out := map[string][]policies.Params{}
	for _, r := range p.Rules {
		if r.Params == nil {
			continue
		}
		properties, _ := r.Params["properties"].(map[string]any)
		values := map[string]any{}
		for _, name := range slices.Sorted(maps.Keys(properties)) {
			switch properties[name].(map[string]any)["type"] {
			case "array":
				values[name] = []any{}
			case "string":
				values[name] = "app"
			}
		}
		out[r.ID] = []policies.Params{{Key: "other", Values: values}}
	}
	return policies.NewParameters(out)
}

// sides are a pack with a sieve and without.
type sides struct {
	t             *testing.T
	with, without *rules.Pack
	params        *policies.Parameters

	asked, passed, told int
}

// scenarios asks about one in so many of the objects of all scenarios, and returns all.
func (s *sides) scenarios(every int) []*mesh.Object {
	var files []*scenario.File
	for _, pattern := range []string{"policies/checks/*.txtar", "policies/testdata/*.txtar"} {
		some, err := scenario.Load(os.DirFS(".."), pattern)
		if err != nil {
			s.t.Fatal(err)
		}
		files = append(files, some...)
	}
	for _, r := range zerotrust.Pack().Rules {
		files = append(files, r.Scenarios())
	}
	var pool []*mesh.Object
	for _, f := range files {
		for _, c := range f.Cases {
			for o := range c.Snapshot.Objects() {
				if pool = append(pool, o); len(pool)%every == 0 {
					s.compare(c.Snapshot, o, policies.Occasion{})
				}
			}
		}
	}
	return pool
}

// random asks about objects in a mesh of what was drawn, some with a part put wrong.
func (s *sides) random(r *rand.Rand, pool []*mesh.Object) {
	var drawn []*mesh.Object
	for range 200 {
		drawn = append(drawn, pool[r.IntN(len(pool))])
	}
	in := mesh.New(mesh.Options{}, drawn...)
	for o := range in.Objects() {
		for range 4 {
			asked := policies.Occasion{Parameters: s.params}
			if r.IntN(2) == 0 {
				asked.Phase, asked.Operation = policies.AtAdmission, []string{"CREATE", "UPDATE", "DELETE"}[r.IntN(3)]
			}
			s.compare(in, o, asked)
			o = o.WithContent(putWrong(r, o.Content()).(map[string]any))
			in = in.With(o)
		}
	}
}

// compare asks both sides.
func (s *sides) compare(in *mesh.Snapshot, o *mesh.Object, asked policies.Occasion) {
	s.t.Helper()
	with, passed, all := s.say(s.with, in, o, asked)
	without, _, _ := s.say(s.without, in, o, asked)
	if diff := cmp.Diff(without, with); diff != "" {
		s.t.Fatalf("%s, %s %s (-without +with the sieve):\n%s\n%v", o, asked.PhaseOr(), asked.Operation, diff, o.Content())
	}
	s.asked, s.passed, s.told = s.asked+all, s.passed+passed, s.told+len(without)
}

// say is all that a pack says of an object, and how many of its rules OPA was asked.
func (s *sides) say(p *rules.Pack, in *mesh.Snapshot, o *mesh.Object, asked policies.Occasion) (out []string, passed, all int) {
	view := policies.NewView(in)
	view.Occasion = asked
	for _, f := range policies.Evaluate(p.Checks(), view, o) {
		out = append(out, fmt.Sprintf("%+v", f))
	}
	for _, f := range view.TakeFailures() {
		out = append(out, fmt.Sprintf("%+v", f))
	}
	for _, skip := range view.TakeSkips() {
		out = append(out, fmt.Sprintf("%+v", skip))
	}
	passed, all = rules.Sifted(p, view, o)
	return out, passed, all
}

// putWrong is a copy of what was decoded with one part of it another one, gone, or there twice.
func putWrong(r *rand.Rand, v any) any {
	odd := []any{nil, true, false, int64(0), int64(-1), 1.5, 2.0, "", "*", "http://x", "ALLOW", []any{}, []any{""}, []any{"*", "*"}, map[string]any{}, map[string]any{"a": []any{nil}}}
	switch x := v.(type) {
	case map[string]any:
		out := maps.Clone(x)
		keys := slices.Sorted(maps.Keys(x))
		if len(keys) == 0 {
			return map[string]any{"spec": odd[r.IntN(len(odd))]}
		}
		k := keys[r.IntN(len(keys))]
		switch r.IntN(8) {
		case 0:
			delete(out, k)
		case 1:
			out[k] = odd[r.IntN(len(odd))]
		default:
			out[k] = putWrong(r, out[k])
		}
		return out
	case []any:
		out := slices.Clone(x)
		if len(out) == 0 {
			return []any{odd[r.IntN(len(odd))]}
		}
		i := r.IntN(len(out))
		switch r.IntN(6) {
		case 0:
			return append(out, out[i])
		case 1:
			return append(out, odd[r.IntN(len(odd))])
		default:
			out[i] = putWrong(r, out[i])
		}
		return out
	}
	return odd[r.IntN(len(odd))]
}

// zoo are rules that no person would write, for what the library does not do.
func zoo(t *testing.T) *rules.Pack {
	files := fstest.MapFS{}
	for name, body := range bodies {
		files["zoo/"+name+".rego"] = &fstest.MapFile{Data: []byte(fmt.Sprintf(described, name, body))}
		files["zoo/"+name+".txtar"] = &fstest.MapFile{Data: []byte(example)}
	}
	p, err := rules.Load(files, rules.Options{Trusted: true})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const described = `# METADATA
# title: T
# custom:
#   severity: low
#   match: {kinds: [AuthorizationPolicy.security.istio.io, Service, Namespace, Gateway.gateway.networking.k8s.io, PeerAuthentication.security.istio.io]}
#   params: {type: object, additionalProperties: false, properties: {names: {type: array, items: {type: string}, default: [web]}}}
package zoo.%s

o := input.object

%s
`

const example = `Cases.
-- mesh.yaml --
{apiVersion: v1, kind: Namespace, metadata: {name: shop}}
-- ok-x.yaml --
{apiVersion: v1, kind: Service, metadata: {name: x, namespace: shop}}
-- bad-x.yaml --
{apiVersion: v1, kind: Service, metadata: {name: x, namespace: shop}}
`

var bodies = map[string]string{
	"every_list":         `deny contains {"msg": "m"} if every r in o.spec.rules { r.from; every f in r.from { not f.source.namespaces } }`,
	"every_of_nothing":   `deny contains {"msg": "m"} if every p in object.get(o.spec, "ports", []) { p.port > 80 }`,
	"every_that_fails":   `deny contains {"msg": "m"} if every p in o.spec.ports { startswith(p.name, "h") }`,
	"not_that_fails":     `deny contains {"msg": "m"} if { some p in o.spec.ports; not startswith(p.name, "h") }`,
	"not_of_function":    "deny contains {\"msg\": \"m\"} if { some r in o.spec.rules; not named(r) }\nnamed(r) if r.from[_].source.principals[_] != \"\"",
	"conflict":           "deny contains {\"msg\": sprintf(\"%v\", [name(o)])}\nname(x) := x.metadata.name\nname(x) := x.metadata.namespace",
	"conflict_in_one":    "deny contains {\"msg\": \"m\"} if first(o) == \"http\"\nfirst(x) := p.name if some p in x.spec.ports",
	"otherwise":          "deny contains {\"msg\": \"m\"} if kind == \"other\"\nkind := \"policy\" if o.spec.rules\nelse := \"service\" if o.spec.ports\nelse := \"other\"",
	"otherwise_fails":    "deny contains {\"msg\": \"m\"} if kind == \"other\"\nkind := \"h\" if startswith(o.spec.ports[0].name, \"h\")\nelse := \"other\"",
	"by_default":         "deny contains {\"msg\": \"m\"} if not ok\ndefault ok := false\nok if o.spec.rules",
	"counts":             `deny contains {"msg": "m"} if count([1 | some r in o.spec.rules; r.to]) == count(o.spec.rules)`,
	"counts_a_set":       `deny contains {"msg": "m"} if count({p.name | some p in o.spec.ports}) < count(o.spec.ports)`,
	"object_made":        `deny contains {"msg": k} if { some k, v in {r.name: r | some r in o.spec.ports}; v.port > 80 }`,
	"object_made_twice":  `deny contains {"msg": "m"} if { made := {"a": r.from | some r in o.spec.rules}; count(made) == 1 }`,
	"set_of_objects":     "deny contains {\"msg\": \"m\"} if count(places) == 1\nplaces contains {\"a\": r.from} if some r in o.spec.rules",
	"set_held":           "deny contains {\"msg\": \"m\"} if names[\"http\"]\nnames contains p.name if some p in o.spec.ports",
	"set_held_by_in":     "deny contains {\"msg\": \"m\"} if \"http\" in names\nnames contains p.name if some p in o.spec.ports",
	"index_of_list":      `deny contains {"msg": "m"} if [p.name | some p in o.spec.ports][1]`,
	"index_open":         `deny contains {"msg": "m"} if { some i, j; o.spec.rules[i].to == o.spec.rules[j].to; i != j }`,
	"same_variable":      `deny contains {"msg": "m"} if { some i; o.spec.rules[i].from[i].source }`,
	"keys":               `deny contains {"msg": "m"} if { some k, v in o.metadata.labels; startswith(k, "istio.io/"); v != "" }`,
	"values_in":          `deny contains {"msg": "m"} if "none" in o.metadata.labels`,
	"in_params":          `deny contains {"msg": "m"} if not o.metadata.name in input.params.names`,
	"params_compared":    `deny contains {"msg": "m"} if input.params.names == []`,
	"get_path":           `deny contains {"msg": "m"} if object.get(o, ["spec", "ports", 0, "name"], "none") == "none"`,
	"get_of_no_object":   `deny contains {"msg": "m"} if object.get(o.spec.rules, 0, "x") == "x"`,
	"get_is_false":       `deny contains {"msg": "m"} if object.get(o.spec, "publishNotReadyAddresses", true)`,
	"texts":              `deny contains {"msg": "m"} if { lower(o.metadata.name) == o.metadata.name; contains(concat("/", [o.metadata.namespace, o.metadata.name]), "a"); endswith(upper(o.metadata.name), "T") }`,
	"splits":             `deny contains {"msg": "m"} if trim_space(split(o.metadata.name, "-")[1]) != ""`,
	"compares":           `deny contains {"msg": "m"} if { some p in o.spec.ports; p.port >= 80; p.port <= 8080; p.targetPort > p.port }`,
	"compares_kinds":     `deny contains {"msg": "m"} if o.spec < 3`,
	"null_field":         `deny contains {"msg": "m"} if o.spec.selector == null`,
	"list_compared":      `deny contains {"msg": "m"} if o.spec.rules[_].to != []`,
	"list_of_fields":     `deny contains {"msg": "m"} if { some r in o.spec.rules; some f in ["from", "to", "when"]; r[f] == [] }`,
	"pattern":            `deny contains {"msg": "m"} if { [a, b] = o.spec.ports; a.name != b.name }`,
	"unknown_builtin":    `deny contains {"msg": "m"} if { to_number(o.metadata.name) > 1; o.spec.never }`,
	"fails_before_false": `deny contains {"msg": "m"} if { startswith(o.spec.ports[_].port, "h"); false }`,
	"false_before_fails": `deny contains {"msg": "m"} if { o.spec.never; startswith(o.spec.ports[_].port, "h") }`,
	"replaced":           `deny contains {"msg": "m"} if { x := o.metadata.name with input.object.metadata.name as "x"; x == "x" }`,
	"phase":              `deny contains {"msg": input.phase} if { input.phase == "admission"; input.operation != "CREATE"; not input.dryRun }`,
	"skipped":            "deny contains {\"msg\": \"m\"} if o.metadata.name\nskip contains \"no labels\" if not o.metadata.labels",
	"effects":            `deny contains {"msg": "m"} if { some e in input.effects; e.target.kind == "Service"; e.target.labels == {}; e.workloads > 0; e.failsOpen }`,
	"no_effects":         `deny contains {"msg": "m"} if count(input.effects) == 0`,
	"effect_keys":        `deny contains {"msg": k} if { some k, v in input.effects[_]; v == "ztunnel" }`,
	"wrong_question":     `deny contains {"msg": "m"} if mesh.waypoint(o.kind, o.metadata.namespace, o.metadata.name).bound`,
	"no_such_kind":       `deny contains {"msg": "m"} if { some p in mesh.policies_for(o.metadata.name, "shop", "x"); p.spec }`,
	"same_texts":         "deny contains {\"msg\": n} if { n := first(o.metadata.namespace, o.kind); n != o.metadata.name }\nfirst(ns, kind) := min({s.metadata.name | some s in mesh.services(ns); kind != \"\"})",
	"same_texts_params":  "deny contains {\"msg\": \"m\"} if named(o.metadata.namespace)\nnamed(ns) if { some s in mesh.services(ns); s.metadata.name in input.params.names }",
	"same_texts_looks":   "deny contains {\"msg\": \"m\"} if own(o.metadata.namespace)\nown(ns) if { some s in mesh.services(ns); s.metadata.name == o.metadata.name }",
	"same_texts_deep":    "deny contains {\"msg\": \"m\"} if a(o.metadata.namespace)\na(ns) if b(ns)\nb(ns) if own(ns)\nown(ns) if { some s in mesh.services(ns); s.metadata.labels == o.metadata.labels }",
	"same_texts_fail":    "deny contains {\"msg\": \"m\"} if f(o.metadata.namespace)\nf(ns) if { some s in mesh.services(ns); startswith(s.spec.ports[0].port, \"8\") }",
	"callers":            `deny contains {"msg": c.path} if { some c in mesh.callers("AuthorizationPolicy", o.metadata.namespace, o.metadata.name); not c.principal }`,
	"callers_counted":    `deny contains {"msg": "m"} if count({c | some c in mesh.callers("AuthorizationPolicy", o.metadata.namespace, o.metadata.name)}) == 1`,
	"workloads":          `deny contains {"msg": w.name} if { some w in mesh.workloads(o.metadata.namespace, {"app": "web"}); w.running; w.ports[_].port > 80 }`,
	"workloads_of":       `deny contains {"msg": w.principal} if { some w in mesh.workloads_of(o.kind, o.metadata.namespace, o.metadata.name); w.labels == o.metadata.labels }`,
	"own_namespace":      `deny contains {"msg": "m"} if { input.namespace.labels[_] == "ambient"; input.namespace.name == o.metadata.namespace }`,
	"policies_stored":    `deny contains {"msg": p.metadata.name} if { some p in mesh.policies_for(o.kind, o.metadata.namespace, o.metadata.name); p.spec == o.spec }`,
	"same_policy":        `deny contains {"msg": "m"} if { ps := mesh.policies("AuthorizationPolicy", o.metadata.namespace); count({p | some p in ps}) != count(ps) }`,
}
