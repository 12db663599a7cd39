package main

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/tools/txtar"

	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/rules"
)

// isManifest is whether a path is a file that may hold a RulePack.
func isManifest(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(path))
}

// manifestRules are the files of the RulePack in a manifest, and how to load them. What else is in the manifest does not matter; two
// RulePacks are two sets of rules.
func manifestRules(path string) (fs.FS, rules.Options, error) {
	inv, err := inventory.Files(inventory.FileOptions{}, path)
	if err != nil {
		return nil, rules.Options{}, err
	}
	switch {
	case len(inv.Packs) == 0 && len(inv.Problems) > 0:
		return nil, rules.Options{}, inv.Problems[0]
	case len(inv.Packs) != 1:
		return nil, rules.Options{}, fmt.Errorf("it holds %s. Name a file that holds one, or the folder that its rules come from", plural(len(inv.Packs), "RulePack", "RulePacks"))
	case inv.Packs[0].Spec.Modules == nil:
		return nil, rules.Options{}, fmt.Errorf("RulePack %s does not hold its rules itself. Name the folder or the bundle that they come from", inv.Packs[0].Name)
	}
	var files txtar.Archive
	modules := inv.Packs[0].Spec.Modules
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		files.Files = append(files.Files, txtar.File{Name: name, Data: []byte(modules[name])})
	}
	fsys, err := txtar.FS(&files)
	if err != nil {
		return nil, rules.Options{}, fmt.Errorf("RulePack %s: %w", inv.Packs[0].Name, err)
	}
	return fsys, rules.Options{Show: func(p string) string { return path + ": " + p }}, nil
}

// notWritten is the error for rules that are to be written where they lie in a manifest; nil for a folder.
func notWritten(flag, path string) error {
	if !isManifest(path) {
		return nil
	}
	return fmt.Errorf("%s: %s holds a RulePack, in which nothing is written. Name the folder that its rules come from", flag, path)
}
