package plan

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/waywarden/waywarden/policies/mesh"
)

// istiod makes a Deployment, a Service and a ServiceAccount of the name of a waypoint, and takes over none that it did not make
// (gatewaycommon/deploymentcontroller.go canManage). So a name has to be a Service's, and free.

// maxService is how long the name of a Service can be.
const maxService = 63

// maxName is how long the name of most objects can be.
const maxName = 253

// freeName is a name for a new waypoint of the namespace.
func freeName(s *mesh.Snapshot, ns, stem string) string {
	for n := 1; ; n++ {
		if name := numbered(stem, n); !nameTaken(s, ns, name) {
			return name
		}
	}
}

func nameTaken(s *mesh.Snapshot, ns, name string) bool {
	return slices.ContainsFunc([]mesh.Kind{mesh.Gateway, mesh.Deployment, mesh.Service, mesh.ServiceAccount}, func(k mesh.Kind) bool {
		o := s.Get(k, ns, name)
		return o != nil && !mesh.ManagedByGateway(o)
	})
}

// numbered is the n-th name of a stem, of which the first is the stem itself.
func numbered(stem string, n int) string {
	if n == 1 {
		return stem
	}
	tail := "-" + strconv.Itoa(n)
	return short(stem, maxService-len(tail)) + tail
}

// nameAfter is the name of a waypoint for a Service or ServiceEntry.
func nameAfter(of string) string { return named("", of, "-"+defaultName) }

// named is a name with what it is after in the middle. Where that has dots, or the whole begins with a digit, it is made the name of a
// Service, with a hash of what it was.
func named(before, of, after string) string {
	whole := before + of + after
	name := strings.ReplaceAll(whole, ".", "-")
	if name[0] >= '0' && name[0] <= '9' {
		name = "s-" + name
	}
	if name == whole {
		return short(whole, maxService)
	}
	name, after = strings.TrimSuffix(name, after), hashOf(of)+after
	return strings.TrimRight(name[:min(len(name), maxService-len(after))], "-") + after
}

// undeployable says, as a clause, why istiod could not run a new waypoint of that name; "" where it could.
func undeployable(s *mesh.Snapshot, ns, name string) string {
	switch {
	case len(validation.IsDNS1035Label(name)) > 0:
		return "that is no name that istiod can give a Service"
	case nameTaken(s, ns, name):
		return "a Deployment, Service or ServiceAccount of somebody else's has that name, which istiod would not take over"
	}
	return ""
}

// short is a name of at most n characters: one that is longer ends in a hash of it.
func short(name string, n int) string {
	if len(name) <= n {
		return name
	}
	hash := hashOf(name)
	return strings.TrimRight(name[:n-len(hash)], "-.") + hash
}

func hashOf(name string) string {
	h := fnv.New32a()
	h.Write([]byte(name))
	return fmt.Sprintf("-%08x", h.Sum32())
}
