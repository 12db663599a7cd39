package v1alpha1

import (
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Guardrail says what is demanded of the policies of some namespaces.
//
// Without any Guardrail every finding is a warning: install, watch, then tighten. A check that no entry of any
// Guardrail names is a warning too. Where several Guardrails select a namespace, the strictest action for a check
// counts: Deny, then Warn, then Audit, then Off. Only an Exemption loosens what a Guardrail demands.
//
// A finding belongs to the namespaces in which the policy changes something, not to that in which it stands: a
// policy of Istio's root namespace is judged by the Guardrails of every namespace that it reaches.
//
// What only waits for other objects, such as a policy whose waypoint is yet to come, is never denied: it is admitted,
// warned about, and reported until it is in force. So the order in which objects are applied does not matter.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=gr,categories=waywarden
// +kubebuilder:printcolumn:name="Checks",type=integer,JSONPath=`.status.checks`,description="how many checks its entries name"
// +kubebuilder:printcolumn:name="Namespaces",type=integer,JSONPath=`.status.namespaces`,description="how many namespaces it selects"
// +kubebuilder:printcolumn:name="Fix",type=string,JSONPath=`.spec.fix`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Guardrail struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what is demanded, and where.
	// +required
	Spec GuardrailSpec `json:"spec"`
	// status is what has become of it. Waywarden writes it.
	// +optional
	Status GuardrailStatus `json:"status,omitzero"`
}

// GuardrailSpec is what is demanded, and where.
type GuardrailSpec struct {
	// namespaceSelector selects the namespaces by their labels. Empty, or left out, it selects every namespace, and
	// with them what lies in none.
	//
	// A namespace can be selected by its name, with the label kubernetes.io/metadata.name. A change of a namespace's
	// labels that takes it out of the selection is itself judged by this Guardrail.
	// +optional
	// +kubebuilder:validation:XValidation:rule="!has(self.matchExpressions) || self.matchExpressions.all(e, e.operator in ['In', 'NotIn', 'Exists', 'DoesNotExist'])",message="the operator of an expression is In, NotIn, Exists or DoesNotExist"
	// +kubebuilder:validation:XValidation:rule="!has(self.matchExpressions) || self.matchExpressions.all(e, e.operator in ['In', 'NotIn'] == (has(e.values) && size(e.values) > 0))",message="In and NotIn need values; Exists and DoesNotExist take none"
	NamespaceSelector metav1.LabelSelector `json:"namespaceSelector,omitzero"`
	// checks say what is done about the findings of which checks. Where several entries name a check and its finding is
	// severe enough for them, the last of them counts.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=100
	Checks []CheckEntry `json:"checks"`
	// fix is whether Waywarden may repair objects on their way into the cluster, where a finding offers a repair by which
	// nothing becomes less restricted.
	//
	// Never leaves objects as they were written, and says in a warning what the repair would be.
	// Admission applies the first repair of a finding that this Guardrail denies or warns about.
	//
	// Where several Guardrails select the namespace, those decide that demand the strictest action for the check; one
	// Never among them is enough to leave the object alone.
	// +optional
	// +default="Never"
	Fix Fix `json:"fix,omitempty"`
	// waypoints is what is done about policies that need a waypoint to take effect. Left out, this Guardrail says nothing
	// about them; where no Guardrail does, they are reported, and Waywarden makes no waypoint.
	// +optional
	Waypoints *GuardrailWaypoints `json:"waypoints,omitempty"`
}

