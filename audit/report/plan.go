package report

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
)

// PlanKind is the kind of a Plan.
const PlanKind = "Plan"

// Plan is the waypoints that are needed, and for what. Arrays are never nil.
type Plan struct {
	APIVersion string          `json:"apiVersion"`
	Kind       string          `json:"kind"`
	Waypoints  []plan.Waypoint `json:"waypoints"`
	Policies   []plan.Policy   `json:"policies"`
	Labels     []PlannedLabel  `json:"labels"`
	Changes    []plan.Change   `json:"changes"`
	Notices    []plan.Notice   `json:"notices"`
	Blocked    []plan.Blocked  `json:"blocked"`
	Errors     []Error         `json:"errors"`
	Unread     []Unread        `json:"unread"`
}

// PlannedLabel is a label to set, with the place of the object; null for an object of a cluster.
type PlannedLabel struct {
	plan.Label
	Location *Location `json:"location"`
}

// Finish fills in empty arrays and the order of what could not be read.
func (p *Plan) Finish() *Plan {
	p.APIVersion, p.Kind = APIVersion, PlanKind
	r := ScanResult{Errors: p.Errors, Unread: p.Unread}
	r.Finish()
	p.Errors, p.Unread = r.Errors, r.Unread
	p.Waypoints, p.Labels, p.Changes, p.Blocked = notNil(p.Waypoints), notNil(p.Labels), notNil(p.Changes), notNil(p.Blocked)
	p.Policies, p.Notices = notNil(p.Policies), notNil(p.Notices)
	for i := range p.Policies {
		p.Policies[i].Of, p.Policies[i].For = notNil(p.Policies[i].Of), notNil(p.Policies[i].For)
	}
	for i := range p.Waypoints {
		p.Waypoints[i].Needs = notNil(p.Waypoints[i].Needs)
	}
	for i := range p.Labels {
		p.Labels[i].Binds, p.Labels[i].Needs = notNil(p.Labels[i].Binds), notNil(p.Labels[i].Needs)
	}
	return p
}

// Nothing is whether there is nothing to make.
func (p *Plan) Nothing() bool {
	return len(p.Labels) == 0 && !slices.ContainsFunc(p.Policies, holds) && !slices.ContainsFunc(p.Waypoints, func(w plan.Waypoint) bool { return !w.Existing })
}

// holds is whether a policy closes its Service before that is bound.
func holds(own plan.Policy) bool { return own.Held != "" }

// planned is one object of a plan, as YAML with the reasons for it as comments.
type planned struct {
	heading   string // of it and those that follow; "" goes on with the one before
	namespace string
	object    map[string]any
	needs     []plan.Need
	notes     []string
	changes   []plan.Change
}

// PlanYAML writes what there is to make as manifests, in the order in which to apply them. Comments say which needs asked
// for each object and what will change. It writes nothing where there is nothing to make.
func PlanYAML(w io.Writer, p *Plan) error {
	if p.Nothing() {
		return nil
	}
	docs := p.documents()
	for _, n := range p.Notices {
		i := placeOf(docs, plan.Change{Object: n.On})
		docs[i].notes = append(docs[i].notes, n.On.String()+": "+n.Why)
	}
	for _, c := range p.Changes {
		i := placeOf(docs, c)
		docs[i].changes = append(docs[i].changes, c)
	}
	out := bufio.NewWriter(w)
	told := map[string]bool{}
	for i, d := range docs {
		if i > 0 {
			out.WriteString("---\n")
		}
		if d.heading != "" {
			comment(out, d.heading)
			out.WriteString("#\n")
		}
		if err := d.write(out, told); err != nil {
			return err
		}
	}
	return out.Flush()
}

// documents are the objects to make, in the order in which to apply them.
func (p *Plan) documents() []planned {
	var holding, gateways, own, labels, guards []planned
	for _, wp := range p.Waypoints {
		if wp.Existing {
			continue
		}
		if wp.Parameters != nil {
			gateways = append(gateways, planned{namespace: wp.Namespace, object: wp.Parameters, notes: []string{"the Gateway refers to it"}})
		}
		gateways = append(gateways, planned{namespace: wp.Namespace, object: wp.Manifest, needs: wp.Needs})
	}
	for _, o := range p.Policies {
		switch d := policyDocument(o); {
		case holds(o):
			holding = append(holding, d)
		case o.Role == plan.Guarding:
			guards = append(guards, d)
		default:
			own = append(own, d)
		}
	}
	for _, l := range p.Labels {
		labels = append(labels, labelDocument(l))
	}
	var out []planned
	for _, part := range []struct {
		heading string
		docs    []planned
	}{
		{"Before everything: holds. From then on nobody gets in to what agreed to that, or is not served yet, until its waypoint serves.", holding},
		{"First: Gateways. Wait until each is Programmed before you set its label.", gateways},
		{"Next: what policies say of clients, said at the waypoint, and the waypoint let in at the pods. They do nothing until something is bound.", own},
		{"Last: labels, once the waypoint is Programmed. A label to a waypoint that is not ready sends calls straight to the pods.", labels},
		{"After everything: guards, when the labels have reached every ztunnel.", guards},
	} {
		if len(part.docs) > 0 {
			part.docs[0].heading = part.heading
			out = append(out, part.docs...)
		}
	}
	return out
}

