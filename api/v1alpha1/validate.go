package v1alpha1

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// FieldError says what is wrong with one field, as what it must be and what it is.
//
// +kubebuilder:object:generate=false
type FieldError struct {
	Field string // as in "spec.checks[0].action"
	Want  string // as in "Deny, Warn, Audit or Off"
	Got   string // as in `"Block"`
}

func (e FieldError) Error() string {
	return fmt.Sprintf("%s must be %s and is %s", e.Field, e.Want, e.Got)
}

// The bounds that the markers of the types repeat.
const (
	maxItems = 100
	maxGlob  = 200
	maxName  = 253
	maxKind  = 63
)

var (
	checkGlob  = regexp.MustCompile(`^[a-z0-9*?-]+(/[a-z0-9*?-]+)*$`)
	objectGlob = regexp.MustCompile(`^[a-z0-9.*?-]+$`)
	kindName   = regexp.MustCompile(`^[A-Z][A-Za-z0-9]*$`)
)

// Validate says all that is wrong with the spec, in the order of the fields. What an API server refuses by the
// CRD is found here too, so that a file is judged as the cluster would.
func (g *Guardrail) Validate() []FieldError {
	v := validator{}
	v.selector("spec.namespaceSelector", &g.Spec.NamespaceSelector)
	v.count("spec.checks", len(g.Spec.Checks))
	for i, entry := range g.Spec.Checks {
		at := fmt.Sprintf("spec.checks[%d]", i)
		v.globs(at+".ids", entry.IDs)
		if entry.MinSeverity != "" {
			oneOf(&v, at+".minSeverity", entry.MinSeverity, Severities)
		}
		oneOf(&v, at+".action", entry.Action, Actions)
		v.params(at, &entry)
	}
	if g.Spec.Fix != "" {
		oneOf(&v, "spec.fix", g.Spec.Fix, []Fix{FixNever, FixAdmission})
	}
	return v.errs
}

// params holds an entry with parameters to one check.
func (v *validator) params(at string, e *CheckEntry) {
	if e.Params == nil {
		return
	}
	if len(e.IDs) != 1 || strings.ContainsAny(string(e.IDs[0]), "*?") {
		v.fail(at+".ids", "the whole ID of one check, because params are of one,", fmt.Sprintf("%q", e.IDs))
	}
	if _, err := e.ParamValues(); err != nil {
		v.fail(at+".params", "a mapping", quote(string(e.Params.Raw)))
	}
	const most = 64 << 10
	if n := len(e.Params.Raw); n > most {
		v.fail(at+".params", fmt.Sprintf("at most %d bytes", most), fmt.Sprintf("%d long", n))
	}
}

// Validate says all that is wrong with the spec, in the order of the fields. Whether the end lies too far ahead, or has
// passed, depends on the clock and is decided where findings are.
func (e *Exemption) Validate() []FieldError {
	v := validator{}
	v.globs("spec.checks", e.Spec.Checks)
	v.count("spec.subjects", len(e.Spec.Subjects))
	for i, s := range e.Spec.Subjects {
		at := fmt.Sprintf("spec.subjects[%d]", i)
		if !kindName.MatchString(s.Kind) || len(s.Kind) > maxKind {
			v.fail(at+".kind", "a kind, as in AuthorizationPolicy,", quote(s.Kind))
		}
		if s.Name != "" && (!objectGlob.MatchString(s.Name) || len(s.Name) > maxName) {
			v.fail(at+".name", "the name of an object, with * and ? for others, as in legacy-*,", quote(s.Name))
		}
	}
	if strings.TrimSpace(e.Spec.Reason) == "" {
		v.fail("spec.reason", "a text that says why", quote(e.Spec.Reason))
	}
	v.length("spec.reason", e.Spec.Reason, 1000)
	v.length("spec.ticket", e.Spec.Ticket, 200)
	if e.Spec.ExpiresAt.IsZero() {
		v.fail("spec.expiresAt", "when the exception ends, as in 2027-01-31T00:00:00Z,", "not set")
	}
	v.length("spec.grantedBy", e.Spec.GrantedBy, 500)
	return v.errs
}

// validator collects what is wrong.
type validator struct{ errs []FieldError }

func (v *validator) fail(at, want, got string) {
	v.errs = append(v.errs, FieldError{Field: at, Want: want, Got: got})
}

// quote is how a value is shown: short enough for a message.
func quote(s string) string {
	const most = 60
	if s == "" {
		return "empty"
	}
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return fmt.Sprintf("%q", s)
}

func (v *validator) count(at string, n int) {
	switch {
	case n == 0:
		v.fail(at, "a list of at least one", "empty")
	case n > maxItems:
		v.fail(at, fmt.Sprintf("a list of at most %d", maxItems), fmt.Sprintf("one of %d", n))
	}
}

func (v *validator) length(at, s string, most int) {
	if n := len([]rune(s)); n > most {
		v.fail(at, fmt.Sprintf("at most %d characters", most), fmt.Sprintf("%d long", n))
	}
}

func (v *validator) globs(at string, globs []CheckGlob) {
	v.count(at, len(globs))
	for i, g := range globs {
		one := fmt.Sprintf("%s[%d]", at, i)
		switch {
		case !checkGlob.MatchString(string(g)) || len(g) > maxGlob:
			v.fail(one, "the ID of a check, in lower case with * and ? for others, as in effect/l7-*,", quote(string(g)))
		case slices.Contains(globs[:i], g):
			v.fail(one, "named once", "there twice: "+quote(string(g)))
		}
	}
}

// selector holds a label selector to what the API server demands of one anywhere else.
func (v *validator) selector(at string, s *metav1.LabelSelector) {
	for _, e := range metavalidation.ValidateLabelSelector(s, metavalidation.LabelSelectorValidationOptions{}, field.NewPath(at)) {
		got := "not set"
		if value := fmt.Sprint(e.BadValue); value != "" {
			got = quote(value)
		}
		if detail, _, _ := strings.Cut(e.Detail, " (e.g."); detail != "" {
			got += " (" + detail + ")"
		}
		v.fail(e.Field, "as in any label selector", got)
	}
}

func oneOf[T ~string](v *validator, at string, value T, allowed []T) {
	if slices.Contains(allowed, value) {
		return
	}
	words := make([]string, len(allowed))
	for i, a := range allowed {
		words[i] = string(a)
	}
	got, last := "not set", len(words)-1
	if value != "" {
		got = quote(string(value))
	}
	v.fail(at, strings.Join(words[:last], ", ")+" or "+words[last], got)
}
