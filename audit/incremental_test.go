package audit

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

// TestIncrementalIsFull makes random sequences of events out of the objects of all scenarios, which share few names, so that they
// matter to one another, and compares after each event what is kept with what is found by judging everything.
func TestIncrementalIsFull(t *testing.T) {
	pool := scenarioObjects(t)
	t.Run("checks in Go", func(t *testing.T) { incrementalIsFull(t, pool, policies.Checks(), 6) })
	t.Run("with the zero-trust library", func(t *testing.T) {
		incrementalIsFull(t, pool, slices.Concat(policies.Checks(), zerotrust.Pack().Checks()), 2)
	})
}

func incrementalIsFull(t *testing.T, pool []*mesh.Object, checks []*policies.Check, seeds uint64) {
	const steps = 150
	checks = policies.AboutObjects(checks)
	events, judged, stored, changed := 0, 0, 0, 0
	for seed := range seeds {
		r := rand.New(rand.NewPCG(seed, 7))
		some := draw(r, pool, 400)
		s := mesh.New(mesh.Options{}, some[:200]...)
		inc := NewIncremental(checks, policies.Occasion{Phase: policies.AtAudit})
		inc.Step(s)
		was := findingsIn(Evaluate(s, slices.Collect(s.Objects()), checks, nil))
		for range steps {
			event := ""
			s, event = anyEvent(r, s, some)
			judged += len(inc.Step(s))
			want := findingsIn(Evaluate(s, slices.Collect(s.Objects()), checks, nil))
			if diff := cmp.Diff(want, inc.told()); diff != "" {
				t.Fatalf("seed %d: after %s what is kept is not what is found (-found +kept):\n%s", seed, event, diff)
			}
			if !maps.EqualFunc(was, want, func(a, b []string) bool { return slices.Equal(a, b) }) {
				changed++
			}
			was, events, stored = want, events+1, stored+s.Len()
		}
		if wrong := inc.Verify(); len(wrong) > 0 {
			t.Errorf("seed %d: Verify finds %d differences where there are none", seed, len(wrong))
		}
	}
	t.Logf("%d events, %d of which change what is found; %d of %d objects judged anew", events, changed, judged, stored)
	if changed*4 < events {
		t.Errorf("only %d of %d events change anything: the test says little", changed, events)
	}
	if judged*2 > stored {
		t.Errorf("%d of %d objects are judged anew: that is hardly less than all", judged, stored)
	}
}

// told is what is kept, as findingsIn says it.
func (i *Incremental) told() map[string][]string {
	var answers []Answer
	for _, k := range i.kept {
		answers = append(answers, k.answer)
	}
	return findingsIn(answers)
}

// findingsIn are the findings by object.
func findingsIn(answers []Answer) map[string][]string {
	out := map[string][]string{}
	for _, a := range answers {
		of := a.Object.Kind.Group() + " " + a.Object.String() // a Gateway of Istio's may have the name of one of the Gateway API
		for _, f := range a.Findings {
			out[of] = append(out[of], fmt.Sprintf("%s %s %s %s %v %v", f.Check, f.Severity, f.Field, f.Message, f.Namespaces, f.Fixes))
		}
		for _, p := range a.Panics {
			out[of] = append(out[of], "panic: "+p.Value)
		}
	}
	return out
}

// scenarioObjects are the objects of all scenarios.
func scenarioObjects(t *testing.T) []*mesh.Object {
	t.Helper()
	var out []*mesh.Object
	for _, pattern := range []string{"policies/checks/*.txtar", "policies/testdata/*.txtar", "test/meshes/*.txtar"} {
		files, err := scenario.Load(os.DirFS(".."), pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			for _, c := range f.Cases {
				out = slices.AppendSeq(out, c.Snapshot.Objects())
			}
		}
	}
	return out
}

func draw(r *rand.Rand, pool []*mesh.Object, n int) []*mesh.Object {
	out := make([]*mesh.Object, n)
	for i := range out {
		out[i] = pool[r.IntN(len(pool))]
	}
	return out
}

