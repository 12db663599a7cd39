package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/waywarden/waywarden/rules/handbook"
)

func newRulesDocs(e *env) *cobra.Command {
	output := outputFlag{value: "markdown", allowed: []string{"markdown"}}
	var (
		in    folder
		dir   string
		title string
	)
	cmd := &cobra.Command{
		Use:   "docs [DIR] --dir OUT",
		Short: "Write the handbook of rules: one page a rule, one a framework",
		Example: examples(e, `
# the library
waywarden rules docs --dir handbook/

# your own rules
waywarden rules docs policies/ --dir handbook/ --title 'The rules of Acme'`),
		RunE: func(_ *cobra.Command, args []string) error {
			pack, err := in.load(args)
			if err != nil {
				return err
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
	cmd.Flags().StringVar(&dir, "dir", "", "the folder to write to")
	cmd.Flags().StringVar(&title, "title", "Rules", "the title of the first page")
	if err := cmd.MarkFlagRequired("dir"); err != nil {
		panic(err) // the flag has just been added
	}
	if err := cmd.MarkFlagDirname("dir"); err != nil {
		panic(err)
	}
	return cmd
}
