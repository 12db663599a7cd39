package main

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/rules/gatekeeper"
)

func newRulesImport(e *env) *cobra.Command {
	var dir, group string
	cmd := &cobra.Command{
		Use:   "import TEMPLATE.yaml... --dir DIR",
		Short: "Make rules of Gatekeeper's ConstraintTemplates and Constraints",
		Long: `Make a rule of each Constraint of Gatekeeper: of the Rego of its ConstraintTemplate (v0 is accepted here, and v1 written), with its
parameters as defaults and its match. The cases of a Suite for gator become scenarios, and what was to be done a Guardrail.
Files and folders hold all of these. What cannot be carried over is refused, with the reason; no file is overwritten.

Exit status: 0 all is carried over; 1 something is not; 2 wrong usage, or nothing to read.`,
		Example: examples(e, `
waywarden rules import template.yaml constraint.yaml suite.yaml --dir policies --group acme

# then
waywarden rules check policies
waywarden rules test policies --update`),
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if group == "" {
				group = filepath.Base(dir)
			}
			return importRules(e, args, dir, group)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "the folder that holds the rules")
	cmd.Flags().StringVar(&group, "group", "", "the first part of the IDs of the rules (default: the folder's name)")
	if err := cmd.MarkFlagRequired("dir"); err != nil {
		panic(err) // the flag has just been added
	}
	if err := cmd.MarkFlagDirname("dir"); err != nil {
		panic(err)
	}
	return cmd
}

func importRules(e *env, paths []string, dir, group string) error {
	sources, err := gatekeeperFiles(paths)
	if err != nil {
		return err
	}
	pack := gatekeeper.Import(group, sources, func(file string) ([]byte, error) { return os.ReadFile(filepath.FromSlash(file)) })
	for _, r := range pack.Refusals {
		fmt.Fprintf(e.stdout, "not carried over: %s\n", r)
	}
	names := slices.Sorted(maps.Keys(pack.Files))
	for _, name := range names {
		if file := filepath.Join(dir, filepath.FromSlash(name)); exists(file) {
			return fmt.Errorf("%s is there already. Choose another folder or --group, or remove it", file)
		}
	}
	for _, name := range names {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return failed(err)
		}
		if err := os.WriteFile(file, pack.Files[name], 0o644); err != nil {
			return failed(err)
		}
		fmt.Fprintf(e.stdout, "wrote %s\n", file)
	}
	if len(pack.Refusals) > 0 {
		return end(report.StatusFindings)
	}
	return nil
}

func exists(file string) bool {
	_, err := os.Lstat(file)
	return err == nil
}

// gatekeeperFiles are the YAML files that paths name, those of folders too.
func gatekeeperFiles(paths []string) ([]gatekeeper.Source, error) {
	var out []gatekeeper.Source
	for _, path := range paths {
		err := filepath.WalkDir(path, func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			if ext := filepath.Ext(file); file != path && ext != ".yaml" && ext != ".yml" {
				return nil
			}
			data, err := os.ReadFile(file)
			out = append(out, gatekeeper.Source{Name: filepath.ToSlash(file), Data: data})
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}
