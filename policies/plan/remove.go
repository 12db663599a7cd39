package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// remove takes away a waypoint that nothing needs.
func (c *course) remove() {
	// What is planned for another waypoint is that one's, whatever is still written on it.
	c.own = slices.DeleteFunc(slices.Clone(c.own), func(o *mesh.Object) bool {
		return c.holds(o) || c.order.planned[refOf(o)] && !slices.ContainsFunc(c.policies, func(p Policy) bool { return p.Ref() == refOf(o) })
	})
	if !c.ours() && len(c.bound)+len(c.canaries)+len(c.own)+len(c.parameters) == 0 && len(c.Evidence.Waypoints[c.ref].LeftBehind) == 0 {
		return
	}
	c.out.Removing = true
	c.follow(c.tables().removing)
}

// blindness is how long what is not seen is waited for, before looking again; an event may end it earlier.
const blindness = time.Minute

// see waits while something may be there that is not seen: it may need what seems to be needed by nothing.
func (c *course) see() outcome {
	if why := c.unseen(); why != "" {
		return c.wait(Retain, c.ref, c.Now.Add(blindness), "nothing is taken away while something may be there that is not seen: "+why)
	}
	return settled
}

// unseen is why something about the waypoint may be there that is not seen; "" where all is.
func (c *course) unseen() string {
	about := []string{"", c.snapshot.RootNamespace(), c.ref.Namespace}
	for _, l := range c.bound {
		about = append(about, home(l.On))
	}
	for _, o := range c.own {
		about = append(about, o.Namespace)
	}
	for _, ns := range about {
		if why := c.Evidence.Unseen[ns]; why != "" {
			return why
		}
	}
	return ""
}

// awaitForeign stops where somebody else's label asks for the waypoint: it is in use, whatever nothing needs.
func (c *course) awaitForeign() outcome {
	if !c.ours() {
		return settled
	}
	for _, o := range c.asking() {
		if slices.Contains(c.canaries, o) {
			continue
		}
		if l, ok := storedLabel(c.Evidence.Managed, o); !ok || l.Waypoint() != c.ref {
			if next := c.next(); next != "" {
				return c.stop(Retain, refOf(o), onlyLabels(o, map[string]string{label.IoIstioUseWaypoint.Name: next}), fmt.Sprintf("waypoint %s stays: %s asks for it by a label of somebody else's, and waypoint %s has taken its place. Commit the label for that one.", c.gateway.Key(), o, next))
			}
			return c.stop(Retain, refOf(o), nil, fmt.Sprintf("waypoint %s stays: %s asks for it by a label of somebody else's, and no policy needs it. Remove the label, or note the reason with %s.", c.gateway.Key(), o, KeepAnnotation))
		}
	}
	return settled
}

// asking are the objects with a label that names the waypoint. A ReplicaSet that a Deployment has made, or a Job of a CronJob, asks for
// nothing itself: the label is in its maker's template, or on its pods. Those of rollouts that are over stay, and have none.
func (c *course) asking() []*mesh.Object {
	return slices.DeleteFunc(slices.Clone(c.snapshot.AskingFor(c.gateway)), func(o *mesh.Object) bool {
		return (o.Kind == mesh.ReplicaSet || o.Kind == mesh.Job) && c.snapshot.Maker(o) != nil
	})
}

// awaitMoves waits until what is bound here has moved to the waypoint that is planned for it.
func (c *course) awaitMoves() outcome {
	if out := c.forgetGo(); out != settled {
		return out
	}
	if len(c.canaries) > 0 {
		return c.wait(RollBack, refOf(c.canaries[0]), time.Time{}, "it is the canary there, and that is taken back first")
	}
	for _, l := range c.bound {
		for _, p := range c.labelled[home(l.On)] {
			if p.Waypoint() == c.ref {
				continue
			}
			if p.On == l.On || slices.ContainsFunc(c.under(l), func(svc mesh.Ref) bool {
				return c.asks(svc) && slices.ContainsFunc(p.Binds, func(b mesh.Ref) bool { return canonical(b) == svc })
			}) {
				return c.wait(MakeBinding, canonical(p.On), time.Time{}, fmt.Sprintf("%s moves to waypoint %s first", p.On, p.Value))
			}
		}
	}
	return settled
}

