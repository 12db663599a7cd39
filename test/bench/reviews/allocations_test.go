package reviews

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/waywarden/waywarden/test/bench/filemesh"
)

// mostAllocations is what it may take to answer one AdmissionReview, of which about 20 are the test's own, without the zero-trust library
// and with it; an eighth more than it takes, as a collection of garbage empties what is kept for the next answer. A Service and a Namespace have every policy that depends on them judged, and where it is not in force as written twice, before and
// after; and of the Namespaces here rules find something.
var mostAllocations = map[string]struct{ without, with float64 }{
	"AuthorizationPolicy": {290, 320}, "Service": {450, 480}, "Namespace": {250, 500},
}

// TestAllocations holds the cost of an answer, which a benchmark shows and nobody reads.
func TestAllocations(t *testing.T) {
	o := filemesh.Options{Policies: 400, PerNamespace: 20, Pods: 10, Seed: 1}
	bodies, err := Bodies(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, library := range []bool{false, true} {
		a, err := Admission(o, Checks(library))
		if err != nil {
			t.Fatal(err)
		}
		for kind, most := range mostAllocations {
			limit := most.without
			if library {
				limit = most.with
			}
			t.Run(fmt.Sprintf("%s, library %t", kind, library), func(t *testing.T) { answersWithin(t, a.Validating(), of(kind, bodies), limit) })
		}
	}
}

func answersWithin(t *testing.T, h http.Handler, requests [][]byte, limit float64) {
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
	if got > limit {
		t.Errorf("%.0f allocations for one answer: at most %.0f", got, limit)
	}
}
