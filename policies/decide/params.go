package decide

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
)

// A check with parameters is asked once with each set of them that any Guardrail gives, and with its defaults. Which of the
// answers counts in a namespace is decided here: for each Guardrail that names the check, what was found with its parameters;
// where none does, what was found with the defaults.

// WrongParams says which parameters of a Guardrail their checks do not take. A check that is not among those given is not
// looked at: a Guardrail may be there before the rule.
func WrongParams(g *v1alpha1.Guardrail, checks []*policies.Check) []v1alpha1.FieldError {
	var out []v1alpha1.FieldError
	for i, entry := range g.Spec.Checks {
		if entry.Params == nil || len(entry.IDs) != 1 {
			continue
		}
		at := slices.IndexFunc(checks, func(c *policies.Check) bool { return c.ID == string(entry.IDs[0]) })
		if at < 0 {
			continue
		}
		fault := v1alpha1.FieldError{Field: fmt.Sprintf("spec.checks[%d].params", i), Want: "what check " + checks[at].ID + " takes"}
		values, err := entry.ParamValues()
		switch {
		case err != nil:
			continue // told by Validate
		case checks[at].Takes == nil:
			fault.Got = "something: it takes no parameters"
		default:
			wrong := checks[at].Takes(values)
			if len(wrong) == 0 {
				continue
			}
			fault.Got = "not: " + strings.Join(wrong, "; ")
		}
		out = append(out, fault)
	}
	return out
}

// params are what an entry gives to its check; nil where it gives nothing. The Guardrail is well formed.
func params(e v1alpha1.CheckEntry) *policies.Params {
	values, err := e.ParamValues()
	if err != nil {
		panic("decide: parameters that were found well formed cannot be read: " + err.Error())
	}
	if len(values) == 0 {
		return nil
	}
	key, err := json.Marshal(values) // keys sorted
	if err != nil {
		panic("decide: what was read cannot be written: " + err.Error())
	}
	return &policies.Params{Key: string(key), Values: values}
}

// paramsFor is the key of the parameters with which the Guardrail asks a check: those of the last entry that names the check
// and gives some; "" for the defaults.
func (g *guardrail) paramsFor(check string) string {
	for i := len(g.entries) - 1; i >= 0; i-- {
		if e := &g.entries[i]; e.params != nil && e.ids[0] == check {
			return e.params.Key
		}
	}
	return ""
}

// Parameters are all that Guardrails give to checks.
func (r *Rulebook) Parameters() *policies.Parameters { return r.parameters }

func parametersOf(guardrails []guardrail) *policies.Parameters {
	given := map[string][]policies.Params{}
	for i := range guardrails {
		for _, e := range guardrails[i].entries {
			if e.params == nil {
				continue
			}
			check := e.ids[0]
			if !slices.ContainsFunc(given[check], func(p policies.Params) bool { return p.Key == e.params.Key }) {
				given[check] = append(given[check], *e.params)
			}
		}
	}
	if len(given) == 0 {
		return nil
	}
	return policies.NewParameters(given)
}

// foundWith is whether a finding was found with parameters. One of a check without parameters always is.
func foundWith(f *policies.Finding, key string) bool {
	return f.Params == nil || slices.Contains(f.Params, key)
}
