package checks

import (
	"fmt"
	"slices"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// reportPeer reports the causes of a PeerAuthentication's effects that have that reason, one finding
// a field; finish, which may be nil, completes the finding or says that there is none.
func reportPeer(p *policies.Pass, reason, consequence string, finish func(*policies.Finding, policies.Cause) bool) {
	var fields []string
	for _, e := range p.Effects(p.Object) {
		for _, c := range e.Causes {
			if c.Reason != reason || slices.Contains(fields, c.Field) {
				continue
			}
			fields = append(fields, c.Field)
			f := policies.Finding{Verdict: e.Verdict, Field: c.Field, Message: fmt.Sprintf("%s: %s.", consequence, c.Text)}
			if finish == nil || finish(&f, c) {
				p.Report(f)
			}
		}
	}
}

// demandsMTLS is whether a PeerAuthentication asks for plaintext to be refused anywhere.
func demandsMTLS(o *mesh.Object) bool {
	spec := o.Spec.(*mesh.PeerAuthenticationSpec)
	if spec.MTLS.ModeOr() == mesh.Strict {
		return true
	}
	for _, m := range spec.PortLevelMTLS {
		if m.ModeOr() == mesh.Strict {
			return true
		}
	}
	return false
}
