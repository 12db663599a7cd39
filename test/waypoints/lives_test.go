//go:build cluster

package waypoints

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
)

// life is what some namespaces go through, stage by stage. Those of one are called after it: moved-03, shared-03, shared-03-north.
type life struct {
	kind   string
	rules  string                   // profile and Guardrail of all of them
	parts  []string                 // its namespaces, by what their names have more than its own
	setup  func(name string) string // what is there before anything is needed
	begun  stage                    // what it has come to before anybody is disturbed
	stages []stage
	check  func(t *testing.T, writes []string) // nil where nothing is to be said of them
	// spares is a write after which nobody is killed, as others have lives in which somebody is; nil where there is none. So are all
	// of those before a stage.
	spares func(which string) bool
	from   int
}

// stage is what somebody does, and what comes of that.
type stage struct {
	is    string
	does  func(r *run, name string)
	holds func(r *run, name string) bool
}

// run are lives that go on at the same time.
type run struct {
	*world
	kinds  []life
	names  []string
	apply  func(stream string)
	before map[string]map[string]string   // by namespace: what was there before anything was needed
	was    map[string][]map[string]string // by life and stage: what there was
	began  []time.Time                    // each stage
}

// prepare begins some lives, each in namespaces of its own, with nobody disturbed.
func (w *world) prepare(kinds []life, names []string) *run {
	w.t.Helper()
	r := &run{world: w, kinds: kinds, names: names, apply: w.apply, was: map[string][]map[string]string{}}
	for _, name := range names {
		w.apply(r.kind(name).setup(name))
	}
	r.before = w.settledInventories()
	r.stage(func(k *life) *stage { return &k.begun })
	return r
}

// live has them go through their stages, all at the same time.
func (r *run) live() {
	r.t.Helper()
	last := 0
	for _, k := range r.kinds {
		last = max(last, len(k.stages))
	}
	for i := range last {
		r.began = append(r.began, time.Now())
		r.stage(func(k *life) *stage {
			if i >= len(k.stages) {
				return nil
			}
			return &k.stages[i]
		})
		there, within := r.inventories(), r.contents()
		for _, name := range r.names {
			if i < len(r.kind(name).stages) {
				r.was[name] = append(r.was[name], r.everything(name, there, within))
			}
		}
	}
}

// seldom is how often it is asked how a life is, so that those who make it so are not kept from it.
const seldom = 250 * time.Millisecond

// stage has each life come to a stage of its kind, if it has one.
func (r *run) stage(of func(k *life) *stage) {
	r.t.Helper()
	for _, name := range r.names {
		if s := of(r.kind(name)); s != nil && s.does != nil {
			s.does(r, name)
		}
	}
	for _, name := range r.names {
		if s := of(r.kind(name)); s != nil && s.does != nil {
			r.until(name+" is "+s.is, 4*time.Minute, func() bool {
				if s.holds(r, name) {
					return true
				}
				time.Sleep(seldom)
				return false
			})
		}
	}
}

// kind is of which kind a life is.
func (r *run) kind(name string) *life {
	kind, _, _ := strings.Cut(name, "-")
	return &r.kinds[slices.IndexFunc(r.kinds, func(k life) bool { return k.kind == kind })]
}

// passing is what is written of one life and not of another: how something of ours was written last, and since when something is so.
var passing = regexp.MustCompile(`waywarden.dev/(applied|canary-since|unneeded-since|draining-since):[0-9a-zA-Z:.-]+`)

// contents are, by namespace, what is in the objects that people and we write.
func (w *world) contents() map[string]map[string]string {
	w.t.Helper()
	out := map[string]map[string]string{}
	for _, kind := range []schema.GroupVersionResource{gateways, policies, tokens, configMaps} {
		list, err := w.Dynamic.Resource(kind).List(w.t.Context(), all)
		if err != nil {
			w.t.Fatal(err)
		}
		for i := range list.Items {
			o := &list.Items[i]
			if out[o.GetNamespace()] == nil {
				out[o.GetNamespace()] = map[string]string{}
			}
			if kind != configMaps || strings.HasSuffix(o.GetName(), "-parameters") { // the others are in every namespace
				out[o.GetNamespace()]["in "+o.GetKind()+" "+o.GetName()] = field(o, "spec") + field(o, "data")
			}
		}
	}
	return out
}

// everything is what is in the namespaces of a life, of what is in all of them, without its name.
func (r *run) everything(life string, all ...map[string]map[string]string) map[string]string {
	out := map[string]string{}
	for _, part := range r.kind(life).parts {
		for _, each := range all {
			for what, text := range each[life+part] {
				what = "LIFE" + part + ": " + strings.ReplaceAll(what, life, "LIFE")
				out[what] = strings.ReplaceAll(passing.ReplaceAllString(text, ""), life, "LIFE")
			}
		}
	}
	return out
}

// serves is whether a waypoint of a life is as planned, with so many needs, and all that there is beside it.
func (r *run) serves(name, waypoint string, needs int) bool {
	gw := r.get(gateways, name, waypoint)
	return condition(gw, "waywarden.dev/AsPlanned") == "True" && gw.GetAnnotations()["waywarden.dev/needs"] == fmt.Sprint(needs) && r.boundTo(name, "cart", name+"/"+waypoint) &&
		condition(r.get(policies, name, "deny-get"), "WaypointAccepted") == "True" && condition(r.roles(name)["guard"], "ZtunnelAccepted") == "True"
}

