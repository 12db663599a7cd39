package mesh

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"istio.io/api/label"
	"sigs.k8s.io/yaml"
)

// Options are what a Snapshot takes as given. The zero value means Istio's defaults.
type Options struct {
	RootNamespace string // default "istio-system"; the istio ConfigMap's rootNamespace wins over the default
	TrustDomain   string // default "cluster.local"
	ClusterDomain string // default "cluster.local"
	IstioVersion  string // as in "1.31"; default: istiod's image tag where it is in the input, else 1.31
	// AssumeAmbient judges namespaces whose Namespace object is not in the input as enrolled, and whole.
	AssumeAmbient bool
	// Enrolment overrides istio-cni's enablementSelectors; nil means what its ConfigMap says, else Istio's defaults.
	Enrolment []EnrolmentSelector
	// ExcludedNamespaces overrides istio-cni's excludeNamespaces; nil means what its ConfigMap says, else kube-system.
	ExcludedNamespaces []string
	// Unread are kinds of which the input would not show that there are any, in order: see Snapshot.Reads.
	Unread []Kind
	// Unprovided is that Waywarden makes no waypoints, as its controller is switched off or gone: what a Gateway of its making says of itself,
	// and of what is to be bound to it, is left over from when it did.
	Unprovided bool
}

// EnrolmentSelector is one of istio-cni's ambient.enablementSelectors: both must match.
type EnrolmentSelector struct {
	Pod       LabelSelector `json:"podSelector"`
	Namespace LabelSelector `json:"namespaceSelector"`
}

const (
	ambient = "ambient"
	none    = "none"
)

// defaultEnrolment is what manifests/charts/istio-cni/values.yaml ships.
var defaultEnrolment = []EnrolmentSelector{
	{Pod: LabelSelector{MatchLabels: map[string]string{label.IoIstioDataplaneMode.Name: ambient}}},
	{
		Namespace: LabelSelector{MatchLabels: map[string]string{label.IoIstioDataplaneMode.Name: ambient}},
		Pod: LabelSelector{MatchExpressions: []Requirement{
			{Key: label.IoIstioDataplaneMode.Name, Operator: "NotIn", Values: []string{none}},
		}},
	},
}

var assumedLabels = map[string]string{label.IoIstioDataplaneMode.Name: ambient}

func (o Options) withDefaults() Options {
	o.ClusterDomain = cmp.Or(o.ClusterDomain, "cluster.local")
	return o
}

// Settings is how this mesh is installed, as far as the input shows it.
type Settings struct {
	RootNamespace      string
	TrustDomain        string
	TrustDomainAliases []string
	ClusterDomain      string
	// MeshConfigKnown is whether the istio ConfigMap is in the input. Without it providers are not judged.
	MeshConfigKnown bool
	// AuthorizationProviders are the extensionProviders that a CUSTOM policy can name.
	AuthorizationProviders []AuthorizationProvider
	// ServiceEntryVisibility is meshConfig.serviceEntryVisibility: the first policy that matches decides.
	ServiceEntryVisibility []VisibilityPolicy
	// VirtualServiceExportTo and DestinationRuleExportTo stand in where an object has no exportTo.
	VirtualServiceExportTo, DestinationRuleExportTo []string
	// DiscoverySelectors limit which namespaces istiod sees; empty means all.
	DiscoverySelectors []LabelSelector
	// Version is the Istio whose behaviour is judged; VersionFrom says where it was read.
	Version     Version
	VersionFrom string
	// Flags are istiod's environment variables, where its Deployment is in the input.
	Flags map[string]string
	// Revisions are those of the istiods in the input.
	Revisions []string
	// anyRevision is whether one of them is not of any revision.
	anyRevision bool
	// Enrolment and ExcludedNamespaces are whom istio-cni captures; EnrolmentFrom is the ConfigMap that
	// says something else than Istio's defaults, "" where none does.
	Enrolment          []EnrolmentSelector
	EnrolmentFrom      string
	ExcludedNamespaces []string
	// ServiceScopes are meshConfig.serviceScopeConfigs: which Services are called from other clusters.
	ServiceScopes []ServiceScope
}

// AuthorizationProvider is an external authorizer of meshConfig.extensionProviders.
type AuthorizationProvider struct {
	Name    string
	Service string // a host, or "namespace/host"
	HTTP    bool   // it is asked by HTTP, which is possible about HTTP only; else by gRPC
}

// AuthorizationProvider is that of a name; ok is whether the mesh configuration has it.
func (t *Settings) AuthorizationProvider(name string) (p AuthorizationProvider, ok bool) {
	i := slices.IndexFunc(t.AuthorizationProviders, func(p AuthorizationProvider) bool { return p.Name == name })
	if i < 0 {
		return p, false
	}
	return t.AuthorizationProviders[i], true
}

