package watch

import (
	"fmt"
	"math/rand/v2"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/policies/mesh"
)

// specs is what stands below the metadata of an object of each kind, with alternatives in ‹a|b›: one is picked each time.
// NAME is the object's own name, for what may not change.
var specs = map[mesh.Kind]string{
	mesh.Namespace:      `{}`,
	mesh.ServiceAccount: `{}`,
	mesh.ConfigMap:      `{data: {‹mesh|gateway|nothing›: "‹rootNamespace: istio-system|accessLogFile: /dev/stdout|[not a mapping›"}}`,
	mesh.Pod: `{spec: {terminationGracePeriodSeconds: 0, containers: [{name: app, image: x, ports: [{containerPort: 8080}], env: [{name: A, value: b}]}],
		volumes: [{name: v, emptyDir: {}}]}}`,
	mesh.Deployment:  `{spec: {selector: {matchLabels: {app: NAME}}, template: {metadata: {labels: {app: NAME}}, spec: {containers: [{name: app, image: "‹x|y›"}]}}}}`,
	mesh.StatefulSet: `{spec: {serviceName: a, selector: {matchLabels: {app: NAME}}, template: {metadata: {labels: {app: NAME, version: ‹v1|v2›}}, spec: {containers: [{name: app, image: x}]}}}}`,
	mesh.DaemonSet:   `{spec: {selector: {matchLabels: {app: NAME}}, template: {metadata: {labels: {app: NAME, version: ‹v1|v2›}}, spec: {hostNetwork: ‹true|false›, containers: [{name: app, image: x}]}}}}`,
	mesh.ReplicaSet:  `{spec: {selector: {matchLabels: {app: NAME}}, template: {metadata: {labels: {app: NAME, version: ‹v1|v2›}}, spec: {containers: [{name: app, image: x}]}}}}`,
	mesh.Job:         `{spec: {template: {metadata: {labels: {app: NAME}}, spec: {restartPolicy: Never, containers: [{name: app, image: x}]}}}}`,
	mesh.CronJob:     `{spec: {schedule: "‹1|2› * * * *", jobTemplate: {spec: {template: {metadata: {labels: {app: ‹a|b›}}, spec: {restartPolicy: Never, containers: [{name: app, image: x}]}}}}}}`,
	mesh.Service:     `{spec: {selector: {app: ‹a|b|c›}, ports: [{name: ‹http|tcp›, port: 80, targetPort: 8080}]}}`,
	mesh.EndpointSlice: `{addressType: IPv4, endpoints: [{addresses: [10.0.0.‹1|2|3›], targetRef: {kind: Pod, name: ‹a|b|c›, namespace: shop}}],
		ports: [{name: http, port: 8080}]}`,
	mesh.NetworkPolicy:         `{spec: {podSelector: {matchLabels: {app: ‹a|b›}}, policyTypes: [Ingress]}}`,
	mesh.GatewayClass:          `{spec: {controllerName: istio.io/mesh-controller, description: "‹one|two›"}}`,
	mesh.Gateway:               `{spec: {gatewayClassName: ‹istio-waypoint|istio›, listeners: [{name: mesh, port: ‹15008|80›, protocol: ‹HTTP|istio.io/HBONE›, allowedRoutes: {namespaces: {from: ‹All|Same›}}}]}}`,
	mesh.HTTPRoute:             `{spec: {parentRefs: [{group: "", kind: Service, name: ‹a|b|c›, port: 80}], rules: [{matches: [{path: {value: /‹x|y›}}], backendRefs: [{name: ‹a|b›, port: 80}]}]}}`,
	mesh.GRPCRoute:             `{spec: {parentRefs: [{group: "", kind: Service, name: ‹a|b|c›}], rules: [{backendRefs: [{name: ‹a|b›, port: 80}]}]}}`,
	mesh.TCPRoute:              `{spec: {parentRefs: [{group: "", kind: Service, name: ‹a|b|c›}], rules: [{backendRefs: [{name: ‹a|b›, port: 80}]}]}}`,
	mesh.TLSRoute:              `{spec: {hostnames: [example.com], parentRefs: [{group: "", kind: Service, name: ‹a|b|c›}], rules: [{backendRefs: [{name: ‹a|b›, port: 80}]}]}}`,
	mesh.ReferenceGrant:        `{spec: {from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: ‹shop|bank›}], to: [{group: "", kind: Service}]}}`,
	mesh.BackendTLSPolicy:      `{spec: {targetRefs: [{group: "", kind: Service, name: ‹a|b|c›}], validation: {hostname: example.com, wellKnownCACertificates: System}}}`,
	mesh.InferencePool:         `{spec: {selector: {matchLabels: {app: ‹a|b›}}}}`,
	mesh.AuthorizationPolicy:   `{spec: {action: ‹ALLOW|DENY›, ‹targetRefs: [{kind: Service, group: "", name: a}]|targetRefs: [{kind: Gateway, group: gateway.networking.k8s.io, name: b}]|selector: {matchLabels: {app: a}}›, rules: [{to: [{operation: {‹methods: [GET]|ports: ["8080"]›}}]}]}}`,
	mesh.PeerAuthentication:    `{spec: {mtls: {mode: ‹STRICT|PERMISSIVE|DISABLE›}, selector: {matchLabels: {app: ‹a|b›}}}}`,
	mesh.RequestAuthentication: `{spec: {targetRefs: [{kind: Service, group: "", name: ‹a|b|c›}], jwtRules: [{issuer: "https://example.com", jwksUri: "https://example.com/keys"}]}}`,
	mesh.VirtualService:        `{spec: {hosts: [‹a|b|c›], http: [{route: [{destination: {host: ‹a|b›}}]}]}}`,
	mesh.DestinationRule:       `{spec: {host: ‹a|b|c›, trafficPolicy: {loadBalancer: {simple: ‹ROUND_ROBIN|LEAST_REQUEST›}}}}`,
	mesh.ServiceEntry:          `{spec: {hosts: [‹one|two›.example.com], ports: [{number: 80, name: http, protocol: HTTP}], resolution: STATIC, endpoints: [{address: 10.1.0.‹1|2›}]}}`,
	mesh.WorkloadEntry:         `{spec: {address: 10.2.0.‹1|2|3›, labels: {app: ‹a|b›}}}`,
	mesh.WorkloadGroup:         `{spec: {metadata: {labels: {app: ‹a|b›}}, template: {serviceAccount: default}}}`,
	mesh.Sidecar:               `{spec: {workloadSelector: {labels: {app: ‹a|b›}}, egress: [{hosts: ["./*"]}]}}`,
	mesh.IstioGateway:          `{spec: {selector: {istio: ingress}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [‹a|b›.example.com]}]}}`,
	mesh.EnvoyFilter:           `{spec: {workloadSelector: {labels: {app: ‹a|b›}}}}`,
	mesh.ProxyConfig:           `{spec: {concurrency: ‹1|2›}}`,
	mesh.WasmPlugin:            `{spec: {url: "oci://example.com/x", targetRefs: [{kind: Service, group: "", name: ‹a|b›}]}}`,
	mesh.TrafficExtension:      `{spec: {targetRefs: [{kind: Service, group: "", name: ‹a|b›}], wasm: {url: "oci://example.com/x"}}}`,
	mesh.Telemetry:             `{spec: {targetRefs: [{kind: Service, group: "", name: ‹a|b›}], metrics: [{overrides: [{disabled: ‹true|false›}]}]}}`,

	mesh.ClusterRole:        `{rules: [{apiGroups: [security.istio.io], resources: [‹authorizationpolicies|peerauthentications›], verbs: [get]}]}`,
	mesh.Role:               `{rules: [{apiGroups: [""], resources: [‹pods|services›], verbs: [get]}]}`,
	mesh.ClusterRoleBinding: `{roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: NAME}, subjects: [{kind: Group, apiGroup: rbac.authorization.k8s.io, name: ‹ann|bob›}]}`,
	mesh.RoleBinding:        `{roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: NAME}, subjects: [{kind: ServiceAccount, namespace: shop, name: ‹ann|bob›}]}`,
	mesh.ValidatingWebhookConfiguration: `{webhooks: [{name: a.example.com, sideEffects: None, admissionReviewVersions: [v1], failurePolicy: ‹Ignore|Fail›, clientConfig: {url: "https://127.0.0.1:1"},
		rules: [{apiGroups: [nowhere.example.com], apiVersions: ["*"], resources: ["*"], operations: ["*"]}]}]}`,
	mesh.MutatingWebhookConfiguration: `{webhooks: [{name: a.example.com, sideEffects: None, admissionReviewVersions: [v1], failurePolicy: ‹Ignore|Fail›, clientConfig: {url: "https://127.0.0.1:1"},
		rules: [{apiGroups: [nowhere.example.com], apiVersions: ["*"], resources: ["*"], operations: ["*"]}]}]}`,
	mesh.Secret: `{data: {‹ca.crt|root-cert.pem|password›: ` + certificate + `, key: c2VjcmV0}}`,
}

