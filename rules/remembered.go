package rules

import (
	"runtime"
	"sync"
	"weak"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/waywarden/waywarden/policies/mesh"
)

// remembered are stored objects as terms, for as long as the objects live. Objects are immutable and the same from one Snapshot
// to the next, so that a term is made once and not for every request that asks about a namespace. It is safe for concurrent
// use; terms are never written to.
type remembered struct{ terms sync.Map } // of *ast.Term, by weak.Pointer[mesh.Object]

func (r *remembered) term(o *mesh.Object) *ast.Term {
	key := weak.Make(o)
	if t, ok := r.terms.Load(key); ok {
		return t.(*ast.Term)
	}
	t, was := r.terms.LoadOrStore(key, objectTerm(o))
	if !was {
		runtime.AddCleanup(o, forgotten.forget, forgotten{weak.Make(r), key})
	}
	return t.(*ast.Term)
}

// forgotten is an object that is gone, and what remembers it. It keeps neither alive: objects outlive the Packs whose rules were
// asked of them.
type forgotten struct {
	by     weak.Pointer[remembered]
	object weak.Pointer[mesh.Object]
}

func (f forgotten) forget() {
	if r := f.by.Value(); r != nil {
		r.terms.Delete(f.object)
	}
}

func objectTerm(o *mesh.Object) *ast.Term {
	return ast.NewTerm(ast.MustInterfaceToValue(contentSeen(o)))
}
