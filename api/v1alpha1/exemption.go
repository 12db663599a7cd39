package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Exemption is a signed-off exception to what Guardrails demand of some objects of its own namespace, until it ends.
//
// Exempt findings are not denied. They stay in every report, marked as exempt and by what. From expiresAt on the
// findings are denied again, and say which Exemption has ended; an Exemption that matches nothing is itself found,
// so that it can be removed.
//
// Whoever may write Exemptions of a namespace may except every object that stands in it, also one whose effect
// reaches other namespaces. Grant that right as you would grant the right to change Guardrails.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,categories=waywarden
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.status.state`
// +kubebuilder:printcolumn:name="Matched",type=integer,JSONPath=`.status.matched`,description="how many findings it excepts"
// +kubebuilder:printcolumn:name="Expires",type=string,JSONPath=`.spec.expiresAt`
// +kubebuilder:printcolumn:name="Granted-By",type=string,JSONPath=`.spec.grantedBy`
// +kubebuilder:printcolumn:name="Ticket",type=string,JSONPath=`.spec.ticket`,priority=1
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.spec.reason`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Exemption struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what is excepted, why, and until when.
	// +required
	Spec ExemptionSpec `json:"spec"`
	// status is what has become of it. Waywarden writes it.
	// +optional
	Status ExemptionStatus `json:"status,omitzero"`
}

// ExemptionSpec is what is excepted, why, and until when.
type ExemptionSpec struct {
	// checks are the checks whose findings are exempt, by their IDs, written as in a Guardrail.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=100
	Checks []CheckGlob `json:"checks"`
	// subjects are the objects whose findings are exempt; objects of this namespace, or the namespace itself.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=100
	Subjects []Subject `json:"subjects"`
	// reason is why, for whoever reads a report.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1000
	// +kubebuilder:validation:XValidation:rule="self.trim() != ''",message="say why: an empty reason tells an auditor nothing"
	Reason string `json:"reason"`
	// ticket is where it was decided, such as the key of an issue.
	// +optional
	// +kubebuilder:validation:MaxLength=200
	Ticket string `json:"ticket,omitempty"`
	// expiresAt is when the exception ends, as in 2027-01-31T00:00:00Z. It may lie at most as far ahead as the
	// installation allows, 90 days unless it was set up otherwise; one that lies further ahead excepts nothing.
	// To renew an Exemption, move the time.
	// +required
	ExpiresAt metav1.Time `json:"expiresAt"`
	// grantedBy is who wrote the spec as it stands. Waywarden sets it, and refuses any other value.
	// +optional
	// +kubebuilder:validation:MaxLength=500
	GrantedBy string `json:"grantedBy,omitempty"`
}

// Subject names objects by kind and name.
type Subject struct {
	// kind is the kind of the objects, such as AuthorizationPolicy.
	// +required
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Z][A-Za-z0-9]*$')",message="name a kind as manifests do, as in AuthorizationPolicy"
	Kind string `json:"kind"`
	// name is the name of the objects; "*" stands for any characters and "?" for one. Left out, all objects of the
	// kind are meant.
	// +optional
	// +default="*"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9.*?-]+$')",message="the name of an object consists of lower-case letters, digits, dashes and dots; * and ? stand for others, as in legacy-*"
	Name string `json:"name,omitempty"`
}

// ExemptionState is what an Exemption amounts to.
//
// +kubebuilder:validation:Enum=Active;Expired;Unused;TooLong
type ExemptionState string

// The states of an Exemption.
const (
	StateActive  ExemptionState = "Active"  // excepts findings
	StateExpired ExemptionState = "Expired" // has ended
	StateUnused  ExemptionState = "Unused"  // has not ended, and excepts nothing
	StateTooLong ExemptionState = "TooLong" // would end later than the installation allows, and excepts nothing
)

// ExemptionStatus is what has become of an Exemption.
type ExemptionStatus struct {
	// state is Active while the Exemption excepts findings, Unused while there is none that it could, Expired from
	// expiresAt on, and TooLong where expiresAt lies further ahead than the installation allows.
	// +optional
	State ExemptionState `json:"state,omitempty"`
	// matched is how many findings it excepts.
	// +optional
	Matched int32 `json:"matched,omitempty"`
	// conditions say more about the state. Ready is True while the Exemption is in force.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ExemptionList is a list of Exemptions.
//
// +kubebuilder:object:root=true
type ExemptionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// items are the Exemptions.
	Items []Exemption `json:"items"`
}
