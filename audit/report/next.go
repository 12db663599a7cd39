package report

import (
	"fmt"
	"slices"
	"strings"

	"istio.io/api/label"
	"sigs.k8s.io/yaml"

	"github.com/waywarden/waywarden/policies"
)

// Again is what to type after another command's name, so that it looks at the same input. A repair or
// a plan holds only for the mesh for which it was made: over one file of several it would be empty.
type Again struct {
	Paths []string // files and folders; none for a cluster
	Flags []string // that say what is looked at, as in --live
	// Namespace is that of objects that name none; "" where it was not said.
	Namespace string
}

func (a *Again) command(program, name string, args ...string) string {
	var words []string
	for _, w := range slices.Concat([]string{name}, args, a.Flags) {
		words = append(words, quoted(w))
	}
	return program + " " + strings.Join(words, " ")
}

// explain is the command that prints the objects of an object's fixes.
func (a *Again) explain(program string, f *Finding) string {
	args := []string{strings.ToLower(f.Object.Kind) + "/" + f.Object.Name}
	if f.Object.Namespace != "" {
		args = append(args, "-n", f.Object.Namespace)
	}
	for _, p := range a.Paths {
		args = append(args, "-f", p)
	}
	return a.command(program, "explain", args...)
}

// next says which commands help on. They are not broken into lines, so that they can be copied.
func (t textWriter) next(findings []Finding, effects []Effect) {
	again := t.style.Again
	if again == nil || len(again.Paths) == 0 {
		return
	}
	args := slices.Clone(again.Paths)
	if again.Namespace != "" {
		args = append(args, "-n", again.Namespace)
	}
	n := 0
	for i := range findings {
		if f := &findings[i]; !f.Known && !f.Exempt && slices.ContainsFunc(f.Fixes, patches) {
			n++
		}
	}
	if n > 0 {
		fmt.Fprintf(t, "Safe repairs for %s: %s\n", plural(n, "finding", "findings"), t.style.paint(bold, again.command(t.style.program(), "fix", append([]string{"-d"}, args...)...)))
	}
	if slices.ContainsFunc(effects, func(e Effect) bool { return e.WantsWaypoint() && !e.Unplanned }) {
		fmt.Fprintf(t, "The waypoints that are missing: %s\n", t.style.paint(bold, again.command(t.style.program(), "plan", args...)))
	}
}

func patches(fix policies.Fix) bool { return len(fix.Patch) > 0 }

// WantsWaypoint is whether the effect is none, and waits for a label for a waypoint.
func (e *Effect) WantsWaypoint() bool {
	return e.Verdict == policies.NotEnforced && slices.ContainsFunc(e.WaitsFor, func(w policies.Wait) bool { return w.Label == label.IoIstioUseWaypoint.Name })
}

// apply writes the objects that a fix adds, ready for kubectl apply; or the command that prints them.
func (t textWriter) apply(f *Finding, objects []map[string]any) {
	if !t.objects {
		if t.style.Again != nil {
			t.WriteString(indent + "printed by: " + t.style.Again.explain(t.style.program(), f) + "\n")
		}
		return
	}
	for i, o := range objects {
		data, err := yaml.Marshal(o)
		if err != nil {
			panic(err) // it is made of maps, lists and strings
		}
		if i > 0 {
			t.WriteString("---\n") // a separator only at the start of a line
		}
		for line := range strings.Lines(string(data)) {
			t.WriteString(indent + strings.TrimSuffix(line, "\n") + "\n")
		}
	}
}
