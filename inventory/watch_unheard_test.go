package inventory

import (
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/waywarden/waywarden/policies/mesh"
)

// TestUnheard: a kind that comes to be served counts as read once it has been listed, and no sooner; what else is known stays known.
func TestUnheard(t *testing.T) {
	w := begun(t)
	late := w.served[groupResource(mesh.AuthorizationPolicy)]
	late.installed = false
	w.mirror.serve(w.discovered())
	delete(w.mirror.sources, sourceKey{late.GroupResource(), name{}})
	w.listAll(mesh.AuthorizationPolicy)
	now := func() *mesh.Snapshot { return w.mirror.snapshot.Load() }
	if !now().Known("shop") || !now().Reads(mesh.AuthorizationPolicy) {
		t.Fatalf("shop is known: %v, and AuthorizationPolicies, which are not served, are read: %v", now().Known("shop"), now().Reads(mesh.AuthorizationPolicy))
	}
	late.installed = true
	if follow := w.mirror.serve(w.discovered()); len(follow) != 1 {
		t.Fatalf("%d sources are followed, want 1", len(follow))
	}
	_, _, gaps := w.mirror.Marked()
	if !now().Known("shop") || !now().Reads(mesh.Namespace) || now().Reads(mesh.AuthorizationPolicy) || !strings.Contains(gaps.Unseen[""], "has not been listed yet") {
		t.Errorf("not listed yet: shop is known: %v, AuthorizationPolicies are read: %v, gaps: %+v", now().Known("shop"), now().Reads(mesh.AuthorizationPolicy), gaps)
	}
	w.relist(late)
	_, _, gaps = w.mirror.Marked()
	if !now().Reads(mesh.AuthorizationPolicy) || now().Get(mesh.AuthorizationPolicy, "shop", "a") == nil || len(gaps.Unseen) > 0 {
		t.Errorf("listed: read: %v, gaps: %+v", now().Reads(mesh.AuthorizationPolicy), gaps)
	}
	for _, forbidden := range []bool{true, false} { // Namespaces are left out for it
		if forbidden {
			w.failKind(mesh.AuthorizationPolicy, apierrors.NewForbidden(late.GroupResource(), "", nil))
		} else {
			w.relist(late)
		}
		if now().Reads(mesh.Namespace) == forbidden || now().Known("shop") == forbidden {
			t.Errorf("AuthorizationPolicies may not be listed: %v; Namespaces are read: %v, shop is known: %v", forbidden, now().Reads(mesh.Namespace), now().Known("shop"))
		}
	}
	w.failKind(mesh.AuthorizationPolicy, apierrors.NewNotFound(late.GroupResource(), ""))
	read := []bool{now().Reads(mesh.AuthorizationPolicy)}
	for range 3 { // discovery goes on naming it: that is no reason to judge everything anew each time
		w.mirror.serve(w.discovered())
		read = append(read, now().Reads(mesh.AuthorizationPolicy))
		w.failKind(mesh.AuthorizationPolicy, apierrors.NewNotFound(late.GroupResource(), ""))
		read = append(read, now().Reads(mesh.AuthorizationPolicy))
	}
	if want := []bool{true, false, true, true, true, true, true}; !slices.Equal(read, want) {
		t.Errorf("named and not there, it is read: %v, want %v", read, want)
	}
}
