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

// planned is one object of a plan, as YAML with the reasons for it as comments.
type planned struct {
	ref    mesh.Ref // what changes and notices come with it by; of a label the object that has it
	object map[string]any
	needs  []plan.Need
	notes  []string
}

// stage is one part of a plan's manifests, with what there is to wait for before the next.
type stage struct {
	title string
	docs  []planned
}

// stages are the manifests of a plan in the order in which to apply them, as the controller takes them: what asks for its waypoint
// already is bound as soon as that is ready, so what has to stand beside it comes first.
func (p *Plan) stages() []stage {
	guards := func(own plan.Policy) bool { return own.Role == plan.Guarding && !holds(own) }
	asked := func(own plan.Policy) bool { return own.Role != plan.Guarding && own.Asked }
	unasked := func(own plan.Policy) bool { return own.Role != plan.Guarding && !own.Asked }
	return slices.DeleteFunc([]stage{
		{"holds. From then on nobody gets in to what agreed to that, or is not served yet, until its waypoint serves.",
			p.policyDocuments(holds)},
		{"what policies say of clients, said at a waypoint that their Services ask for already, and the waypoint let in at the pods. Those are bound as soon as it is ready, so wait until every proxy knows these before you make it so.",
			p.policyDocuments(asked)},
		{"Gateways. Wait until each is Programmed before you set its label.",
			p.waypointDocuments()},
		{"what policies say of clients, said at the waypoint, and the waypoint let in at the pods. They do nothing until something is bound. Wait until every proxy knows them before you set a label.",
			p.policyDocuments(unasked)},
		{"labels, once the waypoint is Programmed. A label to a waypoint that is not ready sends calls straight to the pods.",
			p.labelDocuments()},
		{"guards, when each waypoint is Programmed and every ztunnel knows what is bound to it.",
			p.policyDocuments(guards)},
	}, func(s stage) bool { return len(s.docs) == 0 })
}

// holds is whether a policy closes its Service before that is bound.
func holds(own plan.Policy) bool { return own.Held != "" }

// PlanYAML writes what there is to make as manifests, in the order in which to apply them. Comments say which needs asked
// for each object and what will change. It writes nothing where there is nothing to make.
func PlanYAML(w io.Writer, p *Plan) error {
	stages := p.stages()
	if len(stages) == 0 {
		return nil
	}
	out := bufio.NewWriter(w)
	if rest := p.comment(stages); len(rest) > 0 {
		for _, text := range rest {
			comment(out, text)
		}
		out.WriteString("#\n")
	}
	told := map[string]bool{}
	for i, s := range stages {
		for j, d := range s.docs {
			if i+j > 0 {
				out.WriteString("---\n")
			}
			if j == 0 {
				comment(out, s.titled(i, len(stages)))
				out.WriteString("#\n")
			}
			if err := d.write(out, told); err != nil {
				return err
			}
		}
	}
	return out.Flush()
}

// titled is the title of the i-th of n stages.
func (s stage) titled(i, n int) string {
	if n == 1 {
		return strings.ToUpper(s.title[:1]) + s.title[1:]
	}
	return fmt.Sprintf("Step %d of %d: %s", i+1, n, s.title)
}

// comment puts notices and changes at the documents that they come with, and returns the rest as comments: those of the plan as a whole,
// and of waypoints that somebody else makes ready.
func (p *Plan) comment(stages []stage) (rest []string) {
	docs := map[mesh.Ref]*planned{}
	for _, s := range stages {
		for i := range s.docs {
			docs[s.docs[i].ref] = &s.docs[i]
		}
	}
	put := func(from *mesh.Ref, text string) {
		switch {
		case from == nil:
			rest = append(rest, text)
		case docs[*from] == nil:
			rest = append(rest, fmt.Sprintf("once %s is ready: %s", from, text))
		default:
			docs[*from].notes = append(docs[*from].notes, text)
		}
	}
	for _, n := range p.Notices {
		put(n.From, n.On.String()+": "+n.Why)
	}
	for _, c := range p.Changes {
		put(c.From, changeText(c.Change))
	}
	return rest
}

// changeText says what changes, and what is to be looked at before it does.
func changeText(c plan.Change) string {
	before, after := statesText(c.Before, false), statesText(c.After, false)
	if before == after { // it is for another reason
		before, after = statesText(c.Before, true), statesText(c.After, true)
	}
	text := fmt.Sprintf("changes: %s at %s: %s → %s", c.Object, c.Target, before, after)
	switch c.Turn {
	case plan.Weaker:
		return "LOOK FIRST, this gets weaker; " + text + ": " + c.Message
	case plan.Denies:
		return "LOOK FIRST, this denies more; " + text + ": " + c.Message
	}
	return text
}

func (p *Plan) waypointDocuments() []planned {
	var out []planned
	for _, wp := range p.Waypoints {
		if wp.Existing {
			continue
		}
		if wp.Parameters != nil {
			out = append(out, planned{object: wp.Parameters, notes: []string{"the Gateway refers to it"}})
		}
		out = append(out, planned{ref: wp.Ref(), object: wp.Manifest, needs: wp.Needs})
	}
	return out
}

func (p *Plan) policyDocuments(of func(plan.Policy) bool) []planned {
	var out []planned
	for _, own := range p.Policies {
		if of(own) {
			out = append(out, policyDocument(own))
		}
	}
	return out
}

func (p *Plan) labelDocuments() []planned {
	var out []planned
	for _, l := range p.Labels {
		out = append(out, labelDocument(l))
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
	return planned{object: p.Manifest, notes: []string{note}}
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
	d := planned{ref: l.On, needs: l.Needs, object: map[string]any{"apiVersion": l.On.APIVersion, "kind": l.On.Kind, "metadata": metadata}}
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
	return writeOrdered(w, d.object)
}

// statesText is what states come to, with their reasons where asked for.
func statesText(states []plan.State, reasons bool) string {
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
		if reasons {
			text += " (" + s.Reason + ")"
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