// mayGo stops, before anything is taken away, where it would have to stop half way.
func (c *course) mayGo() outcome {
	return max(c.staysAdmitted(), c.staysInForce(), c.staysBound())
}

// staysAdmitted stops where our ALLOW for the waypoint cannot go.
func (c *course) staysAdmitted() outcome {
	out := settled
	for _, o := range c.own {
		if Role(o.Annotations[RoleAnnotation]) == Admission && (c.lastAllow(o) || c.onlyOursBeside(o)) {
			out = max(out, c.stop(RemoveAdmit, refOf(o), nil, c.lastAllowSays(o)))
		}
	}
	return out
}

// staysBound stops where an object keeps our label: what else is bound would be released for nothing, and be without a guard meanwhile.
func (c *course) staysBound() outcome {
	out := settled
	for _, l := range c.bound {
		on := find(c.snapshot, l.On)
		if on.Terminating {
			continue
		}
		if c.Settings.Of(on.Home()).Mode != Provision {
			out = max(out, c.stop(RemoveBinding, refOf(on), nil, fmt.Sprintf("%s keeps its label: nothing needs waypoint %s, and no Guardrail with mode Provision selects namespace %s any more. Remove the label, or select the namespace.", on, c.ref.Name, on.Home())))
		} else if next := c.fallsTo(on); next != "" {
			out = max(out, c.stop(RemoveBinding, refOf(on), nil, fmt.Sprintf("%s keeps its label: without it the label of its Namespace would bind it to waypoint %s, which is not let in at its pods. It goes when that label does.", on, next)))
		}
	}
	return out
}

func (c *course) inForce(o *mesh.Object) bool { return c.inForceAt(o, c.ref) }

// inForceAt is whether a policy does anything at a waypoint.
func (c *course) inForceAt(o *mesh.Object, at mesh.Ref) bool {
	return slices.ContainsFunc(c.View.Effects(o), func(e policies.Effect) bool { return by(e, at) })
}

// release takes our labels off. In one push with the guard's deletion they would arrive first.
func (c *course) release() outcome {
	result := settled
	for _, l := range c.bound {
		on := find(c.snapshot, l.On)
		if on.Terminating {
			result = max(result, c.wait(RemoveBinding, refOf(on), time.Time{}, "it is being deleted, and its label with it"))
			continue
		}
		out := c.step(Step{Action: Release, Row: RemoveBinding, Object: refOf(on), Manifest: c.relabel(on, nil),
			Preconditions: c.preconditions(on), Why: "nothing needs the waypoint any more" + c.fading()})
		if out == busy {
			return busy
		}
		result = max(result, out)
	}
	return result
}

// fallsTo is another waypoint to which an object would be bound without its own label.
func (c *course) fallsTo(on *mesh.Object) string {
	if on.Kind == mesh.Namespace {
		return ""
	}
	labels := c.snapshot.NamespaceLabels(on.Namespace)
	name := labels[label.IoIstioUseWaypoint.Name]
	ns, ok := labels[label.IoIstioUseWaypointNamespace.Name]
	if !ok {
		ns = on.Namespace
	}
	if name == "" || name == "none" || ns == c.ref.Namespace && name == c.ref.Name {
		return ""
	}
	return ns + "/" + name
}

// awaitReleased writes down since when nothing is bound, and waits until every proxy knows: whatever was released was
// released before that.
func (c *course) awaitReleased() outcome {
	at, ok := c.drainingSince()
	if !ok {
		return c.ensure(Drain, noted(manifestOf(c.ledger()), DrainingSinceAnnotation, instant(c.Now)), "nothing is bound to it any more", nil)
	}
	if !c.Evidence.Acknowledged.After(at) {
		return c.wait(Drain, c.ref, time.Time{}, "not every ztunnel has acknowledged that nothing is bound")
	}
	return settled
}

