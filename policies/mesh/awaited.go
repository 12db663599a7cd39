package mesh

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Waywarden binds something to a waypoint of its making once that is ready. Until then no label says for what it is made: only its
// Gateway does, by the marks of what is Waywarden's and a condition. Both are text that whoever may write Gateways and their statuses
// could write too. So all that follows from them is that what is in force nowhere is called Pending rather than NotEnforced. They outlive who
// wrote them: where nobody makes waypoints any more (Options.Unprovided) they count for nothing.
const (
	// ManagedByLabel and ManagedBy are the label of all that Waywarden makes.
	ManagedByLabel = "app.kubernetes.io/managed-by"
	ManagedBy      = "waywarden"
	// ProfileAnnotation names the WaypointProfile by which an object was made, or a label set.
	ProfileAnnotation = "waywarden.dev/profile"

	// AwaitedCondition, on a Gateway of Waywarden's, is there while something is to be bound to it and is not yet: its message is
	// what FormatAwaited makes of that.
	AwaitedCondition = "waywarden.dev/Awaited"
	// AsPlannedCondition is whether a Gateway of Waywarden's is as it is to be; where it is not, the message says what is waited for
	// or what stops it.
	AsPlannedCondition = "waywarden.dev/AsPlanned"
)

// maxAwaited is how many bytes of the message of a condition are used; it may have 32,768 (metav1.Condition).
const maxAwaited = 30 << 10

// FormatAwaited is a list of Namespaces, Services and ServiceEntries, as in "Namespace shop, Service pay/card". Of a list that is
// too long for a condition the rest is left out: what it names is then like what nothing is made for.
func FormatAwaited(objects []Ref) string {
	var b strings.Builder
	for i, ref := range objects {
		one := ref.String()
		if b.Len()+len(one) > maxAwaited {
			fmt.Fprintf(&b, " and %d more", len(objects)-i)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(one)
	}
	return b.String()
}

// awaitedBy is what is to be bound to a Gateway of Waywarden's and is not yet; nil for other Gateways. What is not well formed is
// passed over.
func awaitedBy(gw *Object) []refersTo {
	c := ConditionOf(gw, AwaitedCondition)
	if c == nil || c.Status != "True" || !marked(gw) {
		return nil
	}
	var out []refersTo
	for _, one := range strings.Split(c.Message, ", ") {
		one, _, _ = strings.Cut(one, " and ")
		kind, name, _ := strings.Cut(one, " ")
		ns, in, namespaced := strings.Cut(name, "/")
		switch {
		case kind == Namespace.String() && name != "" && !namespaced:
			out = append(out, awaitedKey(kind, "", name))
		case (kind == Service.String() || kind == ServiceEntry.String()) && ns != "" && in != "":
			out = append(out, awaitedKey(kind, ns, in))
		}
	}
	return out
}

// marked is whether a Gateway says that Waywarden made it.
func marked(gw *Object) bool {
	return gw.Labels[ManagedByLabel] == ManagedBy && gw.Annotations[ProfileAnnotation] != ""
}

// Awaited is the waypoint of Waywarden's to which a Service or ServiceEntry is to be bound, and what is labelled for that: the object, or
// its Namespace. It is nil where none is made for it, where a label says already which waypoint it wants, and where a waypoint would do
// nothing for it.
func (s *Snapshot) Awaited(o *Object) (gw *Object, on Ref) {
	if s.options.Unprovided || s.LabelledBinding(o).Opt != AsksNothing || instanceOfMesh(o) || ExternalName(o) || Headless(o) || o.Kind == ServiceEntry && (s.OtherRevision(o) || s.Taken(o)) {
		return nil, Ref{}
	}
	own, ns := o.Ref(), Ref{APIVersion: Namespace.APIVersion(), Kind: Namespace.String(), Name: o.Namespace}
	for _, on := range []Ref{own, ns} {
		for _, gw := range s.referrers(awaitedKey(on.Kind, on.Namespace, on.Name)) {
			if !gw.Terminating && s.ClassOf(gw) == ClassWaypoint && !s.Sandwiched(gw) && ServesServices(s.TrafficType(gw)) && s.admits(gw, o.Namespace) {
				return gw, on
			}
		}
	}
	return nil, Ref{}
}

// Unprovided is whether Waywarden makes no waypoints.
func (s *Snapshot) Unprovided() bool { return s.options.Unprovided }

// Awaits is whether anything is to be bound to a Gateway of Waywarden's and is not yet.
func (s *Snapshot) Awaits(gw *Object) bool { return !s.options.Unprovided && len(awaitedBy(gw)) > 0 }

// AwaitedIn are the namespaces of what is to be bound to a Gateway of Waywarden's and is not yet.
func (s *Snapshot) AwaitedIn(gw *Object) []string {
	if s.options.Unprovided {
		return nil
	}
	var out []string
	for _, key := range awaitedBy(gw) {
		out = append(out, cmp.Or(key.ns, key.name))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// ConditionOf is a condition of a Gateway, nil where it has none of the type. Do not write to it.
func ConditionOf(gw *Object, conditionType string) *StatusCondition {
	status := gw.Spec.(*GatewayBody).Status
	if status == nil {
		return nil
	}
	if i := slices.IndexFunc(status.Conditions, func(c StatusCondition) bool { return c.Type == conditionType }); i >= 0 {
		return &status.Conditions[i]
	}
	return nil
}

// Unready is what a waypoint waits for, as a clause: by the condition in which Waywarden says so, else by those of istiod, of the
// Gateway and then of its listeners, else that it has no address; "" where it has one and nobody says anything.
func (s *Snapshot) Unready(gw *Object) string {
	if c := ConditionOf(gw, AsPlannedCondition); !s.options.Unprovided && c != nil && c.Status == "False" && c.Message != "" && marked(gw) {
		return clause(c.Message)
	}
	for _, kind := range []string{"Accepted", "Programmed"} {
		if c := ConditionOf(gw, kind); c != nil && c.Status == "False" {
			return "it is not " + kind + because(c)
		}
	}
	if status := gw.Spec.(*GatewayBody).Status; status != nil {
		for _, l := range status.Listeners {
			for i := range l.Conditions {
				if c := &l.Conditions[i]; c.Status == "False" && (c.Type == "Accepted" || c.Type == "Programmed" || c.Type == "ResolvedRefs") {
					return fmt.Sprintf("its listener %s is not %s%s", l.Name, c.Type, because(c))
				}
			}
		}
	}
	if !Ready(gw) {
		return "it has no address"
	}
	return ""
}

func because(c *StatusCondition) string {
	if c.Message == "" {
		return ""
	}
	return ": " + clause(c.Message)
}

// maxClause is how many bytes of somebody's message stand in one of ours.
const maxClause = 300

// clause is a message of others as a part of a sentence, so that what follows it can be told from it.
func clause(message string) string {
	message = strings.TrimSuffix(strings.Join(strings.Fields(message), " "), ".")
	message = strings.ReplaceAll(message, ". ", "; ")
	if len(message) > maxClause {
		message = strings.ToValidUTF8(message[:maxClause], "") + "…"
	}
	return message
}
