package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/rules"
	"github.com/waywarden/waywarden/rules/bundle"
)

// ruleBundle is the rules bundle command's flags.
type ruleBundle struct {
	file, key, id, scope string
}

func newRulesBundle(e *env) *cobra.Command {
	b := &ruleBundle{}
	cmd := &cobra.Command{
		Use:   "bundle DIR --signing-key KEY",
		Short: "Pack a folder of rules, signed",
		Long: `Pack a folder of rules, with their scenarios, into a bundle of OPA, and sign it. Rules that rules check would refuse are not
packed. The same rules and the same key give the same bytes.

OPA reads such a bundle, and what opa sign signs is read here; but opa build leaves out scenarios.

Exit status: 0 the bundle is written; 1 the rules are refused; 2 wrong usage, or nothing to read.`,
		Example: examples(e, `
waywarden rules bundle policies/ --signing-key release.pem -o acme.tar.gz

# a key that signatures call by a name, so that another one can follow it
waywarden rules bundle policies/ --signing-key release.pem --key-id release-2026`),
		Args: cobra.ExactArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: func(_ *cobra.Command, args []string) error { return b.run(e, args[0]) },
	}
	flags := cmd.Flags()
	flags.StringVarP(&b.file, "output", "o", "bundle.tar.gz", "the file that is written")
	flags.StringVar(&b.key, "signing-key", "", "sign with the private key in this file, ECDSA or RSA in PEM")
	flags.StringVar(&b.id, "key-id", "", "what the signature calls the key")
	flags.StringVar(&b.scope, "scope", "", "what the signature is for; a RulePack takes only signatures without a scope")
	if err := cmd.MarkFlagRequired("signing-key"); err != nil {
		panic(err) // the flag has just been added
	}
	return cmd
}

func (b *ruleBundle) run(e *env, dir string) error {
	text, err := os.ReadFile(b.key)
	if err != nil {
		return fmt.Errorf("--signing-key: %w", err)
	}
	signer, err := bundle.ParseSigner(text)
	if err != nil {
		return fmt.Errorf("--signing-key %s: %w", b.key, err)
	}
	signer.ID, signer.Scope = b.id, b.scope
	fsys, options, err := rulesIn(dir, false)
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	archive, pack, err := bundle.Build(fsys, options, signer)
	var refusals rules.Refusals
	if errors.As(err, &refusals) {
		return &exit{report.StatusFindings, fmt.Errorf("the rules of %s are not packed:\n%w", dir, refusals)}
	}
	if err != nil {
		return failed(err)
	}
	if err := os.WriteFile(b.file, archive, 0o644); err != nil {
		return failed(err)
	}
	fmt.Fprintf(e.stdout, "wrote %s: %s, revision %s\n", b.file, plural(len(pack.Rules), "rule", "rules"), pack.Revision)
	return nil
}
