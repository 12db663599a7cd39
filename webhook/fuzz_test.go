package webhook

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	jsonpatch "github.com/evanphx/json-patch/v5"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/scenario"
)

// scenarios are the scenarios of all checks.
func scenarios(t testing.TB) []*scenario.File {
	t.Helper()
	files, err := scenario.Load(checks(t), "*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func checks(t testing.TB) fs.FS {
	t.Helper()
	root, err := os.OpenRoot("../policies/checks")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return root.FS()
}

// ofEveryKind are the specs of one object of each kind that the scenarios hold, the objects themselves with everything else.
func ofEveryKind(t testing.TB) []map[string]any {
	t.Helper()
	var out []map[string]any
	seen := map[mesh.Kind]int{}
	for _, f := range scenarios(t) {
		for _, c := range f.Cases {
			for _, o := range c.Objects {
				if seen[o.Kind]++; seen[o.Kind] <= 3 {
					out = append(out, o.Content())
				}
			}
		}
	}
	return append(out,
		content(t, `{apiVersion: waywarden.dev/v1alpha1, kind: Guardrail, metadata: {name: a}, spec: {namespaceSelector: {}, checks: [{ids: ["*", "no/such"], action: Deny}]}}`),
		content(t, `{apiVersion: waywarden.dev/v1alpha1, kind: Exemption, metadata: {name: a, namespace: shop}, spec: {checks: ["*"], reason: it has to be, grantedBy: ann, expiresAt: "2026-11-02T00:00:00Z"}}`))
}

// reviews are AdmissionReviews about an object of every kind: made, changed and deleted.
func reviews(t testing.TB) [][]byte {
	t.Helper()
	var out [][]byte
	for _, o := range ofEveryKind(t) {
		marked := set(o, "labels", map[string]any{"a": "b"})
		out = append(out, bodyOf(t, request(t, admissionv1.Create, o, nil)), bodyOf(t, request(t, admissionv1.Update, marked, o)), bodyOf(t, request(t, admissionv1.Delete, nil, o)))
	}
	return out
}

// answered holds what every answer has to be, whatever was sent: an HTTP error, or a review that an API server takes.
func answered(t *testing.T, w *httptest.ResponseRecorder) *admissionv1.AdmissionResponse {
	t.Helper()
	if w.Code != http.StatusOK {
		if w.Code >= 500 || w.Body.Len() == 0 {
			t.Errorf("HTTP %d: %s", w.Code, w.Body)
		}
		return nil
	}
	var review admissionv1.AdmissionReview
	if err := json.Unmarshal(w.Body.Bytes(), &review); err != nil || review.Response == nil || review.Response.UID == "" || review.Kind != "AdmissionReview" {
		t.Fatalf("%v: no answer: %s", err, w.Body)
	}
	r := review.Response
	if !r.Allowed && (r.Result == nil || r.Result.Message == "" || r.Result.Code < 400) {
		t.Errorf("a denial without a reason: %s", w.Body)
	}
	fits(t, r.Warnings)
	return r
}

// fits holds warnings to what an API server passes on.
func fits(t *testing.T, warnings []string) {
	t.Helper()
	sum := 0
	for _, text := range warnings {
		n := utf8.RuneCountInString(text)
		if sum += n; n > 256 || n == 0 || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
			t.Errorf("a warning that is not passed on whole: %q", text)
		}
	}
	if sum >= 4096 {
		t.Errorf("%d characters of warnings", sum)
	}
}

// FuzzValidate sends reviews that are nearly those of an API server, and any bytes.
func FuzzValidate(f *testing.F) {
	for _, body := range reviews(f) {
		f.Add(body)
	}
	h := New(denying(f)).Validating()
	f.Fuzz(func(t *testing.T, body []byte) {
		r := answered(t, post(h, body))
		if r != nil && len(r.Patch) > 0 {
			t.Errorf("validation patches: %s", r.Patch)
		}
	})
}

// FuzzMutate holds a repair of whatever is sent to being one that applies, and that leaves nothing to repair.
func FuzzMutate(f *testing.F) {
	for _, body := range reviews(f) {
		f.Add(body)
	}
	f.Add(bodyOf(f, creates(f, noOp)))
	h := New(repairing(f)).Mutating()
	f.Fuzz(func(t *testing.T, body []byte) {
		r := answered(t, post(h, body))
		if r == nil {
			return
		}
		if !r.Allowed && r.Result.Code != http.StatusBadRequest {
			t.Errorf("a repair denies: %v", r.Result)
		}
		if len(r.Patch) == 0 {
			return
		}
		request, wrong := parseReview(body)
		if wrong != nil {
			t.Fatal("patched, and no review")
		}
		request.Object.Raw = applied(t, request.Object.Raw, r.Patch)
		if again := answered(t, post(h, bodyOf(t, &request.AdmissionRequest))); again == nil || len(again.Patch) > 0 {
			t.Errorf("repaired twice: %s, then %v", r.Patch, again)
		}
	})
}

