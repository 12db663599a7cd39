package plan

import (
	"slices"
)

// mutant is an order that differs from ours in one thing.
type mutant struct {
	name   string
	change func(*tables)
}

// without leaves stages out of a table.
func without(stages []stage, names ...string) []stage {
	out := slices.DeleteFunc(slices.Clone(stages), func(s stage) bool { return slices.Contains(names, s.name) })
	if len(out) == len(stages) {
		panic("no such stage: " + names[0])
	}
	return out
}

// before moves a stage to just before another one.
func before(stages []stage, name, other string) []stage {
	moved := stages[place(stages, name)]
	out := without(stages, name)
	return slices.Insert(out, place(out, other), moved)
}

func place(stages []stage, name string) int {
	i := slices.IndexFunc(stages, func(s stage) bool { return s.name == name })
	if i < 0 {
		panic("no such stage: " + name)
	}
	return i
}

// blind has stages not see the policies of a role.
func blind(stages []stage, role Role, names ...string) []stage {
	out := slices.Clone(stages)
	for _, name := range names {
		i := place(out, name)
		do := out[i].do
		out[i].do = func(c *course) outcome {
			all := c.policies
			defer func() { c.policies = all }()
			c.policies = slices.DeleteFunc(slices.Clone(all), func(p Policy) bool { return p.Role == role })
			return do(c)
		}
	}
	return out
}

// takeOff takes our label off what is bound elsewhere, as one would who does not know that it can be changed.
func (c *course) takeOff() outcome {
	for _, l := range c.labels {
		on := find(c.snapshot, l.On)
		if _, ours := storedLabel(c.Evidence.Managed, on); ours && !c.has(l) {
			return c.step(Step{Action: Release, Row: RemoveBinding, Object: refOf(on), Manifest: labelsManifest(l.On, "", nil), Preconditions: c.preconditions(on)})
		}
	}
	return settled
}

// silent has stages not tell of admissions that stay.
func silent(stages []stage, names ...string) []stage {
	out := slices.Clone(stages)
	for _, name := range names {
		i := place(out, name)
		do := out[i].do
		out[i].do = func(c *course) outcome {
			result := do(c)
			c.out.Stopped = slices.DeleteFunc(c.out.Stopped, func(s Stop) bool { return s.Row == RemoveAdmit })
			return result
		}
	}
	return out
}

var mutants = []mutant{
	{"label before the waypoint is ready", func(t *tables) { t.making = without(t.making, "await ready") }},
	{"label before the twins", func(t *tables) { t.making = without(t.making, "make twins", "await twins") }},
	{"label before every proxy knows the twins", func(t *tables) { t.making = without(t.making, "await twins") }},
	{"label before the waypoint is admitted", func(t *tables) { t.making = without(t.making, "make admissions", "await admissions") }},
	{"label before every proxy knows the admission", func(t *tables) { t.making = without(t.making, "await admissions") }},
	{"admission before the twin, for what is bound", func(t *tables) {
		t.making = before(before(t.making, "await admitted for what is bound", "repeat for what is bound"), "admit for what is bound", "await admitted for what is bound")
	}},
	{"admission before every proxy knows the twin, for what is bound", func(t *tables) {
		t.making = without(t.making, "await repeated for what is bound")
	}},
	{"nothing is repeated while a waypoint is retained", func(t *tables) {
		t.removing = without(t.removing, "repeat for what is bound", "await repeated for what is bound", "admit for what is bound", "await admitted for what is bound")
	}},
	{"Gateway deleted before the label", func(t *tables) { t.removing = before(t.removing, "remove gateway", "release") }},
	{"Gateway deleted before every ztunnel knows", func(t *tables) { t.removing = without(t.removing, "await released", "drain") }},
	{"Gateway deleted while connections are open", func(t *tables) { t.removing = without(t.removing, "drain") }},
	{"admission removed before the label", func(t *tables) { t.removing = before(t.removing, "remove admissions", "release") }},
	{"admission removed while connections are open", func(t *tables) { t.removing = before(t.removing, "remove admissions", "drain") }},
	{"admission removed before every ztunnel knows", func(t *tables) { t.removing = before(t.removing, "remove admissions", "await released") }},
	{"twins removed before the label", func(t *tables) { t.removing = before(t.removing, "remove twins", "release") }},
	{"twins removed before every ztunnel knows", func(t *tables) { t.removing = before(t.removing, "remove twins", "await released") }},
	{"twins removed while connections are open", func(t *tables) { t.removing = before(t.removing, "remove twins", "drain") }},
	{"removed although the last ALLOW is ours", func(t *tables) { t.removing = without(t.removing, "may go") }},
	{"removed although somebody else asks for it", func(t *tables) { t.removing = without(t.removing, "foreign") }},
	{"guard before the label is known", func(t *tables) { t.making = before(t.making, "make guards", "bind") }},
	{"label before the guard is gone", func(t *tables) {
		t.removing = before(before(t.removing, "release", "remove guards"), "await released", "remove guards")
	}},
	{"unlabelled before every ztunnel knows that the guard is gone", func(t *tables) { t.removing = without(t.removing, "await guards removed") }},
	{"a guard stays without its binding", func(t *tables) {
		t.making, t.removing = without(t.making, "remove stale guards"), without(t.removing, "remove stale guards")
	}},
	{"moved before the new waypoint is ready", func(t *tables) { t.making = without(t.making, "await ready") }},
	{"moved before every proxy knows the new waypoint", func(t *tables) { t.making = without(t.making, "await known") }},
	{"moved before the new waypoint has what names the old one", func(t *tables) {
		t.making = blind(t.making, Copy, "repeat for what is bound", "await repeated for what is bound", "make twins", "await twins")
	}},
	{"moved before the new waypoint is admitted", func(t *tables) { t.making = without(t.making, "make admissions", "await admissions") }},
	{"moved before the guard lets the new waypoint in", func(t *tables) { t.making = without(t.making, "widen guards") }},
	{"moved by taking the label off and setting it again", func(t *tables) {
		i := place(t.making, "bind")
		t.making = slices.Insert(slices.Clone(t.making), i, stage{"take off", (*course).takeOff})
	}},
	{"the old waypoint goes while something is bound to it", func(t *tables) { t.removing = without(t.removing, "await moves", "may go") }},
	{"the old waypoint goes before it is drained", func(t *tables) { t.removing = without(t.removing, "drain") }},
	{"the old waypoint goes before every ztunnel knows", func(t *tables) { t.removing = without(t.removing, "await released", "drain") }},
	{"the old waypoint is shut out before it is drained", func(t *tables) { t.removing = before(t.removing, "remove admissions", "await released") }},
	{"a canary stays though nobody moves", func(t *tables) { t.making = without(t.making, "roll back") }},
	{"what is said at a waypoint that is left goes first", func(t *tables) { t.removing = before(t.removing, "remove copies", "await moves") }},
	{"taken away while not all is seen", func(t *tables) { t.removing = without(t.removing, "see") }},
	{"nobody is told that an ALLOW of ours is the last", func(t *tables) {
		t.making, t.removing = silent(t.making, "say last", "remove orphans"), silent(t.removing, "say last", "remove orphans", "may go")
	}},
	{"what nothing asks for is left", func(t *tables) { t.making = without(t.making, "remove orphans") }},
}
