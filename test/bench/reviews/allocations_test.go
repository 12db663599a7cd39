package reviews

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/waywarden/waywarden/test/bench/filemesh"
)

// mostAllocations is what it may take to answer one AdmissionReview about an AuthorizationPolicy, of which about 20 are the test's own.
const mostAllocations = 400

// TestAllocations holds the cost of an answer, which a benchmark shows and nobody reads.
func TestAllocations(t *testing.T) {
	o := filemesh.Options{Policies: 400, PerNamespace: 20, Pods: 10, Seed: 1}
	bodies, err := Bodies(o)
	if err != nil {
		t.Fatal(err)
	}
	a, err := Admission(o)
	if err != nil {
		t.Fatal(err)
	}
	h, policies := a.Validating(), of("AuthorizationPolicy", bodies)
	if len(policies) == 0 {
		t.Fatal("no AuthorizationPolicy")
	}
	i := 0
	got := testing.AllocsPerRun(10*len(policies), func() {
		r := httptest.NewRequest(http.MethodPost, "/validate?timeout=3s", bytes.NewReader(policies[i%len(policies)]))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			t.Fatalf("%d: %s", w.Code, w.Body)
		}
		i++
	})
	t.Logf("%.0f allocations", got)
	if got > mostAllocations {
		t.Errorf("%.0f allocations for one answer: at most %d", got, mostAllocations)
	}
}