// repairing are options that repair what can be repaired in the shop.
func repairing(t testing.TB, checks ...*policies.Check) Options {
	return options(snapshot(t, shop), rulebookOf(t, checks, []*v1alpha1.Guardrail{guardrail(v1alpha1.Deny, v1alpha1.FixAdmission)}))
}

func applied(t *testing.T, object, patch []byte) []byte {
	t.Helper()
	ops, err := jsonpatch.DecodePatch(patch)
	if err != nil {
		t.Fatalf("%v: %s", err, patch)
	}
	out, err := ops.Apply(object)
	if err != nil {
		t.Fatalf("%s does not apply: %v", patch, err)
	}
	return out
}

// FuzzBudget: whatever the query says, a request is given some time, and not for ever.
func FuzzBudget(f *testing.F) {
	for _, text := range []string{"3s", "10", "30s", "", "x", "-3s", "-1", "0", "1ns", "300ms", "9223372036854775807", "1e300", "99999h", "1.5", "NaN", "+Inf"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := httptest.NewRequest(http.MethodPost, "/?timeout="+url.QueryEscape(text), http.NoBody)
		if d := budgetOf(r); d <= 0 || d >= maxTimeout {
			t.Errorf("timeout=%q: %v", text, d)
		}
	})
}

// FuzzRepairedAnnotation: what somebody wrote into the annotation undoes nothing but fields of the spec, and is no panic.
func FuzzRepairedAnnotation(f *testing.F) {
	for _, text := range []string{"", "{}", "null", "7", `{"added":["/spec/targetRefs"],"removed":["/spec/selector"]}`, `{"removed":["","/","//","/spec/rules/0","/spec/rules/-1","/spec/rules/-"]}`,
		`{"added":["/metadata/name","/spec","/spec/","/spec/rules/9","/spec/rules/0","/spec/rules/0"],"removed":["/spec/selector"]}`, `{"added":["/spec/~2","/spec/a~"],"removed":["/spec/selector/matchLabels/app"]}`} {
		f.Add(text)
	}
	h := New(repairing(f)).Mutating()
	f.Fuzz(func(t *testing.T, text string) {
		o, err := mesh.Decode(set(content(t, noOp), "annotations", map[string]any{RepairedAnnotation: text}))
		if err != nil {
			t.Fatal(err)
		}
		for _, op := range takenBack(o) {
			if op.Op != "remove" || !strings.HasPrefix(op.Path, "/spec/") && op.Path != "/metadata/annotations/waywarden.dev~1repaired" {
				t.Errorf("%q: %v", text, op)
			}
		}
		r := creates(t, noOp)
		if r.Object.Raw, err = json.Marshal(o.Content()); err != nil {
			t.Fatal(err)
		}
		if got := answered(t, post(h, bodyOf(t, r))); got != nil && len(got.Patch) > 0 {
			applied(t, r.Object.Raw, got.Patch)
		}
	})
}

// FuzzOwnership reads managedFields of any shape.
func FuzzOwnership(f *testing.F) {
	for _, text := range []string{"[]", "7", "null", `[7,null,{}]`, `[{"manager":7,"operation":"Apply","fieldsV1":[]}]`,
		`[{"manager":"a","operation":"Apply","fieldsV1":{"f:spec":{"f:selector":{}}}}]`, `[{"operation":"Apply","fieldsV1":{"f:spec":{"f:selector":null}}}]`,
		`[{"manager":"a","operation":"Apply","fieldsV1":{"f:spec":{"f:rules":{"k:{\"a\":1}":{"f:x":{}}}}}}]`} {
		f.Add(text, "/spec/selector")
		f.Add(text, "/spec/rules/0/to/-")
	}
	h := New(repairing(f)).Mutating()
	f.Fuzz(func(t *testing.T, managed, pointer string) {
		var fields any
		if json.Unmarshal([]byte(managed), &fields) != nil {
			return
		}
		o := set(content(t, noOp), "managedFields", fields)
		replacesArray(o, policies.Op{Op: "replace", Path: pointer})
		ownedByAnother(o, pointer, "")
		raw, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		r := creates(t, noOp)
		r.Object.Raw, r.Options.Raw = raw, []byte(managed)
		if got := answered(t, post(h, bodyOf(t, r))); got != nil && len(got.Patch) > 0 {
			applied(t, raw, got.Patch)
		}
	})
}

// FuzzOneLine holds every text to what a warning may hold.
func FuzzOneLine(f *testing.F) {
	for _, text := range []string{"", "a\nb", "Größe\u0085\u009b\u2028x", strings.Repeat("ü", 300), strings.Repeat("a b ", 100), "\xff\xfe", strings.Repeat("€ ", 2000)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var w warnings
		w.add(text, text)
		w.add(about(&policies.Finding{Check: "effect/x", Message: text, Remedy: text}, text)...)
		fits(t, w.list())
		if n := noted(text); len(n) > maxNote || !utf8.ValidString(n) {
			t.Errorf("a note of %d bytes", len(n))
		}
	})
}
