package mesh

import "strings"

// Kind is a kind of object that decides something in the mesh. All its served versions are one Kind.
type Kind uint8

// The kinds, in the order in which a Snapshot iterates over them.
const (
	Namespace Kind = iota
	ServiceAccount
	ConfigMap
	Pod
	Deployment
	StatefulSet
	DaemonSet
	ReplicaSet
	Job
	CronJob
	Service
	EndpointSlice
	NetworkPolicy
	GatewayClass
	Gateway
	HTTPRoute
	GRPCRoute
	TCPRoute
	TLSRoute
	ReferenceGrant
	BackendTLSPolicy
	XBackendTrafficPolicy
	InferencePool
	AuthorizationPolicy
	PeerAuthentication
	RequestAuthentication
	VirtualService
	DestinationRule
	ServiceEntry
	WorkloadEntry
	WorkloadGroup
	Sidecar
	IstioGateway
	EnvoyFilter
	ProxyConfig
	WasmPlugin
	TrafficExtension
	Telemetry
	ClusterRole
	Role
	ClusterRoleBinding
	RoleBinding
	ValidatingWebhookConfiguration
	MutatingWebhookConfiguration
	Secret
	kindCount
)

// scope is whether objects of a kind live in namespaces.
type scope bool

const (
	namespaced scope = true
	cluster    scope = false
)

type kindInfo struct {
	name     string
	groups   []string // API groups that serve it, versions left out: every version decodes alike
	resource string   // plural, for lists
	versions []string // from the one to prefer to the oldest
	scope    scope
	root     string // the field that the struct describes; "" for the whole object
	make     func() any
	policy   bool // whether it is a policy: an object that has effects
}

func of[T any]() func() any { return func() any { return new(T) } }

const (
	groupGateway    = "gateway.networking.k8s.io"
	groupNetworking = "networking.istio.io"
	groupSecurity   = "security.istio.io"
	groupExtensions = "extensions.istio.io"
	groupTelemetry  = "telemetry.istio.io"
	groupRBAC       = "rbac.authorization.k8s.io"
	groupAdmission  = "admissionregistration.k8s.io"
)

var (
	v1          = []string{"v1"}
	istioV1     = []string{"v1", "v1beta1", "v1alpha3"}
	securityV1  = []string{"v1", "v1beta1"}
	routeV1     = []string{"v1", "v1beta1", "v1alpha2"}
	gatewayV1   = []string{"v1", "v1beta1"}
	telemetryV1 = []string{"v1", "v1alpha1"}
)