// LacksService is whether the input shows that there is no Service or ServiceEntry with the provider's host, so
// that istiod cannot use it (pilot/pkg/model/telemetry_logging.go LookupCluster).
func (s *Snapshot) LacksService(p AuthorizationProvider) bool {
	host := p.Service
	if _, rest, ok := strings.Cut(host, "/"); ok {
		host = rest
	}
	if len(s.referrers(entryKey(host))) > 0 {
		return false
	}
	if short, ok := strings.CutSuffix(host, ".svc."+s.settings.ClusterDomain); ok {
		if name, ns, ok := strings.Cut(short, "."); ok && (s.Get(Service, ns, name) != nil || !s.Known(ns)) {
			return false
		}
	}
	return s.Whole()
}

// ServiceScope is one entry of meshConfig.serviceScopeConfigs.
type ServiceScope struct {
	Scope      string         `json:"scope"` // LOCAL ("" too) or GLOBAL
	Namespaces *LabelSelector `json:"namespaceSelector"`
	Services   *LabelSelector `json:"servicesSelector"`
}

// VisibilityPolicy is one policy of meshConfig.serviceEntryVisibility; all its rules must match.
type VisibilityPolicy struct {
	Visibility string `json:"visibility"` // PUBLIC ("" too), NAMESPACE or NONE
	Rules      []struct {
		Namespaces *LabelSelector `json:"namespaceSelector"`
	} `json:"matchingRules"`
}

// Visibility is how far a ServiceEntry can be seen by ztunnels: PUBLIC, NAMESPACE or NONE. Its own
// exportTo has no say in it.
func (s *Snapshot) Visibility(o *Object) string { return s.visibilityOf(o.Namespace) }

// visibilityOf is how far a ServiceEntry of the namespace can be seen
// (pilot/pkg/model/serviceentry_visibility.go VisibilityFor).
func (s *Snapshot) visibilityOf(ns string) string {
	if !s.settings.Version.AtLeast(1, 31, 0) {
		return "PUBLIC" // there was no serviceEntryVisibility (istio/istio#60870)
	}
	labels := s.NamespaceLabels(ns)
next:
	for _, p := range s.settings.ServiceEntryVisibility {
		for _, r := range p.Rules {
			if !r.Namespaces.Matches(labels) {
				continue next
			}
		}
		return cmp.Or(p.Visibility, "PUBLIC")
	}
	return "PUBLIC"
}

// Flag is whether one of istiod's boolean environment variables is on; byDefault where the input
// does not show it.
func (t *Settings) Flag(name string, byDefault bool) bool {
	v, ok := t.Flags[name]
	if !ok {
		return byDefault
	}
	if b, err := strconv.ParseBool(v); err == nil {
		return b
	}
	return byDefault // as istiod does with what is no bool
}

// Settings is how the mesh is installed.
func (s *Snapshot) Settings() *Settings { return s.settings }

// RootNamespace is the namespace whose policies hold for the whole mesh.
func (s *Snapshot) RootNamespace() string { return s.settings.RootNamespace }

// settingsDependOn is whether settings are read from the object, so that any other ConfigMap or
// Deployment can come and go without a walk over the mesh.
func settingsDependOn(o *Object) bool {
	return o != nil && (holdsMeshConfig(o) || isIstiod(o))
}

func holdsMeshConfig(o *Object) bool {
	return o.Kind == ConfigMap && (o.Name == "istio" || strings.HasPrefix(o.Name, "istio-"))
}

func isIstiod(o *Object) bool {
	return o.Kind == Deployment && (o.Labels["app"] == "istiod" || strings.HasPrefix(o.Name, "istiod"))
}

type meshConfig struct {
	RootNamespace          string          `json:"rootNamespace"`
	TrustDomain            string          `json:"trustDomain"`
	TrustDomainAliases     []string        `json:"trustDomainAliases"`
	DiscoverySelectors     []LabelSelector `json:"discoverySelectors"`
	VirtualServices        []string        `json:"defaultVirtualServiceExportTo"`
	DestinationRules       []string        `json:"defaultDestinationRuleExportTo"`
	ServiceEntryVisibility *struct {
		Policies []VisibilityPolicy `json:"policies"`
		Default  string             `json:"defaultVisibility"`
	} `json:"serviceEntryVisibility"`
	ServiceScopeConfigs []ServiceScope `json:"serviceScopeConfigs"`
	ExtensionProviders  []struct {
		Name string       `json:"name"`
		HTTP *extAuthzAPI `json:"envoyExtAuthzHttp"`
		GRPC *extAuthzAPI `json:"envoyExtAuthzGrpc"`
	} `json:"extensionProviders"`
}

// extAuthzAPI is how an external authorizer is asked.
type extAuthzAPI struct {
	Service string `json:"service"`
}

// checkMesh finds what is wrong with the types of a mesh configuration, which is YAML inside YAML. istiod keeps its
// defaults then, or what it had before, which nobody can see.
func (c *ConfigMapBody) checkMesh(d *decoder) {
	text, ok := c.Data["mesh"]
	if !ok {
		return
	}
	var content any
	if err := yaml.Unmarshal([]byte(text), &content); err != nil {
		d.errs = append(d.errs, FieldError{Field: "data.mesh", Want: "a mapping in YAML", Got: describe(text)})
		return
	}
	d.object("data.mesh", content, &meshConfig{})
}

