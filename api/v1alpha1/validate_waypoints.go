package v1alpha1

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

const (
	maxReplicas     = 1000
	maxProperties   = 50
	maxSpread       = 20
	maxRetain       = 8760 * time.Hour
	annotationBytes = 256 << 10 // what Kubernetes lets one object have
)

var percentage = regexp.MustCompile(`^(100|[0-9]{1,2})%$`)

// otherClasses are GatewayClasses of Istio's that make no waypoint at which Istio's policies take effect.
var otherClasses = []string{"istio", "istio-remote", "istio-east-west", "istio-agentgateway", "istio-agentgateway-waypoint"}

func (v *validator) waypoints(at string, w *GuardrailWaypoints) {
	if w == nil {
		return
	}
	if w.Mode != "" {
		oneOf(v, at+".mode", w.Mode, []WaypointMode{ObserveWaypoints, RequireWaypoints, ProvisionWaypoints})
	}
	if w.Pending != "" {
		oneOf(v, at+".pending", w.Pending, []WaypointGuard{GuardOpen, GuardClosed})
	}
	if w.Bypass != "" {
		oneOf(v, at+".bypass", w.Bypass, []WaypointGuard{GuardOpen, GuardClosed})
	}
	v.exceptions(at+".bypassExceptions", w.BypassExceptions)
	if w.Profile != "" && len(validation.IsDNS1123Subdomain(w.Profile)) > 0 {
		v.fail(at+".profile", "the name of a WaypointProfile, as in default,", quote(w.Profile))
	}
}

// The bounds of exceptions that the markers of the types repeat.
const (
	maxExceptions = 20
	maxExcepted   = 50
	maxPrincipal  = 400
	maxService    = 127
	maxReason     = 1000
)

// Wildcards must not get into a guard: an exception would let in whoever fits.
var (
	principal   = regexp.MustCompile(`^[a-z0-9]([-._a-z0-9]*[a-z0-9])?/ns/[a-z0-9]([-a-z0-9]*[a-z0-9])?/sa/[a-z0-9]([-.a-z0-9]*[a-z0-9])?$`)
	serviceName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
)

func (v *validator) exceptions(at string, all []BypassException) {
	if len(all) > maxExceptions {
		v.fail(at, fmt.Sprintf("a list of at most %d", maxExceptions), fmt.Sprintf("one of %d", len(all)))
	}
	for i, e := range all {
		one := fmt.Sprintf("%s[%d]", at, i)
		switch n := len(e.Principals); {
		case n == 0:
			v.fail(one+".principals", "a list of at least one", "empty")
		case n > maxExcepted:
			v.fail(one+".principals", fmt.Sprintf("a list of at most %d", maxExcepted), fmt.Sprintf("one of %d", n))
		}
		for j, p := range e.Principals {
			if !principal.MatchString(string(p)) || len(p) > maxPrincipal || slices.Contains(e.Principals[:j], p) {
				v.fail(fmt.Sprintf("%s.principals[%d]", one, j), "a whole identity, named once, as in cluster.local/ns/monitoring/sa/prometheus,", quote(string(p)))
			}
		}
		if n := len(e.Services); n > maxExcepted {
			v.fail(one+".services", fmt.Sprintf("a list of at most %d", maxExcepted), fmt.Sprintf("one of %d", n))
		}
		for j, s := range e.Services {
			if !serviceName.MatchString(string(s)) || len(s) > maxService || slices.Contains(e.Services[:j], s) {
				v.fail(fmt.Sprintf("%s.services[%d]", one, j), "a Service with its namespace, named once, as in shop/cart-headless,", quote(string(s)))
			}
		}
		if strings.TrimSpace(e.Reason) == "" {
			v.fail(one+".reason", "a text that says why", quote(e.Reason))
		}
		v.length(one+".reason", e.Reason, maxReason)
	}
}

