package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/rules"
	"github.com/waywarden/waywarden/rules/zerotrust"
)

// rulesets are the flags that say which rules in Rego are asked besides the checks in Go.
type rulesets struct {
	signers
	sources   []string // folders, and bundles
	zeroTrust bool
	evidence  evidenceFlags
}

func (r *rulesets) addFlags(cmd *cobra.Command) {
	r.addSources(cmd)
	r.evidence.add(cmd)
	cmd.Flags().BoolVar(&r.zeroTrust, "zero-trust", false, "ask the zero-trust library too; --check zero-trust/* does so as well")
}

// addSources adds only the flags for rules of one's own.
func (r *rulesets) addSources(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&r.sources, "rules", nil, "ask the rules in Rego of this folder, of the RulePack in this file, or of this signed bundle (a file, or oci://…@sha256:…), too; can be repeated")
	mustComplete(cmd, "rules", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveDefault
	})
	r.signers.addFlags(cmd)
}

// checks are all checks there are: in Go, of the library, of folders and bundles, and those of RulePacks, which are given. The
// error is an [exit], or one of usage with every refusal.
func (r *rulesets) checks(ctx context.Context, packs ...*policies.Check) ([]*policies.Check, error) {
	out := slices.Concat(policies.Checks(), zerotrust.Pack().Checks(), packs)
	for _, source := range r.sources {
		pack, err := r.pack(ctx, source)
		if err != nil {
			return nil, err
		}
		for _, c := range pack.Checks() {
			if slices.ContainsFunc(out, func(other *policies.Check) bool { return other.ID == c.ID }) {
				return nil, fmt.Errorf("--rules %s: there is a check called %s already. Rename the rule", source, c.ID)
			}
			out = append(out, c)
		}
	}
	return sorted(out), nil
}

// pack loads the rules of a folder, or of a bundle.
func (r *rulesets) pack(ctx context.Context, source string) (*rules.Pack, error) {
	if _, remote := inRegistry(source); !remote {
		info, err := os.Stat(source)
		if err == nil && (info.IsDir() || isManifest(source)) {
			pack, err := loadRules(source, false)
			if err != nil {
				return nil, fmt.Errorf("--rules %s:\n%w", source, err)
			}
			return pack, nil
		}
		if err == nil && len(r.keys) == 0 {
			err = errors.New("it is no folder, and a bundle is believed only if it is signed. Name the folder that holds the rules, or the signer's key with --verification-key")
		}
		if err != nil {
			return nil, fmt.Errorf("--rules %s: %w", source, err)
		}
	}
	pack, _, err := r.signers.load(ctx, source)
	var ended *exit
	if errors.As(err, &ended) {
		if err = fmt.Errorf("--rules %s: %w", source, ended.err); ended.status == report.StatusErrors {
			return nil, failed(err)
		}
		return nil, err // as for a folder whose rules are refused
	}
	if err != nil {
		return nil, fmt.Errorf("--rules %s: %w", source, err)
	}
	return pack, nil
}

func sorted(checks []*policies.Check) []*policies.Check {
	slices.SortFunc(checks, func(a, b *policies.Check) int { return strings.Compare(a.ID, b.ID) })
	return checks
}

// asked are the checks that are asked where globs name none, and those that are asked. packs are the checks of RulePacks.
func (r *rulesets) asked(ctx context.Context, globs []string, packs ...*policies.Check) (known, asked []*policies.Check, err error) {
	library := slices.ContainsFunc(globs, func(g string) bool { return strings.HasPrefix(g, zerotrust.Prefix) })
	if len(r.sources) == 0 && !r.zeroTrust && !library {
		known = sorted(slices.Concat(policies.Checks(), packs))
		if asked, err = selectChecks(known, globs); err == nil {
			return known, asked, nil // without compiling a rule
		}
	}
	known, err = r.checks(ctx, packs...)
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

// loadRules loads the rules of a folder, or of the RulePack in a manifest; library allows the names that are reserved for those of this program.
func loadRules(dir string, library bool) (*rules.Pack, error) {
	fsys, options, err := rulesIn(dir, library)
	if err != nil {
		return nil, err
	}
	return rules.Load(fsys, options)
}

// rulesIn is a folder of rules, or the files of a RulePack, and how to load them.
func rulesIn(dir string, library bool) (fs.FS, rules.Options, error) {
	if isManifest(dir) {
		return manifestRules(dir)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, rules.Options{}, err
	}
	if !info.IsDir() {
		return nil, rules.Options{}, errors.New("it is no folder. Name the one that holds the rules, or a file with a RulePack")
	}
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return nil, rules.Options{}, err
	}
	show := func(p string) string { return filepath.Join(dir, filepath.FromSlash(p)) }
	return os.DirFS(dir), rules.Options{Root: filepath.Base(absolute), Library: library, Show: show}, nil
}
