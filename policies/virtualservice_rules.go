package policies

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/waywarden/waywarden/policies/mesh"
)

// rulesAt judges the rules of a VirtualService on the chains of one Service at its waypoint: HTTP
// rules hold on ports that speak HTTP or are found out, tcp and tls rules on all others and on those
// that are found out (listener_waypoint.go waypointInboundRoute, getWaypointTCPRoutes).
type rulesAt struct {
	ports []mesh.Port
	hosts []string
	by    *mesh.Object
}

// match is what the three kinds of match have in common.
type match struct {
	labels    map[string]string
	namespace string
	gateways  []string
	port      int32
	sni       []string // of tls rules
}

func (r rulesAt) judge(v *mesh.VirtualServiceSpec, e *Effect) {
	live := 0
	var causes []Cause
	count := func(ok bool, c []Cause) {
		if ok {
			live++
		}
		causes = append(causes, c...)
	}
	for i, h := range v.HTTP {
		matches := make([]match, len(h.Match))
		for j, m := range h.Match {
			matches[j] = match{m.SourceLabels, m.SourceNamespace, m.Gateways, m.Port, nil}
		}
		count(r.rule("http", i, matches))
	}
	for _, l4 := range []struct {
		kind  string
		rules []mesh.L4RouteRule
	}{{"tcp", v.TCP}, {"tls", v.TLS}} {
		for i, l := range l4.rules {
			matches := make([]match, len(l.Match))
			for j, m := range l.Match {
				matches[j] = match{m.SourceLabels, m.SourceNamespace, m.Gateways, m.Port, m.SNIHosts}
			}
			count(r.rule(l4.kind, i, matches))
		}
	}
	if len(causes) == 0 {
		return
	}
	e.Causes = causes
	e.Reason, e.Field = causes[0].Reason, causes[0].Field
	e.Verdict = PartiallyEnforced
	say := "does less than it says"
	if live == 0 {
		e.Verdict, e.EnforcedBy, e.By = NotEnforced, Nobody, nil
		say = "has no effect"
	}
	e.Message = fmt.Sprintf("this VirtualService %s at waypoint %s: %s. %s", say, r.by.Key(), causes[0].Text, ruleRemedy[causes[0].Reason])
}

var ruleRemedy = map[string]string{
	SourceLabels:     "Match on headers instead, or give the callers a Service of their own.",
	SourceNamespace:  "Match on headers instead, or give the callers a Service of their own.",
	Protocol:         "Declare the port's protocol (appProtocol or the port's name), or write the rules for the protocol that it has.",
	PortNeverMatches: "Correct the port: it is the Service's, not the pods'.",
	SNINeverMatches:  "Name the Service's own host alone.",
}

// rule is whether any of a rule's matches can be true, and what is wrong with the others. A rule that
// only names gateways is none of the waypoint's business: it is neither.
func (r rulesAt) rule(kind string, i int, matches []match) (live bool, causes []Cause) {
	path := "spec." + kind + "[" + strconv.Itoa(i) + "]"
	if len(matches) == 0 {
		if c, ok := r.port(kind, path, 0); !ok {
			return false, []Cause{c}
		}
		return true, nil
	}
	for j, m := range matches {
		if len(m.gateways) > 0 && !slices.Contains(m.gateways, "mesh") {
			continue
		}
		c, ok := r.match(kind, path+".match["+strconv.Itoa(j)+"]", m)
		live = live || ok
		if c.Reason != "" {
			causes = append(causes, c)
		}
	}
	return live, causes
}

func (r rulesAt) match(kind, path string, m match) (Cause, bool) {
	dead := func(reason, field, text string) (Cause, bool) {
		return Cause{Reason: reason, Verdict: NotEnforced, Field: path + field, Text: text}, false
	}
	switch {
	case len(m.labels) > 0:
		return dead(SourceLabels, ".sourceLabels", "waypoints drop every match on the caller's labels")
	case m.namespace != "" && kind == "http" && m.namespace == r.by.Namespace:
		c, _ := dead(SourceNamespace, ".sourceNamespace", "a waypoint compares sourceNamespace with its own namespace, so the match is true of every caller")
		c.Verdict = PartiallyEnforced
		return c, true
	case m.namespace != "":
		return dead(SourceNamespace, ".sourceNamespace", "a waypoint compares sourceNamespace with its own namespace, so the match is true of no caller")
	case kind == "tls" && len(m.sni) > 0 && (len(m.sni) != 1 || !slices.Contains(r.hosts, m.sni[0])):
		return dead(SNINeverMatches, ".sniHosts", fmt.Sprintf("a waypoint only knows the Service's own host, so sniHosts can be nothing but [%s]", r.hosts[0]))
	}
	if c, ok := r.port(kind, path, m.port); !ok {
		return c, false
	}
	return Cause{}, true
}

// port is whether rules of the kind can hold on a port of the Service; 0 means any.
func (r rulesAt) port(kind, path string, number int32) (Cause, bool) {
	if len(r.ports) == 0 {
		return Cause{}, true
	}
	exists := false
	var other mesh.Port
	for _, p := range r.ports {
		if number != 0 && p.Number != number {
			continue
		}
		exists = true
		if holdsOn(kind, p.Protocol) {
			return Cause{}, true
		}
		other = p
	}
	if !exists {
		return Cause{Reason: PortNeverMatches, Verdict: NotEnforced, Field: path + ".port", Text: fmt.Sprintf("the Service has no port %d", number)}, false
	}
	return Cause{Reason: Protocol, Verdict: NotEnforced, Field: path,
		Text: fmt.Sprintf("%s rules never hold on port %d, which speaks %s", kind, other.Number, other.Protocol)}, false
}

func holdsOn(kind string, p mesh.Protocol) bool {
	switch p {
	case mesh.UDP:
		return false
	case mesh.Sniff:
		return true
	case mesh.HTTP:
		return kind == "http"
	}
	return kind != "http"
}