var kinds = [kindCount]kindInfo{
	Namespace:             {"Namespace", []string{""}, "namespaces", v1, cluster, "", of[NamespaceBody](), false},
	ServiceAccount:        {"ServiceAccount", []string{""}, "serviceaccounts", v1, namespaced, "", of[Empty](), false},
	ConfigMap:             {"ConfigMap", []string{""}, "configmaps", v1, namespaced, "", of[ConfigMapBody](), false},
	Pod:                   {"Pod", []string{""}, "pods", v1, namespaced, "", of[PodBody](), false},
	Deployment:            {"Deployment", []string{"apps"}, "deployments", v1, namespaced, "spec", of[PodOwner](), false},
	StatefulSet:           {"StatefulSet", []string{"apps"}, "statefulsets", v1, namespaced, "spec", of[PodOwner](), false},
	DaemonSet:             {"DaemonSet", []string{"apps"}, "daemonsets", v1, namespaced, "spec", of[PodOwner](), false},
	ReplicaSet:            {"ReplicaSet", []string{"apps"}, "replicasets", v1, namespaced, "spec", of[PodOwner](), false},
	Job:                   {"Job", []string{"batch"}, "jobs", v1, namespaced, "spec", of[PodOwner](), false},
	CronJob:               {"CronJob", []string{"batch"}, "cronjobs", []string{"v1", "v1beta1"}, namespaced, "spec", of[CronJobSpec](), false},
	Service:               {"Service", []string{""}, "services", v1, namespaced, "spec", of[ServiceSpec](), false},
	EndpointSlice:         {"EndpointSlice", []string{"discovery.k8s.io"}, "endpointslices", v1, namespaced, "", of[EndpointSliceBody](), false},
	NetworkPolicy:         {"NetworkPolicy", []string{"networking.k8s.io"}, "networkpolicies", v1, namespaced, "spec", of[NetworkPolicySpec](), false},
	GatewayClass:          {"GatewayClass", []string{groupGateway}, "gatewayclasses", gatewayV1, cluster, "spec", of[GatewayClassSpec](), false},
	Gateway:               {"Gateway", []string{groupGateway}, "gateways", gatewayV1, namespaced, "", of[GatewayBody](), false},
	HTTPRoute:             {"HTTPRoute", []string{groupGateway}, "httproutes", routeV1, namespaced, "spec", of[Route](), true},
	GRPCRoute:             {"GRPCRoute", []string{groupGateway}, "grpcroutes", routeV1, namespaced, "spec", of[Route](), true},
	TCPRoute:              {"TCPRoute", []string{groupGateway}, "tcproutes", routeV1, namespaced, "spec", of[Route](), true},
	TLSRoute:              {"TLSRoute", []string{groupGateway}, "tlsroutes", append(routeV1[:2:2], "v1alpha3", "v1alpha2"), namespaced, "spec", of[Route](), true},
	ReferenceGrant:        {"ReferenceGrant", []string{groupGateway}, "referencegrants", routeV1, namespaced, "spec", of[ReferenceGrantSpec](), false},
	BackendTLSPolicy:      {"BackendTLSPolicy", []string{groupGateway}, "backendtlspolicies", append(v1[:1:1], "v1alpha3"), namespaced, "spec", of[BackendPolicy](), true},
	XBackendTrafficPolicy: {"XBackendTrafficPolicy", []string{"gateway.networking.x-k8s.io"}, "xbackendtrafficpolicies", []string{"v1alpha1"}, namespaced, "spec", of[BackendPolicy](), true},
	InferencePool:         {"InferencePool", []string{"inference.networking.k8s.io", "inference.networking.x-k8s.io"}, "inferencepools", []string{"v1", "v1alpha2"}, namespaced, "spec", of[InferencePoolSpec](), true},
	AuthorizationPolicy:   {"AuthorizationPolicy", []string{groupSecurity}, "authorizationpolicies", securityV1, namespaced, "spec", of[AuthorizationPolicySpec](), true},
	PeerAuthentication:    {"PeerAuthentication", []string{groupSecurity}, "peerauthentications", securityV1, namespaced, "spec", of[PeerAuthenticationSpec](), true},
	RequestAuthentication: {"RequestAuthentication", []string{groupSecurity}, "requestauthentications", securityV1, namespaced, "spec", of[RequestAuthenticationSpec](), true},
	VirtualService:        {"VirtualService", []string{groupNetworking}, "virtualservices", istioV1, namespaced, "spec", of[VirtualServiceSpec](), true},
	DestinationRule:       {"DestinationRule", []string{groupNetworking}, "destinationrules", istioV1, namespaced, "spec", of[DestinationRuleSpec](), true},
	ServiceEntry:          {"ServiceEntry", []string{groupNetworking}, "serviceentries", istioV1, namespaced, "spec", of[ServiceEntrySpec](), true},
	WorkloadEntry:         {"WorkloadEntry", []string{groupNetworking}, "workloadentries", istioV1, namespaced, "spec", of[WorkloadEntrySpec](), false},
	WorkloadGroup:         {"WorkloadGroup", []string{groupNetworking}, "workloadgroups", istioV1, namespaced, "spec", of[WorkloadGroupSpec](), false},
	Sidecar:               {"Sidecar", []string{groupNetworking}, "sidecars", istioV1, namespaced, "spec", of[SidecarSpec](), true},
	IstioGateway:          {"Gateway", []string{groupNetworking}, "gateways", istioV1, namespaced, "spec", of[IstioGatewaySpec](), false},
	EnvoyFilter:           {"EnvoyFilter", []string{groupNetworking}, "envoyfilters", []string{"v1alpha3"}, namespaced, "spec", of[EnvoyFilterSpec](), true},
	ProxyConfig:           {"ProxyConfig", []string{groupNetworking}, "proxyconfigs", []string{"v1beta1"}, namespaced, "spec", of[ProxyConfigSpec](), true},
	WasmPlugin:            {"WasmPlugin", []string{groupExtensions}, "wasmplugins", []string{"v1alpha1"}, namespaced, "spec", of[ExtensionSpec](), true},
	TrafficExtension:      {"TrafficExtension", []string{groupExtensions}, "trafficextensions", []string{"v1alpha1"}, namespaced, "spec", of[ExtensionSpec](), true},
	Telemetry:             {"Telemetry", []string{groupTelemetry}, "telemetries", telemetryV1, namespaced, "spec", of[TelemetrySpec](), true},

	// What only rules read: see Evidence.
	ClusterRole:                    {"ClusterRole", []string{groupRBAC}, "clusterroles", v1, cluster, "", of[RoleBody](), false},
	Role:                           {"Role", []string{groupRBAC}, "roles", v1, namespaced, "", of[RoleBody](), false},
	ClusterRoleBinding:             {"ClusterRoleBinding", []string{groupRBAC}, "clusterrolebindings", v1, cluster, "", of[RoleBindingBody](), false},
	RoleBinding:                    {"RoleBinding", []string{groupRBAC}, "rolebindings", v1, namespaced, "", of[RoleBindingBody](), false},
	ValidatingWebhookConfiguration: {"ValidatingWebhookConfiguration", []string{groupAdmission}, "validatingwebhookconfigurations", v1, cluster, "", of[WebhookConfigurationBody](), false},
	MutatingWebhookConfiguration:   {"MutatingWebhookConfiguration", []string{groupAdmission}, "mutatingwebhookconfigurations", v1, cluster, "", of[WebhookConfigurationBody](), false},
	Secret:                         {"Secret", []string{""}, "secrets", v1, namespaced, "", of[SecretBody](), false},
}