// readSettings reads the installation from the istio ConfigMap and istiod's Deployment.
func (s *Snapshot) readSettings() *Settings {
	t := &Settings{
		RootNamespace: cmp.Or(s.options.RootNamespace, "istio-system"), TrustDomain: cmp.Or(s.options.TrustDomain, "cluster.local"),
		ClusterDomain: s.options.ClusterDomain, Version: defaultVersion, VersionFrom: "default",
	}
	if o := s.meshConfigMap(t.RootNamespace); o != nil {
		s.readMeshConfig(t, o)
	}
	s.readCNI(t)
	for o := range s.All(Deployment) {
		if isIstiod(o) {
			readIstiod(t, o)
		}
	}
	if v, ok := ParseVersion(s.options.IstioVersion); ok {
		t.Version, t.VersionFrom = v, "--istio-version"
	}
	return t
}

func (s *Snapshot) meshConfigMap(root string) *Object {
	// It is where istiod is, which need not be the root namespace.
	for _, ns := range []string{root, "istio-system"} {
		if o := s.Get(ConfigMap, ns, "istio"); o != nil {
			return o
		}
	}
	// Installed elsewhere, or by revision: the ConfigMap is called istio or istio-<revision>.
	for o := range s.All(ConfigMap) {
		if !holdsMeshConfig(o) {
			continue
		}
		if _, ok := o.Spec.(*ConfigMapBody).Data["mesh"]; ok {
			return o
		}
	}
	return nil
}

func (s *Snapshot) readMeshConfig(t *Settings, o *Object) {
	text, ok := o.Spec.(*ConfigMapBody).Data["mesh"]
	if !ok {
		return
	}
	var mc meshConfig
	if err := yaml.Unmarshal([]byte(text), &mc); err != nil {
		return // Decode refuses what cannot be read; an Object that nobody decoded is like one without the key
	}
	t.MeshConfigKnown = true
	if s.options.RootNamespace == "" {
		t.RootNamespace = cmp.Or(mc.RootNamespace, o.Namespace)
	}
	if s.options.TrustDomain == "" {
		t.TrustDomain = cmp.Or(mc.TrustDomain, t.TrustDomain)
	}
	t.TrustDomainAliases = mc.TrustDomainAliases
	t.DiscoverySelectors, t.ServiceScopes = mc.DiscoverySelectors, mc.ServiceScopeConfigs
	t.VirtualServiceExportTo, t.DestinationRuleExportTo = mc.VirtualServices, mc.DestinationRules
	for _, p := range mc.ExtensionProviders {
		if api := cmp.Or(p.HTTP, p.GRPC); api != nil {
			t.AuthorizationProviders = append(t.AuthorizationProviders, AuthorizationProvider{p.Name, api.Service, p.HTTP != nil})
		}
	}
	if v := mc.ServiceEntryVisibility; v != nil {
		t.ServiceEntryVisibility = append(v.Policies, VisibilityPolicy{Visibility: v.Default})
	}
}

// multiNetwork are the flags that only an installation over several networks sets.
var multiNetwork = []string{"AMBIENT_ENABLE_MULTI_NETWORK"}

func readIstiod(t *Settings, o *Object) {
	rev := o.Labels[label.IoIstioRev.Name]
	for _, c := range o.Spec.(*PodOwner).Template.Spec.Containers {
		if c.Name != "discovery" {
			continue
		}
		if t.Flags == nil {
			t.Flags = map[string]string{}
		}
		for _, e := range c.Env {
			t.Flags[e.Name] = e.Value
			if e.Name == "REVISION" {
				rev = e.Value
			}
		}
		image, _, _ := strings.Cut(c.Image, "@") // a digest, which may follow the tag
		if i := strings.LastIndexByte(image, ':'); i >= 0 {
			if v, ok := ParseVersion(image[i+1:]); ok && (t.VersionFrom == "default" || v.AtLeast(t.Version.Major, t.Version.Minor, t.Version.Patch)) {
				t.Version, t.VersionFrom = v, "istiod's image "+c.Image
			}
		}
	}
	// Without a revision istiod takes every object, whatever revision its label names.
	if rev == "" {
		t.anyRevision = true
	}
	t.Revisions = append(t.Revisions, rev)
}

// OtherRevision is whether istiod passes an object over, as if it were not there, because its label
// istio.io/rev names a revision that no istiod in the input has. An empty value is a name too
// (pkg/config/model.go LabelsInRevision). Where the input shows no istiod, nothing is passed over.
func (s *Snapshot) OtherRevision(o *Object) bool {
	rev, labelled := o.Labels[label.IoIstioRev.Name]
	if !labelled {
		return false
	}
	known, serves := s.Revision(rev)
	return known && !serves
}

// Revision is whether an istiod in the input serves a revision. known is false where the input
// shows no istiod, or the root namespace is not whole, so that there may be others.
func (s *Snapshot) Revision(rev string) (known, serves bool) {
	if s.settings.anyRevision {
		return true, true
	}
	for _, r := range s.settings.Revisions {
		if r == rev {
			return true, true
		}
	}
	return len(s.settings.Revisions) > 0 && s.Known(s.settings.RootNamespace), false
}
