package mesh

import (
	"strings"

	"istio.io/api/label"
)

// Protocol is what a waypoint, or any Envoy, takes a port to speak.
type Protocol string

// The protocols that make a difference.
const (
	HTTP  Protocol = "HTTP"  // HTTP, HTTP2, gRPC: HTTP rules work
	TCP   Protocol = "TCP"   // opaque
	TLS   Protocol = "TLS"   // opaque, routed by SNI; HTTPS too
	UDP   Protocol = "UDP"   // neither ztunnel nor waypoints see it
	Sniff Protocol = "sniff" // found out per connection
)

// Port is one port of a Service or ServiceEntry.
type Port struct {
	Name     string
	Number   int32
	Protocol Protocol
	Declared string      // where the protocol was read: "appProtocol", "name", "protocol", "number" or ""
	Target   IntOrString // zero where it is the same number
}

// OpaqueToHTTP is whether HTTP rules can never match on the port.
func (p Port) OpaqueToHTTP() bool { return p.Protocol == TCP || p.Protocol == TLS }

var wellKnownTCP = map[int32]bool{25: true, 53: true, 3306: true, 27017: true}

// protocolOf is pkg/config/kube/conversion.go ConvertProtocol.
func protocolOf(number int32, name, transport, app string) (Protocol, string) {
	if transport == "UDP" {
		return UDP, "protocol"
	}
	source, word := "name", name
	if app != "" {
		source, word = "appProtocol", app
		switch app {
		case "kubernetes.io/h2c", "kubernetes.io/ws":
			return HTTP, source
		case "kubernetes.io/wss":
			return TLS, source
		}
	}
	word = strings.ToLower(word)
	if strings.HasPrefix(word, "grpc-web") {
		return HTTP, source
	}
	word, _, _ = strings.Cut(word, "-")
	if p := parseProtocol(word); p != Sniff {
		return p, source
	}
	if wellKnownTCP[number] {
		return TCP, "number"
	}
	return Sniff, ""
}

// parseProtocol is pkg/config/protocol/instance.go Parse.
func parseProtocol(word string) Protocol {
	switch strings.ToLower(word) {
	case "http", "http2", "grpc", "grpc-web", "http_proxy":
		return HTTP
	case "tcp", "mongo", "redis", "mysql":
		return TCP
	case "tls", "https":
		return TLS
	case "udp":
		return UDP
	}
	return Sniff
}

// Ports are the ports of a Service or ServiceEntry, as declared.
func (s *Snapshot) Ports(o *Object) []Port {
	var out []Port
	switch b := o.Spec.(type) {
	case *ServiceSpec:
		for _, p := range b.Ports {
			proto, from := protocolOf(p.Port, p.Name, p.Protocol, p.AppProtocol)
			out = append(out, Port{p.Name, p.Port, proto, from, p.TargetPort})
		}
	case *ServiceEntrySpec:
		for _, p := range b.Ports {
			out = append(out, Port{p.Name, p.Number, parseProtocol(p.Protocol), "protocol", IntOrString{Int: p.TargetPort}})
		}
	}
	return out
}

// Headless is whether clients of the object connect to its endpoints' own addresses.
func Headless(o *Object) bool {
	b, ok := o.Spec.(*ServiceSpec)
	return ok && b.ClusterIP == "None"
}

// ExternalName is whether the object is a Service that is only a DNS alias.
func ExternalName(o *Object) bool {
	b, ok := o.Spec.(*ServiceSpec)
	return ok && b.Type == "ExternalName"
}

// Backends are the workloads behind a Service or ServiceEntry. shown is false where the input does
// not show what is behind it (no selector), so that the slice being empty says nothing.
func (s *Snapshot) Backends(o *Object) (workloads []*Workload, shown bool) {
	var sel map[string]string
	switch b := o.Spec.(type) {
	case *ServiceSpec:
		sel = b.Selector
	case *ServiceEntrySpec:
		if b.WorkloadSelector == nil {
			return nil, false
		}
		sel = b.WorkloadSelector.Labels
	}
	if len(sel) == 0 {
		return nil, false
	}
	return s.Select(o.Namespace, sel), true
}

// TargetPort is the port of w to which a Service's port leads; 0 where the input does not show it.
func TargetPort(p Port, w *Workload) int32 {
	switch {
	case p.Target.Str != "":
		for _, c := range w.Ports {
			if c.Name == p.Target.Str {
				return c.ContainerPort
			}
		}
		return 0
	case p.Target.Int != 0:
		return p.Target.Int
	}
	return p.Number
}

// ManagedByGateway is whether istiod made the object for a Gateway.
func ManagedByGateway(o *Object) bool { return o.Labels[label.GatewayManaged.Name] != "" }

// Hostname expands a host as Istio does for an object in ns: a short name is a Service's.
func (s *Snapshot) Hostname(host, ns string) string {
	if host == "*" || strings.HasPrefix(host, "*.") {
		return host
	}
	suffix := ".svc." + s.settings.ClusterDomain
	switch {
	case !strings.Contains(host, "."):
		return host + "." + ns + suffix
	default:
		return host
	}
}

// HostsOf are the hosts by which a Service or ServiceEntry is known to Istio.
func (s *Snapshot) HostsOf(o *Object) []string {
	if b, ok := o.Spec.(*ServiceEntrySpec); ok {
		return b.Hosts
	}
	return []string{o.Name + "." + o.Namespace + ".svc." + s.settings.ClusterDomain}
}

// namesOf are the ways in which another object can write the host of o.
func (s *Snapshot) namesOf(o *Object) []string {
	hosts := s.HostsOf(o)
	if o.Kind == Service {
		return append([]string{o.Name}, hosts...)
	}
	return hosts
}
