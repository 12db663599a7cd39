package checks

import (
	"fmt"
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A port without a protocol, behind a waypoint, on which the server speaks first. The waypoint waits
// for the client's first bytes to tell HTTP from TCP, and the client waits for the server
// (networking/core/listener_waypoint.go buildWaypointInternal).
var _ = policies.Register(policies.Check{
	ID:       "waypoint/server-first-port",
	Title:    "A port on which a waypoint waits for the wrong side",
	Severity: policies.Medium,
	Kinds:    []mesh.Kind{mesh.Service},
	Cases:    []int{36},
	Controls: resilience(),
	Doc: `On a port whose protocol is not declared a waypoint looks at the client's first bytes. Where the server speaks first,
as in SMTP, FTP, SSH, IMAP and MySQL, nobody begins, and connections stall until the waypoint gives up.`,
	Remedy: "Declare the port as TCP, by appProtocol: tcp or by the port's name.",
	Run: func(p *policies.Pass) {
		b := p.Binding(p.Object)
		if !b.Bound || mesh.Headless(p.Object) || p.ClassOf(b.Gateway) != mesh.ClassWaypoint {
			return
		}
		for i, port := range p.Ports(p.Object) {
			if what := serverFirst(port); what != "" && port.Protocol == mesh.Sniff {
				p.Report(policies.Finding{
					Field: fmt.Sprintf("spec.ports[%d]", i), Related: []mesh.Ref{b.Waypoint()},
					Message: fmt.Sprintf("connections to port %d of %s stall at waypoint %s: the protocol is not declared, so the waypoint waits for the client's first bytes, and in %s the server speaks first.", port.Number, short(p.Object), b.Gateway.Key(), what),
				})
			}
		}
	},
})

// speaksFirst are protocols in which the server does, by port. 25, 53, 3306 and 27017 count as TCP.
var speaksFirst = map[int32]string{21: "FTP", 22: "SSH", 110: "POP3", 143: "IMAP", 587: "SMTP", 2525: "SMTP", 3307: "MySQL", 5900: "VNC", 6033: "MySQL"}

var speaksFirstByName = map[string]string{"smtp": "SMTP", "ftp": "FTP", "ssh": "SSH", "sftp": "SSH", "imap": "IMAP", "pop3": "POP3", "mariadb": "MySQL", "vnc": "VNC"}

func serverFirst(port mesh.Port) string {
	word, _, _ := strings.Cut(strings.ToLower(port.Name), "-")
	if what := speaksFirstByName[word]; what != "" {
		return what
	}
	return speaksFirst[port.Number]
}
