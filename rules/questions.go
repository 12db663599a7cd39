package rules

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/types"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/rules/sieve"
)

// asks are the questions by which rules ask the mesh. All of them answer from the Snapshot of the request, at once and
// without I/O; what the input does not show is undefined, and never a guess.
var asks = table(
	answered("mesh.root_namespace", "Istio's root namespace", nil, types.S, func(s *session, _ arguments) sieve.Value {
		return sieve.Text(s.view.RootNamespace())
	}),
	answered("mesh.trust_domain", "the mesh's trust domain", nil, types.S, func(s *session, _ arguments) sieve.Value {
		return sieve.Text(s.view.Settings().TrustDomain)
	}),
	question("mesh.namespaces", "the names of all namespaces, sorted", nil, types.NewArray(nil, types.S), func(s *session, _ arguments) *ast.Term {
		return array(slices.Collect(s.view.Namespaces()), text[string])
	}),
	answered("mesh.namespace", "a namespace: name, labels, annotations; undefined where its object is not in the input", []string{"name"}, anObject,
		func(s *session, a arguments) sieve.Value { return s.namespace(a[0]) }),
	answered("mesh.service", "a stored Service, as it is", []string{"namespace", "name"}, anObject, func(s *session, a arguments) sieve.Value {
		return s.stored(mesh.Service, a[0], a[1])
	}),
	answered("mesh.services", "the stored Services of a namespace", []string{"namespace"}, objects, func(s *session, a arguments) sieve.Value {
		return listOfSeen(s.view.List(mesh.Service, a[0]), s.seen)
	}),
	answered("mesh.policies", "the stored objects of a kind in a namespace", []string{"kind", "namespace"}, objects, func(s *session, a arguments) sieve.Value {
		return listOfSeen(s.view.List(s.shown(s.kind(a[0])), a[1]), s.seen)
	}),
	answered("mesh.policies_for", "the policies that hold for a Service, a Gateway, a workload or a Namespace", ofObject, objects, (*session).policiesFor),
	answered("mesh.effects", "what a stored policy really does, target by target, as in input.effects", ofObject, objects, func(s *session, a arguments) sieve.Value {
		o := s.view.Get(s.kind(a[0]), a[1], a[2])
		if o == nil {
			return sieve.Value{}
		}
		return sieve.Of(effects(s.view.Effects(o)))
	}),
	answered("mesh.waypoint", "which waypoint a Service, ServiceEntry, WorkloadEntry or Namespace asks for, and whether it is bound", ofObject, anObject, (*session).waypoint),
	question("mesh.enrolled", "whether a workload, all behind a Service, or a plain pod in a Namespace is captured by ztunnel; undefined where that is not known",
		ofObject, types.B, (*session).enrolled),
	workloads, effectiveMTLS, workloadsOf, workloadsAs, layers, admits, callers, granted, certificates, namespacesSelected,
)

// questions are the same as built-ins of OPA.
var questions = func() map[string]*topdown.Builtin {
	out := map[string]*topdown.Builtin{}
	for name, q := range asks {
		out[name] = q.Builtin
	}
	return out
}()

// arity is how many arguments a question has; ok is false for what is no question.
func arity(name string) (n int, ok bool) {
	q, ok := asks[name]
	if !ok {
		return 0, false
	}
	return q.arity, true
}

var (
	anObject = types.NewObject(nil, types.NewDynamicProperty(types.S, types.A))
	objects  = types.NewArray(nil, anObject)
	ofObject = []string{"kind", "namespace", "name"}
)

func table(all ...*inquiry) map[string]*inquiry {
	out := map[string]*inquiry{}
	for _, q := range all {
		out[q.Decl.Name] = q
	}
	return out
}

// arguments are those of a question, all texts.
type arguments []string

// kind is that which an argument names. What is no kind is a mistake in the rule and no answer, and so is to ask about an object of a kind
// that the input does not show. A Namespace may be asked about all the same: what is not known of one is Unknown in every answer.
func (s *session) kind(name string) mesh.Kind {
	k, ok := KindNamed(name)
	if !ok {
		panic(wrongArgument(fmt.Sprintf("there is no kind %q", name)))
	}
	if k == mesh.Namespace {
		return k
	}
	return s.shown(k)
}

// shown is a kind of which the input shows what there is; that there is nothing of another is no answer.
func (s *session) shown(k mesh.Kind) mesh.Kind {
	if !s.view.Reads(k) {
		panic(wrongArgument(notRead(k)))
	}
	return k
}

// wrongArgument is a mistake in how a rule asks.
type wrongArgument string

// question is one whose arguments are texts, answered as OPA has it.
func question(name, description string, args []string, result types.Type, answer func(*session, arguments) *ast.Term) *inquiry {
	return answered(name, description, args, result, func(s *session, a arguments) sieve.Value { return sieve.Of(answer(s, a)) })
}