// sharedBy is whether some namespaces are served by the waypoint that they share, with so many needs, and nobody else is let in.
func (r *run) sharedBy(name string, needs int, parts ...string) bool {
	shared, in := "waypoint-"+name, name // after the profile
	gw := r.get(gateways, name, shared)
	for _, part := range parts {
		ns := name + part
		in += " " + ns
		if condition(r.get(policies, ns, "deny-get"), "WaypointAccepted") != "True" || !r.boundTo(ns, "cart", name+"/"+shared) || condition(r.roles(ns)["guard"], "ZtunnelAccepted") != "True" {
			return false
		}
	}
	return condition(gw, "waywarden.dev/AsPlanned") == "True" && gw.GetAnnotations()["waywarden.dev/needs"] == fmt.Sprint(needs) &&
		strings.Contains(field(gw, "spec.listeners"), "values:["+in+"]")
}

// letsIn is whether what is ours in a namespace lets in some waypoints, as "namespace/name" and sorted, and no others: the one to which the
// Namespace is bound, and those of which it is noted that it has left them.
func (r *run) letsIn(ns string, waypoints ...string) bool {
	on, guard := r.get(namespaces, "", ns), r.roles(ns)["guard"]
	return cmp.Equal(slices.Sorted(slices.Values(append(leftBy(on), boundBy(on)...))), waypoints) &&
		condition(guard, "ZtunnelAccepted") == "True" && cmp.Equal(letIn(guard), waypoints)
}

// whole is whether a waypoint has a disruption budget, and lessened whether it has none and asks for none.
func (r *run) whole(ns, waypoint string) bool { return r.get(budgets, ns, waypoint) != nil }

func (r *run) lessened(ns, waypoint string) bool {
	return !r.whole(ns, waypoint) && !strings.Contains(field(r.get(configMaps, ns, waypoint+"-parameters"), "data"), "podDisruptionBudget")
}

// gone is whether nothing of a waypoint is left.
func (r *run) gone(ns, waypoint string) bool {
	return r.get(gateways, ns, waypoint) == nil && r.get(deployments, ns, waypoint) == nil && r.get(configMaps, ns, waypoint+"-parameters") == nil && r.get(budgets, ns, waypoint) == nil
}

// asBefore is whether the namespaces of a life are as they were before anything was needed.
func (r *run) asBefore(name string) bool {
	for ns, was := range r.before {
		if (ns == name || strings.HasPrefix(ns, name+"-")) && !cmp.Equal(was, r.inventory(ns)) {
			return false
		}
	}
	return true
}

// remove is a person who deletes something, as soon as somebody is there who admits it.
func (r *run) remove(of schema.GroupVersionResource, ns, name string) {
	r.t.Helper()
	r.until(ns+": "+name+" is deleted", 2*time.Minute, func() bool {
		err := r.Dynamic.Resource(of).Namespace(ns).Delete(r.t.Context(), name, deleteNow)
		return err == nil || apierrors.IsNotFound(err)
	})
}

// history is what came and went in each namespace, and how the Namespace was bound meanwhile.
type history struct {
	mu     sync.Mutex
	seen   map[string]map[string][]string // by namespace and object
	writes map[string][]write             // by namespace
}

// remember watches from now on what people and we make in all namespaces, and how those are bound.
func (w *world) remember() *history {
	w.t.Helper()
	h := &history{seen: map[string]map[string][]string{}, writes: map[string][]write{}}
	for _, r := range []schema.GroupVersionResource{gateways, configMaps, policies, tokens, namespaces} {
		watcher, err := w.Dynamic.Resource(r).Watch(w.t.Context(), all)
		if err != nil {
			w.t.Fatal(err)
		}
		w.t.Cleanup(watcher.Stop)
		go func() {
			for e := range watcher.ResultChan() {
				if o, ok := e.Object.(*unstructured.Unstructured); ok {
					h.enter(e.Type, o)
				}
			}
		}()
	}
	return h
}

func (h *history) enter(event watch.EventType, o *unstructured.Unstructured) {
	h.mu.Lock()
	defer h.mu.Unlock()
	ns, what, is := o.GetNamespace(), o.GetKind()+" "+o.GetName(), string(event)
	if o.GetKind() == "Namespace" {
		ns, what, is = o.GetName(), "binding", bindingOf(o)
	}
	if o.GetKind() != "ConfigMap" {
		h.writes[ns] = append(h.writes[ns], writeOf(event, o))
	}
	if o.GetKind() != "Namespace" && event == watch.Modified {
		return
	}
	if h.seen[ns] == nil {
		h.seen[ns] = map[string][]string{}
	}
	if before := h.seen[ns][what]; len(before) == 0 || before[len(before)-1] != is {
		h.seen[ns][what] = append(before, is)
	}
}

// of is what came and went in the namespaces of a life, without its name.
func (h *history) of(life string, parts []string) map[string][]string {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := map[string][]string{}
	for _, part := range parts {
		for what, seen := range h.seen[life+part] {
			for _, is := range seen {
				what := "LIFE" + part + ": " + strings.ReplaceAll(what, life, "LIFE")
				out[what] = append(out[what], strings.ReplaceAll(is, life, "LIFE"))
			}
		}
	}
	return out
}