// GuardrailWaypoints is what is done about policies that need a waypoint.
type GuardrailWaypoints struct {
	// mode is who makes waypoints.
	//
	// Observe: nobody. What needs one is reported, with the manifests that would make it.
	// Require: their owners. A policy that no waypoint can ever put in force is denied; one that only waits for its
	// waypoint is admitted and reported until it is in force.
	// Provision: Waywarden. A policy that needs a waypoint is admitted with a warning that names it, and the waypoint is
	// made once the policy is stored. It is taken away when nothing needs it any more.
	// +optional
	// +default="Observe"
	Mode WaypointMode `json:"mode,omitempty"`
	// pending is what holds while a target waits for its waypoint.
	//
	// Open: it is called as before.
	// Guard: nobody but the waypoint may call it, so nobody at all until the waypoint serves. It is a planned outage, and
	// is done only for a Service with a selector that has the annotation waywarden.dev/hold, whose value is the reason, or of
	// which no endpoint is ready when its policy comes; others are called as before. It needs mode Provision.
	// +optional
	// +default="Open"
	Pending WaypointGuard `json:"pending,omitempty"`
	// bypass is what holds once a target has its waypoint.
	//
	// Open: who calls its pods directly passes no waypoint.
	// Guard: a policy at ztunnel lets only the waypoint in. Where another way to the pods is known that it would close, as of a
	// headless Service, a caller with a sidecar or a scraper of metrics, there is none, and the plan says which way, unless
	// bypassExceptions names it. It needs mode Provision.
	// +optional
	// +default="Open"
	Bypass WaypointGuard `json:"bypass,omitempty"`
	// bypassExceptions are callers that a guard lets in beside the waypoint. Each is written into the guard by its whole name, so
	// that nobody else gets in with it. Of several Guardrails that demand a guard in a namespace, only those callers are excepted
	// that each of them names.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	BypassExceptions []BypassException `json:"bypassExceptions,omitempty"`
	// profile is the WaypointProfile by which waypoints are made. Of several Guardrails that select a namespace and are
	// equally strict about mode, the first by name decides.
	// +optional
	// +default="default"
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="the name of a WaypointProfile consists of lower-case letters, digits, dashes and dots"
	Profile string `json:"profile,omitempty"`
}

// BypassException is whom a guard lets in at the pods beside the waypoint, and why.
type BypassException struct {
	// principals are identities as ztunnel sees them, without spiffe:// and without wildcards.
	//
	// Example: "cluster.local/ns/monitoring/sa/prometheus".
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=50
	Principals []Principal `json:"principals"`
	// services are Services, as namespace/name, by which a way goes of which nobody can tell who takes it, such as a headless one,
	// one of type NodePort, or one whose pods are scraped by somebody who is not in the mesh. Naming one here says that whoever
	// takes that way is among the principals, or may be shut out: it is no longer a reason to have no guard.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=50
	Services []ServiceName `json:"services,omitempty"`
	// reason is why they go round the waypoint. It is shown with the plan.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1000
	Reason string `json:"reason"`
}

// Principal is the identity of a workload, as in "cluster.local/ns/monitoring/sa/prometheus".
//
// +kubebuilder:validation:MaxLength=400
// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-._a-z0-9]*[a-z0-9])?/ns/[a-z0-9]([-a-z0-9]*[a-z0-9])?/sa/[a-z0-9]([-.a-z0-9]*[a-z0-9])?$')",message="a principal is a trust domain, a namespace and a service account, whole and without wildcards, as in cluster.local/ns/monitoring/sa/prometheus"
type Principal string

// ServiceName names a Service with its namespace, as in "shop/cart-headless".
//
// +kubebuilder:validation:MaxLength=127
// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="a Service is named with its namespace, as in shop/cart-headless"
type ServiceName string

// WaypointMode is who makes waypoints.
//
// +kubebuilder:validation:Enum=Observe;Require;Provision
type WaypointMode string

// Who makes waypoints.
const (
	ObserveWaypoints   WaypointMode = "Observe"
	RequireWaypoints   WaypointMode = "Require"
	ProvisionWaypoints WaypointMode = "Provision"
)

// WaypointGuard is whether a target is closed to whoever does not come through its waypoint.
//
// +kubebuilder:validation:Enum=Open;Guard
type WaypointGuard string

// Whether a target is closed.
const (
	GuardOpen   WaypointGuard = "Open"
	GuardClosed WaypointGuard = "Guard"
)

// DefaultProfile is the WaypointProfile that a Guardrail means where it names none.
const DefaultProfile = "default"

