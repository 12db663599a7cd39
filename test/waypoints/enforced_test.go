//go:build cluster

package waypoints

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"

	"istio.io/api/label"
)

// boundBy are the waypoints for which a Namespace asks, its own and its canary, as "namespace/name".
func boundBy(ns *unstructured.Unstructured) []string {
	var out []string
	labels := ns.GetLabels()
	for name, namespace := range map[string]string{label.IoIstioUseWaypoint.Name: label.IoIstioUseWaypointNamespace.Name,
		label.IoIstioUseWaypointCanary.Name: label.IoIstioUseWaypointCanaryNamespace.Name} {
		if labels[name] != "" {
			out = append(out, cmp.Or(labels[namespace], ns.GetName())+"/"+labels[name])
		}
	}
	slices.Sort(out)
	return out
}

// leftBy are the waypoints of which it is noted on a Namespace that it has left them, as "namespace/name".
func leftBy(ns *unstructured.Unstructured) []string {
	return strings.FieldsFunc(ns.GetAnnotations()["waywarden.dev/left"], func(r rune) bool { return r == ',' })
}

// identity is one that a policy names.
var identity = regexp.MustCompile(`/ns/([a-z0-9-]+)/sa/([a-z0-9-]+)`)

// letIn are those whom a policy of ours at ztunnel names, as "namespace/name" and sorted.
func letIn(policy *unstructured.Unstructured) []string {
	var out []string
	for _, found := range identity.FindAllStringSubmatch(field(policy, "spec"), -1) {
		out = append(out, found[1]+"/"+found[2])
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// write is one that was stored.
type write struct {
	version uint64 // by which writes are in order, whatever they are of
	deletes bool
	of      *unstructured.Unstructured
}

// writeOf is the write of which a watch tells.
func writeOf(event watch.EventType, o *unstructured.Unstructured) write {
	version, _ := strconv.ParseUint(o.GetResourceVersion(), 10, 64)
	return write{version, event == watch.Deleted, o}
}

// storage is what was stored at a moment in the namespaces of a life, by kind, namespace and name.
type storage struct {
	objects map[string]*unstructured.Unstructured
	bound   map[string]bool // which namespaces were by then,
	guarded map[string]bool // and which were guarded
}

func (s *storage) get(kind, ns, name string) *unstructured.Unstructured {
	return s.objects[kind+" "+ns+"/"+name]
}

// roles are the policies of ours of a role in a namespace.
func (s *storage) roles(ns, role string) []*unstructured.Unstructured {
	return slices.DeleteFunc(slices.Collect(maps.Values(s.objects)), func(o *unstructured.Unstructured) bool {
		return o.GetKind() != "AuthorizationPolicy" || o.GetNamespace() != ns || o.GetAnnotations()["waywarden.dev/role"] != role
	})
}

// less are the moments in a life at which less was enforced than before, or somebody was shut out: what was stored is gone through write by
// write, in the order in which it was. While a namespace needs a waypoint and has been bound it is bound, and while it has been guarded it is
// guarded; and whatever it is bound to serves, lets it in, is let in by what is ours at ztunnel, and has beside it what is said of clients, and
// what names the waypoint before it; and a guard lets in what the namespace has left, as long as it is there.
func (h *history) less(life string, parts []string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []write
	for _, part := range parts {
		all = append(all, h.writes[life+part]...)
	}
	slices.SortFunc(all, func(a, b write) int { return cmp.Compare(a.version, b.version) })
	s := storage{map[string]*unstructured.Unstructured{}, map[string]bool{}, map[string]bool{}}
	var out []string
	already := map[string]bool{}
	for _, w := range all {
		key := w.of.GetKind() + " " + w.of.GetNamespace() + "/" + w.of.GetName()
		if s.objects[key] = w.of; w.deletes {
			delete(s.objects, key)
		}
		for _, part := range parts {
			for _, lack := range s.lacks(life + part) {
				if !already[part+lack] {
					out = append(out, fmt.Sprintf("%s%s: %s when %s was written", life, part, lack, key))
				}
				already[part+lack] = true
			}
		}
	}
	return out
}

// lacks is what is not as it has to be in a namespace.
func (s *storage) lacks(ns string) []string {
	on := s.get("Namespace", "", ns)
	if on == nil {
		return nil
	}
	var out []string
	at, guards, needs := boundBy(on), s.roles(ns, "guard"), s.get("AuthorizationPolicy", ns, "deny-get") != nil
	if needs && s.bound[ns] && len(at) == 0 {
		out = append(out, "bound to nothing")
	}
	if needs && s.guarded[ns] && len(guards) == 0 {
		out = append(out, "not guarded")
	}
	s.bound[ns], s.guarded[ns] = needs && (s.bound[ns] || len(at) > 0), needs && (s.guarded[ns] || len(guards) > 0)
	for _, waypoint := range at {
		in, name, _ := strings.Cut(waypoint, "/")
		lets, gw := func(o *unstructured.Unstructured) bool { return slices.Contains(letIn(o), waypoint) }, s.get("Gateway", in, name)
		switch {
		case condition(gw, "Programmed") != "True":
			out = append(out, "bound to "+waypoint+", which does not serve")
		case in != ns && !slices.Contains(strings.FieldsFunc(field(gw, "spec.listeners"), func(r rune) bool { return strings.ContainsRune(" []", r) }), ns):
			out = append(out, "bound to "+waypoint+", whose listener keeps it out")
		case !slices.ContainsFunc(s.roles(ns, "twin"), func(o *unstructured.Unstructured) bool { return slices.Contains(letIn(o), ns+"/front") }):
			out = append(out, "bound to "+waypoint+", where nothing is said of clients")
		case !slices.ContainsFunc(s.roles(ns, "admission"), lets) || len(guards) > 0 && !slices.ContainsFunc(guards, lets):
			out = append(out, "bound to "+waypoint+", which is not let in")
		case s.get("AuthorizationPolicy", ns, "deny-put") != nil && name != "waypoint" && s.get("AuthorizationPolicy", ns, "waywarden-copy-deny-put."+name) == nil:
			out = append(out, "bound to "+waypoint+", without what names the one before")
		}
	}
	for _, waypoint := range leftBy(on) {
		if in, name, _ := strings.Cut(waypoint, "/"); s.get("Gateway", in, name) != nil && slices.ContainsFunc(guards, func(o *unstructured.Unstructured) bool { return !slices.Contains(letIn(o), waypoint) }) {
			out = append(out, "shut to connections through "+waypoint+", which it has left")
		}
	}
	return out
}

// TestLess: each order of writes is found out in which less is enforced at some moment, or somebody is shut out, and none other.
func TestLess(t *testing.T) {
	object := func(kind, name, role string, spec string) map[string]any {
		metadata := map[string]any{"name": name, "namespace": "life-1"}
		if role != "" {
			metadata["annotations"] = map[string]any{"waywarden.dev/role": role}
		}
		return map[string]any{"kind": kind, "metadata": metadata, "spec": spec}
	}
	bound := func(waypoint string) map[string]any {
		labels := map[string]any{}
		if waypoint != "" {
			labels[label.IoIstioUseWaypoint.Name] = waypoint
		}
		return map[string]any{"kind": "Namespace", "metadata": map[string]any{"name": "life-1", "labels": labels}}
	}
	gateway := func(name, programmed string) map[string]any {
		o := object("Gateway", name, "", "")
		o["status"] = map[string]any{"conditions": []any{map[string]any{"type": "Programmed", "status": programmed}}}
		return o
	}
	lets := func(kind, who string) map[string]any {
		return object("AuthorizationPolicy", kind, kind, "cluster.local/ns/life-1/sa/"+who)
	}
	left := func(waypoint, left string) map[string]any {
		o := bound(waypoint)
		o["metadata"].(map[string]any)["annotations"] = map[string]any{"waywarden.dev/left": left}
		return o
	}
	elsewhere := bound("waypoint")
	elsewhere["metadata"].(map[string]any)["labels"].(map[string]any)[label.IoIstioUseWaypointNamespace.Name] = "life-1-edge"
	common := gateway("waypoint", "True")
	common["metadata"].(map[string]any)["namespace"] = "life-1-edge"
	gone := func(o map[string]any) map[string]any { o["gone"] = true; return o }
	deny := object("AuthorizationPolicy", "deny-get", "", "")
	served := []map[string]any{bound(""), deny, gateway("waypoint", "True"), lets("twin", "front"), lets("admission", "waypoint"), bound("waypoint"), lets("guard", "waypoint")}
	for name, tc := range map[string]struct {
		writes []map[string]any
		want   string
	}{
		"served and removed": {slices.Concat(served, []map[string]any{gone(object("AuthorizationPolicy", "deny-get", "", "")), gone(lets("guard", "waypoint")), bound(""), gone(lets("twin", "front"))}), ""},
		"bound too early":    {[]map[string]any{bound(""), deny, lets("twin", "front"), lets("admission", "waypoint"), gateway("waypoint", "False"), bound("waypoint")}, "bound to life-1/waypoint, which does not serve"},
		"bound without twin": {[]map[string]any{deny, lets("admission", "waypoint"), gateway("waypoint", "True"), bound("waypoint")}, "bound to life-1/waypoint, where nothing is said of clients"},
		"bound, and shut out": {[]map[string]any{deny, lets("twin", "front"), gateway("waypoint", "True"), bound("waypoint")},
			"bound to life-1/waypoint, which is not let in"},
		"moved before the guard": {slices.Concat(served, []map[string]any{gateway("second", "True"), object("AuthorizationPolicy", "other", "admission", "/ns/life-1/sa/second"), bound("second")}),
			"bound to life-1/second, which is not let in"},
		"narrowed too early": {slices.Concat(served, []map[string]any{gateway("second", "True"), object("AuthorizationPolicy", "other", "admission", "/ns/life-1/sa/second"),
			lets("guard", "waypoint /ns/life-1/sa/second"), left("second", "life-1/waypoint"), lets("guard", "second")}), "shut to connections through life-1/waypoint, which it has left"},
		"not let in elsewhere":         {[]map[string]any{common, lets("twin", "front"), elsewhere}, "bound to life-1-edge/waypoint, whose listener keeps it out"},
		"released while it is needed":  {slices.Concat(served, []map[string]any{bound("")}), "bound to nothing"},
		"unguarded while it is needed": {slices.Concat(served, []map[string]any{gone(lets("guard", "waypoint"))}), "not guarded"},
		"moved without its copies": {slices.Concat(served, []map[string]any{object("AuthorizationPolicy", "deny-put", "", ""), gateway("second", "True"),
			object("AuthorizationPolicy", "other", "admission", "/ns/life-1/sa/second"), lets("guard", "waypoint /ns/life-1/sa/second"), bound("second")}),
			"bound to life-1/second, without what names the one before"},
	} {
		h := history{writes: map[string][]write{}}
		for i, o := range tc.writes {
			h.writes["life-1"] = append([]write{{uint64(i), o["gone"] == true, &unstructured.Unstructured{Object: o}}}, h.writes["life-1"]...) // in no order
		}
		if got := strings.Join(h.less("life-1", []string{"", "-edge"}), "; "); tc.want == "" && got != "" || !strings.Contains(got, tc.want) || strings.Count(got, ";") > 0 {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
}
