package library

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/waywarden/waywarden/audit"
	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/policies"
	_ "github.com/waywarden/waywarden/policies/checks" // the built-in checks register themselves
	"github.com/waywarden/waywarden/policies/decide"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/scenario"
	"github.com/waywarden/waywarden/rules/zerotrust"
	"github.com/waywarden/waywarden/webhook"
)

// recorded is the mesh that was recorded from a cluster.
func recorded(t *testing.T) (*inventory.Inventory, *mesh.Snapshot) {
	t.Helper()
	inv, err := inventory.Files(inventory.FileOptions{}, "../corpus/testdata/mesh-a/mesh.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return inv, mesh.New(mesh.Options{}, inv.Objects...)
}

// said is what is said of an object, one line a finding.
func said(findings []policies.Finding) []string {
	out := []string{}
	for _, f := range findings {
		out = append(out, fmt.Sprintf("%s %s: %s", f.Check, f.Field, f.Message))
	}
	slices.Sort(out)
	return out
}

// watched are objects as a watch keeps them.
func watched(t *testing.T, s *mesh.Snapshot) (out []*mesh.Object) {
	t.Helper()
	alike := inventory.NewAlike()
	for o := range s.Objects() {
		content := runtime.DeepCopyJSON(o.Content())
		mesh.Strip(o.Kind, content)
		kept, err := mesh.Decode(content)
		if err != nil {
			t.Fatal(err)
		}
		if o.Kind == mesh.Secret {
			kept = o // of which nothing but certificates is left already
		}
		out = append(out, alike.Packed(kept))
	}
	return out
}

// TestParity: with the library on, a scan of files, an audit of what a watch keeps of them, and admission say the same of every object of
// whatever kind, of a recorded mesh and of small ones with workloads, and no rule fails to answer about any.
func TestParity(t *testing.T) {
	all := &parity{checks: slices.Concat(policies.Checks(), zerotrust.Pack().Checks()), scanOnly: map[string]bool{}, kinds: map[mesh.Kind]int{}}
	for _, r := range zerotrust.Pack().Rules {
		all.scanOnly[r.ID] = !slices.Contains(r.Phases, policies.AtAdmission)
	}
	inv, s := recorded(t)
	all.compare(t, inv, s, func(*mesh.Object) bool { return true })
	// A Gateway of a file counts as ready, and one that is created is not.
	notGateway := func(o *mesh.Object) bool { return o.Kind != mesh.Gateway }
	files, err := scenario.Load(os.DirFS("../meshes"), "*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		for _, c := range f.Cases {
			all.compare(t, &inventory.Inventory{Objects: slices.Collect(c.Snapshot.Objects())}, c.Snapshot, notGateway)
		}
	}
	t.Logf("%v, %d findings in policies and %d in others", all.kinds, all.inPolicies, all.inOthers)
	for k, least := range map[mesh.Kind]int{mesh.AuthorizationPolicy: 500, mesh.Namespace: 30, mesh.Service: 100, mesh.Gateway: 30, mesh.Pod: 100, mesh.Deployment: 10} {
		if all.kinds[k] < least {
			t.Errorf("only %d of kind %s: the test says little", all.kinds[k], k)
		}
	}
	if all.inPolicies < 1000 || all.inOthers < 500 {
		t.Errorf("only %d findings in policies and %d in others: the test says little", all.inPolicies, all.inOthers)
	}
}

// parity is what was compared.
type parity struct {
	checks               []*policies.Check
	scanOnly             map[string]bool // checks that admission does not ask
	kinds                map[mesh.Kind]int
	inPolicies, inOthers int
}

// compare holds to a scan of a mesh what an audit says of it, and of what is admitted admission.
func (p *parity) compare(t *testing.T, inv *inventory.Inventory, s *mesh.Snapshot, admitted func(*mesh.Object) bool) {
	t.Helper()
	scanned, audited := map[mesh.Ref][]policies.Finding{}, map[mesh.Ref][]policies.Finding{}
	result := audit.Scan(inv, audit.Options{Checks: p.checks, Known: p.checks, Rules: audit.Rules{Now: time.Now()}})
	for _, f := range result.Findings {
		scanned[f.Object] = append(scanned[f.Object], f.Finding)
	}
	for _, e := range result.Errors {
		if e.Check != "" {
			t.Errorf("%v: %s", e.Object, e.Message)
		}
	}
	kept := mesh.New(mesh.Options{}, watched(t, s)...)
	objects := slices.Collect(kept.Objects())
	for i, e := range audit.EvaluateOn(policies.Occasion{Phase: policies.AtAudit, Now: time.Now()}, kept, objects, policies.AboutObjects(p.checks), nil) {
		audited[objects[i].Ref()] = e.Findings
	}
	admission := admissionOn(t, kept, p.checks)
	for o := range s.Objects() {
		want := scanned[o.Ref()]
		if diff := cmp.Diff(said(want), said(audited[o.Ref()])); diff != "" {
			t.Errorf("%s (-scan +audit):\n%s", o, diff)
		}
		p.kinds[o.Kind]++
		if o.Kind.IsPolicy() {
			p.inPolicies += len(want)
		} else {
			p.inOthers += len(want)
		}
		if !admitted(o) {
			continue
		}
		asked := slices.DeleteFunc(slices.Clone(want), func(f policies.Finding) bool { return p.scanOnly[f.Check] })
		if diff := cmp.Diff(said(asked), said(admission(o))); diff != "" {
			t.Errorf("%s (-scan +admission):\n%s", o, diff)
		}
	}
}

// admissionOn is what admission finds of an object that is created as it is.
func admissionOn(t *testing.T, s *mesh.Snapshot, checks []*policies.Check) func(*mesh.Object) []policies.Finding {
	t.Helper()
	rules, _ := decide.New(decide.Options{Checks: checks}, nil, nil)
	var last webhook.Record
	h := webhook.New(webhook.Options{Log: logr.Discard(), Observe: func(r webhook.Record) { last = r }, Source: webhook.Source{
		Snapshot: func() *mesh.Snapshot { return s }, Rulebook: func() *decide.Rulebook { return rules }, Now: time.Now,
		Get:           func(context.Context, mesh.Kind, string, string) (*mesh.Object, error) { return nil, nil },
		MayBreakGlass: func(context.Context, authenticationv1.UserInfo) (bool, error) { return false, nil },
	}}).Validating()
	return func(o *mesh.Object) []policies.Finding {
		t.Helper()
		raw, err := json.Marshal(o.Content())
		if err != nil {
			t.Fatal(err)
		}
		gvk := (&unstructured.Unstructured{Object: o.Content()}).GroupVersionKind()
		review := admissionv1.AdmissionReview{TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"}, Request: &admissionv1.AdmissionRequest{
			UID: "x", Operation: admissionv1.Create, Name: o.Name, Namespace: o.Namespace, Kind: metav1.GroupVersionKind{Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind}}}
		review.Request.Object.Raw = raw
		body, err := json.Marshal(&review)
		if err != nil {
			t.Fatal(err)
		}
		last = webhook.Record{}
		r := httptest.NewRequest(http.MethodPost, "/?timeout=30s", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != http.StatusOK {
			t.Fatalf("%s: %d %s", o, w.Code, w.Body)
		}
		return last.Findings
	}
}