// CheckEntry says what is done about the findings of some checks.
//
// +kubebuilder:validation:XValidation:rule="!has(self.params) || size(self.ids) == 1 && !self.ids[0].matches('[*?]')",fieldPath=".ids",message="params are of one check: name it by its whole ID, in an entry of its own"
type CheckEntry struct {
	// ids are the checks, by their IDs as `waywarden checks list` prints them. "*" stands for anything within a part
	// of an ID, "?" for one character; an ID that ends in "/*" means everything below, and "*" alone means all checks.
	//
	// Examples: "effect/l7-deny-no-op", "effect/l7-*", "zero-trust/*".
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=100
	IDs []CheckGlob `json:"ids"`
	// minSeverity limits the entry to findings that are at least so severe. Left out, it is about all of them.
	// +optional
	MinSeverity Severity `json:"minSeverity,omitempty"`
	// action is what is done.
	//
	// Deny refuses the object, unless the finding is exempt or only waits for other objects.
	// Warn admits it, tells whoever applies it, and reports it.
	// Audit admits it and reports it.
	// Off does neither: the finding is not shown anywhere.
	// +required
	Action Action `json:"action"`
	// params are parameters of the check, by the names that `waywarden checks explain` prints; those that are left out are
	// as the check has them. Such an entry names one check, by its whole ID.
	//
	// Where several Guardrails select a namespace and give different ones, the check is asked with each of them, and what it
	// finds is judged by the Guardrail that gave them.
	//
	// Example: {"allow": ["cluster.local/ns/monitoring/sa/prometheus"]}.
	// +optional
	// +kubebuilder:validation:Type=object
	// +kubebuilder:pruning:PreserveUnknownFields
	Params *runtime.RawExtension `json:"params,omitempty"`
}

// ParamValues are the parameters; nil where there are none. The error is for what is no JSON object.
func (e *CheckEntry) ParamValues() (map[string]any, error) {
	if e.Params == nil || len(e.Params.Raw) == 0 {
		return nil, nil
	}
	var out map[string]any
	err := json.Unmarshal(e.Params.Raw, &out)
	return out, err
}

// CheckGlob names checks by their ID.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=200
// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9*?-]+(/[a-z0-9*?-]+)*$')",message="the ID of a check consists of lower-case letters, digits and dashes in parts between slashes; * and ? stand for others, as in effect/l7-*"
type CheckGlob string

// Action is what is done about a finding.
//
// +kubebuilder:validation:Enum=Deny;Warn;Audit;Off
type Action string

// The actions, the strictest first.
const (
	Deny  Action = "Deny"
	Warn  Action = "Warn"
	Audit Action = "Audit"
	Off   Action = "Off"
)

// Actions are all of them, the strictest first.
var Actions = []Action{Deny, Warn, Audit, Off}

// Stricter is whether a counts where both are demanded. What is no action is less strict than any.
func (a Action) Stricter(b Action) bool { return a.rank() < b.rank() }

func (a Action) rank() int {
	switch a {
	case Deny:
		return 0
	case Warn:
		return 1
	case Audit:
		return 2
	case Off:
		return 3
	}
	return 4
}

// Severity is how bad a finding is.
//
// +kubebuilder:validation:Enum=critical;high;medium;low;info
type Severity string

// Severities are all of them, the worst first.
var Severities = []Severity{"critical", "high", "medium", "low", "info"}

// Fix is whether objects may be repaired.
//
// +kubebuilder:validation:Enum=Never;Admission
type Fix string

// When objects may be repaired.
const (
	FixNever     Fix = "Never"
	FixAdmission Fix = "Admission"
)

// GuardrailStatus is what has become of a Guardrail.
type GuardrailStatus struct {
	// conditions say whether the Guardrail is in force. Ready is True once the replica that leads judges by it
	// as it stands, and the others are a moment away; where it is False, its message says what to correct.
	// AdmissionInForce is True while the API server is shown to ask Waywarden, and False where it is shown not to, so that
	// nobody is held to the Guardrail. WaypointsProvided is for Guardrails with mode Provision: False where Waywarden is installed
	// without the right to make waypoints, so that none is made.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// checks is how many of the checks that there are the entries name.
	// +optional
	Checks int32 `json:"checks,omitempty"`
	// namespaces is how many namespaces are selected.
	// +optional
	Namespaces int32 `json:"namespaces,omitempty"`
}

// GuardrailList is a list of Guardrails.
//
// +kubebuilder:object:root=true
type GuardrailList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// items are the Guardrails.
	Items []Guardrail `json:"items"`
}
