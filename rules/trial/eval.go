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
		buffer  *topdown.BufferTracer
		out     Answer
	)
	watch := func(*mesh.Object) topdown.QueryTracer {
		t := topdown.NewBufferTracer()
		if buffer == nil { // what goes wrong is asked again, and what was repaired
			buffer = t
		}
		return t
	}
	check := single(pack, r, module, rules.Watch{Tracer: watch, Print: &printed})
	out.Outcome = scenario.AskOne(check, view, o)
	if out.Printed = printed.take(); buffer == nil {
		out.Why = "It was not asked: it is not asked in a scan.\n"
		return out
	}
	out.Why = Explain(module, *buffer)
	if full {
		var b strings.Builder
		topdown.PrettyTraceWithOpts(&b, *buffer, topdown.PrettyTraceOptions{Locations: true, ExprVariables: true})
		out.Trace = b.String()
	}
	return out
}
