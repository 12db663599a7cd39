package main

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/mod/modfile"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/rules"
	"github.com/waywarden/waywarden/rules/trial"
	"github.com/waywarden/waywarden/rules/zerotrust"
)

// ruleNew is the rules new command's flags.
type ruleNew struct {
	kinds    []string
	dir      string
	severity choice
	library  bool
}

func newRulesNew(e *env) *cobra.Command {
	n := &ruleNew{severity: choice{value: "medium", allowed: []string{"critical", "high", "medium", "low", "info"}}}
	cmd := &cobra.Command{
		Use:   "new ID --kind KIND",
		Short: "Begin a rule: write one that works, and its scenarios",
		Long: `Write GROUP/NAME.rego and GROUP/NAME.txtar for a rule called GROUP/NAME, below --dir, and nothing else. The rule works, and passes
rules check and rules test: it finds objects without a label. Make of it what it is to be. No file is overwritten.

zero-trust/… are the names of the library that comes with waywarden. In a clone of its repository such a rule is written into
rules/zerotrust, unless --dir and --library say otherwise. Elsewhere, choose a group of your own.`,
		Example: examples(e, `
waywarden rules new acme/no-latest --kind Deployment --dir policies/

# of several kinds
waywarden rules new acme/has-owner --kind Namespace --kind Service

# of the library, in a clone of waywarden's repository
waywarden rules new zero-trust/authz/x --kind AuthorizationPolicy`),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if strings.HasPrefix(args[0], zerotrust.Prefix) && !n.library {
				if err := n.reserved(args[0], cmd.Flags().Changed("dir")); err != nil {
					return err
				}
			}
			return n.run(e, args[0])
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&n.kinds, "kind", nil, "the kind that it is asked of, as in AuthorizationPolicy; can be repeated")
	flags.StringVar(&n.dir, "dir", ".", "the folder that holds the rules")
	flags.Var(&n.severity, "severity", "how bad it is: critical, high, medium, low, info")
	flags.BoolVar(&n.library, "library", false, "the rule is one of the library that comes with waywarden, and --dir is its folder")
	mustComplete(cmd, "severity", n.severity.complete)
	mustComplete(cmd, "kind", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		var out []string
		for _, k := range mesh.Kinds() {
			out = append(out, rules.KindName(k))
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	})
	if err := errors.Join(cmd.MarkFlagRequired("kind"), cmd.MarkFlagDirname("dir")); err != nil {
		panic(err) // the flags have just been added
	}
	return cmd
}

func (n *ruleNew) run(e *env, id string) error {
	var kinds []mesh.Kind
	for _, word := range n.kinds {
		k, ok := rules.KindNamed(word)
		if !ok {
			found, err := kindsNamed(word)
			if err != nil {
				return fmt.Errorf("--kind: %w", err)
			}
			k = found[0]
		}
		kinds = append(kinds, k)
	}
	begun, err := trial.Begin(trial.Beginning{ID: id, Kinds: kinds, Severity: policies.Severity(n.severity.value), Library: n.library})
	if err != nil {
		return err
	}
	absolute, err := filepath.Abs(n.dir)
	if err != nil {
		return err
	}
	names := []string{begun.Rego, begun.Scenarios}
	files := make([]string, len(names))
	for i, name := range names {
		files[i] = filepath.Join(n.dir, filepath.FromSlash(trial.Beside(name, filepath.ToSlash(absolute))))
		if exists(files[i]) {
			return fmt.Errorf("%s is there already. Choose another ID, or remove it", files[i])
		}
	}
	for i, name := range names {
		if err := os.MkdirAll(filepath.Dir(files[i]), 0o755); err != nil {
			return failed(err)
		}
		if err := os.WriteFile(files[i], begun.Files[name], 0o644); err != nil {
			return failed(err)
		}
		fmt.Fprintf(e.stdout, "wrote %s\n", files[i])
	}
	where := n.dir
	if n.library {
		where += " --library"
	}
	fmt.Fprintf(e.stdout, "\nMake of it what it is to be, then:\n  %[1]s rules check %[2]s\n  %[1]s rules test %[2]s --update\n", e.program, where)
	return nil
}

// reserved finds the folder for a rule that is called as those of the library are. The error is that there is none here, or that
// another folder is asked for.
func (n *ruleNew) reserved(id string, elsewhere bool) error {
	here, err := os.Getwd()
	if err != nil {
		return failed(err)
	}
	if folder, ok := libraryFrom(here); ok && !elsewhere {
		n.library = true
		n.dir, err = filepath.Rel(here, folder)
		return err
	}
	return fmt.Errorf("%s is not begun: zero-trust/… are the library's own names, and of a folder of yours such a rule would not be loaded. "+
		"Choose a group of yours, as in acme/%s; or, for a rule of the library in a clone of waywarden, add --library --dir rules/zerotrust", id, path.Base(id))
}

// libraryFrom is the folder of the library in the clone of this program's repository in which a folder lies; false where it lies in none.
func libraryFrom(dir string) (string, bool) {
	for {
		if mod, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil && modfile.ModulePath(mod) == "github.com/waywarden/waywarden" {
			return filepath.Join(dir, "rules", zerotrust.Root), true
		}
		above := filepath.Dir(dir)
		if above == dir {
			return "", false
		}
		dir = above
	}
}
