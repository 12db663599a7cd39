package mesh

import (
	"cmp"
	"strings"
)

// VirtualServiceSpec is the spec of a VirtualService.
type VirtualServiceSpec struct {
	Hosts    []string      `json:"hosts"`
	Gateways []string      `json:"gateways"`
	ExportTo []string      `json:"exportTo"`
	HTTP     []HTTPRule    `json:"http"`
	TCP      []L4RouteRule `json:"tcp"`
	TLS      []L4RouteRule `json:"tls"`
}

// HTTPRule is one http route of a VirtualService.
type HTTPRule struct {
	Name  string           `json:"name"`
	Match []HTTPMatch      `json:"match"`
	Route []WeightedTarget `json:"route"`
	// Redirect, DirectResponse and Delegate are kept for whether they are there.
	Redirect       map[string]any `json:"redirect"`
	DirectResponse map[string]any `json:"directResponse"`
	Delegate       *struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	} `json:"delegate"`
	Mirror  *Destination `json:"mirror"`
	Mirrors []struct {
		Destination Destination `json:"destination"`
	} `json:"mirrors"`
}

// HTTPMatch is one match of an http route.
type HTTPMatch struct {
	SourceLabels    map[string]string `json:"sourceLabels"`
	SourceNamespace string            `json:"sourceNamespace"`
	Gateways        []string          `json:"gateways"`
	Port            int32             `json:"port"`
	URI             map[string]any    `json:"uri"`
	Headers         map[string]any    `json:"headers"`
	Method          map[string]any    `json:"method"`
	Authority       map[string]any    `json:"authority"`
	Scheme          map[string]any    `json:"scheme"`
	QueryParams     map[string]any    `json:"queryParams"`
	WithoutHeaders  map[string]any    `json:"withoutHeaders"`
}

// L4RouteRule is one tcp or tls route of a VirtualService.
type L4RouteRule struct {
	Match []struct {
		SNIHosts        []string          `json:"sniHosts"`
		Port            int32             `json:"port"`
		SourceLabels    map[string]string `json:"sourceLabels"`
		SourceNamespace string            `json:"sourceNamespace"`
		Gateways        []string          `json:"gateways"`
	} `json:"match"`
	Route []WeightedTarget `json:"route"`
}

// WeightedTarget is a destination with a weight.
type WeightedTarget struct {
	Destination Destination `json:"destination"`
	Weight      int32       `json:"weight"`
}

// Destination is a host, a subset and a port.
type Destination struct {
	Host   string `json:"host"`
	Subset string `json:"subset"`
	Port   struct {
		Number int32 `json:"number"`
	} `json:"port"`
}

// DestinationRuleSpec is the spec of a DestinationRule.
type DestinationRuleSpec struct {
	Host             string            `json:"host"`
	TrafficPolicy    *TrafficPolicy    `json:"trafficPolicy"`
	Subsets          []Subset          `json:"subsets"`
	ExportTo         []string          `json:"exportTo"`
	WorkloadSelector *WorkloadSelector `json:"workloadSelector"`
}

// Subset is a named subset of a host's endpoints.
type Subset struct {
	Name          string            `json:"name"`
	Labels        map[string]string `json:"labels"`
	TrafficPolicy *TrafficPolicy    `json:"trafficPolicy"`
}

// TrafficPolicy is what a DestinationRule asks of connections.
type TrafficPolicy struct {
	LoadBalancer      *LoadBalancer  `json:"loadBalancer"`
	ConnectionPool    map[string]any `json:"connectionPool"`
	OutlierDetection  map[string]any `json:"outlierDetection"`
	TLS               *ClientTLS     `json:"tls"`
	PortLevelSettings []struct {
		Port struct {
			Number int32 `json:"number"`
		} `json:"port"`
		LoadBalancer     *LoadBalancer  `json:"loadBalancer"`
		ConnectionPool   map[string]any `json:"connectionPool"`
		OutlierDetection map[string]any `json:"outlierDetection"`
		TLS              *ClientTLS     `json:"tls"`
	} `json:"portLevelSettings"`
	Tunnel        map[string]any `json:"tunnel"`
	ProxyProtocol map[string]any `json:"proxyProtocol"`
}

// LoadBalancer is a DestinationRule's load balancing.
type LoadBalancer struct {
	Simple            string         `json:"simple"`
	ConsistentHash    map[string]any `json:"consistentHash"`
	LocalityLBSetting map[string]any `json:"localityLbSetting"`
}

// ClientTLS is a DestinationRule's TLS towards the host.
type ClientTLS struct {
	Mode string `json:"mode"`
}

