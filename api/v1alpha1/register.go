package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is that of all kinds of this package.
var GroupVersion = schema.GroupVersion{Group: "waywarden.dev", Version: "v1alpha1"}

// The kinds, and the resources under which an API server serves them.
const (
	GuardrailKind           = "Guardrail"
	GuardrailResource       = "guardrails"
	ExemptionKind           = "Exemption"
	ExemptionResource       = "exemptions"
	WaypointProfileKind     = "WaypointProfile"
	WaypointProfileResource = "waypointprofiles"
	RulePackKind            = "RulePack"
	RulePackResource        = "rulepacks"
)

// schemeBuilder is filled in where a scheme asks for it, and by nothing else.
var schemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

// AddToScheme adds the kinds of this package to a scheme.
var AddToScheme = schemeBuilder.AddToScheme

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion, &Guardrail{}, &GuardrailList{}, &Exemption{}, &ExemptionList{}, &WaypointProfile{}, &WaypointProfileList{},
		&RulePack{}, &RulePackList{})
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
