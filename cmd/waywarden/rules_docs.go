package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/waywarden/waywarden/audit/compliance"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/rules/handbook"
)

func newRulesDocs(e *env) *cobra.Command {
	output := outputFlag{value: "markdown", allowed: []string{"markdown", "oscal"}}
	var (
		in    folder
		dir   string
		title string
	)
	cmd := &cobra.Command{
		Use:   "docs [DIR] --dir OUT",
		Short: "Write the handbook of rules, one page a rule and one a framework, or a component definition of OSCAL",
		Example: examples(e, `
# the library
waywarden rules docs --dir handbook/

# your own rules
waywarden rules docs policies/ --dir handbook/ --title 'The rules of Acme'

# a component definition of OSCAL: the built-in checks and these rules, and the controls that they are evidence for
waywarden rules docs -o oscal > waywarden-component.json`),
		RunE: func(_ *cobra.Command, args []string) error {
			pack, err := in.load(args)
			if err != nil {
				return err
			}
			switch {
			case output.value == "oscal":
				now, err := momentOf(e, "")
				if err != nil {
					return err
				}
				if err := compliance.ComponentDefinition(e.stdout, slices.Concat(policies.Checks(), pack.Checks()), programVersion(), now); err != nil {
					return failed(fmt.Errorf("write the component definition: %w", err))
				}
				return nil
			case dir == "":
				return errors.New("--dir: name the folder that the pages are written to")
			}
			pages := handbook.Pages(title, pack)
			for _, name := range slices.Sorted(maps.Keys(pages)) {
				file := filepath.Join(dir, filepath.FromSlash(name))
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					return failed(err)
				}
				if err := os.WriteFile(file, pages[name], 0o644); err != nil {
					return failed(err)
				}
			}
			_, err = fmt.Fprintf(e.stdout, "%s in %s\n", plural(len(pages), "page", "pages"), dir)
			return err
		},
	}
	in.add(cmd)
	output.add(cmd)
	cmd.Flags().StringVar(&dir, "dir", "", "the folder to write pages to (required for them)")
	cmd.Flags().StringVar(&title, "title", "Rules", "the title of the first page")
	if err := cmd.MarkFlagDirname("dir"); err != nil {
		panic(err) // the flag has just been added
	}
	return cmd
}
