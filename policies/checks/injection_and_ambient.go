package checks

import (
	"slices"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A Namespace with both the label for sidecars and the one for ambient mode. The injector knows nothing
// of ambient mode and injects; istio-cni leaves a pod with a sidecar alone
// (cni/pkg/util/enablement_selector.go Matches). So its pods have sidecars: they do not go through
// waypoints, and ignore policies with targetRefs (IST0123). Where running pods show that nothing is
// injected, by a revision that has no webhook, there is nothing to tell.
var _ = policies.Register(policies.Check{
	ID:       "enrolment/injection-and-ambient",
	Title:    "A Namespace labelled for sidecars and for ambient mode",
	Severity: policies.High,
	Kinds:    []mesh.Kind{mesh.Namespace},
	Cases:    []int{129},
	Controls: configuration(),
	Doc: `Of the two, the sidecar wins. Pods of the namespace get one, are not captured by ztunnel, never send through
a waypoint, and ignore policies with targetRefs.`,
	Remedy: "Remove one of the two labels: istio.io/dataplane-mode to stay with sidecars, the one for injection to move to ambient mode, and restart the pods.",
	Run: func(p *policies.Pass) {
		ns := p.Object
		if !mesh.Injection(ns.Labels) || ns.Labels[label.IoIstioDataplaneMode.Name] != "ambient" {
			return
		}
		has := func(mode mesh.Mode) bool {
			return slices.ContainsFunc(p.Workloads(ns.Name), func(w *mesh.Workload) bool { return w.Mode == mode })
		}
		sidecars, captured := has(mesh.ModeSidecar), has(mesh.ModeAmbient)
		if captured && !sidecars {
			return
		}
		f := policies.Finding{Field: "metadata.labels[" + label.IoIstioDataplaneMode.Name + "]",
			Message: "pods of this Namespace get sidecars and stay outside ambient mode: it has both the label for injection and " + label.IoIstioDataplaneMode.Name + "=ambient, and the sidecar wins."}
		if sidecars && !captured && !has(mesh.ModeNone) {
			f.Fixes = []policies.Fix{{
				Message: "remove label " + label.IoIstioDataplaneMode.Name + ", which has no effect on any pod that is there",
				Patch:   []policies.Op{{Op: "remove", Path: policies.Pointer("metadata", "labels", label.IoIstioDataplaneMode.Name)}},
			}}
		}
		p.Report(f)
	},
})
