package handbook

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/rules"
	"github.com/waywarden/waywarden/rules/controls"
)

// Evidence is printed wherever controls are: a mapping is less than it seems.
const Evidence = "That a rule names a control means that its findings are evidence for or against it, never that the control is satisfied."

// Pages are the handbook as Markdown, by the path of each file: README.md, one page a rule at its ID, and one a framework below
// frameworks.
func Pages(title string, pack *rules.Pack) map[string][]byte {
	out := map[string][]byte{"README.md": []byte(index(title, pack))}
	for _, r := range pack.Rules {
		out[r.ID+".md"] = []byte(page(Describe(r)))
	}
	for _, f := range controls.Frameworks() {
		if m := Map(f, pack); slices.ContainsFunc(m.Controls, func(c Control) bool { return len(c.Rules) > 0 }) {
			out["frameworks/"+f.ID+".md"] = []byte(frameworkPage(m))
		}
	}
	return out
}

func index(title string, pack *rules.Pack) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s.\n\n", title, count(len(pack.Rules), "rule"))
	b.WriteString("| rule | severity | finds |\n|---|---|---|\n")
	for _, r := range pack.Rules {
		fmt.Fprintf(&b, "| [`%s`](%s.md) | %s | %s |\n", r.ID, r.ID, r.Severity, cell(r.Title))
	}
	var named []string
	for _, f := range controls.Frameworks() {
		if m := Map(f, pack); slices.ContainsFunc(m.Controls, func(c Control) bool { return len(c.Rules) > 0 }) {
			with, _ := m.With()
			named = append(named, fmt.Sprintf("| [%s](frameworks/%s.md) | %d |\n", cell(f.Title), f.ID, len(with)))
		}
	}
	if len(named) > 0 {
		fmt.Fprintf(&b, "\n## Frameworks\n\n%s\n\n| framework | controls with a rule |\n|---|---|\n%s", Evidence, strings.Join(named, ""))
	}
	return b.String()
}

func page(r Rule) string {
	var b strings.Builder
	up := strings.Repeat("../", strings.Count(r.ID, "/"))
	fmt.Fprintf(&b, "# %s\n\n`%s` · %s · asked of %s\n\n", r.Title, r.ID, r.Severity, strings.Join(r.Kinds, ", "))
	if r.Description != "" {
		fmt.Fprintf(&b, "%s\n\n", r.Description)
	}
	if r.Remediation != "" {
		fmt.Fprintf(&b, "**What to do:** %s\n\n", r.Remediation)
	}
	if len(r.Params) > 0 {
		b.WriteString("## Parameters\n\nA Guardrail sets them.\n\n| parameter | type | default | |\n|---|---|---|---|\n")
		for _, p := range r.Params {
			fmt.Fprintf(&b, "| `%s` | %s | `%s` | %s |\n", p.Name, cell(p.Type), cell(p.Default), cell(p.Description))
		}
		b.WriteByte('\n')
	}
	if len(r.Controls) > 0 {
		fmt.Fprintf(&b, "## Controls\n\n%s\n\n| framework | controls |\n|---|---|\n", Evidence)
		for _, id := range slices.Sorted(maps.Keys(r.Controls)) {
			fmt.Fprintf(&b, "| [%s](%sframeworks/%s.md) | %s |\n", cell(controls.Find(id).Title), up, id, cell(strings.Join(r.Controls[id], ", ")))
		}
		b.WriteByte('\n')
	}
	examples(&b, r)
	if len(r.Related) > 0 {
		b.WriteString("## Read on\n\n")
		for _, link := range r.Related {
			fmt.Fprintf(&b, "- <%s>\n", link)
		}
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// examples shows what is found first, because that is what a reader of a finding looks for.
func examples(b *strings.Builder, r Rule) {
	b.WriteString("## Examples\n\n")
	for _, bad := range []bool{true, false} {
		for _, x := range r.Examples {
			if x.Bad != bad {
				continue
			}
			verdict := "Nothing is found"
			if bad {
				verdict = "Found"
			}
			fmt.Fprintf(b, "%s (%s):\n\n```yaml\n%s\n```\n\n", verdict, x.Name, strings.TrimRight(x.Source, "\n"))
			if x.Says != "" {
				fmt.Fprintf(b, "```\n%s```\n\n", x.Says)
			}
		}
	}
}

func frameworkPage(f Framework) string {
	var b strings.Builder
	with, without := f.With()
	fmt.Fprintf(&b, "# %s\n\n%s\n\n## Controls with a rule\n\n| control | | rules |\n|---|---|---|\n", f.Title, Evidence)
	for _, c := range with {
		var links []string
		for _, id := range c.Rules {
			links = append(links, fmt.Sprintf("[`%s`](%s.md)", id, path.Join("..", id)))
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", cell(c.ID), cell(c.Title), strings.Join(links, "<br>"))
	}
	b.WriteString("\n## Controls without a rule\n\n")
	if !f.Complete {
		b.WriteString("Of this framework only those controls are known here that rules can name. ")
	}
	if len(without) == 0 {
		b.WriteString("Of the others nothing is assessed.\n")
		return b.String()
	}
	b.WriteString("Nothing is assessed of these:\n\n")
	for _, c := range without {
		b.WriteString(strings.TrimRight("- "+c.ID+" "+c.Title, " ") + "\n")
	}
	return b.String()
}

// cell is a text in a table.
func cell(s string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "|", `\|`)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
