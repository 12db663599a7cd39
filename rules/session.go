package rules

import (
	"context"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// session is what rules found out in one View, so that the same question is answered once. Like a View it is for one
// goroutine.
type session struct {
	view *policies.View
	// remembered are stored objects as terms; own is the object that is asked about, which may be nobody's but this request's,
	// and objects has its term.
	remembered *remembered
	own        *mesh.Object
	// answers are those to questions, by name and arguments.
	objects map[*mesh.Object]*ast.Term
	answers map[string]*ast.Term
	// last holds for each pack what its rules answered about the object that was asked about last: checks are asked one by
	// one, and rules answer together.
	last map[*Pack]*answers
	// spent counts how often a rule ran out of time; one that did so too often is not asked any more.
	spent map[*Rule]int
}

func sessionOf(view *policies.View, r *remembered) *session {
	return policies.Once(view, "what rules in Rego found out", func(*mesh.Snapshot) *session {
		return &session{view: view, remembered: r, objects: map[*mesh.Object]*ast.Term{}, answers: map[string]*ast.Term{},
			last: map[*Pack]*answers{}, spent: map[*Rule]int{}}
	})
}

// object is a stored object as rules see it.
func (s *session) object(o *mesh.Object) *ast.Term {
	if t, ok := s.objects[o]; ok {
		return t
	}
	if s.own != o {
		return s.remembered.term(o)
	}
	t := objectTerm(o)
	s.objects[o] = t
	return t
}

// once answers a question about the mesh the first time it is asked with these arguments. Nil is undefined.
func (s *session) once(name string, args []*ast.Term, answer func() *ast.Term) *ast.Term {
	var b strings.Builder
	b.WriteString(name)
	for _, a := range args {
		b.WriteByte(0)
		if text, ok := a.Value.(ast.String); ok {
			b.WriteString(string(text))
		} else {
			b.WriteString(a.String())
		}
	}
	key := b.String()
	if t, ok := s.answers[key]; ok {
		return t
	}
	t := answer()
	s.answers[key] = t
	return t
}

// asking is the context of an evaluation, by which built-ins find the session.
type asking struct {
	context.Context
	session *session
}

type sessionKey struct{}

// Value is the session for its own key.
func (a asking) Value(key any) any {
	if key == (sessionKey{}) {
		return a.session
	}
	return a.Context.Value(key)
}

func sessionIn(b topdown.BuiltinContext) *session {
	return b.Context.Value(sessionKey{}).(*session)
}