// policyDocument is a policy that has to stand beside a label.
func policyDocument(p plan.Policy) planned {
	var of, services []string
	for _, r := range p.Of {
		of = append(of, r.String())
	}
	for _, r := range p.For {
		services = append(services, r.String())
	}
	note := strings.Join(services, ", ") + ": " + p.Why
	if holds(p) && p.Temporary {
		note += "; delete it when the label has reached every ztunnel"
	}
	if len(of) > 0 {
		note = "beside " + strings.Join(of, ", ") + ", for " + note
	}
	return planned{namespace: p.Ref().Namespace, object: p.Manifest, notes: []string{note}}
}

// labelDocument is a label as the smallest object that server-side apply takes for a patch.
func labelDocument(l PlannedLabel) planned {
	labels := map[string]any{l.Key: l.Value}
	if l.WaypointNamespace != "" {
		labels[label.IoIstioUseWaypointNamespace.Name] = l.WaypointNamespace
	}
	metadata := map[string]any{"name": l.On.Name, "labels": labels}
	if l.On.Namespace != "" {
		metadata["namespace"] = l.On.Namespace
	}
	namespace := l.On.Namespace
	if l.On.Kind == mesh.Namespace.String() {
		namespace = l.On.Name
	}
	d := planned{namespace: namespace, needs: l.Needs, object: map[string]any{"apiVersion": l.On.APIVersion, "kind": l.On.Kind, "metadata": metadata}}
	to := "Only a label: add it to the object in your manifests"
	if l.Location != nil {
		to += " (" + where(l.Location, "") + ")"
	}
	d.notes = append(d.notes, to+", or apply this with `kubectl apply --server-side`.")
	if l.Why != "" {
		d.notes = append(d.notes, fmt.Sprintf("on the %s and not on its Namespace: %s.", l.On.Kind, l.Why))
	}
	if l.Ingress {
		d.notes = append(d.notes, "once it is bound, also set "+label.IoIstioIngressUseWaypoint.Name+"=true, so that ingress gateways send through the waypoint.")
	}
	if len(l.Binds) > 0 {
		var names []string
		for _, r := range l.Binds {
			names = append(names, r.String())
		}
		d.notes = append(d.notes, "binds "+strings.Join(names, ", "))
	}
	return d
}

// placeOf is the document with which a change comes: the last of its namespace.
func placeOf(docs []planned, c plan.Change) int {
	for _, ns := range []string{c.Target.Namespace, c.Object.Namespace} {
		for i := len(docs) - 1; i >= 0; i-- {
			if docs[i].namespace == ns {
				return i
			}
		}
	}
	return len(docs) - 1
}

// write writes it. Of a need it says what is wrong where it is not told above, and not what to do: that is what the plan is.
func (d planned) write(w *bufio.Writer, told map[string]bool) error {
	for _, n := range d.needs {
		by := fmt.Sprintf("needed by %s (%s)", n.Policy, n.Field)
		wrong, _, _ := strings.Cut(n.Reason, ". ")
		text := by + ": " + strings.TrimSuffix(wrong, ".")
		if told[text] {
			text = by
		}
		told[text] = true
		comment(w, text)
	}
	for _, n := range d.notes {
		comment(w, n)
	}
	for _, c := range d.changes {
		text := fmt.Sprintf("changes: %s at %s: %s → %s", c.Object, c.Target, statesText(c.Before), statesText(c.After))
		if c.Turn == plan.Weaker || c.Turn == plan.Denies {
			text = "LOOK FIRST, this " + map[plan.Turn]string{plan.Weaker: "gets weaker", plan.Denies: "denies more"}[c.Turn] + "; " + text + ": " + c.Message
		}
		comment(w, text)
	}
	return writeOrdered(w, d.object)
}

func statesText(states []plan.State) string {
	if len(states) == 0 {
		return "nothing"
	}
	var out []string
	for _, s := range states {
		text := string(s.Verdict)
		switch {
		case s.By != nil:
			text += " by " + string(s.EnforcedBy) + " " + s.By.Namespace + "/" + s.By.Name
		case s.EnforcedBy != "none":
			text += " by " + string(s.EnforcedBy)
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

// commentWidth is where comments are broken.
const commentWidth = 110

// comment writes text as comment lines, and nothing that could end one.
func comment(w *bufio.Writer, text string) {
	w.WriteString("# " + strings.ReplaceAll(Style{Width: commentWidth}.wrap(printable(text), "#   ", 2), "\t", " ") + "\n")
}

// PlanNotes writes for people what a plan leaves out: what is blocked, and what could not be read.
func PlanNotes(w io.Writer, p *Plan, style Style) error {
	t := textWriter{Writer: bufio.NewWriter(w), style: style}
	for _, wp := range p.Waypoints {
		if wp.Existing && !wp.Ready {
			t.headline(printable("Gateway "+wp.Namespace+"/"+wp.Name), "not ready", yellow, plural(len(wp.Needs), "policy waits", "policies wait")+
				" for it. Find out why it has no address.", "")
		}
	}
	for _, b := range p.Blocked {
		t.headline(printable(b.Policy.String()), "not planned", yellow, printable(fmt.Sprintf("a waypoint for %s needs a decision: %s", b.Target, b.Why)), "")
	}
	r := &ScanResult{Errors: p.Errors, Unread: p.Unread}
	t.errors(r)
	t.unread(r)
	return t.Flush()
}
