package plan

import (
	"fmt"
	"slices"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// ingress leaves out the label for ingress gateways where its owner has set it otherwise, or a policy at the waypoint says by identity who
// gets in: whether a gateway is among them is not for a plan to guess. Until the label is set gateways send to the pods, as they did.
func (m *maker) ingress(after *mesh.Snapshot) {
	for i := range m.plan.Labels {
		l := &m.plan.Labels[i]
		m.refusesIngress(l)
		for _, ref := range l.Binds {
			svc := find(after, ref)
			if !l.Ingress || svc == nil {
				continue
			}
			if by := m.choosy(after, svc); by != nil {
				l.Ingress = false
				m.plan.Notices = append(m.plan.Notices, Notice{ref, ClassIngress, fmt.Sprintf("ingress gateways still send to the pods: %s says by identity who gets in at the waypoint. Let the gateway in there, and set %s=true.", by, label.IoIstioIngressUseWaypoint.Name)})
			}
		}
	}
}

// refusesIngress leaves the label for ingress gateways as the owner of the object has set it.
func (m *maker) refusesIngress(l *Label) {
	key := label.IoIstioIngressUseWaypoint.Name
	own, set := find(m.snapshot, l.On).Labels[key]
	if !l.Ingress || !set || mesh.True(own) {
		return
	}
	l.Ingress = false
	for _, ref := range l.Binds {
		m.plan.Notices = append(m.plan.Notices, Notice{ref, ClassIngress, fmt.Sprintf("ingress gateways still send to the pods: %s has label %s=%s of its owner's. Set it to true, or remove it.", l.On, key, own)})
	}
}

// ingressed is a mesh that is bound, with the labels for ingress gateways as they are left.
func (m *maker) ingressed(after *mesh.Snapshot) *mesh.Snapshot {
	key := label.IoIstioIngressUseWaypoint.Name
	for _, l := range m.plan.Labels {
		o := find(after, l.On)
		own, had := find(m.snapshot, l.On).Labels[key]
		switch is, has := o.Labels[key]; {
		case l.Ingress || is == own && has == had:
		case had:
			after = after.With(labelled(o, map[string]string{key: own}))
		default:
			after = after.With(labelled(o, nil, key))
		}
	}
	return after
}

// choosy is a policy at the waypoint that says by identity who gets in to a Service.
func (m *maker) choosy(after *mesh.Snapshot, svc *mesh.Object) *mesh.Object {
	chain := policies.OnChain(after, mesh.AuthorizationPolicy, svc)
	for i := range m.plan.Policies {
		p := &m.plan.Policies[i]
		if p.Role == Twin && slices.Contains(p.For, refOf(svc)) {
			chain = append(chain, p.object())
		}
	}
	for _, o := range chain {
		for i := range o.Spec.(*mesh.AuthorizationPolicySpec).Rules {
			if ruleOf(&o.Spec.(*mesh.AuthorizationPolicySpec).Rules[i], o.Namespace).asksWho() {
				return o
			}
		}
	}
	return nil
}
