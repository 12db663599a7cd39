package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// WaypointProfile says how the waypoints are made that Waywarden provisions: how many serve what, and how istiod deploys
// them.
//
// Guardrails name a profile, by default the one called "default". Where that is not stored, waypoints are made as istiod
// makes them unasked. Waywarden writes a Gateway, and a ConfigMap with these settings to which the Gateway refers; istiod
// deploys by them. Nobody but istiod writes the Deployment.
//
// A change of a profile changes every waypoint that was made by it. A change of what pods are made of replaces them, as a
// rollout of their Deployment.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=wpp,categories=waywarden
// +kubebuilder:printcolumn:name="Granularity",type=string,JSONPath=`.spec.granularity`
// +kubebuilder:printcolumn:name="Waypoints",type=integer,JSONPath=`.status.waypoints`,description="how many waypoints are made by it"
// +kubebuilder:printcolumn:name="Needs",type=integer,JSONPath=`.status.needs`,description="how many reasons there are for them"
// +kubebuilder:printcolumn:name="Blocked",type=integer,JSONPath=`.status.blocked`,description="how many needs no waypoint is made for, until somebody decides"
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type WaypointProfile struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is how waypoints are made. Left out, they are made as istiod makes them unasked.
	// +optional
	// +default={}
	Spec WaypointProfileSpec `json:"spec,omitzero"`
	// status is what has become of it. Waywarden writes it.
	// +optional
	Status WaypointProfileStatus `json:"status,omitzero"`
}

