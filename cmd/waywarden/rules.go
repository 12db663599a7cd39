package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/rules"
	"github.com/waywarden/waywarden/rules/zerotrust"
)

func newRules(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rules",
		Short: "Write rules in Rego: make, check, test, measure, explain, document and ship them",
		Long: `Write rules in Rego: make, check, test, measure, explain, document and ship them.

A folder of rules holds GROUP/NAME.rego and beside it GROUP/NAME.txtar with its scenarios. A file with a RulePack stands for the
folder that is in it. Without a folder, the zero-trust library that comes with waywarden is meant. docs/writing-rules.md leads through it.`,
		Example: examples(e, `
# begin a rule, and its scenarios
waywarden rules new acme/no-latest --kind Deployment

# everything for which it would be refused
waywarden rules check policies/

# its scenarios, with the lines that none of them reaches, and the mistakes that none would notice
waywarden rules test policies/ --coverage --mutate

# what it says of an object of the cluster, and why
waywarden rules eval acme/no-latest deployment/cart -n shop --rules policies/

# ship it: signed, and by its digest
waywarden rules bundle policies/ --signing-key release.pem
waywarden rules push bundle.tar.gz ghcr.io/acme/rules:v1`),
		Args: onlyCommands,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newRulesNew(e), newRulesCheck(e), newRulesTest(e), newRulesBench(e), newRulesEval(e), newRulesList(e), newRulesExplain(e), newRulesDocs(e), newRulesPack(e), newRulesImport(e),
		newRulesBundle(e), newRulesPush(e), newRulesPull(e), newRulesVerify(e))
	return cmd
}

// folder is the argument [DIR] of a command about rules: a folder, a file with a RulePack, or the library.
type folder struct {
	// library is whether the folder holds the rules that come with this program.
	library bool
}

func (f *folder) add(cmd *cobra.Command) {
	cmd.Args = cobra.MaximumNArgs(1)
	cmd.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveDefault
	}
	cmd.Flags().BoolVar(&f.library, "library", false, "the folder holds the library that comes with waywarden, whose names, zero-trust/…, are reserved")
}

// load loads the rules of a folder, or is the library. The error is one of usage, with every refusal.
func (f *folder) load(args []string) (*rules.Pack, error) {
	if len(args) == 0 {
		return zerotrust.Pack(), nil
	}
	pack, err := loadRules(args[0], f.library)
	var refusals rules.Refusals
	if errors.As(err, &refusals) {
		return nil, fmt.Errorf("the rules of %s are refused:\n%w", args[0], refusals)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", args[0], err)
	}
	return pack, nil
}

// choose is a function that says which of the rules of a pack a glob means; nil for all of them. A glob that matches nothing
// is a mistake: nothing would be tested, and nobody would see it.
func choose(pack *rules.Pack, glob string) (func(id string) bool, error) {
	if glob == "" {
		return nil, nil
	}
	var ids []string
	for _, r := range pack.Rules {
		ids = append(ids, r.ID)
	}
	matches := func(id string) bool { return policies.MatchID(glob, id) }
	if !slices.ContainsFunc(ids, matches) {
		return nil, noRule(glob, ids)
	}
	return matches, nil
}

func noRule(name string, ids []string) error {
	suggestion := didYouMean(name, ids)
	if suggestion == "" {
		suggestion = "."
	}
	return fmt.Errorf("no rule is called %q%s waywarden rules list shows all", name, suggestion)
}

// ruleNamed is the rule of a pack with an ID.
func ruleNamed(pack *rules.Pack, id string) (*rules.Rule, error) {
	if r := pack.Find(strings.TrimSuffix(id, ".rego")); r != nil {
		return r, nil
	}
	var ids []string
	for _, r := range pack.Rules {
		ids = append(ids, r.ID)
	}
	return nil, noRule(id, ids)
}

// plural is a number of things.
func plural(n int, one, many string) string {
	if n == 1 {
		return fmt.Sprintf("%d %s", n, one)
	}
	return fmt.Sprintf("%d %s", n, many)
}