// evidence is all there can be, of Secrets some.
func evidence() inventory.Evidence {
	return inventory.EvidenceFor(mesh.Kinds(), mesh.Evidences, []inventory.SecretName{{Namespace: "shop", Name: "a"}, {Namespace: "shop", Name: "b"}, {Namespace: "bank", Name: "a"}})
}

// certificate is one in PEM, in base64.
const certificate = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUJiakNDQVJPZ0F3SUJBZ0lCQWpBS0JnZ3Foa2pPUFFRREFqQWVNUTB3Q3dZRFZRUUtFd1JDWVc1ck1RMHcKQ3dZRFZRUURFd1JTYjI5ME1CNFhEVEkyTURFd01UQXdNREF3TUZvWERUTTJNREV3TVRBd01EQXdNRm93SGpFTgpNQXNHQTFVRUNoTUVRbUZ1YXpFTk1Bc0dBMVVFQXhNRVVtOXZkREJaTUJNR0J5cUdTTTQ5QWdFR0NDcUdTTTQ5CkF3RUhBMElBQkpTUERtU0RKZXBVY2RyUHpDQllkMFk2V1ExU0RBOHlBbnJnZEh1NzN0V1kwZDF5Z3h0OVJ1bGMKL09FdElWWFJxTkUvTVg1WFhsZWFKNGYwalZCMFZNU2pRakJBTUE0R0ExVWREd0VCL3dRRUF3SUNCREFQQmdOVgpIUk1CQWY4RUJUQURBUUgvTUIwR0ExVWREZ1FXQkJSYjhnQXl6TjBDbUg3djBOYmlic3FuNjZERDJEQUtCZ2dxCmhrak9QUVFEQWdOSkFEQkdBaUVBMHJQWW5oZUcyTmZObmd4UHlZVUtiQ2R3VGlRUnZXanNndzZhU0hRVUx5Y0MKSVFEREVKRURZR09kSlhKWFZ1WkdQRENZTlhPU2p3cnArdXVXZkpaOWtEYXRPZz09Ci0tLS0tRU5EIENFUlRJRklDQVRFLS0tLS0K"

