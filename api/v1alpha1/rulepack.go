package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// RulePack brings rules in Rego into a running Waywarden: each becomes a check like any other, which Guardrails name and
// Exemptions except.
//
// A pack is taken as a whole or not at all. It is compiled, its scenarios and its tests in Rego are run, and everything that is
// stored is judged by it to see what it would find; then it takes the place of what was in force at once. One that is refused
// changes nothing: the last revision that was good stays in force, and the conditions say file, line and what to do.
//
// The parts of IDs before the first slash, as acme of acme/no-latest, belong to one pack. zero-trust, and those of the checks that
// come with Waywarden, belong to none.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=rp,categories=waywarden
// +kubebuilder:printcolumn:name="Rules",type=integer,JSONPath=`.status.count`,description="how many rules are in force"
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Revision",type=string,JSONPath=`.status.revision`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type RulePack struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is where the rules come from.
	// +required
	Spec RulePackSpec `json:"spec"`
	// status is what has become of it. Waywarden writes it.
	// +optional
	Status RulePackStatus `json:"status,omitzero"`
}

// RulePackSpec is where the rules come from: exactly one of modules, configMapRef and oci.
//
// +kubebuilder:validation:XValidation:rule="(has(self.modules) ? 1 : 0) + (has(self.configMapRef) ? 1 : 0) + (has(self.oci) ? 1 : 0) == 1",message="rules come from one place: set exactly one of modules, configMapRef and oci"
type RulePackSpec struct {
	// modules are the files themselves, by their path: GROUP/NAME.rego, and beside each rule GROUP/NAME.txtar with its scenarios.
	// The path is the package of the rule, with slashes for dots.
	//
	// Example: {"acme/no_latest.rego": "…", "acme/no_latest.txtar": "…"}.
	// +optional
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=1000
	Modules map[string]string `json:"modules,omitempty"`
	// configMapRef names a ConfigMap with the files.
	// +optional
	ConfigMapRef *RulePackConfigMap `json:"configMapRef,omitempty"`
	// oci names a bundle in a registry.
	// +optional
	OCI *RulePackOCI `json:"oci,omitempty"`
	// rollbackTo puts an earlier revision in force again, one of those in status.history. While it is set, the source is not
	// looked at; it needs not to be there.
	// +optional
	// +kubebuilder:validation:MaxLength=71
	// +kubebuilder:validation:XValidation:rule="self.matches('^sha256:[0-9a-f]{64}$')",message="a revision is written as in status.history: sha256: and 64 digits"
	RollbackTo string `json:"rollbackTo,omitempty"`
}

// RulePackConfigMap names a ConfigMap in Waywarden's own namespace. Elsewhere none is read: who may write ConfigMaps in some
// namespace must not decide what is demanded everywhere.
type RulePackConfigMap struct {
	// name is that of the ConfigMap. Its keys are the paths of the files with dots for slashes, because a key has no slashes:
	// acme.no_latest.rego and acme.no_latest.txtar. A change of it is a new revision.
	// +required
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="the name of a ConfigMap consists of lower-case letters, digits, dashes and dots"
	Name string `json:"name"`
}

// RulePackOCI names a bundle of OPA in a registry, signed.
type RulePackOCI struct {
	// image is the bundle, by its digest: what a tag means may change without anybody who may write RulePacks.
	//
	// Example: registry.example.com/policies/acme@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08.
	// +required
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-zA-Z0-9][a-zA-Z0-9.:-]*(/[a-z0-9._-]+)+(:[A-Za-z0-9_][A-Za-z0-9._-]*)?@sha256:[0-9a-f]{64}$')",message="a bundle is named by its digest, as in registry.example.com/policies/acme@sha256:…"
	Image string `json:"image"`
	// publicKeys are those whose signature counts, in PEM: one of them has to have signed the bundle.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=10
	PublicKeys []PublicKey `json:"publicKeys"`
}

// PublicKey is a public key in PEM.
//
// +kubebuilder:validation:MaxLength=8192
// +kubebuilder:validation:XValidation:rule="self.contains('-----BEGIN PUBLIC KEY-----')",message="a public key is written in PEM, and begins with -----BEGIN PUBLIC KEY-----"
type PublicKey string

// The types of conditions of RulePacks.
const (
	// RulePackAccepted is whether the source, as it stands, compiles and passes its tests.
	RulePackAccepted = "Accepted"
	// RulePackReady is whether what the spec asks for is in force.
	RulePackReady = "Ready"
	// RulePackKept is whether all that is kept for a rollback is what Waywarden kept, unchanged and signed as it was.
	RulePackKept = "Kept"
)