// answered is one whose arguments are texts, answered so that a sieve need not have all of it.
func answered(name, description string, args []string, result types.Type, answer func(*session, arguments) sieve.Value) *inquiry {
	var in []types.Type
	for _, a := range args {
		in = append(in, types.Named(a, types.S))
	}
	return ask(declare(name, description, in, result), func(s *session, args []sieve.Value) sieve.Value {
		a := make(arguments, len(args))
		for i, v := range args {
			var ok bool
			if a[i], ok = v.AsText(); !ok {
				panic(wrongArgument(fmt.Sprintf("%s is no text", v.Term())))
			}
		}
		return answer(s, a)
	})
}

// declare says of a built-in what the compiler must know. It is not to be folded before it is asked: the mesh is no part of
// the rule.
func declare(name, description string, in []types.Type, result types.Type) *ast.Builtin {
	return &ast.Builtin{Name: name, Description: description, Decl: types.NewFunction(in, types.Named("answer", result)), Nondeterministic: true}
}

// builtin is a question whose arguments and answer are terms.
func builtin(decl *ast.Builtin, answer func(*session, []*ast.Term) *ast.Term) *inquiry {
	return ask(decl, func(s *session, args []sieve.Value) sieve.Value {
		terms := make([]*ast.Term, len(args))
		for i, v := range args {
			if terms[i] = v.Term(); terms[i] == nil {
				panic(wrongArgument("it is not known what is asked"))
			}
		}
		return sieve.Of(answer(s, terms))
	})
}

// inquiry is a question to the mesh.
type inquiry struct {
	*topdown.Builtin
	arity  int
	answer func(*session, []sieve.Value) sieve.Value // panics with a wrongArgument
}

// ask answers once for the same arguments, leaves undefined what has no answer, and makes a mistake of the rule an error.
func ask(decl *ast.Builtin, answer func(*session, []sieve.Value) sieve.Value) *inquiry {
	q := &inquiry{arity: len(decl.Decl.FuncArgs().Args), answer: answer}
	q.Builtin = &topdown.Builtin{Decl: decl, Func: func(b topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) (err error) {
		args := make([]sieve.Value, q.arity)
		for i := range args {
			args[i] = sieve.Of(operands[i])
		}
		t := sessionIn(b).ask(q, args)
		if t.mistake != "" {
			return &topdown.Error{Code: topdown.BuiltinErr, Message: decl.Name + ": " + string(t.mistake), Location: b.Location}
		}
		if t.asTerm() == nil {
			return nil
		}
		return iter(t.term)
	}}
	return q
}

func (s *session) stored(kind mesh.Kind, ns, name string) sieve.Value {
	if o := s.view.Get(kind, ns, name); o != nil {
		return s.seen(o)
	}
	return sieve.Value{}
}

var workloads = builtin(declare("mesh.workloads", "the workloads of a namespace that carry all labels of a selector; {} for all of them",
	[]types.Type{types.Named("namespace", types.S), types.Named("selector", types.NewObject(nil, types.NewDynamicProperty(types.S, types.S)))}, objects),
	func(s *session, operands []*ast.Term) *ast.Term {
		ns, ok := operands[0].Value.(ast.String)
		selector, isObject := operands[1].Value.(ast.Object)
		if !ok || !isObject {
			panic(wrongArgument("it asks for a namespace and an object of labels"))
		}
		labels := map[string]string{}
		selector.Foreach(func(k, v *ast.Term) {
			key, isText := k.Value.(ast.String)
			value, too := v.Value.(ast.String)
			if !isText || !too {
				panic(wrongArgument("labels are texts"))
			}
			labels[string(key)] = string(value)
		})
		var out []*mesh.Workload
		for _, w := range s.view.Workloads(string(ns)) {
			if w.Carries(labels) {
				out = append(out, w)
			}
		}
		return listOfSeen(out, s.workloadSeen).Term()
	})

var effectiveMTLS = builtin(declare("mesh.effective_mtls", "what a workload demands of connections to a port: strict, and the mode; undefined for a gateway, and where it is not known",
	[]types.Type{types.Named("namespace", types.S), types.Named("name", types.S), types.Named("port", types.N)}, anObject),
	func(s *session, operands []*ast.Term) *ast.Term {
		ns, ok := operands[0].Value.(ast.String)
		name, too := operands[1].Value.(ast.String)
		number, isNumber := operands[2].Value.(ast.Number)
		port, fits := number.Int()
		if !ok || !too || !isNumber || !fits || port < 0 || port > 65535 {
			panic(wrongArgument("it asks for a namespace, a workload and a port"))
		}
		return s.mtlsOf(string(ns), string(name), int32(port))
	})

func (s *session) mtlsOf(ns, name string, port int32) *ast.Term {
	w := s.workload(ns, name)
	if w == nil || !s.view.Known(ns) {
		return nil
	}
	var m mesh.MTLS
	switch {
	case w.Mode == mesh.ModeAmbient && mesh.Bypassed(w), w.Mode == mesh.ModeNone:
		return mtlsTerm(m, port)
	case w.Mode == mesh.ModeAmbient:
		m = s.view.EffectiveMTLS(ns, w.Labels)
	case w.Mode == mesh.ModeSidecar:
		m = s.view.Peers(ns, w.Labels, true).Composed()
	default:
		return nil
	}
	if !m.StrictOn(port) && !s.view.Known(s.view.RootNamespace()) {
		return nil // the mesh's own STRICT may be what is not shown
	}
	return mtlsTerm(m, port)
}