// ServiceEntrySpec is the spec of a ServiceEntry.
type ServiceEntrySpec struct {
	Hosts            []string             `json:"hosts"`
	Addresses        []string             `json:"addresses"`
	Ports            []ServiceEntryPort   `json:"ports"`
	Location         string               `json:"location"` // "" is MESH_EXTERNAL
	Resolution       string               `json:"resolution"`
	Endpoints        []WorkloadEntrySpec  `json:"endpoints"`
	WorkloadSelector *ServiceEntrySelects `json:"workloadSelector"`
	ExportTo         []string             `json:"exportTo"`
}

// ServiceEntrySelects is a ServiceEntry's workloadSelector.
type ServiceEntrySelects struct {
	Labels map[string]string `json:"labels"`
}

// ServiceEntryPort is a port of a ServiceEntry.
type ServiceEntryPort struct {
	Name       string `json:"name"`
	Number     int32  `json:"number"`
	Protocol   string `json:"protocol"`
	TargetPort int32  `json:"targetPort"`
}

// WorkloadEntrySpec is the spec of a WorkloadEntry, and an endpoint of a ServiceEntry.
type WorkloadEntrySpec struct {
	Address        string            `json:"address"`
	Labels         map[string]string `json:"labels"`
	ServiceAccount string            `json:"serviceAccount"`
	Network        string            `json:"network"`
	Ports          map[string]int32  `json:"ports"`
}

// WorkloadGroupSpec is the spec of a WorkloadGroup.
type WorkloadGroupSpec struct {
	Metadata struct {
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`
}

// SidecarSpec is the spec of a Sidecar.
type SidecarSpec struct {
	WorkloadSelector *struct {
		Labels map[string]string `json:"labels"`
	} `json:"workloadSelector"`
	OutboundTrafficPolicy *struct {
		Mode string `json:"mode"`
	} `json:"outboundTrafficPolicy"`
	Egress []struct {
		Hosts []string `json:"hosts"` // as in "shop/cart.shop.svc.cluster.local"
	} `json:"egress"`
}

// IstioGatewaySpec is the spec of Istio's own Gateway.
type IstioGatewaySpec struct {
	Selector map[string]string `json:"selector"`
	Servers  []struct {
		Hosts []string `json:"hosts"`
	} `json:"servers"`
}

// EnvoyFilterSpec is the spec of an EnvoyFilter.
type EnvoyFilterSpec struct {
	WorkloadSelector *struct {
		Labels map[string]string `json:"labels"`
	} `json:"workloadSelector"`
	TargetRefs    []TargetRef   `json:"targetRefs"`
	ConfigPatches []ConfigPatch `json:"configPatches"`
}

// ConfigPatch is one patch of an EnvoyFilter.
type ConfigPatch struct {
	ApplyTo string `json:"applyTo"`
	Match   struct {
		Context string `json:"context"`
		Cluster struct {
			Name    string `json:"name"`
			Service string `json:"service"`
		} `json:"cluster"`
	} `json:"match"`
	Patch struct {
		Operation string `json:"operation"`
	} `json:"patch"`
}

// The contexts of a patch.
const (
	ContextAny      = "ANY"
	ContextInbound  = "SIDECAR_INBOUND"
	ContextOutbound = "SIDECAR_OUTBOUND"
	ContextGateway  = "GATEWAY"
	ContextWaypoint = "WAYPOINT" // in the API, and implemented nowhere
)

// Context is the patch's context, the default filled in.
func (c ConfigPatch) Context() string { return cmp.Or(c.Match.Context, ContextAny) }

// WithoutContext is whether istiod applies the patch whatever its context is.
func (c ConfigPatch) WithoutContext() bool {
	return c.ApplyTo == "EXTENSION_CONFIG" || c.ApplyTo == "BOOTSTRAP"
}

// NamesCluster is whether the patch is for clusters of that Service by name.
func (c ConfigPatch) NamesCluster(svc *Object) bool {
	short := svc.Name + "." + svc.Namespace + ".svc."
	return svc.Kind == Service && (strings.HasPrefix(c.Match.Cluster.Service, short) || strings.Contains(c.Match.Cluster.Name, "|"+short))
}

// Attachment says where the filter holds.
func (p *EnvoyFilterSpec) Attachment() Attachment {
	a := Attachment{TargetRefs: p.TargetRefs}
	if p.WorkloadSelector != nil {
		a.Selector = &WorkloadSelector{MatchLabels: p.WorkloadSelector.Labels}
	}
	return a
}

// ProxyConfigSpec is the spec of a ProxyConfig.
type ProxyConfigSpec struct {
	Selector *WorkloadSelector `json:"selector"`
}
