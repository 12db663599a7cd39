package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies/mesh"
)

// shortNames are those that kubectl knows. gw is Istio's, gtw the Gateway API's.
var shortNames = map[string]mesh.Kind{
	"ns": mesh.Namespace, "sa": mesh.ServiceAccount, "po": mesh.Pod, "deploy": mesh.Deployment, "sts": mesh.StatefulSet,
	"ds": mesh.DaemonSet, "rs": mesh.ReplicaSet, "cj": mesh.CronJob, "svc": mesh.Service, "gc": mesh.GatewayClass, "gtw": mesh.Gateway,
	"refgrant": mesh.ReferenceGrant, "btlspolicy": mesh.BackendTLSPolicy, "infpool": mesh.InferencePool, "cm": mesh.ConfigMap,
	"ap": mesh.AuthorizationPolicy, "pa": mesh.PeerAuthentication, "ra": mesh.RequestAuthentication, "vs": mesh.VirtualService,
	"dr": mesh.DestinationRule, "se": mesh.ServiceEntry, "we": mesh.WorkloadEntry, "wg": mesh.WorkloadGroup,
	"gw": mesh.IstioGateway, "telemetry": mesh.Telemetry,
}

// kindsNamed are the kinds that a word names as kubectl has it: the kind, its plural or a short name, in
// any case, with or without the group. Gateway names two; the one of the Gateway API comes first.
func kindsNamed(word string) ([]mesh.Kind, error) {
	name, group, hasGroup := strings.Cut(strings.ToLower(word), ".")
	var out []mesh.Kind
	for _, k := range mesh.Kinds() {
		if name != strings.ToLower(k.String()) && name != k.Resource() {
			continue
		}
		// kubectl accepts a version before the group, as in gateways.v1.networking.istio.io.
		if !hasGroup || slices.ContainsFunc(k.Groups(), func(g string) bool { return g == group || g != "" && versioned(group, g) }) {
			out = append(out, k)
		}
	}
	if k, ok := shortNames[name]; ok && !hasGroup && len(out) == 0 {
		out = append(out, k)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%q is not a kind that decides anything in the mesh%s", word, didYouMean(name, kindWords()))
	}
	return out, nil
}

// versioned is whether word is a version and the group, as in "v1.networking.istio.io".
func versioned(word, group string) bool {
	version, ok := strings.CutSuffix(word, "."+group)
	return ok && strings.HasPrefix(version, "v") && !strings.Contains(version, ".")
}

// kindWords are the singular names of all kinds that can be explained, lower-case and sorted.
func kindWords() []string {
	var out []string
	for _, k := range mesh.Kinds() {
		if explainable(k) {
			out = append(out, strings.ToLower(k.String()))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
