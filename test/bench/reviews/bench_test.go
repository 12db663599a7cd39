package reviews

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/waywarden/waywarden/test/bench/filemesh"
)

// BenchmarkValidate is what it costs to answer an AdmissionReview, without the network. The control admits everything; a mesh
// ten times as large should cost the same.
func BenchmarkValidate(b *testing.B) {
	noop := &admission.Webhook{Handler: admission.HandlerFunc(func(context.Context, admission.Request) admission.Response { return admission.Allowed("") })}
	for _, services := range []int{500, 5000} {
		o := filemesh.Options{Policies: 2 * services, PerNamespace: 20, Pods: 10, Seed: 1}
		bodies, err := Bodies(o)
		if err != nil {
			b.Fatal(err)
		}
		if services == 500 {
			b.Run("noop", func(b *testing.B) { serve(b, noop, bodies) })
		}
		for _, library := range []bool{false, true} {
			a, err := Admission(o, Checks(library))
			if err != nil {
				b.Fatal(err)
			}
			name := fmt.Sprintf("waywarden/services=%d/library=%t", services, library)
			b.Run(name, func(b *testing.B) { serve(b, a.Validating(), bodies) })
			for _, kind := range []string{"AuthorizationPolicy", "Service", "Namespace"} {
				b.Run(name+"/"+kind, func(b *testing.B) { serve(b, a.Validating(), of(kind, bodies)) })
			}
		}
	}
}

func serve(b *testing.B, h http.Handler, bodies [][]byte) {
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r := httptest.NewRequest(http.MethodPost, "/validate?timeout=3s", bytes.NewReader(bodies[i%len(bodies)]))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatalf("%d: %s", w.Code, w.Body)
		}
	}
}

// of are the requests about a kind.
func of(kind string, bodies [][]byte) [][]byte {
	var out [][]byte
	for _, body := range bodies {
		if bytes.Contains(body, []byte(`"kind":{"group":"`)) && bytes.Contains(body, []byte(`"kind":"`+kind+`"},"resource"`)) {
			out = append(out, body)
		}
	}
	return out
}
