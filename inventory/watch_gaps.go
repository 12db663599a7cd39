package inventory

import "slices"

// Gaps are what a Snapshot may lack that is there: for one that deletes what nothing seems to need. [mesh.Snapshot.Whole] says
// less: it is about what names something, and a Snapshot without any VirtualService is whole though nobody may list them.
type Gaps struct {
	// Unread are kinds of which nothing is known. Evidence is not among them: no deletion rests on it.
	Unread []Unread
	// Unseen is why objects may be there as they are not shown, by namespace, "" for any: a kind of which no news comes, or an
	// object that is not well formed, so that it is known that it is there and not what it says.
	Unseen map[string]string
}

// gaps is called with the mirror's mu held.
func (m *mirror) gaps() Gaps {
	out := Gaps{Unread: slices.DeleteFunc(m.unread(), func(u Unread) bool { return kindOfResource(u.Resource).Evidence() != "" })}
	tell := func(ns, why string) {
		if out.Unseen == nil {
			out.Unseen = map[string]string{}
		}
		if first, ok := out.Unseen[ns]; !ok || why < first {
			out.Unseen[ns] = why
		}
	}
	for _, u := range m.unheard() {
		if kindOfResource(u.Resource).Evidence() == "" {
			tell("", u.Resource+" has not been listed yet")
		}
	}
	for _, s := range m.sources {
		if s.kind.Evidence() != "" {
			continue
		}
		if s.stale() {
			tell("", "no news comes of "+resourceName(s.kind, s.Group)+": "+s.trouble)
		}
		for n := range s.problems {
			tell(n.namespace, s.kind.String()+" "+n.String()+" is not well formed")
		}
	}
	return out
}

func (n name) String() string {
	if n.namespace == "" {
		return n.name
	}
	return n.namespace + "/" + n.name
}

// stale is whether the resource was read and no news comes of it at present.
func (s *source) stale() bool { return s.settled && s.unread == nil && s.trouble != "" }
