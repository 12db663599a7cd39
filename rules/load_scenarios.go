package rules

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/waywarden/waywarden/policies/scenario"
)

// scenarios reads those beside each rule.
func (l *loader) scenarios() {
	known := map[string]bool{}
	for _, r := range l.rules {
		known[r.ScenarioFile] = true
		data, ok := l.files[r.ScenarioFile]
		shown := l.Show(r.ScenarioFile)
		if !ok {
			l.refusals.add(position{file: shown}, "nobody knows that the rule works: it has no scenarios. Write this file, with at least one ok-NAME.yaml and one bad-NAME.yaml.")
			continue
		}
		f, err := scenario.Parse(shown, data)
		if err != nil {
			why := strings.TrimPrefix(err.Error(), shown+": ")
			section, _, _ := strings.Cut(why, ": ")
			l.refusals.add(sectionAt(shown, data, section), "the scenarios cannot be read: %s. Correct the section.", why)
			continue
		}
		good, bad := 0, 0
		for _, c := range f.Cases {
			if c.Bad() {
				bad++
			} else {
				good++
			}
			for _, wrong := range r.wrongCase(c) {
				at := sectionAt(shown, data, c.Name+".asked.yaml", "asked.yaml")
				l.refusals.add(at, "scenario %s says nothing of the rule: %s. Correct its asked.yaml.", c.Name, wrong)
			}
		}
		if good == 0 || bad == 0 {
			l.refusals.add(position{file: shown}, "nobody knows that the rule works: it has %d ok-* and %d bad-* scenarios. Write at least one of each.", good, bad)
		}
		r.ScenarioFile, r.example = shown, firstBad(f)
		r.Scenarios = sync.OnceValue(func() *scenario.File {
			again, _ := scenario.Parse(shown, data) // as before
			return again
		})
	}
	for _, name := range l.names(".txtar") {
		if !known[name] && !l.unread[strings.TrimSuffix(name, ".txtar")+".rego"] {
			l.refusals.add(position{file: l.Show(name)}, "the scenarios show nothing: there is no rule beside them. Call the file as the rule, or remove it.")
		}
	}
}

// sectionAt is where the first of some sections begins that a file of scenarios has; the file as a whole where it has none of them.
func sectionAt(file string, data []byte, sections ...string) position {
	lines := strings.Split(string(data), "\n")
	for _, section := range sections {
		header := "-- " + section + " --"
		if i := slices.IndexFunc(lines, func(line string) bool { return strings.TrimSpace(line) == header }); i >= 0 {
			return position{file, i + 1, 1}
		}
	}
	return position{file: file}
}

// firstBad is the first case in which something is to be found.
func firstBad(f *scenario.File) string {
	for _, c := range f.Cases {
		if c.Bad() {
			return strings.Clone(c.Source) // of a file that need not be kept
		}
	}
	return ""
}

// wrongCase is what is wrong with how a case asks the rule.
func (r *Rule) wrongCase(c scenario.Case) []string {
	switch {
	case c.Asked.Phase != "" && !slices.Contains(r.Phases, c.Asked.Phase):
		return []string{fmt.Sprintf("the rule is not asked in phase %s", c.Asked.Phase)}
	case c.Asked.Params == nil:
		return nil
	case r.Params == nil:
		return []string{"the rule takes no parameters"}
	}
	return wrongParams(r.Params, r.withDefaults(c.Asked.Params))
}
