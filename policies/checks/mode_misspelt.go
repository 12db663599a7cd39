package checks

import (
	"fmt"
	"slices"
	"strings"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// istio.io/dataplane-mode in a form that istio-cni does not see: as an annotation, or with a value that
// looks like ambient and is not. The selectors compare labels, exactly
// (cni/pkg/util/enablement_selector.go). The cure enrols pods, and enrolled pods are subject to policies
// and call with an identity; so it is applied only where nothing in the input goes by either.
var _ = policies.Register(policies.Check{
	ID:       "enrolment/mode-misspelt",
	Title:    "A dataplane mode that istio-cni does not see",
	Severity: policies.Medium,
	Kinds:    append([]mesh.Kind{mesh.Namespace}, podKinds...),
	Cases:    []int{134},
	Controls: evidenceFor(encryption(), serviceIdentity()),
	Doc: `Only a label istio.io/dataplane-mode with the value ambient enrols, in exactly this spelling. An annotation of that
name, or a value such as Ambient or enabled, does nothing, and the pods stay outside the mesh without a word.`,
	Remedy: "Set label istio.io/dataplane-mode=ambient.",
	Run: func(p *policies.Pass) {
		labels, annotations, at := p.Object.Labels, p.Object.Annotations, "metadata"
		if p.Object.Kind != mesh.Namespace {
			w, _ := firstLike(p, func(w *mesh.Workload) bool { return w.Mode == mesh.ModeNone })
			if w == nil {
				return
			}
			labels, annotations, at = w.Labels, w.Annotations, podField(p.Object.Kind, "metadata")
		} else if slices.ContainsFunc(p.Workloads(p.Object.Name), func(w *mesh.Workload) bool { return w.Mode == mesh.ModeAmbient }) {
			return // selectors of their own, or pods that are enrolled one by one
		}
		key := label.IoIstioDataplaneMode.Name
		mode, labelled := labels[key]
		switch {
		case labelled && mode != "ambient" && looksAmbient(mode):
			p.Report(policies.Finding{Field: at + ".labels[" + key + "]", Fixes: enrol(p),
				Message: fmt.Sprintf("no pod is enrolled by it: label %s has the value %q, and only \"ambient\" enrols.", key, mode)})
		case !labelled && looksAmbient(annotations[key]):
			p.Report(policies.Finding{Field: at + ".annotations[" + key + "]", Fixes: enrol(p),
				Message: fmt.Sprintf("no pod is enrolled by it: %s is an annotation here, and istio-cni looks at labels.", key)})
		}
	},
})

func looksAmbient(mode string) bool {
	return slices.Contains([]string{"ambient", "enabled", "enable", "true", "on"}, strings.ToLower(strings.TrimSpace(mode)))
}

// enrol sets the label of a Namespace, where nothing in the input tells callers apart or guards anything.
func enrol(p *policies.Pass) []policies.Fix {
	if p.Object.Kind != mesh.Namespace {
		return nil
	}
	for _, kind := range []mesh.Kind{mesh.AuthorizationPolicy, mesh.PeerAuthentication, mesh.RequestAuthentication, mesh.NetworkPolicy, mesh.Gateway} {
		for range p.All(kind) {
			return nil
		}
	}
	return []policies.Fix{{Message: "enrol the Namespace", Patch: labelOps(p.Object, label.IoIstioDataplaneMode.Name, "ambient")}}
}
