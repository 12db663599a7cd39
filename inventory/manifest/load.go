package manifest

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
)

// DefaultMaxBytes is the bound on one file when Options names none: 64 MiB.
const DefaultMaxBytes = 64 << 20

// Options say how Load reads. The zero value is useful.
type Options struct {
	// MaxBytes bounds one file, or standard input. 0 means DefaultMaxBytes.
	MaxBytes int64
	// Stdin is what the path "-" reads. nil reads as empty.
	Stdin io.Reader
}

// Result is everything that was found, in the order of the paths, sorted within directories.
type Result struct {
	// Documents are the objects, items of Lists singly.
	Documents []*Document
	// Problems are what could not be read, in the same order.
	Problems []Problem
	// Skipped are the files that hold YAML or JSON that does not claim to be a Kubernetes object, such as values.yaml
	// or package.json, and were found in a directory. When named as a path, they are Problems.
	Skipped []string
	// Files counts the files that were read, standard input included.
	Files int
}

// Load reads Kubernetes objects from files, from directories with everything below them, and from standard input ("-").
// In directories it takes *.yaml, *.yml and *.json and passes over hidden files; a file that is named is read whatever
// its extension.
//
// The error is for what the caller asked for wrongly: no paths, a path that does not exist, a directory without a
// manifest, nothing in any of them. Everything else that is wrong is a Problem, and the rest is still returned.
func Load(opts Options, paths ...string) (Result, error) {
	if len(paths) == 0 {
		return Result{}, errors.New("nothing to read: no path was given. Name a file, a directory, or - for standard input")
	}
	if opts.MaxBytes <= 0 {
		opts.MaxBytes = DefaultMaxBytes
	}
	inputs, err := findInputs(opts.MaxBytes, paths)
	if err != nil {
		return Result{}, err
	}
	l := loader{options: opts, files: make([]file, len(inputs))}
	inParallel(len(inputs), func(i int) { l.open(&l.files[i], inputs[i]) })
	l.decode()
	result, objects := l.result()
	if !objects && len(result.Problems) == 0 {
		return Result{}, fmt.Errorf("nothing to read: there is no Kubernetes object in %s. Name files that hold some",
			strings.Join(paths, ", "))
	}
	return result, nil
}

// loader takes files from paths to documents.
type loader struct {
	options Options
	files   []file
}

// file is one input on its way.
type file struct {
	input
	texts   []text
	decoded []decoded // one for each text
	aliased atomic.Int64
}

func (l *loader) open(f *file, in input) {
	f.input = in
	if in.problem != nil {
		return
	}
	raw, problem := l.read(in)
	if problem != nil {
		f.problem = problem
		return
	}
	f.texts = split(raw)
	f.decoded = make([]decoded, len(f.texts))
}

// decode decodes the texts of all files in parallel: one large file keeps every processor as busy as many small ones.
func (l *loader) decode() {
	type job struct {
		file *file
		text int
	}
	var jobs []job
	for i := range l.files {
		for t := range l.files[i].texts {
			jobs = append(jobs, job{&l.files[i], t})
		}
	}
	inParallel(len(jobs), func(i int) {
		f, t := jobs[i].file, jobs[i].text
		f.decoded[t] = decodeText(f.path, f.texts[t], &f.aliased)
	})
}

// result puts everything in order. objects reports whether there was an object, or an empty List of them.
func (l *loader) result() (result Result, objects bool) {
	for i := range l.files {
		f := &l.files[i]
		if f.problem != nil {
			result.Problems = append(result.Problems, *f.problem)
			continue
		}
		result.Files++
		documents, problems, skipped := f.collect()
		result.Documents = append(result.Documents, documents...)
		result.Problems = append(result.Problems, problems...)
		if skipped {
			result.Skipped = append(result.Skipped, f.path)
		}
		for _, d := range f.decoded {
			objects = objects || len(documents) > 0 || d.list
		}
	}
	return result, objects
}

// inParallel calls do with 0 to n-1 on as many goroutines as there are processors.
func inParallel(n int, do func(i int)) {
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(n, runtime.NumCPU()) {
		group.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				do(i)
			}
		})
	}
	group.Wait()
}
