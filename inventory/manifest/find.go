package manifest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const stdinName = "<stdin>"

// input is one file to be read, or what there is to say instead.
type input struct {
	path string
	// named tells a file that was given by name from one that was found in a directory. A named file is always meant to
	// be evaluated, one that was found may be something else.
	named bool
	// problem, when set, stands for the file: a chart, a kustomization, something unreadable.
	problem *Problem
}

// finder turns paths into files, in the order of the paths and sorted within directories.
type finder struct {
	inputs []input
	// seen are the real paths of files and directories already found. It ends loops of symbolic links, and keeps a file
	// that is reached twice from being evaluated twice.
	seen map[string]bool
	// patches are the files that a kustomization uses as patches, by cleaned path.
	patches  map[string]bool
	maxBytes int64
}

// findInputs returns an error when a path does not exist or a directory holds no manifest.
func findInputs(maxBytes int64, paths []string) ([]input, error) {
	f := finder{seen: map[string]bool{}, patches: map[string]bool{}, maxBytes: maxBytes}
	for _, path := range paths {
		if path == "-" {
			if f.first(stdinName) {
				f.inputs = append(f.inputs, input{path: stdinName, named: true})
			}
			continue
		}
		if err := f.path(path); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(f.inputs, func(in input) bool {
		return !in.named && in.problem == nil && f.patches[filepath.Clean(in.path)]
	}), nil
}

func (f *finder) path(path string) error {
	stat, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("nothing to read: %s does not exist. Name a file, a directory, or - for standard input", path)
	case err != nil:
		return fmt.Errorf("nothing to read: %w", err)
	case !stat.IsDir() && filepath.Base(path) == "Chart.yaml":
		f.chart(path, filepath.Dir(path))
		return nil
	case !stat.IsDir():
		if f.firstReal(path) {
			f.inputs = append(f.inputs, input{path: path, named: true})
		}
		return nil
	}
	before := len(f.inputs)
	if !f.firstReal(path) {
		return nil
	}
	if above := filepath.Join(path, ".."); filepath.Base(path) == "templates" && isFile(filepath.Join(above, "Chart.yaml")) {
		f.chart(path, above)
		return nil
	}
	f.directory(path)
	if len(f.inputs) == before {
		return fmt.Errorf("nothing to read: %s holds no manifest (*.yaml, *.yml, *.json) that is not hidden. "+
			"Name a directory that does", path)
	}
	return nil
}

func (f *finder) directory(dir string) {
	entries, err := os.ReadDir(dir) // sorted by name
	if err != nil {
		f.report(dir, fmt.Sprintf("not evaluated: the directory cannot be listed (%v). Allow it to be read.", err))
		return
	}
	has := func(name string) bool {
		return slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == name })
	}
	if has("Chart.yaml") {
		f.chart(dir, dir)
		return
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if isKustomizationFile(e.Name()) {
			f.kustomization(dir, path)
			continue
		}
		f.entry(path, e)
	}
}

// entry takes one entry of a directory. Symbolic links are followed: a mounted ConfigMap is made of them.
func (f *finder) entry(path string, e fs.DirEntry) {
	mode := e.Type()
	if mode&fs.ModeSymlink != 0 {
		stat, err := os.Stat(path)
		if err != nil {
			if isManifestName(path) {
				f.report(path, "not evaluated: the symbolic link leads nowhere. Repair or remove it.")
			}
			return
		}
		mode = stat.Mode().Type()
	}
	switch {
	case mode.IsDir():
		if f.firstReal(path) {
			f.directory(path)
		}
	case mode.IsRegular() && isManifestName(path) && f.firstReal(path):
		f.inputs = append(f.inputs, input{path: path})
	}
}

func (f *finder) kustomization(dir, path string) {
	if !f.firstReal(path) {
		return
	}
	problem := kustomizationProblem(path, 1)
	f.inputs = append(f.inputs, input{path: path, problem: &problem})
	file, err := os.Open(path)
	if err != nil {
		return
	}
	defer file.Close()
	if stat, err := file.Stat(); err != nil || !stat.Mode().IsRegular() {
		return
	}
	raw, err := readBounded(file, 0, f.maxBytes)
	if err != nil {
		return
	}
	root, err := parseYAML(raw)
	if err != nil || root == nil {
		return
	}
	content, _ := (&decoder{}).root(root)
	if m, ok := content.(map[string]any); ok {
		for _, name := range patchFiles(dir, m) {
			f.patches[name] = true
		}
	}
}

// chart reports a Helm chart once, rather than each of its templates.
func (f *finder) chart(path, dir string) {
	f.report(path, fmt.Sprintf("not evaluated: this is a Helm chart, whose templates are no manifests until they are rendered. "+
		"Run helm template %s | waywarden scan -.", shellPath(dir)))
}

func isFile(path string) bool {
	stat, err := os.Stat(path)
	return err == nil && stat.Mode().IsRegular()
}

func (f *finder) report(path, message string) {
	f.inputs = append(f.inputs, input{path: path, problem: &Problem{File: path, Message: message}})
}

func (f *finder) firstReal(path string) bool {
	real, err := filepath.EvalSymlinks(path)
	if err != nil { // /dev/fd/63 and the like
		real = path
	}
	if absolute, err := filepath.Abs(real); err == nil {
		real = absolute
	}
	return f.first(real)
}

func (f *finder) first(name string) bool {
	if f.seen[name] {
		return false
	}
	f.seen[name] = true
	return true
}

func isManifestName(path string) bool {
	switch filepath.Ext(path) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}