// workload is the one of a name, or what the template of that name makes; nil where there is none.
func (s *session) workload(ns, name string) *mesh.Workload {
	for _, w := range s.view.Workloads(ns) {
		if w.Name == name {
			return w
		}
	}
	for k := mesh.Deployment; k <= mesh.CronJob; k++ {
		if o := s.view.Get(k, ns, name); o != nil {
			return s.view.Template(o)
		}
	}
	return nil
}

// workloadsOf are the workloads that an object stands for; shown is false where the input does not show them.
func (s *session) workloadsOf(kind mesh.Kind, ns, name string) (all []*mesh.Workload, shown bool) {
	o := s.view.Get(kind, ns, name)
	if o == nil {
		return nil, false
	}
	switch kind {
	case mesh.Service, mesh.ServiceEntry:
		return s.view.Backends(o)
	case mesh.Pod, mesh.Deployment, mesh.StatefulSet, mesh.DaemonSet, mesh.ReplicaSet, mesh.Job, mesh.CronJob, mesh.WorkloadEntry:
		all = s.view.Siblings(o)
		if w := s.view.Template(o); w != nil && len(all) == 0 {
			all = []*mesh.Workload{w} // pods of it are there, and stand for themselves
		}
		return all, len(all) > 0
	}
	panic(wrongArgument(kind.String() + " stands for no workloads"))
}

func (s *session) enrolled(a arguments) *ast.Term {
	kind, ns, name := s.kind(a[0]), a[1], a[2]
	var all []*mesh.Workload
	if kind == mesh.Namespace {
		all = []*mesh.Workload{s.view.Imagine(name, nil)}
	} else {
		var shown bool
		if all, shown = s.workloadsOf(kind, ns, name); !shown || len(all) == 0 {
			return nil
		}
	}
	for _, w := range all {
		if w.Mode == mesh.ModeUnknown {
			return nil
		}
	}
	return truth(!slices.ContainsFunc(all, func(w *mesh.Workload) bool { return w.Mode != mesh.ModeAmbient }))
}

func (s *session) waypoint(a arguments) sieve.Value {
	kind, ns, name := s.kind(a[0]), a[1], a[2]
	if kind == mesh.Namespace {
		return s.bindingSeen(s.view.NamespaceBinding(name))
	}
	o := s.view.Get(kind, ns, name)
	if o == nil {
		return sieve.Value{}
	}
	return s.bindingSeen(s.view.Binding(o))
}

// policiesFor are the policies that hold for an object: those that name it, those on the chain of its waypoint, and those
// that select the pods behind it.
func (s *session) policiesFor(a arguments) sieve.Value {
	kind, ns, name := s.kind(a[0]), a[1], a[2]
	var out []*mesh.Object
	switch kind {
	case mesh.Namespace:
		for _, k := range []mesh.Kind{mesh.AuthorizationPolicy, mesh.PeerAuthentication, mesh.RequestAuthentication} {
			out = append(out, s.wide(k, name)...)
			if root := s.view.RootNamespace(); root != name {
				out = append(out, s.wide(k, root)...)
			}
		}
	case mesh.Gateway:
		if gw := s.view.Get(kind, ns, name); gw != nil {
			out = slices.Concat(s.view.PoliciesFor(gw), s.view.PoliciesForClass(gw.Spec.(*mesh.GatewayBody).Spec.GatewayClassName))
		}
	default:
		o := s.view.Get(kind, ns, name)
		if o == nil {
			return sieve.Value{}
		}
		out = append(out, s.view.PoliciesFor(o)...)
		if kind == mesh.Service || kind == mesh.ServiceEntry {
			out = append(out, policies.OnChain(s.view.Snapshot, mesh.AuthorizationPolicy, o)...)
			out = append(out, policies.OnChain(s.view.Snapshot, mesh.RequestAuthentication, o)...)
		}
		all, _ := s.workloadsOf(kind, ns, name)
		for _, w := range all {
			out = append(out, s.view.PoliciesOver(w)...)
			out = append(out, s.view.PeerAuthentications(w.Namespace, w.Labels)...)
		}
	}
	slices.SortFunc(out, func(a, b *mesh.Object) int { return cmp.Or(int(a.Kind)-int(b.Kind), cmp.Compare(a.Key(), b.Key())) })
	return listOfSeen(slices.Compact(out), s.seen)
}

// wide are the policies of a kind in a namespace that name neither targets nor pods.
func (s *session) wide(kind mesh.Kind, ns string) []*mesh.Object {
	var out []*mesh.Object
	for _, o := range s.view.List(kind, ns) {
		switch spec := o.Spec.(type) {
		case *mesh.PeerAuthenticationSpec:
			if spec.Selector == nil {
				out = append(out, o)
			}
		case interface{ Attachment() mesh.Attachment }:
			if at := spec.Attachment(); at.Selector == nil && len(at.Refs()) == 0 {
				out = append(out, o)
			}
		}
	}
	return out
}
