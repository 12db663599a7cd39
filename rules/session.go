package rules

import (
	"context"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/rules/sieve"
)

// session is what rules found out in one View, so that the same question is answered once. Like a View it is for one
// goroutine.
type session struct {
	view *policies.View
	// remembered are stored objects as terms; own is the object that is asked about, which may be nobody's but this request's.
	remembered *remembered
	own        *mesh.Object
	content    map[string]any // of own
	term       *ast.Term      // of own; nil until somebody needs it
	// answers are those to questions, by name and arguments.
	answers map[inquired]*told
	// said is what functions of rules said that follows from the mesh alone.
	said map[sieve.Call]*told
	// last holds for each pack what its rules answered about the object that was asked about last: checks are asked one by
	// one, and rules answer together.
	last map[*Pack]*answers
	// spent counts how often a rule ran out of time; one that did so too often is not asked any more.
	spent map[*Rule]int
}

func sessionOf(view *policies.View, r *remembered) *session {
	const question = "what rules in Rego found out"
	if s, ok := policies.Known[*session](view, question); ok { // each rule asks
		return s
	}
	return policies.Once(view, question, func(*mesh.Snapshot) *session {
		return &session{view: view, remembered: r, answers: map[inquired]*told{}, said: map[sieve.Call]*told{},
			last: map[*Pack]*answers{}, spent: map[*Rule]int{}}
	})
}

// object is a stored object as rules see it.
func (s *session) object(o *mesh.Object) *ast.Term {
	if s.own != o {
		return s.remembered.term(o)
	}
	if s.term == nil {
		s.term = ast.NewTerm(ast.MustInterfaceToValue(s.contentOf(o)))
	}
	return s.term
}

// about begins with another object.
func (s *session) about(o *mesh.Object) {
	if s.own != o {
		s.own, s.content, s.term = o, nil, nil
	}
}

// contentFor is what a rule sees of the object that it is asked about.
func (s *session) contentFor(o *mesh.Object, whole bool) map[string]any {
	if whole {
		return contentWhole(o)
	}
	return s.contentOf(o)
}

// contentOf is that of an object, of the one that is asked about read once.
func (s *session) contentOf(o *mesh.Object) map[string]any {
	if o != s.own {
		return contentSeen(o)
	}
	if s.content == nil {
		s.content = contentSeen(o)
	}
	return s.content
}

// mostAnswers bounds what is remembered: most is asked about one object, and an audit asks about all.
const mostAnswers = 4096

// inquired is a question with its arguments.
type inquired struct {
	*inquiry
	args [4]string
}

// told is what the mesh says to a question, and what was read for it.
type told struct {
	value   sieve.Value
	term    *ast.Term // nil until somebody needs it
	mistake wrongArgument
	view    *policies.View
	reads   []mesh.Read
}

// ask answers a question about the mesh the first time it is asked with these arguments.
func (s *session) ask(q *inquiry, args []sieve.Value) *told {
	key := inquired{inquiry: q}
	for i, a := range args {
		t, ok := a.AsText()
		if !ok || i >= len(key.args) {
			t = written(args)
			key.args = [4]string{t}
			break
		}
		key.args[i] = t
	}
	if t, ok := s.answers[key]; ok {
		s.view.Again(t.reads)
		return t
	}
	if len(s.answers) >= mostAnswers {
		clear(s.answers)
	}
	outer := s.view.Begin()
	t := &told{view: s.view}
	t.answer(func() sieve.Value { return q.answer(s, args) })
	t.reads = s.view.End(outer)
	s.answers[key] = t
	return t
}

// Recall is what a function said before.
func (s *session) Recall(call sieve.Call) (sieve.Value, bool) {
	t, ok := s.said[call]
	if !ok {
		return sieve.Value{}, false
	}
	s.view.Again(t.reads)
	return t.value, true
}

// Find has a function say it, with what is read for it taken down.
func (s *session) Find(call sieve.Call, find func() sieve.Value) sieve.Value {
	outer := s.view.Begin()
	t := &told{view: s.view, value: find()}
	t.reads = s.view.End(outer)
	if t.value.Certain() {
		if len(s.said) >= mostAnswers {
			clear(s.said)
		}
		s.said[call] = t
	}
	return t.value
}

// written are arguments of which some are no texts.
func written(args []sieve.Value) string {
	var b strings.Builder
	for _, a := range args {
		b.WriteByte(0)
		b.WriteString(a.Term().String())
	}
	return b.String()
}

// answer finds the value, or out that the question is a mistake.
func (t *told) answer(find func() sieve.Value) {
	defer func() {
		if r := recover(); r != nil {
			m, ok := r.(wrongArgument)
			if !ok {
				panic(r)
			}
			t.mistake = m
		}
	}()
	t.value = find()
}

// asTerm is the answer as OPA has it; nil where it is undefined.
func (t *told) asTerm() *ast.Term {
	if t.term == nil {
		outer := t.view.Begin()
		t.term = t.value.Term()
		t.reads = append(t.reads, t.view.End(outer)...)
	}
	return t.term
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
