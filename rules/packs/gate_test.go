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
