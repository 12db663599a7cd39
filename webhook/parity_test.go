package webhook

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/scenario"
	"github.com/waywarden/waywarden/rules/zerotrust"
)

// TestParityOfUpdates holds what admission says of an update of a Namespace, Service or Gateway to what a scan shows before it
// and after it. About the object admission tells what is new, and nothing else. It names every stored policy that does worse at one
// of its targets, and none of which no effect differs.
func TestParityOfUpdates(t *testing.T) {
	files, err := scenario.Load(os.DirFS("../test/meshes"), "*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	checks := policies.Checks()
	library := zerotrust.Pack()
	for _, c := range library.Checks() {
		if rule := library.Find(c.ID); slices.Contains(rule.Phases, policies.AtAdmission) && slices.Contains(rule.Phases, policies.AtScan) {
			checks = append(checks, c)
		}
	}
	p := parity{checks: checks}
	for _, f := range files {
		for _, c := range f.Cases {
			t.Run(f.Name+"/"+c.Name, func(t *testing.T) {
				before := ready(t, c.Snapshot)
				was := scanned(checks, before)
				for _, kind := range []mesh.Kind{mesh.Namespace, mesh.Service, mesh.Gateway} {
					for o := range before.All(kind) {
						for name, object := range updatesOf(t, o) {
							p.update(t, updated{before, was, o, object, name})
						}
					}
				}
			})
		}
	}
	t.Logf("%d updates, %d findings about what is updated, %d policies broken", p.updates, p.own, p.broken)
	if p.updates < 300 || p.own < 50 || p.broken < 50 {
		t.Error("the test says little")
	}
}

// parity compares admission with a scan, and counts what both say.
type parity struct {
	checks               []*policies.Check
	updates, own, broken int
}

func (p *parity) update(t *testing.T, u updated) {
	t.Helper()
	is := scanned(p.checks, u.before.With(decoded(t, u.object)))
	said, names := admitted(t, p.checks, u)
	if diff := cmp.Diff(difference(u.was[u.old.Ref()].findings, is[u.old.Ref()].findings), said); diff != "" {
		t.Errorf("%s (-scan +admission):\n%s", u, diff)
	}
	for ref := range is {
		named := slices.Contains(names, ref)
		if at := worse(u.was[ref], is[ref]); at != "" && !named {
			t.Errorf("%s: admission does not name %s, which does worse at %s", u, ref, at)
		}
		if named && slices.Equal(u.was[ref].effects, is[ref].effects) {
			t.Errorf("%s: admission names %s, of which no effect differs", u, ref)
		}
	}
	p.updates, p.own, p.broken = p.updates+1, p.own+len(said), p.broken+len(names)
}

// updated is one update of an object, in a mesh of which a scan shows what it does.
type updated struct {
	before *mesh.Snapshot
	was    map[mesh.Ref]shown
	old    *mesh.Object
	object map[string]any
	name   string
}

func (u updated) String() string { return u.old.String() + ": " + u.name }

// ready is a mesh as a cluster has it, where every Gateway has its address.
func ready(t *testing.T, s *mesh.Snapshot) *mesh.Snapshot {
	t.Helper()
	var objects []*mesh.Object
	for o := range s.Objects() {
		object := maps.Clone(o.Content())
		if o.Kind == mesh.Gateway {
			object["status"] = map[string]any{"addresses": []any{map[string]any{"type": "IPAddress", "value": "10.96.0.99"}}}
		}
		objects = append(objects, decoded(t, object))
	}
	return mesh.New(mesh.Options{}, objects...)
}

func decoded(t *testing.T, content map[string]any) *mesh.Object {
	t.Helper()
	o, err := mesh.Decode(content)
	if err != nil {
		t.Fatal(err)
	}
	o.Live = true
	return o
}

// shown is what a scan shows of one object.
type shown struct {
	findings, effects []string
	verdicts          map[[2]string]policies.Verdict // by target and enforcer
}

func scanned(checks []*policies.Check, s *mesh.Snapshot) map[mesh.Ref]shown {
	out := map[mesh.Ref]shown{}
	view := on(policies.Occasion{Phase: policies.AtScan}, s)
	for o := range s.Objects() {
		of := shown{verdicts: map[[2]string]policies.Verdict{}}
		for _, f := range policies.Evaluate(checks, view, o) {
			of.findings = append(of.findings, line(&f))
		}
		for _, e := range view.Effects(o) {
			of.effects = append(of.effects, fmt.Sprintf("%s at %s by %s, %s", e.Verdict, e.Target, e.EnforcedBy, e.Message))
			of.verdicts[[2]string{e.Target.String(), string(e.EnforcedBy)}] = e.Verdict
		}
		out[o.Ref()] = of
	}
	return out
}

func line(f *policies.Finding) string {
	return fmt.Sprintf("%s %s %s at %s", f.Severity, f.Check, f.Verdict, f.Field)
}

// difference is what is shown and was not, sorted.
func difference(was, is []string) []string {
	var out []string
	for _, f := range is {
		if !slices.Contains(was, f) {
			out = append(out, f)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// worse says at which target a policy does worse than it did, at whoever enforced it or because nobody does; "" where it does
// so nowhere that somebody can know it.
func worse(was, is shown) string {
	for at, old := range was.verdicts {
		now, ok := is.verdicts[at]
		if !ok {
			now, ok = is.verdicts[[2]string{at[0], string(policies.Nobody)}]
		}
		if ok && now != policies.Unknown && now.Worse(old) {
			return fmt.Sprintf("%s: %s, and was %s", at[0], now, old)
		}
	}
	return ""
}

// admitted is what admission says of an update: what it finds about the object, and which policies it names as broken.
func admitted(t *testing.T, checks []*policies.Check, u updated) (found []string, broken []mesh.Ref) {
	t.Helper()
	o := options(u.before, rulebookOf(t, checks, []*v1alpha1.Guardrail{guardrail(v1alpha1.Audit, "")}))
	o.Observe = func(r Record) {
		for _, f := range r.Findings {
			if f.Check == "change/policy-broken" {
				broken = append(broken, f.Related[0])
			} else if !strings.HasPrefix(f.Check, "change/") {
				found = append(found, line(&f))
			}
		}
	}
	answer(t, New(o).Validating(), request(t, admissionv1.Update, u.object, u.old.Content()))
	slices.Sort(found)
	return slices.Compact(found), broken
}

// updatesOf are updates of an object, by what is changed.
func updatesOf(t *testing.T, o *mesh.Object) map[string]map[string]any {
	t.Helper()
	out := map[string]map[string]any{}
	change := func(name string, edit func(object map[string]any)) {
		raw, err := json.Marshal(o.Content())
		if err != nil {
			t.Fatal(err)
		}
		object := map[string]any{}
		if err := json.Unmarshal(raw, &object); err != nil {
			t.Fatal(err)
		}
		if edit(object); !cmp.Equal(object, o.Content()) {
			out[name] = object
		}
	}
	for key, values := range map[string][]string{"istio.io/dataplane-mode": {"", "ambient", "none"}, "istio.io/use-waypoint": {"", "none", "gone"},
		"istio.io/ingress-use-waypoint": {"", "true"}, "istio.io/waypoint-for": {"", "service", "workload", "none"}, "istio-injection": {"", "enabled"}} {
		for _, v := range values {
			change("label "+key+"="+v, func(object map[string]any) {
				metadata, _ := object["metadata"].(map[string]any)
				labels, _ := metadata["labels"].(map[string]any)
				if labels = maps.Clone(labels); labels == nil {
					labels = map[string]any{}
				}
				if labels[key] = v; v == "" {
					delete(labels, key)
				}
				if _, had := metadata["labels"]; had || len(labels) > 0 {
					metadata["labels"] = labels
				}
			})
		}
	}
	spec := func(name string, edit func(spec map[string]any)) {
		change(name, func(object map[string]any) {
			if s, ok := object["spec"].(map[string]any); ok {
				edit(s)
			}
		})
	}
	switch o.Kind {
	case mesh.Service:
		for _, port := range []string{"tcp-x", "http-x", "grpc"} {
			spec("port "+port, func(spec map[string]any) {
				if ports, _ := spec["ports"].([]any); len(ports) > 0 {
					first, _ := ports[0].(map[string]any)
					first["name"] = port
					delete(first, "appProtocol")
				}
			})
		}
		spec("selector", func(spec map[string]any) { spec["selector"] = map[string]any{"app": "nobody"} })
		spec("headless", func(spec map[string]any) { spec["clusterIP"] = "None" })
		spec("node port", func(spec map[string]any) { spec["type"] = "NodePort" })
	case mesh.Gateway:
		for _, class := range []string{"istio", "istio-waypoint", "nobody"} {
			spec("class "+class, func(spec map[string]any) { spec["gatewayClassName"] = class })
		}
		for _, protocol := range []string{"HTTP", "HBONE"} {
			spec("listener "+protocol, func(spec map[string]any) {
				if listeners, _ := spec["listeners"].([]any); len(listeners) > 0 {
					first, _ := listeners[0].(map[string]any)
					first["protocol"] = protocol
				}
			})
		}
		spec("routes", func(spec map[string]any) {
			if listeners, _ := spec["listeners"].([]any); len(listeners) > 0 {
				first, _ := listeners[0].(map[string]any)
				first["allowedRoutes"] = map[string]any{"namespaces": map[string]any{"from": "Same"}}
			}
		})
	}
	return out
}