// drained is whether no connection goes through the waypoint any more, or none can be counted and their time is up: not as long as
// somebody is at counting them, as after a change of leader, when their time may be up long since. A count says so that began when
// every ztunnel had acknowledged that nothing is bound: none opens another one after that.
func (c *course) drained() (ok bool, until time.Time) {
	at, _ := c.drainingSince()
	until = at.Add(c.setting().Profile.limit())
	serving := c.Evidence.Waypoints[c.ref]
	if serving.Counted {
		return serving.Connections == 0 && serving.Acknowledged.After(at) || c.gateway == nil, until
	}
	return c.gateway == nil || !c.Now.Before(until) && !serving.Counting, until
}

// drain waits for the connections that go through the waypoint: without our ALLOW ztunnel cuts them.
func (c *course) drain() outcome {
	ok, until := c.drained()
	serving := c.Evidence.Waypoints[c.ref]
	switch {
	case ok:
		return settled
	case serving.Counted && serving.Connections == 0:
		return c.wait(Drain, c.ref, c.Now.Add(blindness), "connections through it were last counted before every ztunnel had acknowledged that nothing is bound")
	case serving.Counting:
		return c.wait(Drain, c.ref, c.Now.Add(blindness), "connections through it are counted first: "+cmp.Or(serving.Uncounted, "they are not yet"))
	case c.Now.Before(until) && serving.Counted:
		return c.wait(Drain, c.ref, until, fmt.Sprintf("connections through it are open: %d", serving.Connections))
	case c.Now.Before(until):
		return c.wait(Drain, c.ref, until, "connections through it are given time to end, as they are not counted: "+cmp.Or(serving.Uncounted, "nobody reads how many there are"))
	case serving.Counted:
		return c.stop(Drain, c.ref, nil, fmt.Sprintf("waypoint %s stays: %d connections through it are still open. Restart the clients that hold them.", c.gateway.Key(), serving.Connections))
	}
	return settled
}

func (c *course) removeAdmissions() outcome {
	return c.removeOwn(Admission, c.removeAdmission)
}

func (c *course) removeTwins() outcome {
	return c.removeOwn(Twin, func(o *mesh.Object) outcome {
		if at, ok := c.leftInUse(o); ok {
			return c.ensure(RemoveTwin, handedTo(o, at), fmt.Sprintf("connections through waypoint %s/%s, which others use, may rest on it", at.Namespace, at.Name), nil)
		}
		return c.removeTwin(o, "nothing passes the waypoint any more")
	})
}

// removeTwin removes a twin when no other waypoint that its Service has left still has connections: they pass it too. For one that it
// never had it does not wait: the twin lets in whom it let in until it goes.
func (c *course) removeTwin(o *mesh.Object, why string) outcome {
	ns, name, _ := cutKey(o.Annotations[ForAnnotation])
	if c.unreplaced(isFor(o)) {
		return c.wait(RemoveTwin, refOf(o), c.Now.Add(blindness), "what is to take its place is not written yet")
	}
	for _, ref := range slices.SortedFunc(maps.Keys(c.courses), mesh.Ref.Compare) {
		other := c.courses[ref]
		if other == c || !other.ours() || other.planned != nil && !other.planned.Idle || !other.mayBeLeftBy(ns, name) {
			continue
		}
		if ok, until := other.drained(); !ok {
			if !c.Now.Before(until) {
				until = c.Now.Add(blindness) // it is looked at again, and not at once
			}
			return c.wait(RemoveTwin, refOf(o), until, fmt.Sprintf("connections through waypoint %s may rest on it", other.gateway.Key()))
		}
	}
	return c.delete(RemoveTwin, o, why)
}

