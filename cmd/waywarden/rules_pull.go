package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/waywarden/waywarden/rules/bundle"
)

func newRulesPull(e *env) *cobra.Command {
	var believed signers
	var dir string
	cmd := &cobra.Command{
		Use:   "pull BUNDLE --verification-key KEY --dir DIR",
		Short: "Unpack a bundle of rules, of a registry or a file, if it is signed",
		Long: `Fetch a bundle of rules by its digest, hold each file to the signature, and write the rules and scenarios below --dir. BUNDLE may
be a file too. A tag is refused, for it is moved. No file is overwritten.

Exit status: 0 it is unpacked; 1 it is refused: not signed, changed, or no bundle of rules; 2 wrong usage, or nothing to read;
3 the registry did not deliver it.`,
		Example: examples(e, `
waywarden rules pull ghcr.io/acme/rules@sha256:… --verification-key release.pub --dir policies`),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			opened, _, err := believed.open(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return unpack(e, opened, dir)
		},
	}
	believed.addFlags(cmd)
	cmd.Flags().StringVarP(&dir, "dir", "d", "", "the folder in which the rules are written")
	if err := errors.Join(cmd.MarkFlagRequired("dir"), cmd.MarkFlagDirname("dir")); err != nil {
		panic(err) // the flag has just been added
	}
	return cmd
}

// unpack writes the files of a bundle below a folder, and nothing outside of it.
func unpack(e *env, b *bundle.Bundle, dir string) error {
	names := slices.Sorted(maps.Keys(b.Files))
	for _, name := range names {
		if file := filepath.Join(dir, filepath.FromSlash(name)); exists(file) {
			return fmt.Errorf("%s is there already. Choose another folder, or remove it", file)
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return failed(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return failed(err)
	}
	defer root.Close()
	for _, name := range names {
		if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
			return failed(err)
		}
		if err := root.WriteFile(name, []byte(b.Files[name]), 0o644); err != nil {
			return failed(err)
		}
		fmt.Fprintf(e.stdout, "wrote %s\n", filepath.Join(dir, filepath.FromSlash(name)))
	}
	return nil
}
