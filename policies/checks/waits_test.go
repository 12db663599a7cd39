package checks

import (
	"slices"
	"testing"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// applied are the kinds that people apply together with policies, in any order. Workloads, the configuration of istiod and
// of istio-cni, and Namespaces are there before.
var applied = []mesh.Kind{
	mesh.Service, mesh.ServiceEntry, mesh.Gateway, mesh.NetworkPolicy, mesh.HTTPRoute, mesh.GRPCRoute, mesh.TCPRoute, mesh.TLSRoute,
	mesh.ReferenceGrant, mesh.AuthorizationPolicy, mesh.PeerAuthentication, mesh.RequestAuthentication, mesh.VirtualService, mesh.DestinationRule,
	mesh.Sidecar, mesh.EnvoyFilter, mesh.WasmPlugin, mesh.TrafficExtension, mesh.Telemetry,
}

// TestWhatOthersEndWaits holds the promise that the order in which objects are applied does not matter: whatever is found
// of an object before another one is there, and no longer once it is, says that it waits, so that nobody denies it.
// Every object of every scenario is once the one that is not there yet.
func TestWhatOthersEndWaits(t *testing.T) {
	for _, c := range asked() {
		for _, cs := range parse(t, fileOf(c)).Cases {
			whole := worst(all(policies.NewView(cs.Snapshot), policies.Checks()))
			for late := range cs.Snapshot.Objects() {
				if !slices.Contains(applied, late.Kind) {
					continue
				}
				view := policies.NewView(cs.Snapshot.Without(late))
				for _, f := range all(view, policies.Checks()) {
					rank, still := whole[f.Object]
					switch {
					case still && rank <= f.Severity.Rank(): // the object is as wrong with it
					case len(f.WaitsFor) > 0:
					default:
						t.Errorf("%s %s: without %s: %s %s %s is found and does not wait for it: %s", c.ID, cs.Name, late, f.Severity, f.Check, f.Object, f.Message)
					}
				}
			}
		}
	}
}

// asked are the checks that are asked of a mesh, and so have scenarios.
func asked() []*policies.Check {
	return slices.DeleteFunc(slices.Clone(policies.Checks()), func(c *policies.Check) bool { return c.About != "" })
}

// worst are the objects of which something is found that does not wait, with the rank of the worst of that.
func worst(findings []policies.Finding) map[mesh.Ref]int {
	out := map[mesh.Ref]int{}
	for _, f := range findings {
		if rank, ok := out[f.Object]; len(f.WaitsFor) == 0 && (!ok || f.Severity.Rank() < rank) {
			out[f.Object] = f.Severity.Rank()
		}
	}
	return out
}

// TestWhereFindingsBelong: every finding says in which namespaces it changes something, sorted, and what is Pending says
// what it waits for.
func TestWhereFindingsBelong(t *testing.T) {
	for _, c := range asked() {
		for _, cs := range parse(t, fileOf(c)).Cases {
			view := policies.NewView(cs.Snapshot)
			for _, f := range all(view, policies.Checks()) {
				if len(f.Namespaces) == 0 && f.Object.Namespace != "" || !slices.IsSorted(f.Namespaces) || slices.Contains(f.Namespaces, "") {
					t.Errorf("%s %s: %s of %s belongs to %q", c.ID, cs.Name, f.Check, f.Object, f.Namespaces)
				}
				if f.Verdict == policies.Pending && len(f.WaitsFor) == 0 {
					t.Errorf("%s %s: %s of %s is pending and waits for nothing", c.ID, cs.Name, f.Check, f.Object)
				}
				if f.Verdict == policies.Unknown && len(f.WaitsFor) == 0 {
					t.Errorf("%s %s: %s of %s is not known and does not say what is missing", c.ID, cs.Name, f.Check, f.Object)
				}
			}
		}
	}
}