// removeOwn removes our policies of a role. One that has to stay keeps what comes after it.
func (c *course) removeOwn(role Role, remove func(*mesh.Object) outcome) outcome {
	out := settled
	for _, o := range c.own {
		if Role(o.Annotations[RoleAnnotation]) != role {
			continue
		}
		switch remove(o) {
		case busy:
			return busy
		case stopped:
			out = stopped
		}
	}
	return out
}

// removeAdmission removes our ALLOW for the waypoint, unless it is the last over some pod: without any, everybody gets in.
func (c *course) removeAdmission(o *mesh.Object) outcome {
	if c.lastAllow(o) {
		return c.stop(RemoveAdmit, refOf(o), nil, c.lastAllowSays(o))
	}
	return c.delete(RemoveAdmit, o, "the waypoint sends nothing to the pods any more, or another ALLOW lets it in")
}

// lastAllowSays says why an admission stays: it is the last ALLOW over some pods, or all that would be left are ours for other waypoints.
func (c *course) lastAllowSays(o *mesh.Object) string {
	if !c.lastAllow(o) {
		return fmt.Sprintf("%s stays: over some of its pods there are no other ALLOWs but ours for other waypoints, which let in nobody else. Write an ALLOW of your own, or delete all of ours there if everybody may.", o)
	}
	return fmt.Sprintf("%s stays: it is the last ALLOW over some of its pods, so that without it everybody gets in. Write an ALLOW of your own, or delete it if everybody may.", o)
}

func (c *course) lastAllow(o *mesh.Object) bool {
	sel := o.Spec.(*mesh.AuthorizationPolicySpec).Selector
	return slices.ContainsFunc(c.snapshot.Workloads(o.Namespace), func(w *mesh.Workload) bool {
		return policies.Selects(sel, w) && len(policies.AllowsAt(c.snapshot, w)) == 1
	})
}

// onlyOursBeside is whether the ALLOWs that would be left over some pod without an admission are none but ours for other waypoints: they
// would shut this one out.
func (c *course) onlyOursBeside(o *mesh.Object) bool {
	sel := o.Spec.(*mesh.AuthorizationPolicySpec).Selector
	return slices.ContainsFunc(c.snapshot.Workloads(o.Namespace), func(w *mesh.Workload) bool {
		if !policies.Selects(sel, w) {
			return false
		}
		beside := slices.DeleteFunc(slices.Clone(policies.AllowsAt(c.snapshot, w)), func(other *mesh.Object) bool { return other == o })
		return len(beside) > 0 && !slices.ContainsFunc(beside, func(other *mesh.Object) bool { return !c.Evidence.Managed.Made(other) })
	})
}

// removeUncounted removes the Gateway before the twins where only its time is over: what is open through it may rest on them, and ends with
// its pods. The twins go when every proxy knows.
func (c *course) removeUncounted() outcome {
	if c.Evidence.Waypoints[c.ref].Counted {
		return settled
	}
	return c.removeGateway()
}

func (c *course) removeGateway() outcome {
	if !c.ours() {
		return settled
	}
	if asking := c.asking(); len(asking) > 0 {
		return c.wait(RemoveGateway, refOf(asking[0]), time.Time{}, "it asks for the waypoint")
	}
	why := "nothing is bound to it, and no connection is open through it"
	if serving := c.Evidence.Waypoints[c.ref]; !serving.Counted {
		why = fmt.Sprintf("nothing is bound to it for %s; unverified, whether connections through it are open: %s", c.setting().Profile.limit(), cmp.Or(serving.Uncounted, "nobody reads how many there are"))
	}
	return c.delete(RemoveGateway, c.gateway, why)
}

func (c *course) removeParameters() outcome {
	for _, o := range c.parameters {
		if out := c.delete(RemoveParams, o, "its Gateway is gone"); out == busy {
			return busy
		}
	}
	return settled
}
