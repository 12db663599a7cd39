// Package reviews is admission for benchmarks: requests in the mix of a busy cluster, and the webhook that answers them over
// a mesh of any size.
package reviews

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/waywarden/waywarden/test/bench/filemesh"
)

// distinct is how many different requests there are.
const distinct = 200

// Bodies are AdmissionReviews as an API server sends them, in the mix of a busy cluster: 70 % AuthorizationPolicies, 20 % Services and 10 %
// Namespaces. Half of the policies bind to a Service, a quarter has HTTP rules. An update is one of what is stored: a Service renames its port, so
// that everything about it is judged anew; a Namespace changes a label that is for people, or one of Istio's, in turns.
func Bodies(o filemesh.Options) ([][]byte, error) {
	r := rand.New(rand.NewPCG(o.Seed, 2))
	namespaces := o.Namespaces()
	var out [][]byte
	for i := range distinct {
		n, s := r.IntN(namespaces), r.IntN(filemesh.ServicesPerNamespace)
		ns, app := fmt.Sprintf("team-%d", n), fmt.Sprintf("app-%d", s)
		var review *admissionv1.AdmissionReview
		switch {
		case i%10 < 7:
			review = policy(i, ns, app)
		case i%10 < 9:
			review = service(ns, app, filemesh.ClusterIP(n, s))
		default:
			review = namespace(i, ns, filemesh.HasWaypoint(n))
		}
		review.Request.UID = types.UID(fmt.Sprintf("request-%d", i))
		review.APIVersion, review.Kind = admissionv1.SchemeGroupVersion.String(), "AdmissionReview"
		body, err := json.Marshal(review)
		if err != nil {
			return nil, err
		}
		out = append(out, body)
	}
	return out, nil
}

func policy(i int, ns, app string) *admissionv1.AdmissionReview {
	rule := map[string]any{"from": []any{map[string]any{"source": map[string]any{"principals": []any{"cluster.local/ns/" + ns + "/sa/app-0"}}}}}
	spec := map[string]any{"action": "ALLOW", "rules": []any{rule}}
	if i%2 == 0 {
		spec["selector"] = map[string]any{"matchLabels": map[string]any{"app": app}}
	} else {
		spec["targetRefs"] = []any{map[string]any{"group": "", "kind": "Service", "name": app}}
	}
	if i%4 == 1 {
		rule["to"] = []any{map[string]any{"operation": map[string]any{"methods": []any{"GET"}, "paths": []any{"/api/*"}}}}
	}
	o := map[string]any{"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy", "metadata": metadata(fmt.Sprintf("new-%d", i), ns), "spec": spec}
	return review("security.istio.io", "v1", "AuthorizationPolicy", "authorizationpolicies", ns, admissionv1.Create, o, nil)
}

func service(ns, app, address string) *admissionv1.AdmissionReview {
	made := func(port string) map[string]any {
		return map[string]any{"apiVersion": "v1", "kind": "Service", "metadata": metadata(app, ns), "spec": map[string]any{
			"clusterIP": address, "selector": map[string]any{"app": app}, "ports": []any{map[string]any{"name": port, "port": 80, "protocol": "TCP", "targetPort": 8080}}}}
	}
	return review("", "v1", "Service", "services", ns, admissionv1.Update, made("http-web"), made("http"))
}

func namespace(i int, ns string, waypoint bool) *admissionv1.AdmissionReview {
	made := func(more ...string) map[string]any {
		labels := map[string]any{"istio.io/dataplane-mode": "ambient", "kubernetes.io/metadata.name": ns}
		if waypoint {
			labels["istio.io/use-waypoint"] = "waypoint"
		}
		for _, l := range more {
			labels[l] = "true"
		}
		m := metadata(ns, "")
		m["labels"] = labels
		return map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": m}
	}
	change := "team"
	if i/10%2 == 0 {
		change = "istio.io/ingress-use-waypoint"
	}
	return review("", "v1", "Namespace", "namespaces", ns, admissionv1.Update, made(change), made())
}

func metadata(name, ns string) map[string]any {
	m := map[string]any{"name": name, "creationTimestamp": "2026-11-01T00:00:00Z", "uid": "u-" + name, "generation": 1}
	if ns != "" {
		m["namespace"] = ns
	}
	return m
}

func review(group, version, kind, resource, ns string, op admissionv1.Operation, object, old map[string]any) *admissionv1.AdmissionReview {
	raw := func(o map[string]any) runtime.RawExtension {
		if o == nil {
			return runtime.RawExtension{}
		}
		b, err := json.Marshal(o)
		if err != nil {
			panic(err) // it is made of maps and strings
		}
		return runtime.RawExtension{Raw: b}
	}
	name, _ := object["metadata"].(map[string]any)["name"].(string)
	return &admissionv1.AdmissionReview{Request: &admissionv1.AdmissionRequest{
		Kind: metav1.GroupVersionKind{Group: group, Version: version, Kind: kind}, Resource: metav1.GroupVersionResource{Group: group, Version: version, Resource: resource},
		Name: name, Namespace: ns, Operation: op, Object: raw(object), OldObject: raw(old)}}
}
