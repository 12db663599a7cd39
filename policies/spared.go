package policies

import (
	"fmt"

	"github.com/waywarden/waywarden/policies/mesh"
)

// sparedGateway is a gateway in a policy's scope that takes no policy without targetRefs.
type sparedGateway struct {
	workload *mesh.Workload
	verdict  Verdict
	reason   string
	why      string // as a clause
	remedy   string
}

// selectorFlag lets the gateways of the Gateway API look at selectors (pilot/pkg/model/policyattachment.go
// ShouldAttachPolicy).
const selectorFlag = "ENABLE_SELECTOR_BASED_K8S_GATEWAY_POLICY"

const gatewayName = "gateway.networking.k8s.io/gateway-name"

// takeGateway sorts a gateway by whether its proxy looks at policies without targetRefs.
func (r *reach) takeGateway(s *mesh.Snapshot, w *mesh.Workload) {
	class, named := s.RunsAs(w)
	g := sparedGateway{workload: w, verdict: NotEnforced, remedy: "Name the Gateway with targetRefs."}
	switch {
	case class == mesh.ClassAgentIngress, class == mesh.ClassAgentgateway:
		g.reason, g.why = Agentgateway, "runs agentgateway, which does not apply Istio's own policies"
		g.remedy = "Run it as class istio, or use policies of the Gateway API."
	case class == mesh.ClassUnknown:
		g.verdict, g.reason, g.why = Unknown, NotInInput, "is of a GatewayClass that is not in the input, so nobody can tell what runs it"
		g.remedy = "Add the GatewayClass, or use --live."
	case class == mesh.ClassEastWest:
		g.reason, g.why = GatewayNeedsTarget, "is an east-west gateway, which looks at no policy without targetRefs"
	case named && !s.Settings().Flag(selectorFlag, true):
		g.reason, g.why = GatewayNeedsTarget, "looks at no policy without targetRefs, because istiod has "+selectorFlag+"=false"
	default:
		r.gateway = append(r.gateway, w)
		return
	}
	r.spared = append(r.spared, g)
}

// sparing is the effect of a policy in whose scope there are only gateways that do not take it.
func (r *reach) sparing(what, field string) Effect {
	g := r.spared[0]
	ref := mesh.Ref{Kind: mesh.Gateway.String(), Namespace: g.workload.Namespace, Name: g.workload.Labels[gatewayName]}
	consequence := what + " has no effect"
	if g.verdict == Unknown {
		consequence = "it cannot be judged"
	}
	why := ref.String() + " " + g.why
	e := nobody(r.target, g.verdict, g.reason, field, fmt.Sprintf("%s: %s. %s", consequence, why, g.remedy))
	e.Causes[0].Text = why
	return e
}
