package library

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
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

// TestParity: with the library on, a scan of files, an audit of what a watch keeps of them, and admission say the same of every object of a
// recorded mesh, of whatever kind, and no rule fails to answer about any.
func TestParity(t *testing.T) {
	inv, s := recorded(t)
	checks := slices.Concat(policies.Checks(), zerotrust.Pack().Checks())
	scanned := map[mesh.Ref][]policies.Finding{}
	result := audit.Scan(inv, audit.Options{Checks: checks, Known: checks, Rules: audit.Rules{Now: time.Now()}})
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
	about := policies.AboutObjects(checks)
	audited := map[mesh.Ref][]policies.Finding{}
	for i, e := range audit.EvaluateOn(policies.Occasion{Phase: policies.AtAudit, Now: time.Now()}, kept, objects, about, nil) {
		audited[objects[i].Ref()] = append(audited[objects[i].Ref()], e.Findings...)
	}
	admission := admissionOn(t, kept, checks)
	notAtAdmission := map[string]bool{}
	for _, r := range zerotrust.Pack().Rules {
		notAtAdmission[r.ID] = !slices.Contains(r.Phases, policies.AtAdmission)
	}
	found, kinds := map[bool]int{}, map[mesh.Kind]int{}
	for o := range s.Objects() {
		want := said(scanned[o.Ref()])
		if diff := cmp.Diff(want, said(audited[o.Ref()])); diff != "" {
			t.Errorf("%s (-scan +audit):\n%s", o, diff)
		}
		asked := slices.DeleteFunc(slices.Clone(scanned[o.Ref()]), func(f policies.Finding) bool { return notAtAdmission[f.Check] })
		if diff := cmp.Diff(said(asked), said(admission(o))); diff != "" {
			t.Errorf("%s (-scan +admission):\n%s", o, diff)
		}
		found[o.Kind.IsPolicy()] += len(want)
		kinds[o.Kind]++
	}
	t.Logf("%v, %d findings in policies and %d in others", kinds, found[true], found[false])
	for _, k := range []mesh.Kind{mesh.AuthorizationPolicy, mesh.Namespace, mesh.Service, mesh.Gateway, mesh.Pod} {
		if kinds[k] < 30 {
			t.Errorf("only %d of kind %s: the test says little", kinds[k], k)
		}
	}
	if found[true] < 1000 || found[false] < 500 {
		t.Errorf("only %d findings in policies and %d in others: the test says little", found[true], found[false])
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
