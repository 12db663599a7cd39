package plan

import (
	"maps"
	"slices"

	"github.com/waywarden/waywarden/policies/mesh"
)

// Orders that believe what they are not told: that a write was taken, that nobody is connected, that a waypoint is ready still.

// thinking has stages work with a course that is otherwise than it is.
func thinking(stages []stage, change func(*course), names ...string) []stage {
	out := slices.Clone(stages)
	for _, name := range names {
		i := place(out, name)
		do := out[i].do
		out[i].do = func(c *course) outcome {
			was := *c
			alone := *c.order
			alone.Evidence.Waypoints = maps.Clone(alone.Evidence.Waypoints)
			c.order = &alone
			change(c)
			result := do(c)
			said := c.out
			*c = was
			c.out = said
			return result
		}
	}
	return out
}

// counting changes what is known of what a waypoint counts.
func counting(change func(*Serving)) func(*course) {
	return func(c *course) {
		serving := c.Evidence.Waypoints[c.ref]
		change(&serving)
		c.Evidence.Waypoints[c.ref] = serving
	}
}

// writable takes policies of a role that cannot be written for written.
func writable(role Role) func(*course) {
	return func(c *course) {
		c.cannot = slices.DeleteFunc(slices.Clone(c.cannot), func(ref mesh.Ref) bool {
			return slices.ContainsFunc(c.policies, func(p Policy) bool { return p.Role == role && p.Ref() == ref })
		})
	}
}

var evidenceMutants = []mutant{
	{"labelled after readiness was lost", func(t *tables) {
		t.making = thinking(t.making, counting(func(s *Serving) { s.Ready = true }), "await ready")
	}},
	{"one that does not answer has no connections", func(t *tables) {
		t.removing = thinking(t.removing, counting(func(s *Serving) {
			if s.Counting {
				*s = Serving{Counted: true}
				s.Acknowledged = s.Acknowledged.AddDate(9999, 0, 0)
			}
		}), "drain")
	}},
	{"time is over although connections are counted", func(t *tables) {
		t.removing = thinking(t.removing, counting(func(s *Serving) { s.Counted, s.Counting = false, false }), "drain")
	}},
	{"a label that was not taken off is gone", func(t *tables) {
		t.removing = instead(t.removing, "release", func(c *course) outcome {
			if c.release() == busy {
				return busy
			}
			return settled
		})
	}},
	{"a twin that was refused is there", func(t *tables) {
		t.making = thinking(t.making, writable(Twin), "admit for what is bound", "make admissions", "bind")
	}},
	{"an admission that was refused is there", func(t *tables) { t.making = thinking(t.making, writable(Admission), "bind") }},
	{"a guard that was not changed lets the waypoint in", func(t *tables) { t.making = thinking(t.making, writable(Guarding), "bind") }},
	{"admission before the twin that is written elsewhere", func(t *tables) {
		for _, stages := range []*[]stage{&t.making, &t.removing} {
			*stages = instead(*stages, "await repeated for what is bound", func(c *course) outcome { return c.awaitPolicies(Twin, MakeTwin, c.bindingOf) })
		}
	}},
}
