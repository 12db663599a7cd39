package reviews

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"syscall"
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
	defer processor(b)()
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

// processor reports the processor time of an answer, which other work on the machine does not lengthen as it does wall time.
func processor(b *testing.B) func() {
	b.Helper()
	used := func() int64 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return u.Utime.Nano() + u.Stime.Nano()
	}
	start := used()
	return func() { b.ReportMetric(float64((used()-start)/1000)/float64(b.N), "cpu-µs/op") }
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
