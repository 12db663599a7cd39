// Package ledger keeps since when things are found, and which are found no more: what a single audit does not know. It reads
// no clock and writes nowhere; whoever has written a Place down somewhere gives it back with Restore.
package ledger

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/policies"
)

// Record is a finding over time.
type Record struct {
	policies.Finding
	Fingerprint string
	Action      v1alpha1.Action
	// Note says why it is treated as it is.
	Note string
	// FirstSeen is when it was found first, LastSeen when last. ResolvedAt is when it was not found any more; zero while it
	// is. Somebody who looks only now and then sees all three late, never early.
	FirstSeen, LastSeen, ResolvedAt time.Time
}

// NewRecord is a finding and what is done about it.
func NewRecord(f policies.Finding, action v1alpha1.Action, note string) Record {
	return Record{Finding: f, Fingerprint: report.Fingerprint(&f), Action: action, Note: note}
}

// Place is what is known of one namespace, or with no name of what lies in none.
type Place struct {
	Namespace string
	// Open are the findings that there are, the worst first; Resolved those that there are no more, the latest first.
	Open, Resolved []Record
	// Unlisted are findings of which little is known: they were too many to be written down, and since a restart nobody could
	// look whether they are still there.
	Unlisted []Unlisted
	// Passed counts the questions that found nothing, Failed those that could not be answered.
	Passed, Failed int
	// seen is since when what is found has been found, by Key; unseen are those that nobody has looked for since it was known.
	seen   map[string]time.Time
	unseen map[string]bool
}

// Unlisted is what is known of a finding that was too many to be written down.
type Unlisted struct {
	Key  string
	Kind string // of the object
	// As is how it is counted: a word of whoever writes it down.
	As        string
	FirstSeen time.Time
}

// keyLength is how much of a fingerprint tells findings of one namespace apart, 48 bits: of 10,000 two are taken for one another
// once in five million times, and what is new for one of them once in 10^10 times.
const keyLength = 12

// Key is a fingerprint, short enough to be kept for many.
func Key(fingerprint string) string { return fingerprint[:min(len(fingerprint), keyLength)] }

// Options say for how long what is resolved is told. The zero value is useful.
type Options struct {
	// Retain is for how long; 0 means a week. Most is of how many in a namespace; 0 means 50.
	Retain time.Duration
	Most   int
}

// Ledger is for one goroutine.
type Ledger struct {
	options Options
	places  map[string]*Place
	saw     time.Time // when what is open was last known to be there
}

// New is empty.
func New(o Options) *Ledger {
	if o.Retain <= 0 {
		o.Retain = 7 * 24 * time.Hour
	}
	if o.Most <= 0 {
		o.Most = 50
	}
	return &Ledger{options: o, places: map[string]*Place{}}
}

// Restore gives back what was known of a namespace before a restart. Where that can only be read after the first Update, what is found
// is as old as it was known to be, and what is not found counts as gone with the next Update.
func (l *Ledger) Restore(p *Place) {
	p.seen, p.unseen = map[string]time.Time{}, map[string]bool{}
	for _, u := range p.Unlisted {
		p.seen[u.Key] = u.FirstSeen
	}
	for _, r := range p.Open {
		p.seen[Key(r.Fingerprint)], p.unseen[Key(r.Fingerprint)] = r.FirstSeen, true
	}
	if is := l.places[p.Namespace]; is != nil {
		is.age(p)
		return
	}
	l.places[p.Namespace] = p
}

// age enters what was known before.
func (p *Place) age(before *Place) {
	found := maps.Clone(p.seen)
	for i := range p.Open {
		r := &p.Open[i]
		if at, known := before.seen[Key(r.Fingerprint)]; known && at.Before(r.FirstSeen) {
			r.FirstSeen = at
		}
		p.seen[Key(r.Fingerprint)] = r.FirstSeen
	}
	for _, r := range before.Open {
		if _, known := found[Key(r.Fingerprint)]; !known {
			p.Open, p.seen[Key(r.Fingerprint)], p.unseen[Key(r.Fingerprint)] = append(p.Open, r), r.FirstSeen, true
		}
	}
	for _, u := range before.Unlisted {
		if _, known := found[u.Key]; !known {
			p.Unlisted, p.seen[u.Key] = append(p.Unlisted, u), u.FirstSeen
		}
	}
	p.Resolved = append(p.Resolved, before.Resolved...)
}

// Found is what was found in a namespace.
type Found struct {
	Records        []Record // without times
	Passed, Failed int
	// Unread are kinds that could not be read, and Unasked checks of which not everything is known that they find: what was found
	// in those objects and by those checks, and is not found now, is not gone for that, and stands.
	Unread, Unasked map[string]bool
}

func (f *Found) stands(r Record) bool { return f.Unread[r.Object.Kind] || f.Unasked[r.Check] }

// mayStand is whether something of which no check is known stands.
func (f *Found) mayStand(u Unlisted) bool { return f.Unread[u.Kind] || len(f.Unasked) > 0 }

