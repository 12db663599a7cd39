package packs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/rules"
	"github.com/waywarden/waywarden/rules/trial"
)

// Refused is why a pack is not taken: in one word, and every reason.
type Refused struct {
	// Reason is one of those of v1alpha1, as in CompileError.
	Reason   string
	Refusals rules.Refusals
}

// wholePack stands for the file where a refusal is about none of them.
const wholePack = "the pack"

func (r *Refused) Error() string { return r.Refusals.Error() }

func refused(reason, file, format string, args ...any) *Refused {
	return &Refused{Reason: reason, Refusals: rules.Refusals{{File: file, Message: fmt.Sprintf(format, args...)}}}
}

// judge compiles a pack and, unless it was judged before, puts it to the test, until ctx ends. The error is *Refused. OPA's compiler
// cannot be stopped: where it takes longer, it is left to end by itself. ended is called when nothing of it runs any more.
func judge(ctx context.Context, f Files, before bool, ended func()) (*rules.Pack, error) {
	type outcome struct {
		pack *rules.Pack
		err  error
	}
	tooSlow := func(doing string) *Refused {
		return refused(v1alpha1.ReasonTooSlow, wholePack, "the rules are not taken: the time was over before %s. Make the pack smaller, or several of it; "+
			"of a ConfigMap or a bundle, which are judged after they are stored, more is taken.", doing)
	}
	testing, stop := shorter(ctx)
	defer stop()
	done := make(chan outcome, 1)
	go func() {
		defer ended()
		pack, err := f.load(before)
		if err == nil && !before {
			if testing.Err() != nil {
				err = tooSlow("it was tested")
			} else {
				err = tested(testing, pack, f)
			}
		}
		done <- outcome{pack, err}
	}()
	select {
	case <-ctx.Done():
		return nil, tooSlow("it was compiled and tested")
	case o := <-done:
		var refusals rules.Refusals
		if errors.As(o.err, &refusals) {
			return nil, &Refused{Reason: v1alpha1.ReasonCompileError, Refusals: refusals}
		}
		if o.err != nil {
			return nil, o.err
		}
		return o.pack, nil
	}
}

// shorter ends a little before ctx, so that it can be told which test took the time.
func shorter(ctx context.Context) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(end)*8/10)
}

// tested runs the scenarios and the tests in Rego. The error is *Refused.
func tested(ctx context.Context, pack *rules.Pack, f Files) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = mistake(p)
		}
	}()
	if wrong := pack.RefusedTests(); len(wrong) > 0 {
		return &Refused{Reason: v1alpha1.ReasonCompileError, Refusals: wrong}
	}
	var wrong rules.Refusals
	o := trial.Options{Brief: true, Over: func() bool { return ctx.Err() != nil }}
	for _, r := range trial.Run(pack, o) {
		for _, c := range r.Cases {
			for _, problem := range c.Problems {
				wrong = append(wrong, rules.Refusal{File: r.Rule.ScenarioFile, Line: lineOf(f[r.Rule.ScenarioFile], c.Name), Column: 1,
					Message: fmt.Sprintf("scenario %s of %s does not hold: %s", c.Name, r.Rule.ID, problem)})
			}
		}
	}
	if len(pack.Tests) > 0 {
		tests, err := trial.RunRego(ctx, pack, o)
		if err != nil {
			return refused(v1alpha1.ReasonTestFailed, wholePack, "its tests in Rego cannot be run: %s. Correct them.", rules.OneLine(err.Error()))
		}
		for _, t := range tests {
			if t.Problem != "" {
				wrong = append(wrong, rules.Refusal{File: t.File, Line: t.Line, Column: 1, Message: fmt.Sprintf("test %s fails: %s Run waywarden rules test to see why.", t.Name, t.Problem)})
			}
		}
	}
	if len(wrong) > 0 {
		return &Refused{Reason: v1alpha1.ReasonTestFailed, Refusals: wrong}
	}
	return nil
}

// lineOf is the line at which a scenario begins in its file.
func lineOf(text, name string) int {
	for i, line := range strings.Split(text, "\n") {
		if strings.TrimSpace(line) == "-- "+name+".yaml --" {
			return i + 1
		}
	}
	return 1
}
