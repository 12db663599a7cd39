package rules

import "github.com/waywarden/waywarden/policies/mesh"

// rest is on which kinds the answer to a question rests: where one of them may have objects that are not shown, the answer would be a guess.
type rest struct {
	kinds []mesh.Kind
	// ofObject is set where the first argument is the kind of an object that is asked about. The object has to be shown, too, but for a
	// Namespace: what is not known of one is Unknown in the answer. Of one the answer rests on other kinds.
	ofObject  bool
	namespace []mesh.Kind
}

// restsOn is that by question. Not in it are those about a kind or an object alone, and those that say themselves what is not shown.
// Namespaces are not among the kinds that decide something about workloads: where they are not shown, a mode is unknown.
var restsOn = func() map[string]rest {
	var workloads []mesh.Kind
	for _, k := range mesh.Kinds() {
		if mesh.DecidesWorkloads(k) && k != mesh.Namespace {
			workloads = append(workloads, k)
		}
	}
	with := func(more ...mesh.Kind) []mesh.Kind { return append(workloads[:len(workloads):len(workloads)], more...) }
	return map[string]rest{
		"mesh.service":             {kinds: []mesh.Kind{mesh.Service}},
		"mesh.services":            {kinds: []mesh.Kind{mesh.Service}},
		"mesh.namespaces":          {kinds: ofNamespace},
		"mesh.namespaces_selected": {kinds: ofNamespace},
		"mesh.granted":             {kinds: []mesh.Kind{mesh.ClusterRole, mesh.Role}, ofObject: true},
		"mesh.workloads":           {kinds: workloads},
		"mesh.workloads_as":        {kinds: workloads},
		"mesh.workloads_of":        {kinds: workloads, ofObject: true},
		"mesh.enrolled":            {kinds: workloads, ofObject: true},
		"mesh.effective_mtls":      {kinds: with(mesh.PeerAuthentication)},
		"mesh.admits":              {kinds: with(mesh.AuthorizationPolicy, mesh.PeerAuthentication), ofObject: true},
		"mesh.layers": {kinds: with(mesh.GatewayClass, mesh.AuthorizationPolicy, mesh.PeerAuthentication), ofObject: true,
			namespace: []mesh.Kind{mesh.AuthorizationPolicy, mesh.PeerAuthentication}},
		"mesh.waypoint": {kinds: []mesh.Kind{mesh.GatewayClass, mesh.Gateway}, ofObject: true, namespace: []mesh.Kind{mesh.GatewayClass, mesh.Gateway}},
		"mesh.policies_for": {kinds: with(mesh.GatewayClass, mesh.BackendTLSPolicy, mesh.XBackendTrafficPolicy, mesh.AuthorizationPolicy, mesh.PeerAuthentication,
			mesh.RequestAuthentication, mesh.EnvoyFilter, mesh.WasmPlugin, mesh.TrafficExtension, mesh.Telemetry), ofObject: true,
			namespace: []mesh.Kind{mesh.AuthorizationPolicy, mesh.PeerAuthentication, mesh.RequestAuthentication}},
	}
}()
