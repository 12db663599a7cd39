package plan

import (
	"slices"
	"time"

	"github.com/waywarden/waywarden/policies/mesh"
)

// An API server that refuses writes for a while or for good: a quota, the webhook of somebody else, another field manager.

// refusal is what is refused.
type refusal struct {
	why     string
	kinds   []mesh.Kind
	actions []Action
	roles   []Role // of policies; none is any
	anew    bool   // only what is not there yet
}

var refusals = []refusal{
	{why: "quota", kinds: []mesh.Kind{mesh.AuthorizationPolicy}, actions: []Action{Apply}, anew: true},
	{why: "quota", kinds: []mesh.Kind{mesh.Gateway}, actions: []Action{Apply}, anew: true},
	{why: "a webhook lets no twins pass", kinds: []mesh.Kind{mesh.AuthorizationPolicy}, actions: []Action{Apply, Delete}, roles: []Role{Twin}},
	{why: "a webhook lets no copies pass", kinds: []mesh.Kind{mesh.AuthorizationPolicy}, actions: []Action{Apply, Delete}, roles: []Role{Copy}},
	{why: "a webhook lets no admissions pass", kinds: []mesh.Kind{mesh.AuthorizationPolicy}, actions: []Action{Apply, Delete}, roles: []Role{Admission}},
	{why: "a webhook lets no guards pass", kinds: []mesh.Kind{mesh.AuthorizationPolicy}, actions: []Action{Apply, Delete}, roles: []Role{Guarding}},
	{why: "a webhook lets nothing be deleted", kinds: []mesh.Kind{mesh.AuthorizationPolicy, mesh.Gateway}, actions: []Action{Delete}},
	{why: "a webhook lets no Gateway be changed", kinds: []mesh.Kind{mesh.Gateway}, actions: []Action{Apply, Delete}},
	{why: "argocd owns the labels", kinds: []mesh.Kind{mesh.Namespace}, actions: []Action{Bind, Release}},
	{why: "argocd owns the labels", kinds: []mesh.Kind{mesh.Service}, actions: []Action{Bind, Release}},
	{why: "flux adds labels, and lets none be taken off", kinds: []mesh.Kind{mesh.Namespace, mesh.Service}, actions: []Action{Release}},
}

// relents is an API server that begins to refuse something, or refuses nothing more.
func (m *model) relents() {
	if m.refusing != nil && m.whim.IntN(2) == 0 {
		m.accepts()
		return
	}
	m.refusing = &refusals[m.whim.IntN(len(refusals))]
	m.note("the API server refuses writes: %s", m.refusing.why)
}

func (m *model) accepts() {
	if m.refusing != nil {
		m.note("the API server accepts everything")
	}
	m.refusing = nil
}

// refuses is whether the API server refuses a step.
func (m *model) refuses(s Step, stored *mesh.Object) bool {
	r := m.refusing
	if r == nil || !slices.Contains(r.actions, s.Action) || !slices.ContainsFunc(r.kinds, func(k mesh.Kind) bool { return k.String() == s.Object.Kind }) {
		return false
	}
	return (!r.anew || stored == nil) && (len(r.roles) == 0 || slices.Contains(r.roles, Role(about(s, stored).Annotations[RoleAnnotation])))
}

// about is the object that a step writes.
func about(s Step, stored *mesh.Object) *mesh.Object {
	if s.Action == Apply {
		return decode(s.Manifest)
	}
	return stored
}

// try is what a controller remembers of a write that was refused, until it is killed.
type try struct {
	why      string
	failures int
	until    time.Time
	version  int
	of       mesh.Ref // the waypoint for which it was tried
	removing bool
	service  string // "" where it is of no Service in particular
	policy   bool
	deletes  bool
}

const (
	firstTry = 10 * time.Second
	lastTry  = time.Minute
)

// wasRefused takes down that a step was refused.
func (m *model) wasRefused(s Step, stored *mesh.Object) {
	t := try{why: m.refusing.why, failures: m.tries[s.Object].failures + 1, version: m.rv[s.Object], policy: s.Object.Kind == mesh.AuthorizationPolicy.String(), deletes: s.Action == Delete}
	for _, c := range m.decided.progress {
		if c.Step != nil && c.Step.Object == s.Object {
			t.of, t.removing = c.Waypoint, c.Removing
		}
	}
	if t.policy {
		_, t.service, _ = cutKey(about(s, stored).Annotations[ForAnnotation])
	}
	t.until = m.now.Add(min(lastTry, firstTry<<min(t.failures-1, 10)))
	m.tries[s.Object] = t
	m.note("refused: %s %s: %s", s.Row, s.Object, t.why)
}

// entered is what of that stands in the evidence.
func (m *model) entered(e *Evidence) {
	e.Refused, e.Again = map[mesh.Ref]string{}, map[mesh.Ref]bool{}
	for ref, t := range m.tries {
		e.Refused[ref], e.Again[ref] = t.why, t.version != m.rv[ref] || !m.now.Before(t.until)
	}
}

// forget drops what was refused and nobody wants to write any more.
func (m *model) forget(p Progress) {
	for ref, t := range m.tries {
		i := slices.IndexFunc(p, func(c Course) bool { return c.Waypoint == t.of })
		switch {
		case i < 0:
			delete(m.tries, ref)
		case slices.ContainsFunc(p[i].Stopped, func(s Stop) bool { return s.Object == ref }):
		case p[i].Step == nil && len(p[i].Waiting) == 0, m.rv[ref] != t.version, p[i].Removing != t.removing:
			delete(m.tries, ref)
		}
	}
}

// unsaid is whether what is said of clients of a Service is not as it should be because a write was refused, of which people are told.
func (m *model) unsaid(service string) bool {
	for _, t := range m.tries {
		if t.policy && (t.service == service || t.service == "") {
			return true
		}
	}
	return false
}

// accepted is nothing being refused any more, and all that was being tried again.
func (m *model) accepted() string {
	m.accepts()
	for range 8 {
		m.tick(2 * lastTry)
		if !m.settle() {
			return "it does not come to rest though everything is accepted:\n" + m.describeProgress()
		}
		m.forget(Next(m.world(len(m.states) - 1)))
		if len(m.tries) == 0 {
			return ""
		}
	}
	return "what is accepted is not tried again:\n" + m.describeProgress()
}