// Update takes in what is found in a namespace now, and returns what is new and what is gone since the last time. Of something gone
// that was known by its Key alone, a Record has no check and no name. A clock that went backwards makes no finding older than it
// was known to be, nor resolved before it was seen.
func (l *Ledger) Update(namespace string, found Found, now time.Time) (place *Place, fresh, gone []Record) {
	was := l.places[namespace]
	if was == nil {
		was = &Place{Namespace: namespace}
	}
	is := &Place{Namespace: namespace, Open: found.Records, Passed: found.Passed, Failed: found.Failed, seen: map[string]time.Time{}, unseen: map[string]bool{}}
	for i := range is.Open {
		r := &is.Open[i]
		first, known := was.seen[Key(r.Fingerprint)]
		if !known {
			first = now
		}
		r.FirstSeen, r.LastSeen = first, later(first, now)
		if _, twice := is.seen[Key(r.Fingerprint)]; !known && !twice {
			fresh = append(fresh, *r)
		}
		is.seen[Key(r.Fingerprint)] = first
	}
	gone = append(is.listed(l.lastSeen(was), &found, now), is.unlisted(was, &found, now)...)
	slices.SortStableFunc(is.Open, func(a, b Record) int { return policies.CompareFindings(a.Finding, b.Finding) })
	is.Resolved = l.resolved(gone, was.Resolved, is, now)
	l.places[namespace] = is
	return is, fresh, gone
}

// Saw takes in that an audit of everything came to what is known here: what is open was still there, also in namespaces in which
// nothing has changed, but for what stands because nobody can look.
func (l *Ledger) Saw(now time.Time) { l.saw = now }

// lastSeen is what was open in a namespace, each with when it was seen last.
func (l *Ledger) lastSeen(was *Place) []Record {
	out := slices.Clone(was.Open)
	for i := range out {
		if !was.unseen[Key(out[i].Fingerprint)] {
			out[i].LastSeen = later(out[i].LastSeen, l.saw)
		}
	}
	return out
}

// listed goes on with what was found before and is not found now: where nobody can tell it stands, and the rest is gone.
func (p *Place) listed(was []Record, found *Found, now time.Time) (gone []Record) {
	told := map[string]bool{}
	var stands []Record
	for _, r := range was {
		_, still := p.seen[Key(r.Fingerprint)]
		switch {
		case still || told[r.Fingerprint]:
		case found.stands(r):
			stands = append(stands, r)
		default:
			told[r.Fingerprint] = true
			r.LastSeen = later(r.FirstSeen, r.LastSeen)
			r.ResolvedAt = later(r.LastSeen, now)
			gone = append(gone, r)
		}
	}
	for _, r := range stands {
		p.seen[Key(r.Fingerprint)], p.unseen[Key(r.Fingerprint)] = r.FirstSeen, true
	}
	p.Open = append(p.Open, stands...)
	return gone
}

// unlisted goes on with what little is known of findings that were not written down: those that were found again are known now, those
// of which nobody can tell stand, and the rest is gone. Of these a Record has the Key for a fingerprint, and no check.
func (p *Place) unlisted(was *Place, found *Found, now time.Time) (gone []Record) {
	told := map[string]bool{}
	for _, u := range was.Unlisted {
		_, again := p.seen[u.Key]
		switch {
		case again || told[u.Key]:
		case found.mayStand(u):
			p.Unlisted = append(p.Unlisted, u)
		default:
			told[u.Key] = true
			r := Record{Fingerprint: u.Key, FirstSeen: u.FirstSeen, LastSeen: u.FirstSeen, ResolvedAt: later(u.FirstSeen, now)}
			r.Object.Kind, r.Object.Namespace = u.Kind, p.Namespace
			gone = append(gone, r)
		}
	}
	for _, u := range p.Unlisted {
		p.seen[u.Key] = u.FirstSeen
	}
	return gone
}

// resolved is what is told of what there is no more: not what has come back, and neither for long nor many.
func (l *Ledger) resolved(gone, before []Record, is *Place, now time.Time) []Record {
	out := slices.DeleteFunc(slices.Concat(gone, before), func(r Record) bool {
		_, back := is.seen[Key(r.Fingerprint)]
		return back || r.Check == "" || l.over(r, now)
	})
	slices.SortStableFunc(out, func(a, b Record) int {
		return cmp.Or(b.ResolvedAt.Compare(a.ResolvedAt), strings.Compare(a.Fingerprint, b.Fingerprint))
	})
	return out[:min(len(out), l.options.Most)]
}

func (l *Ledger) over(r Record, now time.Time) bool { return now.Sub(r.ResolvedAt) > l.options.Retain }

// Expire drops what has been told as resolved for long enough, and returns the namespaces of which something was, by name.
func (l *Ledger) Expire(now time.Time) []string {
	var out []string
	for _, p := range l.Places() {
		kept := slices.DeleteFunc(slices.Clone(p.Resolved), func(r Record) bool { return l.over(r, now) })
		if len(kept) < len(p.Resolved) {
			p.Resolved, out = kept, append(out, p.Namespace)
		}
	}
	return out
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Places are the namespaces of which anything is known, by name.
func (l *Ledger) Places() []*Place {
	var out []*Place
	for _, p := range l.places {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b *Place) int { return strings.Compare(a.Namespace, b.Namespace) })
	return out
}

// Since is since when something has been found; false for what was not found the last time.
func (l *Ledger) Since(fingerprint string) (at time.Time, known bool) {
	for _, p := range l.places {
		if seen, ok := p.seen[Key(fingerprint)]; ok && (!known || seen.Before(at)) {
			at, known = seen, true
		}
	}
	return at, known
}

// Forget drops a namespace that is gone.
func (l *Ledger) Forget(namespace string) { delete(l.places, namespace) }
