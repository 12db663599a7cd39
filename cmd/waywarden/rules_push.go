package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/waywarden/waywarden/rules/bundle"
)

func newRulesPush(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "push BUNDLE REFERENCE",
		Short: "Store a bundle of rules in a registry for images",
		Long: `Store a bundle that rules bundle wrote in a registry for images, as OPA and oras do, and print its reference by digest, by
which it is pulled. A tag in REFERENCE is set too. Credentials are those of docker login. Only a registry on this machine is
spoken to in plain HTTP.

Exit status: 0 it is stored; 1 it is no signed bundle of rules; 2 wrong usage, or nothing to read; 3 the registry did not take it.`,
		Example: examples(e, `
waywarden rules push bundle.tar.gz ghcr.io/acme/rules:v1`),
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			archive, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			access, err := registryAccess()
			if err != nil {
				return err
			}
			ref, err := bundle.Push(cmd.Context(), archive, strings.TrimPrefix(args[1], registryPrefix), access)
			if err != nil {
				return bundleError(err)
			}
			_, err = fmt.Fprintln(e.stdout, ref)
			return err
		},
	}
}
