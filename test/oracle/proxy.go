package oracle

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/waywarden/waywarden/policies/mesh"
)

// Proxy is what istiod sent to a proxy of a waypoint: the answer of test/cluster/servers/istiod/waypoint.
type Proxy struct {
	Namespace string  `json:"namespace"`
	Name      string  `json:"name"` // of the Gateway
	Chains    []Chain `json:"chains"`
}

// Chain is a filter chain of the listener behind the tunnel.
type Chain struct {
	Name    string `json:"name"`
	Reached []struct {
		Address string `json:"address"`
		Port    string `json:"port"`
		HTTP    bool   `json:"http"`
		Other   bool   `json:"other"`
	} `json:"reached"`
	Filters []Filter `json:"filters"`
}

// Filter is a filter of a chain.
type Filter struct {
	Name         string   `json:"name"`
	Type         string   `json:"type"`
	HTTP         bool     `json:"http"`
	Rules        *RBAC    `json:"rules"`
	ShadowRules  *RBAC    `json:"shadowRules"`
	ShadowPrefix string   `json:"shadowPrefix"`
	Issuers      []string `json:"issuers"`
}

// RBAC are Envoy's rules by istiod's names for them.
type RBAC struct {
	Action   string                     `json:"action"`
	Policies map[string]json.RawMessage `json:"policies"`
}

// line is a chain that calls reach: that of a port of a Service or ServiceEntry, or for what is addressed
// to workloads, where service is nil.
type line struct {
	waypoint, service *mesh.Object
	host              string
	port              uint16
	http              bool
	// sniffed is whether the port's calls take this chain only where they turn out not to be HTTP.
	sniffed   bool
	addresses []netip.Prefix
	chain     Chain
}

func (l line) String() string {
	protocol := "tcp"
	if l.http {
		protocol = "http"
	}
	if l.service == nil {
		return "direct/" + protocol
	}
	return l.host + ":" + strconv.Itoa(int(l.port)) + "/" + protocol
}

// lines are the chains of all proxies that calls reach.
func (r Recording) lines() []line {
	var out []line
	for _, p := range r.Proxies {
		gw := r.Snapshot.Get(mesh.Gateway, p.Namespace, p.Name)
		hosts := map[string][]*mesh.Object{}
		for _, svc := range r.Snapshot.BoundTo(gw) {
			for _, h := range r.Snapshot.HostsOf(svc) {
				hosts[h] = append(hosts[h], svc)
			}
		}
		for _, c := range p.Chains {
			l := line{waypoint: gw, chain: c}
			if !l.reached() {
				continue
			}
			if part := strings.Split(c.Name, "|"); len(part) == 4 {
				n, _ := strconv.ParseUint(part[1], 10, 16)
				l.port, l.http, l.host, l.service = uint16(n), part[2] == "http", part[3], r.reachedAt(hosts[part[3]], l.addresses)
				if l.service == nil {
					l.service = &mesh.Object{Kind: mesh.Service, Name: l.host} // of nothing that we know to be bound here
				}
			} else {
				l.http = c.Name == "direct-http"
			}
			out = append(out, l)
		}
	}
	return out
}

// reachedAt is which of the objects of one host has one of the addresses, the first where that is not known; nil
// where there are none.
func (r Recording) reachedAt(objects []*mesh.Object, addresses []netip.Prefix) *mesh.Object {
	if len(objects) == 0 {
		return nil
	}
	for _, o := range objects {
		own := r.Addresses[key(o)]
		switch b := o.Spec.(type) {
		case *mesh.ServiceSpec:
			own = []string{b.ClusterIP}
		case *mesh.ServiceEntrySpec:
			if len(b.Addresses) > 0 {
				own = b.Addresses
			}
		}
		for _, text := range own {
			if a, err := netip.ParseAddr(text); err == nil && slices.ContainsFunc(addresses, func(p netip.Prefix) bool { return p.Contains(a) }) {
				return o
			}
		}
	}
	return objects[0]
}

// CountChains is how many chains of all waypoints calls reach.
func (r Recording) CountChains() int { return len(r.lines()) }

// unspecified is the address of Services that have none; nothing is addressed to it.
var unspecified = netip.PrefixFrom(netip.IPv4Unspecified(), 32)

// reached is whether the listener leads any call to the chain; it notes from which addresses.
func (l *line) reached() bool {
	l.sniffed = true
	for _, way := range l.chain.Reached {
		if a, err := netip.ParsePrefix(way.Address); err == nil && a != unspecified {
			l.addresses = append(l.addresses, a)
			l.sniffed = l.sniffed && way.Other
		}
	}
	return len(l.addresses) > 0
}
