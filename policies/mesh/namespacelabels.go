package mesh

import (
	"maps"
	"slices"
	"strings"
)

// namespaceLabelDecides is whether a label of Namespaces decides anything in the mesh: Istio's own, and whatever some
// selector over namespaces asks for by which calls are treated. All others are for people, and can change as they like; that
// NetworkPolicies select by them changes no policy's effect.
func (s *Snapshot) namespaceLabelDecides(key string) bool {
	return strings.Contains(key, "istio") || key == namespaceName || s.selectsNamespacesBy(key)
}

// selectsNamespacesBy is whether some selector over namespaces by which calls are treated asks for a label.
func (s *Snapshot) selectsNamespacesBy(key string) bool {
	s.remembered.labels.Do(func() { s.remembered.namespaceLabels = s.unrecorded().readNamespaceLabels() })
	return s.remembered.namespaceLabels[key]
}

func (s *Snapshot) readNamespaceLabels() map[string]bool {
	keys := map[string]bool{}
	take := func(selector *LabelSelector) {
		if selector == nil {
			return
		}
		for k := range selector.MatchLabels {
			keys[k] = true
		}
		for _, e := range selector.MatchExpressions {
			keys[e.Key] = true
		}
	}
	for i := range s.settings.DiscoverySelectors {
		take(&s.settings.DiscoverySelectors[i])
	}
	for i := range s.settings.Enrolment {
		take(&s.settings.Enrolment[i].Namespace)
	}
	for i := range s.settings.ServiceScopes {
		take(s.settings.ServiceScopes[i].Namespaces)
	}
	for _, p := range s.settings.ServiceEntryVisibility {
		for _, r := range p.Rules {
			take(r.Namespaces)
		}
	}
	for gw := range s.All(Gateway) {
		for _, l := range gw.Spec.(*GatewayBody).Spec.Listeners {
			if l.AllowedRoutes != nil && l.AllowedRoutes.Namespaces != nil {
				take(l.AllowedRoutes.Namespaces.Selector)
			}
		}
	}
	return keys
}

// ForPeople is whether all that a change of a Namespace changes is labels by which nothing in the mesh goes, and the given ones, by which
// no selector goes.
func (s *Snapshot) ForPeople(old, o *Object, besides ...string) bool {
	if old == nil || o == nil || old.Terminating != o.Terminating || !maps.Equal(old.Annotations, o.Annotations) {
		return false
	}
	for _, labels := range []map[string]string{old.Labels, o.Labels} {
		for k := range labels {
			was, had := old.Labels[k]
			is, has := o.Labels[k]
			if was == is && had == has {
				continue
			}
			if given := slices.Contains(besides, k); given && s.selectsNamespacesBy(k) || !given && s.namespaceLabelDecides(k) {
				return false
			}
		}
	}
	return true
}