// groupKind is how a kind is found by what a manifest says, without building a string for each.
type groupKind struct{ group, kind string }

var kindByName = func() map[groupKind]Kind {
	m := make(map[groupKind]Kind, kindCount)
	for k := range kindCount {
		for _, g := range kinds[k].groups {
			m[groupKind{g, kinds[k].name}] = k
		}
	}
	return m
}()

// apiVersions are by kind, because they are asked for with each reference.
var apiVersions = func() (out [kindCount]string) {
	for k := range kindCount {
		out[k] = kinds[k].versions[0]
		if g := k.Group(); g != "" {
			out[k] = g + "/" + out[k]
		}
	}
	return out
}()

// KindOf tells which Kind an apiVersion and kind name; false for kinds that do not matter here.
func KindOf(apiVersion, kind string) (Kind, bool) {
	group, version, ok := strings.Cut(apiVersion, "/")
	if !ok {
		group, version = "", apiVersion
	}
	k, found := kindByName[groupKind{group, kind}]
	return k, found && version != ""
}

// String is the kind's name; the two kinds called Gateway are told apart by Group.
func (k Kind) String() string { return kinds[k].name }

// Group is the kind's API group, "" for core.
func (k Kind) Group() string { return kinds[k].groups[0] }

// Groups are all API groups that have served the kind.
func (k Kind) Groups() []string { return kinds[k].groups }

// Resource is the plural under which an API server serves the kind, as in "authorizationpolicies".
func (k Kind) Resource() string { return kinds[k].resource }

// Versions are those that have been served, the preferred one first.
func (k Kind) Versions() []string { return kinds[k].versions }

// APIVersion is the preferred one, as in "security.istio.io/v1".
func (k Kind) APIVersion() string { return apiVersions[k] }

// Namespaced is whether objects of the kind live in namespaces.
func (k Kind) Namespaced() bool { return kinds[k].scope == namespaced }

// IsPolicy is whether objects of the kind have effects: whether it makes sense to ask what one of
// them really does, and where.
func (k Kind) IsPolicy() bool { return kinds[k].policy }

func (k Kind) new() any     { return kinds[k].make() }
func (k Kind) root() string { return kinds[k].root }

// Kinds are all kinds, in order.
func Kinds() []Kind {
	all := make([]Kind, kindCount)
	for i := range all {
		all[i] = Kind(i)
	}
	return all
}
