package webhook

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies/decide"
	"github.com/waywarden/waywarden/policies/mesh"
)

// TestNoReview: what no API server sends is answered with an HTTP error that says what is wrong, on both paths, and is
// counted.
func TestNoReview(t *testing.T) {
	good := string(bodyOf(t, creates(t, noOp)))
	for name, c := range map[string]struct {
		method, media, body string
		status              int
		says                string
	}{
		"another method":   {method: http.MethodGet, body: good, status: 405, says: "Use POST"},
		"no media type":    {media: " ", body: good, status: 415, says: "Content-Type"},
		"YAML":             {media: "application/yaml", body: good, status: 415, says: `"application/yaml"`},
		"nothing":          {body: "", status: 400, says: "cannot be read"},
		"truncated":        {body: good[:len(good)/2], status: 400, says: "cannot be read"},
		"two reviews":      {body: good + good, status: 400, says: "cannot be read"},
		"too large":        {body: strings.Repeat(" ", maxBody) + good, status: 413, says: "larger than 7340032 bytes"},
		"no UTF-8":         {body: strings.Replace(good, "no-op", "no-\xff", 1), status: 400, says: "not UTF-8"},
		"another version":  {body: strings.Replace(good, "admission.k8s.io/v1", "admission.k8s.io/v9", 1), status: 400, says: `"admission.k8s.io/v9"`},
		"another kind":     {body: strings.Replace(good, "AdmissionReview", "ConversionReview", 1), status: 400, says: `"ConversionReview"`},
		"no version":       {body: strings.Replace(good, "apiVersion", "version", 1), status: 400, says: "Send an AdmissionReview"},
		"no request":       {body: `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}`, status: 400, says: "holds no request"},
		"null request":     {body: `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":null}`, status: 400, says: "holds no request"},
		"no UID":           {body: strings.Replace(good, `"uid":"request"`, `"uid":""`, 1), status: 400, says: "request.uid"},
		"a list":           {body: "[" + good + "]", status: 400, says: "cannot be read"},
		"nested too deep":  {body: nested(good, 20_000), status: 400, says: "cannot be read"},
		"nested very deep": {body: strings.Repeat("[", maxBody-1), status: 400, says: "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			var dropped []string
			o := denying(t)
			o.Dropped = func(why string) { dropped = append(dropped, why) }
			a := New(o)
			for _, h := range []http.Handler{a.Validating(), a.Mutating()} {
				r := httptest.NewRequest(or(c.method, http.MethodPost), "/?timeout=3s", strings.NewReader(c.body))
				r.Header.Set("Content-Type", or(c.media, "application/json; charset=utf-8"))
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				if w.Code != c.status || !strings.Contains(w.Body.String(), c.says) {
					t.Errorf("HTTP %d, %.300q: want %d and %q", w.Code, w.Body, c.status, c.says)
				}
			}
			if fmt.Sprint(dropped) != "[malformed malformed]" {
				t.Errorf("counted: %v", dropped)
			}
		})
	}
}

// TestBodyIsNotKept: the next request is read into the room of this one.
func TestBodyIsNotKept(t *testing.T) {
	good := bodyOf(t, creates(t, noOp))
	body := bytes.NewBuffer(slices.Clone(good))
	read, wrong := parseReview(body.Bytes())
	want, wrongToo := parseReview(good)
	if wrong != nil || wrongToo != nil {
		t.Fatal(wrong, wrongToo)
	}
	for i := range body.Bytes() {
		body.Bytes()[i] = '#'
	}
	if diff := cmp.Diff(want, read); diff != "" {
		t.Errorf("the request changes with what follows it (-want +got):\n%s", diff)
	}
}