// anyEvent stores an object, in place of what has its name, deletes one, or does several such things at once.
func anyEvent(r *rand.Rand, s *mesh.Snapshot, pool []*mesh.Object) (next *mesh.Snapshot, event string) {
	next = s
	for range 1 + r.IntN(2)*r.IntN(4) {
		o := pool[r.IntN(len(pool))]
		if r.IntN(3) == 0 {
			all := slices.Collect(next.Objects())
			if len(all) == 0 {
				continue
			}
			o = all[r.IntN(len(all))]
			next = next.Without(o)
			event += "without " + o.String() + "; "
			continue
		}
		next = next.With(o)
		event += "with " + o.String() + "; "
	}
	return next, event
}

// TestWhatARuleRemembersIsRead: of two policies for which a rule looks once at a Service of another namespace both are judged anew when that
// is there.
func TestWhatARuleRemembersIsRead(t *testing.T) {
	const rule = `# METADATA
# title: A policy without its Service
# custom:
#   severity: low
#   match: {kinds: [AuthorizationPolicy.security.istio.io]}
package acme.x

deny contains {"msg": "its Service is not there"} if not there(input.object.metadata.namespace)

there(ns) if mesh.service("bank", ns)
`
	const cases = "Two.\n-- ok-a.yaml --\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: a, namespace: shop}\n---\n" +
		"apiVersion: v1\nkind: Service\nmetadata: {name: shop, namespace: bank}\n-- bad-b.yaml --\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: a, namespace: shop}\n"
	pack, err := rules.Load(fstest.MapFS{"acme/x.rego": {Data: []byte(rule)}, "acme/x.txtar": {Data: []byte(cases)}}, rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	all := written(t, fmt.Sprintf(policy, "one")+fmt.Sprintf(policy, "two")+"---\napiVersion: v1\nkind: Service\nmetadata: {name: shop, namespace: bank}\n").Objects
	s := mesh.New(mesh.Options{}, all...)
	service := s.Get(mesh.Service, "bank", "shop")
	inc := NewIncremental(pack.Checks(), policies.Occasion{Phase: policies.AtAudit})
	for _, step := range []struct {
		next *mesh.Snapshot
		want int
	}{{s.Without(service), 2}, {s, 0}, {s.Without(service), 2}} {
		inc.Step(step.next)
		if n := len(inc.told()); n != step.want {
			t.Fatalf("with %d objects something is found in %d policies, want %d", step.next.Len(), n, step.want)
		}
	}
}

// TestVerifyBites: what is kept wrongly is found, and put right.
func TestVerifyBites(t *testing.T) {
	s := mesh.New(mesh.Options{}, written(t, shop+fmt.Sprintf(policy, "bad")).Objects...)
	inc := NewIncremental(policies.AboutObjects(policies.Checks()), policies.Occasion{})
	if got := len(inc.Step(s)); got != s.Len() {
		t.Fatalf("the first step judges %d of %d objects", got, s.Len())
	}
	for _, k := range inc.kept {
		k.answer.Findings = nil
	}
	wrong := inc.Verify()
	if len(wrong) != 1 || wrong[0].Is.Object.Name != "bad" {
		t.Errorf("Verify finds %v", wrong)
	}
	if again := inc.Verify(); len(again) > 0 {
		t.Errorf("what was put right is wrong again: %v", again)
	}
}

// TestSweep: what was replaced does not pile up.
func TestSweep(t *testing.T) {
	inv := written(t, shop+fmt.Sprintf(policy, "bad"))
	s := mesh.New(mesh.Options{}, inv.Objects...)
	inc := NewIncremental(policies.AboutObjects(policies.Checks()), policies.Occasion{})
	inc.Step(s)
	bad := s.Get(mesh.AuthorizationPolicy, "shop", "bad")
	for range 1000 {
		s = s.Without(bad)
		inc.Step(s)
		s = s.With(bad)
		inc.Step(s)
	}
	total := 0
	for _, list := range inc.readers {
		total += len(list)
	}
	if total != inc.enlisted || total > 2*inc.alive+1000 {
		t.Errorf("%d are enlisted, %d counted, %d of which count", total, inc.enlisted, inc.alive)
	}
}
