//go:build cluster

package waypoints

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/test/cluster"
)

// as applies an object as another field manager, by force: what GitOps does.
func (w *world) as(manager string, r schema.GroupVersionResource, text string) {
	w.t.Helper()
	objects, err := cluster.Objects([]byte(text))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, o := range objects {
		if _, err := w.Dynamic.Resource(r).Namespace(o.GetNamespace()).Apply(w.t.Context(), o.GetName(), o, metav1.ApplyOptions{FieldManager: manager, Force: true}); err != nil {
			w.t.Fatal(err)
		}
	}
}

// says is whether an Event about a waypoint says something.
func (w *world) says(ns, reason string, words ...string) bool {
	list, err := w.Dynamic.Resource(events).Namespace(ns).List(w.t.Context(), all)
	if err != nil {
		return false
	}
	for i := range list.Items {
		text := field(&list.Items[i], "note")
		found := field(&list.Items[i], "reason") == reason
		for _, word := range words {
			found = found && strings.Contains(text, word)
		}
		if found {
			return true
		}
	}
	return false
}

// still is that an object is not written for a while. Once it may be: istiod takes its time to say what it makes of a change.
func (w *world) still(what string, o func() *unstructured.Unstructured) {
	w.t.Helper()
	for range 2 {
		before := o()
		time.Sleep(4 * time.Second)
		if after := o(); after != nil && after.GetResourceVersion() == before.GetResourceVersion() {
			return
		}
	}
	w.t.Errorf("%s is written again and again", what)
}

// reported is what the audit's reports of a namespace say of a check, as text; reports are served where their CRDs are.
func (w *world) reported(ns, check string) string {
	w.t.Helper()
	list, err := w.Dynamic.Resource(reports).Namespace(ns).List(w.t.Context(), all)
	if err != nil {
		w.t.Fatal(err)
	}
	var out []string
	for i := range list.Items {
		results, _, _ := unstructured.NestedSlice(list.Items[i].Object, "results")
		for _, r := range results {
			if r := r.(map[string]any); r["policy"] == check {
				out = append(out, fmt.Sprint(r))
			}
		}
	}
	return strings.Join(out, "\n")
}

// serveReports installs the CRDs of reports that the chart has.
func (w *world) serveReports() {
	w.t.Helper()
	root, err := cluster.Root()
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := envtest.InstallCRDs(w.Config, envtest.CRDInstallOptions{Paths: []string{filepath.Join(root, "charts/waywarden/files/openreports")}}); err != nil {
		w.t.Fatal(err)
	}
}

// TestNoFight: where another field manager says otherwise about what we made, or about a label of ours, it stays as that
// one says. An Event and a finding say what to commit.
func TestNoFight(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.serveReports()
	r := w.replica(hurry...)
	w.apply(fmt.Sprintf(profile, "{}") + "---" + fmt.Sprintf(guardrail, "") + "---" + fmt.Sprintf(shop, "shop") + "---" + fmt.Sprintf(denyGet, "shop"))
	w.takesEffect("shop")
	began := time.Now()
	gateway := func() *unstructured.Unstructured { return w.get(gateways, "shop", "waypoint") }
	w.as("argocd", gateways, `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: waypoint, namespace: shop, labels: {istio.io/waypoint-for: all}}}`)
	w.until("an Event says what to commit", 20*time.Second, func() bool {
		return w.says("shop", "Stopped", "argocd", "kind: Gateway")
	})
	w.until("the Gateway says it, once", 10*time.Second, func() bool { return condition(gateway(), "waywarden.dev/AsPlanned") == "False" })
	w.still("the Gateway", gateway)
	if gateway().GetLabels()[label.IoIstioWaypointFor.Name] != "all" {
		t.Error("what the other one said was taken back")
	}
	w.until("the profile says it", 10*time.Second, func() bool {
		p := w.get(profiles, "", "default")
		return condition(p, "Ready") == "False" && strings.Contains(field(p, "status.needed"), "argocd")
	})

	// The label of a namespace that GitOps owns.
	w.apply(fmt.Sprintf(shop, "owned"))
	w.as("argocd", namespaces, `{apiVersion: v1, kind: Namespace, metadata: {name: owned, annotations: {waywarden.dev/profile: mine}}}`)
	w.apply(fmt.Sprintf(denyGet, "owned"))
	w.until("an Event has the label to commit", 20*time.Second, func() bool {
		return w.says("owned", "Stopped", "argocd", "istio.io/use-waypoint: waypoint")
	})
	w.still("the Namespace", func() *unstructured.Unstructured { return w.get(namespaces, "", "owned") })
	if l := w.get(namespaces, "", "owned").GetLabels(); l[label.IoIstioUseWaypoint.Name] != "" {
		t.Errorf("the Namespace has labels %v", l)
	}
	for ns, words := range map[string][]string{"owned": {"kind:Namespace", "argocd", `"istio.io/use-waypoint":"waypoint"`}, "shop": {"kind:Gateway", "argocd", `"istio.io/waypoint-for":"service"`}} {
		w.until("the audit's report of "+ns+" has the manifest to commit", 30*time.Second, func() bool {
			text := w.reported(ns, "waypoint/stopped")
			return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(text, word) })
		})
	}

	w.loses(r)
	conflicts := 0
	for _, c := range writes(r.since(began)) {
		if c.status == 409 {
			conflicts++
		}
	}
	if conflicts > 4 {
		t.Errorf("%d writes conflicted", conflicts)
	}
}

