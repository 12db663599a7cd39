package audit

import (
	"maps"
	"slices"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/audit/compliance"
	"github.com/waywarden/waywarden/audit/ledger"
	"github.com/waywarden/waywarden/policies/mesh"
)

// Places are the findings of a report by namespace, as the continuous audit would write them that sees them for the first
// time; by name, what lies in no namespace first.
func Places(r *compliance.Report) []*ledger.Place {
	of := map[string]*ledger.Place{}
	at := func(object mesh.Ref) *ledger.Place {
		ns := compliance.HomeOf(object)
		if of[ns] == nil {
			of[ns] = &ledger.Place{Namespace: ns}
		}
		return of[ns]
	}
	if len(r.Unread)+len(r.Errors) > 0 {
		at(mesh.Ref{}) // somewhere it has to be told, also where nothing was judged
	}
	type question struct {
		object mesh.Ref
		check  string
	}
	wrong := map[question]bool{}
	for _, f := range r.Findings {
		record := ledger.NewRecord(f.Finding.Finding, v1alpha1.Action(f.Action), f.Note)
		record.FirstSeen, record.LastSeen = r.GeneratedAt, r.GeneratedAt
		p := at(f.Object)
		p.Open = append(p.Open, record)
		wrong[question{f.Object, f.Check}] = true
	}
	for _, e := range r.Errors {
		if e.Object != nil {
			at(*e.Object).Failed++
			wrong[question{*e.Object, e.Check}] = true
		}
	}
	for _, j := range r.Scan().Judged {
		for _, check := range j.Checks {
			if !wrong[question{j.Object, check}] {
				at(j.Object).Passed++
			}
		}
	}
	var out []*ledger.Place
	for _, ns := range slices.Sorted(maps.Keys(of)) {
		out = append(out, of[ns])
	}
	return out
}
