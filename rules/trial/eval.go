package trial

import (
	"strings"

	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/scenario"
	"github.com/waywarden/waywarden/rules"
)

// Answer is what a rule says of one object, and why.
type Answer struct {
	Outcome scenario.Outcome
	// Why is which clauses hold, with which values, and where the others stop.
	Why string
	// Trace is every step; "" where it was not asked for.
	Trace   string
	Printed string
}

// Eval asks a rule about one object of a View.
func Eval(pack *rules.Pack, r *rules.Rule, view *policies.View, o *mesh.Object, full bool) Answer {
	var (
		printed printer
		module  = r.Parse()
		buffer  = topdown.NewBufferTracer()
		out     Answer
	)
	check := single(pack, r, module, rules.Watch{Tracer: func(*mesh.Object) topdown.QueryTracer { return buffer }, Print: &printed})
	out.Outcome = scenario.AskOne(check, view, o)
	out.Why, out.Printed = Explain(module, *buffer), printed.take()
	if full {
		var b strings.Builder
		topdown.PrettyTraceWithOpts(&b, *buffer, topdown.PrettyTraceOptions{Locations: true, ExprVariables: true})
		out.Trace = b.String()
	}
	return out
}