// The reasons of conditions of RulePacks.
const (
	ReasonInForce           = "InForce"           // what the source holds is in force
	ReasonRolledBack        = "RolledBack"        // what rollbackTo names is in force
	ReasonInvalid           = "Invalid"           // the spec is not well formed
	ReasonCompileError      = "CompileError"      // not loaded: the message has file, line and column
	ReasonTestFailed        = "TestFailed"        // a scenario or a test in Rego does not hold
	ReasonTooSlow           = "TooSlow"           // not compiled and tested in the time that there is
	ReasonTooLarge          = "TooLarge"          // larger than what an API server stores
	ReasonConflict          = "Conflict"          // its rules are called as those of another pack, or of Waywarden
	ReasonParametersInUse   = "ParametersInUse"   // a Guardrail gives a rule parameters that it does not take
	ReasonSourceUnavailable = "SourceUnavailable" // the ConfigMap or the registry has nothing
	ReasonSignatureInvalid  = "SignatureInvalid"  // nobody whose key is given has signed the bundle
	ReasonBundleInvalid     = "BundleInvalid"     // what is signed is no bundle of rules
	ReasonRevisionUnknown   = "RevisionUnknown"   // what rollbackTo names is not kept
	ReasonFetching          = "Fetching"          // a registry is being asked for the bundle
	ReasonJudging           = "Judging"           // it is being compiled and tested
	ReasonPreviewing        = "Previewing"        // what is stored is being judged by it
	ReasonActivating        = "Activating"        // it is previewed, and comes into force in a moment
	ReasonKeepFailed        = "KeepFailed"        // it would come into force, and the API server does not keep it
	ReasonVerified          = "Verified"          // each revision that is kept is what was kept
	ReasonNotVerified       = "NotVerified"       // one that is kept was exchanged, or put there by somebody else
)

// RulePackStatus is what has become of a RulePack.
type RulePackStatus struct {
	// observedGeneration is that of the spec by which this was written.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions say how it is. Accepted is whether the source, as it stands, compiles and passes its tests. Ready is True while
	// what the spec asks for is in force; where it is False, its message says why, with file and line, and what is in force
	// instead; where it is Unknown or its reason is Activating, it is on its way there. Kept is False where somebody tampered with what
	// is kept.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// revision is what is in force: a digest of all files. Empty, nothing is. Every replica judges by it.
	// +optional
	Revision string `json:"revision,omitempty"`
	// count is how many rules are in force.
	// +optional
	Count int32 `json:"count,omitempty"`
	// groups are the parts of IDs before the first slash that belong to the pack.
	// +optional
	// +listType=set
	Groups []string `json:"groups,omitempty"`
	// rules are those in force, by ID: the first five hundred.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=500
	Rules []RulePackRule `json:"rules,omitempty"`
	// history are the revisions that are kept, the latest first: rollbackTo can name them. They are kept in Waywarden's own
	// namespace, as ControllerRevisions.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	History []RulePackRevision `json:"history,omitempty"`
	// preview is what the revision in force changed when it was put there, or what one is about to change while the reason of Ready is
	// Activating: the findings among all that is stored.
	// +optional
	Preview *RulePackPreview `json:"preview,omitempty"`
}

// RulePackRule is one rule in force.
type RulePackRule struct {
	// id is that of the check.
	// +required
	ID string `json:"id"`
	// title is what it finds, in a few words.
	// +required
	Title string `json:"title"`
	// severity is how bad its findings are.
	// +required
	Severity Severity `json:"severity"`
}

// RulePackRevision is a revision that is kept.
type RulePackRevision struct {
	// revision is a digest of all files.
	// +required
	Revision string `json:"revision"`
	// since is when it was first put in force.
	// +required
	Since metav1.Time `json:"since"`
	// kept is the ControllerRevision that holds it, as NAMESPACE/NAME.
	// +required
	Kept string `json:"kept"`
	// signedBy is the key that signed it, by the digest of the key; empty where it came from no registry. What is kept has to bear
	// that signature.
	// +optional
	SignedBy string `json:"signedBy,omitempty"`
}

// RulePackPreview is what a revision changes among all that is stored, found out before it is put in force.
type RulePackPreview struct {
	// revision is what was judged by.
	// +required
	Revision string `json:"revision"`
	// at is when it was found out.
	// +optional
	At metav1.Time `json:"at,omitzero"`
	// objects is how many objects were judged.
	// +required
	Objects int32 `json:"objects"`
	// complete is whether everything was judged: the time was long enough, and every kind is read that the rules ask for.
	// +required
	Complete bool `json:"complete"`
	// adds is how many findings there are that were not there with the revision before.
	// +required
	Adds int32 `json:"adds"`
	// removes is how many findings there are no more.
	// +required
	Removes int32 `json:"removes"`
	// examples are some of them, as "adds acme/no-latest to Deployment shop/cart: …": the first ten.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=10
	Examples []string `json:"examples,omitempty"`
	// unread are the kinds that rules ask for and that are not read, or not yet: what those rules find is not counted.
	// +optional
	// +listType=atomic
	Unread []string `json:"unread,omitempty"`
}

// RulePackList is a list of RulePacks.
//
// +kubebuilder:object:root=true
type RulePackList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// items are the RulePacks.
	Items []RulePack `json:"items"`
}
