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
		runtime.AddCleanup(o, func(k weak.Pointer[mesh.Object]) { r.terms.Delete(k) }, key)
	}
	return t.(*ast.Term)
}

func objectTerm(o *mesh.Object) *ast.Term { return ast.NewTerm(ast.MustInterfaceToValue(o.Content())) }
