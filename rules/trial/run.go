package trial

import (
	"runtime"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/rogpeppe/go-internal/diff"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/scenario"
	"github.com/waywarden/waywarden/rules"
)

// Result is what came of the scenarios of one rule.
type Result struct {
	Rule  *rules.Rule
	Cases []Case
	// Coverage is of the rule's own file.
	Coverage Coverage
}

// Case is what came of one scenario.
type Case struct {
	Name string
	// Text is what was said, as expectations are written.
	Text string
	// Problems are what is wrong, in whole sentences; none where the case passes.
	Problems []string
	// Diff is from what was expected to what was said; "" where they are the same.
	Diff string
	// Why is the smallest part of the evaluation that explains it; "" where the case passes.
	Why string
	// Printed is what the rule printed.
	Printed string
}

// Failed is whether anything is wrong.
func (r *Result) Failed() bool {
	for _, c := range r.Cases {
		if len(c.Problems) > 0 {
			return true
		}
	}
	return false
}

// Options say how to run scenarios.
type Options struct {
	// Only says which rules are asked; nil for all.
	Only func(id string) bool
	// Updating is whether what is said is about to be written down as what is expected, so that differences are no problem.
	Updating bool
	// Brief leaves out all that explains: coverage, why a case fails, and what was printed. What a trace holds of a rule that does
	// not end has no bound. It takes one rule after another, for where others need the machine too.
	Brief bool
	// Over is whether the time for all of them is over; nil for no bound. It is called from several goroutines.
	Over func() bool
}

func (o Options) over() bool { return o.Over != nil && o.Over() }

// Run asks every rule of its scenarios, several rules at a time. The results are in the order of the rules.
func Run(pack *rules.Pack, o Options) []Result {
	if o.Brief {
		var out []Result
		for _, r := range selected(pack, o.Only) {
			out = append(out, run(pack, r, o))
		}
		return out
	}
	return each(selected(pack, o.Only), func(r *rules.Rule) Result { return run(pack, r, o) })
}

func selected(pack *rules.Pack, only func(string) bool) []*rules.Rule {
	var out []*rules.Rule
	for _, r := range pack.Rules {
		if only == nil || only(r.ID) {
			out = append(out, r)
		}
	}
	return out
}

// each calls the function for each of them on all processors, and keeps the order.
func each[In, Out any](all []In, do func(In) Out) []Out {
	out := make([]Out, len(all))
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(len(all), runtime.GOMAXPROCS(0)) {
		workers.Go(func() {
			for i := range next {
				out[i] = do(all[i])
			}
		})
	}
	for i := range all {
		next <- i
	}
	close(next)
	workers.Wait()
	return out
}

func run(pack *rules.Pack, r *rules.Rule, o Options) Result {
	out := Result{Rule: r}
	module, covered := r.Parse(), cover.New()
	var printed printer
	watch := rules.Watch{Tracer: func(*mesh.Object) topdown.QueryTracer { return covered }, Print: &printed}
	if o.Brief {
		watch = rules.Watch{}
	}
	watched := single(pack, r, module, watch)
	for _, c := range r.Scenarios().Cases {
		if o.over() {
			out.Cases = append(out.Cases, Case{Name: c.Name, Problems: []string{"it was not asked: the time for all of them is over. Make the rules faster, or the pack smaller."}})
			continue
		}
		c.Asked.Over = o.Over
		outcome := c.Ask(watched)
		one := Case{Name: c.Name, Text: outcome.Text, Printed: printed.take()}
		one.judge(c, outcome, o)
		if len(one.Problems) > 0 && !o.Brief {
			one.Why = explain(pack, r, module, c)
		}
		out.Cases = append(out.Cases, one)
	}
	if !o.Brief {
		out.Coverage = coverageOf(covered, module)
	}
	return out
}

// single is the check of a rule by itself. It panics where that does not compile, because the Pack does.
func single(pack *rules.Pack, r *rules.Rule, module *ast.Module, w rules.Watch) *policies.Check {
	alone, err := pack.Single(r, module, w)
	if err != nil {
		panic("trial: a rule that compiles with others does not do so by itself: " + err.Error())
	}
	return alone.Checks()[0]
}

// judge says what is wrong with what was said.
func (c *Case) judge(s scenario.Case, got scenario.Outcome, o Options) {
	for _, f := range got.Failures {
		c.Problems = append(c.Problems, "there is no answer about "+f.Object.String()+": "+f.Message)
	}
	switch {
	case len(got.Failures) > 0:
	case s.Bad() && len(got.Findings) == 0:
		c.Problems = append(c.Problems, "it finds nothing, and a case called bad-… is there to be found.")
	case !s.Bad() && len(got.Findings) > 0:
		c.Problems = append(c.Problems, "it finds something, and a case called ok-… has nothing to be found.")
	}
	if o.Updating || s.Want == got.Text {
		return
	}
	c.Diff = string(diff.Diff(s.Name+".want", []byte(s.Want), "what was said", []byte(got.Text)))
	if len(c.Problems) > 0 {
		return
	}
	if s.Want == "" {
		c.Problems = append(c.Problems, "nothing is expected yet. Read what it says, and write it down with --update.")
		return
	}
	c.Problems = append(c.Problems, "it says something else than was expected. Correct the rule, or accept it with --update.")
}

// Update is a file of scenarios with what was said as what is expected.
func (r *Result) Update() []byte {
	want := map[string]string{}
	for _, c := range r.Cases {
		want[c.Name] = c.Text
	}
	return r.Rule.Scenarios().Update(want)
}
