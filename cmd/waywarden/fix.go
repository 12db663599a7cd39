package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"github.com/waywarden/waywarden/audit"
	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/inventory/manifest"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// fixing is the fix command's flags.
type fixing struct {
	*input
	globs  []string
	failOn choice
	write  bool
	diff   bool
	rulesets
}

// stdinName is the file name of standard input, as inventory/manifest has it.
const stdinName = "<stdin>"

func newFix(e *env) *cobra.Command {
	f := &fixing{input: newInput(), failOn: choice{value: "high", allowed: []string{"critical", "high", "medium", "low", "never"}}}
	cmd := &cobra.Command{
		Use:   "fix PATH... | -",
		Short: "Print repaired manifests, or repair files in place",
		Long: `Apply every safe repair to manifests: one that lets no call through that was denied, and denies none that it does not
name. Repairs are judged anew after each, until none is left; what has none is listed on stderr with what to do.

Without a flag, all files are printed to stdout as one stream, repaired. -w rewrites the files that have something to
repair, and keeps their comments, order and layout; -d prints what -w would change. A second fix changes nothing.

Exit status: 0 nothing is left to do; 1 findings at or above --fail-on are left that have no safe repair, or with -d
there is something to repair; 2 wrong usage, or nothing to read; 3 something could not be read, evaluated or repaired
(everything else is repaired all the same; 3 beats 1).`,
		Example: examples(e, `
# see what would be repaired
waywarden fix -d manifests/

# repair the files
waywarden fix -w manifests/

# repair a file against what is in the cluster
waywarden fix -w --live policy.yaml

# repair on the way
kustomize build . | waywarden fix - > repaired.yaml`),
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, paths []string) error { return f.run(cmd.Context(), e, paths) },
	}
	f.input.addFlags(cmd, "the namespace of objects that name none")
	flags := cmd.Flags()
	flags.BoolVarP(&f.write, "write", "w", false, "rewrite the files in place")
	flags.BoolVarP(&f.diff, "diff", "d", false, "print a unified diff")
	flags.Var(&f.failOn, "fail-on", "end with status 1 when findings of this severity or a worse one are left: critical, high, medium, low, never")
	mustComplete(cmd, "fail-on", f.failOn.complete)
	flags.StringArrayVar(&f.globs, "check", nil, "repair only what checks find whose ID matches, as in effect/*; can be repeated")
	mustComplete(cmd, "check", completeChecks)
	f.rulesets.addFlags(cmd)
	return cmd
}

func (f *fixing) run(ctx context.Context, e *env, paths []string) error {
	if f.write && slices.Contains(paths, "-") {
		return errors.New("-w rewrites files, and standard input is none. Leave out -w, or name files")
	}
	files := sources{stdin: e.stdin}
	in := *e
	in.stdin = &files
	p := e.startProgress("reading")
	found, err := f.read(ctx, &in, p, paths)
	if err != nil {
		p.end()
		return err
	}
	opts := audit.Options{Mesh: f.mesh, Rules: f.rules(e)}
	if opts.Known, opts.Checks, err = f.asked(ctx, f.globs, f.packs(ctx, e, &found, policies.Checks())...); err != nil {
		p.end()
		return err
	}
	p.to("repairing")
	out, err := repair(found, opts, &files)
	p.end()
	if err != nil {
		return failed(err)
	}
	differs, err := f.print(e, out)
	if err != nil {
		return failed(err)
	}
	if err := f.tell(e, out); err != nil {
		return failed(err)
	}
	status := out.left.Status(policies.Severity(f.failOn.value))
	if status == report.StatusClean && f.diff && differs {
		status = report.StatusFindings
	}
	return end(status)
}

// sources are the bytes of what was read. Standard input cannot be read twice.
type sources struct {
	stdin io.Reader
	read  bytes.Buffer
}

func (s *sources) Read(p []byte) (int, error) {
	n, err := s.stdin.Read(p)
	s.read.Write(p[:n])
	return n, err
}

// bytes is what a file holds. What a pipe held is gone.
func (s *sources) bytes(file string) ([]byte, error) {
	if file == stdinName {
		return s.read.Bytes(), nil
	}
	if stat, err := os.Stat(file); err != nil {
		return nil, err
	} else if !stat.Mode().IsRegular() {
		return nil, fmt.Errorf("%s can be read only once. Give it as standard input: fix - < %s", file, file)
	}
	return os.ReadFile(file)
}

// fixed is one file, before and after.
type fixed struct {
	name          string
	before, after []byte
}

// outcome is what came of a fix.
type outcome struct {
	files   []fixed // all that were read, in order
	repairs []audit.Repair
	left    *report.ScanResult
}

