package reviews

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/waywarden/waywarden/test/bench/filemesh"
)

// mostAllocations is what it may take to answer one AdmissionReview, of which about 20 are the test's own. A Service and a
// Namespace have every policy that depends on them judged twice, before and after.
var mostAllocations = map[string]float64{"AuthorizationPolicy": 300, "Service": 540, "Namespace": 1400}

// TestAllocations holds the cost of an answer, which a benchmark shows and nobody reads.
func TestAllocations(t *testing.T) {
	o := filemesh.Options{Policies: 400, PerNamespace: 20, Pods: 10, Seed: 1}
	bodies, err := Bodies(o)
	if err != nil {
		t.Fatal(err)
	}
	a, err := Admission(o, Checks(false))
	if err != nil {
		t.Fatal(err)
	}
	h := a.Validating()
	for kind, most := range mostAllocations {
		t.Run(kind, func(t *testing.T) {
			requests := of(kind, bodies)
			if len(requests) == 0 {
				t.Fatal("no request")
			}
			i := 0
			got := testing.AllocsPerRun(10*len(requests), func() {
				r := httptest.NewRequest(http.MethodPost, "/validate?timeout=3s", bytes.NewReader(requests[i%len(requests)]))
				r.Header.Set("Content-Type", "application/json")
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				if w.Code != http.StatusOK {
					t.Fatalf("%d: %s", w.Code, w.Body)
				}
				i++
			})
			t.Logf("%.0f allocations", got)
			if got > most {
				t.Errorf("%.0f allocations for one answer: at most %.0f", got, most)
			}
		})
	}
}
