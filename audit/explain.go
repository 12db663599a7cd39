package audit

import (
	"fmt"

	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// Explain says everything that a policy does, or everything that guards anything else, layer by layer, with what the checks of
// the rules find; those that are built in where there are none.
func Explain(inv *inventory.Inventory, s *mesh.Snapshot, o *mesh.Object, rules Rules) *report.Explanation {
	if rules.Checks == nil {
		rules.Checks = policies.Checks()
	}
	x := explainer{inv: inv, s: s, out: &report.Explanation{Object: o.Ref(), Location: Place(inv, o.Ref(), "")}}
	read := writer{inv, s, newJudge(inv, rules, s, nil), &report.ScanResult{}}
	read.refused()
	read.input()
	x.out.Errors, x.out.Unread = read.Errors, read.Unread
	asked := []*mesh.Object{o}
	if o.Kind.IsPolicy() {
		x.policy(o)
	}
	if _, isTarget := subjectOf(s, o); isTarget {
		asked = append(asked, x.guards(o)...)
	}
	occasion := policies.Occasion{Now: rules.Now, Parameters: read.judge.book.Parameters()}
	for _, a := range EvaluateOn(occasion, s, asked, rules.Checks, nil) {
		w := writer{inv, s, read.judge, &report.ScanResult{}}
		w.answer(a)
		x.out.Findings = append(x.out.Findings, w.Findings...)
		x.out.Errors = append(x.out.Errors, w.Errors...)
	}
	return x.out.Finish()
}

type explainer struct {
	inv *inventory.Inventory
	s   *mesh.Snapshot
	out *report.Explanation
}

func (x *explainer) placed(e policies.Effect) report.Effect {
	return report.At(e, Place(x.inv, e.Object, e.Field))
}

func (x *explainer) policy(o *mesh.Object) {
	for _, a := range Evaluate(x.s, []*mesh.Object{o}, nil, nil) {
		for _, e := range a.Effects {
			x.out.Effects = append(x.out.Effects, x.placed(e))
		}
	}
}

// guards enters the layers before o, and returns the policies that it names.
func (x *explainer) guards(o *mesh.Object) []*mesh.Object {
	sub, _ := subjectOf(x.s, o)
	x.out.Facts = append(x.out.Facts, sub.facts...)
	if o.Kind == mesh.Gateway && x.s.ClassOf(o) == mesh.ClassWaypoint {
		p, _ := planned(x.inv, policies.NewView(x.s))
		x.out.Facts = append(x.out.Facts, needing(p, o)...)
	}
	var all []*mesh.Object
	for object := range x.s.Objects() {
		if object.Kind.IsPolicy() && object != o {
			all = append(all, object)
		}
	}
	at := map[policies.EnforcedBy][]report.Effect{}
	var named []*mesh.Object
	for _, a := range Evaluate(x.s, all, nil, nil) {
		concerned := sub.concerned(x.s, a.Effects)
		for _, e := range concerned {
			at[e.EnforcedBy] = append(at[e.EnforcedBy], x.placed(e))
		}
		if len(concerned) > 0 {
			named = append(named, a.Object)
		}
	}
	for _, layer := range []policies.EnforcedBy{policies.Gateway, policies.Waypoint, policies.Ztunnel, policies.Sidecar, policies.Nobody} {
		l := report.Layer{Layer: layer, Facts: sub.at[layer], Effects: at[layer]}
		if layer == policies.Ztunnel {
			l.MTLS = mtlsOf(x.s, sub.captured())
		}
		if len(l.Facts)+len(l.Effects)+len(l.MTLS) > 0 {
			x.out.Layers = append(x.out.Layers, l)
		}
	}
	for _, svc := range sub.services {
		x.bypasses(svc)
	}
	return named
}

func (x *explainer) bypasses(svc *mesh.Object) {
	if !x.s.Binding(svc).Bound {
		return
	}
	for _, b := range policies.Ways(x.s, svc, policies.Scrapers(x.s)) {
		out := report.Bypass{Service: svc.Ref(), Reason: b.Reason, Message: b.Text, Remedy: b.Remedy}
		if b.Via != nil {
			via := b.Via.Ref()
			out.Via = &via
		}
		x.out.Bypasses = append(x.out.Bypasses, out)
	}
}

// mtlsOf is what ztunnel demands of connections to workloads, those alike together.
func mtlsOf(s *mesh.Snapshot, workloads []*mesh.Workload) []report.MTLS {
	var (
		out   []report.MTLS
		index = map[string]int{}
	)
	for _, w := range workloads {
		m := s.EffectiveMTLS(w.Namespace, w.Labels)
		one := report.MTLS{Strict: m.Strict, Dangling: m.Dangling, Ports: map[string]bool{}, From: []mesh.Ref{}}
		for port, strict := range m.Ports {
			one.Ports[fmt.Sprint(port)] = strict
		}
		for _, o := range s.Peers(w.Namespace, w.Labels, false).All() {
			one.From = append(one.From, o.Ref())
		}
		key := fmt.Sprint(one)
		if _, ok := index[key]; !ok {
			index[key] = len(out)
			out = append(out, one)
		}
		same := &out[index[key]]
		same.Workloads = append(same.Workloads, workloadName(w))
	}
	return out
}

func workloadName(w *mesh.Workload) string {
	if w.Source == nil {
		return "pods with " + mesh.FormatLabels(w.Labels)
	}
	return w.Source.String()
}