// repair repairs what can be. Where a file refuses an edit, everything is judged again without the object: what was
// repaired beside it may have been safe only together.
func repair(found objects, opts audit.Options, files *sources) (outcome, error) {
	var read []fixed
	for _, name := range found.files.Read() {
		raw, err := files.bytes(name)
		if err != nil {
			return outcome{}, fmt.Errorf("read it again: %w", err)
		}
		read = append(read, fixed{name: name, before: raw})
	}
	refused := map[mesh.Ref]string{}
	for {
		r := audit.RepairAll(found.Inventory, opts, func(o mesh.Ref) bool { return refused[o] != "" })
		if !edit(read, r.Repairs, refused) {
			continue
		}
		for o, why := range refused {
			r.Left.Errors = append(r.Left.Errors, report.Error{Message: "not repaired: " + why + ".", Object: &o, Location: audit.Place(found.Inventory, o, "")})
		}
		r.Left.Finish()
		return outcome{files: read, repairs: r.Repairs, left: r.Left}, nil
	}
}

// edit applies repairs to the text of the files. It is false where an edit was refused; then at least one more object is
// among those refused.
func edit(files []fixed, repairs []audit.Repair, refused map[mesh.Ref]string) bool {
	for i := range files {
		file := &files[i]
		var (
			changes []manifest.Change
			objects []mesh.Ref
		)
		for _, r := range repairs {
			if r.Document.File == file.name {
				changes = append(changes, r.Document.Change(operations(r.Fix.Patch)...))
				objects = append(objects, r.Object)
			}
		}
		var err error
		if file.after, err = manifest.Edit(file.before, changes...); err != nil {
			refuse(file.before, changes, objects, refused, err)
			return false
		}
	}
	return true
}

// refuse finds out which object's changes a file refuses: each alone, or together all of them.
func refuse(file []byte, changes []manifest.Change, objects []mesh.Ref, refused map[mesh.Ref]string, err error) {
	n := len(refused)
	for i := range changes {
		if _, err := manifest.Edit(file, only(changes, objects, objects[i])...); err != nil {
			refused[objects[i]] = err.Error()
		}
	}
	if len(refused) > n {
		return
	}
	for _, o := range objects {
		refused[o] = err.Error()
	}
}

func only(changes []manifest.Change, objects []mesh.Ref, o mesh.Ref) []manifest.Change {
	var out []manifest.Change
	for i, c := range changes {
		if objects[i] == o {
			out = append(out, c)
		}
	}
	return out
}

func operations(patch []policies.Op) []manifest.Op {
	out := make([]manifest.Op, len(patch))
	for i, op := range patch {
		out[i] = manifest.Op{Op: op.Op, Path: op.Path, Value: op.Value}
	}
	return out
}

// print writes the files, or what is different in them.
func (f *fixing) print(e *env, out outcome) (differs bool, err error) {
	var stream []byte
	for _, file := range out.files {
		changed := !bytes.Equal(file.before, file.after)
		differs = differs || changed
		switch {
		case f.diff:
			stream = append(stream, diff.Diff(file.name, file.before, file.name, file.after)...)
		case !f.write:
			stream = join(stream, file.after)
		}
		if f.write && changed {
			if err := rewrite(file); err != nil {
				return differs, fmt.Errorf("write %s: %w", file.name, err)
			}
		}
	}
	_, err = e.stdout.Write(stream)
	return differs, err
}

// rewrite writes a file in place: its mode, owner and links stay.
func rewrite(file fixed) error {
	now, err := os.ReadFile(file.name)
	if err != nil {
		return err
	}
	if !bytes.Equal(now, file.before) {
		return errors.New("somebody changed it meanwhile. Try again")
	}
	return os.WriteFile(file.name, file.after, 0o644) // the mode is for new files only
}

// join appends a file to a stream of documents.
func join(stream, file []byte) []byte {
	if len(stream) == 0 {
		return append(stream, file...)
	}
	if !bytes.HasSuffix(stream, []byte("\n")) {
		stream = append(stream, '\n')
	}
	if !bytes.HasPrefix(file, []byte("---")) {
		stream = append(stream, "---\n"...)
	}
	return append(stream, file...)
}

// tell says on stderr what was repaired, and what is left.
func (f *fixing) tell(e *env, out outcome) error {
	var repairs []report.Repair
	for _, r := range out.repairs {
		line, column := r.Document.Position(r.Finding.Field)
		repairs = append(repairs, report.Repair{Object: r.Object, Check: r.Finding.Check, Message: r.Fix.Message,
			Location: &report.Location{File: r.Document.File, Line: line, Column: column}})
	}
	return report.RepairsText(e.stderr, repairs, out.left, e.style(e.stderr))
}