func TestOneLine(t *testing.T) {
	for in, want := range map[string]string{
		"": "", " ": "", "a": "a", "a b": "a b", " a": "a", "a ": "a", "a  b": "a b", "a\nb": "a b", "a\u2028b": "a b", "a \tb": "a b", "ä ö": "ä ö", "a\xffb": "a b",
	} {
		if got := oneLine(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// nested is a review whose object is as deep as that.
func nested(review string, depth int) string {
	return strings.Replace(review, `"rules":`, `"deep":`+strings.Repeat(`{"a":`, depth)+"1"+strings.Repeat("}", depth)+`,"rules":`, 1)
}

// TestMalformedRequest: a review that is well formed and asks nothing that has an answer is denied; none of them is a panic.
func TestMalformedRequest(t *testing.T) {
	policy, service := content(t, noOp), content(t, "{apiVersion: v1, kind: Service, metadata: {name: cart, namespace: shop}, spec: {}}")
	as := func(kind string, r *admissionv1.AdmissionRequest) *admissionv1.AdmissionRequest {
		r.Kind.Kind = kind
		return r
	}
	raw := func(text string) *admissionv1.AdmissionRequest {
		r := request(t, admissionv1.Create, policy, nil)
		r.Object.Raw = []byte(text)
		return r
	}
	for name, c := range map[string]struct {
		request *admissionv1.AdmissionRequest
		says    string
	}{
		"CREATE without an object":     {request(t, admissionv1.Create, nil, policy), "has to have request.object"},
		"UPDATE without an object":     {request(t, admissionv1.Update, nil, policy), "has to have request.object"},
		"UPDATE without an old object": {request(t, admissionv1.Update, policy, nil), "has to have request.oldObject"},
		"DELETE without an old object": {request(t, admissionv1.Delete, policy, nil), "has to have request.oldObject"},
		"CONNECT":                      {request(t, admissionv1.Connect, policy, policy), `not "CONNECT"`},
		"no operation":                 {request(t, "", policy, policy), `not ""`},
		"another kind":                 {as("Service", request(t, admissionv1.Create, policy, nil)), "another kind"},
		"another old kind":             {request(t, admissionv1.Update, policy, service), "another kind"},
		"a number":                     {raw("7"), "cannot be read"},
		"a list":                       {raw("[]"), "cannot be read"},
		"a string":                     {raw(`"x"`), "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			got := answer(t, New(denying(t)).Validating(), c.request)
			if got.Allowed || got.Result.Code != 400 || !strings.Contains(got.Result.Message, c.says) {
				t.Errorf("allowed %v, %v: want a denial that says %q", got.Allowed, got.Result, c.says)
			}
			o := denying(t)
			rules := rulebook(t, []*v1alpha1.Guardrail{guardrail(v1alpha1.Deny, v1alpha1.FixAdmission)})
			o.Rulebook = func() *decide.Rulebook { return rules }
			if got := answer(t, New(o).Mutating(), c.request); !got.Allowed || len(got.Patch) > 0 {
				t.Errorf("repaired: %s", got.Patch)
			}
		})
	}
}

// TestOddObjects: an object that is legal JSON and not what its kind demands is admitted with a warning, and what is large
// or deep is answered in time.
func TestOddObjects(t *testing.T) {
	object := func(spec string) *admissionv1.AdmissionRequest {
		r := creates(t, noOp)
		r.Object.Raw = []byte(`{"apiVersion":"security.istio.io/v1","kind":"AuthorizationPolicy","metadata":{"name":"no-op","namespace":"shop"},"spec":` + spec + `}`)
		return r
	}
	methods := `{"to":[{"operation":{"methods":["DELETE"]}}]}`
	for name, c := range map[string]struct {
		spec    string
		allowed bool
		warns   string
	}{
		"a spec that is a string": {`"x"`, true, "not judged by waywarden"},
		"rules of another shape":  {`{"rules":{"a":1}}`, true, "not judged by waywarden"},
		"deep, but JSON":          {`{"action":"DENY","deep":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `,"rules":[` + methods + `]}`, false, ""},
		"many rules":              {`{"action":"DENY","rules":[` + strings.Repeat(methods+",", 50_000) + methods + `]}`, false, ""},
		"many empty rules":        {`{"action":"DENY","rules":[` + strings.Repeat("{},", 1_000_000) + `{}]}`, true, ""},
		"many methods":            {`{"action":"DENY","rules":[{"to":[{"operation":{"methods":[` + strings.Repeat(`"GET",`, 500_000) + `"PUT"]}}]}]}`, false, ""},
		"a key twice":             {`{"action":"ALLOW","action":"DENY","rules":[` + methods + `]}`, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			got := answer(t, New(denying(t)).Validating(), object(c.spec))
			if got.Allowed != c.allowed || !strings.Contains(strings.Join(got.Warnings, "\n"), c.warns) {
				t.Errorf("allowed %v, %.1000v %.1000v", got.Allowed, got.Result, got.Warnings)
			}
			if !got.Allowed && len(got.Result.Message) > 64<<10 {
				t.Errorf("a message of %d bytes", len(got.Result.Message))
			}
			if took := time.Since(start); took > 8*time.Second {
				t.Errorf("took %v", took)
			}
			t.Logf("%v", time.Since(start))
		})
	}
}

// TestUnreadableOldObject: who could store an object of the wrong shape does not get everything past admission by replacing
// it.
func TestUnreadableOldObject(t *testing.T) {
	old := content(t, noOp)
	old["spec"] = map[string]any{"rules": "x"}
	if got := answer(t, New(denying(t)).Validating(), request(t, admissionv1.Update, content(t, noOp), old)); got.Allowed {
		t.Errorf("admitted: %v", got.Warnings)
	}
}

// TestUnready: before the mesh is known, failurePolicy decides.
func TestUnready(t *testing.T) {
	for name, unknown := range map[string]func(*Options){
		"mesh":  func(o *Options) { o.Snapshot = func() *mesh.Snapshot { return nil } },
		"rules": func(o *Options) { o.Rulebook = func() *decide.Rulebook { return nil } },
	} {
		t.Run(name, func(t *testing.T) {
			o := denying(t)
			unknown(&o)
			for _, h := range []http.Handler{New(o).Validating(), New(o).Mutating()} {
				w := post(h, bodyOf(t, creates(t, noOp)))
				if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || !bytes.Contains(w.Body.Bytes(), []byte("does not know the mesh yet")) {
					t.Errorf("HTTP %d %v: %s", w.Code, w.Header(), w.Body)
				}
			}
		})
	}
}
