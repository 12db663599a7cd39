package plan

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/waywarden/waywarden/policies/mesh"
)

// Who gets to a Service, and would not get to its waypoint, is to be found among all pods of the mesh, for each Service anew. To
// NetworkPolicies most pods are alike: they are told apart by the labels that some NetworkPolicy asks for, by those of their
// namespace, and by who else is over them. So one of each kind is asked, and nobody is left out.

// callers are the pods of the mesh that may call somebody, by kind. It is made once of a mesh.
type callers struct {
	snapshot *mesh.Snapshot
	pods     labelsAsked               // of pods
	spaces   labelsAsked               // of namespaces
	any      bool                      // whether there is any NetworkPolicy
	limited  map[string][]string       // by namespace: the NetworkPolicies that limit to whom its pods connect, by what they say
	home     map[string][]kindOfCaller // by namespace
	all      []kindOfCaller
}

// kindOfCaller are pods that are alike to NetworkPolicies of other namespaces than their own.
type kindOfCaller struct {
	key     string
	limited bool // whether a NetworkPolicy of their namespace limits to whom pods connect
	pods    []*mesh.Workload
}

// labelsAsked are the values of labels that some selector asks for, by key. All other values are alike.
type labelsAsked struct {
	values map[string]map[string]bool
	keys   []string // sorted, once all is added
}

func (a *labelsAsked) add(s *mesh.LabelSelector) {
	if s == nil {
		return
	}
	note := func(key string, values ...string) {
		if a.values == nil {
			a.values = map[string]map[string]bool{}
		}
		if a.values[key] == nil {
			a.values[key], a.keys = map[string]bool{}, nil
		}
		for _, v := range values {
			a.values[key][v] = true
		}
	}
	for k, v := range s.MatchLabels {
		note(k, v)
	}
	for _, r := range s.MatchExpressions {
		note(r.Key, r.Values...)
	}
}

// of are the labels as selectors see them.
func (a *labelsAsked) of(labels map[string]string) string {
	if a.keys == nil {
		a.keys = slices.Sorted(maps.Keys(a.values))
	}
	var out strings.Builder
	for _, key := range a.keys {
		v, is := labels[key]
		if !is {
			continue
		}
		out.WriteString(key)
		if a.values[key][v] { // a label's value has no character that separates here
			out.WriteString("=")
			out.WriteString(v)
		}
		out.WriteString(" ")
	}
	return out.String()
}

// saidBy is what a NetworkPolicy says of whom its pods may connect to.
func saidBy(spec *mesh.NetworkPolicySpec) string {
	text, err := json.Marshal([]any{spec.PodSelector, spec.Egress})
	if err != nil {
		panic("plan: a NetworkPolicy is not JSON: " + err.Error())
	}
	return string(text)
}

// callers are those of the mesh without what is ours.
func (m *maker) callers() *callers {
	if m.calling != nil {
		return m.calling
	}
	c := &callers{snapshot: m.snapshot, limited: map[string][]string{}, home: map[string][]kindOfCaller{}}
	m.calling = c
	for o := range m.snapshot.All(mesh.NetworkPolicy) {
		spec := o.Spec.(*mesh.NetworkPolicySpec)
		c.any = true
		if spec.Limits(true) {
			c.limited[o.Namespace] = append(c.limited[o.Namespace], saidBy(spec))
		}
		c.pods.add(&spec.PodSelector)
		peers := func(all []mesh.NetworkPolicyPeer) {
			for i := range all {
				c.pods.add(all[i].PodSelector)
				c.spaces.add(all[i].NamespaceSelector)
			}
		}
		for i := range spec.Ingress {
			peers(spec.Ingress[i].From)
		}
		for i := range spec.Egress {
			peers(spec.Egress[i].To)
		}
	}
	if !c.any {
		return c // nothing stops anybody
	}
	at := map[string]int{}
	for ns := range m.snapshot.Namespaces() {
		for _, k := range c.of(ns) {
			i, known := at[k.key]
			if !known {
				i = len(c.all)
				at[k.key] = i
				c.all = append(c.all, kindOfCaller{key: k.key, limited: k.limited})
			}
			if len(c.all[i].pods) < spareCallers { // of as many namespaces
				c.all[i].pods = append(c.all[i].pods, k.pods[0])
			}
		}
	}
	slices.SortFunc(c.all, func(a, b kindOfCaller) int { return strings.Compare(a.key, b.key) })
	return c
}

// spareCallers is of how many namespaces an example of a kind is held: a policy may say of its own namespace what it says of no
// other, and a Service and its waypoint are in two at most.
const spareCallers = 3

// of are the kinds of a namespace, each with all of its pods.
func (c *callers) of(ns string) []kindOfCaller {
	if out, ok := c.home[ns]; ok {
		return out
	}
	var out []kindOfCaller
	at := map[string]int{}
	labels := maps.Clone(c.snapshot.NamespaceLabels(ns))
	if labels == nil {
		labels = map[string]string{}
	}
	labels[namespaceName] = ns // which the API server adds
	namespace := c.spaces.of(labels)
	// Elsewhere than in its own namespace a NetworkPolicy does what any other does that says the same.
	namespace += strings.Join(sorted(slices.Clone(c.limited[ns])), "")
	for _, w := range c.snapshot.Workloads(ns) {
		if w.Mode != mesh.ModeAmbient || w.Source == nil || w.Source.Kind == mesh.WorkloadEntry || w.Source.Kind == mesh.ServiceEntry {
			continue
		}
		key := namespace + "|" + c.pods.of(w.Labels) + "|" + strconv.FormatBool(w.HostNetwork)
		i, known := at[key]
		if !known {
			i = len(out)
			at[key] = i
			out = append(out, kindOfCaller{key: key, limited: len(c.limited[ns]) > 0})
		}
		out[i].pods = append(out[i].pods, w)
	}
	c.home[ns] = out
	return out
}

// near are an example of each kind of caller in some namespaces that is not among those behind.
func (c *callers) near(namespaces []string, behind []*mesh.Workload) []*mesh.Workload {
	among := make(map[*mesh.Object]bool, len(behind))
	for _, w := range behind {
		among[w.Source] = true
	}
	var out []*mesh.Workload
	for _, ns := range namespaces {
		for _, k := range c.of(ns) {
			if i := slices.IndexFunc(k.pods, func(w *mesh.Workload) bool { return !among[w.Source] }); i >= 0 {
				out = append(out, k.pods[i])
			}
		}
	}
	return out
}

// elsewhere are an example of each kind in other namespaces, limited ones only where that is asked for.
func (c *callers) elsewhere(namespaces []string, limited bool) []*mesh.Workload {
	var out []*mesh.Workload
	for _, k := range c.all {
		if limited && !k.limited {
			continue
		}
		if i := slices.IndexFunc(k.pods, func(w *mesh.Workload) bool { return !slices.Contains(namespaces, w.Namespace) }); i >= 0 {
			out = append(out, k.pods[i])
		}
	}
	return out
}
