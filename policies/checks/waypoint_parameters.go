package checks

import (
	"fmt"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A Gateway's parametersRef that istiod cannot follow: not a ConfigMap, not there, or with a key that
// istiod does not know (gatewaycommon/deploymentcontroller.go applyOverlay). From 1.31 on the Gateway
// is then not accepted (istio/istio#60804); in any version nothing is deployed or updated.
var _ = policies.Register(policies.Check{
	ID:       "waypoint/waypoint-parameters",
	Title:    "A Gateway whose parameters cannot be read",
	Severity: policies.High,
	Kinds:    []mesh.Kind{mesh.Gateway},
	Cases:    []int{79},
	Controls: evidenceFor(resilience(), configuration()),
	Doc: `spec.infrastructure.parametersRef names a ConfigMap of the Gateway's own namespace with the keys deployment, service,
serviceAccount, horizontalPodAutoscaler and podDisruptionBudget. Where it names something else, or a key is another,
istiod does not deploy the Gateway, and does not update one that it has deployed.`,
	Remedy: "Make the ConfigMap, with keys that istiod knows.",
	Run: func(p *policies.Pass) {
		gw := p.Object
		infra := gw.Spec.(*mesh.GatewayBody).Spec.Infrastructure
		switch class := p.ClassOf(gw); {
		case infra == nil || infra.ParametersRef == nil:
			return
		case class == mesh.ClassForeign || class == mesh.ClassUnknown || class == mesh.ClassRemote:
			return
		}
		ref := infra.ParametersRef
		f := policies.Finding{Field: "spec.infrastructure.parametersRef"}
		cm := p.Get(mesh.ConfigMap, gw.Namespace, ref.Name)
		switch {
		case ref.Kind != "ConfigMap" || ref.Group != "":
			f.Message = fmt.Sprintf("istiod does not deploy %s: its parametersRef names a %s, and only a ConfigMap of group \"\" is read.", short(gw), strings.TrimPrefix(ref.Group+"/"+ref.Kind, "/"))
		case cm == nil && !p.Known(gw.Namespace):
			return
		case cm == nil:
			f.Message = fmt.Sprintf("istiod does not deploy %s: there is no ConfigMap %s/%s that says anything which istiod reads.", short(gw), gw.Namespace, ref.Name)
			f.Remedy = fmt.Sprintf("Make the ConfigMap, with one of the keys %s.", strings.Join(mesh.ParameterKeys, ", "))
			f.WaitsFor = []policies.Wait{{Object: &mesh.Ref{APIVersion: "v1", Kind: "ConfigMap", Namespace: gw.Namespace, Name: ref.Name}}}
		default:
			var unknown []string
			for key := range cm.Spec.(*mesh.ConfigMapBody).Data {
				if !slices.Contains(mesh.ParameterKeys, key) {
					unknown = append(unknown, key)
				}
			}
			if len(unknown) == 0 {
				return
			}
			slices.Sort(unknown)
			f.Related = []mesh.Ref{cm.Ref()}
			f.Message = fmt.Sprintf("istiod does not deploy %s: %s has a key that it does not know, %q.", short(gw), short(cm), unknown[0])
			f.Remedy = fmt.Sprintf("Use the keys %s only.", strings.Join(mesh.ParameterKeys, ", "))
		}
		p.Report(f)
	},
})
