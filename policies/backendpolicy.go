package policies

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/waywarden/waywarden/policies/mesh"
)

// ignoreAttachment tells Istio to leave a policy of the Gateway API alone. It is not in istio.io/api;
// pilot/pkg/config/kube/gateway/backend_policies.go reads it.
const ignoreAttachment = "istio.io/ignore-policy-attachment"

// backendPolicy judges a BackendTLSPolicy or XBackendTrafficPolicy: istiod makes a DestinationRule in
// the target's namespace of it, and from there on the rules of DestinationRules hold.
func backendPolicy(s *mesh.Snapshot, o *mesh.Object) []Effect {
	if e, unseen := unseen(s, o); unseen {
		return []Effect{e}
	}
	var effects []Effect
	for i, ref := range o.Spec.(*mesh.BackendPolicy).TargetRefs {
		field := "spec.targetRefs[" + strconv.Itoa(i) + "]"
		t := Target{Kind: ref.Kind, Namespace: o.Namespace, Name: ref.Name}
		kind, ok := map[string]mesh.Kind{"Service": mesh.Service, "ServiceEntry": mesh.ServiceEntry}[ref.Kind]
		switch {
		case o.Annotations[ignoreAttachment] == "true":
			effects = append(effects, nobody(t, NotEnforced, IgnoredByIstio, "metadata.annotations["+ignoreAttachment+"]",
				"Istio leaves this policy alone, as its annotation says: "+ignoreAttachment+" is true. Remove the annotation if Istio should apply it."))
		case o.Kind == mesh.XBackendTrafficPolicy && s.Settings().Flags != nil && !s.Settings().Flag("PILOT_ENABLE_ALPHA_GATEWAY_API", false):
			effects = append(effects, nobody(t, NotEnforced, FeatureDisabled, field,
				"this XBackendTrafficPolicy has no effect: istiod does not read the kind without PILOT_ENABLE_ALPHA_GATEWAY_API. Set it, or use a DestinationRule."))
		case !ok:
			effects = append(effects, nobody(t, Unknown, ForeignGateway, field, fmt.Sprintf(
				"it cannot be judged: what the policy does for a %s is not known here. Name a Service or a ServiceEntry.", ref.Kind)))
		default:
			effects = append(effects, backendPolicyFor(s, o, kind, ref.Name, field)...)
		}
	}
	return join(effects)
}

func backendPolicyFor(s *mesh.Snapshot, o *mesh.Object, kind mesh.Kind, name, field string) []Effect {
	ref := mesh.Ref{APIVersion: kind.APIVersion(), Kind: kind.String(), Namespace: o.Namespace, Name: name}
	t := Target{Kind: ref.Kind, Namespace: ref.Namespace, Name: ref.Name}
	svc := s.Get(kind, ref.Namespace, ref.Name)
	if svc == nil {
		return []Effect{notThere(s, ref, nobody(t, NotEnforced, TargetNotFound, field, fmt.Sprintf("this %s has no effect: there is no %s. Correct the targetRef.", o.Kind, ref)))}
	}
	who := audienceOf(s, o, svc, nil)
	effects := clientSide(s, svc, who)
	if who.ambient {
		a := waypointFor(s, svc, field)
		if a.applied() && s.ClassOf(a.by) == mesh.ClassAgentgateway {
			a.not(Unknown, Agentgateway, fmt.Sprintf("waypoint %s runs agentgateway, whose support of the kind is its own", a.by.Key()), "Ask its documentation.")
		}
		if a.applied() && a.by.Namespace != svc.Namespace {
			used := Lookup(s, svc, a.by.Namespace)
			if i := slices.IndexFunc(used, func(d *mesh.Object) bool { return d.Namespace == a.by.Namespace }); i >= 0 {
				a.not(NotEnforced, Shadowed, fmt.Sprintf("waypoint %s prefers %s of its own namespace and takes nothing more once it found one", a.by.Key(), used[i]),
					"Put the setting into that DestinationRule.")
			}
		}
		effects = append(effects, byWaypoint(a, o.Kind.String()))
	}
	if len(effects) == 0 {
		effects = append(effects, uncalled(t, o.Kind.String(), field, who))
	}
	return effects
}
