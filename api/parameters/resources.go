package parameters

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"
)

// resources finds what an API server would refuse of what a container asks for (kubernetes pkg/apis/core/validation
// ValidateContainerResourceRequirements).
func (c *checker) resources(p corev1.Container, claims []corev1.PodResourceClaim) {
	at := "spec.resources"
	if p.Name != container {
		at = inPod + ".containers"
	}
	r := &p.Resources
	huge, plain := false, false
	for _, list := range []struct {
		at    string
		these corev1.ResourceList
	}{{at + ".limits", r.Limits}, {at + ".requests", r.Requests}} {
		for _, name := range slices.Sorted(maps.Keys(list.these)) {
			c.resource(list.at, name, list.these[name])
			huge = huge || isHuge(name)
			plain = plain || name == corev1.ResourceCPU || name == corev1.ResourceMemory
		}
	}
	if huge && !plain {
		c.fail(at, "with cpu or memory beside hugepages", "without")
	}
	for _, name := range slices.Sorted(maps.Keys(r.Requests)) {
		request := r.Requests[name]
		switch limit, limited := r.Limits[name]; {
		case !limited && !overcommitted(name):
			c.fail(at+".limits", fmt.Sprintf("with %s, of which nobody can use more than is asked for,", name), "without")
		case limited && request.Cmp(limit) != 0 && !overcommitted(name):
			c.fail(at+".requests", fmt.Sprintf("the limit, which is %s of %s, of which nobody can use more than is asked for,", limit.String(), name), request.String())
		case limited && request.Cmp(limit) > 0:
			c.fail(at+".requests", fmt.Sprintf("at most the limit, which is %s of %s (Istio's own where the profile has none),", limit.String(), name), request.String())
		}
	}
	for _, claim := range r.Claims {
		if !slices.ContainsFunc(claims, func(of corev1.PodResourceClaim) bool { return of.Name == claim.Name }) {
			c.fail(at+".claims", "of resourceClaims that the pod has, by the patch,", fmt.Sprintf("%q", claim.Name))
		}
	}
}

// resourceNames are those that need no prefix. hugepages- has many.
var resourceNames = []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage}

// resource is whether a container can ask for so much of a resource of that name.
func (c *checker) resource(at string, name corev1.ResourceName, quantity resource.Quantity) {
	got := fmt.Sprintf("%s: %s", name, quantity.String())
	switch {
	case slices.Contains(resourceNames, name):
	case isHuge(name):
		size, err := resource.ParseQuantity(strings.TrimPrefix(string(name), corev1.ResourceHugePagesPrefix))
		if err != nil || size.Sign() <= 0 || size.MilliValue()%1000 != 0 || quantity.Value()%size.Value() != 0 {
			c.fail(at, "a multiple of the size of its pages", got)
		}
	case isNative(name) && strings.Contains(string(name), "/") && len(validation.IsQualifiedName(string(name))) == 0:
	case !isExtended(name):
		c.fail(at, "of cpu, memory, ephemeral-storage, hugepages-…, or a name with a domain as in example.com/device,", fmt.Sprintf("%q", name))
	case quantity.MilliValue()%1000 != 0:
		c.fail(at, "a whole number of what has a name with a domain", got)
	}
	if quantity.Sign() < 0 {
		c.fail(at, "not negative", got)
	}
}

func isHuge(name corev1.ResourceName) bool {
	return strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix) && len(validation.IsQualifiedName(string(name))) == 0
}

// isNative is whether a resource is of Kubernetes itself.
func isNative(name corev1.ResourceName) bool {
	return !strings.Contains(string(name), "/") || strings.Contains(string(name), corev1.ResourceDefaultNamespacePrefix)
}

// isExtended is whether it is one of somebody else's, of which a quota can be named too.
func isExtended(name corev1.ResourceName) bool {
	return !isNative(name) && !strings.HasPrefix(string(name), corev1.DefaultResourceRequestsPrefix) &&
		len(validation.IsQualifiedName(string(name))) == 0 && len(validation.IsQualifiedName(corev1.DefaultResourceRequestsPrefix+string(name))) == 0
}

// overcommitted is whether more of a resource can be used than is asked for.
func overcommitted(name corev1.ResourceName) bool { return isNative(name) && !isHuge(name) }
