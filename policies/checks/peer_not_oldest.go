package checks

import (
	"fmt"
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// Two PeerAuthentications as wide as each other for the same pods. They are not merged: the one that
// was created first counts, at ztunnel (ambient/authorization.go convertedSelectorPeerAuthentications)
// as at sidecars (pilot/pkg/model/authentication.go addPeerAuthentication), and nothing is said of the
// other. Two that come to the same are left alone.
var _ = policies.Register(policies.Check{
	ID:       "effect/peer-not-oldest",
	Title:    "A PeerAuthentication that an older one replaces",
	Severity: policies.Medium,
	Kinds:    []mesh.Kind{mesh.PeerAuthentication},
	Cases:    []int{50},
	Controls: encryption(),
	Doc: `Of several PeerAuthentications for the whole mesh, for one namespace, or for the same pods, only the one that was
created first counts. The others are stored and ignored without a word, and which of them that is may change when they
are deleted and applied again.`,
	Remedy: "Keep one PeerAuthentication of each scope.",
	Run: func(p *policies.Pass) {
		reportPeer(p, policies.Superseded, "this PeerAuthentication does not count for pods that it selects", func(f *policies.Finding, c policies.Cause) bool {
			if c.Verdict != policies.Unknown {
				if demandsMTLS(p.Object) {
					f.Severity = policies.High
				}
				return true
			}
			// Nobody can tell which of the two counts, and that one does not is certain: it is told once.
			other, _, _ := strings.Cut(c.Text, " is as wide")
			f.Verdict, f.Message = "", fmt.Sprintf("only one of %s and %s counts: they are equally wide, the one that was created first decides, and the input does not show which that is.", other, p.Object)
			return other < p.Object.String()
		})
	},
})
