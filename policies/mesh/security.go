package mesh

// TargetRef names an object that a policy is attached to. Namespace is rejected by validation, but
// decides where it gets through.
type TargetRef struct {
	Group       string `json:"group"`
	Kind        string `json:"kind"`
	Namespace   string `json:"namespace"`
	Name        string `json:"name"`
	SectionName string `json:"sectionName"`
}

// Attachment is how Istio's policies say where they hold: at most one of selector, the legacy
// targetRef and targetRefs; none of them means the whole namespace, or from the root namespace the
// whole mesh.
type Attachment struct {
	Selector   *WorkloadSelector
	TargetRef  *TargetRef
	TargetRefs []TargetRef
}

// Refs are the targetRefs, the legacy one counted in; RefField names the n-th.
func (a Attachment) Refs() []TargetRef {
	if len(a.TargetRefs) == 0 && a.TargetRef != nil {
		return []TargetRef{*a.TargetRef}
	}
	return a.TargetRefs
}

// WorkloadSelector selects pods by labels. Nil MatchLabels and empty MatchLabels differ: see
// AuthorizationPolicySpec.
type WorkloadSelector struct {
	MatchLabels map[string]string `json:"matchLabels"`
}

// AuthorizationPolicySpec is the spec of an AuthorizationPolicy.
type AuthorizationPolicySpec struct {
	Selector   *WorkloadSelector `json:"selector"`
	TargetRef  *TargetRef        `json:"targetRef"`
	TargetRefs []TargetRef       `json:"targetRefs"`
	Action     string            `json:"action"` // "" is ALLOW
	Rules      []Rule            `json:"rules"`
	Provider   *struct {
		Name string `json:"name"`
	} `json:"provider"`
	Unknown []string `json:",unknown"`
}

// Attachment says where the policy holds.
func (p *AuthorizationPolicySpec) Attachment() Attachment {
	return Attachment{p.Selector, p.TargetRef, p.TargetRefs}
}

// Rule is one rule of an AuthorizationPolicy: from, to and every when must match.
type Rule struct {
	From []struct {
		Source  Source   `json:"source"`
		Unknown []string `json:",unknown"`
	} `json:"from"`
	To []struct {
		Operation Operation `json:"operation"`
		Unknown   []string  `json:",unknown"`
	} `json:"to"`
	When    []Condition `json:"when"`
	Unknown []string    `json:",unknown"`
}

// Source is who calls. Its fields are ANDed, the values of one field ORed. A field that this
// package does not know is kept in Unknown: it is never assumed to be harmless.
type Source struct {
	Principals           []string `json:"principals"`
	NotPrincipals        []string `json:"notPrincipals"`
	RequestPrincipals    []string `json:"requestPrincipals"`
	NotRequestPrincipals []string `json:"notRequestPrincipals"`
	Namespaces           []string `json:"namespaces"`
	NotNamespaces        []string `json:"notNamespaces"`
	ServiceAccounts      []string `json:"serviceAccounts"`
	NotServiceAccounts   []string `json:"notServiceAccounts"`
	IPBlocks             []string `json:"ipBlocks"`
	NotIPBlocks          []string `json:"notIpBlocks"`
	RemoteIPBlocks       []string `json:"remoteIpBlocks"`
	NotRemoteIPBlocks    []string `json:"notRemoteIpBlocks"`
	TrustDomains         []string `json:"trustDomains"`
	NotTrustDomains      []string `json:"notTrustDomains"`
	Unknown              []string `json:",unknown"`
}

// Operation is what is called.
type Operation struct {
	Hosts      []string `json:"hosts"`
	NotHosts   []string `json:"notHosts"`
	Ports      []string `json:"ports"`
	NotPorts   []string `json:"notPorts"`
	Methods    []string `json:"methods"`
	NotMethods []string `json:"notMethods"`
	Paths      []string `json:"paths"`
	NotPaths   []string `json:"notPaths"`
	Unknown    []string `json:",unknown"`
}

// Condition is one entry of a rule's when.
type Condition struct {
	Key       string   `json:"key"`
	Values    []string `json:"values"`
	NotValues []string `json:"notValues"`
}

// The modes of PeerAuthentication; "" is Unset.
const (
	Unset      = "UNSET"
	Strict     = "STRICT"
	Permissive = "PERMISSIVE"
	Disable    = "DISABLE"
)

// MutualTLS is a PeerAuthentication's mode.
type MutualTLS struct {
	Mode string `json:"mode"`
}

// ModeOr is the mode, Unset where there is none.
func (m *MutualTLS) ModeOr() string {
	if m == nil || m.Mode == "" {
		return Unset
	}
	return m.Mode
}

// PeerAuthenticationSpec is the spec of a PeerAuthentication. The keys of PortLevelMTLS are workload
// ports, as text.
type PeerAuthenticationSpec struct {
	Selector      *WorkloadSelector     `json:"selector"`
	MTLS          *MutualTLS            `json:"mtls"`
	PortLevelMTLS map[string]*MutualTLS `json:"portLevelMtls"`
}

// RequestAuthenticationSpec is the spec of a RequestAuthentication.
type RequestAuthenticationSpec struct {
	Selector   *WorkloadSelector `json:"selector"`
	TargetRef  *TargetRef        `json:"targetRef"`
	TargetRefs []TargetRef       `json:"targetRefs"`
	JWTRules   []struct {
		Issuer string `json:"issuer"`
	} `json:"jwtRules"`
}

// Attachment says where the policy holds.
func (p *RequestAuthenticationSpec) Attachment() Attachment {
	return Attachment{p.Selector, p.TargetRef, p.TargetRefs}
}
