package audit

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/audit/ledger"
	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// Events are rate-limited: a mesh that is seen for the first time may have thousands of findings, and the reports have them
// all.
const (
	eventsPerSecond = 1
	eventBurst      = 25
)

// EventsTo makes an Event on the object of each new finding that is high or worse, not exempt and more than audited. uid is that of
// an object: kubectl describe shows Events by it. dropped, which may be nil, hears how many were too many. The recorder queues, so
// this never waits.
func EventsTo(recorder events.EventRecorder, uid func(mesh.Ref) string, dropped func(int)) func(News) {
	limit := rate.NewLimiter(eventsPerSecond, eventBurst)
	return func(n News) {
		over := 0
		for _, r := range n.New {
			if r.Exempt || r.Severity.Rank() > policies.High.Rank() || r.Action != v1alpha1.Deny && r.Action != v1alpha1.Warn {
				continue
			}
			if !limit.Allow() {
				over++
				continue
			}
			object := &corev1.ObjectReference{APIVersion: r.Object.APIVersion, Kind: r.Object.Kind, Namespace: r.Object.Namespace, Name: r.Object.Name, UID: types.UID(uid(r.Object))}
			recorder.Eventf(object, nil, corev1.EventTypeWarning, "Ineffective", "Audit", "%s", noted(r))
		}
		if over > 0 && dropped != nil {
			dropped(over)
		}
	}
}

// maxNote is how many bytes an Event's note may hold (k8s.io/kubernetes pkg/apis/core/validation NoteLengthLimit).
const maxNote = 1024

func noted(r ledger.Record) string {
	text := report.Printable(r.Message + " " + r.Remedy)
	end := " [" + r.Check + "]"
	if most := maxNote - len(end); len(text) > most {
		text = strings.ToValidUTF8(text[:most-len("…")], "") + "…"
	}
	return text + end
}

// line is one of the JSON lines that say what is new and what is gone.
type line struct {
	Time        time.Time         `json:"time"`
	Event       string            `json:"event"` // found or resolved
	Fingerprint string            `json:"fingerprint"`
	Check       string            `json:"check"`
	Severity    policies.Severity `json:"severity"`
	Verdict     policies.Verdict  `json:"verdict,omitempty"`
	Action      v1alpha1.Action   `json:"action"`
	Exempt      bool              `json:"exempt"`
	Object      any               `json:"object"`
	Field       string            `json:"field,omitempty"`
	Message     string            `json:"message"`
	FirstSeen   time.Time         `json:"firstSeen"`
	ResolvedAt  *time.Time        `json:"resolvedAt,omitempty"`
	// Seconds is how long what is resolved was there.
	Seconds int64 `json:"seconds,omitempty"`
}

// LinesTo writes one JSON line for each finding that is new, and for each that is gone. failed hears, once for all that is told at
// once, of what cannot be written. Of what is gone and was in no report only the beginning of the fingerprint is known.
func LinesTo(w io.Writer, failed func(error)) func(News) {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	write := func(r *ledger.Record) error {
		l := line{Time: r.LastSeen.UTC(), Event: "found", Fingerprint: r.Fingerprint, Check: r.Check, Severity: r.Severity, Verdict: r.Verdict, Action: r.Action,
			Exempt: r.Exempt, Object: r.Object, Field: r.Field, Message: r.Message, FirstSeen: r.FirstSeen.UTC()}
		if !r.ResolvedAt.IsZero() {
			at := r.ResolvedAt.UTC()
			l.Time, l.Event, l.ResolvedAt, l.Seconds = at, "resolved", &at, int64(at.Sub(r.FirstSeen)/time.Second)
		}
		return enc.Encode(l)
	}
	return func(n News) {
		all := slices.Concat(n.New, n.Resolved)
		lost := 0
		var why error
		for i := range all {
			if err := write(&all[i]); err != nil {
				lost, why = lost+1, err
			}
		}
		if lost > 0 {
			failed(fmt.Errorf("%d of %d lines are lost: %w", lost, len(all), why))
		}
	}
}
