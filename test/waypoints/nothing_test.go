//go:build cluster

package waypoints

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/waywarden/waywarden/test/cluster"
)

// warnings are those of the API server, which has them from webhooks.
type warnings struct {
	mu   sync.Mutex
	text []string
}

func (w *warnings) HandleWarningHeader(_ int, _ string, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text = append(w.text, text)
}

// take are those that came, once.
func (w *warnings) take() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := strings.Join(w.text, "\n")
	w.text = nil
	return out
}

// warned is a client, and the warnings that it gets.
func (w *world) warned() (dynamic.Interface, *warnings) {
	w.t.Helper()
	said := &warnings{}
	config := rest.CopyConfig(w.Config)
	config.WarningHandler = said
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		w.t.Fatal(err)
	}
	return client, said
}

// change is somebody who changes the policy of the shop, in a dry run or for good.
type change struct {
	what string
	make func(policies dynamic.ResourceInterface, dry []string) error
}

// later is in force at ztunnel, and needs no waypoint yet.
const later = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: later, namespace: shop}, spec: {action: DENY, rules: [{to: [{operation: {ports: ["9999"]}}]}]}}`

// l7 has it need one.
const l7 = `{"spec": {"targetRefs": [{"group": "", "kind": "Service", "name": "cart"}], "rules": [{"to": [{"operation": {"methods": ["GET"]}}]}]}}`

// making are the ways to have a policy that needs a waypoint.
func making(t *testing.T, deny *unstructured.Unstructured) []change {
	return []change{
		{"create", func(p dynamic.ResourceInterface, dry []string) error {
			_, err := p.Create(t.Context(), deny, metav1.CreateOptions{DryRun: dry})
			return err
		}},
		{"apply", func(p dynamic.ResourceInterface, dry []string) error {
			_, err := p.Apply(t.Context(), "deny-get", deny, metav1.ApplyOptions{FieldManager: "kubectl", DryRun: dry})
			return err
		}},
		{"change", func(p dynamic.ResourceInterface, dry []string) error {
			_, err := p.Patch(t.Context(), "later", types.MergePatchType, []byte(l7), metav1.PatchOptions{DryRun: dry})
			return err
		}},
	}
}

// TestNothingStaysBehind: what was only tried, or what another webhook refuses after ours admitted it, makes no waypoint and takes none
// away, though admission says what would be made: only what is stored counts.
func TestNothingStaysBehind(t *testing.T) {
	t.Parallel()
	w := start(t)
	r := w.replica(hurry...)
	w.apply(fmt.Sprintf(profile, "{retainFor: 0s}") + "---" + fmt.Sprintf(guardrail, "") + "---" + fmt.Sprintf(shop, "shop") + "---" + fmt.Sprintf(shop, "served") + "---" + fmt.Sprintf(denyGet, "served"))
	w.apply(later)
	w.takesEffect("served")
	w.until("there is nothing to tell any more", 20*time.Second, func() bool {
		return condition(w.get(gateways, "served", "waypoint"), "waywarden.dev/AsPlanned") == "True"
	})
	objects, err := cluster.Objects(fmt.Appendf(nil, denyGet, "shop"))
	if err != nil {
		t.Fatal(err)
	}
	client, said := w.warned()
	made := making(t, objects[0])
	unmade := change{"delete", func(p dynamic.ResourceInterface, dry []string) error {
		return p.Delete(t.Context(), "deny-get", metav1.DeleteOptions{DryRun: dry})
	}}

	before, served, generation := w.settledInventory("shop"), w.settledInventory("served"), field(w.get(policies, "shop", "later"), "metadata.generation")
	began := time.Now()
	nothing := func(after string) {
		t.Helper()
		time.Sleep(2 * time.Second)
		if diff := cmp.Diff(before, w.inventory("shop")) + cmp.Diff(served, w.inventory("served")); diff != "" {
			t.Errorf("after %s something stayed behind:\n%s", after, diff)
		}
		if now := field(w.get(policies, "shop", "later"), "metadata.generation"); now != generation {
			t.Errorf("after %s the policy was stored", after)
		}
	}
	for _, c := range made {
		said.take()
		if err := c.make(client.Resource(policies).Namespace("shop"), []string{metav1.DryRunAll}); err != nil {
			t.Errorf("%s in a dry run: %v", c.what, err)
		}
		if text := said.take(); !strings.Contains(text, "Gateway shop/waypoint will be made") {
			t.Errorf("%s in a dry run: admission says %q", c.what, text)
		}
		nothing(c.what + " in a dry run")
	}
	if err := unmade.make(client.Resource(policies).Namespace("served"), []string{metav1.DryRunAll}); err != nil {
		t.Errorf("delete in a dry run: %v", err)
	}
	nothing("delete in a dry run")

	w.refuseAfterUs()
	refused := func(c change, ns string) {
		t.Helper()
		p := client.Resource(policies).Namespace(ns)
		w.until("the other webhook is asked", 20*time.Second, func() bool { return saysNo(c.make(p, []string{metav1.DryRunAll})) })
		if err := c.make(p, nil); !saysNo(err) {
			t.Errorf("%s is not refused: %v", c.what, err)
		}
		nothing(c.what + ", which was refused")
	}
	for _, c := range made {
		refused(c, "shop")
	}
	refused(unmade, "served")
	if calls := writes(r.since(began)); len(calls) > 0 {
		t.Errorf("something was written: %v", calls)
	}
}

// refuseAfterUs registers a webhook that refuses all policies of two namespaces. It is asked beside ours, so what we answered counts for
// nothing.
func (w *world) refuseAfterUs() {
	w.t.Helper()
	w.another("Validating", "security.istio.io", "authorizationpolicies", []string{"shop", "served"}, no)
}