// Validate says all that is wrong with the spec, in the order of the fields. What istiod makes of it is another
// question: api/parameters asks it.
func (p *WaypointProfile) Validate() []FieldError {
	v, s := validator{}, &p.Spec
	if s.Granularity != "" {
		oneOf(&v, "spec.granularity", s.Granularity, []Granularity{PerNamespace, PerService, Shared})
	}
	switch class := s.GatewayClassName; {
	case slices.Contains(otherClasses, class):
		v.fail("spec.gatewayClassName", "a GatewayClass that istiod deploys as a waypoint, as in istio-waypoint,", quote(class))
	case class != "" && len(validation.IsDNS1123Subdomain(class)) > 0:
		v.fail("spec.gatewayClassName", "the name of a GatewayClass, as in istio-waypoint,", quote(class))
	}
	switch ns := s.SharedNamespace; {
	case ns != "" && len(validation.IsDNS1123Label(ns)) > 0:
		v.fail("spec.sharedNamespace", "the name of a namespace", quote(ns))
	case (s.Granularity == Shared) != (ns != ""):
		v.fail("spec.sharedNamespace", "set with granularity Shared, and only with it,", quote(ns))
	}
	v.scaling(s)
	v.scheduling(s)
	v.labels("spec.labels", s.Labels)
	v.properties("spec.annotations", s.Annotations)
	for _, key := range slices.Sorted(maps.Keys(s.Annotations)) {
		if wrong := validation.IsQualifiedName(strings.ToLower(key)); len(wrong) > 0 {
			v.fail("spec.annotations", "as in any annotations", quote(key)+" ("+wrong[0]+")")
		}
	}
	if n := size(s.Annotations); n > annotationBytes {
		v.fail("spec.annotations", fmt.Sprintf("at most %d bytes in all", annotationBytes), fmt.Sprintf("%d", n))
	}
	if r := s.RetainFor; r != nil && (r.Duration < 0 || r.Duration > maxRetain) {
		v.fail("spec.retainFor", "a length of time from 0s to 8760h, as in 1h,", r.Duration.String())
	}
	return v.errs
}

func (v *validator) scaling(s *WaypointProfileSpec) {
	if s.Replicas != nil {
		v.between("spec.replicas", *s.Replicas, 1)
		if s.Autoscaling != nil {
			v.fail("spec.replicas", "left out where autoscaling is set, which decides how many there are,", fmt.Sprint(*s.Replicas))
		}
	}
	if a := s.Autoscaling; a != nil {
		v.between("spec.autoscaling.minReplicas", a.MinReplicas, 0) // 0 is left out: it means 1
		v.between("spec.autoscaling.maxReplicas", a.MaxReplicas, 1)
		v.between("spec.autoscaling.targetCPUUtilization", a.TargetCPUUtilization, 0)
		if a.MaxReplicas >= 1 && a.MinReplicas > a.MaxReplicas {
			v.fail("spec.autoscaling.minReplicas", fmt.Sprintf("at most maxReplicas, which is %d,", a.MaxReplicas), fmt.Sprint(a.MinReplicas))
		}
	}
	b := s.DisruptionBudget
	if b == nil {
		return
	}
	if (b.MinAvailable == nil) == (b.MaxUnavailable == nil) {
		v.fail("spec.disruptionBudget", "one of minAvailable and maxUnavailable", "both, or neither")
	}
	v.share("spec.disruptionBudget.minAvailable", b.MinAvailable)
	v.share("spec.disruptionBudget.maxUnavailable", b.MaxUnavailable)
}

func (v *validator) scheduling(s *WaypointProfileSpec) {
	if n := len(s.TopologySpreadConstraints); n > maxSpread {
		v.fail("spec.topologySpreadConstraints", fmt.Sprintf("a list of at most %d", maxSpread), fmt.Sprintf("one of %d", n))
	}
	v.labels("spec.nodeSelector", s.NodeSelector)
	if n := len(s.Tolerations); n > maxProperties {
		v.fail("spec.tolerations", fmt.Sprintf("a list of at most %d", maxProperties), fmt.Sprintf("one of %d", n))
	}
	if c := s.PriorityClassName; c != "" && len(validation.IsDNS1123Subdomain(c)) > 0 {
		v.fail("spec.priorityClassName", "the name of a PriorityClass", quote(c))
	}
}

func (v *validator) between(at string, n, least int32) {
	if n < least || n > maxReplicas {
		v.fail(at, fmt.Sprintf("a number from 1 to %d", maxReplicas), fmt.Sprint(n))
	}
}

func (v *validator) share(at string, value *intstr.IntOrString) {
	if value == nil {
		return
	}
	if value.Type == intstr.Int && value.IntVal < 0 || value.Type == intstr.String && !percentage.MatchString(value.StrVal) {
		v.fail(at, "a number of pods, or a percentage such as 50%,", quote(value.String()))
	}
}

func (v *validator) properties(at string, m map[string]string) {
	if len(m) > maxProperties {
		v.fail(at, fmt.Sprintf("a mapping of at most %d", maxProperties), fmt.Sprintf("one of %d", len(m)))
	}
}

func (v *validator) labels(at string, m map[string]string) {
	v.properties(at, m)
	for _, key := range slices.Sorted(maps.Keys(m)) {
		one := map[string]string{key: m[key]}
		for _, e := range metavalidation.ValidateLabels(one, field.NewPath(at)) {
			v.fail(at, "as in any labels", fmt.Sprintf("%s (%s)", quote(key+"="+m[key]), e.Detail))
		}
	}
}

func size(m map[string]string) (n int) {
	for k, v := range m {
		n += len(k) + len(v)
	}
	return n
}
