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

// nameAfter is the name of a waypoint for a Service or ServiceEntry. Where such a name has dots, or begins with a digit, it is made one
// of a Service, with a hash of what it was.
func nameAfter(of string) string {
	const tail = "-" + defaultName
	if digit := of[0] >= '0' && of[0] <= '9'; digit || strings.Contains(of, ".") {
		stem := strings.ReplaceAll(of, ".", "-")
		if digit {
			stem = "s-" + stem
		}
		end := hashOf(of) + tail
		return strings.TrimRight(stem[:min(len(stem), maxService-len(end))], "-") + end
	}
	return short(of+tail, maxService)
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
