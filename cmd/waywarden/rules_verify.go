package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newRulesVerify(e *env) *cobra.Command {
	var believed signers
	cmd := &cobra.Command{
		Use:   "verify BUNDLE --verification-key KEY",
		Short: "Say whether a bundle of rules would be taken, and by whom it is signed",
		Long: `Say of a bundle of rules, a file or one in a registry by its digest, by which of the keys it is signed and what is in it. Every
reason for which a running Waywarden would refuse it is told; whether its scenarios hold is not, which rules test says.

Exit status: 0 it would be taken; 1 it is refused; 2 wrong usage, or nothing to read; 3 the registry did not deliver it.`,
		Example: examples(e, `
waywarden rules verify bundle.tar.gz --verification-key release.pub

waywarden rules verify ghcr.io/acme/rules@sha256:… --verification-key release.pub`),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			pack, by, err := believed.load(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(e.stdout, "signed by %s: %s, revision %s\n", by, plural(len(pack.Rules), "rule", "rules"), pack.Revision)
			return err
		},
	}
	believed.addFlags(cmd)
	return cmd
}
