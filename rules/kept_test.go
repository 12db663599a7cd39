package rules

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// TestKept: of an object that has every field rules see what a watch keeps, and nobody else's object is written to.
func TestKept(t *testing.T) {
	for _, k := range mesh.Kinds() {
		all := filled(schemaOf(k)).(map[string]any)
		all["metadata"].(map[string]any)["annotations"] = map[string]any{mesh.LastApplied: "{}", "mine": "text"}
		want, before := runtime.DeepCopyJSON(all), runtime.DeepCopyJSON(all)
		mesh.Strip(k, want)
		if k.MadeByControllers() {
			want = mesh.Lean(k, want)
		}
		got := mesh.Kept(k, all)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-watched +seen):\n%s", k, diff)
		}
		if diff := cmp.Diff(before, all); diff != "" {
			t.Errorf("%s is written to:\n%s", k, diff)
		}
		if !slices.Contains([]mesh.Kind{mesh.AuthorizationPolicy, mesh.Service, mesh.Namespace, mesh.Role}, k) {
			continue
		}
		if again := testing.AllocsPerRun(10, func() { mesh.Kept(k, got) }); again > 0 {
			t.Errorf("%s: %v allocations where nothing is to be taken out", k, again)
		}
	}
}

const dynamic = `# METADATA
# title: T
# custom:
#   severity: medium
#   match: {kinds: [Deployment.apps, CronJob.batch, Service]}
package acme.x

deny contains {"msg": "some"} if {
	some k, _ in input.object.spec
	k in gone
}

deny contains {"msg": "walk"} if {
	walk(input.object, [path, _])
	path[count(path) - 1] in gone
}

deny contains {"msg": "keys"} if count(gone & object.keys(input.object.spec)) > 0

deny contains {"msg": "field"} if {
	some f in gone
	input.object.spec[f]
}

deny contains {"msg": "old"} if {
	input.phase == "admission"
	some f in gone
	input.old.spec[f]
}

deny contains {"msg": "annotation"} if {
	some k, _ in input.object.metadata.annotations
	startswith(k, "kubectl")
}

deny contains {"msg": "annotation of the namespace"} if {
	some k, _ in input.namespace.annotations
	startswith(k, "kubectl")
}

gone := {"replicas", "paused", "volumes", "suspend", "resourceVersion", "managedFields"}
`

const wholeObjects = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: a, namespace: shop, resourceVersion: "1", managedFields: [{manager: x}], annotations: {kubectl.kubernetes.io/last-applied-configuration: "{}"}}
spec: {replicas: 3, paused: true, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {volumes: [{name: v}], containers: [{name: c, image: i}]}}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: a, namespace: shop}
spec: {suspend: true, schedule: "* * * * *", jobTemplate: {spec: {template: {spec: {volumes: [{name: v}], containers: [{name: c, image: i}]}}}}}
---
apiVersion: v1
kind: Service
metadata: {name: a, namespace: shop, resourceVersion: "1", managedFields: [{manager: x}], annotations: {kubectl.kubernetes.io/last-applied-configuration: "{}"}}
spec: {ports: [{port: 80}]}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop, annotations: {kubectl.kubernetes.io/last-applied-configuration: "{}"}}
`

// TestSameWherever: what a watch does not keep is found nowhere, however a rule asks for it, but by a rule that is asked at admission
// alone; and one of these changes nothing for the others.
func TestSameWherever(t *testing.T) {
	whole := strings.NewReplacer("Service]", "Service], phases: [admission]", "acme.x", "acme.y").Replace(dynamic)
	both := map[string]string{"x": dynamic, "y": whole}
	want := map[mesh.Kind][]string{
		mesh.Deployment: {"annotation", "field", "keys", "old", "some", "walk"},
		mesh.CronJob:    {"field", "keys", "old", "some", "walk"},
		mesh.Service:    {"annotation", "walk"},
	}
	for _, sieved := range []bool{true, false} {
		p := pack(t, both)
		if !sieved {
			p = Unsieved(p)
		}
		for _, o := range objectsOf(t, wholeObjects)[:3] {
			s := mesh.New(mesh.Options{}, objectsOf(t, wholeObjects)...)
			for _, occasion := range []policies.Occasion{{Phase: policies.AtScan}, {Phase: policies.AtAudit}, {Phase: policies.AtAdmission, Operation: "UPDATE", Old: o}} {
				view := policies.NewView(s)
				view.Occasion = occasion
				var whole []string
				for _, f := range policies.Evaluate(p.Checks(), view, o) {
					if f.Check != "acme/y" {
						t.Errorf("%s: %s finds %s at %s", o, f.Check, f.Message, occasion.Phase)
					}
					whole = append(whole, f.Message)
				}
				slices.Sort(whole)
				if diff := cmp.Diff(want[o.Kind], whole); occasion.Phase == policies.AtAdmission && diff != "" {
					t.Errorf("%s: at admission alone (-want +got):\n%s", o, diff)
				}
				if failures := view.TakeFailures(); len(failures) > 0 {
					t.Error(failures)
				}
			}
		}
	}
}
