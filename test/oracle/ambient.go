package oracle

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// Ambient is what istiod's /debug/ambientz tells: what it sends to ztunnels.
type Ambient struct {
	Workloads []Workload      `json:"workloads"`
	Services  []Service       `json:"services"`
	Policies  []Authorization `json:"policies"`
}

// Workload is a workload as sent to ztunnels.
type Workload struct {
	UID                   string   `json:"uid"`
	Namespace             string   `json:"namespace"`
	Name                  string   `json:"name"`
	AuthorizationPolicies []string `json:"authorizationPolicies"`
	Waypoint              *Address `json:"waypoint"`
}

// Service is a Service or ServiceEntry as sent to ztunnels.
type Service struct {
	Name      string   `json:"name"`
	Namespace string   `json:"namespace"`
	Hostname  string   `json:"hostname"`
	Waypoint  *Address `json:"waypoint"`
	// WeightedWaypoints are the waypoint and its canary, where there is one.
	WeightedWaypoints []struct {
		Destination *Address `json:"destination"`
		Weight      int      `json:"weight"`
	} `json:"weightedWaypoints"`
}

// Address is that of a waypoint: an IP address, encoded, or a host.
type Address struct {
	Address *struct {
		Address []byte `json:"address"` // text, though the field is of bytes
	} `json:"address"`
	Hostname *struct {
		Namespace string `json:"namespace"`
		Hostname  string `json:"hostname"`
	} `json:"hostname"`
}

func (a *Address) String() string {
	switch {
	case a == nil:
		return Nothing
	case a.Hostname != nil:
		return a.Hostname.Namespace + "/" + a.Hostname.Hostname
	case a.Address != nil:
		return string(a.Address.Address)
	}
	return "an address of no kind known here"
}

// raw is the address where its bytes are bytes, as they are of a canary.
func (a *Address) raw() string {
	if a != nil && a.Hostname == nil && a.Address != nil {
		if ip, ok := netip.AddrFromSlice(a.Address.Address); ok {
			return ip.String()
		}
	}
	return a.String()
}

// addressOf is where ztunnels reach a waypoint: at its host where it has one (ambient/waypoints.go getGatewayAddress).
func addressOf(b mesh.Binding) string {
	if !b.Bound {
		return Nothing
	}
	return address(b.Gateway)
}

func address(gw *mesh.Object) string {
	out := Nothing
	for _, a := range gw.Spec.(*mesh.GatewayBody).Status.Addresses {
		if a.Type == "Hostname" {
			return gw.Namespace + "/" + a.Value
		}
		if out == Nothing {
			out = a.Value
		}
	}
	return out
}

// Waypoints compares to which waypoint ztunnels send what is addressed to a Service, a ServiceEntry
// or a workload. For pods istiod tells it nowhere else.
func (r Recording) Waypoints() Result {
	var out Result
	for _, w := range r.Ambient.Workloads {
		if x := r.workload(w); x != nil && (x.Source.Kind == mesh.Pod || x.Source.Kind == mesh.WorkloadEntry) {
			out.compare("waypoint of the workload", x.Source, addressOf(r.Snapshot.WorkloadBinding(x.Source.Kind, x)), w.Waypoint.String())
		}
	}
	for _, s := range r.Ambient.Services {
		if o := r.sent(s); o != nil {
			out.compare("waypoint of the "+o.Kind.String(), o, addressOf(r.Snapshot.Binding(o)), s.Waypoint.String())
		}
	}
	return out
}

// sent is the object of which istiod made a Service that it sent.
func (r Recording) sent(s Service) *mesh.Object {
	for _, kind := range []mesh.Kind{mesh.Service, mesh.ServiceEntry} {
		if o := r.Snapshot.Get(kind, s.Namespace, s.Name); o != nil && slices.Contains(r.Snapshot.HostsOf(o), s.Hostname) {
			return o
		}
	}
	return nil
}

// Authorization is a policy as sent to ztunnels.
type Authorization struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	Scope     string `json:"scope"`
	Action    string `json:"action"`
	Groups    []struct {
		Rules []struct {
			Matches []map[string]any `json:"matches"`
		} `json:"rules"`
	} `json:"groups"`
}

// madeByIstiod are the policies that no AuthorizationPolicy stands behind: those made of
// PeerAuthentications. No object has such a name.
func madeByIstiod(name string) bool { return strings.Contains(name, "_") }

// Rules compares what remains of every AuthorizationPolicy at ztunnel with what istiod sent.
func (r Recording) Rules() Result {
	var out Result
	sent := map[string]Authorization{}
	for _, p := range r.Ambient.Policies {
		if !madeByIstiod(p.Name) {
			sent[p.Namespace+"/"+p.Name] = p
		}
	}
	for o := range r.Snapshot.All(mesh.AuthorizationPolicy) {
		a := policies.Convert(r.Snapshot, o)
		if elsewhere(policies.Effects(r.Snapshot, o)) {
			a = nil
		}
		w, ok := sent[o.Key()]
		delete(sent, o.Key())
		ours, istiod := Nothing, Nothing
		if a != nil {
			ours = a.Scope + " " + a.Action + " " + text(ourGroups(a))
		}
		if ok {
			istiod = or(w.Scope, "GLOBAL") + " " + or(w.Action, policies.Allow) + " " + text(wireGroups(w))
		}
		out.compare("the rules at ztunnel", o, ours, istiod)
	}
	for k := range sent {
		ns, name, _ := strings.Cut(k, "/")
		o := &mesh.Object{Kind: mesh.AuthorizationPolicy, Namespace: ns, Name: name}
		out.compare("the rules at ztunnel", o, "there is no such policy", "sent")
	}
	return out
}

func or(s, byDefault string) string {
	if s == "" {
		return byDefault
	}
	return s
}

func text(groups [][][]map[string][]string) string {
	b, err := json.Marshal(canonical(groups))
	if err != nil {
		return err.Error()
	}
	return strings.ReplaceAll(string(b), `\`, "")
}

// Carried compares which policies istiod attaches to which workload: AuthorizationPolicies with a
// selector, and what it makes of PeerAuthentications.
func (r Recording) Carried() Result {
	var out Result
	for _, w := range r.Ambient.Workloads {
		ours := r.workload(w)
		if ours == nil {
			continue // an endpoint of a Service without a selector, to which nothing is attached
		}
		carried := slices.Clone(r.Snapshot.EffectiveMTLS(ours.Namespace, ours.Labels).Policies)
		for _, action := range [][]*mesh.Object{policies.AllowsAt(r.Snapshot, ours), policies.DeniesAt(r.Snapshot, ours)} {
			for _, o := range action {
				if policies.Convert(r.Snapshot, o).Scope == "WORKLOAD_SELECTOR" {
					carried = append(carried, o.Key())
				}
			}
		}
		slices.Sort(carried)
		theirs := slices.Sorted(slices.Values(w.AuthorizationPolicies))
		if d := cmp.Diff(theirs, carried); d == "" || len(theirs)+len(carried) == 0 {
			out.Compared++
			continue
		}
		out.compare("carries", ours.Source, strings.Join(carried, " "), strings.Join(theirs, " "))
	}
	return out
}

// workload is ours of the same name. The UID tells the kind: "cluster/group/kind/namespace/name…".
func (r Recording) workload(w Workload) *mesh.Workload {
	for _, x := range r.Snapshot.Workloads(w.Namespace) {
		kind := x.Source.Ref().Kind
		if x.Name == w.Name && (w.UID == "" || strings.Contains(w.UID, "/"+kind+"/")) {
			return x
		}
	}
	return nil
}
