package report

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// ExplanationText writes an explanation for people.
func ExplanationText(w io.Writer, x *Explanation, style Style) error {
	t := textWriter{Writer: bufio.NewWriter(w), style: style, objects: true}
	title := printable(x.Object.String())
	if x.Location != nil {
		title += "  (" + where(x.Location, "") + ")"
	}
	t.WriteString(style.paint(bold, title) + "\n")
	for _, f := range x.Facts {
		t.paragraph("", f)
	}
	for _, e := range x.Effects {
		t.WriteString("\n" + style.paint(bold, printable("at "+e.Target.String())) + workloads(e) + "\n")
		t.effect(e)
	}
	for _, l := range x.Layers {
		t.layer(l)
	}
	t.bypasses(x.Bypasses)
	if len(x.Findings) > 0 {
		t.WriteString("\n" + style.paint(bold, "findings") + "\n")
	} else {
		t.WriteByte('\n')
	}
	for i := range x.Findings {
		t.finding(&x.Findings[i])
	}
	r := &ScanResult{Errors: x.Errors, Unread: x.Unread}
	t.errors(r)
	t.unread(r)
	t.next(x.Findings, nil)
	return t.Flush()
}

func workloads(e Effect) string {
	if e.Workloads == 0 {
		return ""
	}
	return " (" + plural(e.Workloads, "workload", "workloads") + ")"
}

// effect writes the verdict, who carries the policy out, and why.
func (t textWriter) effect(e Effect) {
	line := t.style.paint(colorOfVerdict(e.Verdict), string(e.Verdict)) + " by " + enforcer(e) + " (" + e.Reason + ")"
	t.WriteString(indent + line + "\n")
	t.paragraph("", e.Message)
	for _, w := range e.WaitsFor {
		t.paragraph("waits for ", w.String())
	}
}

func enforcer(e Effect) string {
	switch {
	case e.EnforcedBy == "none":
		return "nobody"
	case e.By != nil:
		return string(e.EnforcedBy) + " " + printable(e.By.Namespace+"/"+e.By.Name)
	}
	return string(e.EnforcedBy)
}

var layerTitles = map[string]string{
	"ztunnel": "ztunnel, at the pods", "waypoint": "waypoint, on the way", "sidecar": "sidecars, in the pods", "gateway": "gateway",
	"none": "in force nowhere",
}

func (t textWriter) layer(l Layer) {
	t.WriteString("\n" + t.style.paint(bold, layerTitles[string(l.Layer)]) + "\n")
	for _, f := range l.Facts {
		t.paragraph("", f)
	}
	for _, m := range l.MTLS {
		label := "mTLS: "
		if len(l.MTLS) > 1 {
			label = "mTLS for " + printable(strings.Join(m.Workloads, ", ")) + ": "
		}
		t.paragraph(label, m.text())
	}
	for _, e := range l.Effects {
		at := ""
		if e.Location != nil {
			at = "  (" + where(e.Location, "") + ")"
		}
		t.WriteString(indent + t.style.paint(colorOfVerdict(e.Verdict), string(e.Verdict)) + " " + printable(e.Object.String()) + " at " + printable(e.Target.String()) + at + "\n")
		t.WriteString(indent + indent + t.style.wrap(printable(e.Message), indent+indent, 2*len(indent)) + "\n")
	}
	if len(l.Effects) == 0 {
		t.paragraph("", "No policy.")
	}
}

func (m MTLS) text() string {
	text := "plaintext is let in"
	switch {
	case m.Dangling:
		text = "plaintext is let in, because the workloads refer to a policy that istiod never makes"
	case m.Strict:
		text = "plaintext is refused"
	}
	for _, port := range slices.Sorted(maps.Keys(m.Ports)) {
		if m.Ports[port] {
			text += ", refused on port " + port
		} else {
			text += ", let in on port " + port
		}
	}
	if len(m.From) > 0 {
		var names []string
		for _, r := range m.From {
			names = append(names, r.String())
		}
		return text + " (" + strings.Join(names, ", ") + ")"
	}
	return text + " (no PeerAuthentication)"
}

func (t textWriter) bypasses(all []Bypass) {
	if len(all) == 0 {
		return
	}
	t.WriteString("\n" + t.style.paint(bold, "paths round the waypoint") + "\n")
	for _, b := range all {
		t.paragraph("", fmt.Sprintf("%s (%s). %s", b.Message, b.Reason, b.Remedy))
	}
}
