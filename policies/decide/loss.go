package decide

import (
	"slices"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
)

// Loss is what a Guardrail denies and no other one does: what is only warned about once it is gone.
type Loss struct {
	// Namespaces are those in which something is lost, and Checks those whose findings are denied no more in one of them at
	// least. Both are sorted, and both empty where nothing is lost.
	Namespaces, Checks []string
}

// denial is a check of which a Guardrail denies what is found.
type denial struct {
	check  string
	others []int // the Guardrails that deny the same where they select
	lost   bool
}

// Loss is what goes with a Guardrail, in the namespaces of the mesh of req. It is empty for one that is not in force. A check
// counts with the severity that its findings have as a rule, and with the parameters that the Guardrail gives.
func (r *Rulebook) Loss(name string, req Request) Loss {
	return r.lost(name, r.guardrails, &req)
}

// Loosened is what a Guardrail that is in force denies and no longer will as g, of the same name: like Loss. g is well formed.
func (r *Rulebook) Loosened(g *v1alpha1.Guardrail, req Request) Loss {
	return r.lost(g.Name, append(slices.Clip(r.guardrails), compileGuardrail(g)), &req)
}

// lost is what none of some Guardrails denies but the one of a name that is in force; the others are those in force, and what may
// take its place.
func (r *Rulebook) lost(name string, guardrails []guardrail, req *Request) Loss {
	var out Loss
	i := slices.IndexFunc(r.guardrails, func(g guardrail) bool { return g.name == name })
	if i < 0 || req.Mesh == nil {
		return out
	}
	denials := r.denials(i, guardrails)
	j := judging{Rulebook: r, request: req}
	selects := make([]bool, len(guardrails))
	for ns := range req.Mesh.Namespaces() {
		labels, _ := j.labels(ns)
		at := place{name: ns, labels: labels}
		for n := range selects {
			selects[n] = guardrails[n].selects(&at)
		}
		if !selects[i] {
			continue
		}
		lost := false
		for n := range denials {
			if d := &denials[n]; !slices.ContainsFunc(d.others, func(other int) bool { return selects[other] }) {
				d.lost, lost = true, true
			}
		}
		if lost {
			out.Namespaces = append(out.Namespaces, ns)
		}
	}
	for _, d := range denials {
		if d.lost {
			out.Checks = append(out.Checks, d.check)
		}
	}
	slices.Sort(out.Checks)
	return out
}

// denials are the checks of which Guardrail i denies what is found, and which others do.
func (r *Rulebook) denials(i int, guardrails []guardrail) []denial {
	var out []denial
	for _, c := range r.catalog.Checks() {
		f := policies.Finding{Check: c.ID, Severity: c.Severity}
		if c.Takes != nil {
			f.Params = []string{guardrails[i].paramsFor(c.ID)}
		}
		if guardrails[i].actionOn(&f) != v1alpha1.Deny {
			continue
		}
		d := denial{check: c.ID}
		for n := range guardrails {
			if n != i && guardrails[n].actionOn(&f) == v1alpha1.Deny {
				d.others = append(d.others, n)
			}
		}
		out = append(out, d)
	}
	return out
}
