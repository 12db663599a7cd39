package policies

// Params are parameters of one check, as a Guardrail gives them.
type Params struct {
	// Key tells them apart: two with the same Key are the same. "" are the defaults.
	Key    string
	Values map[string]any
}

// Parameters are those that Guardrails give to checks. They are immutable; nil gives none.
type Parameters struct{ given map[string][]Params }

// NewParameters keeps what it is given, by the ID of the check.
func NewParameters(given map[string][]Params) *Parameters { return &Parameters{given} }

// Of are the parameters that a check is asked with, besides its defaults, with which it always is.
func (p *Parameters) Of(check string) []Params {
	if p == nil {
		return nil
	}
	return p.given[check]
}
