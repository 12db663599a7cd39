package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies/mesh"
)

// Notice is something that callers of a Service notice once it is bound, and that is no effect of a policy.
type Notice struct {
	On    mesh.Ref `json:"on"` // the Service or ServiceEntry
	Class Class    `json:"class"`
	Why   string   `json:"why"` // consequence: cause. remedy.
}

// notices are those of what a plan binds.
func notices(after *mesh.Snapshot, labels []Label) []Notice {
	var out []Notice
	for _, l := range labels {
		for _, ref := range l.Binds {
			o := find(after, ref)
			out = append(out, portNotices(after, o)...)
			out = append(out, routeNotices(after, o)...)
			if len(l.Needs) > 0 && !l.Kept && !slices.ContainsFunc(l.Needs, func(n Need) bool { return serviceOf(after, n.Target) == nil || same(n.Target, targetOf(o)) }) {
				out = append(out, Notice{ref, ClassAlso, fmt.Sprintf("it passes the waypoint too: the label is on %s. Opt it out with istio.io/use-waypoint=none if it must not.", l.On)})
			}
		}
	}
	return out
}

func sortNotices(in []Notice) {
	slices.SortStableFunc(in, func(a, b Notice) int {
		return cmp.Or(strings.Compare(a.On.Namespace, b.On.Namespace), a.On.Compare(b.On), strings.Compare(string(a.Class), string(b.Class)), strings.Compare(a.Why, b.Why))
	})
}

// speaksFirst are ports on which the server usually speaks first. A waypoint that has to find out the protocol of one waits
// for the client, and the client waits for the server (networking/core/listener_waypoint.go buildWaypointInternal).
var speaksFirst = []int32{21, 22, 110, 143, 587, 2525, 3307, 5900, 6033}

func portNotices(s *mesh.Snapshot, o *mesh.Object) []Notice {
	var out []Notice
	for _, p := range s.Ports(o) {
		if p.Protocol == mesh.Sniff && slices.Contains(speaksFirst, p.Number) {
			out = append(out, Notice{o.Ref(), ClassServerFirst,
				fmt.Sprintf("connections to port %d stall at the waypoint: its protocol is not declared, and there the server usually speaks first. Declare it as TCP (appProtocol: tcp).", p.Number)})
		}
	}
	return out
}

// routeNotices tell what a VirtualService or DestinationRule of the Service does that has lain dormant without a waypoint.
func routeNotices(s *mesh.Snapshot, o *mesh.Object) []Notice {
	var out []Notice
	rules := s.DestinationRulesFor(o, o.Namespace, func(*mesh.Object) bool { return true })
	for _, vs := range s.VirtualServicesFor(o) {
		spec := vs.Spec.(*mesh.VirtualServiceSpec)
		if vs.Namespace != o.Namespace || len(spec.HTTP) == 0 || len(spec.Gateways) > 0 && !slices.Contains(spec.Gateways, "mesh") {
			continue
		}
		if !slices.ContainsFunc(spec.HTTP, func(r mesh.HTTPRule) bool { return len(r.Match) == 0 }) {
			out = append(out, Notice{o.Ref(), ClassNoCatchAll,
				fmt.Sprintf("calls that no route of %s matches get 404: the waypoint carries it out, and it has no route without a match. Add one.", vs)})
		}
		for _, d := range spec.Destinations() {
			if d.Subset != "" && len(s.ServicesFor(d.Host, vs.Namespace)) > 0 && s.ServicesFor(d.Host, vs.Namespace)[0] == o && !hasSubset(rules, d.Subset) {
				out = append(out, Notice{o.Ref(), ClassNoSubset,
					fmt.Sprintf("calls that %s sends to subset %s get 503: no DestinationRule of the Service has that subset. Add it.", vs, d.Subset)})
			}
		}
	}
	for _, dr := range rules {
		if p := dr.Spec.(*mesh.DestinationRuleSpec).TrafficPolicy; p != nil && p.TLS != nil && (p.TLS.Mode == "SIMPLE" || p.TLS.Mode == "MUTUAL") && o.Kind == mesh.Service {
			out = append(out, Notice{o.Ref(), ClassDoubleTLS,
				fmt.Sprintf("calls are encrypted twice: %s says tls %s, which the waypoint carries out inside HBONE, and the pods must speak TLS themselves. Remove it if they do not.", dr, p.TLS.Mode)})
		}
	}
	return out
}

func hasSubset(rules []*mesh.Object, name string) bool {
	return slices.ContainsFunc(rules, func(dr *mesh.Object) bool {
		return slices.ContainsFunc(dr.Spec.(*mesh.DestinationRuleSpec).Subsets, func(s mesh.Subset) bool { return s.Name == name })
	})
}
