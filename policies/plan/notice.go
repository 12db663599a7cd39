package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// Notice is something that callers of a Service notice once it is bound, and that is no effect of a policy.
type Notice struct {
	On    mesh.Ref `json:"on"` // the Service or ServiceEntry
	Class Class    `json:"class"`
	Why   string   `json:"why"` // consequence: cause. remedy.
}

// notices are those of what a plan binds and makes.
func notices(after *mesh.Snapshot, labels []Label, waypoints []Waypoint) []Notice {
	out, view := endpointNotices(after, waypoints), policies.NewView(after)
	for _, l := range labels {
		for _, ref := range l.Binds {
			o := find(after, ref)
			out = append(out, portNotices(after, o)...)
			out = append(out, dormantNotices(view, o)...)
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

// endpointNotices tell of Services that would send to the pods of a new waypoint as if those were theirs, for labels that its profile
// gives them. What means the pods of a waypoint by other labels is left alone.
func endpointNotices(s *mesh.Snapshot, waypoints []Waypoint) []Notice {
	var out []Notice
	for i := range waypoints {
		w := &waypoints[i]
		gw := s.Get(mesh.Gateway, w.Namespace, w.Name)
		if w.Existing || len(w.profile.Labels) == 0 || gw == nil {
			continue
		}
		pod := s.WaypointPod(gw)
		for _, svc := range s.List(mesh.Service, w.Namespace) {
			selector := svc.Spec.(*mesh.ServiceSpec).Selector
			byProfile := slices.ContainsFunc(slices.Sorted(maps.Keys(selector)), func(key string) bool { return w.profile.Labels[key] == selector[key] && selector[key] != "" })
			if byProfile && pod.Carries(selector) && !mesh.ManagedByGateway(svc) {
				out = append(out, Notice{svc.Ref(), ClassEndpoint, fmt.Sprintf(
					"calls to it would also be sent to the pods of waypoint %s: WaypointProfile %s gives those labels by which it selects its own. Take them out of spec.labels.", w.Name, nameOf(w.profile))})
			}
		}
	}
	return out
}