// statuses are what controllers write into objects of the kind.
var statuses = map[mesh.Kind]string{
	mesh.Pod:                 `{status: {phase: ‹Running|Pending|Succeeded›, podIP: 10.0.0.‹1|2›, podIPs: [{ip: 10.0.0.1}], message: "‹x|y|z›"}}`,
	mesh.Gateway:             `{status: {addresses: [‹{type: IPAddress, value: 10.3.0.1}|{type: Hostname, value: a.example.com}›]}}`,
	mesh.AuthorizationPolicy: `{status: {observedGeneration: "‹1|2›"}}`,
	mesh.Deployment:          `{status: {observedGeneration: ‹1|2›}}`,
}

var spaces = []string{"shop", "bank", "istio-system"}

// generator makes objects, the same ones for the same seed.
type generator struct{ *rand.Rand }

func (g generator) pick(of ...string) string { return of[g.IntN(len(of))] }

// choose takes one of each of the alternatives of a text.
func (g generator) choose(text string) string {
	for {
		before, rest, ok := strings.Cut(text, "‹")
		if !ok {
			return text
		}
		alternatives, after, _ := strings.Cut(rest, "›")
		text = before + g.pick(strings.Split(alternatives, "|")...) + after
	}
}

// object makes an object of the kind, out of so few names that it is often one that is there.
func (g generator) object(kind mesh.Kind, apiVersion string) (*unstructured.Unstructured, error) {
	name, ns := g.pick("a", "b", "c"), g.pick(spaces...)
	labels := g.choose(`{app: ‹a|b|c›, istio.io/use-waypoint: ‹a|b|none›}`)
	switch kind {
	case mesh.Namespace:
		name, ns = g.pick(spaces...), ""
		labels = g.choose(`{istio.io/dataplane-mode: ‹ambient|none›, istio.io/use-waypoint: ‹a|b|none›}`)
	case mesh.ConfigMap:
		name = g.pick("istio", "a")
	}
	if !kind.Namespaced() {
		ns = ""
	}
	text := strings.ReplaceAll(g.choose(specs[kind]), "NAME", name)
	o := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &o.Object); err != nil {
		return nil, fmt.Errorf("%s: %s: %w", kind, text, err)
	}
	o.SetAPIVersion(apiVersion)
	o.SetKind(kind.String())
	o.SetName(name)
	o.SetNamespace(ns)
	set := map[string]string{}
	if err := yaml.Unmarshal([]byte(labels), &set); err != nil {
		return nil, err
	}
	o.SetLabels(set)
	if kind == mesh.Pod {
		o.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: g.pick("a-1", "b-1"), UID: "1"}})
	}
	return o, nil
}