// loses has another one take over a label of ours, and say otherwise.
func (w *world) loses(r replica) {
	w.t.Helper()
	w.apply(fmt.Sprintf(shop, "lost") + "---" + fmt.Sprintf(denyGet, "lost"))
	w.takesEffect("lost")
	w.until("the Namespace has been left alone", 20*time.Second, func() bool {
		return condition(w.get(gateways, "lost", "waypoint"), "waywarden.dev/AsPlanned") == "True"
	})
	lost := time.Now()
	w.as("argocd", namespaces, `{apiVersion: v1, kind: Namespace, metadata: {name: lost, labels: {istio.io/use-waypoint: theirs}}}`)
	w.still("the Namespace that was lost", func() *unstructured.Unstructured { return w.get(namespaces, "", "lost") })
	if l := w.get(namespaces, "", "lost").GetLabels()[label.IoIstioUseWaypoint.Name]; l != "theirs" {
		w.t.Errorf("the label that another one took over is %q", l)
	}
	tried := 0
	for _, c := range writes(r.since(lost)) {
		if strings.Contains(c.path, "/namespaces/lost?") {
			tried++
		}
	}
	if tried > 2 {
		w.t.Errorf("it was tried %d times to write the Namespace that was lost", tried)
	}
}

// taken is what has the names of what we would make, in a namespace without a waypoint.
const taken = `
apiVersion: v1
kind: ConfigMap
metadata: {name: waypoint-parameters, namespace: taken, labels: {app.kubernetes.io/managed-by: waywarden}, annotations: {waywarden.dev/profile: default, waywarden.dev/waypoint: taken/waypoint}}
data: {color: blue}
`

// TestNameTaken: what has the name of something that we would make, and is somebody else's, is left as it is; nothing is
// made beside it, and it is said.
func TestNameTaken(t *testing.T) {
	t.Parallel()
	w := start(t)
	r := w.replica(hurry...)
	w.apply(fmt.Sprintf(profile, "{replicas: 2}") + "---" + fmt.Sprintf(guardrail, "") + "---" + fmt.Sprintf(shop, "taken") + "---" + taken + "---" + fmt.Sprintf(denyGet, "taken"))
	w.until("an Event says what is in the way", 30*time.Second, func() bool { return w.says("taken", "Stopped", "waypoint-parameters", "waywarden") })
	w.still("the ConfigMap", func() *unstructured.Unstructured { return w.get(configMaps, "taken", "waypoint-parameters") })
	if stored := w.get(configMaps, "taken", "waypoint-parameters"); field(stored, "data") != "map[color:blue]" {
		t.Errorf("the ConfigMap has become %v", stored.Object)
	}
	if w.get(gateways, "taken", "waypoint") != nil {
		t.Error("a Gateway was made, although its parameters are missing")
	}
	if n := len(writes(r.since(time.Now().Add(-3 * time.Second)))); n > 0 {
		t.Errorf("%d writes in the last three seconds", n)
	}
}
