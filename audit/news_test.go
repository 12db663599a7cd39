package audit

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/audit/ledger"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

func newsOf(n int, severity policies.Severity, action v1alpha1.Action) []ledger.Record {
	var out []ledger.Record
	for i := range n {
		f := policies.Finding{Check: "effect/x", Severity: severity, Message: "it does <nothing>." + strings.Repeat(" very", 300),
			Object: mesh.Ref{APIVersion: "v1", Kind: "Service", Namespace: "shop", Name: fmt.Sprint("s", i)}}
		r := ledger.NewRecord(f, action, "")
		r.FirstSeen = time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)
		r.LastSeen = r.FirstSeen
		out = append(out, r)
	}
	return out
}

// TestEventsTo: what is bad makes an Event, at most so many at once, and each is short enough for the API server.
func TestEventsTo(t *testing.T) {
	recorder := events.NewFakeRecorder(1000)
	dropped := 0
	tell := EventsTo(recorder, func(r mesh.Ref) string { return "uid of " + r.Name }, func(n int) { dropped += n })
	tell(News{New: newsOf(10, policies.Medium, v1alpha1.Warn)})
	tell(News{New: newsOf(10, policies.Critical, v1alpha1.Audit)})
	tell(News{Resolved: newsOf(10, policies.Critical, v1alpha1.Warn)})
	if n := len(recorder.Events); n != 0 {
		t.Errorf("%d Events of what asks for none", n)
	}
	tell(News{New: newsOf(500, policies.High, v1alpha1.Deny)})
	if n := len(recorder.Events); n < eventBurst || n > eventBurst+2 || dropped+n != 500 {
		t.Errorf("%d Events and %d dropped of 500", n, dropped)
	}
	if e := <-recorder.Events; !strings.HasPrefix(e, corev1.EventTypeWarning+" Ineffective it does <nothing>.") || !strings.HasSuffix(e, " [effect/x]") {
		t.Errorf("an Event is %q", e)
	}
	if n := len(noted(newsOf(1, policies.High, v1alpha1.Deny)[0])); n > maxNote {
		t.Errorf("a note has %d bytes", n)
	}
}

func TestLinesTo(t *testing.T) {
	var b bytes.Buffer
	tell := LinesTo(&b, func(err error) { t.Error(err) })
	fresh, gone := newsOf(1, policies.High, v1alpha1.Deny), newsOf(1, policies.Low, v1alpha1.Warn)
	fresh[0].Message, gone[0].Message = "it does <nothing>.", "it is odd."
	gone[0].ResolvedAt = gone[0].FirstSeen.Add(90 * time.Minute)
	tell(News{New: fresh, Resolved: gone})
	want := `{"time":"2026-12-01T08:00:00Z","event":"found","fingerprint":"` + fresh[0].Fingerprint + `","check":"effect/x","severity":"high","action":"Deny","exempt":false,"object":{"apiVersion":"v1","kind":"Service","namespace":"shop","name":"s0"},"message":"it does <nothing>.","firstSeen":"2026-12-01T08:00:00Z"}
{"time":"2026-12-01T09:30:00Z","event":"resolved","fingerprint":"` + gone[0].Fingerprint + `","check":"effect/x","severity":"low","action":"Warn","exempt":false,"object":{"apiVersion":"v1","kind":"Service","namespace":"shop","name":"s0"},"message":"it is odd.","firstSeen":"2026-12-01T08:00:00Z","resolvedAt":"2026-12-01T09:30:00Z","seconds":5400}
`
	if got := b.String(); got != want {
		t.Errorf("lines\n%s\nwant\n%s", got, want)
	}
}
