package trial

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/scenario"
	"github.com/waywarden/waywarden/rules"
)

const (
	// mostObjects are how many objects of a case are explained, and mostAnswers how many answers of one clause.
	mostObjects, mostAnswers = 3, 3
	// deepest is how far an explanation follows a rule into those that it asks.
	deepest = 4
)

// explain says why a rule says what it says of a case: of each clause that holds, with which values; where none does, of each
// at which expression it stops. The rest of the trace is left out.
func explain(pack *rules.Pack, r *rules.Rule, module *ast.Module, c scenario.Case) string {
	type traced struct {
		object *mesh.Object
		trace  *topdown.BufferTracer
	}
	var all []traced
	watched := single(pack, r, module, rules.Watch{Tracer: func(o *mesh.Object) topdown.QueryTracer {
		t := topdown.NewBufferTracer()
		switch n := len(all); {
		case n == 0 || all[n-1].object != o:
			all = append(all, traced{o, t})
		case c.Asked.Params != nil: // it was asked with the defaults before
			all[n-1].trace = t
		} // else what went wrong is asked again, or what was repaired
		return t
	}})
	c.Ask(watched)
	if own := slices.DeleteFunc(slices.Clone(all), func(t traced) bool { return !slices.Contains(c.Objects, t.object) }); len(own) > 0 {
		all = own
	}
	if len(all) == 0 {
		return "It was asked of nothing: no object of the case is of its kinds, or it is not asked in this phase.\n"
	}
	var b strings.Builder
	for _, t := range all[:min(len(all), mostObjects)] {
		fmt.Fprintf(&b, "%s:\n", t.object)
		b.WriteString(Explain(module, *t.trace))
	}
	if rest := len(all) - mostObjects; rest > 0 {
		fmt.Fprintf(&b, "and %d more objects\n", rest)
	}
	return b.String()
}

// Explain says of a trace of the evaluation of a rule at one object which clauses of deny and skip hold, and with which values,
// and where the others stop.
func Explain(module *ast.Module, trace []*topdown.Event) string {
	t := indexTrace(trace)
	var b strings.Builder
	for _, clause := range module.Rules {
		if name := clause.Head.Name; name == "deny" || name == "skip" {
			t.clause(&b, clause)
		}
	}
	return b.String()
}

// trace is an evaluation by its queries.
type trace struct {
	events []*topdown.Event
	// of are the queries that evaluate a rule, by the rule's place.
	of map[string][]uint64
}

func indexTrace(events []*topdown.Event) *trace {
	t := &trace{events: events, of: map[string][]uint64{}}
	for _, e := range events {
		if r, ok := e.Node.(*ast.Rule); ok && e.Op == topdown.EnterOp {
			at := placeOf(r)
			t.of[at] = append(t.of[at], e.QueryID)
		}
	}
	return t
}

func placeOf(r *ast.Rule) string {
	return fmt.Sprintf("%s:%d:%d", r.Location.File, r.Location.Row, r.Location.Col)
}

// clause tells of one clause of the rule.
func (t *trace) clause(b *strings.Builder, clause *ast.Rule) {
	name := fmt.Sprintf("  %s, line %d,", clause.Head.Name, clause.Location.Row)
	queries := t.of[placeOf(clause)]
	answers := 0
	for _, e := range t.events {
		if e.Op != topdown.ExitOp || !slices.Contains(queries, e.QueryID) || e.HasExpr() {
			continue
		}
		if r, ok := e.Node.(*ast.Rule); !ok || placeOf(r) != placeOf(clause) {
			continue
		}
		if answers++; answers <= mostAnswers {
			fmt.Fprintf(b, "%s holds:\n", name)
			values(b, "      ", locals(e))
		}
	}
	if rest := answers - mostAnswers; rest > 0 {
		fmt.Fprintf(b, "%s holds %d times more\n", name, rest)
	}
	if answers > 0 {
		return
	}
	if len(queries) == 0 {
		fmt.Fprintf(b, "%s was not evaluated: something before it went wrong.\n", name)
		return
	}
	fmt.Fprintf(b, "%s stops here:\n", name)
	t.stop(b, queries, 1)
}

// stop tells at which expression queries end: that which is furthest down, when it failed the last time.
func (t *trace) stop(b *strings.Builder, queries []uint64, depth int) {
	last := -1
	for i, e := range t.events {
		x, ok := e.Node.(*ast.Expr)
		if !ok || e.Op != topdown.FailOp || !slices.Contains(queries, e.QueryID) {
			continue
		}
		if last < 0 || x.Index >= t.events[last].Node.(*ast.Expr).Index {
			last = i
		}
	}
	if last < 0 {
		return
	}
	e := t.events[last]
	expr := e.Node.(*ast.Expr)
	indent := strings.Repeat("  ", depth+1)
	base := expr.BaseCogeneratedExpr()
	fmt.Fprintf(b, "%s%s:%d: %s\n", indent, base.Location.File, base.Location.Row, rules.OneLine(string(base.Location.Text)))
	values(b, indent+"    ", valuesIn(expr, e))
	if depth < deepest {
		t.asked(b, last, depth)
	}
}

// asked tells of the rules that an expression asked before it failed: a condition that does not hold, or under not one that
// does.
func (t *trace) asked(b *strings.Builder, failed, depth int) {
	e := t.events[failed]
	expr := e.Node.(*ast.Expr)
	children := map[string][]uint64{}
	var order []*ast.Rule
	holds := map[string]bool{}
	below := map[uint64]bool{e.QueryID: true}
	for i := t.began(failed); i < failed; i++ {
		x := t.events[i]
		r, ok := x.Node.(*ast.Rule)
		switch {
		case x.Op == topdown.EnterOp && !ok && below[x.ParentID]:
			below[x.QueryID] = true // the body of a not, or of a comprehension
		case x.Op == topdown.EnterOp && ok && below[x.ParentID]:
			if children[placeOf(r)] == nil {
				order = append(order, r)
			}
			children[placeOf(r)] = append(children[placeOf(r)], x.QueryID)
		case x.Op == topdown.ExitOp && ok && slices.Contains(children[placeOf(r)], x.QueryID):
			holds[placeOf(r)] = true
		}
	}
	slices.SortStableFunc(order, func(a, b *ast.Rule) int { return cmp.Compare(a.Location.Row, b.Location.Row) })
	indent := strings.Repeat("  ", depth+2)
	for _, r := range order {
		switch held := holds[placeOf(r)]; {
		case held && expr.Negated:
			fmt.Fprintf(b, "%s%s, line %d, holds\n", indent, r.Head.Ref(), r.Location.Row)
		case !held && !expr.Negated:
			fmt.Fprintf(b, "%s%s, line %d, stops here:\n", indent, r.Head.Ref(), r.Location.Row)
			t.stop(b, children[placeOf(r)], depth+2)
		}
	}
}

// began is the event at which the evaluation of an expression that failed began.
func (t *trace) began(failed int) int {
	e := t.events[failed]
	for i := failed - 1; i >= 0; i-- {
		x := t.events[i]
		if x.QueryID == e.QueryID && (x.Op == topdown.EvalOp || x.Op == topdown.RedoOp) && x.Node == e.Node {
			return i
		}
	}
	return failed
}
