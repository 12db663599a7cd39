package corpus

import (
	"slices"
	"testing"

	"github.com/waywarden/waywarden/policies/mesh"
)

// TestBindings compares whether every Service and ServiceEntry is bound to a waypoint, and why not,
// with what istiod wrote on it. There is no list of exceptions.
func TestBindings(t *testing.T) {
	r := load(t, "testdata/mesh-a")
	compared := 0
	for _, kind := range []mesh.Kind{mesh.Service, mesh.ServiceEntry, mesh.WorkloadEntry} {
		for o := range r.snapshot.All(kind) {
			ours := condition{}
			if b, asks := r.bindings[name(o.Ref())]; asks {
				ours = condition{Status: "False", Reason: b.Reason}
				if b.Bound {
					ours.Status = "True"
				}
			}
			theirs := r.condition(o, "istio.io/WaypointBound")
			theirs.Type, theirs.Message = "", ""
			if ours != theirs {
				t.Errorf("%s: we say %v, istiod %v", o, ours, theirs)
			}
			compared++
		}
	}
	if compared < 100 {
		t.Errorf("compared only %d objects", compared)
	}
}

// condition is what istiod wrote on an object; zero where it wrote nothing of the type.
func (r recording) condition(o *mesh.Object, kind string) condition {
	for _, c := range r.conditions[name(o.Ref())] {
		if c.Type == kind {
			return c
		}
	}
	return condition{}
}

// TestWaypointsSent compares the waypoint of every Service, ServiceEntry and workload with the one
// that istiod told ztunnels, and by which they send calls. There is no list of exceptions.
func TestWaypointsSent(t *testing.T) {
	r := load(t, "testdata/mesh-a")
	compared := 0
	for _, svc := range r.ambient.Services {
		ours := ""
		for _, kind := range []string{"Service", "ServiceEntry"} {
			b := r.bindings[kind+" "+svc.Namespace+"/"+svc.Name]
			if b.Bound && slices.Contains(r.hosts(kind, svc.Namespace, svc.Name), svc.Hostname) {
				ours = b.Waypoint.Namespace + "/" + b.Waypoint.Name
			}
		}
		if theirs := svc.Waypoint.named(); ours != theirs {
			t.Errorf("%s of %s/%s: we say waypoint %q, istiod sent %q", svc.Hostname, svc.Namespace, svc.Name, ours, theirs)
		} else if theirs != "" {
			compared++
		}
	}
	for _, w := range r.ambient.Workloads {
		for _, x := range r.snapshot.Workloads(w.Namespace) {
			if x.Name != w.Name {
				continue
			}
			ours := ""
			if b := r.snapshot.WorkloadBinding(mesh.Pod, x); b.Bound {
				ours = b.Namespace + "/" + b.Name
			}
			if theirs := w.Waypoint.named(); ours != theirs {
				t.Errorf("workload %s/%s: we say waypoint %q, istiod sent %q", w.Namespace, w.Name, ours, theirs)
			} else if theirs != "" {
				compared++
			}
		}
	}
	if compared < 20 {
		t.Errorf("only %d waypoints are sent, so this shows little", compared)
	}
}

func (r recording) hosts(kind, namespace, name string) []string {
	k, _ := mesh.KindOf(map[string]string{"Service": "v1", "ServiceEntry": "networking.istio.io/v1"}[kind], kind)
	if o := r.snapshot.Get(k, namespace, name); o != nil {
		return r.snapshot.HostsOf(o)
	}
	return nil
}
