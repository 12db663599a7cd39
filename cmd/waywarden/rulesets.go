package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/rules"
	"github.com/waywarden/waywarden/rules/zerotrust"
)

// rulesets are the flags that say which rules in Rego are asked besides the checks in Go.
type rulesets struct {
	dirs      []string
	zeroTrust bool
	evidence  evidenceFlags
}

func (r *rulesets) addFlags(cmd *cobra.Command) {
	r.addFolders(cmd)
	r.evidence.add(cmd)
	cmd.Flags().BoolVar(&r.zeroTrust, "zero-trust", false, "ask the zero-trust library too; --check zero-trust/* does so as well")
}

// addFolders adds only the flag for folders.
func (r *rulesets) addFolders(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&r.dirs, "rules", nil, "ask the rules in Rego of this folder too; can be repeated")
	mustComplete(cmd, "rules", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	})
}

// checks are all checks there are: in Go, of the library, and of folders. The error is one of usage, with every refusal.
func (r *rulesets) checks() ([]*policies.Check, error) {
	out := slices.Concat(policies.Checks(), zerotrust.Pack().Checks())
	for _, dir := range r.dirs {
		pack, err := loadRules(dir, false)
		if err != nil {
			return nil, fmt.Errorf("--rules %s:\n%w", dir, err)
		}
		for _, c := range pack.Checks() {
			if slices.ContainsFunc(out, func(other *policies.Check) bool { return other.ID == c.ID }) {
				return nil, fmt.Errorf("--rules %s: there is a check called %s already. Rename the rule", dir, c.ID)
			}
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b *policies.Check) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}

// asked are the checks that are asked where globs name none, and those that are asked.
func (r *rulesets) asked(globs []string) (known, asked []*policies.Check, err error) {
	library := slices.ContainsFunc(globs, func(g string) bool { return strings.HasPrefix(g, zerotrust.Prefix) })
	if len(r.dirs) == 0 && !r.zeroTrust && !library {
		known = policies.Checks()
		if asked, err = selectChecks(known, globs); err == nil {
			return known, asked, nil // without compiling a rule
		}
	}
	known, err = r.checks()
	if err != nil {
		return nil, nil, err
	}
	asked, err = selectChecks(known, globs)
	if err != nil {
		return nil, nil, fmt.Errorf("--check: %w", err)
	}
	if r.zeroTrust || library {
		return known, asked, nil
	}
	of := func(c *policies.Check) bool { return strings.HasPrefix(c.ID, zerotrust.Prefix) }
	return slices.DeleteFunc(known, of), slices.DeleteFunc(asked, of), nil
}

// loadRules loads the rules of a folder; library allows the names that are reserved for those of this program.
func loadRules(dir string, library bool) (*rules.Pack, error) {
	fsys, options, err := rulesIn(dir, library)
	if err != nil {
		return nil, err
	}
	return rules.Load(fsys, options)
}

// rulesIn is a folder of rules, and how to load it.
func rulesIn(dir string, library bool) (fs.FS, rules.Options, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, rules.Options{}, err
	}
	if !info.IsDir() {
		return nil, rules.Options{}, errors.New("it is no folder. Name the one that holds the rules")
	}
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return nil, rules.Options{}, err
	}
	show := func(p string) string { return filepath.Join(dir, filepath.FromSlash(p)) }
	return os.DirFS(dir), rules.Options{Root: filepath.Base(absolute), Library: library, Show: show}, nil
}
