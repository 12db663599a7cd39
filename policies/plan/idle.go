package plan

import (
	"strings"

	"github.com/waywarden/waywarden/policies/mesh"
)

// asksNothing is whether a policy is never a reason for a waypoint, though one would carry it out:
//
//   - a DestinationRule for a wildcard of hosts, which is a default for callers: it would make a waypoint of every
//     namespace that it covers;
//   - a DestinationRule that only chooses between mTLS and none (ISTIO_MUTUAL, DISABLE): behind HBONE a waypoint
//     changes nothing about that.
func asksNothing(o *mesh.Object) bool {
	d, ok := o.Spec.(*mesh.DestinationRuleSpec)
	return ok && (strings.HasPrefix(d.Host, "*") || onlyChoosesMTLS(d))
}

func onlyChoosesMTLS(d *mesh.DestinationRuleSpec) bool {
	if len(d.Subsets) > 0 || d.TrafficPolicy == nil {
		return false
	}
	p := d.TrafficPolicy
	tls := meshTLS(p.TLS)
	for _, port := range p.PortLevelSettings {
		if port.LoadBalancer != nil || port.ConnectionPool != nil || port.OutlierDetection != nil || !meshTLS(port.TLS) {
			return false
		}
		tls = true
	}
	return tls && p.LoadBalancer == nil && p.ConnectionPool == nil && p.OutlierDetection == nil && p.Tunnel == nil && p.ProxyProtocol == nil &&
		(p.TLS == nil || meshTLS(p.TLS))
}

func meshTLS(t *mesh.ClientTLS) bool {
	return t != nil && (t.Mode == "ISTIO_MUTUAL" || t.Mode == "DISABLE")
}
