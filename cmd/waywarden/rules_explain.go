package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/waywarden/waywarden/rules/handbook"
	"github.com/waywarden/waywarden/rules/zerotrust"
)

// ruleFolder is the flag --rules of commands that name one rule.
type ruleFolder struct {
	folder
	dir string
}

func (f *ruleFolder) add(cmd *cobra.Command) {
	f.folder.add(cmd)
	cmd.Flags().StringVar(&f.dir, "rules", "", "the rule is in this folder (default: the library that comes with waywarden)")
	mustComplete(cmd, "rules", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	})
}

// args are those of [folder.load].
func (f *ruleFolder) args() []string {
	if f.dir == "" {
		return nil
	}
	return []string{f.dir}
}

// complete completes the IDs of rules.
func (f *ruleFolder) complete() ([]string, cobra.ShellCompDirective) {
	pack, err := f.load(f.args())
	if err != nil {
		pack = zerotrust.Pack()
	}
	var out []string
	for _, r := range pack.Rules {
		out = append(out, cobra.CompletionWithDesc(r.ID, r.Title))
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

func newRulesExplain(e *env) *cobra.Command {
	output := outputFlag{value: "text", allowed: []string{"text", "json", "yaml"}}
	var in ruleFolder
	cmd := &cobra.Command{
		Use:   "explain ID",
		Short: "Say what a rule finds, why it matters, and what to do",
		Example: examples(e, `
waywarden rules explain zero-trust/mtls/mesh-default-strict

waywarden rules explain acme/no-latest --rules policies/`),
		RunE: func(_ *cobra.Command, args []string) error {
			pack, err := in.load(in.args())
			if err != nil {
				return err
			}
			r, err := ruleNamed(pack, args[0])
			if err != nil {
				return err
			}
			d := handbook.Describe(r)
			if output.value != "text" {
				return output.write(e.stdout, d)
			}
			return explainRule(e.stdout, d)
		},
	}
	in.add(cmd)
	output.add(cmd)
	cmd.Args = cobra.ExactArgs(1)
	cmd.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) { return in.complete() }
	return cmd
}

func explainRule(w io.Writer, r handbook.Rule) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n\nSeverity:  %s\nAsked of:  %s\nAsked at:  %s\n", r.ID, r.Title, r.Severity, strings.Join(r.Kinds, ", "), phases(r))
	section := func(title, text string) {
		if text != "" {
			fmt.Fprintf(&b, "\n%s:\n%s\n", title, indented(text))
		}
	}
	section("What and why", r.Description)
	section("What to do", r.Remediation)
	var params []string
	for _, p := range r.Params {
		params = append(params, strings.TrimRight(fmt.Sprintf("%s (%s, default %s) %s", p.Name, p.Type, p.Default, p.Description), " "))
	}
	section("Parameters", strings.Join(params, "\n"))
	var named []string
	for _, id := range slices.Sorted(maps.Keys(r.Controls)) {
		named = append(named, id+": "+strings.Join(r.Controls[id], ", "))
	}
	if len(named) > 0 {
		section("Controls", strings.Join(named, "\n")+"\n"+handbook.Evidence)
	}
	for _, bad := range []bool{true, false} {
		i := slices.IndexFunc(r.Examples, func(x handbook.Example) bool { return x.Bad == bad })
		if i < 0 {
			continue
		}
		title := "Example of what is found"
		if !bad {
			title = "Example of what is not"
		}
		section(title+" ("+r.Examples[i].Name+")", r.Examples[i].Source+"\n"+r.Examples[i].Says)
	}
	section("Read on", strings.Join(r.Related, "\n"))
	_, err := io.WriteString(w, b.String())
	return err
}

// phases are those of a rule, with the operations that admission asks it about.
func phases(r handbook.Rule) string {
	var out []string
	for _, p := range r.Phases {
		text := string(p)
		if p == "admission" {
			text += " (" + strings.Join(r.Operations, ", ") + ")"
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}
