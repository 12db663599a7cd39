package decide

import (
	"cmp"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// except enters the Exemption for a finding: of those in force the one that ends last, else of the others.
func (j *judging) except(f *policies.Finding, out *Ruling) {
	namespace := f.Object.Namespace
	if f.Object.Kind == mesh.Namespace.String() {
		namespace = f.Object.Name
	}
	for _, e := range j.exemptions[namespace] {
		if !e.covers(f) {
			continue
		}
		switch lapse := j.lapse(e, j.now); {
		case lapse == "" && (out.Exempt == nil || e.ExpiresAt.After(out.Exempt.ExpiresAt)):
			out.Exempt = e
		case lapse != "" && (out.Lapsed == nil || e.ExpiresAt.After(out.Lapsed.ExpiresAt)):
			out.Lapsed, out.Lapse = e, lapse
		}
	}
	if out.Exempt != nil {
		out.Lapsed, out.Lapse = nil, ""
	}
}

// lapse is why an Exemption is not in force; "" where it is. It ends at the moment it names. What ends too late is not in
// force at all: it can only have been stored while nobody looked.
func (r *Rulebook) lapse(e *Exemption, now time.Time) v1alpha1.ExemptionState {
	switch {
	case !now.Before(e.ExpiresAt):
		return v1alpha1.StateExpired
	case e.ExpiresAt.Sub(now) > r.maxDuration:
		return v1alpha1.StateTooLong
	}
	return ""
}

// covers is whether the Exemption is about the finding, whenever it is in force. The namespace has been looked at.
func (e *Exemption) covers(f *policies.Finding) bool {
	if !matchesCheck(e.checks, f.Check) {
		return false
	}
	for i := range e.subjects {
		s := &e.subjects[i]
		if s.Kind != f.Object.Kind {
			continue
		}
		if s.Name == "" || s.Name == "*" {
			return true
		}
		if ok, err := path.Match(s.Name, f.Object.Name); err == nil && ok {
			return true
		}
	}
	return false
}

// Names is whether the Exemption is about a check.
func (e *Exemption) Names(checkID string) bool { return matchesCheck(e.checks, checkID) }

// Tally counts the findings that each Exemption excepts.
type Tally map[*Exemption]int

// Add adds those of a Decision of the same Rulebook.
func (t Tally) Add(d Decision) {
	for i := range d.Rulings {
		if e := d.Rulings[i].Exempt; e != nil {
			t[e]++
		}
	}
}

// Standing is what an Exemption amounts to.
type Standing struct {
	Exemption *Exemption
	State     v1alpha1.ExemptionState
	Matched   int // findings that it excepts
	// Max is how far ahead the installation lets it end.
	Max time.Duration
}

// Standings are those of all Exemptions, by namespace and name. t is what the Rulebook excepted of everything that is
// stored: without that, nobody knows which of them are unused.
func (r *Rulebook) Standings(t Tally, now time.Time) []Standing {
	var out []Standing
	for _, here := range r.exemptions {
		for _, e := range here {
			s := Standing{Exemption: e, State: r.lapse(e, now), Matched: t[e], Max: r.maxDuration}
			if s.State == "" {
				s.State = v1alpha1.StateActive
				if s.Matched == 0 {
					s.State = v1alpha1.StateUnused
				}
			}
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b Standing) int {
		return cmp.Or(strings.Compare(a.Exemption.Namespace, b.Exemption.Namespace), strings.Compare(a.Exemption.Name, b.Exemption.Name))
	})
	return out
}
