// Package parameters renders a WaypointProfile to what istiod reads: the ConfigMap that a Gateway names in
// spec.infrastructure.parametersRef.
//
//	WaypointProfile ─► Render ─► ConfigMap data ─► istiod: its template, with each key merged over one object
//	                        └──► Check: the same merge, so that what istiod would refuse is refused before it is stored
//
// istiod logs what it refuses and does not try again (pilot/pkg/config/kube/gatewaycommon/deploymentcontroller.go,
// configureIstioGateway): a waypoint whose parameters it refuses is never deployed, or never changed again, and no
// condition says so.
package parameters
