package inventory

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies/mesh"
)

// Evidence says which of the kinds are read that decide nothing in a mesh, and are there for rules (mesh.Evidence). The zero value is
// none of them.
type Evidence struct {
	// Kinds are those to read.
	Kinds []mesh.Kind
	// Secrets are those to read, each by itself, where Kinds has Secret: nobody has to be allowed to list all Secrets.
	Secrets []SecretName
}

// SecretName names a Secret.
type SecretName struct{ Namespace, Name string }

// String is as in "istio-system/cacerts".
func (n SecretName) String() string { return n.Namespace + "/" + n.Name }

// ParseSecretName reads a name as String writes it.
func ParseSecretName(text string) (SecretName, error) {
	ns, name, ok := strings.Cut(text, "/")
	if !ok || ns == "" || name == "" || strings.Contains(name, "/") {
		return SecretName{}, fmt.Errorf("%q names no Secret: write its namespace too, as in istio-system/cacerts", text)
	}
	return SecretName{ns, name}, nil
}

// reads is whether a kind is read: those that decide something in a mesh always are.
func (e Evidence) reads(kind mesh.Kind) bool {
	return kind.Evidence() == "" || slices.Contains(e.Kinds, kind)
}

// passedOver are the kinds that are not read.
func (e Evidence) passedOver() []mesh.Kind {
	return slices.DeleteFunc(mesh.Kinds(), func(k mesh.Kind) bool { return e.reads(k) })
}

// EvidenceFor is what the rules of some kinds need and what may be read of it: groups are those that may, secrets the Secrets.
func EvidenceFor(needed []mesh.Kind, groups []mesh.Evidence, secrets []SecretName) Evidence {
	out := Evidence{}
	for _, k := range mesh.Kinds() {
		switch {
		case k.Evidence() == "" || !slices.Contains(needed, k):
		case k == mesh.Secret && len(secrets) > 0:
			out.Kinds = append(out.Kinds, k)
			out.Secrets = slices.Compact(slices.SortedFunc(slices.Values(secrets), func(a, b SecretName) int {
				return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
			}))
		case k != mesh.Secret && slices.Contains(groups, k.Evidence()):
			out.Kinds = append(out.Kinds, k)
		}
	}
	return out
}

// Empty is whether nothing is read.
func (e Evidence) Empty() bool { return len(e.Kinds) == 0 }

// evidence is what is served of kinds that decide nothing in a mesh.
func (s served) evidence() served {
	return served{passed: s.passed,
		resources: slices.DeleteFunc(slices.Clone(s.resources), func(r resource) bool { return r.kind.Evidence() == "" }),
		unread:    slices.DeleteFunc(slices.Clone(s.unread), func(u Unread) bool { return kindOfResource(u.Resource).Evidence() == "" }),
	}
}

// With is the inventory of a cluster, or of files that it completes, with evidence that was listed later. What a file says stands.
func (i *Inventory) With(evidence *Inventory) *Inventory {
	out := *i
	out.Problems, out.Unread = slices.Concat(i.Problems, evidence.Problems), slices.Concat(i.Unread, evidence.Unread)
	out.Ignored, out.passed, out.versions = mergeCounts(i.Ignored, evidence.Ignored), evidence.passed, maps.Clone(i.versions)
	known := make(map[id]bool, len(i.Objects))
	for _, o := range i.Objects {
		known[idOf(o)] = true
	}
	out.Objects = slices.Clone(i.Objects)
	for _, o := range evidence.Objects {
		if !known[idOf(o)] {
			out.Objects = append(out.Objects, o)
			out.versions[idOf(o)] = evidence.versions[idOf(o)]
		}
	}
	sortUnread(out.Unread)
	return &out
}