// WaypointProfileSpec is how waypoints are made.
//
// +kubebuilder:validation:XValidation:rule="(has(self.granularity) && self.granularity == 'Shared') == (has(self.sharedNamespace) && size(self.sharedNamespace) > 0)",fieldPath=".sharedNamespace",message="a shared waypoint needs the namespace that it lives in, and no other waypoint has one: set sharedNamespace exactly with granularity Shared"
// +kubebuilder:validation:XValidation:rule="!has(self.replicas) || !has(self.autoscaling)",fieldPath=".replicas",message="with autoscaling the autoscaler decides how many there are, and the two would undo each other: set one of replicas and autoscaling"
type WaypointProfileSpec struct {
	// granularity is what shares a waypoint.
	//
	// Namespace makes one waypoint in each namespace that needs one.
	// Service makes one for each Service or ServiceEntry that needs one.
	// Shared makes one in sharedNamespace for all namespaces whose Guardrails name this profile. They share its fate too. It is called
	// waypoint-<profile>, or waypoint for profile default. None is made where a Guardrail has mode Require for sharedNamespace.
	// +optional
	// +default="Namespace"
	Granularity Granularity `json:"granularity,omitempty"`
	// gatewayClassName is the GatewayClass of the waypoints. It has to be one that istiod deploys as a waypoint.
	// +optional
	// +default="istio-waypoint"
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="the name of a GatewayClass consists of lower-case letters, digits, dashes and dots"
	// +kubebuilder:validation:XValidation:rule="!(self in ['istio', 'istio-remote', 'istio-east-west', 'istio-agentgateway', 'istio-agentgateway-waypoint'])",message="this GatewayClass makes no waypoint that Istio's policies take effect at: name istio-waypoint, or one of your own with the same controller"
	GatewayClassName string `json:"gatewayClassName,omitempty"`
	// sharedNamespace is where the waypoint of granularity Shared lives.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="size(self) == 0 || self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="the name of a namespace consists of lower-case letters, digits and dashes"
	SharedNamespace string `json:"sharedNamespace,omitempty"`
	// replicas is how many pods a waypoint has. Left out, and without autoscaling, it has one, or as many as an autoscaler has left.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	Replicas *int32 `json:"replicas,omitempty"`
	// autoscaling makes a HorizontalPodAutoscaler for each waypoint. It takes the place of replicas, and takes over as many pods as
	// there are.
	// +optional
	Autoscaling *Autoscaling `json:"autoscaling,omitempty"`
	// disruptionBudget makes a PodDisruptionBudget for each waypoint. As many pods as it keeps have to be ready before
	// anything is sent to a new waypoint.
	// +optional
	DisruptionBudget *DisruptionBudget `json:"disruptionBudget,omitempty"`
	// resources are what each pod asks for, and may use at most. An autoscaler compares with what it asks for.
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`
	// affinity is near what pods are scheduled, and what they keep away from.
	// +optional
	Affinity *corev1.Affinity `json:"affinity,omitempty"`
	// topologySpreadConstraints spread pods over nodes and zones. A constraint without labelSelector spreads the pods of
	// each waypoint among themselves.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	TopologySpreadConstraints []corev1.TopologySpreadConstraint `json:"topologySpreadConstraints,omitempty"`
	// nodeSelector selects the nodes that pods may run on.
	// +optional
	// +kubebuilder:validation:MaxProperties=50
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`
	// tolerations let pods run on tainted nodes.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=50
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`
	// priorityClassName is the priority of pods over others.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	PriorityClassName string `json:"priorityClassName,omitempty"`
	// labels are set on everything that istiod makes for a waypoint, its pods among them. Labels by which istiod finds
	// what it made cannot be set.
	// +optional
	// +kubebuilder:validation:MaxProperties=50
	Labels map[string]string `json:"labels,omitempty"`
	// annotations are set on everything that istiod makes for a waypoint, its pods among them.
	// +optional
	// +kubebuilder:validation:MaxProperties=50
	Annotations map[string]string `json:"annotations,omitempty"`
	// patch is a strategic merge patch of the Deployment, for what no other field says. It is merged over them. It cannot say how
	// many replicas there are, nor change labels and annotations by which a waypoint is found and captured.
	//
	// Example: {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 60}}}}
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:Type=object
	// +kubebuilder:validation:Schemaless
	Patch *runtime.RawExtension `json:"patch,omitempty"`
	// ingress is whether calls from ingress gateways pass the waypoint too. It is switched on as a step of its own, after
	// the waypoint serves.
	// +optional
	Ingress bool `json:"ingress,omitempty"`
	// retainFor is how long a waypoint is kept that nothing needs any more, as in 30m. A policy that is replaced, or a release
	// that is rolled back, then finds its waypoint as it was.
	// +optional
	// +default="1h"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('8760h')",message="a waypoint is kept for a length of time from 0s to 8760h"
	RetainFor *metav1.Duration `json:"retainFor,omitempty"`
}

// Granularity is what shares a waypoint.
//
// +kubebuilder:validation:Enum=Namespace;Service;Shared
type Granularity string

// What shares a waypoint.
const (
	PerNamespace Granularity = "Namespace"
	PerService   Granularity = "Service"
	Shared       Granularity = "Shared"
)

// Autoscaling is a HorizontalPodAutoscaler by the use of CPU.
//
// +kubebuilder:validation:XValidation:rule="!has(self.minReplicas) || self.minReplicas <= self.maxReplicas",fieldPath=".minReplicas",message="there are never fewer pods than minReplicas nor more than maxReplicas: minReplicas must not exceed maxReplicas"
type Autoscaling struct {
	// minReplicas is how many pods there are at least.
	// +optional
	// +default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	MinReplicas int32 `json:"minReplicas,omitempty"`
	// maxReplicas is how many pods there are at most.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	MaxReplicas int32 `json:"maxReplicas"`
	// targetCPUUtilization is the use of CPU that the autoscaler aims at, in percent of what pods ask for.
	// +optional
	// +default=80
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	TargetCPUUtilization int32 `json:"targetCPUUtilization,omitempty"`
}

// DisruptionBudget is how many pods voluntary disruptions, such as draining a node, leave.
//
// +kubebuilder:validation:XValidation:rule="has(self.minAvailable) != has(self.maxUnavailable)",message="set one of minAvailable and maxUnavailable"
type DisruptionBudget struct {
	// minAvailable is how many pods stay, as a number or in percent.
	// +optional
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? self >= 0 : self.matches('^(100|[0-9]{1,2})%$')",message="a number of pods, or a percentage such as 50%"
	MinAvailable *intstr.IntOrString `json:"minAvailable,omitempty"`
	// maxUnavailable is how many pods may go, as a number or in percent.
	// +optional
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? self >= 0 : self.matches('^(100|[0-9]{1,2})%$')",message="a number of pods, or a percentage such as 50%"
	MaxUnavailable *intstr.IntOrString `json:"maxUnavailable,omitempty"`
}

// WaypointProfileStatus is what has become of a WaypointProfile.
type WaypointProfileStatus struct {
	// conditions say how its waypoints are. Ready is True while each of them is deployed by the profile as it is now, serves and is as
	// it should be; where it is False, its message says which is not and what to do. Met is False while there are policies for which no
	// waypoint is made, because somebody has to decide something first; its message says of one of them what.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// waypoints is how many waypoints are made by it.
	// +optional
	Waypoints int32 `json:"waypoints,omitempty"`
	// needs is how many reasons there are for them.
	// +optional
	Needs int32 `json:"needs,omitempty"`
	// needed are the waypoints and why each of them exists, by namespace and name: the first hundred.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=100
	Needed []NeededWaypoint `json:"needed,omitempty"`
	// blocked is how many needs there are for which no waypoint is made, because somebody has to decide something first. They are not
	// counted among needs.
	// +optional
	Blocked int32 `json:"blocked,omitempty"`
	// undecided are the needs that are blocked, by target and policy: the first hundred.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=100
	Undecided []BlockedNeed `json:"undecided,omitempty"`
}

// BlockedNeed is a policy that needs a waypoint which is not made, and why.
type BlockedNeed struct {
	// policy is what needs a waypoint, as "AuthorizationPolicy shop/deny-get".
	// +required
	Policy string `json:"policy"`
	// target is for what it needs one, as "Service shop/cart".
	// +required
	Target string `json:"target"`
	// message says why none is made, and what to do.
	// +optional
	Message string `json:"message,omitempty"`
}

// NeededWaypoint is a waypoint, and why it exists.
type NeededWaypoint struct {
	// namespace is where it lives.
	// +required
	Namespace string `json:"namespace"`
	// name is that of its Gateway.
	// +required
	Name string `json:"name"`
	// state is how far it has come, in one word.
	// +required
	State string `json:"state"`
	// message says what is waited for, or what stops it.
	// +optional
	Message string `json:"message,omitempty"`
	// since is since when it is not as planned, whatever it waited for meanwhile; unset where it is, or where there is no Gateway yet.
	// +optional
	Since *metav1.Time `json:"since,omitempty"`
	// needs is how many reasons there are for it.
	// +optional
	Needs int32 `json:"needs,omitempty"`
	// because are the reasons, as "AuthorizationPolicy shop/deny-get for Service shop/cart": the first ten.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=10
	Because []string `json:"because,omitempty"`
}

// WaypointProfileList is a list of WaypointProfiles.
//
// +kubebuilder:object:root=true
type WaypointProfileList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// items are the WaypointProfiles.
	Items []WaypointProfile `json:"items"`
}
