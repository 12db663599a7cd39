package webhook

import (
	"slices"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
)

// TestEveryDeletion: whatever is asked about when it is written is asked about when it is deleted, and no deletion can be
// stopped by replicas that do not answer.
func TestEveryDeletion(t *testing.T) {
	type resource struct{ group, name string }
	when := map[resource][]admissionregistrationv1.OperationType{}
	for _, e := range ValidatingEntries() {
		for _, r := range e.Rules {
			if e.Managed && slices.Contains(r.Operations, admissionregistrationv1.Delete) {
				t.Errorf("%s may come to fail closed, and is asked about the deletion of %v", e.Name, r.Resources)
			}
			for _, name := range r.Resources {
				x := resource{r.APIGroups[0], name}
				when[x] = append(when[x], r.Operations...)
			}
		}
	}
	if len(when) < 20 {
		t.Fatalf("only %d kinds are asked about", len(when))
	}
	for x, operations := range when {
		for _, o := range []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update, admissionregistrationv1.Delete} {
			if n := len(slices.DeleteFunc(slices.Clone(operations), func(have admissionregistrationv1.OperationType) bool { return have != o })); n != 1 {
				t.Errorf("%s.%s is asked about %d times on %s", x.name, x.group, n, o)
			}
		}
	}
}
