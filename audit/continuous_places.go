package audit

import (
	"iter"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/audit/ledger"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/decide"
	"github.com/waywarden/waywarden/policies/mesh"
)

// judgedPlaces is what is done about what is found, namespace by namespace. What lies in none is under "".
type judgedPlaces struct {
	inc       *Incremental // which has the findings: here they are not kept a second time
	rules     *Authored
	standings []decide.Standing
	of        map[string]*judgedPlace
	beside    map[string][]policies.Finding
}

// judgedPlace is what is found in one namespace, and what is done about it.
type judgedPlace struct {
	rulings        []decide.Ruling // one for each finding of Incremental, in its order
	tally          decide.Tally
	passed, failed int
	// authored are findings about Exemptions of the namespace, or about Guardrails, and those that were found beside the checks.
	authored []policies.Finding
	ruled    []decide.Ruling
}

// basis is what decides what is done: the rules, with all checks there are, the labels of namespaces of which the Snapshot knows
// none, the time, and what was found beside the checks, by namespace.
type basis struct {
	rules  *Authored
	labels func(namespace string) map[string]string
	now    time.Time
	beside map[string][]policies.Finding
}

// judge brings up to date what is done about what was found, and returns the namespaces in which something is another now,
// sorted. replaced are the objects that were judged anew. Rules that changed, and Exemptions that ended, are for every namespace.
func (j *judgedPlaces) judge(inc *Incremental, replaced []Replaced, b basis) []string {
	touched := map[string]bool{}
	j.inc = inc
	s := inc.Snapshot()
	all := j.rules != b.rules || j.of == nil || j.lapsed(b)
	for _, r := range replaced {
		o := r.Is
		if o == nil {
			o = r.Was
		}
		if r.Was != nil && r.Is != nil && r.Was.Object == r.Is.Object && sameAnswer(r.Was, r.Is) {
			continue
		}
		// A namespace's labels say which Guardrails select it, also for what is found elsewhere and is about it.
		all = all || o.Object.Kind == mesh.Namespace
		touched[o.Object.Home()] = true
	}
	if all {
		for ns := range j.of {
			touched[ns] = true
		}
		touched[""] = true
		for ns := range s.Namespaces() {
			touched[ns] = true
		}
		j.of = map[string]*judgedPlace{}
	}
	for _, of := range []map[string][]policies.Finding{j.beside, b.beside} {
		for ns := range of {
			if !reflect.DeepEqual(j.beside[ns], b.beside[ns]) {
				touched[ns] = true
			}
		}
	}
	j.rules, j.beside = b.rules, b.beside
	for ns := range touched {
		if p := placeOf(inc, ns, b); p != nil {
			j.of[ns] = p
		} else {
			delete(j.of, ns)
		}
	}
	if len(touched) > 0 {
		j.authored(touched, s, b)
	}
	return slices.Sorted(maps.Keys(touched))
}

// lapsed is whether an Exemption has ended, or has come to be in force, since they were last looked at.
func (j *judgedPlaces) lapsed(b basis) bool {
	return !slices.EqualFunc(j.standings, b.rules.Rulebook.Standings(j.tally(), b.now), func(a, b decide.Standing) bool { return a.State == b.State && a.Exemption == b.Exemption })
}

func (j *judgedPlaces) tally() decide.Tally {
	out := decide.Tally{}
	for _, p := range j.of {
		maps.Copy(out, p.tally) // an Exemption excepts what lies in its own namespace
	}
	return out
}

// placeOf judges what was found in a namespace; nil for one in which nothing is.
func placeOf(inc *Incremental, ns string, b basis) *judgedPlace {
	p := &judgedPlace{tally: decide.Tally{}}
	any := false
	var findings []policies.Finding
	for k := range inc.in(ns) {
		any = true
		wrong := map[string]bool{}
		for _, f := range k.answer.Findings {
			wrong[f.Check] = true
		}
		findings = append(findings, k.answer.Findings...)
		failed := len(k.answer.Panics) + len(k.answer.Failures)
		p.failed += failed
		p.passed += max(0, k.asked-len(wrong)-failed-len(k.answer.Skips))
	}
	if !any {
		return nil
	}
	d := b.rules.Rulebook.Judge(decide.Request{Mesh: inc.Snapshot(), Labels: b.labels}, findings, b.now)
	p.rulings = d.Rulings
	p.tally.Add(d)
	return p
}

// authored enters what there is to say against Exemptions and Guardrails themselves.
func (j *judgedPlaces) authored(touched map[string]bool, s *mesh.Snapshot, b basis) {
	var ids []string
	for _, c := range b.rules.Rulebook.Catalog().Checks() {
		ids = append(ids, c.ID)
	}
	j.standings = j.rules.Rulebook.Standings(j.tally(), b.now)
	found := map[string][]policies.Finding{"": j.rules.Rulebook.Misnamed(ids)}
	for _, st := range j.standings {
		if f, ok := st.Finding(); ok {
			found[st.Exemption.Namespace] = append(found[st.Exemption.Namespace], f)
		}
	}
	for ns, of := range b.beside {
		found[ns] = append(found[ns], of...)
	}
	for ns := range touched {
		p := j.of[ns]
		if p == nil {
			if len(found[ns]) == 0 {
				continue
			}
			p = &judgedPlace{tally: decide.Tally{}}
			j.of[ns] = p
		}
		p.authored = found[ns]
		p.ruled = j.rules.Rulebook.Judge(decide.Request{Mesh: s, Labels: b.labels}, p.authored, b.now).Rulings
	}
}

// found is what is found in a namespace, for the ledger. What is Off is not told.
func (j *judgedPlaces) found(ns string) ledger.Found {
	p := j.of[ns]
	if p == nil {
		return ledger.Found{}
	}
	out := ledger.Found{Passed: p.passed, Failed: p.failed}
	add := func(f policies.Finding, r *decide.Ruling) {
		if r.Action == v1alpha1.Off {
			return
		}
		f.Action, f.Exempt = string(r.Action), r.Exempt != nil
		out.Records = append(out.Records, ledger.NewRecord(f, r.Action, r.Note(f)))
	}
	for f, r := range j.ruledIn(ns) {
		add(*f, r)
	}
	for i := range p.authored {
		add(p.authored[i], &p.ruled[i])
	}
	return out
}

// ruledIn are the findings of the checks in a namespace, and what is done about each.
func (j *judgedPlaces) ruledIn(ns string) iter.Seq2[*policies.Finding, *decide.Ruling] {
	return func(yield func(*policies.Finding, *decide.Ruling) bool) {
		p, i := j.of[ns], 0
		for k := range j.inc.in(ns) {
			for n := range k.answer.Findings {
				if !yield(&k.answer.Findings[n], &p.rulings[i]) {
					return
				}
				i++
			}
		}
	}
}

// stock is what is found everywhere.
func (j *judgedPlaces) stock() Stock {
	return Stock{Exemptions: j.standings, Found: func(yield func(*policies.Finding, *decide.Ruling) bool) {
		for _, ns := range slices.Sorted(maps.Keys(j.of)) {
			for f, r := range j.ruledIn(ns) {
				if !yield(f, r) {
					return
				}
			}
		}
	}}
}
