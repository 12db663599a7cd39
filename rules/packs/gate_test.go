package packs

import (
	"context"
	"strings"
	"testing"
	"time"
)

// TestGateBesideAnother: that another pack is being judged is nothing against this one. It is stored, and its author is told that it is
// judged then.
func TestGateBesideAnother(t *testing.T) {
	g := NewGate(GateOptions{})
	g.busy <- struct{}{}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	p := acme()
	p.Spec.Modules = rule(denies)
	causes, notes := g.Check(ctx, p, nil)
	if all := strings.Join(notes, "\n"); len(causes) > 0 || !strings.Contains(all, "another pack was being judged. It is judged once it is stored: kubectl get rulepack acme") {
		t.Errorf("causes %v, notes %q", causes, all)
	}
}

// TestGateTooLarge: more than an API server stores is refused in words that say so, and not by etcd.
func TestGateTooLarge(t *testing.T) {
	p := acme()
	p.Spec.Modules = rule(denies).with("acme/lib/more.rego", "package acme.lib.more\n\n"+strings.Repeat("# more\n", mostStored/7))
	causes, _ := NewGate(GateOptions{}).Check(t.Context(), p, nil)
	if len(causes) != 1 || causes[0].Field != "spec.modules" || !strings.Contains(causes[0].Message, "in one RulePack they have 1") || !strings.Contains(causes[0].Message, "and an API server stores 1500000. Make several packs.") {
		t.Errorf("%+v", causes)
	}
}

// TestGateUnchanged: what does not change the spec is not judged again.
func TestGateUnchanged(t *testing.T) {
	p := acme()
	p.Spec.Modules = rule(denies)
	if causes, notes := NewGate(GateOptions{}).Check(t.Context(), p, p.DeepCopy()); len(causes)+len(notes) > 0 {
		t.Errorf("causes %v, notes %q", causes, notes)
	}
}
